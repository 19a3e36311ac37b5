"""Functions of a tangent vector v and attributes z: covariants to multiply features, invariants for a perceptron."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import FieldType, Representation, StructureGroup, intertwiners
from gaugenet.kernels.basis import CachedTensor, unit
from gaugenet.kernels.harmonics import harmonic_dim, harmonics_of

_CORE = 0.25
"""Harmonics go to zero at the centre, where a direction does not exist, within this part of the radius."""

GAUSSIANS_SQUARED = 1.77
"""Mean of the sum of squares of `gaussians`: sqrt(pi), since their centres are one width apart."""


def gaussians(r: Float[Tensor, "*rows"], count: int) -> Float[Tensor, "*rows count"]:
    """Return exp(-((r - r_k) (count - 1))^2 / 2), with centres r_k spread over [0, 1]."""
    centres = torch.linspace(0, 1, count, dtype=r.dtype, device=r.device)
    return torch.exp(-0.5 * ((r.unsqueeze(-1) - centres) * max(count - 1, 1)).square())


def directions(v: Float[Tensor, "rows d"], max_frequency: int) -> Float[Tensor, "rows functions"]:
    """Return (1 - exp(-|v|^2 / CORE^2)) Y_j(v / |v|) for j = 1 ... max_frequency, concatenated; zero at v = 0."""
    frequencies = [j for j in range(1, max_frequency + 1) if harmonic_dim(v.shape[-1], j)]
    if not frequencies:
        return v[..., :0]
    fade = -torch.expm1(-v.square().sum(-1, keepdim=True) / _CORE**2)
    return torch.cat([fade * y for y in harmonics_of(unit(v), frequencies)], -1)


@dataclass(frozen=True)
class Part:
    """Copies of one representation among functions of (v, z): harmonics of one frequency, or a block of attributes.

    Attributes:
        frequency: frequency of the harmonics, `None` for attributes.
        start: first column, of the directions or of the attributes.
    """

    representation: Representation
    multiplicity: int
    start: int
    frequency: int | None

    @property
    def dim(self) -> int:
        return self.representation.dim

    def fields(self, direction: Tensor, z: Tensor) -> Float[Tensor, "rows dim multiplicity"]:
        """Return the values of the functions."""
        x = z if self.frequency is None else direction
        own = x[:, self.start : self.start + self.dim * self.multiplicity]
        return cast(Tensor, own.unflatten(1, (self.dim, self.multiplicity)))


def harmonic_parts(group: StructureGroup, max_frequency: int) -> list[Part]:
    """Return the harmonics of frequencies 1 ... max_frequency, in the order of `directions`."""
    parts, start = [], 0
    for j in range(1, max_frequency + 1):
        if harmonic_dim(group.d, j):
            parts.append(Part(group.harmonic(j), 1, start, j))
            start += parts[-1].dim
    return parts


def attribute_parts(attributes: FieldType) -> list[Part]:
    """Return the blocks of the attributes."""
    return [Part(b.representation, b.multiplicity, b.start, None) for b in attributes.blocks]


class Invariants:
    """Invariant functions of (v, z): polynomials of degree one and two, in addition to functions of the distance.

    Those of degree one are the invariant parts of harmonics and attributes. Those of degree two are all invariant
    pairings of a harmonic with an attribute, and of two attributes. If the attributes are vectors of O(d), every
    smooth invariant function is a smooth function of these.

    Args:
        harmonics, attributes: the functions from which invariants are made.
    """

    def __init__(self, harmonics: list[Part], attributes: list[Part]) -> None:
        self.linear = [(p, _invariants(p.representation)) for p in harmonics + attributes]
        self.linear = [(p, t) for p, t in self.linear if len(t())]
        pairs = [(a, b) for a in harmonics for b in attributes] + list(combinations_with_replacement(attributes, 2))
        self.quadratic = [(a, b, _pairings(a.representation, b.representation)) for a, b in pairs]
        self.quadratic = [(a, b, t) for a, b, t in self.quadratic if len(t())]

    @property
    def count(self) -> int:
        """Number of invariants."""
        linear = sum(len(t()) * p.multiplicity for p, t in self.linear)
        return linear + sum(len(t()) * len(_pairs(a, b)[0]) for a, b, t in self.quadratic)

    def __call__(
        self, direction: Float[Tensor, "rows functions"], z: Float[Tensor, "rows size"]
    ) -> Float[Tensor, "rows count"]:
        """Return the invariants of every row."""
        found = [torch.einsum("pi,riu->rpu", t(z), p.fields(direction, z)).flatten(1) for p, t in self.linear]
        for a, b, table in self.quadratic:
            first, second = a.fields(direction, z), b.fields(direction, z)
            u, v = _pairs(a, b)
            moved = torch.einsum("pij,rju->rpiu", table(z), second)
            found.append((first[:, None, :, u] * moved[..., v]).sum(2).flatten(1))
        return torch.cat(found, 1) if found else z[:, :0]


def _pairs(a: Part, b: Part) -> tuple[list[int], list[int]]:
    """Return the indices of the channels that are paired, each pair once."""
    if a == b:
        pairs = [(u, v) for u in range(a.multiplicity) for v in range(u, a.multiplicity)]
    else:
        pairs = [(u, v) for u in range(a.multiplicity) for v in range(b.multiplicity)]
    return [u for u, _ in pairs], [v for _, v in pairs]


@lru_cache(maxsize=4096)
def _invariants(rho: Representation) -> CachedTensor:
    return CachedTensor(lambda: rho.invariants)


@lru_cache(maxsize=4096)
def _pairings(rho: Representation, sigma: Representation) -> CachedTensor:
    """Return invariant bilinear forms, Hom_G(rho x sigma, 1)."""
    if (rho.is_trivial and not sigma.is_trivial) or (sigma.is_trivial and not rho.is_trivial):
        return CachedTensor(
            lambda: torch.zeros(0, rho.dim, sigma.dim, dtype=torch.float64)
        )  # products of linear invariants
    return CachedTensor(lambda: intertwiners(rho.tensor(sigma), rho.group.trivial()).view(-1, rho.dim, sigma.dim))


__all__ = ["GAUSSIANS_SQUARED", "Invariants", "Part", "attribute_parts", "directions", "gaussians", "harmonic_parts"]
