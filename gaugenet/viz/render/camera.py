"""The orientation in which a mesh is seen, chosen by the directions in which its area spreads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.geometry.mesh.units import in_units, unit_factor

Direction = str | Sequence[float]
_WORDS = {"up": ', "auto", "standing" or "pca"', "front": ""}


def base_orientation(
    mesh: TriangleMesh, up: Direction = "auto", front: Direction | None = None
) -> Float[ndarray, "3 3"]:
    """Return a rotation whose rows are the directions right, up and towards the viewer, in the coordinates of the mesh.

    Unless `front` is given, the viewer looks along the direction in which the area spreads least, so that the broad
    side is seen. A direction close to a coordinate axis is taken to be that axis, on its positive side.

    Args:
        mesh: the mesh to look at.
        up: `"x"`, `"y"`, `"z"` (or `"-x"` ...), three numbers, `"pca"` for the longest extent, `"standing"`
            for `_standing_direction`, or `"auto"` for y, or z where y is the thin direction.
        front: the side that the viewer sees, an axis or three numbers; its component along `up` is ignored.

    Raises:
        ValueError: If a word is unknown, or a direction has length zero.
    """
    thin, long = _thinnest_and_longest(mesh)
    if isinstance(up, str) and up == "pca":
        vertical = long
    else:
        vertical = _vertical(mesh, up, thin)
    if front is None:
        ahead = thin if abs(thin @ vertical) < 0.9 else long
    else:
        ahead = _direction("front", front)
    ahead = ahead - (ahead @ vertical) * vertical
    if np.linalg.norm(ahead) < 1e-6:
        ahead = np.cross(vertical, np.eye(3)[np.abs(vertical).argmin()])
    ahead = ahead / np.linalg.norm(ahead)
    return np.stack([np.cross(vertical, ahead), vertical, ahead])


def rotated(base: Float[ndarray, "3 3"], azimuth: float, elevation: float) -> Float[ndarray, "3 3"]:
    """Return the orientation seen from `azimuth` degrees further to the right and `elevation` degrees higher."""
    a, e = np.radians([azimuth, elevation])
    yaw = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
    return typed_array(pitch @ yaw @ base)


def _standing_direction(mesh: TriangleMesh) -> Float[ndarray, "3"]:
    """Guess the direction that points up when the mesh stands on the ground; meant for bodies with legs.

    Every face of the convex hull is tried as the ground. A direction scores well when the centre of the surface is
    high and lies over points of support that are far apart. Feet score better than a flank (low) or a nose (narrow).
    About half of the rotated animals and people that come with this project end up on their feet.
    """
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(mesh.vertices)
    except QhullError:  # a flat mesh cannot stand
        return _vertical(mesh, "auto", _thinnest_and_longest(mesh)[0])
    size = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    corners = (mesh.vertices[hull.vertices] - _surface_center(mesh)) / size
    decimals = 3 if len(hull.equations) < 1000 else 1  # a finely meshed round body has a hull of very many faces
    down = np.unique(np.round(hull.equations[:, :3], decimals), axis=0)
    candidates = -down / np.linalg.norm(down, axis=1, keepdims=True)
    scores = [_standing_score(corners, up) for up in candidates]
    return _snapped(candidates[int(np.argmax(scores))], signed=True)


def _standing_score(corners: Float[ndarray, "n 3"], up: Float[ndarray, "3"]) -> float:
    """Return how well a mesh stands with `up` upwards; more is better.

    The score is the height of the centre, times the spread of the points of support, times the share of the mesh's
    height that lies below the centre (legs are slender). It is lower where the centre is not above the support.
    """
    height = corners @ up
    support = corners[height < height.min() + 0.03]
    first = np.cross(up, np.eye(3)[np.abs(up).argmin()])
    first /= np.linalg.norm(first)
    flat = support @ np.stack([first, np.cross(up, first)], axis=1)
    _, axes = np.linalg.eigh(np.cov(flat.T, bias=True))
    spread = float(np.sqrt(np.ptp(flat @ axes, axis=0).prod()))
    depth = float(-height.min())
    slender_below = depth / float(np.ptp(height))
    return depth * (0.04 + spread) * slender_below * max(0.0, 1 - 5 * _overhang(flat))


def _overhang(points: Float[ndarray, "n 2"]) -> float:
    """Return the distance of the origin from the convex hull of points in the plane."""
    angle = np.sort(np.arctan2(points[:, 1], points[:, 0]))
    if np.diff(angle, append=angle[0] + 2 * np.pi).max() < np.pi:
        return 0.0
    points = points[:: max(1, len(points) // 200)]
    a, along = points[:, None], points[None] - points[:, None]
    length = np.maximum((along**2).sum(-1), 1e-12)
    nearest = a + np.clip(-(a * along).sum(-1) / length, 0, 1)[..., None] * along
    return float(np.linalg.norm(nearest, axis=-1).min())


def _surface_center(mesh: TriangleMesh) -> Float[ndarray, "3"]:
    weights = mesh.face_areas if mesh.area > 0 else None
    return np.average(mesh.vertices[mesh.faces].mean(axis=1), axis=0, weights=weights)


def _vertical(mesh: TriangleMesh, up: Direction, thin: ndarray) -> Float[ndarray, "3"]:
    if isinstance(up, str) and up == "standing":
        return _standing_direction(mesh)
    if isinstance(up, str) and up == "auto":
        return typed_array(np.eye(3)[1 if abs(thin[1]) < 0.6 else 2])
    return _direction("up", up)


def _direction(what: str, given: Direction) -> Float[ndarray, "3"]:
    if isinstance(given, str):
        if given.lstrip("-") not in ("x", "y", "z") or given.count("-") > 1:
            raise ValueError(
                f'Expected `{what}` to be an axis ("x", "-y" ...), three numbers{_WORDS[what]}, got {given!r}.'
            )
        return typed_array(np.eye(3)["xyz".index(given[-1])] * (-1 if given[0] == "-" else 1))
    vector = np.asarray(given, dtype=np.float64)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not np.linalg.norm(vector) > 0:
        raise ValueError(f"Expected `{what}` to be three numbers, not all zero, got {given!r}.")
    return vector / np.linalg.norm(vector)


def _thinnest_and_longest(mesh: TriangleMesh) -> tuple[ndarray, ndarray]:
    mesh = in_units(mesh, unit_factor(mesh))
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


def _snapped(direction: ndarray, *, signed: bool = False) -> ndarray:
    """Return the coordinate axis within 25 degrees of a direction, or the direction itself, its largest part positive.

    With `signed` the direction keeps its sign, and only axes within 15 degrees count.
    """
    k = int(np.abs(direction).argmax())
    sign = np.sign(direction[k])
    near = np.cos(np.radians(15 if signed else 25))
    if abs(direction[k]) > near:
        return typed_array(np.eye(3)[k] * (sign if signed else 1))
    return direction if signed else direction * sign
