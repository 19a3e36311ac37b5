"""The generator's field and remeshing, on shapes whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from generator.field import bone_distance, part_distances, project_to_skin, smooth_union
from generator.remesh import collapse_short_edges, cut_along_parts, edge_table, flip_edges, relax
from generator.skeleton import HEAD, TORSO, Body, Bone
from generator.surface import BadSurface, check_sphere, face_labels

BALL = Bone(np.zeros(3), np.array([0.0, 0.0, 1e-6]), (1.0, 1.0), TORSO)


@pytest.fixture
def sphere() -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions=3)
    return np.array(mesh.vertices), np.array(mesh.faces, dtype=np.int64)


def test_distance_from_a_capsule_is_exact() -> None:
    points = np.random.default_rng(0).normal(size=(200, 3))
    bone = Bone(np.array([-0.5, 0.0, 0.0]), np.array([0.5, 0.0, 0.0]), (0.3, 0.3), TORSO)
    x = np.maximum(np.abs(points[:, 0]) - 0.5, 0.0)
    expected = np.sqrt(x**2 + points[:, 1] ** 2 + points[:, 2] ** 2) - 0.3
    np.testing.assert_allclose(bone_distance(bone, points), expected, atol=1e-12)


def test_squashed_bone_vanishes_on_its_ellipsoid() -> None:
    u = np.random.default_rng(1).normal(size=(100, 3))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    bone = Bone(np.zeros(3), np.array([1e-6, 0.0, 0.0]), (1.0, 1.0), TORSO, wide=1.5, deep=0.5)
    np.testing.assert_allclose(bone_distance(bone, u * [1.0, 1.5, 0.5]), 0.0, atol=1e-5)
    assert np.abs(bone_distance(bone, u)).max() > 0.1


def test_smooth_union_lies_between_the_minimum_and_a_quarter_width_below() -> None:
    a, b = np.random.default_rng(2).normal(size=(2, 500))
    union = smooth_union(a, b, 0.4)
    assert (union <= np.minimum(a, b)).all()
    assert (union >= np.minimum(a, b) - 0.1 - 1e-12).all()
    far = np.abs(a - b) > 0.4
    np.testing.assert_array_equal(union[far], np.minimum(a, b)[far])


def test_projection_lands_on_the_skin() -> None:
    points = np.random.default_rng(3).normal(size=(100, 3))
    points *= (1 + 0.01 * np.random.default_rng(4).uniform(-1, 1, (100, 1))) / np.linalg.norm(points, axis=1)[:, None]
    projected = project_to_skin(Body([BALL]), points)
    np.testing.assert_allclose(np.linalg.norm(projected, axis=1), 1.0, atol=1e-6)


def test_cut_runs_along_the_line_between_two_parts(sphere) -> None:
    """Two equal balls of flesh left and right: the boundary is the plane between them, cut into the sphere."""
    vertices, faces = sphere
    tilt = np.array([0.6, 0.64, 0.48])
    bones = [Bone(s * 0.3 * tilt, s * 0.3001 * tilt, (0.7, 0.7), label) for s, label in ((1, HEAD), (-1, TORSO))]
    body = Body(bones)

    def parts(points: np.ndarray) -> np.ndarray:
        return part_distances(body, points)

    crossing_before = ((vertices @ tilt)[faces] > 1e-3).any(1) & ((vertices @ tilt)[faces] < -1e-3).any(1)
    vertices, faces, boundary = cut_along_parts(vertices, faces, parts)
    height = vertices @ tilt
    check_sphere(vertices, faces)
    assert crossing_before.sum() > 30
    assert np.abs(height[boundary]).max() < 2e-3
    assert not ((height[faces] > 2e-3).any(1) & (height[faces] < -2e-3).any(1)).any()
    labels = face_labels(vertices, faces, parts, boundary)
    np.testing.assert_array_equal(labels == HEAD, (vertices[faces].mean(axis=1) @ tilt) > 0)


def test_flips_make_a_sheared_sphere_delaunay_again(sphere) -> None:
    vertices, faces = sphere
    rng = np.random.default_rng(5)
    vertices = vertices + 0.06 * rng.normal(size=vertices.shape)
    vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    flips = [flip_edges(vertices, faces) for _ in range(12)]
    assert flips[0] > 20
    assert flips[-1] == 0
    check_sphere(vertices, faces)


def test_flips_keep_edges_between_labels(sphere) -> None:
    vertices, faces = sphere
    vertices = vertices + 0.05 * np.random.default_rng(6).normal(size=vertices.shape)
    labels = (vertices[faces].mean(axis=1)[:, 2] > 0).astype(int)

    def seam() -> set[tuple[int, int]]:
        edges, halves = edge_table(faces)
        across = labels[halves[:, 0] // 3] != labels[halves[:, 1] // 3]
        return {(int(a), int(b)) for a, b in edges[across]}

    before = seam()
    assert flip_edges(vertices, faces, fixed=labels) > 0
    assert seam() == before


def test_collapse_removes_short_edges_and_keeps_the_sphere(sphere) -> None:
    vertices, faces = sphere
    limit = np.full(len(vertices), 0.2)
    fewer, faces, keep = collapse_short_edges(vertices, faces, limit, np.zeros(len(vertices)), spare=100)
    check_sphere(fewer, faces)
    assert len(vertices) - 100 <= len(fewer) < len(vertices)
    np.testing.assert_array_equal(fewer, vertices[keep])


def test_relaxation_moves_only_what_may_move(sphere) -> None:
    vertices, faces = sphere
    vertices = vertices + 0.03 * np.random.default_rng(7).normal(size=vertices.shape)
    movable = vertices[:, 2] > 0
    moved = relax(vertices, faces, movable=movable)
    np.testing.assert_array_equal(moved[~movable], vertices[~movable])
    assert np.abs(moved[movable] - vertices[movable]).max() > 1e-3


def test_check_names_the_fault(sphere) -> None:
    vertices, faces = sphere
    check_sphere(vertices, faces)
    with pytest.raises(BadSurface, match="not closed"):
        check_sphere(vertices, faces[1:])
    with pytest.raises(BadSurface, match="inward"):
        check_sphere(vertices, faces[:, ::-1])
    with pytest.raises(BadSurface, match="component"):
        check_sphere(np.concatenate([vertices, vertices]), np.concatenate([faces, faces + len(vertices)]))
    torus = trimesh.creation.torus(1.0, 0.3)
    with pytest.raises(BadSurface, match="Euler characteristic 0"):
        check_sphere(np.array(torus.vertices), np.array(torus.faces, dtype=np.int64))
