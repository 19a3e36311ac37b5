r"""Exact areas of overlap of the cells of two partitions of the sphere.

By Stokes' theorem :math:`|P \cap Q| = -\oint (z - c_P)\,d\lambda` along the boundary of the intersection: the parts of
the boundary of P in Q, and the parts of the boundary of Q in P. Every curve is cut where it crosses the other
partition. Each piece is located in a cell, and its integral, which has a closed form, is added to the cells on both
sides. These are the line integrals of :cite:`jones1999conservative`, without the approximations near the poles. The
sums over Q are the areas of P even if a piece is located in a wrong cell, because the pieces cancel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array, csr_array

from gaugenet._typing import typed_array
from gaugenet.geometry.sphere.cells import Cells
from gaugenet.geometry.sphere.curves import MERIDIAN, Curves, at_height

_TURN = 2 * np.pi
_CHUNK = 20_000
_SAMPLES = 8
"""Number of intervals of a pair of curves in which crossings are searched."""

_SIDE = 1e-10
"""Distance to the north or south of a piece at which it is located, since sides of both partitions may coincide."""

_ROUNDING = 4e-15
"""Smaller areas are rounding errors of cells that only touch."""


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Pieces of curves, and the cells of the other partition in which they lie."""

    curve: Int[ndarray, "pieces"]
    low: Float[ndarray, "pieces"]
    high: Float[ndarray, "pieces"]
    inside: Int[ndarray, "pieces"]


def overlap_areas(first: Cells, second: Cells) -> csr_array:
    """Return the areas of all intersections, `(first.count, second.count)`, on the unit sphere.

    Rows sum to the areas of the first cells, columns to the areas of the second cells.
    """
    found = [*_contributions(first, second, own=True), *_contributions(second, first, own=False)]
    row, column, value = (np.concatenate(part) for part in zip(*found))
    areas = csr_array(coo_array((value, (row, column)), shape=(first.count, second.count)))
    areas.sum_duplicates()
    areas.data[areas.data < _ROUNDING] = 0.0
    areas.eliminate_zeros()
    _check_sums(areas.sum(axis=1), first)
    _check_sums(areas.sum(axis=0), second)
    return areas


def _check_sums(found: Float[ndarray, "cells"], cells: Cells) -> None:
    error = np.abs(found - cells.area)
    if not (error <= 1e-6 * np.abs(cells.area) + 1e-9 * cells.area.mean()).all():
        worst = int(error.argmax())
        raise ValueError(
            f"Expected cells that partition the sphere, got cell {worst} of area {cells.area[worst]:.6g}, of which "
            f"{found[worst]:.6g} overlaps with the other cells: check that cells do not overlap, leave no gaps, and "
            "run counter-clockwise."
        )


