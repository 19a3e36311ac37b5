"""Compiled loops of depthwise messages, and their adjoint.

`paths` has rows (first column of the block, its multiplicity, first weight, first channel of component 0 in the
products, channels between components, first entry); `entries` rows (path, o, i), sorted. Rows of `b` and `w` begin at
the first edge of the block of targets. Indices must be unsigned: otherwise the loops are not vectorized.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint64

from gaugenet.nn.engines._aggregate import _transport, _transport_back


@njit(nogil=True, fastmath=True, cache=True)
def messages(x, b, w, transport, blocks, indptr, source, paths, entries, first_edge, begin, end, out):
    """Write out[p - begin, (o, path, u)] = sum over q -> p of w[e, u] sum_i b[e, (path, o, i)] (rho x[q])[i, u]."""
    size, width = uint64(x.shape[1]), uint64(out.shape[1])
    h, t = np.empty((1, size), x.dtype), np.empty(size, x.dtype)
    for target in range(begin, end):
        p = uint64(target - begin)
        for c in range(width):
            out[p, c] = 0
        for edge in range(indptr[target], indptr[target + 1]):
            e = uint64(edge - first_edge)
            _transport(x, transport, blocks, uint64(source[edge]), uint64(edge), h, uint64(0))
            k, last = uint64(0), uint64(entries.shape[0])
            while k < last:
                path, o = entries[k, 0], entries[k, 1]
                start, mult = uint64(paths[path, 0]), uint64(paths[path, 1])
                weight = uint64(paths[path, 2])
                row = uint64(paths[path, 3] + o * paths[path, 4])
                for u in range(mult):
                    t[u] = 0
                while k < last and entries[k, 0] == path and entries[k, 1] == o:
                    value, column = b[e, k], start + uint64(entries[k, 2]) * mult
                    for u in range(mult):
                        t[u] += value * h[0, column + u]
                    k += uint64(1)
                for u in range(mult):
                    out[p, row + u] += w[e, weight + u] * t[u]


@njit(nogil=True, fastmath=True, cache=True)
def messages_adjoint(
    grad, x, b, w, transport, blocks, indptr, source, paths, entries, first_edge, begin, end, gx, gb, gw
):
    """Add to gx, and overwrite the rows of gb and gw that belong to these targets, by the gradients of `messages`."""
    size = uint64(x.shape[1])
    h, back, t = np.empty((1, size), x.dtype), np.empty(size, x.dtype), np.empty(size, x.dtype)
    for target in range(begin, end):
        p = uint64(target - begin)
        for edge in range(indptr[target], indptr[target + 1]):
            e = uint64(edge - first_edge)
            _transport(x, transport, blocks, uint64(source[edge]), uint64(edge), h, uint64(0))
            for c in range(size):
                back[c] = 0
            for c in range(uint64(gw.shape[1])):
                gw[e, c] = 0
            k, last = uint64(0), uint64(entries.shape[0])
            while k < last:
                path, o = entries[k, 0], entries[k, 1]
                start, mult = uint64(paths[path, 0]), uint64(paths[path, 1])
                weight = uint64(paths[path, 2])
                row = uint64(paths[path, 3] + o * paths[path, 4])
                first = k
                for u in range(mult):
                    t[u] = 0
                while k < last and entries[k, 0] == path and entries[k, 1] == o:
                    value, column = b[e, k], start + uint64(entries[k, 2]) * mult
                    for u in range(mult):
                        t[u] += value * h[0, column + u]
                    k += uint64(1)
                for u in range(mult):
                    gw[e, weight + u] += grad[p, row + u] * t[u]
                    t[u] = grad[p, row + u] * w[e, weight + u]
                for m in range(first, k):
                    value, column = b[e, m], start + uint64(entries[m, 2]) * mult
                    total = value - value
                    for u in range(mult):
                        total += t[u] * h[0, column + u]
                        back[column + u] += value * t[u]
                    gb[e, m] = total
            _transport_back(back, transport, blocks, uint64(source[edge]), uint64(edge), gx)
