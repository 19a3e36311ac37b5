"""Where one convolution of the stacked charts of an icosphere sees a wrong neighbour, and what it should have seen.

The convolution runs over the chart layout as if it were one image. At the sides of the charts it sees zeros, or the row
of another chart; at the neighbours of corners, values that no frame belongs to. There, groups of edges add

    out[target] += M x[source],   M = left W_k right,

with W_k the kernel at the neighbour in direction k (k = 6: at the vertex itself): once to take back what was seen, once
for what is there. These are about 90 * 2^level edges beside 60 * 4^level.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from torch import Tensor

from gaugenet.geometry import _charts

SUBTRACT, PLAIN, CORNER = -1, 0, 1
"""`left` of a group: minus one; one; the projection on the invariants at a corner, which has one neighbour less."""

PROJECT = 6
"""`right` of a group that reads a corner: the projection on the invariants. Other values are turns by 60 degrees."""

CENTRE = 6
"""`k` of the vertex itself."""

Kind = tuple[int, int, int]
"""(left, right, k)"""


@dataclass(frozen=True)
class SideEdges:
    """Edges sorted by group.

    Attributes:
        kinds, counts: of each group.
        source: cells of the (finer) chart layout.
        target: cells of the layout of the output.
    """

    kinds: tuple[Kind, ...]
    counts: list[int]
    source: Int[Tensor, "edges"]
    target: Int[Tensor, "edges"]


@lru_cache(maxsize=64)
def side_edges(level: int, stride: int, device: torch.device) -> SideEdges:
    """The edges of an icosphere, for outputs at every vertex, or at those of the next coarser level (`stride` 2)."""
    parts = [*_sides(level, stride), _corners(level)]
    if stride == 2:
        parts += _south_pole(level)
    kind, source, target = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if stride == 2:
        coarse = _coarse_cells(level)
        keep = coarse[target] >= 0
        kind, source, target = kind[keep], source[keep], coarse[target[keep]]
    order = np.lexsort((target, *kind.T[::-1]))
    kinds, counts = np.unique(kind, axis=0, return_counts=True)
    return SideEdges(
        tuple((int(left), int(right), int(k)) for left, right, k in kinds),
        counts.tolist(),
        torch.from_numpy(source[order]).to(device),
        torch.from_numpy(target[order]).to(device),
    )


Edges = tuple[ndarray, ndarray, ndarray]
"""Kind, source, target."""


def _sides(level: int, stride: int) -> tuple[Edges, Edges]:
    """What is wrongly seen; and the true neighbours in place of it, into vertices that are no corners."""
    table, turn, seen = _charts.neighbors(level), _charts.turns(level), _seen(level, stride)
    is_corner = _is_corner(level)
    right = np.where(is_corner[table], PROJECT, turn)
    wrong = is_corner[:, None] | (table != seen) | (right != 0)
    target, k = np.nonzero(wrong & (seen >= 0))
    missing, direction = np.nonzero(wrong & ~is_corner[:, None])
    return (
        _edges(k, SUBTRACT, np.zeros_like(k), seen[target, k], target),
        _edges(direction, PLAIN, right[missing, direction], table[missing, direction], missing),
    )


def _corners(level: int) -> Edges:
    """Into corners. The mean over orientations of K(v) rho(g) is that of K at the direction which g turns to v."""
    table, turn = _charts.neighbors(level), _charts.turns(level)
    is_corner = _is_corner(level)
    target, slot = np.nonzero(is_corner[:, None] & (table >= 0))
    source, back = table[target, slot], turn[target, slot]
    return _edges(-back % 6, CORNER, np.where(is_corner[source], PROJECT, 0), source, target)


def _south_pole(level: int) -> tuple[Edges, Edges]:
    """Every second column of the last row: the cell beside the south pole is there in place of it."""
    pole = np.array([_charts.num_vertices(level) - 1])
    centre, none = np.array([CENTRE]), np.zeros(1, dtype=int)
    return _edges(centre, SUBTRACT, none, pole + 1, pole), _edges(centre, PLAIN, none, pole, pole)


def _edges(k: ndarray, left: int, right: ndarray, source: ndarray, target: ndarray) -> Edges:
    return np.stack([np.full_like(k, left), right, k], 1), source, target


def _is_corner(level: int) -> ndarray:
    mask = np.zeros(_charts.num_vertices(level), dtype=bool)
    mask[_charts.corners(level)] = True
    return mask


def _seen(level: int, stride: int) -> Int[ndarray, "vertices 6"]:
    """The cell of the layout that a convolution reads for each neighbour; -1 outside, where it reads zero."""
    rows, columns = 5 * 2**level + 1, 2 * 2**level
    cell = np.arange(_charts.num_vertices(level))
    if stride == 2:
        cell[-1] += 1
    row, column = np.divmod(cell, columns)
    i, j = row[:, None] + _charts.RING[:, 0], column[:, None] + _charts.RING[:, 1]
    return np.where((i >= 0) & (i < rows) & (j >= 0) & (j < columns), i * columns + j, -1)


def _coarse_cells(level: int) -> Int[ndarray, "vertices"]:
    """The cell of the coarser layout of each vertex that the coarser level has; -1 for the others."""
    kept = _charts.coarse_vertices(level)
    out = np.full(_charts.num_vertices(level), -1)
    out[kept] = np.arange(len(kept))
    return out
