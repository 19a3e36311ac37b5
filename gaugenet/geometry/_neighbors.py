"""Pairs of neighbouring points in flat space, including periodic images of points."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._validation import positive, positive_number
from gaugenet.geometry.cell import PeriodicCell

if TYPE_CHECKING:
    from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Edges:
    """Edges of a cloud, sorted by target.

    Attributes:
        source, target: `(E,)`.
        shift: `(E, d)`, lattice steps from the source to the image that is the neighbour; `None` without a cell.
        radius: radius of the neighbourhoods; `None`: the length of the longest edge.
        order: `(E,)`, position of each edge in the list of the user.
    """

    source: Int[Tensor, "edges"]
    target: Int[Tensor, "edges"]
    shift: Int[Tensor, "edges d"] | None
    radius: float | None
    order: Int[Tensor, "edges"] | None = None

    def vectors(self, pos: Float[Tensor, "points d"], cell: PeriodicCell | None) -> Float[Tensor, "edges d"]:
        """Return the vectors from targets to sources, differentiable in the positions and in the cell."""
        vector = pos[self.source] - pos[self.target]
        return vector if cell is None or self.shift is None else vector + cell.offset(self.shift)


@dataclass(frozen=True)
class Search:
    """One way to choose neighbours: exactly one of the three is not `None`."""

    radius: float | None = None
    mean_neighbors: float | None = None
    neighbors: int | None = None

    def __post_init__(self) -> None:
        if (self.radius, self.mean_neighbors, self.neighbors).count(None) != 2:
            raise ValueError(
                "Expected exactly one of `radius`, `mean_neighbors` and `neighbors`, got "
                f"radius={self.radius}, mean_neighbors={self.mean_neighbors}, neighbors={self.neighbors}."
            )

    def edges(self, pos: Float[Tensor, "points d"], cell: PeriodicCell | None) -> Edges:
        """Return the edges of one cloud."""
        pos = pos.detach()
        if self.radius is not None:
            search_radius = positive_number("radius", self.radius)
            return replace(_images(pos, cell, search_radius).within(search_radius), radius=search_radius)
        if self.neighbors is not None:
            return _nearest(pos, cell, positive("neighbors", self.neighbors))
        return _mean(pos, cell, positive_number("mean_neighbors", self.mean_neighbors))  # type: ignore[arg-type]


class Images:
    """Points of one cloud, and the images of points that may be their neighbours, in a search tree.

    Args:
        pos: `(N, d)`, the points, inside the cell if there is one.
        point, steps: the point of each image, and the lattice steps from the point to the image.
        moved: `(N, d)`, lattice steps by which the user's points were moved into the cell.
        limit: distance up to which all images are included.
    """

    def __init__(
        self, pos: Tensor, cell: PeriodicCell | None, point: Tensor, steps: Tensor, moved: Tensor, limit: float
    ) -> None:
        self.pos, self.cell, self.point, self.steps, self.moved, self.limit = pos, cell, point, steps, moved, limit
        self.all = pos if cell is None else pos[point] + cell.offset(steps).detach()

    @cached_property
    def tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(self.all.numpy())

    def within(self, search_radius: float) -> Edges:
        """Return all edges up to a length."""
        found = self.tree.query_ball_point(self.pos.numpy(), search_radius)
        target = np.repeat(np.arange(len(self.pos)), [len(f) for f in found])
        image = np.concatenate([np.asarray(f, dtype=np.int64) for f in found])
        return self.edges(target, image)

    def nearest(self, k: int) -> tuple[Float[ndarray, "points k"], Int[ndarray, "points k"]]:
        """Return the distances and indices of the k nearest images of every point, the point itself first."""
        distance, image = self.tree.query(self.pos.numpy(), k)
        return distance.reshape(len(self.pos), k), image.reshape(len(self.pos), k)

    def edges(self, target: Int[ndarray, "edges"], image: Int[ndarray, "edges"]) -> Edges:
        """Return sorted edges from images to targets, without edges from a point to itself."""
        to, one = torch.from_numpy(np.ascontiguousarray(target)), torch.from_numpy(np.ascontiguousarray(image))
        source, steps = self.point[one], self.steps[one]
        other = (source != to) | (steps != 0).any(1)
        to, source, steps = to[other], source[other], steps[other]
        shift = steps + self.moved[source] - self.moved[to]
        order = np.lexsort((*shift.T.flip(0).numpy(), source.numpy(), to.numpy()))
        return Edges(source[order], to[order], None if self.cell is None else shift[order], None)


def _images(pos: Tensor, cell: PeriodicCell | None, distance: float) -> Images:
    none = torch.zeros(pos.shape, dtype=torch.int64)
    if cell is None:
        return Images(pos, None, torch.arange(len(pos)), none, none, math.inf)
    inside, moved = cell.wrap(pos)
    inside = inside.detach()
    return Images(inside, cell, *cell.images(inside, distance), moved, distance)


def _first_distance(pos: Tensor, cell: PeriodicCell, count: float) -> float:
    """Return the distance within which `count` neighbours are expected if points fill the cell evenly."""
    volume = float(torch.linalg.det(cell.vectors.detach()).abs())
    return math.pow(volume * (count + 1) / len(pos), 1 / cell.d)


def _nearest(pos: Tensor, cell: PeriodicCell | None, k: int) -> Edges:
    if cell is None and k >= len(pos):
        raise ValueError(f"Expected `neighbors` below the number of points, {len(pos)}, got {k}.")
    search_radius = math.inf if cell is None else _first_distance(pos, cell, k)
    while True:
        images = _images(pos, cell, search_radius)
        if len(images.all) > k:
            distance, image = images.nearest(k + 1)
            if distance.max() <= images.limit:
                break
        search_radius = 2 * search_radius
    target = np.broadcast_to(np.arange(len(pos))[:, None], image.shape)
    own = (images.point.numpy()[image] == target) & (images.steps.numpy()[image] == 0).all(-1)
    other = ~own
    other[other.all(1), -1] = False  # the point itself is missing if many others have its position
    return images.edges(target[other], image[other])


def _mean(pos: Tensor, cell: PeriodicCell | None, mean: float) -> Edges:
    """Return the edges up to the distance within which points have `mean` neighbours on average."""
    count = len(pos)
    wanted = round(mean * count)
    if wanted <= 0 or (cell is None and wanted > count * (count - 1)):
        raise ValueError(f"Expected `mean_neighbors` below the number of points, {count}, got {mean}.")
    search_radius = math.inf if cell is None else _first_distance(pos, cell, 2 * mean)
    k = 2 + math.ceil(2 * mean)
    while True:
        images = _images(pos, cell, search_radius)
        have = min(len(images.all), k)
        distance = images.nearest(have)[0][:, 1:]
        ordered = np.sort(distance, axis=None)
        found = ordered[min(wanted, ordered.size) - 1] if ordered.size else math.inf
        complete = have == len(images.all) or found <= distance[:, -1].min()
        if ordered.size >= wanted and complete and found <= images.limit:
            break
        k = 2 * k
        if ordered.size < wanted or found > images.limit:
            search_radius = 2 * search_radius
    return images.within(float(found * (1 + 1e-12)))  # including the point at this distance


def given_edges(edge_index: Int[Tensor, "2 edges"], count: int, d: int, shift: Int[Tensor, "edges d"] | None) -> Edges:
    """Return a user's edges, sorted by target; edges of one target stay in the user's order.

    Raises:
        ValueError: If an edge is out of range, is repeated, or joins a point to itself; if `shift` does not fit.
    """
    edge_index = torch.as_tensor(edge_index).detach().cpu()
    if edge_index.dim() != 2 or edge_index.shape[0] != 2 or edge_index.is_floating_point():
        raise ValueError(
            f"Expected `edge_index` of integers, shape (2, E) (sources, targets), got {edge_index.dtype} "
            f"{tuple(edge_index.shape)}" + (": pass `edge_index.T`." if edge_index.shape[-1:] == (2,) else ".")
        )
    edge_index = edge_index.long()
    bad = ((edge_index < 0) | (edge_index >= count)).any(0)
    if bool(bad.any()):
        first = int(bad.nonzero()[0])
        raise ValueError(
            f"Expected points 0 ... {count - 1} in `edge_index`, got {int(bad.sum())} edges outside, the first at "
            f"position {first}: {edge_index[:, first].tolist()}."
        )
    if shift is not None:
        shift = torch.as_tensor(shift).detach().cpu()
        if tuple(shift.shape) != (edge_index.shape[1], d) or not bool((shift == shift.round()).all()):
            raise ValueError(
                f"Expected `edge_shift` of whole lattice steps, shape ({edge_index.shape[1]}, {d}), "
                f"got {tuple(shift.shape)}."
            )
        shift = shift.long()
    order = edge_index[1].argsort(stable=True)
    source, target = edge_index[:, order]
    return Edges(source, target, None if shift is None else shift[order], None, order)


def check_not_repeated(edges: Edges) -> None:
    """Raise `ValueError` if two edges join the same points (and images)."""
    pair = edges.source * (edges.target.max() + 1) + edges.target if len(edges.source) else edges.source
    if len(torch.unique(pair)) == len(pair):
        return  # the usual case; `unique` of rows costs 50 times as much
    key = torch.stack([edges.source, edges.target], 1)
    if edges.shift is not None:
        key = torch.cat([key, edges.shift], 1)
    unique, inverse, counts = torch.unique(key, dim=0, return_inverse=True, return_counts=True)
    if len(unique) == len(key):
        return
    first = int((counts[inverse] > 1).nonzero()[0])
    q, p = int(edges.source[first]), int(edges.target[first])
    raise ValueError(
        f"Expected every edge of `edge_index` once, got {len(key) - len(unique)} repeated, e.g. {q} -> {p}: remove "
        "them, e.g. with `torch_geometric.utils.coalesce`."
    )


__all__ = ["Edges", "Images", "Search", "check_not_repeated", "given_edges"]
