"""Whether the elements of a group preserve a metric of constant signature."""

from __future__ import annotations

from functools import lru_cache

import torch

from gaugenet.groups import StructureGroup


@lru_cache(maxsize=1024)
def preserves(group: StructureGroup, signature: tuple[float, ...]) -> bool:
    """Return whether g^T eta g = eta, eta = diag(signature), for generators of a group and a few random elements."""
    eta = torch.diag(torch.tensor(signature, dtype=torch.float64))
    draws = group.random_element(8, generator=torch.Generator().manual_seed(0))
    g = torch.cat([group.generators(), draws])
    scale = g.abs().amax((-2, -1)).square().clamp(min=1)
    return bool(((g.mT @ eta @ g - eta).abs().amax((-2, -1)) <= 1e-8 * scale).all())


__all__ = ["preserves"]
