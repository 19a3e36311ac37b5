"""LatLonSphere: a latitude-longitude grid with one point at each pole, as a domain."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet.geometry.sphere.coordinates import (
    axis_of_degrees,
    check_latitudes,
    check_longitudes,
    east_north,
    latitude_edges,
    sin,
)
from gaugenet.geometry.sphere.domain import SphereDomain
from gaugenet.geometry.sphere.rows import Rows, RowSphere

_AT_POLE = 1e-6


class LatLonSphere(RowSphere):
    """A grid of latitudes times longitudes, where a row at a pole is one point.

    Fields `(H, W)` of files repeat the pole W times, with W directions of winds. `from_grid` and `from_lonlat` average
    each such row, and `to_grid` and `to_lonlat` fill it.

    Args:
        lat: `(H,)` latitudes in degrees, rising or falling, from pole to pole: regular, with or without the poles, or
            Gaussian.
        lon: `(W,)` longitudes in degrees, rising, evenly spaced, once around the globe.

    Raises:
        ValueError: If the grid is regional, a coordinate is not monotone, or the last longitude repeats the first one.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import LatLonSphere
        >>> sphere = LatLonSphere.regular(19, 36)
        >>> sphere.num_nodes  # 17 rows of 36 points and the poles
        614
        >>> sphere.from_grid(torch.rand(19, 36)).shape
        torch.Size([614])
    """

    def __init__(self, lat: Float[ndarray, "height"], lon: Float[ndarray, "width"]) -> None:
        lat, lon = axis_of_degrees("lat", lat), axis_of_degrees("lon", lon)
        check_latitudes(lat)
        check_longitudes(lon)
        self.shape = len(lat), len(lon)
        self._grid_lon = lon
        self._poles = np.abs(lat) > 90 - _AT_POLE
        counts = np.where(self._poles, 1, len(lon))
        self.rows = Rows(lat, sin(latitude_edges(lat)), counts, np.full(len(lat), lon[0]))

    @classmethod
    def regular(cls, height: int, width: int, *, poles: bool = True) -> LatLonSphere:
        """Return a grid with evenly spaced latitudes from north to south, including the poles or half a step away."""
        half = 0.0 if poles else 90.0 / height
        return cls(np.linspace(90 - half, half - 90, height), np.arange(width) * 360.0 / width)

    @property
    def coarser(self) -> tuple[SphereDomain, Int[ndarray, "points"] | None]:
        """Every second longitude, and every second latitude; without poles the middles of pairs of latitudes.

        Raises:
            ValueError: If the number of longitudes is odd, or too few rows are left.
        """
        lat, (height, width) = self.rows.lat, self.shape
        if width % 2 or width < 8 or height < 6:
            raise ValueError(f"Expected an even number of at least 8 longitudes and 6 latitudes, got {self.shape}.")
        if height % 2:
            return LatLonSphere(lat[::2], self._grid_lon[::2]), None
        return LatLonSphere((lat[::2] + lat[1::2]) / 2, self._grid_lon[::2]), None

    def from_grid(self, values: Float[Tensor, "*fields height width"]) -> Float[Tensor, "*fields points"]:
        """Return scalar fields at the points, at a pole the mean of its row.

        Raises:
            ValueError: If the last two dimensions are not those of the grid.
        """
        if tuple(values.shape[-2:]) != self.shape:
            raise ValueError(f"Expected fields of shape (..., {self.shape}), got {tuple(values.shape)}.")
        rows = [row.mean(-1, keepdim=True) if pole else row for row, pole in zip(values.unbind(-2), self._poles)]
        return torch.cat(rows, -1)

    def to_grid(self, x: Float[Tensor, "*fields points"]) -> Float[Tensor, "*fields height width"]:
        """Return scalar fields `(..., H, W)`, with the value of a pole in its whole row.

        Raises:
            ValueError: If the last dimension is not the number of points.
        """
        if x.shape[-1] != self.num_nodes:
            raise ValueError(f"Expected fields of shape (..., {self.num_nodes}), got {tuple(x.shape)}.")
        parts = x.split(self.rows.counts.tolist(), -1)
        return torch.stack([part.expand(*part.shape[:-1], self.shape[1]) for part in parts], -2)

    def from_lonlat(
        self, u: Float[Tensor, "*fields height width"], v: Float[Tensor, "*fields height width"]
    ) -> Float[Tensor, "points channels"]:
        """Return winds on the grid as features of the type `Kx1`, at a pole the mean of its vectors in space.

        Raises:
            ValueError: If the shapes differ, or are neither `(H, W)` nor `(K, H, W)`.
        """
        if u.shape != v.shape or u.dim() not in (2, 3):
            raise ValueError(f"Expected `u` and `v` of the same shape ([K,] H, W), got {u.shape} and {v.shape}.")
        wind = torch.stack([u, v], -1)
        pole = self._polar_frames(wind)
        if pole is not None:
            rows, turn = pole
            wind = wind.clone()
            wind[..., rows, :, :] = torch.einsum("rwij,...rwj->...rwi", turn, wind[..., rows, :, :])
        return super().from_lonlat(*(self.from_grid(w) for w in wind.unbind(-1)))

    def to_lonlat(
        self, x: Float[Tensor, "points channels"]
    ) -> tuple[Float[Tensor, "fields height width"], Float[Tensor, "fields height width"]]:
        """Return eastward and northward components `(K, H, W)`, at a pole along each meridian."""
        u, v = super().to_lonlat(x)
        wind = torch.stack([self.to_grid(u), self.to_grid(v)], -1)
        pole = self._polar_frames(wind)
        if pole is not None:
            rows, turn = pole
            wind[..., rows, :, :] = torch.einsum("rwji,...rwj->...rwi", turn, wind[..., rows, :, :])
        u, v = wind.unbind(-1)
        return u, v

    def _polar_frames(self, like: Tensor) -> tuple[Tensor, Float[Tensor, "rows width 2 2"]] | None:
        """Return the rows at poles, and for each column the rotation from its meridian's frame to the pole's frame."""
        rows = np.flatnonzero(self._poles)
        if not len(rows):
            return None
        frames = torch.from_numpy(east_north(self.rows.lat[rows, None], self._grid_lon[None])).to(like)
        return torch.from_numpy(rows).to(like.device), frames[:, :1].mT @ frames

    def __repr__(self) -> str:
        return f"LatLonSphere({self.shape[0]} x {self.shape[1]}{', with poles' if self._poles.any() else ''})"


__all__ = ["LatLonSphere"]
