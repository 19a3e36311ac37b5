"""KernelBasis: the angular solutions of the kernel constraint for one pair of representations."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._transforms import outside_transforms
from gaugenet.groups import Representation
from gaugenet.kernels.tensor_operators import tensor_operators


class KernelBasis(ABC):
    """Angular parts B_b of the kernels with `B(g v) = rho_out(g) B(v) rho_in(g)^-1` for all g in G <= O(d).

    A G-steerable kernel is a sum of radial functions times angular parts, since the constraint does not relate vectors
    of different lengths. Bases are immutable and shared by all layers, so that copies are the same object.
    """

    rho_in: Representation
    rho_out: Representation

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of basis elements."""

    @abstractmethod
    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        """Return the values of the basis at unit vectors."""

    def __copy__(self) -> KernelBasis:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> KernelBasis:
        return self


class CachedTensor:
    """A fixed float64 or integer tensor, computed at its first use and cached for every precision and device."""

    def __init__(self, make: Callable[[], Tensor]) -> None:
        self._make = make
        self._cached: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def __call__(self, like: Tensor | None = None) -> Tensor:
        """Return the table in the precision and on the device of `like`; do not write to it."""
        exact = (torch.float64, torch.device("cpu"))
        if exact not in self._cached:
            with outside_transforms():  # a table made in inference mode must also work in training
                self._cached[exact] = self._make()
        if like is None:
            return self._cached[exact]
        table = self._cached[exact]
        dtype = like.dtype if table.is_floating_point() else table.dtype
        if torch.compiler.is_compiling():
            return table.to(like.device, dtype)
        if (dtype, like.device) not in self._cached:
            with outside_transforms():
                self._cached[dtype, like.device] = table.to(like.device, dtype)
        return self._cached[dtype, like.device]


class CoupledBasis(KernelBasis):
    """`B(v) = sum_i Y_i(v) A_i` for functions Y of the tangent vector and every intertwiner A.

    Y transforms by a representation of G, and A lies in Hom_G(Y x rho_in, rho_out).

    Attributes:
        functions: the representation of Y.
        coefficients: `(dim, out, functions, in)`, the intertwiners A.
    """

    functions: Representation
    coefficients: CachedTensor

    def _solve(self) -> Float[Tensor, "dim out functions in"]:
        # The mean of Y_i^2 over the directions is one over the number of functions.
        return tensor_operators(self.rho_in, self.rho_out, self.functions) * math.sqrt(self.functions.dim)

    @property
    def dim(self) -> int:
        return len(self.coefficients())

    def expand(
        self, weight: Float[Tensor, "rings dim mult_out mult_in"]
    ) -> Float[Tensor, "rings functions in mult_in out mult_out"]:
        """Return sum_b w_b A_b, the matrices by which the functions are multiplied."""
        return torch.einsum("kbuv,bohi->khivou", weight, self.coefficients(weight))


def unit(v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points d"]:
    """Return v / |v|; the first axis at v = 0, where every radial function vanishes."""
    length = torch.linalg.vector_norm(v, dim=-1, keepdim=True)
    axis = torch.zeros_like(v)
    axis[..., 0] = 1
    return torch.where(length > 0, v / length.clamp(min=torch.finfo(v.dtype).tiny), axis)
