"""Pairs of points that include all neighbours: by a tree if distances are bounded, else by measuring all pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

_PAIRS_AT_ONCE = 1 << 16

Pairs = tuple[Int[ndarray, "pairs"], Int[ndarray, "pairs"]]
"""Targets and sources, sorted by target, then source."""


def within(positions: Float[Tensor, "points E"], radii: Float[Tensor, "points"]) -> Pairs:
    """Return the pairs of different rows with |positions[source] - positions[target]| <= radii[target]."""
    return pairs_between(positions, positions, radii)


def pairs_between(
    targets: Float[Tensor, "points E"], sources: Float[Tensor, "points E"], radii: Float[Tensor, "points"]
) -> Pairs:
    """Return the pairs of rows with different indices and |sources[source] - targets[target]| <= radii[target]."""
    from scipy.spatial import cKDTree

    tree = cKDTree(sources.numpy())
    lists = tree.query_ball_point(targets.numpy(), radii.numpy() * (1 + 1e-9))
    target = np.repeat(np.arange(len(targets)), [len(found) for found in lists])
    source = np.concatenate([np.asarray(found, dtype=np.int64) for found in lists])
    other = target != source
    return in_order(target[other], source[other])


def all_pairs(
    points: Float[Tensor, "points D"], radii: Float[Tensor, "points"], distance: Callable[[Tensor, Tensor], Tensor]
) -> Pairs:
    """Return the pairs of different points with distance(target, source) <= radii[target], by measuring all pairs."""
    count = len(points)
    rows = max(1, _PAIRS_AT_ONCE // count)
    targets, sources = [], []
    for start in range(0, count, rows):
        target = torch.arange(start, min(start + rows, count)).repeat_interleave(count)
        source = torch.arange(count).repeat(len(target) // count)
        other = source != target
        target, source = target[other], source[other]
        near = distance(points[target], points[source]) <= radii[target] * (1 + 1e-9)
        targets.append(target[near].numpy())
        sources.append(source[near].numpy())
    return np.concatenate(targets), np.concatenate(sources)


def in_order(target: ndarray, source: ndarray) -> Pairs:
    """Sort pairs by target, then by source."""
    order = np.lexsort((source, target))
    return np.ascontiguousarray(target[order]), np.ascontiguousarray(source[order])


__all__ = ["all_pairs", "in_order", "pairs_between", "within"]
