"""A perceptron with weights in a flat vector, for kernels: smooth activations, no batch statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_SILU_SCALE = 1.6768
"""One over the root mean square of silu of a standard normal variable, so that hidden units keep unit size."""


class Perceptron:
    """The hidden layers x -> act(... act(x W_1 + b_1) ...) of a kernel, without its last linear layer.

    Args:
        inputs: number of inputs.
        hidden: number of units of each layer.
    """

    def __init__(self, inputs: int, hidden: Sequence[int]) -> None:
        self.sizes = [inputs, *hidden]

    @property
    def num_weights(self) -> int:
        """Weights and biases."""
        return sum((a + 1) * b for a, b in pairwise(self.sizes))

    def layers(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "inputs_1 outputs"]]:
        """Return the matrix of each layer, its bias in the last row."""
        parts, start = [], 0
        for a, b in pairwise(self.sizes):
            parts.append(weight[start : start + (a + 1) * b].view(a + 1, b))
            start += (a + 1) * b
        return parts

    def initialize(
        self,
        weight: Float[Tensor, "weights"],
        variance: Float[Tensor, "inputs"],
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        """Fill `weight` in place; the first layer has weights of this variance, so that units have about unit size."""
        for k, matrix in enumerate(self.layers(weight)):
            matrix.normal_(generator=generator)
            if k == 0:
                matrix[:-1] *= variance.sqrt().to(matrix)[:, None]
                matrix[-1] *= 0.5
            else:
                matrix *= 1 / math.sqrt(len(matrix))

    def __call__(
        self, weight: Float[Tensor, "weights"], x: Float[Tensor, "rows inputs"]
    ) -> Float[Tensor, "rows units"]:
        """Return the units of the last layer."""
        for matrix in self.layers(weight):
            x = _SILU_SCALE * F.silu(torch.addmm(matrix[-1], x, matrix[:-1]))
        return x


__all__ = [
    "Perceptron",
]
