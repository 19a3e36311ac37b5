"""Pair: the kernels from one block of the input type to one block of the output type that share their functions."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import cast

from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import Block
from gaugenet.kernels.aligned import AlignedBasis
from gaugenet.kernels.basis import CoupledBasis


@dataclass(frozen=True)
class Pair:
    """The kernels from one block to another that have one key: one set of functions of the tangent vector.

    Attributes:
        key: identifies the functions: an angular frequency, a covariant, an order of derivatives.
        rings: the radial functions that they may have.
        start: index of its first weight in the flat vector.
    """

    source: Block
    target: Block
    basis: AlignedBasis | CoupledBasis
    key: Hashable
    rings: tuple[int, ...]
    start: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of its weights: rings, basis elements, output and input multiplicity."""
        return len(self.rings), self.basis.dim, self.target.multiplicity, self.source.multiplicity

    @property
    def stop(self) -> int:
        """End of its weights in the flat vector."""
        return self.start + math.prod(self.shape)

    def weight(self, weight: Tensor) -> Float[Tensor, "rings dim mult_out mult_in"]:
        """Return the part of the flat vector that belongs to this pair."""
        return weight[self.start : self.stop].view(self.shape)

    def expand(self, weight: Tensor) -> Float[Tensor, "rings functions in out"]:
        """Return the matrices by which radial x other functions are multiplied, for a coupled basis."""
        return cast(CoupledBasis, self.basis).expand(self.weight(weight)).flatten(4).flatten(2, 3)


__all__ = ["Pair"]
