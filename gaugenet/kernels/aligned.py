"""Kernels for SO(2) and O(2), which reach every direction: their value on one axis decides them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import Reflection, Representation, Trivial, intertwiners
from gaugenet.kernels.basis import CachedTensor, KernelBasis


class AlignedBasis(KernelBasis):
    """`B(R_t e_1) = rho_out(R_t) A rho_in(R_t)^-1`, A any intertwiner of the stabilizer of e_1.

    The stabilizer is {e} in SO(2), so that A is any matrix (1, 2 or 4 of them), and the reflection of the second axis
    in O(2). It spans the same kernels as `HarmonicBasis` with frequencies |m - n| and m + n (:cite:`weiler2019general`,
    Tables 8 and 9), in the form in which convolutions are cheapest: transport the features into the edge's frame, apply
    one matrix per ring, rotate back.

    Args:
        rho_in, rho_out: irreps of SO(2) or O(2).
    """

    def __init__(self, rho_in: Representation, rho_out: Representation) -> None:
        self.rho_in, self.rho_out = rho_in, rho_out
        stabilizer = Trivial() if rho_in.group.orientation_preserving else Reflection()
        self.coefficients = CachedTensor(
            lambda: intertwiners(rho_in.restrict(stabilizer), rho_out.restrict(stabilizer))
        )
        """`(dim, out, in)`: the matrices A."""

    @property
    def dim(self) -> int:
        return len(self.coefficients())

    def sample(self, direction: Float[Tensor, "*points 2"]) -> Float[Tensor, "*points dim out in"]:
        g = alignment(direction)
        out, back = self.rho_out(g), self.rho_in(g).mT
        return torch.einsum("...op,bpq,...qi->...boi", out, self.coefficients(direction), back)

    def __reduce__(self) -> tuple[Any, ...]:
        return aligned_basis, (self.rho_in, self.rho_out)


@lru_cache(maxsize=4096)
def aligned_basis(rho_in: Representation, rho_out: Representation) -> AlignedBasis:
    """`AlignedBasis`, solved once."""
    return AlignedBasis(rho_in, rho_out)


def alignment(direction: Float[Tensor, "*points 2"]) -> Float[Tensor, "*points 2 2"]:
    """The rotation that takes e_1 to a unit vector."""
    c, s = direction.unbind(-1)
    return torch.stack([torch.stack([c, s], -1), torch.stack([-s, c], -1)], -1)
