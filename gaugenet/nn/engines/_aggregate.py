"""Compiled loops of the `graph` engine: aggregate transported neighbours, and its adjoint.

Indices are unsigned: numba's wrap-around of negative indices stops LLVM from vectorizing (measured: 2.5 times slower).
`blocks` has one row per block of the field type: first column, dimension, multiplicity, first column of its matrices in
`transport` (-1 where the representation is trivial).

Target p reads the edges `indptr[p] ... indptr[p + 1] - 1`, whose sources are `source`. On a grid all targets read the
same edges, the cells of a window, from different places: if `shift` is not empty, `indptr` is (0, number of edges), and
the sources of target p are `source + shift[p]`.

The loops are compiled, because array operations would store the transported features of all edges. Sources are taken
`_TILE` at a time and their sum is written out, so that each pass over a row of `out` adds all of them.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

ONE, TWO, THREE, FOUR, FIVE = (uint64(k) for k in (1, 2, 3, 4, 5))
_TILE = 6


@njit(nogil=True, fastmath=True, inline="always")
def _transport(x, transport, blocks, q, e, h, k):
    """Write h[k] = rho(g_e) x[q]."""
    for b in range(blocks.shape[0]):
        start, mult = uint64(blocks[b, 0]), uint64(blocks[b, 2])
        dim = uint64(blocks[b, 1])
        if blocks[b, 3] < 0:
            for c in range(start, start + dim * mult):
                h[k, c] = x[q, c]
            continue
        first = uint64(blocks[b, 3])
        if dim == TWO:
            r00, r01 = transport[e, first], transport[e, first + ONE]
            r10, r11 = transport[e, first + TWO], transport[e, first + THREE]
            for c in range(start, start + mult):
                u, v = x[q, c], x[q, c + mult]
                h[k, c] = r00 * u + r01 * v
                h[k, c + mult] = r10 * u + r11 * v
            continue
        for i in range(dim):
            row = start + i * mult
            for c in range(mult):
                h[k, row + c] = 0
            for j in range(dim):
                r = transport[e, first + i * dim + j]
                column = start + j * mult
                if r != 0:
                    for c in range(mult):
                        h[k, row + c] += r * x[q, column + c]


@njit(nogil=True, fastmath=True, inline="always")
def _transport_back(h, transport, blocks, q, e, gx):
    """Add rho(g_e)^T h to gx[q]."""
    for b in range(blocks.shape[0]):
        start, mult = uint64(blocks[b, 0]), uint64(blocks[b, 2])
        dim = uint64(blocks[b, 1])
        if blocks[b, 3] < 0:
            for c in range(start, start + dim * mult):
                gx[q, c] += h[c]
            continue
        first = uint64(blocks[b, 3])
        if dim == TWO:
            r00, r01 = transport[e, first], transport[e, first + ONE]
            r10, r11 = transport[e, first + TWO], transport[e, first + THREE]
            for c in range(start, start + mult):
                u, v = h[c], h[c + mult]
                gx[q, c] += r00 * u + r10 * v
                gx[q, c + mult] += r01 * u + r11 * v
            continue
        for i in range(dim):
            row = start + i * mult
            for j in range(dim):
                r = transport[e, first + i * dim + j]
                column = start + j * mult
                if r != 0:
                    for c in range(mult):
                        gx[q, column + c] += r * h[row + c]


@njit(nogil=True, fastmath=True, cache=True)
def aggregate(x, coefficient, transport, blocks, indptr, source, shift, begin, end, out):
    """Write out[p - begin, t] = sum over edges q -> p of coefficient[e, t] rho(g_e) x[q], for begin <= p < end."""
    size, columns = uint64(x.shape[1]), uint64(coefficient.shape[1])
    h = np.empty((_TILE, size), x.dtype)
    for target in range(begin, end):
        p = uint64(target - begin)
        for t in range(columns):
            for c in range(size):
                out[p, t, c] = 0
        row, moved = (0, shift[target]) if len(shift) else (target, 0)
        edge, last = indptr[row], indptr[row + 1]
        while edge < last:
            count = min(_TILE, last - edge)
            e = uint64(edge)
            for k in range(uint64(count)):
                _transport(x, transport, blocks, uint64(source[e + k] + moved), e + k, h, k)
            if count == _TILE:
                for t in range(columns):
                    c0, c1, c2 = coefficient[e, t], coefficient[e + ONE, t], coefficient[e + TWO, t]
                    c3, c4, c5 = coefficient[e + THREE, t], coefficient[e + FOUR, t], coefficient[e + FIVE, t]
                    for c in range(size):
                        out[p, t, c] += (
                            c0 * h[uint64(0), c]
                            + c1 * h[ONE, c]
                            + c2 * h[TWO, c]
                            + c3 * h[THREE, c]
                            + c4 * h[FOUR, c]
                            + c5 * h[FIVE, c]
                        )
            else:
                for k in range(uint64(count)):
                    for t in range(columns):
                        weight = coefficient[e + k, t]
                        for c in range(size):
                            out[p, t, c] += weight * h[k, c]
            edge += _TILE


@njit(nogil=True, fastmath=True, cache=True)
def aggregate_adjoint(grad, coefficient, transport, blocks, indptr, source, shift, begin, end, gx):
    """Add coefficient[e, t] rho(g_e)^T grad[p - begin, t] to gx[q] for all t and edges q -> p with begin <= p < end."""
    size, columns = uint64(gx.shape[1]), uint64(coefficient.shape[1])
    whole = columns - columns % FIVE
    h = np.empty(size, gx.dtype)
    for target in range(begin, end):
        p = uint64(target - begin)
        row, moved = (0, shift[target]) if len(shift) else (target, 0)
        for e in range(uint64(indptr[row]), uint64(indptr[row + 1])):
            for c in range(size):
                h[c] = 0
            for t in range(uint64(0), whole, FIVE):
                c0, c1, c2 = coefficient[e, t], coefficient[e, t + ONE], coefficient[e, t + TWO]
                c3, c4 = coefficient[e, t + THREE], coefficient[e, t + FOUR]
                for c in range(size):
                    h[c] += (
                        c0 * grad[p, t, c]
                        + c1 * grad[p, t + ONE, c]
                        + c2 * grad[p, t + TWO, c]
                        + c3 * grad[p, t + THREE, c]
                        + c4 * grad[p, t + FOUR, c]
                    )
            for t in range(whole, columns):
                weight = coefficient[e, t]
                for c in range(size):
                    h[c] += weight * grad[p, t, c]
            _transport_back(h, transport, blocks, uint64(source[e] + moved), e, gx)


@njit(nogil=True, fastmath=True, cache=True)
def contract(aggregated, entries, values, out):
    """Add value aggregated[p, column, channel + c] to out[p, row + c] for each entry (row, column, channel, length)."""
    for n in range(uint64(out.shape[0])):
        for c in range(uint64(out.shape[1])):
            out[n, c] = 0
        for e in range(uint64(entries.shape[0])):
            row, column = uint64(entries[e, 0]), uint64(entries[e, 1])
            channel, value = uint64(entries[e, 2]), values[e]
            for c in range(uint64(entries[e, 3])):
                out[n, row + c] += value * aggregated[n, column, channel + c]


@njit(nogil=True, fastmath=True, cache=True)
def contract_adjoint(grad, entries, values, out):
    """Write the adjoint of `contract`: out[p, column, channel + c] = sum of value grad[p, row + c]."""
    for n in range(uint64(out.shape[0])):
        for t in range(uint64(out.shape[1])):
            for c in range(uint64(out.shape[2])):
                out[n, t, c] = 0
        for e in range(uint64(entries.shape[0])):
            row, column = uint64(entries[e, 0]), uint64(entries[e, 1])
            channel, value = uint64(entries[e, 2]), values[e]
            for c in range(uint64(entries[e, 3])):
                out[n, column, channel + c] += value * grad[n, row + c]
