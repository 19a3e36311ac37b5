"""The vector heat method reaches all vertices: closed forms on the sphere, the exact paths where both are defined."""

import numpy as np
import pytest
import torch

from gaugenet.geometry import MeshError, Sphere, TriangleMesh, VectorHeat
from gaugenet.geometry.mesh.log_map import local_log_maps
from tests.geometry.mesh.surfaces import saddle, sphere, square, torus


def wrapped(angle):
    return np.remainder(angle + np.pi, 2 * np.pi) - np.pi


def rms(x):
    return np.sqrt(np.mean(np.square(x)))


def closed_form(mesh, p, q):
    """Log map and transporter in space between points of the unit sphere."""
    at, of = (torch.from_numpy(mesh.vertices[k]) for k in (np.full(len(q), p), q))
    round_sphere = Sphere()
    return round_sphere.log(at, of).numpy(), lambda v: round_sphere.transport(at, of, torch.from_numpy(v)).numpy()


def test_two_thirds_of_a_sphere_are_seen_as_by_great_circles():
    mesh = sphere(16, 0.2)
    frame = np.random.default_rng(0).normal(size=(mesh.num_vertices, 3, 2))
    frame -= mesh.vertices[:, :, None] * np.einsum("vd,vdk->vk", mesh.vertices, frame)[:, None]
    frame = np.linalg.qr(frame)[0]
    frame[:, :, 1] *= np.sign(np.einsum("vd,vd->v", np.cross(frame[:, :, 0], frame[:, :, 1]), mesh.vertices))[:, None]
    for p in (0, 7, 1234):
        seen = mesh.log_map(p, method="vector_heat", frames=frame)
        assert sorted([*seen.vertex, p]) == list(range(mesh.num_vertices))
        expected, transport = closed_form(mesh, p, seen.vertex)
        near = np.linalg.norm(expected, axis=1) < 2
        wrong = np.linalg.norm(seen.log_map @ seen.frame.T - expected, axis=1)
        assert rms(wrong[near]) < 0.02
        assert rms(wrong[~near]) > 0.02, "control: near the antipode the strategy fails"
        there = frame[seen.vertex]
        moved = np.stack([transport(there[:, :, k]) for k in range(2)], axis=-1)
        assert np.abs(seen.frame @ seen.transporter - moved)[near].max() < 0.03
        assert np.abs(seen.frame @ np.eye(2) - moved)[near].max() > 1, "control: frames are not parallel"


@pytest.mark.parametrize(
    ("mesh", "length", "angle", "transport"),
    [(sphere(12, 0.2), 0.01, 0.1, 0.2), (torus(60, 24, 0.3), 0.02, 0.3, 0.5), (square(20), 0.01, 0.3, 0.2)],
    ids=["sphere", "torus", "square"],
)
def test_near_vertices_are_seen_as_along_exact_paths(mesh, length, angle, transport):
    """RMS over pairs away from the boundary: relative distance, degrees of direction, degrees of transport."""
    heat = VectorHeat(mesh)
    inner = np.flatnonzero(~mesh.boundary_vertices)
    sources = np.random.default_rng(0).choice(inner, 10, replace=False)
    exact = local_log_maps(heat.surface, 0.3, targets=sources)

    def errors(strategy):
        theirs = heat.maps(sources, strategy=strategy)
        pairs = [
            theirs.indptr[k] + np.searchsorted(theirs.source[theirs.indptr[k] : theirs.indptr[k + 1]], q)
            for k in range(len(sources))
            for q in exact.source[exact.indptr[k] : exact.indptr[k + 1]]
        ]
        assert (theirs.source[pairs] == exact.source).all()
        inside = ~mesh.boundary_vertices[exact.source]
        return (
            rms((theirs.distance[pairs] / exact.distance - 1)[inside]),
            np.degrees(rms(wrapped(theirs.angle[pairs] - exact.angle)[inside])),
            np.degrees(rms(wrapped(theirs.transport[pairs] - exact.transport)[inside])),
        )

    found = errors("affine")
    assert all(error < bound for error, bound in zip(found, (length, angle, transport))), found
    assert errors("vector")[0] > 0.1, "control: the plain strategy is known to err by a quarter"


def test_at_the_boundary_polar_angles_are_those_of_the_exact_maps():
    """The solver shares out a half rotation at every boundary vertex: at a corner of a square directions are
    doubled."""
    mesh = square(20)
    corner = int(np.argmin(mesh.vertices[:, :2].sum(1)))
    heat = VectorHeat(mesh)
    exact, theirs = local_log_maps(heat.surface, 0.5, targets=np.array([corner])), heat.maps(corner, radius=0.5)
    common, i, j = np.intersect1d(exact.source, theirs.source, return_indices=True)
    assert len(common) > 20
    assert np.degrees(np.abs(wrapped(exact.angle[i] - theirs.angle[j]))).max() < 20
    spread = np.ptp(wrapped(exact.angle[i]))
    assert abs(np.ptp(wrapped(theirs.angle[j])) - spread) < 0.3 < 1.0 < 2 * spread - spread


