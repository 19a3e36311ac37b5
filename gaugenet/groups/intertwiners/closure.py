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
    """The finite group of orthogonal matrices that the generators generate, the identity first, shortest words first.

    Args:
        generators: orthogonal matrices, float64.
        max_order: stop with an error beyond that many elements.
        clean: rounds products to the exact elements; by default they are only kept orthogonal.

    Raises:
        ValueError: more than `max_order` elements: the group is larger, or the generators are inexact.
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
    """One Newton step towards the nearest orthogonal matrix, whole numbers exact."""
    g = 1.5 * g - 0.5 * g @ g.mT @ g
    rounded = g.round()
    return torch.where((g - rounded).abs() < 1e-13, rounded, g)


def _key(g: Tensor) -> tuple[int, ...]:
    """Different elements of a finite group differ by far more than the rounding of their products."""
    return tuple((g * 1e5).round().to(torch.int64).flatten().tolist())
