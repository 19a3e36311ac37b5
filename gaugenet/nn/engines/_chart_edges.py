"""Where one convolution of the stacked charts of an icosphere reads a wrong neighbour, and which one is right.

The convolution runs over the chart layout as if it were one image. At the sides of the charts it reads zeros or the row
of another chart. Next to corners it reads values that belong to no frame. There, groups of edges add

    out[target] += M x[source],   M = left W_k right,

with W_k the kernel at cell k of the neighbourhood (the last cell is the vertex itself). One edge subtracts the value
that was read, another adds the right one. With one ring these are about 90 * 2^level of 60 * 4^level edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from torch import Tensor

from gaugenet.geometry.icosphere import _charts

SUBTRACT, PLAIN, CORNER, HALF = -1, 0, 1, 2
"""`left` of a group: -1; 1; the projection on the invariants at a corner, which has fewer neighbours; 1/2."""

PROJECT = 6
"""`right` of a group that reads a corner: the projection on the invariants. Other values are rotations by 60
degrees."""

Run = tuple[int, int, tuple[int, ...]]
"""Left, right, and the cell k of each group that has these two."""


_SMALL_GROUP = 12
"""Groups of at most this number of edges (at corners and poles, on every level) are computed all at once."""


@dataclass(frozen=True)
class SideEdges:
    """Edges sorted by group: first the large groups, then the small groups, groups at corners last.

    Attributes:
        runs: left, right and cells of the groups in their order.
        counts: number of edges of each large group.
        large_groups: source (a cell of the finer chart layout) and target (a cell of the layout of the output) of each
            edge of the large groups, one group after the other.
        small_groups: source, target, and a mask (0 where a row is padded) of the edges of the small groups.
    """

    runs: tuple[Run, ...]
    counts: list[int]
    large_groups: Int[Tensor, "2 edges"]
    small_groups: Int[Tensor, "3 groups longest"]


@lru_cache(maxsize=64)
def side_edges(level: int, rings: int, stride: int, device: torch.device) -> SideEdges:
    """Return the edges of an icosphere, for outputs at all vertices or, with `stride` 2, at the coarse ones."""
    parts = _sides(level, rings, stride)
    if stride == 2:
        parts += _south_pole(level, _charts.NUM_CELLS[rings])
    kind, source, target = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if stride == 2:
        coarse = _coarse_cells(level)
        keep = coarse[target] >= 0
        kind, source, target = kind[keep], source[keep], coarse[target[keep]]
    kinds, group, counts = np.unique(kind, axis=0, return_inverse=True, return_counts=True)
    at_corners = kinds[:, 0] == CORNER
    small = at_corners | (counts <= _SMALL_GROUP)
    rank = np.lexsort((*kinds.T[::-1], at_corners, small))
    edges = np.stack([source, target])[:, np.lexsort((target, rank.argsort()[group.ravel()]))]
    large, small = counts[rank][~small[rank]], counts[rank][small[rank]]
    return SideEdges(
        _runs(kinds[rank]),
        large.tolist(),
        torch.from_numpy(edges[:, : large.sum()]).to(device),
        torch.from_numpy(_padded(edges[:, large.sum() :], small)).to(device),
    )


def _runs(kinds: Int[ndarray, "groups 3"]) -> tuple[Run, ...]:
    """Return left and right with the cells k of all consecutive groups that share them."""
    both = groupby(kinds.tolist(), key=lambda kind: kind[:2])
    return tuple((left, right, tuple(k for *_, k in groups)) for (left, right), groups in both)


def _padded(edges: Int[ndarray, "2 edges"], counts: Int[ndarray, "groups"]) -> Int[ndarray, "3 groups longest"]:
    """Return one row per group, padded by its last edge with mask 0."""
    slot = np.arange(counts.max(initial=0))
    last = np.cumsum(counts)[:, None] - 1
    index = np.minimum(last - counts[:, None] + 1 + slot, last)
    return np.concatenate([edges[:, index], (slot < counts[:, None])[None].astype(edges.dtype)])


Edges = tuple[ndarray, ndarray, ndarray]
"""Kind (left, right, k), source and target of edges."""


def _sides(level: int, rings: int, stride: int) -> list[Edges]:
    """Return the edges to values that are wrongly read, and the edges to the right values."""
    links, seen = _charts.links(level, rings), _seen(level, rings, stride)
    is_corner = _is_corner(level)
    to_corner = is_corner[links.target]
    right = np.where(is_corner[links.source], PROJECT, links.rotation)
    fine = ~to_corner & (links.source == seen[links.target, links.cell]) & (right == 0) & (links.share == 1)
    seen[links.target[fine], links.cell[fine]] = -1
    target, k = np.nonzero(seen >= 0)
    # The mean over orientations of K(v) rho(g) is the mean of K at the cell that g rotates to v.
    cell = np.where(to_corner, _charts.rotated_cell(links.cell, -links.rotation), links.cell)
    right = np.where(to_corner & (right != PROJECT), 0, right)
    left = np.where(to_corner, CORNER, np.where(links.share == 1, PLAIN, HALF))
    there = _edges(cell[~fine], left[~fine], right[~fine], links.source[~fine], links.target[~fine])
    return [_edges(k, np.full_like(k, SUBTRACT), np.zeros_like(k), seen[target, k], target), there]


def _south_pole(level: int, centre: int) -> list[Edges]:
    """Return edges for stride 2, which reads the cell next to the south pole in place of the pole."""
    pole, k, none = np.array([_charts.num_vertices(level) - 1]), np.array([centre]), np.zeros(1, dtype=int)
    return [_edges(k, none + SUBTRACT, none, pole + 1, pole), _edges(k, none + PLAIN, none, pole, pole)]


def _edges(k: ndarray, left: ndarray, right: ndarray, source: ndarray, target: ndarray) -> Edges:
    return np.stack([left, right, k], 1), source, target


def _is_corner(level: int) -> ndarray:
    mask = np.zeros(_charts.num_vertices(level), dtype=bool)
    mask[_charts.corners(level)] = True
    return mask


def _seen(level: int, rings: int, stride: int) -> Int[ndarray, "vertices cells"]:
    """Return the cell of the layout that a convolution reads for each neighbour; -1 outside, where it reads zero."""
    rows, columns = 5 * 2**level + 1, 2 * 2**level
    cell = np.arange(_charts.num_vertices(level))
    if stride == 2:
        cell[-1] += 1
    row, column = np.divmod(cell, columns)
    offsets = _charts.CELLS[: _charts.NUM_CELLS[rings]]
    i, j = row[:, None] + offsets[:, 0], column[:, None] + offsets[:, 1]
    return np.where((i >= 0) & (i < rows) & (j >= 0) & (j < columns), i * columns + j, -1)


def _coarse_cells(level: int) -> Int[ndarray, "vertices"]:
    """Return the cell in the coarser layout of each vertex; -1 for vertices that the coarser level does not have."""
    coarse_vertex = _charts.coarse_vertices(level)
    out = np.full(_charts.num_vertices(level), -1)
    out[coarse_vertex] = np.arange(len(coarse_vertex))
    return out
