"""Kernels for any compact G <= O(d) by the Wigner-Eckart theorem: harmonics times intertwiners."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import Representation
from gaugenet.kernels.basis import CachedTensor, CoupledBasis, KernelBasis
from gaugenet.kernels.frequencies import complete_frequency, pair_frequencies
from gaugenet.kernels.harmonics import harmonics


class FrequencyBasis(CoupledBasis):
    """`B(v) = sum_i Y_ji(v) A_i` for one angular frequency j and every intertwiner A in Hom_G(Y_j x rho_in, rho_out).

    Elements are orthogonal, and their squared Frobenius norm has mean one over the directions. Source:
    :cite:`lang2021wigner`, Theorem 4.1.

    Args:
        rho_in, rho_out: representations of one compact group G <= O(d).
        frequency: j.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO3
        >>> from gaugenet.kernels import FrequencyBasis
        >>> basis = FrequencyBasis(SO3().irrep(0), SO3().irrep(1), frequency=1)  # scalars to vectors: v / |v|
        >>> basis.sample(torch.tensor([0.0, 0.0, 1.0])).flatten().tolist()
        [0.0, 0.0, 1.0]
    """

    def __init__(self, rho_in: Representation, rho_out: Representation, frequency: int) -> None:
        self.rho_in, self.rho_out, self.frequency = rho_in, rho_out, frequency
        self.functions = rho_in.group.harmonic(frequency)
        self.coefficients = CachedTensor(self._solve)

    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        y = harmonics(direction, self.frequency)
        return torch.einsum("...h,bohi->...boi", y, self.coefficients(y))

    def __reduce__(self) -> tuple[Any, ...]:
        return frequency_basis, (self.rho_in, self.rho_out, self.frequency)


class RegularFrequencyBasis(FrequencyBasis):
    """`FrequencyBasis` from a permutation representation to the regular one, without tables of size |G|^3.

    By Frobenius reciprocity the component of the output at the identity is any linear function of Y x rho_in, and the
    other components follow: `A_g = A_e (Y x rho_in)(g)^-1`. `rho_in(g)` only permutes the weights.
    """

    def __init__(self, rho_in: Representation, rho_out: Representation, frequency: int) -> None:
        super().__init__(rho_in, rho_out, frequency)
        elements = rho_in.group.elements()
        scale = math.sqrt(self.functions.dim / self.rho_out.dim)
        self._rotation = CachedTensor(lambda: scale * self.functions(elements))
        self._index = CachedTensor(lambda: rho_in(elements).argmax(-1))

    @property
    def dim(self) -> int:
        return self.functions.dim * self.rho_in.dim

    def expand(self, weight: Tensor) -> Tensor:
        n, (rings, _, u, v) = self.rho_in.dim, weight.shape
        moved = weight.reshape(rings, -1, n, u, v)[
            :, :, self._index(weight)
        ]  # (rings, harmonics, out, in, mult_out, mult_in)
        return torch.einsum("oHh,khoiuv->kHivou", self._rotation(weight), moved)


class HarmonicBasis(KernelBasis):
    """The steerable kernels of all angular frequencies, lowest first.

    The basis is complete and minimal up to `max_frequency`: the harmonics Y_j span the functions on the sphere and
    transform under O(d), hence under any of its subgroups. The intertwiners combine the Clebsch-Gordan coefficients and
    endomorphisms of :cite:`lang2021wigner`, Theorem 4.1. Between irreps of SO(d) and O(d) of orders l and l' only
    |l - l'| <= j <= l + l' occur.

    Args:
        rho_in, rho_out: representations of one compact group G <= O(d).
        max_frequency: highest angular frequency j; not needed where finitely many occur (SO(2), O(2), SO(3), O(3)
            and d = 1).

    Raises:
        ValueError: If the group has infinitely many frequencies and `max_frequency` is not given.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO3
        >>> from gaugenet.kernels import HarmonicBasis
        >>> vectors = SO3().irrep(1)
        >>> basis = HarmonicBasis(vectors, vectors)
        >>> basis.dim  # the identity, v x ..., and v v^T - 1 / 3 for unit v
        3
        >>> basis.sample(torch.rand(10, 3)).shape
        torch.Size([10, 3, 3, 3])
    """

    def __init__(self, rho_in: Representation, rho_out: Representation, max_frequency: int | None = None) -> None:
        self.rho_in, self.rho_out = rho_in, rho_out
        limit = complete_frequency(rho_in, rho_out) if max_frequency is None else max_frequency
        if limit is None:
            raise ValueError(f"Kernels of {rho_in.group.name} have infinitely many frequencies: pass `max_frequency`.")
        self.parts = [frequency_basis(rho_in, rho_out, j) for j in pair_frequencies(rho_in, rho_out, limit)]

    @property
    def dim(self) -> int:
        return sum(part.dim for part in self.parts)

    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        empty = direction.new_zeros(*direction.shape[:-1], 0, self.rho_out.dim, self.rho_in.dim)
        return torch.cat([empty, *(part.sample(direction) for part in self.parts)], -3)


@lru_cache(maxsize=4096)
def frequency_basis(rho_in: Representation, rho_out: Representation, frequency: int) -> FrequencyBasis:
    """Return the kernels of one frequency, solved once."""
    regular = rho_out.group.order is not None and rho_out == rho_out.group.regular()
    kind = RegularFrequencyBasis if regular and rho_in.permutation else FrequencyBasis
    return kind(rho_in, rho_out, frequency)
