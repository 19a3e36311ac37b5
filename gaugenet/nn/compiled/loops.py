"""Compiled loops over points: normalization of blocks, factors of fields, and their adjoints.

Each loop reads the numbers of a point from memory once, where PyTorch's operations would pass over all points many
times. `blocks` has rows (first column, dimension, multiplicity, first field). Indices must be unsigned and scalars must
have the precision of the arrays: otherwise the loops are not vectorized.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

_FAST = {"reassoc", "contract", "arcp", "nsz"}
"""Sums may run in any order, but a number that is not finite must stay so, and must not leave its row."""


@njit(inline="always")
def _block(blocks, b):
    """Return first column, dimension, multiplicity and first field as unsigned numbers."""
    return uint64(blocks[b, 0]), uint64(blocks[b, 1]), uint64(blocks[b, 2]), uint64(blocks[b, 3])


@njit(nogil=True, fastmath=_FAST, error_model="numpy", inline="always")
def _statistics(x, p, start, mult, size, centred, eps, s):
    """Return mean and 1 / root of the mean square plus eps of a block, in the precision of `s`."""
    total, square = eps - eps, eps - eps
    if centred:
        for c in range(start, start + mult):
            total += x[p, c]
        s[0] = total / mult
    else:
        s[0] = 0
    mean = s[0]
    for c in range(start, start + size):
        square += (x[p, c] - mean) * (x[p, c] - mean)
    s[1] = square / size
    s[1] = 1 / np.sqrt(s[1] + eps)


@njit(nogil=True, fastmath=_FAST, error_model="numpy", cache=True)
def layer_norm(x, weight, bias, blocks, shifts, eps, begin, end, out):
    """Write (x - mean) / root(mean square + eps) * weight + bias; `shifts`: a block's first bias, -1 without mean."""
    s = np.empty(2, x.dtype)
    for n in range(begin, end):
        p = uint64(n)
        for b in range(blocks.shape[0]):
            start, dim, mult, field = _block(blocks, b)
            _statistics(x, p, start, mult, dim * mult, shifts[b] >= 0, eps, s)
            mean, root = s[0], s[1]
            for i in range(dim):
                row = start + i * mult
                for c in range(mult):
                    out[p, row + c] = (x[p, row + c] - mean) * root * weight[field + c]
            if shifts[b] >= 0:
                shift = uint64(shifts[b])
                for c in range(mult):
                    out[p, start + c] += bias[shift + c]


@njit(nogil=True, fastmath=_FAST, error_model="numpy", cache=True)
def layer_norm_adjoint(grad, x, weight, blocks, shifts, eps, begin, end, gx, gweight, gbias):
    """Overwrite `gx` and add to `gweight` and `gbias` (float64)."""
    s = np.empty(2, x.dtype)
    some_weight, some_bias = np.zeros(gweight.shape[0], x.dtype), np.zeros(gbias.shape[0], x.dtype)
    for n in range(begin, end):
        p = uint64(n)
        for b in range(blocks.shape[0]):
            start, dim, mult, field = _block(blocks, b)
            size, centred = dim * mult, shifts[b] >= 0
            _statistics(x, p, start, mult, size, centred, eps, s)
            mean, root = s[0], s[1]
            along, total = eps - eps, eps - eps
            for i in range(dim):
                row = start + i * mult
                for c in range(mult):
                    normal = (x[p, row + c] - mean) * root
                    some_weight[field + c] += grad[p, row + c] * normal
                    along += grad[p, row + c] * weight[field + c] * normal
            s[0] = along / size
            along = s[0]
            if centred:
                shift = uint64(shifts[b])
                for c in range(mult):
                    some_bias[shift + c] += grad[p, start + c]
                    total += grad[p, start + c] * weight[field + c]
            s[0] = total / mult
            total = s[0]
            for i in range(dim):
                row = start + i * mult
                for c in range(mult):
                    normal = (x[p, row + c] - mean) * root
                    gx[p, row + c] = root * (grad[p, row + c] * weight[field + c] - total - normal * along)
        if (n - begin) % 256 == 255 or n == end - 1:  # long sums in float64
            for c in range(uint64(gweight.shape[0])):
                gweight[c] += some_weight[c]
                some_weight[c] = 0
            for c in range(uint64(gbias.shape[0])):
                gbias[c] += some_bias[c]
                some_bias[c] = 0


@njit(nogil=True, fastmath=_FAST, error_model="numpy", cache=True)
def scale_fields(x, factor, blocks, begin, end, out):
    """Write factor x, with one factor for each field and point."""
    for n in range(begin, end):
        p = uint64(n)
        for b in range(blocks.shape[0]):
            start, dim, mult, field = _block(blocks, b)
            for i in range(dim):
                row = start + i * mult
                for c in range(mult):
                    out[p, row + c] = x[p, row + c] * factor[p, field + c]


@njit(nogil=True, fastmath=_FAST, error_model="numpy", cache=True)
def gate_adjoint(grad, x, gate, blocks, first, begin, end, gx):
    """Write the gradients of v -> sigmoid(x[first + field]) v: of the fields and of the inputs of the gates."""
    for n in range(begin, end):
        p = uint64(n)
        for b in range(blocks.shape[0]):
            start, dim, mult, field = _block(blocks, b)
            inputs = uint64(first) + field
            for c in range(mult):
                gx[p, inputs + c] = 0
            for i in range(dim):
                row = start + i * mult
                for c in range(mult):
                    gx[p, row + c] = grad[p, row + c] * gate[p, field + c]
                    gx[p, inputs + c] += grad[p, row + c] * x[p, row + c]
            for c in range(mult):
                gx[p, inputs + c] *= gate[p, field + c] - gate[p, field + c] * gate[p, field + c]
