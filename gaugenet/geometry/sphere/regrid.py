"""Regridder: fields on one grid of the sphere to another grid, by areas of overlap and parallel transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_array
from torch import Tensor

from gaugenet._caching import BoundedCache
from gaugenet._typing import typed_tensor
from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.geometry.manifolds.sphere import Sphere
from gaugenet.geometry.sphere.cells import Cells, delaunay, voronoi
from gaugenet.geometry.sphere.domain import SphereDomain
from gaugenet.geometry.sphere.interpolation import (
    interpolation_matrix,
    row_means,
    selection,
    triangle_interpolation,
)
from gaugenet.geometry.sphere.overlap import overlap_areas
from gaugenet.groups.families.so2 import SO2
from gaugenet.groups.representations.field_type import FieldType

RegridMethod = Literal["conservative", "linear", "nearest"]


class Regridder:
    r"""A map of fields between two grids of the sphere, by a sparse matrix that is computed once.

    - `conservative`: the mean over the target cell of the field that is constant on each source cell. Constants and
      integrals are exact: :math:`\sum_p A_p f_p` is equal on both grids. First order (:cite:`jones1999conservative`).
    - `linear`: linear in the Delaunay triangles of the source points; the error for smooth fields is O(h^2).
    - `nearest`: the value of the nearest source point.

    For fields of vectors and tensors, each source value is transported along the great circle to the frame at the
    target point, then weighted. Components in different frames are not averaged, so poles are not special.

    Args:
        source: a `SphereDomain`, or an `Icosphere`, whose cells are the Voronoi cells of its vertices.
        target: a `SphereDomain` or an `Icosphere`.
        method: `conservative`, `linear` or `nearest`.

    Raises:
        ValueError: If a grid is not on the sphere, its cells do not partition the sphere, or the method is unknown.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import HEALPix, LatLonSphere, Regridder
        >>> from gaugenet.groups import SO2, FieldType
        >>> grid = LatLonSphere.regular(19, 36)
        >>> regrid = Regridder(grid, HEALPix(8))
        >>> regrid(grid.from_grid(torch.rand(19, 36))).shape
        torch.Size([768])
        >>> regrid(grid.from_lonlat(torch.rand(19, 36), torch.rand(19, 36)), FieldType(SO2(), "1x1")).shape
        torch.Size([768, 2])
    """

    def __init__(
        self,
        source: SphereDomain | Icosphere,
        target: SphereDomain | Icosphere,
        *,
        method: RegridMethod = "conservative",
    ) -> None:
        if method not in ("conservative", "linear", "nearest"):
            raise ValueError(f"Expected `method` to be 'conservative', 'linear' or 'nearest', got {method!r}.")
        self.source, self.target, self.method = source, target, method
        self._from, self._to = _grid("source", source), _grid("target", target)
        self._matrices: BoundedCache[Tensor] = BoundedCache(max_entries=4)

    @cached_property
    def overlap(self) -> csr_array:
        """Areas of overlap of target cells (rows) and source cells (columns), on the unit sphere."""
        return overlap_areas(self._to.cells(), self._from.cells())

    @cached_property
    def matrix(self) -> csr_array:
        """The matrix of weights, `(target points, source points)`, whose rows sum to 1."""
        if self.method == "conservative":
            return row_means(self.overlap)
        source, target = self._from.pos.numpy(), self._to.pos.numpy()
        if self.method == "linear":
            return interpolation_matrix(*triangle_interpolation(source, self._from.faces(), target), len(source))
        from scipy.spatial import cKDTree

        return selection(cKDTree(source).query(target)[1], len(source))

    def __call__(
        self, x: Float[Tensor, "source *channels"], field_type: FieldType | None = None
    ) -> Float[Tensor, "target *channels"]:
        """Return a field on the target grid.

        Args:
            x: one row per point of the source grid. Without `field_type` all channels are scalars.
            field_type: type of the channels, of SO(2) or O(2), in the frames of the grids (`pos`, `frame`).

        Raises:
            ValueError: If `x` does not have one row per point, or does not have the channels of the field type.
        """
        if x.dim() not in (1, 2) or x.shape[0] != len(self._from.pos):
            raise ValueError(
                f"Expected `x` with one row per source point ({len(self._from.pos)}), got {tuple(x.shape)}."
            )
        if field_type is None:
            matrix = self._matrices.get((x.dtype, x.device), lambda: self._sparse(x))
            return typed_tensor((matrix @ x[:, None])[:, 0] if x.dim() == 1 else matrix @ x)
        field_type.check(x)
        target, source, weight, transporter = (t.to(x.device) for t in self._edges)
        moved = weight.to(x.dtype)[:, None] * field_type.transform(transporter, x[source])
        return x.new_zeros(len(self._to.pos), x.shape[1]).index_add(0, target, moved)

    def winds(self, u: Float[Tensor, "*grid"], v: Float[Tensor, "*grid"]) -> tuple[Tensor, Tensor]:
        """Return eastward and northward components on the target grid of winds on the source grid.

        Their layouts are those of `from_lonlat` of the source and `to_lonlat` of the target.

        Raises:
            ValueError: If one of the grids is an `Icosphere`, whose frames are not east and north.
        """
        if not isinstance(self.source, SphereDomain) or not isinstance(self.target, SphereDomain):
            raise ValueError(
                "Expected two grids with frames to the east and north, got an Icosphere: call the regridder with "
                "`FieldType(SO2(), '1x1')` and coefficients in the frames of the icosphere."
            )
        x = self.source.from_lonlat(u, v)
        return self.target.to_lonlat(self(x, FieldType(SO2(), {1: x.shape[1] // 2})))

    def _sparse(self, like: Tensor) -> Tensor:
        entries = self.matrix.tocoo()
        index = torch.stack([torch.from_numpy(i).long() for i in (entries.row, entries.col)])
        matrix = torch.sparse_coo_tensor(index, torch.from_numpy(entries.data), entries.shape, check_invariants=False)
        return matrix.to(like).coalesce()

    @cached_property
    def _edges(
        self,
    ) -> tuple[Int[Tensor, "edges"], Int[Tensor, "edges"], Float[Tensor, "edges"], Float[Tensor, "edges 2 2"]]:
        """Target, source, weight and transporter of every entry of the matrix."""
        entries = self.matrix.tocoo()
        target, source = (torch.from_numpy(i).long() for i in (entries.row, entries.col))
        p, q = self._to.pos[target], self._from.pos[source]
        moved = Sphere().transport(p[:, None], q[:, None], self._from.frame[source].mT).mT
        return target, source, torch.from_numpy(entries.data), self._to.frame[target].mT @ moved

    def __repr__(self) -> str:
        return f"Regridder({self.source!r} -> {self.target!r}, {self.method})"


@dataclass(frozen=True, eq=False)
class _Grid:
    """The points, frames and cells of one grid of a regridder."""

    pos: Float[Tensor, "points 3"]
    frame: Float[Tensor, "points 3 2"]
    cells: Callable[[], Cells]
    faces: Callable[[], Int[ndarray, "faces 3"]]


def _grid(name: str, space: SphereDomain | Icosphere) -> _Grid:
    if isinstance(space, SphereDomain):
        return _Grid(space.pos, space.frame, lambda: space.cells, lambda: delaunay(space.pos.numpy()))
    if isinstance(space, Icosphere):
        pos, faces = space.pos.numpy(), space.face.numpy().T
        return _Grid(space.pos, space.frame, lambda: voronoi(pos, faces), lambda: faces)
    raise ValueError(f"Expected `{name}` to be a SphereDomain such as HEALPix, or an Icosphere, got {space!r}.")


__all__ = ["RegridMethod", "Regridder"]
