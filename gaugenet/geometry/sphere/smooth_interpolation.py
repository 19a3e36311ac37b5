"""Interpolation of higher order between points of the sphere, for smooth fields: local radial basis functions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.sphere.interpolation import triangle_interpolation

_NEIGHBORS = 16
"""Points that a value depends on; the quadratic polynomials have six coefficients."""
_SLACK, _STEEP = 1e-2, 12
"""Size and power of the slack of distant points, see `_slack`."""
_LARGEST_GAIN = 4.0
"""A sum of absolute weights that is larger amplifies noise: the points lie badly, such as in one row."""
_BLOCK = 4096
"""Targets whose systems of equations are in memory at once."""


def smooth_interpolation(
    points: Float[ndarray, "points 3"], faces: Int[ndarray, "faces 3"], targets: Float[ndarray, "n 3"]
) -> tuple[Int[ndarray, "n k"], Float[ndarray, "n k"]]:
    r"""Return the points around each target, and weights of interpolation that is exact for quadratic polynomials.

    In the coordinates y of the tangent plane at the target (the logarithmic map), the interpolant of the 17 nearest
    points is :math:`\sum_j a_j |y - y_j|^3 + q(y)` with a quadratic polynomial q (:cite:`flyer2016role`). The last of
    the points count less and less, so the order of the points is of no importance. On evenly
    spread points the error for smooth fields is of third order. Where the nearest points lie badly, such as in one row,
    the interpolation is linear in a triangle.

    Args:
        points: unit vectors, at least 12.
        faces: triangles of the points.
        targets: unit vectors.

    Returns:
        Indices of points, and weights whose rows sum to one.

    Example:
        >>> from gaugenet.geometry import HEALPix, Icosphere
        >>> from gaugenet.geometry.sphere.smooth_interpolation import smooth_interpolation
        >>> sphere, there = Icosphere(3), HEALPix(4).pos.numpy()
        >>> points = sphere.pos.numpy()
        >>> index, weight = smooth_interpolation(points, sphere.face.numpy().T, there)
        >>> bool(abs((points[index, 0] ** 3 * weight).sum(1) - there[:, 0] ** 3).max() < 2e-3)
        True
    """
    from scipy.spatial import cKDTree

    index = np.asarray(cKDTree(points).query(targets, k=min(_NEIGHBORS + 1, len(points)))[1])
    parts = [_weights(points[index[k : k + _BLOCK]], targets[k : k + _BLOCK]) for k in range(0, len(targets), _BLOCK)]
    weight = np.concatenate(parts) if parts else np.zeros(index.shape)
    sums = weight.sum(axis=1)
    bad = ~((np.abs(sums - 1) < 1e-3) & (np.abs(weight).sum(axis=1) < _LARGEST_GAIN))
    weight[~bad] /= sums[~bad, None]
    if bad.any():
        corners, linear = triangle_interpolation(points, faces, targets[bad])
        index[bad], weight[bad] = corners[:, :1], 0.0
        index[bad, :3], weight[bad, :3] = corners, linear
    return index, weight


def _weights(near: Float[ndarray, "n k 3"], targets: Float[ndarray, "n 3"]) -> Float[ndarray, "n k"]:
    """Return the weights of the points near each target, for its value."""
    y = _tangent(near, targets)
    y = y / np.abs(y).max(axis=(1, 2), keepdims=True)
    powers = [(a, b) for a in range(3) for b in range(3 - a)]  # the constant is the first
    q = np.stack([y[..., 0] ** a * y[..., 1] ** b for a, b in powers], axis=2)
    count, size = y.shape[1], y.shape[1] + len(powers)
    matrix = np.zeros((len(y), size, size))
    matrix[:, :count, :count] = np.linalg.norm(y[:, :, None] - y[:, None], axis=3) ** 3
    matrix[:, :count, count:] = q
    matrix[:, count:, :count] = np.swapaxes(q, 1, 2)
    # A little regularization, so that points in one row have a solution, which is then found to be bad.
    matrix[:, range(size), range(size)] += np.where(np.arange(size) < count, 1e-10, -1e-10)
    matrix[:, range(count), range(count)] += _slack(y)
    value = np.zeros((len(y), size, 1))
    value[:, :count, 0] = np.linalg.norm(y, axis=2) ** 3
    value[:, count, 0] = 1.0
    return typed_array(np.linalg.solve(matrix, value)[:, :count, 0])


def _slack(y: Float[ndarray, "n k 2"]) -> Float[ndarray, "n k"]:
    """Return how freely the interpolant may miss the value of each point: near ones not at all, the last ones fully.

    So the weights are continuous, and do not depend on which of several points at the largest distance are taken.
    """
    distance = np.linalg.norm(y, axis=2)
    share = distance / distance.max(axis=1, keepdims=True)
    return typed_array(_SLACK * share**_STEEP / np.maximum(1 - share, 1e-9))


def _tangent(near: Float[ndarray, "n k 3"], targets: Float[ndarray, "n 3"]) -> Float[ndarray, "n k 2"]:
    """Return the logarithmic map of points at each target, in any orthonormal frame."""
    axis = np.eye(3)[np.abs(targets).argmin(axis=1)]
    first = np.cross(axis, targets)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    frame = np.stack([first, np.cross(targets, first)], axis=2)
    flat = np.einsum("nki,nic->nkc", near, frame)
    sine, cosine = np.linalg.norm(flat, axis=2, keepdims=True), np.einsum("nki,ni->nk", near, targets)[..., None]
    return typed_array(flat * (np.arctan2(sine, cosine) / np.maximum(sine, 1e-300)))


__all__ = ["smooth_interpolation"]
