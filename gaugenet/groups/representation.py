"""Representations rho: G -> GL(n) as functions of the group element's matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.intertwiner import intertwiners, same_group

if TYPE_CHECKING:
    from gaugenet.groups.group import StructureGroup


class Representation:
    """A real representation of a structure group: `rho(g)` of shape `(..., n, n)` for `g` of shape `(..., d, d)`.

    Representations are immutable and compare equal if group and name agree. They are copied by reference and pickled
    by name: a name is a short form that `StructureGroup.representation` reads.

    Args:
        group: the group G.
        name: unique among the representations of G, e.g. `"1"`, `"regular"`.
        dim: n.
        matrix: maps `(..., d, d)` to `(..., n, n)`, differentiable, a homomorphism on G.
        order: angular order of an irrep (its frequency), `None` for what is not irreducible.
        permutation: whether `rho(g)` permutes the standard basis, so that pointwise nonlinearities are equivariant.
    """

    def __init__(
        self,
        group: StructureGroup,
        name: str,
        dim: int,
        matrix: Callable[[Tensor], Tensor],
        *,
        order: int | None = None,
        permutation: bool = False,
    ) -> None:
        self.group = group
        self.name = name
        self.dim = dim
        self.order = order
        self.permutation = permutation
        self._matrix = matrix

    def __call__(self, g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch n n"]:
        return self._matrix(g)

    @property
    def is_irreducible(self) -> bool:
        return self.order is not None

    @property
    def is_trivial(self) -> bool:
        return self.order == 0 and self.permutation

    def derivative(self, algebra: Float[Tensor, "d d"]) -> Float[Tensor, "n n"]:
        """d/dt rho(1 + t X) at t = 0, for X in the Lie algebra."""
        eye = torch.eye(self.group.d, dtype=algebra.dtype)
        return torch.func.jvp(self._matrix, (eye,), (algebra,))[1]

    @cached_property
    def invariants(self) -> Float[Tensor, "count n"]:
        """A canonical basis of the vectors fixed by every rho(g): where a bias may live."""
        return intertwiners(self.group.trivial(), self)[..., 0]

    def restrict(self, subgroup: StructureGroup) -> Representation:
        """The same matrices, seen as a representation of a subgroup; `ValueError` if it is none."""
        if subgroup == self.group:
            return self
        self.group.check_subgroup(subgroup)
        if self.is_trivial:
            return trivial(subgroup)
        name = f"restricted({self.group.name},{self.name})"
        return Representation(subgroup, name, self.dim, self._matrix, permutation=self.permutation)

    def __add__(self, other: Representation) -> Representation:
        return DirectSum([self, other])

    def tensor(self, other: Representation) -> Representation:
        """The tensor product; index of this factor is the outer one."""
        same_group(self, other)
        n = self.dim * other.dim

        def matrix(g: Tensor) -> Tensor:
            product = torch.einsum("...ab,...cd->...acbd", self(g), other(g))
            return product.reshape(*g.shape[:-2], n, n)

        permutation = self.permutation and other.permutation
        return Representation(self.group, f"({self.name}⊗{other.name})", n, matrix, permutation=permutation)

    def decompose(self, max_order: int | None = None) -> Decomposition:
        """Orthogonal change of basis into irreps: `rho(g) = Q (+)_i rho_i(g) Q^T` for orthogonal rho.

        Args:
            max_order: the highest irrep order to look for; default: all that can occur.

        Raises:
            ValueError: `max_order` is too low.
        """
        irreps: list[Representation] = []
        columns = [torch.zeros(self.dim, 0, dtype=torch.float64)]
        for irrep in self.group.irreps(self._highest_frequency() if max_order is None else max_order):
            embeddings = _independent_embeddings(irrep, self)
            irreps += [irrep] * len(embeddings)
            columns += embeddings
        basis = torch.cat(columns, dim=1)
        if basis.shape[1] != self.dim:
            raise ValueError(
                f"Found irreps of total dimension {basis.shape[1]} in {self!r} of dimension {self.dim}: "
                "raise `max_order`."
            )
        return Decomposition(irreps, basis)

    def _highest_frequency(self) -> int | None:
        """The highest order among its irreps, read off the Lie algebra; `None` (no bound) for finite groups."""
        speeds = [torch.linalg.matrix_norm(self.derivative(x), 2).item() for x in self.group.lie_algebra()]
        return math.ceil(max(speeds) - 1e-6) if speeds else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Representation) and (self.group, self.name) == (other.group, other.name)

    def __hash__(self) -> int:
        return hash((self.group, self.name))

    def __repr__(self) -> str:
        return f"{self.group.name}:{self.name}"

    def __copy__(self) -> Representation:
        return self

    def __deepcopy__(self, memo: dict) -> Representation:
        return self

    def __reduce__(self):
        _rebuild(self.group, self.name)  # a name that cannot be read back must fail here, not when it is loaded
        return _rebuild, (self.group, self.name)


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Irreps of a representation, in order, and the orthogonal matrix whose columns embed them."""

    irreps: list[Representation]
    basis: Float[Tensor, "n n"]

    @property
    def labels(self) -> list[str]:
        return [rho.name for rho in self.irreps]

    def __call__(self, g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch n n"]:
        """The representation put together again: `Q (+)_i rho_i(g) Q^T`."""
        basis = self.basis.to(g)
        return basis @ block_diagonal(self.irreps, g) @ basis.T


class DirectSum(Representation):
    """rho_1 + rho_2 + ...: block-diagonal matrices; `ValueError` for none, or for those of different groups."""

    def __init__(self, parts: list[Representation]) -> None:
        if not parts:
            raise ValueError("Expected at least one representation in a direct sum.")
        for part in parts[1:]:
            same_group(parts[0], part)
        self.parts = parts
        super().__init__(
            parts[0].group,
            "(" + "⊕".join(p.name for p in parts) + ")",
            sum(p.dim for p in parts),
            lambda g: block_diagonal(parts, g),
            permutation=all(p.permutation for p in parts),
        )


def block_diagonal(parts: list[Representation], g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch n n"]:
    """rho_1(g), rho_2(g), ... down the diagonal."""
    dim = sum(p.dim for p in parts)
    out = g.new_zeros(*g.shape[:-2], dim, dim)
    start = 0
    for part in parts:
        out[..., start : start + part.dim, start : start + part.dim] = part(g)
        start += part.dim
    return out


def trivial(group: StructureGroup) -> Representation:
    """The trivial representation of any group; named `0` as the irrep of order 0."""

    def matrix(g: Tensor) -> Tensor:
        return torch.ones(*g.shape[:-2], 1, 1, dtype=g.dtype, device=g.device)

    return Representation(group, "0", 1, matrix, order=0, permutation=True)


def standard(group: StructureGroup) -> Representation:
    """rho(g) = g."""
    return Representation(group, "standard", group.d, lambda g: g)


def clebsch_gordan(rho: Representation, sigma: Representation) -> Decomposition:
    """The irreps of rho (x) sigma and the orthogonal matrix of Clebsch-Gordan coefficients that embeds them."""
    return rho.tensor(sigma).decompose()


def _independent_embeddings(irrep: Representation, rho: Representation) -> list[Tensor]:
    """Isometric embeddings (n, dim) of `irrep` into `rho` with orthogonal images, as many as its multiplicity."""
    found: list[Tensor] = []
    for a in intertwiners(irrep, rho):
        for b in found * 2:  # Gram-Schmidt, twice for full precision
            a = a - b @ (b.T @ a)
        scale = (a.T @ a).diagonal().mean()
        if scale > 1e-12:
            found.append(a / scale.sqrt())
    return found


@cache
def _rebuild(group: StructureGroup, name: str) -> Representation:
    return group.representation(name)
