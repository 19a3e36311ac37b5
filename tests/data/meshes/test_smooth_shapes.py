"""Smooth surfaces: curvature against closed forms and Gauss-Bonnet, meshes that lie on them, closest points."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch

from gaugenet.data import SmoothShape, random_shape
from gaugenet.data.meshes.smooth_shapes import ShapeFamily
from gaugenet.data.physics.implicit_surface import euler_characteristic, is_manifold

RNG = np.random.default_rng(3)


def _principal(tensor, normal):
    """The two eigenvalues of a tangential tensor, ascending: without the one of the normal, which is 0."""
    assert np.abs(np.einsum("nij,nj->ni", tensor, normal)).max() < 1e-12
    trace, square = np.trace(tensor, axis1=1, axis2=2), (tensor**2).sum((1, 2))
    half = np.sqrt(np.maximum(square / 2 - trace**2 / 4, 0))
    return np.stack([trace / 2 - half, trace / 2 + half], axis=1)


def test_curvatures_of_a_torus_are_those_of_the_closed_form():
    shape = SmoothShape(lambda x: ((x[:, :2].norm(dim=1) - 2.0) ** 2 + x[:, 2] ** 2).sqrt() - 0.7, size=3.0)
    around, across = RNG.uniform(0, 2 * np.pi, (2, 50))
    ring = 2.0 + 0.7 * np.cos(across)
    points = np.stack([ring * np.cos(around), ring * np.sin(around), 0.7 * np.sin(across)], axis=1)
    tensor, normal = shape.shape_operator(points), shape.normal(points)
    expected = np.sort(np.stack([np.cos(across) / ring, np.full(50, 1 / 0.7)], axis=1), axis=1)
    np.testing.assert_allclose(_principal(tensor, normal), expected, atol=1e-12)
    direction = np.stack([-np.sin(around), np.cos(around), np.zeros(50)], axis=1)
    along = np.einsum("nij,nj->ni", tensor, direction)
    np.testing.assert_allclose(along, (np.cos(across) / ring)[:, None] * direction, atol=1e-12)
    outward = np.stack([np.cos(across) * np.cos(around), np.cos(across) * np.sin(around), np.sin(across)], axis=1)
    np.testing.assert_allclose(normal, outward, atol=1e-12)


def test_gaussian_curvature_of_an_ellipsoid():
    axes = np.array([0.8, 1.0, 1.7])
    scale = torch.from_numpy(axes)
    shape = SmoothShape(lambda x: (x / scale).norm(dim=1) - 1.0, size=2.0)
    unit = RNG.standard_normal((40, 3))
    points = axes * unit / np.linalg.norm(unit, axis=1, keepdims=True)
    values = _principal(shape.shape_operator(points), shape.normal(points))
    height = 1 / np.sqrt((points**2 / axes**4).sum(1))
    np.testing.assert_allclose(values.prod(1), height**4 / np.prod(axes) ** 2, rtol=1e-11)


@pytest.mark.parametrize("family", get_args(ShapeFamily))
def test_meshes_lie_on_the_surface_and_its_curvature_obeys_gauss_bonnet(family):
    shape = random_shape(family, 2)
    mesh = shape.mesh(500, seed=1)
    assert is_manifold(mesh)
    assert not mesh.boundary_vertices.any()
    values = _principal(shape.shape_operator(mesh.vertices), shape.normal(mesh.vertices))
    total = float((values.prod(1) * mesh.vertex_areas).sum())
    assert abs(total - 2 * np.pi * euler_characteristic(mesh)) < 0.06 * 4 * np.pi
    assert (shape.normal(mesh.vertices) * mesh.vertex_normals).sum(1).min() > 0.9, "outward, as the faces are oriented"
    other = shape.mesh(500, seed=2)
    assert abs(other.area / mesh.area - 1) < 0.01, "the surface does not depend on the seed"
    assert other.vertices.shape != mesh.vertices.shape or np.abs(other.vertices - mesh.vertices).max() > 0.01


def test_closest_points_are_the_feet_of_normals():
    shape = random_shape("limbs", 3)
    mesh = shape.mesh(400, seed=0)
    points = mesh.vertices + 0.03 * RNG.standard_normal(mesh.vertices.shape)
    feet = shape.closest(points)
    away, normal = points - feet, shape.normal(feet)
    assert np.abs(np.cross(away, normal)).max() < 1e-11
    assert (np.linalg.norm(away, axis=1) <= np.linalg.norm(points - mesh.vertices, axis=1) + 1e-12).all()
    sphere = SmoothShape(lambda x: x.norm(dim=1) - 2.0, size=2.5)
    outside = RNG.standard_normal((9, 3)) + 1.0
    exact = 2 * outside / np.linalg.norm(outside, axis=1, keepdims=True)
    np.testing.assert_allclose(sphere.closest(outside), exact, atol=1e-12)


def test_noise_has_the_size_that_was_asked_for():
    shape = random_shape("ellipsoid", 0)
    exact, noisy = shape.mesh(600, seed=0), shape.mesh(600, seed=0, noise=0.1)
    edge = np.linalg.norm(np.diff(exact.vertices[exact.edges], axis=1)[:, 0], axis=1).mean()
    shift = noisy.vertices - exact.vertices
    assert shift.std() / edge == pytest.approx(0.1, rel=0.1)
    np.testing.assert_array_equal(noisy.faces, exact.faces)


def test_what_cannot_be_a_shape_is_refused():
    with pytest.raises(ValueError, match="ellipsoid, superquadric"):
        random_shape("sphere", 0)
    with pytest.raises(ValueError, match="larger `size`"):
        SmoothShape(lambda x: x[:, :2].norm(dim=1) - 0.5, size=1.0, name="cylinder").mesh(100)


SPHERE = SmoothShape(lambda x: x.norm(dim=1) - 2.0, size=2.5, name="sphere")


def test_a_function_with_the_other_sign_is_refused():
    """Normals would point inward, and all curvatures would have the wrong sign."""
    with pytest.raises(ValueError, match="negative inside, it is outside"):
        SmoothShape(lambda x: 2.0 - x.norm(dim=1), size=2.5).mesh(100)
    mesh = SPHERE.mesh(100)
    corners = mesh.vertices[mesh.faces]
    assert np.einsum("ni,ni->n", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).min() > 0, "outward faces"


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (lambda x: x.norm(dim=1, keepdim=True) - 2.0, r"shape \(\d+,\).* got torch.float64 of shape \(\d+, 1\)"),
        (lambda x: x.float().norm(dim=1) - 2.0, r"float64 of shape .*got torch.float32"),
        (lambda x: x.detach().norm(dim=1) - 2.0, "differentiable"),
        (3.0, "function as `level`, got an object of type float"),
    ],
)
def test_functions_of_another_kind_are_named(level, message):
    with pytest.raises(ValueError, match=message):
        SmoothShape(level, size=2.5).mesh(50)


def test_arguments_of_shapes_are_named():
    for options, message in (
        ({"count": 1}, "at least 4"),
        ({"count": 50, "noise": float("nan")}, "noise"),  # vertices were NaN before
        ({"count": 50, "noise": -0.1}, "noise"),
        ({"count": 50, "seed": -1}, "seed"),
    ):
        with pytest.raises(ValueError, match=message):
            SPHERE.mesh(**options)
    with pytest.raises(ValueError, match="size"):
        SmoothShape(SPHERE.level, size=-1.0)
    with pytest.raises(ValueError, match="seed"):
        random_shape("torus", -1)
    for points in ([0.0, 0.0, 2.0], [[0.0, 0.0]], [[0.0, float("nan"), 2.0]]):
        for method in (SPHERE.closest, SPHERE.normal, SPHERE.shape_operator):
            with pytest.raises(ValueError, match=r"finite points of shape \(n, 3\)"):
                method(points)


def test_points_from_which_the_surface_is_not_found_are_named():
    """The center has no closest point; the result was NaN before."""
    with pytest.raises(ValueError, match=r"near sphere: the surface is not found from \[0\.0, 0\.0, 0\.0\]"):
        SPHERE.closest([[0.0, 0.0, 1.9], [0.0, 0.0, 0.0]])
    assert SPHERE.closest(np.zeros((0, 3))).shape == (0, 3)


def test_a_plane_has_no_curvature():
    plane = SmoothShape(lambda x: x[:, 0] - 0.25, size=1.0)
    assert not plane.shape_operator([[0.25, 0.3, 0.1]]).any()
    np.testing.assert_allclose(plane.closest([[1.0, 0.3, 0.1]]), [[0.25, 0.3, 0.1]], atol=1e-12)