def _contributions(cells: Cells, other: Cells, *, own: bool) -> Iterator[tuple[ndarray, ndarray, ndarray]]:
    """Yield rows, columns and integrals of the pieces of `cells`, which are the rows if `own`, else the columns."""
    curves = cells.curves
    reference = cells.reference if own else other.reference
    graphs = np.flatnonzero(curves.kind != MERIDIAN)
    for part in np.array_split(graphs, len(graphs) // _CHUNK + 1):
        pieces = _cut(curves, part, other, 1 if own else -1)
        whole = curves.integral(pieces.curve, pieces.low, pieces.high)
        for side, sign in ((curves.north, -1), (curves.south, 1)):
            cell = side[pieces.curve]
            used = cell >= 0
            row, column = (cell, pieces.inside) if own else (pieces.inside, cell)
            value = sign * (whole - reference[row] * (pieces.high - pieces.low))
            yield row[used], column[used], value[used]


def _cut(curves: Curves, part: Int[ndarray, "part"], other: Cells, sign: int) -> _Pieces:
    """Cut curves where they meet curves of the other partition, and at the longitudes where those end."""
    i, j = _candidates(curves, part, other.curves)
    shift = _TURN * np.round(
        (curves.low[i] + curves.high[i] - other.curves.low[j] - other.curves.high[j]) / (2 * _TURN)
    )
    west, east = other.curves.low[j] + shift, other.curves.high[j] + shift
    meet = np.minimum(curves.high[i], east) >= np.maximum(curves.low[i], west) - 1e-12
    i, j, shift, west, east = (x[meet] for x in (i, j, shift, west, east))
    graph = other.curves.kind[j] != MERIDIAN
    pair, crossing = _Difference(curves, i[graph], other.curves, j[graph], shift[graph]).roots(
        np.maximum(curves.low[i], west)[graph], np.minimum(curves.high[i], east)[graph]
    )
    curve = np.concatenate([part, part, i, i, i[graph][pair]])
    lon = np.concatenate([curves.low[part], curves.high[part], west, east, crossing])
    inside = (lon >= curves.low[curve]) & (lon <= curves.high[curve])
    curve, lon = curve[inside], lon[inside]
    order = np.lexsort((lon, curve))
    curve, lon = curve[order], lon[order]
    keep = (curve[1:] == curve[:-1]) & (lon[1:] > lon[:-1])
    curve, low, high = curve[:-1][keep], lon[:-1][keep], lon[1:][keep]
    return _Pieces(curve, low, high, other.locate(_beside(curves, curve, (low + high) / 2, sign)))


def _beside(curves: Curves, curve: Int[ndarray, "k"], lon: Float[ndarray, "k"], sign: int) -> Float[ndarray, "k 3"]:
    """Return points just north (`sign` 1) or south (-1) of curves.

    If curves of both partitions coincide, one is located to the north and the other one to the south, as if they were
    moved apart, so each such side counts once.
    """
    slope = curves.slope(curve, lon)
    step = sign * _SIDE / np.hypot(1.0, slope)
    z = np.clip(curves.height(curve, lon) + step, -1.0, 1.0)
    return at_height(z, lon - step * slope)


def _candidates(curves: Curves, part: Int[ndarray, "part"], other: Curves) -> tuple[ndarray, ndarray]:
    """Return pairs of curves near enough to meet, by search trees for the curves of each size."""
    from scipy.spatial import cKDTree

    size = np.ceil(np.log2(np.maximum(other.reach, 1e-9))).astype(np.int64)
    found = []
    for exponent in np.unique(size):
        members = np.flatnonzero(size == exponent)
        reach = curves.reach[part] + other.reach[members].max() + 1e-9
        lists = cKDTree(other.center[members]).query_ball_point(curves.center[part], reach)
        counts = np.array([len(near) for near in lists])
        near = np.concatenate([np.asarray(near, dtype=np.int64) for near in lists])
        i, j = np.repeat(part, counts), members[near]
        gap = np.linalg.norm(curves.center[i] - other.center[j], axis=1)
        close = gap <= curves.reach[i] + other.reach[j] + 1e-9
        found.append((i[close], j[close]))
    i, j = (np.concatenate(x) for x in zip(*found))
    return i, j


class _Difference:
    """The difference in height of pairs of curves, as a function of the longitude."""

    def __init__(self, curves: Curves, i: ndarray, other: Curves, j: ndarray, shift: ndarray) -> None:
        self.curves, self.i, self.other, self.j, self.shift = curves, i, other, j, shift

    def value(self, pair: ndarray, lon: ndarray) -> Float[ndarray, "k"]:
        there = self.other.height(self.j[pair], lon - self.shift[pair])
        return typed_array(self.curves.height(self.i[pair], lon) - there)

    def slope(self, pair: ndarray, lon: ndarray) -> Float[ndarray, "k"]:
        there = self.other.slope(self.j[pair], lon - self.shift[pair])
        return typed_array(self.curves.slope(self.i[pair], lon) - there)

    def roots(self, low: ndarray, high: ndarray) -> tuple[Int[ndarray, "roots"], Float[ndarray, "roots"]]:
        """Return pairs and longitudes of all crossings between `low` and `high`, and of points of least distance."""
        wide = np.flatnonzero(high > low)
        part = np.linspace(0.0, 1.0, _SAMPLES + 1)
        lon = low[wide, None] * (1 - part) + high[wide, None] * part
        every = np.repeat(wide, _SAMPLES + 1)
        value, slope = (f(every, lon.reshape(-1)).reshape(lon.shape) for f in (self.value, self.slope))
        pair = np.repeat(wide, _SAMPLES)
        a, b, va, vb, sa, sb = (
            x.reshape(-1) for v in (lon, value, slope) for x in (v[:, :-1], v[:, 1:])
        )  # at both ends of each interval
        cross = va * vb < 0
        dip = ~cross & (sa * sb < 0) & (va * sa < 0)  # from either end the curves approach each other
        closest = _bisected(self.slope, pair[dip], a[dip], b[dip])
        through = self.value(pair[dip], closest) * va[dip] < 0
        pairs = np.concatenate([pair[cross], pair[dip][through], pair[dip][through]])
        left = np.concatenate([a[cross], a[dip][through], closest[through]])
        right = np.concatenate([b[cross], closest[through], b[dip][through]])
        touching = va == 0  # at a sample, so that no sign changes
        found = _bisected(self.value, pairs, left, right)
        return np.concatenate([pairs, pair[touching]]), np.concatenate([found, a[touching]])


def _bisected(function, pair: ndarray, low: ndarray, high: ndarray) -> Float[ndarray, "k"]:  # type: ignore[no-untyped-def]
    """Return where a function changes its sign between `low` and `high`."""
    start = np.sign(function(pair, low))
    for _ in range(50):
        middle = (low + high) / 2
        before = np.sign(function(pair, middle)) == start
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return typed_array((low + high) / 2)


__all__ = ["overlap_areas"]
