"""Coarse points of a sparse symmetric matrix on points in space, and the interpolation from them to all points."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._compiled import njit

_STRONG = 0.1  # of the largest entry of a row: such a coupling of two points allows leaving out one of them
_NEAREST = 4  # coarse points that a point is interpolated from
_CROWD = 200  # coarse points are not searched through points with more neighbours, so that time stays linear
_STIFFNESS = 1e-2  # of the fit of linear functions; bounds the weights where coarse points are on a line


def interpolation(matrix: Any, positions: Float[ndarray, "n 3"]) -> tuple[Any, Float[ndarray, "m 3"]]:
    """Choose coarse points, and interpolate linear functions of the position from them.

    The coarse points are a maximal independent set: every other point is strongly coupled to one of them. It takes
    its value from the four nearest ones within two steps. The weights sum to one and are fitted to the position by
    weighted least squares (moving least squares), so that smooth functions are reproduced to second order.

    Args:
        matrix: symmetric `csr_array` of shape `(n, n)`.
        positions: positions of the points.

    Returns:
        The interpolation, a `csr_array` of shape `(n, m)`, and the positions of the coarse points.
    """
    from scipy.sparse import csr_array

    number = _independent(matrix.indptr, matrix.indices, matrix.data)
    indptr, indices, weights = _weights(matrix.indptr, matrix.indices, number, positions)
    chosen = number >= 0
    return csr_array((weights, indices, indptr), shape=(len(number), int(chosen.sum()))), positions[chosen]


# Compiled, because whether a point is chosen depends on the points before it.
@njit(cache=True, nogil=True)
def _independent(indptr: ndarray, indices: ndarray, data: ndarray) -> ndarray:
    """Return the index of each point among the chosen ones, -1 for the others."""
    n = len(indptr) - 1
    number = np.full(n, -1, np.int32)
    covered = np.zeros(n, np.bool_)
    count = 0
    for i in range(n):
        if covered[i]:
            continue
        number[i] = count
        count += 1
        largest = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            if indices[e] != i:
                largest = max(largest, abs(data[e]))
        for e in range(indptr[i], indptr[i + 1]):
            if indices[e] != i and abs(data[e]) >= _STRONG * largest:
                covered[indices[e]] = True
    return number


@njit(cache=True, nogil=True)
def _weights(
    indptr: ndarray, indices: ndarray, number: ndarray, positions: ndarray
) -> tuple[ndarray, ndarray, ndarray]:
    """Return the interpolation's `indptr`, `indices` and data."""
    n = len(number)
    start = np.zeros(n + 1, np.int32)
    column = np.empty(n * _NEAREST, np.int32)
    weight = np.empty(n * _NEAREST)
    near = np.empty(_NEAREST, np.int32)
    square = np.empty(_NEAREST)
    for i in range(n):
        at = start[i]
        found = 1
        if number[i] >= 0:
            near[0] = i
            weight[at] = 1.0
        else:
            found = _nearest(indptr, indices, number, positions, i, near, square)
            _fit(positions, i, near[:found], square[:found], weight[at : at + found])
        for k in range(found):
            column[at + k] = number[near[k]]
        start[i + 1] = at + found
    return start, column[: start[n]].copy(), weight[: start[n]].copy()


@njit(cache=True, nogil=True, inline="always")
def _nearest(
    indptr: ndarray, indices: ndarray, number: ndarray, x: ndarray, i: int, near: ndarray, square: ndarray
) -> int:
    """Fill `near` with the nearest chosen points within two steps of i, `square` with their squared distances."""
    found = 0
    for e in range(indptr[i], indptr[i + 1]):
        h = indices[e]
        if h != i and indptr[h + 1] - indptr[h] > _CROWD:
            continue
        for g in range(indptr[h], indptr[h + 1]):
            j = indices[g]
            if number[j] < 0:
                continue
            d = (x[i, 0] - x[j, 0]) ** 2 + (x[i, 1] - x[j, 1]) ** 2 + (x[i, 2] - x[j, 2]) ** 2
            known = False
            for k in range(found):
                known |= near[k] == j
            if known or (found == _NEAREST and d >= square[found - 1]):
                continue
            k = min(found, _NEAREST - 1)
            while k > 0 and square[k - 1] > d:
                near[k], square[k] = near[k - 1], square[k - 1]
                k -= 1
            near[k], square[k] = j, d
            found = min(found + 1, _NEAREST)
    return found


@njit(cache=True, nogil=True, inline="always")
def _fit(x: ndarray, i: int, near: ndarray, square: ndarray, weight: ndarray) -> None:
    """Fill in the weights of the points `near`, by least squares with w = 1 / distance^2.

    With c the weighted mean and S the weighted covariance they are `w_j (1 / sum w + (x_j - c) S^-1 (x_i - c))`.
    """
    unit = square.mean() + 1e-300
    total = cx = cy = cz = 0.0
    for k in range(len(near)):
        w = 1 / (square[k] / unit + 1e-3)
        weight[k] = w
        total += w
        cx += w * x[near[k], 0]
        cy += w * x[near[k], 1]
        cz += w * x[near[k], 2]
    cx, cy, cz = cx / total, cy / total, cz / total
    xx = yy = zz = _STIFFNESS * unit * total
    xy = xz = yz = 0.0
    for k in range(len(near)):
        u, v, w = x[near[k], 0] - cx, x[near[k], 1] - cy, x[near[k], 2] - cz
        xx += weight[k] * u * u
        xy += weight[k] * u * v
        xz += weight[k] * u * w
        yy += weight[k] * v * v
        yz += weight[k] * v * w
        zz += weight[k] * w * w
    # the inverse of S by its cofactors
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * a + xy * b + xz * c
    u, v, w = x[i, 0] - cx, x[i, 1] - cy, x[i, 2] - cz
    p = (a * u + b * v + c * w) / determinant
    q = (b * u + d * v + e * w) / determinant
    r = (c * u + e * v + f * w) / determinant
    for k in range(len(near)):
        j = near[k]
        weight[k] *= 1 / total + (x[j, 0] - cx) * p + (x[j, 1] - cy) * q + (x[j, 2] - cz) * r
