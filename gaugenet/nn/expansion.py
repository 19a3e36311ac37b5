"""Matrices whose entries are multiples of single weights, written by one indexed copy.

The matrices of a layer are linear in its weights. Between irreps each entry is one weight times a constant. One copy
with an index then takes the place of a small product for each pair of blocks: on small meshes those products, which are
mostly the overhead of calls, took an eighth of a training step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet._transforms import outside_transforms

LARGEST = 2**17
"""Largest number of entries: for more, products of blocks are as fast and need no index in memory."""


@dataclass(frozen=True)
class Expansion:
    """The linear map `weight[index] * factor`, on the CPU."""

    index: Int[Tensor, "entries"]
    factor: Float[Tensor, "entries"]

    def __call__(self, weight: Float[Tensor, "weights"]) -> Float[Tensor, "entries"]:
        return weight.index_select(0, self.index) * self.factor.to(weight.dtype)

    def adjoint(self, grad: Float[Tensor, "entries"], num_weights: int) -> Float[Tensor, "weights"]:
        """Return the gradient with respect to the weights, from that with respect to the entries."""
        return grad.new_zeros(num_weights).scatter_add_(0, self.index, grad * self.factor.to(grad.dtype))


def expansion(entries: Callable[[Tensor], Tensor], num_weights: int) -> Expansion | None:
    """Return a linear map from weights to entries as an `Expansion`.

    Args:
        entries: the map, for weights in float64.
        num_weights: number of weights.

    Returns:
        The map, or `None` if an entry depends on two weights, or there are more than `LARGEST`.
    """
    with outside_transforms():
        factor = entries(torch.ones(num_weights, dtype=torch.float64))
        if not 0 < len(factor) <= LARGEST:
            return None
        number = entries(torch.arange(num_weights, dtype=torch.float64))  # factor times the number of the weight
        index = torch.where(factor == 0, 0, number / factor).round().long().clamp(0, num_weights - 1)
        probe = torch.rand(num_weights, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        found = Expansion(index, factor)
        return found if torch.allclose(found(probe), entries(probe), rtol=1e-12, atol=1e-14) else None


__all__ = ["Expansion", "expansion"]
