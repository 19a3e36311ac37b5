"""Induced representations, with regular and quotient representations as special cases."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.representations.base import Representation, trivial

if TYPE_CHECKING:
    from gaugenet.groups.group import StructureGroup


class Induced(Representation):
    """The induced representation Ind_H^G rho, on coset representatives r_i :cite:`serre1977linear`.

    Block (j, i) of the matrix of g is rho(r_j^-1 g r_i) if r_j^-1 g r_i is in H, otherwise zero. `rho=None` is the
    trivial representation of H: functions on G/H, the regular representation for H = {e}. The elements of G must be
    orthogonal matrices.
    """

    def __init__(
        self, group: StructureGroup, subgroup: StructureGroup, rho: Representation | None, *, name: str
    ) -> None:
        self.subgroup = subgroup
        self.rho = trivial(subgroup) if rho is None else rho
        self.cosets: Float[Tensor, "index d d"] = group.coset_representatives(subgroup)
        """The coset representatives r_i, the identity first; for regular representations all elements."""
        super().__init__(
            group,
            name,
            len(self.cosets) * self.rho.dim,
            self._table_matrix if group.order else self._block_matrix,
            permutation=self.rho.permutation,
        )

    def _block_matrix(self, g: Tensor) -> Tensor:
        cosets = self.cosets.to(g)
        h = cosets.mT[:, None] @ g[..., None, None, :, :] @ cosets
        inside = self.subgroup.contains(h)[..., None, None]
        blocks = torch.where(inside, self.rho(h), torch.zeros((), dtype=g.dtype, device=g.device))
        return blocks.movedim(-2, -3).reshape(*g.shape[:-2], self.dim, self.dim)

    @cached_property
    def _table(self) -> Float[Tensor, "order n n"]:
        """The matrices of all elements of a finite group: g r_i = r_j h has one block rho(h), at (j, i)."""
        elements, cosets, n = self.group.elements(), self.cosets, self.rho.dim
        coset_of = self.subgroup.contains(cosets.mT[:, None] @ elements).to(torch.uint8).argmax(0)
        moved = elements[:, None] @ cosets
        j = coset_of[self.group.element_index(moved)]
        table = torch.zeros(len(elements), len(cosets), n, len(cosets), n, dtype=torch.float64)
        g, i = torch.arange(len(elements))[:, None], torch.arange(len(cosets))
        table[g, j, :, i, :] = self.rho(cosets[j].mT @ moved)
        return table.view(-1, self.dim, self.dim)

    def _table_matrix(self, g: Tensor) -> Tensor:
        return self._table.to(g)[self.group.element_index(g)]


@lru_cache(maxsize=256)
def induced(group: StructureGroup, subgroup: StructureGroup, rho: Representation | None, name: str) -> Induced:
    """Return an `Induced`, made once: its tables are shared."""
    return Induced(group, subgroup, rho, name=name)
