"""Meshes in any unit of length, at any place, and inside out: the same graph, or a clear refusal."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaugenet.data.meshes.usable import usable_mesh
from gaugenet.geometry.mesh._hierarchy import hierarchy
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.repair import outward
from gaugenet.geometry.mesh.topology import Topology
from gaugenet.groups import O2, SO2
from tests.tasks.mesh.meshes import ellipsoid

VERTICES, FACES, _ = ellipsoid(9)
MESH = TriangleMesh(VERTICES, FACES)


@pytest.mark.parametrize("scale", [3.4e38, 2.0**196, 2.0**-200, 1e150, 1e-150])
def test_lengths_that_float32_cannot_hold_are_refused_in_a_graph_and_normalised_for_networks(scale):
    mesh = TriangleMesh(MESH.vertices * scale, MESH.faces)
    if 1e-150 < scale < 1e150:
        with pytest.raises(MeshError, match="another unit of length"):
            mesh.gauge_graph(SO2(), mean_neighbors=12)
        with pytest.raises(MeshError, match="another unit of length"):
            hierarchy(mesh, SO2(), levels=2)
    usable = usable_mesh(mesh, SO2())
    assert 0.4 < np.ptp(usable.mesh.vertices, axis=0).max() <= 1
    assert "unit of length" in usable.repairs[0]
    assert np.array_equal(usable.mesh.faces, MESH.faces)
    if np.log2(scale) % 1 == 0:
        ratio = usable.mesh.vertices[VERTICES != 0] / VERTICES[VERTICES != 0]
        assert len(np.unique(ratio)) == 1, "a power of two changes no digit"


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_ordinary_units_stay_as_they_are(scale):
    mesh = TriangleMesh(MESH.vertices * scale, MESH.faces)
    usable = usable_mesh(mesh, SO2())
    assert usable.mesh is mesh
    assert usable.repairs == ()
    assert torch.isfinite(mesh.gauge_graph(SO2(), mean_neighbors=12).mass).all()


def test_far_from_the_origin_graphs_are_relative_to_their_centre(caplog):
    far = TriangleMesh(MESH.vertices + 1e6, MESH.faces)
    near = MESH.gauge_graph(SO2(), mean_neighbors=12)
    for graph in (far.gauge_graph(SO2(), mean_neighbors=12), hierarchy(far, SO2(), levels=2, mean_neighbors=12)):
        assert "relative to the point" in caplog.text
        moved = graph.pos - near.pos
        assert (moved - moved[0]).abs().max() < 1e-6
    blurred = (torch.from_numpy(far.vertices).float() - 1e6) - near.pos
    assert (blurred - blurred[0]).abs().max() > 1e-2, "control: float32 coordinates move the vertices"
    caplog.clear()
    assert torch.equal(near.pos, torch.from_numpy(MESH.vertices).float())
    assert not caplog.text
    usable = usable_mesh(far, SO2())
    assert "origin" in usable.repairs[0]
    assert np.abs(usable.mesh.vertices).max() < 3


def _inside_out(mesh: TriangleMesh) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, mesh.faces[:, [0, 2, 1]])


def _together(*meshes: TriangleMesh) -> TriangleMesh:
    shift = np.cumsum([0, *(m.num_vertices for m in meshes)])
    faces = np.concatenate([m.faces + s for m, s in zip(meshes, shift, strict=False)])
    return TriangleMesh(np.concatenate([m.vertices for m in meshes]), faces)


SMALL = TriangleMesh(0.4 * MESH.vertices, MESH.faces)
APART = TriangleMesh(0.4 * MESH.vertices + 9, MESH.faces)


@pytest.mark.parametrize(
    ("mesh", "turned_parts", "volumes"),
    [
        (MESH, 0, [1]),
        (_inside_out(MESH), 1, [1]),
        (_together(MESH, _inside_out(SMALL)), 0, [1, -1]),
        (_together(_inside_out(MESH), SMALL), 2, [1, -1]),
        (_together(MESH, _inside_out(APART)), 1, [1, 1]),
        (_together(_inside_out(MESH), _inside_out(APART)), 2, [1, 1]),
    ],
    ids=["outward", "inside out", "cavity", "inside out with a cavity", "one of two", "both of two"],
)
def test_closed_parts_are_turned_outward_and_cavities_stay(mesh, turned_parts, volumes):
    found, count = outward(mesh)
    assert count == turned_parts * MESH.num_faces
    assert np.array_equal(np.sign(Topology(found).signed_volumes), volumes)
    assert np.array_equal(np.sort(found.faces, axis=1), np.sort(mesh.faces, axis=1))
    assert outward(found)[1] == 0


@pytest.mark.parametrize("group", [SO2(), O2()], ids=str)
def test_networks_see_an_inside_out_mesh_like_its_outward_twin(group):
    usable = usable_mesh(_inside_out(MESH), group)
    assert np.array_equal(np.sort(usable.mesh.faces), np.sort(MESH.faces))
    assert "inside-out" in usable.repairs[0]
    np.testing.assert_allclose(usable.mesh.vertex_normals, MESH.vertex_normals, atol=1e-12)
    keep = usable_mesh(_inside_out(MESH), group, "never")
    assert np.abs(keep.mesh.vertex_normals - MESH.vertex_normals).max() > 1, "control: refused repairs change nothing"
