"""KernelBasis: the angular solutions of the kernel constraint for one pair of representations."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import Representation


class KernelBasis(ABC):
    """Angular parts B_b of the kernels with `B(g v) = rho_out(g) B(v) rho_in(g)^-1` for all g in G <= O(d).

    A G-steerable kernel is a sum of radial functions times these (the constraint does not mix distances).
    """

    rho_in: Representation
    rho_out: Representation
    coefficients: Tensor
    """What decides the basis, one entry of the first dimension an element; float64."""

    @property
    def dim(self) -> int:
        """Number of basis elements."""
        return len(self.coefficients)

    @abstractmethod
    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        """Basis at unit vectors."""


def unit(v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points d"]:
    """v / |v|; the first axis at v = 0, where every radial function vanishes."""
    length = torch.linalg.vector_norm(v, dim=-1, keepdim=True)
    axis = torch.zeros_like(v)
    axis[..., 0] = 1
    return torch.where(length > 0, v / length.clamp(min=torch.finfo(v.dtype).tiny), axis)
