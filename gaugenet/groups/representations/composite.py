"""Representations made of others: direct sums, tensor products, restrictions to a subgroup."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.intertwiners.intertwiner import same_group
from gaugenet.groups.representations.base import Representation

if TYPE_CHECKING:
    from gaugenet.groups.group import StructureGroup


class DirectSum(Representation):
    """The direct sum rho_1 + rho_2 + ... of representations: block-diagonal matrices.

    Args:
        parts: at least one representation, all of one group.
        name: a short name; default `(rho_1⊕rho_2⊕...)`.

    Raises:
        ValueError: If `parts` is empty, or they belong to different groups.

    Example:
        >>> from gaugenet.groups import SO2
        >>> total = SO2().irrep(0) + SO2().irrep(1)
        >>> total, total.dim
        (SO(2):(0⊕1), 3)
    """

    def __init__(self, parts: list[Representation], *, name: str | None = None) -> None:
        if not parts:
            raise ValueError("Expected at least one representation in a direct sum.")
        for part in parts[1:]:
            same_group(parts[0], part)
        self.parts = parts
        super().__init__(
            parts[0].group,
            name or "(" + "⊕".join(p.name for p in parts) + ")",
            sum(p.dim for p in parts),
            lambda g: block_diagonal(parts, g),
            permutation=all(p.permutation for p in parts),
        )


class TensorProduct(Representation):
    """The tensor product rho_1 x rho_2: Kronecker products, in which the index of the first factor is the outer one.

    Args:
        first, second: representations of one group.

    Raises:
        ValueError: If they belong to different groups.

    Example:
        >>> from gaugenet.groups import SO3, TensorProduct
        >>> vectors = SO3().irrep(1)
        >>> TensorProduct(vectors, vectors).decompose().labels  # trace, cross product, traceless symmetric part
        ['0', '1', '2']
    """

    def __init__(self, first: Representation, second: Representation) -> None:
        same_group(first, second)
        self.factors = (first, second)
        super().__init__(
            first.group,
            f"({first.name}⊗{second.name})",
            first.dim * second.dim,
            self._product,
            permutation=first.permutation and second.permutation,
        )

    def _product(self, g: Tensor) -> Tensor:
        first, second = self.factors
        product = torch.einsum("...ab,...cd->...acbd", first(g), second(g))
        return product.reshape(*g.shape[:-2], self.dim, self.dim)


class Restricted(Representation):
    """The matrices of a representation of a larger group, at the elements of a subgroup.

    `Representation.restrict` returns an irrep of the subgroup where one has the same matrices.

    Example:
        >>> from gaugenet.groups import SO3, Polyhedral, Restricted
        >>> Restricted(SO3().irrep(3), Polyhedral("O")).decompose().labels
        ['T1', 'T2', 'A2']
    """

    def __init__(self, rho: Representation, subgroup: StructureGroup) -> None:
        self.parent = rho
        name = f"restricted({rho.group.name},{rho.name})"
        super().__init__(subgroup, name, rho.dim, rho, permutation=rho.permutation)


@lru_cache(maxsize=4096)
def restricted(rho: Representation, subgroup: StructureGroup) -> Representation:
    """Return rho at the elements of a subgroup, as the irrep of the subgroup that has these matrices, if any."""
    if rho.order is not None and rho.order <= subgroup.known_orders:
        for irrep in subgroup.irreps(rho.order):
            if _same_matrices(rho, irrep):
                return irrep
    return Restricted(rho, subgroup)


def _same_matrices(rho: Representation, irrep: Representation) -> bool:
    if rho.dim != irrep.dim:
        return False
    group = irrep.group
    g = torch.cat([group.generators(), group.random_element(8, generator=torch.Generator().manual_seed(0))])
    return bool((rho(g) - irrep(g)).abs().max() < 1e-12)


def block_diagonal(parts: list[Representation], g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch n n"]:
    """Return the block-diagonal matrix of rho_1(g), rho_2(g), ..."""
    dim = sum(p.dim for p in parts)
    out = g.real.new_zeros(*g.shape[:-2], dim, dim)
    start = 0
    for part in parts:
        out[..., start : start + part.dim, start : start + part.dim] = part(g)
        start += part.dim
    return out
