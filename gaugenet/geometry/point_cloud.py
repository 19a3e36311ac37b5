"""PointCloud: points of flat space with parallel frames, as a gauge graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet.geometry._neighbors import Edges, Search, check_not_repeated, given_edges
from gaugenet.geometry._point_weights import AreaRule, areas, volumes, weights
from gaugenet.geometry.cell import PeriodicCell
from gaugenet.groups import StructureGroup
from gaugenet.groups.group import check_group, is_orthogonal

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph

Cells = Float[Tensor, "d d"] | Float[Tensor, "clouds d d"] | PeriodicCell
"""One lattice for all clouds, one for each cloud, or a `PeriodicCell`."""


class PointCloud:
    """Points of flat space. The axes of space are parallel, so features are transported unchanged.

    The gauge graph is differentiable in `pos` and `cell`: forces are `-grad(energy, pos)`.

    Args:
        pos: `(N, d)`, in any unit of length.
        cell: `(d, d)`, one lattice vector per row, for periodic space; `(B, d, d)`, one cell for each cloud of a batch.
            Cells may have any angles, and points may lie outside.
        periodic: the lattice vectors along which space repeats.

    Raises:
        ValueError: If the shape is another one, there is no point, a coordinate is not finite, or a cell has no volume.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import PointCloud
        >>> from gaugenet.groups import O3, FieldType
        >>> from gaugenet.nn import GaugeConv
        >>> pos = torch.rand(50, 3, requires_grad=True)
        >>> graph = PointCloud(pos).gauge_graph(O3(), radius=0.5, weight="smooth", mass=0.02, isolated=True)
        >>> scalars = FieldType(O3(), "1x0e")
        >>> energy = GaugeConv(scalars, scalars)(torch.ones(50, 1), graph).sum()
        >>> (gradient,) = torch.autograd.grad(energy, pos)
        >>> gradient.shape
        torch.Size([50, 3])
    """

    def __init__(
        self,
        pos: Float[Tensor, "points d"] | ndarray | Sequence[Sequence[float]],
        *,
        cell: Cells | None = None,
        periodic: bool | Sequence[bool] = True,
    ) -> None:
        own = pos if isinstance(pos, Tensor) else torch.tensor(pos, dtype=torch.float64)  # not the memory of an array
        self.pos = own.to("cpu", torch.float64)
        if self.pos.dim() != 2 or not self.pos.numel():
            raise ValueError(
                f"Expected `pos` of shape (N, d) with at least one point and one axis, got {tuple(self.pos.shape)}."
            )
        bad = int((~self.pos.isfinite()).any(1).sum())
        if bad:
            raise ValueError(f"Expected finite coordinates, got NaN or infinity at {bad} points: remove these points.")
        self.cells = _cells(cell, self.d, periodic)

    def __len__(self) -> int:
        return len(self.pos)

    @property
    def d(self) -> int:
        return self.pos.shape[1]

    def gauge_graph(
        self,
        group: StructureGroup,
        *,
        radius: float | None = None,
        mean_neighbors: float | None = None,
        neighbors: int | None = None,
        edge_index: Int[Tensor, "2 edges"] | None = None,
        edge_shift: Int[Tensor, "edges d"] | None = None,
        edge_attr: Float[Tensor, "edges size"] | None = None,
        isolated: bool = False,
        mass: AreaRule | float | Float[Tensor, "points"] = "uniform",
        weight: Literal["quadrature", "smooth"] = "quadrature",
        frames: Literal["random"] | Float[Tensor, "points d d"] | None = None,
        batch: Int[Tensor, "points"] | None = None,
        seed: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> GaugeGraph:
        r"""Return the graph of neighbours, with the trivial connection.

        With a cell, all images within the radius are neighbours, including several images of one point and images of
        the point itself. The graph then has the lattice steps of every edge as `edge_shift`.

        Args:
            group: structure group acting on R^d, e.g. `SO3()`.
            radius: radius of the neighbourhoods, in the unit of `pos`. With `edge_index`, the scale of distances.
            mean_neighbors: instead of `radius`, the mean number of neighbours, which determines the radius.
            neighbors: instead of `radius`, the number k of nearest points; the graph's radius is the longest edge.
            edge_index: `(2, E)`, edges of your own instead of a search: sources and targets, in any order and of any
                length. The graph sorts them by target. Without `radius`, the graph's radius is the longest edge.
            edge_shift: `(E, d)`, lattice steps to the image of the source for each edge in `edge_index`. Default: the
                nearest image.
            edge_attr: `(E, size)`, attributes of each edge in `edge_index`; the graph sorts them like the edges.
            isolated: allow points without neighbours (always allowed with `edge_index`).
            mass: volume that each point represents. `"uniform"`: the same for all; `"density"`: from the distance of
                the eighth neighbour, for uneven clouds, with a scatter of a third; a number; or `(N,)`.
            weight: `"quadrature"`: mass divided by the mass of the neighbourhood, so that the result depends little on
                the sampling density. `"smooth"`: mass divided by the volume of a ball of this radius, times a twice
                differentiable cutoff u(|v| / radius). Then the result is continuous when a point crosses the radius, as
                needed for energies of molecules. Pass the mass as a number (mean volume of a point), or a cell.
            frames: axes of every point as columns, `(N, d, d)`, orthonormal and related by elements of the group;
                `"random"` draws them from the group. Default: the axes of space.
            batch: `(N,)`, the cloud that each point belongs to, ascending. There are no edges between clouds.
            seed: seed of random frames.
            dtype: precision of the result; everything is computed in float64.

        Raises:
            ValueError: If not exactly one of `radius`, `mean_neighbors`, `neighbors` and `edge_index` is given; if a
                group or frames do not fit; if two neighbours have the same position; if an edge is repeated, out of
                range, or joins two clouds; if a point has no neighbour and `isolated` is false.
        """
        check_group(group)
        if group.d != self.d:
            raise ValueError(f"Expected a group acting on R^{self.d}, got {group.name} on R^{group.d}.")
        frame = self._frames(group, frames, seed)
        mass_of = mass if isinstance(mass, str) else areas(mass, len(self))
        bounds = [0, *_starts(batch, len(self)), len(self)]
        cells = self._cells_of(len(bounds) - 1)
        if edge_index is None:
            _need_own_edges(edge_attr=edge_attr, edge_shift=edge_shift)
            search = Search(radius, mean_neighbors, neighbors)
            clouds = [search.edges(self.pos[a:b], c) for (a, b), c in zip(pairwise(bounds), cells, strict=True)]
        elif mean_neighbors is None and neighbors is None:
            clouds = _split(self._given(edge_index, edge_shift, bounds, cells, radius), bounds)
        else:
            raise ValueError("Expected `edge_index` without `mean_neighbors` and `neighbors`.")
        attributes = _attributes(edge_attr, clouds)
        graphs = []
        for (a, b), cell, edges, attribute in zip(pairwise(bounds), cells, clouds, attributes, strict=True):
            own = mass_of if isinstance(mass_of, str) else mass_of[a:b]
            part = _Cloud(self.pos[a:b], cell, edges, isolated or edge_index is not None)
            graphs.append(part.graph(frame[a:b], own, weight, group, attribute, dtype))
        if batch is None:
            return graphs[0]
        from gaugenet._pyg import Batch

        batched: GaugeGraph = Batch.from_data_list(graphs)
        return batched

    def _given(
        self,
        edge_index: Tensor,
        edge_shift: Tensor | None,
        bounds: list[int],
        cells: list[PeriodicCell | None],
        radius: float | None,
    ) -> Edges:
        edges = given_edges(edge_index, len(self), self.d, edge_shift)
        cloud = torch.bucketize(torch.arange(len(self)), torch.tensor(bounds[1:]), right=True)
        between = cloud[edges.source] != cloud[edges.target]
        if bool(between.any()):
            first = int(between.nonzero()[0])
            raise ValueError(
                f"Expected edges within the clouds of `batch`, got {int(between.sum())} between two clouds, e.g. "
                f"{int(edges.source[first])} -> {int(edges.target[first])}."
            )
        shift = edges.shift
        if shift is not None and all(cell is None for cell in cells):
            raise ValueError("Expected `edge_shift` only with a cell: pass `PointCloud(pos, cell=...)`.")
        if shift is None and any(cell is not None for cell in cells):
            shift = torch.zeros(len(edges.source), self.d, dtype=torch.int64)
            straight = (self.pos[edges.source] - self.pos[edges.target]).detach()
            for number, cell in enumerate(cells):
                if cell is not None:
                    own = cloud[edges.target] == number
                    shift[own] = cell.minimum_image(straight[own])
        edges = Edges(edges.source, edges.target, shift, radius, edges.order)
        check_not_repeated(edges)
        return edges

    def _cells_of(self, clouds: int) -> list[PeriodicCell | None]:
        if len(self.cells) == 1:
            return self.cells * clouds
        if len(self.cells) != clouds:
            raise ValueError(f"Expected one `cell`, or one for each of {clouds} clouds, got {len(self.cells)}.")
        return self.cells

    def _frames(self, group: StructureGroup, frames: str | Tensor | None, seed: int | None) -> Tensor:
        shape = (len(self), self.d, self.d)
        if frames is None:
            return torch.eye(self.d, dtype=torch.float64).repeat(len(self), 1, 1)
        if isinstance(frames, str):
            if frames != "random":
                raise ValueError(f"Expected `frames` 'random', a tensor {shape} or none, got {frames!r}.")
            generator = None if seed is None else torch.Generator().manual_seed(seed)
            return group.random_element(len(self), generator=generator)
        if tuple(frames.shape) != shape:
            raise ValueError(f"Expected `frames` of shape {shape}, got {tuple(frames.shape)}.")
        frame = frames.detach().to("cpu", torch.float64)
        relative = frame[:1].mT @ frame
        if not bool((is_orthogonal(frame, 1e-5) & group.contains(relative, 1e-5)).all()):
            raise ValueError(
                f"Expected orthonormal `frames` that differ by elements of {group.name}: frame_p^T frame_q must lie in "
                "the structure group, since it transports features. Use a larger group."
            )
        return frame

    def __repr__(self) -> str:
        return f"PointCloud({len(self)} points, d={self.d}{', periodic' if self.cells[0] is not None else ''})"


@dataclass(frozen=True)
class _Cloud:
    """One cloud with its edges."""

    pos: Tensor
    cell: PeriodicCell | None
    edges: Edges
    isolated: bool

    def graph(
        self,
        frame: Tensor,
        mass: str | Tensor,
        weight: str,
        group: StructureGroup,
        attribute: Tensor | None,
        dtype: torch.dtype,
    ) -> GaugeGraph:
        from gaugenet.geometry.gauge_graph import GaugeGraph

        source, target = self.edges.source, self.edges.target
        vector = self.edges.vectors(self.pos, self.cell)
        self._check(vector)
        search_radius = self._radius(vector)
        volume = volumes(mass, self.pos, self.cell, target, search_radius, weight) if isinstance(mass, str) else mass
        inverse = frame.mT[target]

        graph = GaugeGraph(
            edge_index=torch.stack([source, target]),
            log_map=(inverse @ vector[..., None])[..., 0].to(dtype),
            transporter=(inverse @ frame[source]).to(dtype),
            weight=weights(weight, vector, volume, source, target, search_radius).to(dtype),
            frame=frame.to(dtype),
            pos=self.pos.to(dtype),
            mass=volume.to(dtype),
            radius=search_radius.reshape(1).to(dtype),
            structure=group.name,
        )
        if self.edges.shift is not None:
            graph.edge_shift = self.edges.shift
        if attribute is not None:
            graph.edge_attr = attribute.to(dtype)
        return graph

    def _radius(self, vector: Tensor) -> Float[Tensor, ""]:
        """Return the given radius, or the longest edge as a differentiable function of the positions."""
        if self.edges.radius is not None:
            return torch.tensor(self.edges.radius, dtype=torch.float64)
        if not len(vector):
            return torch.ones((), dtype=torch.float64)
        longest: Tensor = torch.linalg.vector_norm(vector, dim=1).max()
        return longest

    def _check(self, vector: Tensor) -> None:
        resolution = 8 * torch.finfo(torch.float64).eps * float(self.pos.detach().abs().max())
        same = torch.linalg.vector_norm(vector.detach(), dim=1) <= resolution
        if bool(same.any()):
            raise ValueError(self._coincident(same))
        alone = len(self.pos) - len(torch.unique(self.edges.target))
        if alone and not self.isolated:
            within = "" if self.edges.radius is None else f" within {self.edges.radius:.3g}"
            raise ValueError(
                f"{alone} of {len(self.pos)} points have no neighbour{within}: use a larger "
                "radius or `neighbors=...` (nearest points at any distance), pass `isolated=True`, or remove them."
            )

    def _coincident(self, same: Tensor) -> str:
        loops = int((same & (self.edges.source == self.edges.target)).sum())
        if loops:
            return (
                f"Expected edges between different points, got {loops} self-loops, which have no direction: remove "
                "them. Layers have their own weight for the point itself (`self_interaction`)."
            )
        count = len(torch.unique(self.edges.target[same]))
        return (
            f"Expected neighbours with different positions, got {count} points with the position of another one, to "
            "which there is no direction: merge them, e.g. with `numpy.unique(pos, axis=0)`."
        )


def _cells(cell: Cells | None, d: int, periodic: bool | Sequence[bool]) -> list[PeriodicCell | None]:
    if cell is None:
        return [None]
    if isinstance(cell, PeriodicCell):
        found = [cell]
    else:
        vectors = torch.as_tensor(cell)
        found = [PeriodicCell(v, periodic=periodic) for v in (vectors if vectors.dim() == 3 else vectors[None])]
    if not found or found[0].d != d:
        raise ValueError(
            f"Expected `cell` of shape ({d}, {d}) or (B, {d}, {d}), got {tuple(torch.as_tensor(cell).shape)}."
        )
    return [c if bool(c.periodic.any()) else None for c in found]


def _starts(batch: Tensor | None, count: int) -> list[int]:
    """Return the first points of the second and later clouds."""
    if batch is None:
        return []
    if tuple(batch.shape) != (count,) or bool((batch.diff() < 0).any()):
        raise ValueError(f"Expected `batch` of shape ({count},) in ascending order, got {tuple(batch.shape)}.")
    return (batch.diff().nonzero().flatten() + 1).tolist()


def _split(edges: Edges, bounds: list[int]) -> list[Edges]:
    """Return the edges of each cloud, numbered within it."""
    at = torch.searchsorted(edges.target.contiguous(), torch.tensor(bounds)).tolist()
    parts = []
    for (first, last), start in zip(pairwise(at), bounds, strict=False):
        here = slice(first, last)
        shift = None if edges.shift is None else edges.shift[here]
        order = None if edges.order is None else edges.order[here]
        parts.append(Edges(edges.source[here] - start, edges.target[here] - start, shift, edges.radius, order))
    return parts


def _attributes(edge_attr: Tensor | None, clouds: list[Edges]) -> list[Tensor | None]:
    """Return the attributes of each cloud's edges, in the order of the graph."""
    if edge_attr is None:
        return [None for _ in clouds]
    count = sum(len(c.source) for c in clouds)
    if edge_attr.dim() != 2 or edge_attr.shape[0] != count:
        raise ValueError(
            f"Expected `edge_attr` with one row for each of the {count} edges, got shape {tuple(edge_attr.shape)}."
        )
    return [edge_attr.cpu()[c.order] for c in clouds]


def _need_own_edges(**given: Tensor | None) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"Expected `edge_index` together with `{name}`, which describes its edges.")
