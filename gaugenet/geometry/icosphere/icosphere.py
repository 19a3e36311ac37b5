"""Icosphere: the subdivided icosahedron as charts, as a gauge graph, and as a domain of convolutions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from numbers import Integral
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._transforms import outside_transforms
from gaugenet._typing import typed_array, typed_tensor
from gaugenet.geometry.domain import single_sample
from gaugenet.geometry.grids.stencil import Stencil, centred_indices
from gaugenet.geometry.icosphere import _charts
from gaugenet.geometry.icosphere._graph import RADIUS, geodesic_levels, hexagonal_graph
from gaugenet.groups.families.cyclic import Cyclic
from gaugenet.groups.families.so2 import SO2
from gaugenet.groups.group import StructureGroup

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph

VertexProjection = Literal["recursive", "planar"]
IcosphereConnection = Literal["hexagonal", "levi_civita"]


class Icosphere:
    """The icosahedron subdivided `level` times, on the unit sphere: all its 10 * 4^level + 2 vertices.

    It is a domain of convolutions (:cite:`cohen2019gauge`, here with all vertices): `conv(x, icosphere)` convolves the
    five charts at once, and equals `conv(x, icosphere.gauge_graph(group))` at every vertex. Features have their
    channels in dimension 1:

    - `(V, C)` or `(B, C, V)` in vertex order: the five charts of n x 2n vertices (n = 2^level) one after the other, row
      by row, then the north and the south pole;
    - `(B, C, 5n + 1, 2n)`, the chart layout that networks keep from layer to layer: the charts stacked, and a last row
      that starts with the two poles (see `to_charts`, `from_charts`).

    Its reference frames are hexagonal and constant on each chart. Transport in this C_6-structure is flat except at the
    twelve corners of the icosahedron (`corners`), where the holonomy is 60 degrees and no frame exists. There only the
    C_6-invariant part of a field is defined, so stored values must be invariant. Convolutions read and write only the
    invariant part.

    Latitude of (x, y, z) is asin z, longitude atan2(y, x).

    Args:
        level: number of subdivisions.
        projection: `recursive`, each subdivision normalized to the sphere (largest area of a hexagonal cell / smallest:
            1.30), or `planar`, flat faces projected from the centre (1.96).
        neighborhood: rings of neighbours in the hexagonal lattice, 1 (six neighbours) or 2 (eighteen, from level 2 on).
            Straight beyond a corner there are two vertices, one from each side, and both have half the weight.
        stride: with 2 the output is computed only at the vertices of the next coarser level, see `strided`.

    Raises:
        ValueError: If `level` is not an integer from 0 to 12, the projection is unknown, or the level does not allow
            the neighborhood or the stride.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import GaugeConv
        >>> sphere = Icosphere(3)
        >>> sphere.num_vertices, sphere.chart_shape
        (642, (41, 16))
        >>> conv = GaugeConv(FieldType(Cyclic(6), "3x0"), FieldType(Cyclic(6), "1xregular"))
        >>> conv(torch.rand(642, 3), sphere).shape
        torch.Size([642, 6])
    """

    level: int
    projection: VertexProjection
    neighborhood: int
    stride: int
    n: int

    def __init__(
        self, level: int, *, projection: VertexProjection = "recursive", neighborhood: int = 1, stride: int = 1
    ) -> None:
        if not isinstance(level, Integral) or isinstance(level, bool) or not 0 <= level <= 12:
            raise ValueError(f"Expected `level` to be an integer from 0 to 12, got {level!r}.")
        if projection not in ("recursive", "planar"):
            raise ValueError(f"Unknown projection {projection!r}: expected `recursive` or `planar`.")
        if stride not in ((1, 2) if level else (1,)):
            raise ValueError(f"Expected `stride` 1, or 2 above level 0, got {stride!r} at level {level}.")
        if neighborhood not in ((1, 2) if level > 1 else (1,)):
            raise ValueError(f"Expected `neighborhood` 1, or 2 from level 2 on, got {neighborhood!r} at level {level}.")
        self.level, self.projection = int(level), projection
        self.neighborhood, self.stride = int(neighborhood), int(stride)
        self.n = 2**self.level

    # --- vertices ---------------------------------------------------------------------------------------------------

    @property
    def num_vertices(self) -> int:
        return _charts.num_vertices(self.level)

    num_nodes = num_vertices

    @property
    def structures(self) -> frozenset[str]:
        """C_6: transport between chart frames rotates by multiples of 60 degrees."""
        return frozenset(["C_6"])

    def areas(self, x: Tensor) -> Float[Tensor, "..."]:
        """Return `mass` in vertex order, or in the chart layout for features in it; unused cells have 0."""
        return self.to_charts(self.mass) if x.dim() == 4 else self.mass

    def membership(self) -> tuple[Int[Tensor, "vertices"], int]:
        """Return the membership of the vertices: one sphere is one sample."""
        return single_sample(self.num_vertices)

    @property
    def chart_shape(self) -> tuple[int, int]:
        """Shape of the chart layout: the five charts stacked, and the row of the poles."""
        return _charts.CHARTS * self.n + 1, 2 * self.n

    @cached_property
    def pos(self) -> Float[Tensor, "vertices 3"]:
        """Positions of the vertices as unit vectors, float64."""
        grid = _subdivided(self.level) if self.projection == "recursive" else _projected(self.level)
        poles = grid[0, [0, -1], [-1, 0]]
        with outside_transforms():
            return torch.from_numpy(np.concatenate([grid[:, :-1, :-1].reshape(-1, 3), poles]))

    @cached_property
    def latitude(self) -> Float[Tensor, "vertices"]:
        """Latitudes in radians."""
        return torch.asin(self.pos[:, 2].clamp(-1, 1))

    @cached_property
    def longitude(self) -> Float[Tensor, "vertices"]:
        """Longitudes in radians, from 0 to 2 pi."""
        return torch.atan2(self.pos[:, 1], self.pos[:, 0]).remainder(2 * math.pi)

    @cached_property
    def face(self) -> Int[Tensor, "3 faces"]:
        """The triangles, counter-clockwise seen from outside."""
        with outside_transforms():
            return torch.from_numpy(_charts.faces(self.level).T.copy())

    @cached_property
    def mass(self) -> Float[Tensor, "vertices"]:
        """A third of the spherical areas of the triangles around each vertex; the sum is 4 pi."""
        with outside_transforms():
            a, b, c = self.pos[self.face]
            volume = (a * torch.linalg.cross(b, c)).sum(-1)
            denominator = 1 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1)
            area = 2 * torch.atan2(volume, denominator)  # Van Oosterom and Strackee (1983)
            return area.new_zeros(self.num_vertices).index_add(0, self.face.flatten(), area.repeat(3) / 3)

    @cached_property
    def corners(self) -> Int[Tensor, "12"]:
        """The vertices of the icosahedron, the only ones with five neighbours."""
        with outside_transforms():
            return torch.from_numpy(_charts.corners(self.level))

    @property
    def spacing(self) -> float:
        """Edge length of the hexagonal lattice with cells of the mean area, in radians."""
        return math.sqrt(8 * math.pi / (math.sqrt(3) * self.num_vertices))

    @cached_property
    def frame(self) -> Float[Tensor, "vertices 3 2"]:
        """The chart frames; columns are their axes in space, the first towards the neighbour in direction 0.

        Directions to neighbours on the sphere are not exact multiples of 60 degrees. The frame is the rotation that
        fits them best, so it rotates by multiples of 60 degrees under the rotations of the icosahedron.
        """
        table = _charts.neighbors(self.level)
        pos = self.pos.numpy()
        toward = pos[table] - (pos[table] @ pos[:, :, None]) * pos[:, None]
        toward[table >= 0] = _unit(toward[table >= 0])
        quarter = np.cross(pos[:, None], toward)
        angle = -np.arange(6) * math.pi / 3
        rotated = np.cos(angle)[:, None] * toward + np.sin(angle)[:, None] * quarter
        rotated[self.corners.numpy(), 1:] = 0
        first = rotated.sum(1)
        first /= np.linalg.norm(first, axis=-1, keepdims=True)
        return torch.from_numpy(np.stack([first, np.cross(pos, first)], -1))

    def gauge_graph(
        self,
        group: StructureGroup | None = None,
        *,
        connection: IcosphereConnection = "hexagonal",
        radius: float | None = None,
        mean_neighbors: float | None = None,
        levels: int = 1,
        dtype: torch.dtype = torch.float64,
    ) -> GaugeGraph:
        """Return the neighbourhoods of all vertices, in vertex order and in the frames `frame`.

        With `levels`, the graph also holds coarser icospheres, for `Pool`, `Unpool` and networks such as `MeshUNet`.

        Args:
            group: the structure group of the features. Default: C_6, or SO(2) for `levi_civita`.
            connection: `hexagonal`, as in the charts: six neighbours at exact multiples of 60 degrees and transport in
                C_6; or `levi_civita`: the logarithmic maps and the transport of the sphere, without singular points,
                for SO(2) and O(2).
            radius: radius of geodesic neighbourhoods in radians, for `levi_civita` only. Default: the nearest vertices.
            mean_neighbors: mean number of neighbours, instead of `radius`.
            levels: number of levels with this one, for `levi_civita` only. A `radius` doubles from level to level.
            dtype: precision of all floating-point tensors.

        Raises:
            ValueError: If the group does not contain the transporters, the connection does not have an option, or there
                are not enough coarser icospheres for `levels`.
        """
        check_connection(connection)
        if connection == "levi_civita":
            return geodesic_levels(self, SO2() if group is None else group, radius, mean_neighbors, levels, dtype)
        if radius is not None or mean_neighbors is not None or levels != 1:
            raise ValueError(
                "Expected no `radius`, no `mean_neighbors` and no `levels` with the hexagonal connection: omit them, "
                "or pass connection='levi_civita'."
            )
        return hexagonal_graph(self, Cyclic(6) if group is None else group, dtype)

    # --- levels -----------------------------------------------------------------------------------------------------

    def coarser(self, levels: int = 1) -> Icosphere:
        """Return the icosphere of a lower level, with a subset of the vertices; below level 2 with one ring."""
        level = self.level - levels
        return icosphere(level, self.projection, self.neighborhood if level > 1 else 1)

    def finer(self, levels: int = 1) -> Icosphere:
        """Return the icosphere of a higher level."""
        return icosphere(self.level + levels, self.projection, self.neighborhood)

    def strided(self) -> Icosphere:
        """Return this icosphere as the domain of a convolution whose output is on `coarser()`."""
        return icosphere(self.level, self.projection, self.neighborhood, 2)

    @property
    def out(self) -> Icosphere:
        """The icosphere of the output of a convolution."""
        return self if self.stride == 1 else self.coarser()

    @cached_property
    def coarse_vertices(self) -> Int[Tensor, "coarse"]:
        """The vertices of `coarser()` in its order: even rows and columns, and the poles."""
        if not self.level:
            raise ValueError("Expected an icosphere of level 1 or more, got level 0, which has no coarser level.")
        return torch.from_numpy(_charts.coarse_vertices(self.level))

    # --- layouts ----------------------------------------------------------------------------------------------------

    def to_charts(self, x: Float[Tensor, "*batch vertices"]) -> Float[Tensor, "*batch rows columns"]:
        """Return values in vertex order in the chart layout; the unused cells of the last row are zero."""
        if x.shape[-1] != self.num_vertices:
            raise ValueError(
                f"Expected one value per vertex ({self.num_vertices}) in the last dimension, got {tuple(x.shape)}."
            )
        rows, columns = self.chart_shape
        return typed_tensor(
            torch.nn.functional.pad(x, (0, rows * columns - self.num_vertices)).unflatten(-1, (rows, columns))
        )

    def from_charts(self, x: Float[Tensor, "*batch rows columns"]) -> Float[Tensor, "*batch vertices"]:
        """Return values in the chart layout in vertex order."""
        if x.shape[-2:] != self.chart_shape:
            raise ValueError(f"Expected charts of shape (..., {self.chart_shape}), got {tuple(x.shape)}.")
        return x.flatten(-2)[..., : self.num_vertices]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Icosphere) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[int, str, int, int]:
        return self.level, self.projection, self.neighborhood, self.stride

    def __repr__(self) -> str:
        usual = {"projection": "recursive", "neighborhood": 1, "stride": 1}
        options = [f", {name}={getattr(self, name)!r}" for name, value in usual.items() if getattr(self, name) != value]
        return f"Icosphere({self.level}{''.join(options)})"


def check_connection(connection: str) -> None:
    """Raise `ValueError` if the connection is unknown."""
    if connection not in get_args(IcosphereConnection):
        raise ValueError(f"Unknown connection {connection!r}: expected `hexagonal` or `levi_civita`.")


@lru_cache(maxsize=64)
def icosphere(
    level: int, projection: VertexProjection = "recursive", neighborhood: int = 1, stride: int = 1
) -> Icosphere:
    """Return the icosphere of a level, the same object on every call."""
    return Icosphere(level, projection=projection, neighborhood=neighborhood, stride=stride)


@dataclass(frozen=True)
class HexagonalStencil(Stencil):
    """The neighbours of a vertex in a chart, as cells of a square window; cells beyond the hexagon have weight 0."""

    rings: int = 1

    @property
    def window(self) -> tuple[int, int]:  # type: ignore[override]
        return (2 * self.rings + 1,) * 2

    @property
    def offsets(self) -> Float[Tensor, "cells 2"]:
        axes = Cyclic(6).elements()[[0, 2], :, 0]
        return centred_indices(self.window) @ axes / RADIUS

    @property
    def weights(self) -> Float[Tensor, "cells"]:
        used = _charts.CELLS[: _charts.NUM_CELLS[self.rings]] + self.rings
        inside = torch.zeros(self.window, dtype=torch.float64)
        inside[used[:, 0], used[:, 1]] = 1
        return inside.flatten() / (1 + len(used))


def _icosahedron() -> Float[ndarray, "charts 2 3 3"]:
    """Return the positions of the cells (0, 0), (0, n), (0, 2n) and (n, 0), (n, n), (n, 2n) of every chart."""
    ring, height = 2 / math.sqrt(5), 1 / math.sqrt(5)

    def corner(step: int, z: float) -> list[float]:
        return [ring * math.cos(step * math.pi / 5), ring * math.sin(step * math.pi / 5), z]

    north, south = [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]
    return np.array(
        [
            [
                [corner(2 * c, -height), corner(2 * c + 1, height), north],
                [south, corner((2 * c + 2) % 10, -height), corner((2 * c + 3) % 10, height)],
            ]
            for c in range(_charts.CHARTS)
        ]
    )


def _subdivided(level: int) -> Float[ndarray, "charts rows columns 3"]:
    """Return the positions by repeated subdivision: midpoints of edges, normalized."""
    grid = _icosahedron()
    for _ in range(level):
        charts, rows, columns, _ = grid.shape
        fine = np.empty((charts, 2 * rows - 1, 2 * columns - 1, 3))
        fine[:, ::2, ::2] = grid
        fine[:, 1::2, ::2] = _unit(grid[:, 1:] + grid[:, :-1])
        fine[:, ::2, 1::2] = _unit(grid[:, :, 1:] + grid[:, :, :-1])
        fine[:, 1::2, 1::2] = _unit(grid[:, 1:, 1:] + grid[:, :-1, :-1])
        grid = fine
    return grid


def _projected(level: int) -> Float[ndarray, "charts rows columns 3"]:
    """Return the lattice points of the flat triangles, normalized."""
    corner = _icosahedron()
    n = 2**level
    i, j = np.indices((n + 1, 2 * n + 1))
    block = np.minimum(j // n, 1)
    s, t = (i / n)[..., None], ((j - block * n) / n)[..., None]
    a, b = corner[:, 0, block], corner[:, 1, block + 1]
    below, beside = corner[:, 1, block], corner[:, 0, block + 1]
    points = np.where(s >= t, (1 - s) * a + (s - t) * below + t * b, (1 - t) * a + (t - s) * beside + s * b)
    return _unit(points)


def _unit(x: ndarray) -> ndarray:
    return typed_array(x / np.linalg.norm(x, axis=-1, keepdims=True))
