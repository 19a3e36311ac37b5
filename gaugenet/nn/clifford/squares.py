"""Invariants of multivector fields: the square of each field, of either sign under an indefinite metric."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import FieldType
from gaugenet.groups.clifford.algebra import sign_table
from gaugenet.groups.clifford.fields import algebra_of, grades_of
from gaugenet.nn.tables import TableModule


class MultivectorModule(TableModule):
    """A module for multivector fields that knows the square <e_I, e_I> of each blade.

    Raises:
        ValueError: If a block of the type is not an exterior power, or the group has no metric.
    """

    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        self.in_type = field_type
        self.grades = grades_of(field_type)
        self.algebra = algebra_of(field_type.group)
        cpu = torch.device("cpu")
        signs = sign_table(self.algebra.p, self.algebra.q, "metric", torch.float64, cpu)
        self.add_table("_metric", signs)

    def squares(self, x: Float[Tensor, "points size *spatial"]) -> list[Float[Tensor, "points fields *spatial"]]:
        """Return <x, x> of the fields of each block, which may be zero or negative."""
        found = []
        parts = x.split([b.size for b in self.in_type.blocks], 1)  # one pass in the backward direction
        for k, b, part in zip(self.grades, self.in_type.blocks, parts, strict=True):
            signs = self._metric[self.algebra.grade_slice(k)].to(x.dtype)  # type: ignore[index]
            v = part.unflatten(1, (b.representation.dim, b.multiplicity))
            found.append((v * v * signs.view(-1, *[1] * (v.dim() - 2))).sum(1))
        return found


def signed_length(square: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Return q / (1 + q^2)^(1/4): about q near zero, about sign(q) sqrt |q| for large |q|, and increasing."""
    return square * (1 + square.square()).pow(-0.25)


__all__ = ["MultivectorModule", "signed_length"]
