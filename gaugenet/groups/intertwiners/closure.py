"""All products of finitely many generators."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def closure(
    generators: Float[Tensor, "count d d"],
    *,
    max_order: int = 10_000,
    clean: Callable[[Tensor], Tensor] | None = None,
) -> Float[Tensor, "order d d"]:
    """Return the finite group that orthogonal matrices generate, the identity first, then in order of word length.

    Args:
        generators: orthogonal matrices, float64.
        max_order: the largest number of elements.
        clean: rounds products to exact elements; by default they are only kept orthogonal.

    Raises:
        ValueError: If there are more than `max_order` elements: the group is larger, or the generators are inexact.
    """
    clean = clean or _orthogonalized
    d = generators.shape[-1]
    newest = torch.eye(d, dtype=torch.float64)[None]
    found, seen = [newest], {_key(newest[0])}
    while len(newest):
        fresh = []
        for g in clean((newest[:, None] @ generators).flatten(0, 1)):
            if (key := _key(g)) not in seen:
                seen.add(key)
                fresh.append(g)
        if len(seen) > max_order:
            raise ValueError(
                f"Expected `generators` of a finite group of at most {max_order} elements, found more: give them in "
                "float64 precision, raise `max_order`, or give the `lie_algebra` of an infinite compact group."
            )
        newest = torch.stack(fresh) if fresh else newest[:0]
        found.append(newest)
    return torch.cat(found)


def _orthogonalized(g: Tensor) -> Tensor:
    """Return one Newton step towards the nearest orthogonal matrix; integer entries stay exact."""
    g = 1.5 * g - 0.5 * g @ g.mT @ g
    rounded = g.round()
    return torch.where((g - rounded).abs() < 1e-13, rounded, g)


def _key(g: Tensor) -> tuple[int, ...]:
    """Return a hashable key: different elements of a finite group differ by far more than rounding errors."""
    return tuple((g * 1e5).round().to(torch.int64).flatten().tolist())
