"""RowSphere: grids with rows of points on parallels, each with its own number of evenly spaced points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array
from gaugenet.geometry.sphere.cells import Cells, rows
from gaugenet.geometry.sphere.domain import SphereDomain


@dataclass(frozen=True, eq=False)
class Rows:
    """Points on parallels.

    Attributes:
        lat: latitude of each row in degrees, rising or falling.
        edges: heights z = sin(latitude) between the rows, in the same order, from pole to pole.
        counts: number of points of each row.
        lon: longitude of the first point of each row, degrees.
    """

    lat: Float[ndarray, "rows"]
    edges: Float[ndarray, "rows+1"]
    counts: Int[ndarray, "rows"]
    lon: Float[ndarray, "rows"]

    @property
    def row(self) -> Int[ndarray, "points"]:
        """The row of each point."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def first(self) -> Int[ndarray, "rows"]:
        """The first point of each row."""
        return typed_array(np.cumsum(self.counts) - self.counts)


class RowSphere(SphereDomain):
    """A grid of rows of points on parallels, from west to east; cells are bounded by parallels and meridians."""

    rows: Rows

    @cached_property
    def lat_lon(self) -> tuple[Float[ndarray, "points"], Float[ndarray, "points"]]:
        row = self.rows.row
        column = np.arange(len(row)) - self.rows.first[row]
        return self.rows.lat[row], self.rows.lon[row] + column * (360.0 / self.rows.counts[row])

    @cached_property
    def area(self) -> Float[Tensor, "points"]:
        """Areas of the cells, the same for all points of a row."""
        bands = np.abs(np.diff(self.rows.edges)) * (2 * np.pi) / self.rows.counts
        return torch.from_numpy(bands[self.rows.row])

    @cached_property
    def cells(self) -> Cells:
        r = self.rows
        order = slice(None) if r.edges[0] > r.edges[-1] else slice(None, None, -1)
        west = np.radians(r.lon) - np.pi / r.counts
        return rows(r.edges[order], west[order], r.counts[order], r.first[order])


__all__ = ["RowSphere", "Rows"]
