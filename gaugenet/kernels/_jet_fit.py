"""Compiled loops of `jets`: a weighted least-squares fit of a polynomial at every point."""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from numba import njit

_SUMS = {"reassoc", "contract"}
"""Allow sums in any order, so that they are vectorized."""


@njit(nogil=True, cache=True, fastmath=_SUMS, inline="always")
def _fill(a, log_map, root, begin, m, parent, axis, scale):
    """Fill a[k, row] = sqrt(weight of the row) x monomial; a monomial is made from one of one degree less."""
    for i in range(m):
        a[0, i] = root[begin + i]
    for k in range(1, len(parent)):
        for i in range(m):
            a[k, i] = a[parent[k], i] * log_map[begin + i, axis[k]]
    for k in range(len(parent)):
        for i in range(m):
            a[k, i] *= scale[k]


@njit(nogil=True, cache=True, fastmath=_SUMS, inline="always")
def _orthogonalise(a, r, m, k):
    """Orthogonalize column k against those before it, twice for full precision, and return its length."""
    for _ in range(2):
        for j in range(k):
            dot = 0.0
            for i in range(m):
                dot += a[j, i] * a[k, i]
            r[j, k] += dot
            for i in range(m):
                a[k, i] -= dot * a[j, i]
    square = 0.0
    for i in range(m):
        square += a[k, i] * a[k, i]
    return np.sqrt(square)


@njit(nogil=True, cache=True, fastmath=_SUMS, inline="always")
def _spread_of_inverse(r, inverse, low, high):
    """Return the squared Frobenius norm of the inverse of the diagonal block low ... high of r, stored in `inverse`."""
    total = 0.0
    for column in range(low, high):
        for row in range(column, low - 1, -1):
            value = 1.0 if row == column else 0.0
            for j in range(row + 1, column + 1):
                value -= r[row, j] * inverse[j, column]
            inverse[row, column] = value / r[row, row]
            total += inverse[row, column] * inverse[row, column]
    return total


@njit(nogil=True, cache=True, fastmath=_SUMS, inline="always")
def _factorise(a, r, inverse, m, first, limit):
    """Factorize the columns by QR, degree by degree, while a degree is determined; return the highest one.

    The criterion, |R_n^-1| |A_n| in the Frobenius norm for the columns A_n of degree n, does not change when the frame
    rotates: the monomials are scaled so that rotations act on those of one degree by orthogonal matrices.
    """
    degree = -1
    for n in range(len(first) - 1):
        low, high = first[n], first[n + 1]
        if high > m:
            break
        whole = 0.0
        for k in range(low, high):
            for i in range(m):
                whole += a[k, i] * a[k, i]
        regular = True
        for k in range(low, high):
            for j in range(k):
                r[j, k] = 0.0
            length = _orthogonalise(a, r, m, k)
            if not length * limit > np.sqrt(whole):
                regular = False
                break
            r[k, k] = length
            for i in range(m):
                a[k, i] /= length
        if not regular or _spread_of_inverse(r, inverse, low, high) * whole > limit * limit:
            break
        degree = n
    return degree


@njit(nogil=True, cache=True, fastmath=_SUMS)
def fit(log_map, root, indptr, parent, axis, scale, unscale, first, limit, out, degrees):
    """Write to `out` the columns that give the derivatives of the fitted polynomial at each point.

    Args:
        log_map: logarithmic map of each row, in units of the radius.
        root: square root of the weight of each row.
        indptr: row pointers of the points.
        parent: monomial k is monomial `parent[k]` times coordinate `axis[k]`.
        axis: see `parent`.
        scale: factor of each monomial for which rotations are orthogonal.
        unscale: factor from the coefficient of each monomial to a derivative.
        first: `(degree + 2,)`, first monomial of each degree.
        limit: condition number above which a degree counts as not determined.
        out: `(rows, columns)`, filled in place.
        degrees: degree of the fit at each point, filled in place.
    """
    largest = 0
    for p in range(len(indptr) - 1):
        largest = max(largest, indptr[p + 1] - indptr[p])
    columns = len(parent)
    a = np.empty((columns, largest))
    r, inverse = np.empty((columns, columns)), np.empty((columns, columns))
    for p in range(len(indptr) - 1):
        begin = indptr[p]
        m = indptr[p + 1] - begin
        _fill(a, log_map, root, begin, m, parent, axis, scale)
        degree = _factorise(a, r, inverse, m, first, limit)
        degrees[p] = degree
        count = first[degree + 1]
        for k in range(count - 1, -1, -1):
            for j in range(k + 1, count):
                for i in range(m):
                    a[k, i] -= r[k, j] * a[j, i]
            for i in range(m):
                a[k, i] /= r[k, k]
        for i in range(m):
            for k in range(count):
                out[begin + i, k] = a[k, i] * root[begin + i] * unscale[k]
