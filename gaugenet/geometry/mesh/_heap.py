"""A binary heap in two arrays, for compiled Dijkstra searches: numba's lists count references at every access."""

from __future__ import annotations

from numpy import ndarray

from gaugenet._compiled import njit


@njit(cache=True, nogil=True, borrowed=True)
def pushed(key: ndarray, vertex: ndarray, size: int, new_key: float, new_vertex: int, rank: ndarray) -> int:
    """Push an entry into a binary heap, ordered by key and then by the rank of its vertex. Return its size."""
    k = size
    while k > 0:
        above = (k - 1) >> 1
        if key[above] < new_key or (key[above] == new_key and rank[vertex[above]] <= rank[new_vertex]):
            break
        key[k], vertex[k] = key[above], vertex[above]
        k = above
    key[k], vertex[k] = new_key, new_vertex
    return size + 1


@njit(cache=True, nogil=True, borrowed=True)
def popped(key: ndarray, vertex: ndarray, size: int, rank: ndarray) -> int:
    """Remove the least entry of a binary heap. Return its size."""
    size -= 1
    last_key, last_vertex, k = key[size], vertex[size], 0
    while 2 * k + 1 < size:
        below = 2 * k + 1
        if below + 1 < size and (
            key[below + 1] < key[below]
            or (key[below + 1] == key[below] and rank[vertex[below + 1]] < rank[vertex[below]])
        ):
            below += 1
        if last_key < key[below] or (last_key == key[below] and rank[last_vertex] <= rank[vertex[below]]):
            break
        key[k], vertex[k] = key[below], vertex[below]
        k = below
    key[k], vertex[k] = last_key, last_vertex
    return size
