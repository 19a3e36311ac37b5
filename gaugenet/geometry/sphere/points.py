"""SpherePoints: any points of the sphere, such as the cells of ICON and MPAS, as a domain."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet.geometry._point_weights import areas as checked_areas
from gaugenet.geometry.sphere.cells import Cells, delaunay, polygons, voronoi
from gaugenet.geometry.sphere.coordinates import lat_lon, sphere_points
from gaugenet.geometry.sphere.domain import SphereDomain

_SAME_PLACE = 1e-9


class SpherePoints(SphereDomain):
    """Points of the unit sphere in any order, each with a cell.

    Args:
        pos: `(N, 3)` vectors of the same length; see `from_degrees` for latitudes and longitudes.
        area: `(N,)` areas of the cells, in any unit: they are scaled to a total of 4 pi, unless `regional`. By default
            the areas of the polygons `corners`, or of the Voronoi cells.
        corners: `(N, K, 3)` corners of convex cells, counter-clockwise from outside, with the last one repeated for
            cells with fewer corners: triangles of ICON, hexagons of MPAS. By default cells are Voronoi cells.
        regional: whether the points cover only a part of the sphere; then `area` is required, on the unit sphere.

    Raises:
        ValueError: If shapes do not fit, points are not on a sphere or have equal positions, all points lie in one half
            of the sphere and no `area` is given, or areas are not positive.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import SpherePoints
        >>> points = SpherePoints(torch.nn.functional.normalize(torch.randn(500, 3)))
        >>> abs(float(points.area.sum()) - 4 * torch.pi) < 1e-9
        True
    """

    def __init__(
        self,
        pos: Float[Tensor, "points 3"] | Float[ndarray, "points 3"],
        *,
        area: Float[Tensor, "points"] | None = None,
        corners: Float[Tensor, "points corners 3"] | Float[ndarray, "points corners 3"] | None = None,
        regional: bool = False,
    ) -> None:
        points = torch.as_tensor(pos).detach().to("cpu", torch.float64).numpy()
        self._points = _on_the_unit_sphere("pos", points, 2)
        self._corners = None
        if corners is not None:
            given = torch.as_tensor(corners).detach().to("cpu", torch.float64).numpy()
            self._corners = _on_the_unit_sphere("corners", given, 3)
            if len(given) != len(points) or given.shape[1] < 3:
                raise ValueError(f"Expected `corners` of shape ({len(points)}, K, 3), K >= 3, got {given.shape}.")
        _check_places(self._points)
        if regional and area is None:
            raise ValueError("Expected `area` with `regional=True`: Voronoi cells need points on the whole sphere.")
        self._area = None if area is None else checked_areas(area, len(points))
        if self._area is not None and not regional:
            self._area = self._area * (4 * torch.pi / self._area.sum())
        if self._area is None and corners is None:
            self._faces  # noqa: B018  # raises for points of one half of the sphere here, not later

    @classmethod
    def from_degrees(
        cls,
        lat: Float[ndarray, "points"],
        lon: Float[ndarray, "points"],
        *,
        area: Float[Tensor, "points"] | None = None,
        corner_lat: Float[ndarray, "points corners"] | None = None,
        corner_lon: Float[ndarray, "points corners"] | None = None,
        regional: bool = False,
    ) -> SpherePoints:
        """Return points at latitudes and longitudes in degrees, with corners of cells as in CF files.

        Raises:
            ValueError: If a latitude is outside [-90, 90], one of the two corner arguments is missing, or the points
                are not valid for `SpherePoints`.
        """
        lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
        if lat.ndim != 1 or lat.shape != lon.shape or not (np.abs(lat) <= 90 + 1e-9).all():
            raise ValueError(
                f"Expected `lat` in [-90, 90] degrees and `lon`, both of shape (N,), got {lat.shape} and {lon.shape}."
            )
        if (corner_lat is None) != (corner_lon is None):
            raise ValueError("Expected `corner_lat` and `corner_lon` together.")
        corners = None if corner_lat is None or corner_lon is None else sphere_points(corner_lat, corner_lon)
        return cls(sphere_points(lat, lon), area=area, corners=corners, regional=regional)

    @cached_property
    def lat_lon(self) -> tuple[Float[ndarray, "points"], Float[ndarray, "points"]]:
        return lat_lon(self._points)

    @cached_property
    def pos(self) -> Float[Tensor, "points 3"]:
        """Unit vectors, float64."""
        return torch.from_numpy(self._points)

    @cached_property
    def area(self) -> Float[Tensor, "points"]:
        """Areas of the cells on the unit sphere, float64."""
        return torch.from_numpy(self.cells.area) if self._area is None else self._area

    @cached_property
    def cells(self) -> Cells:
        if self._corners is not None:
            return polygons(self._corners, self._points)
        return voronoi(self._points, self._faces)

    @cached_property
    def _faces(self) -> Int[ndarray, "faces 3"]:
        faces = delaunay(self._points)
        a, b, c = (torch.from_numpy(self._points[faces[:, k]]) for k in range(3))
        sides = 1 + (a * b).sum(1) + (b * c).sum(1) + (c * a).sum(1)
        covered = 2 * torch.atan2(torch.linalg.det(torch.stack([a, b, c], 1)), sides).sum()
        if abs(float(covered) - 4 * torch.pi) > 1e-6:
            raise ValueError(
                "Expected points on the whole sphere, got points of one half: pass `area=...` and `regional=True`."
            )
        return faces

    def __repr__(self) -> str:
        return f"SpherePoints({len(self._points)} points)"


def _on_the_unit_sphere(name: str, points: ndarray, dims: int) -> ndarray:
    """Return the points divided by their length, which must be equal for all."""
    shape = "(N, 3)" if dims == 2 else "(N, K, 3)"
    if points.ndim != dims or points.shape[-1] != 3 or len(points) < 4 or not np.isfinite(points).all():
        raise ValueError(f"Expected `{name}` of shape {shape}, finite, with at least 4 points, got {points.shape}.")
    length = np.linalg.norm(points, axis=-1, keepdims=True)
    if not np.allclose(length, length.flat[0], rtol=1e-4) or not length.flat[0] > 0:
        raise ValueError(
            f"Expected `{name}` on a sphere about the origin, got distances from {length.min():g} to {length.max():g}."
        )
    return np.ascontiguousarray(points / length)


def _check_places(points: ndarray) -> None:
    from scipy.spatial import cKDTree

    pairs = cKDTree(points).query_pairs(_SAME_PLACE, output_type="ndarray")
    if len(pairs):
        raise ValueError(
            f"Expected points in different places, got {len(pairs)} pairs with equal positions, e.g. "
            f"{pairs[0].tolist()}: merge them. For a latitude-longitude grid, which repeats its poles, use "
            "`LatLonSphere`."
        )


__all__ = ["SpherePoints"]
