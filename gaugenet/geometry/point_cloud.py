"""PointCloud: points of flat space, with parallel frames, as a gauge graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._validation import positive, positive_number
from gaugenet.geometry.mesh.transport import neighborhood_weights
from gaugenet.groups import StructureGroup
from gaugenet.groups.group import is_orthogonal

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

    from gaugenet.geometry.gauge_graph import GaugeGraph

AreaRule = Literal["uniform", "density"]
_DENSITY_NEIGHBORS = 8


class PointCloud:
    """Points of flat space: neighbours lie where they lie, and features are transported along unchanged.

    Args:
        pos: `(N, d)`, in any unit of length.

    Raises:
        ValueError: another shape, no point, coordinates that are not finite, or two points in one place (the direction
            from one to the other does not exist).
    """

    def __init__(self, pos: Float[Tensor, "points d"] | ndarray | Sequence[Sequence[float]]) -> None:
        self.pos = torch.as_tensor(pos).detach().to("cpu", torch.float64)
        if self.pos.dim() != 2 or not self.pos.numel():
            raise ValueError(
                f"Expected `pos` of shape (N, d) with at least one point and one axis, got {tuple(self.pos.shape)}."
            )
        bad = int((~self.pos.isfinite()).any(1).sum())
        if bad:
            raise ValueError(f"Expected finite coordinates, got NaN or infinity at {bad} points: remove these points.")

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
        mass: AreaRule | Float[Tensor, "points"] = "uniform",
        frames: Literal["random"] | Float[Tensor, "points d d"] | None = None,
        batch: Int[Tensor, "points"] | None = None,
        seed: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> GaugeGraph:
        r"""The graph of neighbours, with the trivial connection.

        Each neighbour weighs its area over the area of the neighbourhood, so that the result depends little on how
        densely space was sampled.

        Args:
            group: structure group acting on R^d, e.g. `SO3()`; features transform by it when the cloud is rotated.
            radius: of the neighbourhoods, a length in the unit of `pos`.
            mean_neighbors: instead: the radius at which points have that many neighbours on average.
            neighbors: instead: the k nearest points of every point; the graph's radius is the longest edge.
            mass: volume that a point stands for: the same for all (`"uniform"`), from the distance of its eighth
                neighbour (`"density"`, for uneven clouds; it scatters by a third), or given `(N,)`.
            frames: axes of every point as columns, `(N, d, d)`, orthonormal and related by elements of the group;
                `"random"` draws them from the group. Default: the axes of space.
            batch: `(N,)`, number of the cloud that each point belongs to, ascending: clouds do not see each other.
            seed: of random frames.
            dtype: of the result; computed in float64.

        Raises:
            ValueError: not exactly one of `radius`, `mean_neighbors` and `neighbors`; a group or frames that do not
                fit; two points in one place; points without neighbours.
        """
        from scipy.spatial import cKDTree

        if group.d != self.d:
            raise ValueError(f"Expected a group acting on R^{self.d}, got {group.name} on R^{group.d}.")
        frame = self._frames(group, frames, seed)
        areas = mass if isinstance(mass, str) else _areas(mass, len(self))
        starts = [0, *_starts(batch, len(self)), len(self)]
        graphs = []
        for a, b in pairwise(starts):
            tree = cKDTree(self.pos[a:b].numpy())
            target, source, search_radius = _edges(tree, radius, mean_neighbors, neighbors)
            _check_edges(self.pos[a:b], target, source, search_radius)
            volume = _volumes(tree, areas, target, search_radius) if isinstance(areas, str) else areas[a:b]
            graphs.append(_graph(self.pos[a:b], frame[a:b], volume, target, source, search_radius, group, dtype))
        if batch is None:
            return graphs[0]
        from torch_geometric.data import Batch

        batched: GaugeGraph = Batch.from_data_list(graphs)
        return batched

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
                "the structure group, since features are transported by it. Use a larger group."
            )
        return frame

    def __repr__(self) -> str:
        return f"PointCloud({len(self)} points, d={self.d})"


def _edges(
    tree: cKDTree, radius: float | None, mean_neighbors: float | None, neighbors: int | None
) -> tuple[ndarray, ndarray, float]:
    """Targets in ascending order, their sources, and the radius."""
    if (radius, mean_neighbors, neighbors).count(None) != 2:
        raise ValueError(
            "Expected exactly one of `radius`, `mean_neighbors` and `neighbors`, got "
            f"radius={radius}, mean_neighbors={mean_neighbors}, neighbors={neighbors}."
        )
    if neighbors is not None:
        return _nearest(tree, positive("neighbors", neighbors))
    if mean_neighbors is not None:
        radius = _radius_for(tree, positive_number("mean_neighbors", mean_neighbors))
    search_radius = positive_number("radius", cast("float", radius))
    pairs = tree.query_pairs(search_radius, output_type="ndarray")
    target, source = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.lexsort((source, target))
    return target[order], source[order], search_radius


def _nearest(tree: cKDTree, k: int) -> tuple[ndarray, ndarray, float]:
    if k >= tree.n:
        raise ValueError(f"Expected `neighbors` below the number of points, got {k} for {tree.n} points.")
    distance, index = tree.query(tree.data, k + 1)
    target = np.arange(tree.n)[:, None]
    other = index != target
    other[other.all(1), -1] = False  # the point itself was crowded out by others in the same place
    return np.broadcast_to(target, index.shape)[other], index[other], float(distance[:, -1].max())


def _radius_for(tree: cKDTree, mean: float) -> float:
    """The distance that `mean` points lie within on average: that one of all distances, in ascending order."""
    wanted = round(mean * tree.n)
    if not 0 < wanted <= tree.n * (tree.n - 1):
        raise ValueError(f"Expected `mean_neighbors` below the number of points, got {mean} for {tree.n} points.")
    k = min(tree.n, 2 + math.ceil(2 * mean))
    while True:
        distance = tree.query(tree.data, k)[0][:, 1:]
        ordered = np.sort(distance, axis=None)
        search_radius = ordered[min(wanted, ordered.size) - 1]
        if k == tree.n or search_radius <= distance[:, -1].min():
            return float(search_radius * (1 + 1e-12))  # that point included
        k = min(tree.n, 2 * k)


def _check_edges(pos: Tensor, target: ndarray, source: ndarray, search_radius: float) -> None:
    same = (pos[target] == pos[source]).all(1).numpy()
    if same.any():
        raise ValueError(
            f"Expected points in different places, got {len(np.unique(target[same]))} points that share theirs: the "
            "direction from one to the other does not exist. Merge them, e.g. with `numpy.unique(pos, axis=0)`."
        )
    alone = len(pos) - len(np.unique(target))
    if alone:
        raise ValueError(
            f"{alone} of {len(pos)} points have no neighbour within {search_radius:.3g}: use a larger "
            "radius, `neighbors=...` (nearest points, however far), or remove these points."
        )


def _volumes(tree: cKDTree, mass: str, target: ndarray, search_radius: float) -> Tensor:
    d = tree.m
    if mass == "uniform":
        return torch.full((tree.n,), _ball_volume(d, search_radius) / (1 + len(target) / tree.n), dtype=torch.float64)
    if mass != "density":
        raise ValueError(f"Expected `mass` 'uniform', 'density' or a tensor, got {mass!r}.")
    k = min(_DENSITY_NEIGHBORS, tree.n - 1)
    distance = tree.query(tree.data, k + 1)[0][:, -1]
    return torch.from_numpy(_ball_volume(d, 1.0) * distance**d / k)


def _ball_volume(d: int, radius: float) -> float:
    """Volume of a ball in R^d."""
    return float(math.pi ** (d / 2) / math.gamma(d / 2 + 1) * radius**d)


def _areas(mass: Tensor, count: int) -> Tensor:
    mass = torch.as_tensor(mass).detach().to("cpu", torch.float64)
    if tuple(mass.shape) != (count,) or not bool((mass.isfinite() & (mass > 0)).all()):
        raise ValueError(f"Expected `mass` of shape ({count},), positive, got {tuple(mass.shape)}.")
    return mass


def _starts(batch: Tensor | None, count: int) -> list[int]:
    """Where the second and later clouds begin."""
    if batch is None:
        return []
    if tuple(batch.shape) != (count,) or bool((batch.diff() < 0).any()):
        raise ValueError(f"Expected `batch` of shape ({count},) in ascending order, got {tuple(batch.shape)}.")
    return (batch.diff().nonzero().flatten() + 1).tolist()


def _graph(
    pos: Tensor,
    frame: Tensor,
    mass: Tensor,
    target: ndarray,
    source: ndarray,
    search_radius: float,
    group: StructureGroup,
    dtype: torch.dtype,
) -> GaugeGraph:
    from gaugenet.geometry.gauge_graph import GaugeGraph

    indptr = np.searchsorted(target, np.arange(len(pos) + 1))
    weight = neighborhood_weights(indptr, mass.numpy()[source], mass.numpy())
    inverse = frame.mT[target]
    return GaugeGraph(
        edge_index=torch.from_numpy(np.stack([source, target])).long(),
        log_map=(inverse @ (pos[source] - pos[target])[..., None])[..., 0].to(dtype),
        transporter=(inverse @ frame[source]).to(dtype),
        weight=torch.from_numpy(weight).to(dtype),
        frame=frame.to(dtype),
        pos=pos.to(dtype),
        mass=mass.to(dtype),
        radius=torch.tensor([search_radius], dtype=dtype),
        structure=group.name,
    )
