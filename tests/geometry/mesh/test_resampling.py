"""Other triangles for the same surface: topology and points stay, whatever the numbering."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from gaugenet.datasets import bodies
from gaugenet.geometry import MeshError, TriangleMesh
from gaugenet.geometry.mesh.closest import closest_points
from gaugenet.geometry.mesh.decimate import decimate
from gaugenet.geometry.mesh.quality import inspect_mesh
from gaugenet.geometry.mesh.refine import refine
from tests.geometry.mesh.surfaces import mobius, saddle, sphere, torus

CAT = TriangleMesh.load(bodies() / "test" / "cat_0.ply")
MESHES = {"cat": CAT, "torus": torus(40, 16, 0.3), "saddle": saddle(25, 0.3)}


def mesh_named(name: str) -> TriangleMesh:
    return MESHES[name]


def topology(mesh: TriangleMesh) -> tuple[int, int, int]:
    report = inspect_mesh(mesh)
    assert report.ok
    return tuple(report.facts[name] for name in ("euler_characteristic", "components", "boundary_loops"))


@pytest.mark.parametrize("share", [2, 4, 10])
@pytest.mark.parametrize("name", MESHES)
def test_a_decimated_mesh_has_the_same_topology_on_some_of_the_vertices(name, share):
    mesh, count = mesh_named(name), mesh_named(name).num_vertices // share
    found = decimate(mesh, count)
    assert count <= found.mesh.num_vertices <= 1.2 * count
    assert np.array_equal(found.mesh.vertices, mesh.vertices[found.vertex_map])
    assert topology(found.mesh) == topology(mesh)
    assert found.mesh.area == pytest.approx(mesh.area, rel=0.15)
    assert (found.mesh.vertex_normals * mesh.vertex_normals[found.vertex_map]).sum(1).mean() > 0.8


def test_decimation_evens_out_the_edges():
    """On an ellipsoid whose triangles grow tenfold from one end to the other."""
    mesh = sphere(20)
    uneven = TriangleMesh(mesh.vertices * 10 ** mesh.vertices[:, 2:], mesh.faces)
    before, after = uneven.edge_lengths, decimate(uneven, 500).mesh.edge_lengths
    assert after.std() / after.mean() < 0.6 * before.std() / before.mean()


def test_decimation_does_not_depend_on_the_numbering():
    rng = np.random.default_rng(0)
    order = rng.permutation(CAT.num_vertices)
    other = TriangleMesh(CAT.vertices[order], np.argsort(order)[CAT.faces][rng.permutation(CAT.num_faces)])

    def corners(mesh: TriangleMesh) -> set[bytes]:
        return {np.sort(x, axis=0).tobytes() for x in mesh.vertices[mesh.faces]}

    one, two = decimate(CAT, 300).mesh, decimate(other, 300).mesh
    assert corners(one) == corners(two)
    assert corners(one) != corners(decimate(CAT, 301).mesh), "control"


def test_the_last_closed_surface_is_a_tetrahedron():
    assert decimate(sphere(6), 1).mesh.num_faces == 4


def test_decimation_refuses_what_it_cannot_walk_around():
    with pytest.raises(MeshError, match="orientation"):
        decimate(mobius(60, 9), 50)
    touching = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0.0]])
    with pytest.raises(MeshError, match="one fan"):
        decimate(TriangleMesh(touching, [[0, 1, 2], [0, 3, 4]]), 2)


@pytest.mark.parametrize("name", MESHES)
def test_a_refined_mesh_is_the_same_polyhedron(name):
    mesh = mesh_named(name)
    longest = 0.6 * float(np.median(mesh.edge_lengths))
    found = refine(mesh, longest)
    assert found.mesh.edge_lengths.max() <= longest < mesh.edge_lengths.max()
    assert np.array_equal(found.mesh.vertices[: mesh.num_vertices], mesh.vertices)
    assert topology(found.mesh) == topology(mesh)
    parts = np.bincount(found.face_map, weights=found.mesh.face_areas)
    np.testing.assert_allclose(parts, mesh.face_areas, rtol=1e-9)
    np.testing.assert_allclose(found.mesh.face_normals, mesh.face_normals[found.face_map], atol=1e-6)
    on_face = (mesh.faces[found.face_map][:, None] == found.vertex_map[found.mesh.faces][..., None]).any(-1)
    assert on_face.all(), "every vertex comes from a corner of the faces that it is in"


def test_refining_to_a_length_that_is_there_changes_nothing():
    found = refine(CAT, CAT.edge_lengths.max())
    assert np.array_equal(found.mesh.faces, CAT.faces)
    with pytest.raises(ValueError, match="positive length"):
        refine(CAT, 0.0)


@pytest.mark.parametrize("spread", [0.0, 0.05, 1.0])
def test_closest_points_are_those_of_trimesh(spread):
    """By the distances of its search over all triangles."""
    rng = np.random.default_rng(0)
    points = CAT.vertices[rng.integers(CAT.num_vertices, size=100)] + spread * rng.standard_normal((100, 3))
    found = closest_points(CAT, points)
    foot = (found.weight[..., None] * CAT.vertices[CAT.faces[found.face]]).sum(1)
    every = np.repeat(points, CAT.num_faces, axis=0)
    triangles = np.tile(CAT.vertices[CAT.faces], (100, 1, 1))
    nearest = np.linalg.norm(trimesh.triangles.closest_point(triangles, every) - every, axis=1)
    np.testing.assert_allclose(found.distance, nearest.reshape(100, -1).min(axis=1), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(foot - points, axis=1), found.distance, atol=1e-12)
    np.testing.assert_allclose(found.weight.sum(1), 1)
    assert (found.weight >= 0).all()


def test_normals_tell_the_sides_of_a_thin_wall_apart():
    """Points on the upper side of a plate that is thinner than the points are off."""
    plate = trimesh.creation.box([1, 1, 0.001]).subdivide().subdivide()
    mesh = TriangleMesh(plate.vertices, plate.faces)
    centre = mesh.vertices[mesh.faces].mean(axis=1)
    above = np.flatnonzero(mesh.face_normals[:, 2] > 0.9)
    points, normals = centre[above] - [0, 0, 0.0009], mesh.face_normals[above]
    assert np.isin(closest_points(mesh, points, normals).face, above).all()
    assert not np.isin(closest_points(mesh, points).face, above).any(), "control"
