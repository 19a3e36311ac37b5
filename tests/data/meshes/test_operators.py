"""Differential operators against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.data.meshes.laplacian import (
    angle_defects,
    cotan_laplacian,
    hat_gradients,
    shape_operator,
    vertex_gradient,
)
from gaugenet.geometry.mesh.mesh import TriangleMesh
from tests.data.meshes.helpers import grid, icosphere, tangent_frames, torus


def test_laplacian_agrees_with_an_independent_one(rng):
    pp3d = pytest.importorskip("potpourri3d")
    mesh = torus(24, 12)
    noisy = TriangleMesh(mesh.vertices + 0.02 * rng.standard_normal(mesh.vertices.shape), mesh.faces)
    theirs = pp3d.cotan_laplacian(noisy.vertices, noisy.faces)
    np.testing.assert_allclose(cotan_laplacian(noisy).toarray(), theirs.toarray(), atol=1e-6)


def test_dirichlet_energy_of_a_linear_function_is_its_slope_squared_times_the_area(rng):
    mesh = grid(9, 5, jitter=0.2, rng=rng)
    f = mesh.vertices @ np.array([2.0, -1.0, 0.0])
    assert f @ (cotan_laplacian(mesh) @ f) == pytest.approx(5.0 * mesh.area, rel=1e-12)
    np.testing.assert_allclose(cotan_laplacian(mesh) @ np.ones(mesh.num_vertices), 0, atol=1e-12)


def test_laplacian_bears_faces_without_area():
    mesh = TriangleMesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0]], [[0, 1, 2], [0, 1, 3], [1, 1, 2]])
    laplacian = cotan_laplacian(mesh).toarray()
    assert np.isfinite(laplacian).all()
    assert np.linalg.eigvalsh(laplacian).min() > -1e-12


def test_gradient_is_exact_on_a_plane(rng):
    mesh = grid(7, 6, jitter=0.2, rng=rng)
    f = mesh.vertices @ np.array([[2.0, 0.0, 0.0], [-1.0, 3.0, 0.0]]).T
    expected = np.broadcast_to([[2.0, 0, 0], [-1.0, 3.0, 0]], (mesh.num_vertices, 2, 3))
    np.testing.assert_allclose(vertex_gradient(mesh, f), expected, atol=1e-12)
    np.testing.assert_allclose(hat_gradients(mesh).sum(axis=1), 0, atol=1e-12)


def test_gradient_of_height_on_a_sphere_converges():
    errors = []
    for level in (2, 3, 4):
        mesh = icosphere(level)
        n = mesh.vertices
        expected = np.array([0, 0, 1]) - n[:, 2:] * n
        gradient = vertex_gradient(mesh, n[:, 2:])[:, 0]
        tangent = gradient - (gradient * n).sum(-1, keepdims=True) * n
        errors.append(np.sqrt(np.square(tangent - expected).sum(-1).mean()))
    assert errors[-1] < 2e-3
    assert errors[0] / errors[1] > 2.5  # between first order (irregular vertices) and second (regular ones)
    assert errors[1] / errors[2] > 2.5


@pytest.mark.parametrize("radius", [0.5, 3.0])
def test_shape_operator_of_a_sphere_is_the_identity_over_its_radius(radius):
    mesh = icosphere(3)
    mesh = TriangleMesh(radius * mesh.vertices, mesh.faces)
    s = shape_operator(mesh, tangent_frames(mesh))
    np.testing.assert_allclose(s * radius, np.broadcast_to(np.eye(2), s.shape), atol=0.04)
    assert np.abs(s * radius - np.eye(2)).mean() < 0.01


def test_shape_operator_of_a_torus_has_its_principal_directions():
    mesh = torus(96, 48)
    angle = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0])
    along = np.stack([-np.sin(angle), np.cos(angle), 0 * angle], axis=-1)
    normal = mesh.vertex_normals
    along -= (along * normal).sum(-1, keepdims=True) * normal
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    frame = np.stack([along, np.cross(normal, along)], axis=-1)
    s = shape_operator(mesh, frame)
    distance = np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 1])
    np.testing.assert_allclose(s[:, 1, 1], 1 / 0.5, rtol=0.02)
    np.testing.assert_allclose(s[:, 0, 0], (distance - 1) / 0.5 / distance, atol=0.02)
    np.testing.assert_allclose(s[:, 0, 1], 0, atol=0.02)


def test_shape_operator_follows_the_normal_of_the_frame_and_no_orientation_of_faces():
    mesh = torus(16, 8)
    frame = tangent_frames(mesh)
    s = shape_operator(mesh, frame)
    rotated = np.where((np.arange(mesh.num_faces) % 3 == 0)[:, None], mesh.faces[:, ::-1], mesh.faces)
    np.testing.assert_allclose(shape_operator(TriangleMesh(mesh.vertices, rotated), frame), s, atol=1e-12)
    inward = frame * np.array([1.0, -1.0])
    sign = np.array([[-1.0, 1.0], [1.0, -1.0]])
    np.testing.assert_allclose(shape_operator(mesh, inward), s * sign, atol=1e-12)


def test_angle_defects_sum_to_the_euler_characteristic():
    assert angle_defects(icosphere(2)).sum() == pytest.approx(4 * np.pi)
    assert angle_defects(torus(12, 6)).sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(angle_defects(grid(5, 4)), 0, atol=1e-12)
