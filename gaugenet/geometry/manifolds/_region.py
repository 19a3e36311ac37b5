"""The region of a flat quotient in which its deck transformations find the nearest representatives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.manifolds.manifold import Isometry, ManifoldError


def check_region(
    name: str, p: Float[Tensor, "points d"], decks: Sequence[Isometry], lengths: tuple[float, ...]
) -> None:
    """Refuse points that the deck transformations do not bring to within half a length of each other.

    Raises:
        ManifoldError: If some points are too far apart.
    """
    shifts = torch.stack([g(torch.zeros(1, p.shape[1], dtype=p.dtype)) for g in decks])
    reach = shifts.abs().amax((0, 1))
    images = torch.stack([g(p) for g in decks]) - shifts  # reflected, not shifted
    apart = torch.maximum(images.amax((0, 1)) - p.amin(0), p.amax(0) - images.amin((0, 1)))
    allowed = reach + torch.tensor(lengths, dtype=p.dtype) / 2
    if ((reach > 0) & (apart > allowed * (1 + 1e-9))).any():
        low, high = ([round(x, 4) for x in edge.tolist()] for edge in (p.amin(0), p.amax(0)))
        raise ManifoldError(
            f"Expected points of {name} in its box [0, length) or near it, got coordinates from {low} to {high}: "
            "nearest representatives would be missed. Pass `space.reduce(points)`."
        )


__all__ = ["check_region"]
