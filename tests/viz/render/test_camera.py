from __future__ import annotations

import numpy as np
import pytest
import trimesh

from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.viz.render.camera import base_orientation, rotated


def plate(*extents: float) -> TriangleMesh:
    box = trimesh.creation.box(extents=extents)
    return TriangleMesh(box.vertices, box.faces)


@pytest.mark.parametrize("up", ["auto", "standing", "pca", "x", "y", "z", "-x", "-y", "-z"])
@pytest.mark.parametrize("shape", ["plate", "ball", "turned plate", "flat triangle"])
def test_orientations_are_rotations(up: str, shape: str) -> None:
    ball = trimesh.creation.icosphere(subdivisions=1)
    tilt = trimesh.transformations.rotation_matrix(0.8, [1, 2, 3])[:3, :3]
    mesh = {
        "plate": plate(1, 2, 0.3),
        "ball": TriangleMesh(ball.vertices, ball.faces),
        "turned plate": TriangleMesh(plate(1, 2, 0.3).vertices @ tilt.T, plate(1, 2, 0.3).faces),
        "flat triangle": TriangleMesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]),
    }[shape]
    rotation = base_orientation(mesh, up)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    if up[-1] in "xyz":
        assert rotation[1] @ np.eye(3)["xyz".index(up[-1])] == pytest.approx(-1 if up[0] == "-" else 1)


@pytest.mark.parametrize(
    ("extents", "up", "front"),
    [((1, 2, 0.3), 1, 2), ((0.3, 2, 1), 1, 0), ((1, 0.3, 2), 2, 1), ((2, 1, 0.3), 1, 2)],
)
def test_the_broad_side_is_shown(extents: tuple[float, ...], up: int, front: int) -> None:
    rotation = base_orientation(plate(*extents))
    np.testing.assert_allclose(rotation[1], np.eye(3)[up], atol=1e-9)
    np.testing.assert_allclose(rotation[2], np.eye(3)[front], atol=1e-9)


def table(rotation: np.ndarray) -> TriangleMesh:
    """A plate on four legs, y up."""
    legs = [
        trimesh.creation.box(extents=[0.1, 0.8, 0.1]).apply_translation([x, -0.4, z])
        for x in (-0.6, 0.6)
        for z in (-0.25, 0.25)
    ]
    mesh = trimesh.util.concatenate([trimesh.creation.box(extents=[1.4, 0.2, 0.7]), *legs])
    return TriangleMesh(mesh.vertices @ rotation.T, mesh.faces)


@pytest.mark.parametrize("seed", range(6))
def test_what_has_legs_stands_on_them(seed: int) -> None:
    rotation = trimesh.transformations.random_rotation_matrix(np.random.default_rng(seed).random(3))[:3, :3]
    up = base_orientation(table(rotation), "standing")[1]
    assert up @ rotation[:, 1] > np.cos(np.radians(16))  # up to the snapping to axes


@pytest.mark.parametrize("up", ["auto", "standing"])
def test_an_upright_mesh_is_left_upright(up: str) -> None:
    np.testing.assert_allclose(base_orientation(table(np.eye(3)), up)[:2], np.eye(3)[:2], atol=1e-9)


def test_directions_can_be_given() -> None:
    rotation = base_orientation(plate(1, 2, 0.3), np.array([0, 0, 2]), (1, 0, 5))
    np.testing.assert_allclose(rotation, [[0, 1, 0], [0, 0, 1], [1, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(base_orientation(plate(1, 2, 0.3), "y", "-x")[2], [-1, 0, 0], atol=1e-12)
    for bad in ([0, 0, 0], [1, 2], [np.nan, 0, 1]):
        with pytest.raises(ValueError, match="three numbers"):
            base_orientation(plate(1, 2, 3), bad)


def test_pca_stands_the_longest_extent_up() -> None:
    np.testing.assert_allclose(base_orientation(plate(5, 1, 0.3), "pca")[1], [1, 0, 0], atol=1e-9)


def test_walking_round_and_rising() -> None:
    base = np.eye(3)
    np.testing.assert_allclose(rotated(base, 90, 0)[2], [1, 0, 0], atol=1e-12)  # seen from the right
    np.testing.assert_allclose(rotated(base, 0, 90)[2], [0, 1, 0], atol=1e-12)  # seen from above
    np.testing.assert_allclose(rotated(base, 360, 0), base, atol=1e-12)


def test_unknown_directions_are_refused() -> None:
    for word in ("w", "--x", "", "xy"):
        with pytest.raises(ValueError, match="up"):
            base_orientation(plate(1, 2, 3), word)
