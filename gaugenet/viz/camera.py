"""Where to look at a mesh from: a rotation chosen by the directions in which its area spreads."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet.geometry.mesh import TriangleMesh


def base_orientation(mesh: TriangleMesh, up: str = "auto") -> Float[ndarray, "3 3"]:
    """A rotation whose rows are the directions right, up and towards the viewer, in the coordinates of the mesh.

    The viewer looks along the direction in which the area spreads least, so that the broad side is seen. A direction
    close to a coordinate axis is taken to be that axis, on its positive side.

    Args:
        mesh: the mesh to look at.
        up: `"x"`, `"y"`, `"z"` (or `"-x"` ...), `"pca"` for the longest extent, `"auto"` for y, or z where y is the
            thin direction.

    Raises:
        ValueError: another word for `up`.
    """
    thin, long = _thinnest_and_longest(mesh)
    vertical = _vertical(up, thin, long)
    front = thin if abs(thin @ vertical) < 0.9 else long
    front = front - (front @ vertical) * vertical
    norm = np.linalg.norm(front)
    front = front / norm if norm > 1e-6 else np.roll(vertical, 1)
    return np.stack([np.cross(vertical, front), vertical, front])


def turned(base: Float[ndarray, "3 3"], azimuth: float, elevation: float) -> Float[ndarray, "3 3"]:
    """The orientation after the viewer walked `azimuth` degrees to the right and rose by `elevation` degrees."""
    a, e = np.radians([azimuth, elevation])
    yaw = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
    return pitch @ yaw @ base


def _vertical(up: str, thin: ndarray, long: ndarray) -> ndarray:
    if up == "pca":
        return long
    if up == "auto":
        return np.eye(3)[1 if abs(thin[1]) < 0.6 else 2]
    if up.lstrip("-") not in ("x", "y", "z") or up.count("-") > 1:
        raise ValueError(f'Expected `up` to be "x", "y", "z", "-x" ..., "pca" or "auto", got {up!r}.')
    return np.eye(3)["xyz".index(up[-1])] * (-1 if up[0] == "-" else 1)


def _thinnest_and_longest(mesh: TriangleMesh) -> tuple[ndarray, ndarray]:
    centers = mesh.vertices[mesh.faces].mean(axis=1)
    weights = mesh.face_areas if mesh.area > 0 else np.ones(mesh.num_faces)
    offsets = centers - np.average(centers, axis=0, weights=weights)
    spread, axes = np.linalg.eigh((offsets * weights[:, None]).T @ offsets)
    if spread[2] <= 0:
        return np.eye(3)[2], np.eye(3)[1]
    # A round shape has no thin side: the front of the coordinate system then serves as well as any.
    thin = axes[:, 0] if spread[0] < 0.9 * spread[1] else np.eye(3)[2]
    long = axes[:, 2] - (axes[:, 2] @ thin) * thin
    if np.linalg.norm(long) < 1e-6:
        long = axes[:, 0]
    return _snapped(thin), _snapped(long / np.linalg.norm(long))


def _snapped(direction: ndarray) -> ndarray:
    """The coordinate axis within 25 degrees of a direction, or the direction itself, its largest part positive."""
    k = int(np.abs(direction).argmax())
    direction = direction * np.sign(direction[k])
    return np.eye(3)[k] if direction[k] > np.cos(np.radians(25)) else direction
