r"""Boundaries of cells as graphs z(longitude): great circles, parallels, and the boundaries of HEALPix pixels.

In the coordinates :math:`(\lambda, z = \sin\varphi)` areas of the unit sphere are :math:`d\lambda\,dz`. So the area
of a cell is a sum of integrals of z along its boundary, and each has a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array

GREAT_CIRCLE, LINE, CAP, MERIDIAN = range(4)
"""Kinds of curves, see `Curves`."""

_TURN = 2 * np.pi


@dataclass(frozen=True, eq=False)
class Curves:
    r"""Curves eastward from the longitude `low` to `high`, with a cell to the north and a cell to the south.

    Attributes:
        kind: of each curve, with :math:`u = \lambda - m` one of `GREAT_CIRCLE`: :math:`\tan\varphi = q \cos u` with
            :math:`q \ge 0`; `LINE`: :math:`z = p + q u`, a parallel where q = 0; `CAP`: :math:`z = p (1 - q / u^2)`;
            `MERIDIAN`: not a graph, `low = high`; it does not contribute to areas, but its ends cut other curves.
        p, q, m: the parameters.
        low, high: longitudes in radians, `low <= high`.
        north, south: the cells on either side, -1 for none.
        center: `(n, 3)`, a point on the sphere near the middle.
        reach: largest chord length from `center` to a point of the curve.
    """

    kind: Int[ndarray, "n"]
    p: Float[ndarray, "n"]
    q: Float[ndarray, "n"]
    m: Float[ndarray, "n"]
    low: Float[ndarray, "n"]
    high: Float[ndarray, "n"]
    north: Int[ndarray, "n"]
    south: Int[ndarray, "n"]
    center: Float[ndarray, "n 3"]
    reach: Float[ndarray, "n"]

    def __len__(self) -> int:
        return len(self.kind)

    def height(self, index: Int[ndarray, "k"], lon: Float[ndarray, "k"]) -> Float[ndarray, "k"]:
        """Return z of the curves `index` at longitudes."""
        out = np.empty(lon.shape)
        for kind, own, p, q, u in self._by_kind(index, lon):
            if kind == GREAT_CIRCLE:
                out[own] = q * np.cos(u) / np.hypot(1.0, q * np.cos(u))
            else:
                out[own] = p + q * u if kind == LINE else p * (1 - q / u**2)
        return out

    def slope(self, index: Int[ndarray, "k"], lon: Float[ndarray, "k"]) -> Float[ndarray, "k"]:
        """Return the derivative of z by the longitude."""
        out = np.empty(lon.shape)
        for kind, own, p, q, u in self._by_kind(index, lon):
            if kind == GREAT_CIRCLE:
                secant = 1 / np.hypot(1.0, q * np.cos(u))
                out[own] = -(q * secant) * secant * secant * np.sin(u)
            else:
                out[own] = q if kind == LINE else 2 * p * q / u**3
        return out

    def integral(
        self, index: Int[ndarray, "k"], low: Float[ndarray, "k"], high: Float[ndarray, "k"]
    ) -> Float[ndarray, "k"]:
        """Return the integral of z over a range of longitudes."""
        return typed_array(self._primitive(index, high) - self._primitive(index, low))

    def _primitive(self, index: ndarray, lon: ndarray) -> Float[ndarray, "k"]:
        out = np.empty(lon.shape)
        for kind, own, p, q, u in self._by_kind(index, lon):
            if kind == GREAT_CIRCLE:
                out[own] = np.arctan2(q * np.sin(u), np.hypot(1.0, q * np.cos(u)))
            else:
                out[own] = p * u + q * u**2 / 2 if kind == LINE else p * (u + q / u)
        return out

    def _by_kind(self, index: ndarray, lon: ndarray) -> list[tuple[int, ndarray, ndarray, ndarray, ndarray]]:
        kinds = self.kind[index]
        parts = []
        for kind in np.unique(kinds):
            own = np.flatnonzero(kinds == kind)
            at = index[own]
            parts.append((int(kind), own, self.p[at], self.q[at], lon[own] - self.m[at]))
        return parts

    def areas(self, count: int, reference: Float[ndarray, "cells"]) -> Float[ndarray, "cells"]:
        """Return the areas of the cells between the curves; z is measured from `reference`, +-1 at poles."""
        index = np.flatnonzero(self.kind != MERIDIAN)
        low, high = self.low[index], self.high[index]
        whole = self.integral(index, low, high)
        total = np.zeros(count)
        for cell, sign in ((self.north[index], -1), (self.south[index], 1)):
            used = cell >= 0
            value = sign * (whole - reference[cell] * (high - low))
            np.add.at(total, cell[used], value[used])
        return total


def joined(*parts: Curves) -> Curves:
    """Return the curves of all parts."""
    return Curves(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Curves)))


def great_circles(
    start: Float[ndarray, "n 3"], end: Float[ndarray, "n 3"], left: Int[ndarray, "n"], right: Int[ndarray, "n"]
) -> Curves:
    """Return the arcs between unit vectors, below 180 degrees, with the cells on their left and right hand side."""
    normal = np.cross(start, end)
    eastward = normal[:, 2] >= 0
    sign = np.where(eastward, 1.0, -1.0)
    a, b = (np.arctan2(x[:, 1], x[:, 0]) for x in (start, end))
    span = (sign * (b - a)) % _TURN
    span = np.where(span > np.pi + 1e-6, 0.0, span)  # rounding must not make an arc along a meridian a full circle
    low = np.where(eastward, a, b)
    middle = start + end
    return Curves(
        np.where(span == 0, MERIDIAN, GREAT_CIRCLE),
        np.zeros(len(start)),
        np.hypot(normal[:, 0], normal[:, 1]) / np.maximum(np.abs(normal[:, 2]), 1e-300),
        np.arctan2(-sign * normal[:, 1], -sign * normal[:, 0]),
        low,
        low + span,
        np.where(eastward, left, right),
        np.where(eastward, right, left),
        middle / np.linalg.norm(middle, axis=1, keepdims=True),
        np.linalg.norm(end - start, axis=1),
    )


def parallels(
    z: Float[ndarray, "n"], low: Float[ndarray, "n"], high: Float[ndarray, "n"], north: ndarray, south: ndarray
) -> Curves:
    """Return arcs of parallels, at most half a circle each."""
    none = np.zeros(len(z))
    middle = (low + high) / 2
    center, end = at_height(z, middle), at_height(z, low)
    reach = np.linalg.norm(center - end, axis=1)
    return Curves(np.full(len(z), LINE), z, none, middle, low, high, north, south, center, reach)


def meridians(
    lon: Float[ndarray, "n"], bottom: Float[ndarray, "n"], top: Float[ndarray, "n"], cell: Int[ndarray, "n"]
) -> Curves:
    """Return arcs of meridians between two heights z; `cell` is a cell on one side."""
    none = np.zeros(len(lon))
    ends = np.arcsin(bottom), np.arcsin(top)
    center = at_height(np.sin((ends[0] + ends[1]) / 2), lon)
    reach = (ends[1] - ends[0]) / 2
    return Curves(np.full(len(lon), MERIDIAN), none, none, none, lon, lon, cell, cell, center, reach)


def at_height(z: Float[ndarray, "*n"], lon: Float[ndarray, "*n"]) -> Float[ndarray, "*n 3"]:
    """Return unit vectors of heights z and longitudes in radians."""
    ring = np.sqrt((1 - z) * (1 + z))
    return np.stack([ring * np.cos(lon), ring * np.sin(lon), np.broadcast_to(z, np.shape(ring))], axis=-1)


__all__ = ["CAP", "GREAT_CIRCLE", "LINE", "MERIDIAN", "Curves", "at_height", "great_circles", "joined"]
__all__ += ["meridians", "parallels"]
