"""Working meshes: the density of the training whatever the given mesh has, and the way back to it."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import trimesh

from gaugenet.data.meshes.resampled import resampled
from gaugenet.geometry import NeighborhoodOptions, TriangleMesh
from tests.data.meshes.helpers import icosphere, torus
from tests.geometry.mesh.surfaces import mobius

MESH = torus(40, 20)


def options_for(points: float, mesh: TriangleMesh = MESH) -> NeighborhoodOptions:
    """Neighbourhoods of 12 points on a mesh with this number of them."""
    return NeighborhoodOptions(relative_radius=float(np.sqrt(12 / np.pi / points)), density=12.0)


def test_meshes_near_the_density_stay_as_they_are():
    for points in (MESH.num_vertices / 1.9, MESH.num_vertices, MESH.num_vertices * 1.45):
        assert resampled(MESH, options_for(points)) is None
    assert resampled(MESH, NeighborhoodOptions(relative_radius=0.01)) is None, "no density, nothing to compare with"


def test_a_dense_mesh_is_decimated_and_linear_functions_come_back():
    dense = TriangleMesh(*trimesh.remesh.subdivide(MESH.vertices, MESH.faces))
    found = resampled(dense, options_for(200))
    assert found is not None
    assert 400 <= found.mesh.num_vertices <= 480
    assert np.array_equal(dense.vertices[found.vertex_map], found.mesh.vertices)
    back = (found.weight[..., None] * found.mesh.vertices[found.corner]).sum(axis=1)
    away = np.linalg.norm(back - dense.vertices, axis=1) / np.sqrt(dense.area)
    assert away.max() < 0.03
    centers = found.mesh.vertices[found.mesh.faces].mean(axis=1)
    near = np.linalg.norm(dense.vertices[dense.faces[found.face_map]].mean(axis=1) - centers, axis=1)
    assert near.max() < 2 * found.mesh.edge_lengths.mean()


@pytest.mark.parametrize(("times", "warns"), [(2.0, False), (5.0, True)])
def test_a_coarse_mesh_is_refined_and_very_coarse_ones_are_named(times, warns, caplog):
    with caplog.at_level(logging.WARNING):
        found = resampled(MESH, options_for(times * MESH.num_vertices), "ring.ply")
    assert found is not None
    assert found.mesh.num_vertices > MESH.num_vertices
    assert found.mesh.area == pytest.approx(MESH.area)
    assert np.array_equal(found.mesh.vertices[found.corner[:, 0]], MESH.vertices)
    assert np.array_equal(found.weight, np.tile([1.0, 0.0, 0.0], (MESH.num_vertices, 1)))
    assert [r.getMessage().startswith("ring.ply has 800 vertices") for r in caplog.records] == [True] * warns


def test_a_surface_that_cannot_be_decimated_stays_as_it_is():
    assert resampled(mobius(60, 9), options_for(20)) is None
    assert resampled(icosphere(3), options_for(20)) is not None, "control"
