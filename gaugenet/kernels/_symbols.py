"""Polynomials of a covector that transform by a representation: the parts of symbols of differential operators."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._caching import cached
from gaugenet.groups import Representation, Scaling, StructureGroup, TensorGroup
from gaugenet.groups.families.tensor_group import symmetric_tensors
from gaugenet.kernels.basis import CachedTensor, unit
from gaugenet.kernels.harmonics import harmonic_dim, harmonics

Key = tuple[int, int]
"""Degree n and frequency j of a set of polynomials."""


def multi_indices(d: int, degree: int) -> list[tuple[int, ...]]:
    """Return the exponents of all monomials of one degree in d variables: `(n, 0)` first, `(0, n)` last."""
    if d == 1:
        return [(degree,)]
    return [(first, *rest) for first in range(degree, -1, -1) for rest in multi_indices(d - 1, degree - first)]


def indices_up_to(d: int, degree: int) -> list[tuple[int, ...]]:
    """Return the exponents of all monomials up to a degree, lowest degree first: the columns of a jet."""
    return list(itertools.chain.from_iterable(multi_indices(d, n) for n in range(degree + 1)))


def monomials(x: Float[Tensor, "*points d"], indices: Iterable[tuple[int, ...]]) -> Float[Tensor, "*points monomials"]:
    """Return x^a for every multi-index a."""
    exponents = torch.tensor(list(indices), device=x.device)
    return (x.unsqueeze(-2) ** exponents).prod(-1)


class SymbolFunctions:
    """Homogeneous polynomials h of a covector with `h(g^-T xi) = rho(g) h(xi)` for all g in G.

    Attributes:
        key: degree n and frequency j.
        representation: rho, a representation of G.
        derivatives: `(dim, monomials)`, the coefficients of h over `multi_indices(d, n)`.
    """

    def __init__(self, group: StructureGroup, key: Key) -> None:
        self.group, self.key = group, key
        self.representation = _representation(group, key)
        self.derivatives = CachedTensor(lambda: _coefficients(group, key))

    @property
    def dim(self) -> int:
        return self.representation.dim

    def __call__(self, xi: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim"]:
        """Return h(xi)."""
        return monomials(xi, multi_indices(self.group.d, self.key[0])) @ self.derivatives(xi).T


@lru_cache(maxsize=1024)
def symbol_functions(group: StructureGroup, key: Key) -> SymbolFunctions:
    """Return the object for these arguments, made once."""
    return SymbolFunctions(group, key)


def symbol_keys(group: StructureGroup, max_order: int) -> list[Key]:
    """Return the sets of polynomials up to a degree, lowest degree first, then lowest frequency.

    With an inner product they are |xi|^(n - j) times the harmonic polynomials of degree j. GL(d) and SL(d) have no
    inner product, and all polynomials of a degree are one set.
    """
    if isinstance(group, TensorGroup) and group.metric is None:
        return [(n, n) for n in range(max_order + 1)]
    pairs = [(n, j) for n in range(max_order + 1) for j in range(n % 2, n + 1, 2)]
    return [(n, j) for n, j in pairs if harmonic_dim(group.d, j)]


def _representation(group: StructureGroup, key: Key) -> Representation:
    n, j = key
    if not n:
        return group.trivial()
    if isinstance(group, TensorGroup) and group.metric is None:
        tensors = symmetric_tensors(group, n)
        return _made(group, f"polynomials{n}", tensors.dim, lambda g: tensors(torch.linalg.inv(g).mT))
    if isinstance(group, Scaling):
        rho = group.harmonic(j)
        return _made(group, f"polynomials{n},{j}", rho.dim, lambda g: rho(g) * group.scale_of(g)[..., None, None] ** -n)
    return group.harmonic(j)


def _made(group: StructureGroup, name: str, dim: int, matrix: Callable[[Tensor], Tensor]) -> Representation:
    return Representation(group, name, dim, matrix)


def _evaluate(group: StructureGroup, key: Key, xi: Tensor) -> Tensor:
    """Evaluate h by its definition; `derivatives` are its coefficients."""
    n, j = key
    if isinstance(group, TensorGroup):
        if group.metric is None:
            return symmetric_tensors(group, n).polynomials(xi) if n else torch.ones_like(xi[..., :1])
        raised = xi @ group.metric.to(xi)  # eta g^-T = g eta: a covector with raised index is a vector
        square = (raised * xi).sum(-1, keepdim=True) ** ((n - j) // 2)
        return square * (symmetric_tensors(group, j).polynomials(raised) if j else torch.ones_like(square))
    length: Tensor = torch.linalg.vector_norm(xi, dim=-1, keepdim=True)
    return length**n * harmonics(unit(xi), j)


@cached
def _coefficients(group: StructureGroup, key: Key) -> Float[Tensor, "dim monomials"]:
    """Interpolate at directions spread over the sphere; exact up to rounding, which is cleaned away."""
    indices = multi_indices(group.d, key[0])
    number = torch.arange(4 * len(indices), dtype=torch.float64)[:, None] + 1
    axis = torch.arange(group.d, dtype=torch.float64) + 2
    xi = unit(torch.cos(number * axis.sqrt() * 1.7 + axis))
    found = torch.linalg.lstsq(monomials(xi, indices), _evaluate(group, key, xi)).solution.T
    rounded = found.round()
    return torch.where((found - rounded).abs() < 1e-12, rounded, found).contiguous() + 0.0


__all__ = [
    "Key",
    "SymbolFunctions",
    "indices_up_to",
    "monomials",
    "multi_indices",
    "symbol_functions",
    "symbol_keys",
]
