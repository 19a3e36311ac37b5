"""The mean over a group: the projection of matrices on the intertwiners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from gaugenet.groups.representations.base import Representation


def average(
    source: Representation, target: Representation, maps: Float[Tensor, "*count out in"]
) -> Float[Tensor, "*count out in"]:
    """Return the mean of target(g) A source(g)^T over the group, for orthogonal representations; float64.

    The mean is exact for finite groups. For other groups, means over a few elements that generate a dense subgroup are
    repeated: they converge to the same projection for every choice of these elements.

    Raises:
        ValueError: If the repeated means do not converge.
    """
    group = source.group
    if group.order is not None:
        total = torch.zeros_like(maps)
        for g in group.elements().split(64):
            total += _sum(source(g), target(g), maps)
        return total / group.order
    g = group.random_element(16, generator=torch.Generator().manual_seed(0))
    g = torch.cat([group.identity()[None], group.generators(), g])
    left, right = target(g), source(g)
    for _ in range(10_000):
        before, maps = maps, _sum(right, left, maps) / len(g)
        if (maps - before).abs().max() <= 1e-14 * (1 + maps.abs().max()):
            return maps
    raise ValueError(f"Means over {group.name} do not converge: check its generators and its Lie algebra.")


def _sum(source: Tensor, target: Tensor, maps: Tensor) -> Tensor:
    total = torch.zeros_like(maps)
    for b, a in zip(target, source, strict=True):
        total += b @ maps @ a.T
    return total
