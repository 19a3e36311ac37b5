"""HEALPix: pixels of equal area on rings of equal latitude, in closed form."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.geometry.sphere._healpix import FacePlane
from gaugenet.geometry.sphere.cells import Cells
from gaugenet.geometry.sphere.domain import SphereDomain

HEALPixOrder = Literal["nested", "ring"]

_NEAR_POLE = 3.0


class HEALPix(SphereDomain):
    """The 12 nside^2 pixels of :cite:`gorski2005healpix` as a domain.

    At most corners four pixels meet, at eight corners three. There a pixel has seven neighbours instead of eight.
    Neighbourhoods of convolutions are geodesic discs, so these corners are not special for layers.

    Args:
        nside: number of pixels along a side of the twelve base pixels; a power of two for nested order.
        order: `nested`, where 4 p, ..., 4 p + 3 are the children of pixel p of the next coarser level; or `ring`, from
            north to south, each ring eastward.

    Raises:
        ValueError: If `nside` is not a positive integer, not a power of two in nested order, or the order is unknown.

    Example:
        >>> from gaugenet.geometry import HEALPix
        >>> sphere = HEALPix(8, order="ring")
        >>> sphere.num_nodes, sphere.neighbors.shape
        (768, torch.Size([768, 8]))
        >>> int((sphere.neighbors < 0).sum())  # three pixels at each of eight corners
        24
    """

    def __init__(self, nside: int, order: HEALPixOrder = "nested") -> None:
        self.nside = positive("nside", nside, at_most=2**14)
        if order not in ("nested", "ring"):
            raise ValueError(f"Expected `order` to be 'nested' or 'ring', got {order!r}.")
        if order == "nested" and self.nside & (self.nside - 1):
            raise ValueError(f"Expected `nside` to be a power of two in nested order, got {nside}: use order='ring'.")
        self.order: HEALPixOrder = order
        self._plane = FacePlane(self.nside)

    @property
    def num_nodes(self) -> int:
        return 12 * self.nside**2

    @cached_property
    def lat_lon(self) -> tuple[Float[ndarray, "points"], Float[ndarray, "points"]]:
        face, x, y = self._xyf
        z, ring, lon = self._plane.sphere(face, x + 0.5, y + 0.5)
        return np.degrees(np.arctan2(z, ring)), np.degrees(lon)

    @cached_property
    def area(self) -> Float[Tensor, "points"]:
        """4 pi / N, the same for all pixels."""
        return torch.full((self.num_nodes,), 4 * torch.pi / self.num_nodes, dtype=torch.float64)

    @cached_property
    def neighbors(self) -> Int[Tensor, "points 8"]:
        """The pixels to the SW, W, NW, N, NE, E, SE and S, -1 where only three pixels meet."""
        return torch.from_numpy(self._plane.neighbors(*self._xyf))

    def indices(self, order: HEALPixOrder) -> Int[Tensor, "points"]:
        """Return the index of each pixel in another order: `x_ring[sphere.indices("ring")] = x`."""
        index = self._plane.ring(*self._xyf) if order == "ring" else self._plane.nested(*self._xyf)
        return torch.from_numpy(index)

    @property
    def coarser(self) -> tuple[SphereDomain, Int[ndarray, "points"] | None]:
        """The pixels of half the `nside` in the same order, and the parent of each pixel: four form one.

        Raises:
            ValueError: If `nside` is odd.
        """
        if self.nside % 2:
            raise ValueError(f"Expected an even `nside` for a coarser grid, got {self.nside}.")
        parents = HEALPix(self.nside // 2, order=self.order)
        face, x, y = self._xyf
        return parents, parents._number(face, x // 2, y // 2)

    @cached_property
    def _xyf(self) -> tuple[ndarray, ndarray, ndarray]:
        """Base pixel and position in it of every pixel, in the order of this grid."""
        face, y, x = (part.reshape(-1) for part in np.indices((12, self.nside, self.nside)))
        position = np.argsort(self._number(face, x, y))
        return face[position], x[position], y[position]

    def _number(self, face: ndarray, x: ndarray, y: ndarray) -> Int[ndarray, "n"]:
        return self._plane.ring(face, x, y) if self.order == "ring" else self._plane.nested(face, x, y)

    # --- cells ------------------------------------------------------------------------------------------------------

    @cached_property
    def cells(self) -> Cells:
        lat, _ = self.lat_lon
        z = np.sin(np.radians(lat))
        at_pole = np.cos(np.radians(lat)) < _NEAR_POLE * self.spacing
        reference = np.where(at_pole, np.sign(z), z)
        curves = self._plane.sides(*self._xyf, self.neighbors.numpy())
        return Cells(self.num_nodes, curves, reference, lambda x: self._number(*self._plane.locate(x)))

    def __repr__(self) -> str:
        return f"HEALPix({self.nside}, order={self.order!r})"


__all__ = ["HEALPix", "HEALPixOrder"]
