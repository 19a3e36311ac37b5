"""The vertices of an icosphere in its five charts and their neighbours, in integers only.

Chart c is a parallelogram of n x 2n cells, n = 2^level. Cell (i, j) lies at i a_0 + j a_2 in the hexagonal lattice
whose vectors a_k point at 60 k degrees, counter-clockwise about the outward normal. Charts follow one another
eastwards; the south pole is cell (n, 0) of every chart, the north pole cell (0, 2n), and the other corners of the
icosahedron are the cells (0, 0), in the south, and (0, n), in the north.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array

CHARTS = 5

_RING = np.array([(1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1)])
"""Cell offsets of the six neighbours, in directions 0, 60, ..., 300 degrees."""


CELLS = np.concatenate([_RING, np.stack([2 * _RING, _RING + np.roll(_RING, -1, 0)], 1).reshape(-1, 2)])
"""Offsets of the cells of two rings: the six neighbours, then two steps straight and the cell left of it in turn."""

NUM_CELLS = {1: 6, 2: 18}
"""Number of cells, by the number of rings."""


def num_vertices(level: int) -> int:
    return int(10 * 4**level + 2)


def corners(level: int) -> Int[ndarray, "12"]:
    """Return the vertices of the icosahedron: two in each chart, the north pole, the south pole."""
    n = 2**level
    first = np.arange(CHARTS) * 2 * n * n
    poles = num_vertices(level) - np.array([2, 1])
    return np.concatenate([np.stack([first, first + n], 1).ravel(), poles])


def coarse_vertices(level: int) -> Int[ndarray, "coarse"]:
    """Return the vertices of the next coarser level, in its order: even rows and columns, and the poles."""
    n = 2**level
    poles = num_vertices(level) - np.array([2, 1])
    return np.append(np.arange(CHARTS * 2 * n * n).reshape(CHARTS, n, 2 * n)[:, ::2, ::2], poles)


def vertex_index(level: int, chart: ndarray, row: ndarray, column: ndarray) -> Int[ndarray, "*cells"]:
    """Return the vertex in each cell of a chart with one cell of padding; -1 for the two cells without a vertex.

    Beyond its sides a chart continues in the chart west or east of it. Each case is one shared edge of the
    icosahedron: for example, row n of a chart from column n on is row 0 of the chart east of it.
    """
    chart, i, j = np.broadcast_arrays(chart, row, column)
    n, w = 2**level, 2 * 2**level
    east, west = (chart + 1) % CHARTS, (chart - 1) % CHARTS

    def flat(c: ndarray, a: ndarray | int, b: ndarray | int) -> ndarray:
        return typed_array((c * n + a) * w + b)

    north, south = num_vertices(level) - 2, num_vertices(level) - 1
    inside_rows, inside_columns = (i >= 0) & (i < n), (j >= 0) & (j < w)
    cases = [
        (inside_rows & inside_columns, flat(chart, i, j)),
        ((i == n) & (j == 0), np.full_like(i, south)),
        ((i == 0) & (j == w), np.full_like(i, north)),
        ((i == -1) & (j < n), flat(west, n - 1, n + j)),
        ((i == -1) & (j < w), flat(west, 2 * n - 1 - j, w - 1)),
        ((i == n) & (j >= 1) & (j <= n), flat(east, n - j, 0)),
        ((i == n) & (j > n), flat(east, 0, j - n)),
        ((j == -1) & inside_rows, flat(west, n - 1, n - 1 - i)),
        ((j == w) & inside_rows, flat(east, 0, 2 * n - i)),
    ]
    return np.select([condition for condition, _ in cases], [value for _, value in cases], default=-1)


@lru_cache(maxsize=4)
def neighbors(level: int) -> Int[ndarray, "vertices 6"]:
    """Return the neighbours in the six directions; at corners the five neighbours counter-clockwise, then -1."""
    n = 2**level
    chart, i, j = np.indices((CHARTS, n, 2 * n)).reshape(3, -1, 1)
    table = np.full((num_vertices(level), 6), -1)
    table[:-2] = vertex_index(level, chart, i + _RING[:, 0], j + _RING[:, 1])
    edge = np.arange(CHARTS)
    table[-2, :5] = vertex_index(level, edge, np.array(0), np.array(2 * n - 1))
    table[-1, :5] = vertex_index(level, edge[::-1], np.array(n - 1), np.array(0))
    # Two of the six cells around the other corners are the same vertex, seen from both sides of the missing sector.
    southern, northern = corners(level)[:-2].reshape(CHARTS, 2).T
    table[southern, 5] = -1
    table[northern, 4] = table[northern, 5]
    table[northern, 5] = -1
    table.setflags(write=False)
    return table


@lru_cache(maxsize=4)
def rotations(level: int) -> Int[ndarray, "vertices 6"]:
    """Return the steps of 60 degrees from the chart frame of each neighbour to the chart frame of the vertex.

    The edge leaves p in direction k and, seen from its other end q, comes back in direction k'. Transport takes k' to
    k + 3. Frames cannot be compared at corners. There the result is 3 - k' into a corner, as if the edge left in
    direction 0, and 0 out of a corner.
    """
    table = neighbors(level)
    is_corner = np.zeros(len(table) + 1, dtype=bool)
    is_corner[corners(level)] = True
    back = (table[table] == np.arange(len(table))[:, None, None]).argmax(-1)
    leaving = np.where(is_corner[:-1, None], 0, np.arange(6))
    out = np.where(is_corner[table] | (table < 0), 0, (leaving + 3 - back) % 6)
    out.setflags(write=False)
    return out


def faces(level: int) -> Int[ndarray, "faces 3"]:
    """Return the triangles, counter-clockwise seen from outside."""
    n = 2**level
    chart, i, j = np.indices((CHARTS, n, 2 * n)).reshape(3, -1)
    here = vertex_index(level, chart, i, j)
    down, right = vertex_index(level, chart, i + 1, j), vertex_index(level, chart, i, j + 1)
    across = vertex_index(level, chart, i + 1, j + 1)
    return np.concatenate([np.stack([here, down, across], 1), np.stack([here, across, right], 1)])


@dataclass(frozen=True)
class ChartLinks:
    """The sources in the cells of all vertices.

    Attributes:
        target, source: vertices.
        cell: index in `CELLS`. The neighbours of a corner have no direction there, and are stored in direction 0.
        rotation: steps of 60 degrees from the frame at the source to the frame at the target; 0 for sources at corners.
        share: 1, or a half for cells straight beyond a corner, which are different vertices from both sides.
    """

    target: Int[ndarray, "links"]
    cell: Int[ndarray, "links"]
    source: Int[ndarray, "links"]
    rotation: Int[ndarray, "links"]
    share: Float[ndarray, "links"]

    def select(self, keep: ndarray) -> ChartLinks:
        return ChartLinks(*(getattr(self, name)[keep] for name in ("target", "cell", "source", "rotation", "share")))


def links(level: int, rings: int) -> ChartLinks:
    """Return one or two rings of neighbours of all vertices."""
    table, rotation = neighbors(level), rotations(level)
    is_corner = np.zeros(len(table), dtype=bool)
    is_corner[corners(level)] = True
    target, slot = np.nonzero(table >= 0)
    cell = np.where(is_corner[target], 0, slot)
    first = (target, cell, table[target, slot], rotation[target, slot], np.ones(len(target)))
    if rings == 1:
        return ChartLinks(*first)

    def step(at: tuple[ndarray, ndarray], direction: ndarray) -> tuple[ndarray, ndarray]:
        """Step from a vertex with a rotated frame, in a direction that is given in the frame of the target."""
        vertex, rotated = at
        local = (direction - rotated) % 6
        return table[vertex, local], (rotated + rotation[vertex, local]) % 6

    def walk(start: ndarray, *directions: ndarray) -> tuple[ndarray, ndarray]:
        at = (start, np.zeros_like(start))
        for direction in directions:
            at = step(at, direction)
        return at

    neighbour = (first[2], first[3])
    blocked = is_corner[first[2]]
    parts = [first]

    def add(keep: ndarray, cells: ndarray, at: tuple[ndarray, ndarray], share: float) -> None:
        source, rotated = at
        rotated = np.where(is_corner[source], 0, rotated)
        parts.append((target[keep], cells[keep], source, rotated, np.full(len(source), share)))

    free = np.flatnonzero(~blocked)
    onward = (neighbour[0][free], neighbour[1][free])
    add(free, 6 + 2 * cell, step(onward, cell[free]), 1.0)
    add(free, 7 + 2 * cell, step(onward, cell[free] + 1), 1.0)
    behind = np.flatnonzero(blocked)
    p, k = target[behind], cell[behind]
    add(behind, 6 + 2 * cell, walk(p, k + 1, k, k - 1), 0.5)
    add(behind, 6 + 2 * cell, walk(p, k - 1, k, k + 1), 0.5)
    add(behind, 7 + 2 * cell, walk(p, k + 1, k), 1.0)
    return ChartLinks(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def rotated_cell(cell: ndarray, steps: ndarray) -> ndarray:
    """Return the cell that a rotation by steps of 60 degrees takes a cell to."""
    second = 6 + (cell - 6 + 2 * steps) % 12
    return typed_array(np.where(cell < 6, (cell + steps) % 6, second))