def test_frames_change_coefficients_by_rotations():
    mesh = torus(24, 12)
    one, other = (mesh.log_map(5, method="vector_heat", frames=frames, seed=0) for frames in ("first_edge", "random"))
    g = np.linalg.lstsq(other.frame, one.frame, rcond=None)[0]
    np.testing.assert_allclose(other.log_map, one.log_map @ g.T, atol=1e-9)
    np.testing.assert_allclose(other.frame @ other.log_map.T, one.frame @ one.log_map.T, atol=1e-9)
    assert np.abs(other.log_map - one.log_map).max() > 0.1


def test_the_order_of_faces_and_their_first_corners_do_not_matter():
    """The solver's own tangent bases change with both."""
    mesh = torus(24, 12, 0.2)
    generator = np.random.default_rng(0)
    faces = mesh.faces[generator.permutation(mesh.num_faces)]
    shift = generator.integers(3, size=(len(faces), 1))
    other = TriangleMesh(mesh.vertices, np.take_along_axis(faces, (np.arange(3) + shift) % 3, axis=1))
    a, b = (m.log_map(5, method="vector_heat") for m in (mesh, other))
    np.testing.assert_array_equal(a.vertex, b.vertex)
    np.testing.assert_allclose(a.log_map @ a.frame.T, b.log_map @ b.frame.T, atol=1e-6)


def test_only_the_component_of_the_source_is_seen():
    one, two = sphere(3), sphere(2)
    far = TriangleMesh(
        np.concatenate([one.vertices, [[9.0, 9.0, 9.0]], two.vertices + 5.0, [[8.0, 8.0, 8.0]]]),
        np.concatenate([one.faces, two.faces + one.num_vertices + 1]),
    )
    seen = far.log_map(one.num_vertices + 3, method="vector_heat")
    assert sorted([*seen.vertex, one.num_vertices + 3]) == list(range(one.num_vertices + 1, far.num_vertices - 1))
    alone = two.log_map(2, method="vector_heat")
    np.testing.assert_allclose(seen.log_map, alone.log_map, atol=1e-9)
    assert np.isfinite(seen.transporter).all()


def test_a_radius_leaves_out_what_is_further_away():
    mesh = sphere(6)
    for method in ("exact", "vector_heat"):
        seen = mesh.log_map(3, method=method, radius=0.5)
        assert 0 < len(seen.vertex) < mesh.num_vertices / 2
        assert seen.distance.max() < 0.5
    exact = mesh.log_map(3, radius=0.5)
    near = exact.distance < 0.45
    assert set(exact.vertex[near]) <= set(seen.vertex)


@pytest.mark.parametrize(
    ("source", "options", "error", "words"),
    [
        (-1, {"method": "vector_heat"}, ValueError, "0 ... 41, got -1"),
        (42, {"method": "vector_heat"}, ValueError, "0 ... 41, got 42"),
        (10**12, {"method": "vector_heat"}, ValueError, "got 1000000000000"),
        (42, {"radius": 1.0}, ValueError, "0 ... 41, got 42"),
        (1.5, {"method": "vector_heat"}, ValueError, "index of a vertex"),
        (True, {"method": "vector_heat"}, ValueError, "index of a vertex"),
        (3, {"method": "vector_heat", "radius": -1.0}, ValueError, "positive `radius`"),
        (3, {"radius": 0.0}, ValueError, "positive `radius`"),
        (3, {}, ValueError, "Expected a `radius`"),
        (3, {"method": "heat", "radius": 1.0}, ValueError, "`method`"),
    ],
)
def test_bad_arguments(source, options, error, words):
    with pytest.raises(error, match=words):
        sphere(2).log_map(source, **options)


def test_bad_meshes_and_options():
    mesh = sphere(2)
    flipped = mesh.faces.copy()
    flipped[0] = flipped[0, ::-1]
    with pytest.raises(MeshError, match="orient"):
        VectorHeat(TriangleMesh(mesh.vertices, flipped))
    lonely = TriangleMesh(np.concatenate([mesh.vertices, [[0.0, 0.0, 0.0]]]), mesh.faces)
    with pytest.raises(MeshError, match="belongs to no triangle"):
        VectorHeat(lonely).maps(mesh.num_vertices)
    with pytest.raises(ValueError, match="strategy"):
        VectorHeat(mesh).maps(0, strategy="exact")
    with pytest.raises(ValueError, match="diffusion"):
        VectorHeat(mesh, diffusion=0.0)
    with pytest.raises(ValueError, match="list of indices"):
        VectorHeat(mesh).maps([[0, 1]])


def test_no_sources_and_surfaces_with_saddles():
    mesh = saddle(12)
    empty = VectorHeat(mesh).maps([])
    assert len(empty.source) == len(empty.targets) == 0
    assert len(empty.indptr) == 1
