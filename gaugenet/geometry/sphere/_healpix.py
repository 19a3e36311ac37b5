r"""The closed forms of HEALPix: twelve squares in a plane of equal areas, and their pixels on the sphere.

The sphere is twelve squares, the base pixels; the places in one are x (to the north-east) and y (to the north-west),
both from 0 to `nside`. Squares 0-3 touch the north pole, 4-7 lie on the equator, 8-11 touch the south pole. All
formulas follow from the projection of :cite:`calabretta2007mapping`: cylindrical where \|z\| <= 2/3, pseudo-conical
beyond (:cite:`gorski2005healpix`).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_array

from gaugenet._typing import typed_array
from gaugenet.geometry.sphere.curves import CAP, LINE, MERIDIAN, Curves, at_height, joined

_QUARTER, _TURN = np.pi / 4, 2 * np.pi
_CORNERS = (1, 1), (0, 1), (0, 0), (1, 0)
"""Corners N, W, S and E of a pixel as steps in x and y."""

_BETWEEN = (2, 1), (1,), (1, 0), (0,), (0, 3), (3,), (3, 2), (2,)
"""Corners that a pixel shares with its neighbours to the SW, W, NW, N, NE, E, SE, S."""


class FacePlane:
    """Pixels by base pixel `face` and `x`, `y` in it.

    Args:
        nside: pixels along the side of a base pixel.
    """

    def __init__(self, nside: int) -> None:
        self.nside = nside

    # --- sphere and plane -------------------------------------------------------------------------------------------

    def sphere(
        self, face: Int[ndarray, "n"], x: Float[ndarray, "n"], y: Float[ndarray, "n"]
    ) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"], Float[ndarray, "n"]]:
        """Return height z, distance from the axis and longitude in radians of places in base pixels."""
        x, y = x / self.nside, y / self.nside
        row, column = face // 4, face % 4
        plane = x + y - row  # the second coordinate in the plane, in units of pi / 4
        north, south = (row == 0) & (plane > 1), (row == 2) & (plane < -1)
        polar = north | south
        sigma = np.where(polar, 2 - np.abs(plane), 1.0)  # width of a cap's quadrant, 0 at the pole
        square = sigma**2 / 3  # 1 - |z| in a cap
        z = np.where(polar, np.where(north, 1 - square, square - 1), plane * (2 / 3))
        ring = np.sqrt(np.where(polar, square * (2 - square), (1 - z) * (1 + z)))
        steps = (x - y) / np.where(sigma > 0, sigma, 1.0)
        return z, ring, (2 * column + (row != 1) + steps) * _QUARTER % _TURN

    def locate(self, points: Float[ndarray, "n 3"]) -> tuple[ndarray, ndarray, ndarray]:
        """Return the base pixel of unit vectors, and the pixel `x`, `y` in it."""
        z = points[:, 2]
        turn = np.arctan2(points[:, 1], points[:, 0]) / (np.pi / 2) % 4.0
        turn = np.where(turn >= 4.0, 0.0, turn)
        face, x, y = self._in_belt(z, turn)
        polar = np.abs(z) > 2 / 3
        quadrant = turn.astype(np.int64)
        square = points[:, 0] ** 2 + points[:, 1] ** 2
        sigma = np.sqrt(3 * square / (1 + np.abs(z)))
        east, west = (turn - quadrant) * sigma, (1 - (turn - quadrant)) * sigma
        north = z > 0
        face = np.where(polar, np.where(north, quadrant, quadrant + 8), face)
        x = np.where(polar, np.where(north, 1 - west, east), x)
        y = np.where(polar, np.where(north, 1 - east, west), y)
        i, j = (np.clip((part * self.nside).astype(np.int64), 0, self.nside - 1) for part in (x, y))
        return face, i, j

    def _in_belt(self, z: ndarray, turn: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        """Return the same between the caps, with x and y from 0 to 1."""
        falling, rising = 0.5 + turn - 0.75 * z, 0.5 + turn + 0.75 * z  # constant along the sides of pixels
        i, j = np.floor(falling).astype(np.int64), np.floor(rising).astype(np.int64)
        face = np.where(i == j, i % 4 + 4, np.where(i < j, i % 4, j % 4 + 8))
        return face, rising - j, 1 - (falling - i)

    # --- numbers ----------------------------------------------------------------------------------------------------

    def nested(self, face: Int[ndarray, "n"], x: Int[ndarray, "n"], y: Int[ndarray, "n"]) -> Int[ndarray, "n"]:
        """Return indices in nested order: the bits of x and y alternate."""
        inside = np.zeros(np.shape(face), dtype=np.int64)
        for bit in range(self.nside.bit_length()):
            inside |= ((x >> bit) & 1) << (2 * bit) | ((y >> bit) & 1) << (2 * bit + 1)
        return typed_array(face * self.nside**2 + inside)

    def ring(self, face: Int[ndarray, "n"], x: Int[ndarray, "n"], y: Int[ndarray, "n"]) -> Int[ndarray, "n"]:
        """Return indices in ring order."""
        n, row = self.nside, face // 4
        number = (row + 2) * n - x - y - 1  # of the ring, from 1 to 4 n - 1
        north, south = number < n, number > 3 * n
        quarter = np.where(north, number, np.where(south, 4 * n - number, n))  # pixels of the ring in a quadrant
        before = np.where(
            north,
            2 * number * (number - 1),
            np.where(south, 12 * n**2 - 2 * quarter * (quarter + 1), 2 * n * (n - 1) + (number - n) * 4 * n),
        )
        shifted = np.where(north | south, 0, (number - n) & 1)
        steps = (2 * (face % 4) + (row != 1)) * quarter + x - y + shifted  # half steps from longitude 0
        return typed_array(before + (steps - 1) // 2 % (4 * quarter))

    # --- neighbours -------------------------------------------------------------------------------------------------

    def neighbors(self, face: ndarray, x: ndarray, y: ndarray) -> Int[ndarray, "n 8"]:
        """Return the pixels to the SW, W, NW, N, NE, E, SE, S as indices into the arguments; -1 where there is none.

        Two pixels are neighbours if they share a corner. The corners that they share determine the direction.
        """
        count = len(face)
        corner = np.stack([self._corner(face, x + dx, y + dy) for dx, dy in _CORNERS], axis=1)
        number = np.unique(corner, return_inverse=True)[1].reshape(-1)
        pixel = np.repeat(np.arange(count), 4)
        bit = np.tile([1, 2, 4, 8], count)
        shape = (count, int(number.max()) + 1)
        marked = csr_array((bit, (pixel, number)), shape=shape)
        touching = csr_array((np.ones(4 * count, dtype=np.int64), (pixel, number)), shape=shape)
        shared = (marked @ touching.T).tocoo()
        out = np.full((count, 8), -1, dtype=np.int64)
        for direction, corners in enumerate(_BETWEEN):
            found = (shared.data == sum(1 << k for k in corners)) & (shared.row != shared.col)
            out[shared.row[found], direction] = shared.col[found]
        return out

    def _corner(self, face: ndarray, x: ndarray, y: ndarray) -> Int[ndarray, "n"]:
        """Return an identifier of each corner, from its ring and longitude: the same for all pixels that meet there."""
        n, row = self.nside, face // 4
        ring = (row + 2) * n - x - y  # 0 at the north pole, 4 n at the south pole
        polar = (ring < n) | (ring > 3 * n)
        quarter = np.where(polar, np.minimum(ring, 4 * n - ring), n)
        steps = (2 * (face % 4) + (row != 1)) * quarter + x - y
        return typed_array(ring * 8 * n + steps % np.maximum(8 * quarter, 1))

    # --- sides ------------------------------------------------------------------------------------------------------

    def sides(self, face: ndarray, x: ndarray, y: ndarray, neighbors: Int[ndarray, "n 8"]) -> Curves:
        """Return the sides of all pixels: the south-eastern and south-western ones, and those on northern meridians."""
        own = np.arange(len(face))
        first = (face < 4) & (y == self.nside - 1), (face < 4) & (x == self.nside - 1)
        parts = [
            self._sides(face, x, y, 1, own, neighbors[:, 6]),
            self._sides(face, x, y, 0, own, neighbors[:, 0]),
            self._sides(face[first[0]], x[first[0]], y[first[0]] + 1, 1, own[first[0]], own[first[0]]),
            self._sides(face[first[1]], x[first[1]] + 1, y[first[1]], 0, own[first[1]], own[first[1]]),
        ]
        return joined(*parts)

    def _sides(self, face: ndarray, x: ndarray, y: ndarray, along: int, north: ndarray, south: ndarray) -> Curves:
        """Return the sides from the corner (x, y) along x (`along` 1, y constant) or along y (`along` 0, x constant).

        In a cap, with t the longitude from the western (or eastern) meridian of the quadrant, a side is
        1 - |z| = q / t^2. In the belt it is a line in longitude and z of the slope +-8 / (3 pi).
        """
        start, end = self.sphere(face, x, y), self.sphere(face, x + along, y + 1 - along)
        west, east = (start, end) if along else (end, start)
        row, plane = face // 4, (x + y + 0.5) / self.nside - face // 4
        above, below = (row == 0) & (plane > 1), (row == 2) & (plane < -1)
        cap = above | below
        place = (y if along else x) / self.nside
        far = np.where(above, 1 - place, place)  # from the side of the base pixel that is a meridian
        kind = np.where(cap, np.where(far == 0, MERIDIAN, CAP), LINE)
        upright = kind == MERIDIAN
        outer = np.where(start[1] > end[1], start[2], end[2])  # the end that is not a pole, which has no longitude
        low = np.where(upright, outer, west[2])
        high = np.where(upright, outer, low + (east[2] - low) % _TURN)
        meridian = (face % 4 + (below if along else above)) * (np.pi / 2)
        meridian = meridian + _TURN * np.round((low - meridian) / _TURN)
        slope = (1 if along else -1) * 8 / (3 * np.pi)
        a, b = (at_height(side[0], side[2]) for side in (start, end))
        return Curves(
            kind,
            np.where(cap, np.where(below, -1.0, 1.0), west[0]),
            np.where(cap, far**2 * (np.pi**2 / 12), slope),
            np.where(cap, meridian, low),
            low,
            high,
            north,
            south,
            (a + b) / np.linalg.norm(a + b, axis=1, keepdims=True),
            1.2 * np.linalg.norm(a - b, axis=1),
        )
