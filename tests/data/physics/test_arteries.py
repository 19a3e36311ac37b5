"""Meshes of implicit surfaces and arteries: on the surface, of the right topology, with even triangles."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.data.physics.implicit_surface import (
    cluster_mesh,
    euler_characteristic,
    is_manifold,
    marching_tetrahedra,
    project,
)
from gaugenet.data.physics.random_arteries import random_artery
from gaugenet.geometry import TriangleMesh


def _sphere(points):
    return np.linalg.norm(points - 0.3, axis=1) - 1.0


def _torus(points):
    ring = np.hypot(points[:, 0], points[:, 1]) - 1.0
    return np.hypot(ring, points[:, 2]) - 0.4


BOX = (np.full(3, -1.7), np.full(3, 1.7))


@pytest.mark.parametrize(("distance", "euler", "area"), [(_sphere, 2, 4 * np.pi), (_torus, 0, 4 * np.pi**2 * 0.4)])
def test_marching_tetrahedra_find_topology_area_and_orientation(distance, euler, area):
    mesh = marching_tetrahedra(distance, *BOX, 0.08)
    assert is_manifold(mesh)
    assert euler_characteristic(mesh) == euler
    assert not mesh.boundary_vertices.any()
    assert mesh.area == pytest.approx(area, rel=0.01)
    outside = mesh.vertices[mesh.faces].mean(axis=1) + 0.05 * mesh.face_normals
    assert (distance(outside) > 0).all()


def test_a_function_of_one_sign_has_no_surface():
    with pytest.raises(ValueError, match="both signs"):
        marching_tetrahedra(lambda p: _sphere(p) + 1.2, *BOX, 0.1)


def test_clusters_make_even_triangles():
    fine = marching_tetrahedra(_torus, *BOX, 0.04)
    coarse = cluster_mesh(fine, 400, seed=0)
    assert is_manifold(coarse)
    assert euler_characteristic(coarse) == 0
    assert np.rad2deg(np.median(coarse.corner_angles.min(axis=1))) > 45
    assert np.rad2deg(np.median(fine.corner_angles.min(axis=1))) < 45, "control: those of the grid are thinner"
    on_surface = project(coarse.vertices, _torus)
    assert np.abs(_torus(on_surface)).max() < 1e-9 < np.abs(_torus(coarse.vertices)).max()


def test_too_many_clusters_are_refused():
    fine = marching_tetrahedra(_sphere, *BOX, 0.2)
    with pytest.raises(ValueError, match="same topology"):
        cluster_mesh(fine, fine.num_vertices // 2, seed=0)


def test_a_bow_tie_is_no_manifold():
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [-1, 0, 0], [-1, -1, 0]])
    assert not is_manifold(TriangleMesh(corners, [[0, 1, 2], [0, 3, 4]]))
    assert is_manifold(TriangleMesh(corners[:3], [[0, 1, 2]]))


@pytest.mark.parametrize("seed", [1, 2])
def test_an_artery_is_open_at_inlet_and_outlets(seed):
    artery = random_artery(seed)
    mesh = artery.mesh(0.5, seed=0)
    assert is_manifold(mesh)
    assert euler_characteristic(mesh) == 2 - len(artery.openings)
    edge, which = mesh.boundary_vertices, artery.opening_of(mesh)
    assert np.abs(artery.distance(mesh.vertices)[~edge]).max() < 1e-4
    for k, opening in enumerate(artery.openings):
        rim = mesh.vertices[edge & (which == k)]
        assert np.abs((rim - opening.point) @ opening.direction).max() < 1e-9
        np.testing.assert_allclose(np.linalg.norm(rim - opening.point, axis=1), opening.radius, rtol=0.02)


def test_seeds_give_the_same_shape_and_other_meshes():
    one, again = random_artery(4), random_artery(4)
    a, b, c = one.mesh(0.6, seed=0), again.mesh(0.6, seed=0), again.mesh(0.6, seed=1)
    np.testing.assert_array_equal(a.vertices, b.vertices)
    assert a.vertices.shape != c.vertices.shape or np.abs(a.vertices - c.vertices).max() > 0.05
    assert np.abs(one.distance(c.vertices)[~c.boundary_vertices]).max() < 1e-4, "on the same wall"
    assert len(random_artery(5).branches[0].path) != len(one.branches[0].path)
