"""Outer products: representations of a direct product of two groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gaugenet.groups.intertwiners.intertwiner import same_group
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.composite import TensorProduct

if TYPE_CHECKING:
    from gaugenet.groups.families.direct_product import DirectProduct


class OuterProduct(Representation):
    """The representation first(h) x second(k) of H x K; the index of the first factor is the outer one.

    Args:
        group: H x K.
        first: a representation of H.
        second: a representation of K.
        order: see `Representation`.
    """

    def __init__(
        self, group: DirectProduct, first: Representation, second: Representation, *, order: int | None = None
    ) -> None:
        self.product_group, self.first, self.second = group, first, second
        trivial = first.is_trivial and second.is_trivial
        super().__init__(
            group,
            second.name if first.is_trivial else f"{first.name}*{second.name}",
            first.dim * second.dim,
            self._product,
            order=0 if trivial else order,
            permutation=first.permutation and second.permutation,
        )

    def _product(self, g: Tensor) -> Tensor:
        h, k = self.product_group.split(g)
        inner = self.second(k)
        if self.first.is_trivial:
            return inner
        eye = torch.eye(self.first.dim, dtype=inner.dtype, device=inner.device)
        outer = eye if h is None else self.first(h).to(inner)
        product = torch.einsum("...ab,...cd->...acbd", outer, inner)
        return product.reshape(*g.shape[:-2], self.dim, self.dim)

    def tensor(self, other: Representation) -> Representation:
        """Return the tensor product, as an outer product where the order of its indices is the same."""
        if not isinstance(other, OuterProduct) or not (self.second.is_trivial or other.first.is_trivial):
            return TensorProduct(self, other)
        same_group(self, other)
        first, second = _tensor(self.first, other.first), _tensor(self.second, other.second)
        return OuterProduct(self.product_group, first, second)


def _tensor(a: Representation, b: Representation) -> Representation:
    return b if a.is_trivial else a if b.is_trivial else a.tensor(b)


__all__ = ["OuterProduct"]
