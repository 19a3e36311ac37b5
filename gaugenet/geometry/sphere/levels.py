"""Coarser grids as levels of the gauge graph of a grid of the sphere, with transport between the levels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.manifolds.graph import frames_of, in_frames
from gaugenet.geometry.manifolds.sphere import Sphere

if TYPE_CHECKING:
    from gaugenet.geometry.icosphere.icosphere import Icosphere
    from gaugenet.geometry.sphere.domain import SphereDomain

    Points: TypeAlias = SphereDomain | Icosphere

_LEVEL = ("edge_index", "log_map", "transporter", "weight", "frame", "pos", "mass", "radius")
_POOL_RADIUS = 1.2
"""Radius of the discs that a coarse point averages, in units of the coarse spacing."""


def with_levels(
    grids: Sequence[Points],
    graphs: Sequence[GaugeGraph],
    children: Sequence[Int[ndarray, "fine"] | None],
    *,
    nearest: int = 3,
) -> GaugeGraph:
    """Return the graph of the finest grid with the other ones as its coarser levels.

    - *Pooling*: a coarse point averages its children by area if the grid defines children, as HEALPix does. Otherwise
      it averages the finer points within about the coarse spacing, weighted by area times `1 - (distance / radius)^2`.
    - *Unpooling*: a fine point interpolates its nearest coarse points, weighted by inverse squared distance.

    Features are transported along great circles in both directions. Unlike on a mesh, a coarse point need not be a fine
    point. Its entry in `node_index` is the nearest one, from which `gauge_transform` takes its gauge.

    Args:
        grids: from fine to coarse.
        graphs: the graph of each grid.
        children: for each step to a coarser grid the parent of every fine point, or `None`.
        nearest: number of coarse points that a fine point interpolates.
    """
    out: GaugeGraph = graphs[0].clone()
    for level, (fine, coarse) in enumerate(pairwise(grids), start=1):
        dtype = out.pos.dtype
        for name in _LEVEL:
            out[f"l{level}_{name}"] = graphs[level][name]
        distance, near = _nearest(fine, coarse, min(nearest, coarse.num_nodes))
        out[f"l{level}_node_index"] = torch.from_numpy(_nearest(coarse, fine, 1)[1][:, 0])
        out[f"l{level}_batch"] = torch.zeros(coarse.num_nodes, dtype=torch.long)
        parent = children[level - 1]
        pool = _children(fine, parent) if parent is not None else _discs(fine, coarse, near[:, 0])
        unpool = _interpolation(distance, near)
        for name, edges, source, target in (("pool", pool, fine, coarse), ("unpool", unpool, coarse, fine)):
            index, weight = edges
            out[f"l{level}_{name}_index"] = torch.from_numpy(index)
            out[f"l{level}_{name}_weight"] = torch.from_numpy(weight).to(dtype)
            out[f"l{level}_{name}_transporter"] = _transporters(source, target, index).to(dtype)
    return out


def farthest_points(points: Float[ndarray, "n 3"], count: int) -> Int[ndarray, "count"]:
    """Return indices of points that are spread evenly, each the farthest from those before it, sorted."""
    chosen = np.zeros(count, dtype=np.int64)
    distance = np.full(len(points), np.inf)
    for k in range(1, count):
        distance = np.minimum(distance, ((points - points[chosen[k - 1]]) ** 2).sum(axis=1))
        chosen[k] = distance.argmax()
    return typed_array(np.sort(chosen))


def _nearest(points: Points, among: Points, count: int) -> tuple[ndarray, ndarray]:
    """Return angles `(N, count)` to the nearest points of another grid, and their indices."""
    from scipy.spatial import cKDTree

    chord, index = cKDTree(among.pos.numpy()).query(points.pos.numpy(), k=np.arange(1, count + 1))
    return 2 * np.arcsin(np.minimum(chord / 2, 1.0)), index.astype(np.int64)


def _children(fine: Points, parent: Int[ndarray, "fine"]) -> tuple[ndarray, ndarray]:
    order = np.argsort(parent, kind="stable")
    area = fine.areas(fine.pos).numpy()[order]
    index = np.stack([order, parent[order]])
    return index, area / np.bincount(index[1], weights=area)[index[1]]


def _discs(fine: Points, coarse: Points, nearest: Int[ndarray, "fine"]) -> tuple[ndarray, ndarray]:
    """Return edges from fine points to the coarse points around them, and at least to the nearest coarse point."""
    from scipy.spatial import cKDTree

    radius = _POOL_RADIUS * coarse.spacing
    trees = (cKDTree(grid.pos.numpy()) for grid in (coarse, fine))
    pairs = next(trees).sparse_distance_matrix(next(trees), 2 * np.sin(min(radius, 3.0) / 2), output_type="ndarray")
    everyone = np.arange(fine.num_nodes)
    chord = np.linalg.norm(fine.pos.numpy() - coarse.pos.numpy()[nearest], axis=1)
    found = np.concatenate([np.stack([pairs["j"], pairs["i"]]), np.stack([everyone, nearest])], axis=1)
    angle = 2 * np.arcsin(np.concatenate([pairs["v"], chord]) / 2)
    key, first = np.unique(found[1] * fine.num_nodes + found[0], return_index=True)
    source, target = key % fine.num_nodes, key // fine.num_nodes
    window = np.maximum(1 - (angle[first] / radius) ** 2, 0.02)
    weight = fine.areas(fine.pos).numpy()[source] * window
    return np.stack([source, target]), weight / np.bincount(target, weights=weight)[target]


def _interpolation(distance: Float[ndarray, "fine k"], near: Int[ndarray, "fine k"]) -> tuple[ndarray, ndarray]:
    weight = 1 / np.maximum(distance, 1e-9) ** 2
    weight = np.where(distance[:, :1] < 1e-9, distance < 1e-9, weight).astype(np.float64)
    keep = weight > 0
    fine = np.broadcast_to(np.arange(len(near))[:, None], near.shape)[keep]
    return np.stack([near[keep], fine]), (weight / weight.sum(axis=1, keepdims=True))[keep]


def _transporters(source: Points, target: Points, index: Int[ndarray, "2 edges"]) -> Tensor:
    """Return the transporters, frame at the source -> frame at the target, along great circles."""
    pos = torch.cat([source.pos, target.pos])
    frames = frames_of(Sphere(), pos, torch.cat([source.frame, target.frame]))
    p, q = torch.from_numpy(index)
    return in_frames(Sphere(), pos, frames, p, q + source.num_nodes)[1]


__all__ = ["farthest_points", "with_levels"]
