"""Contraction: apply the sparse Clebsch-Gordan coefficients of a kernel space before its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Int
from torch import Tensor

from gaugenet.kernels.basis import CachedTensor, CoupledBasis
from gaugenet.kernels.pairs import Pair

if TYPE_CHECKING:
    from gaugenet.kernels.factorized import FactorizedSpace

_SPARSE_COST = 4
"""Time of a multiply-add in a loop over few channels, relative to a multiply-add in a matrix product."""


@dataclass(frozen=True)
class Contraction:
    """Another order of the factorized form: aggregate, couple by Clebsch-Gordan coefficients, then mix channels.

    The matrices of `KernelSpace.mixing` are mostly zeros between irreps, by selection rules and because all components
    of an irrep have equal weights. Here the aggregate is first coupled to fields P of the output's irreps, one for
    each ring and path (pair of blocks, key, basis element). Then one matrix per output block acts equally on all
    components.

    Attributes:
        entries: columns (row, column, channel, length). An entry adds its value times `length` channels, from `channel`
            of the aggregate's `column` on, to the rows of P from `row` on.
        values: value of each entry.
        layout: for every output block its first channel in P, the number of channels of P for each component, its
            multiplicity, and its dimension.
    """

    entries: Int[Tensor, "entries 4"]
    values: CachedTensor
    layout: list[int]


def contraction(space: FactorizedSpace) -> Contraction | None:
    """Return the contraction of a space, or `None` if mixing directly is faster (regular fields, aligned form).

    The decision is made by counting multiply-adds at each point.
    """
    if space.aligned or not space.num_weights:
        return None
    direct = space.num_columns * space.in_type.size * space.out_type.size
    mixing = sum((p.stop - p.start) * p.target.representation.dim for p in space.pairs)
    if mixing >= direct:
        return None
    found = _contraction(space)
    return found if mixing + _SPARSE_COST * int(found.entries[:, 3].sum()) < direct else None


def _contraction(space: FactorizedSpace) -> Contraction:
    entries, layout, values, start = [], [], [], 0
    first_column, column = {}, 0
    for key, rings in space.rings_of.items():
        first_column[key], column = column, column + len(rings) * space.num_functions(key)
    for target in space.out_type.blocks:
        pairs = [p for p in space.pairs if p.target is target]
        sizes = [len(p.rings) * p.basis.dim * p.source.multiplicity for p in pairs]
        row = start
        for p, size in zip(pairs, sizes, strict=True):
            index, value = _pair_entries(p, row, sum(sizes), first_column[p.key])
            entries.append(index)
            values.append(value)
            row += size
        layout += [start, sum(sizes), target.multiplicity, target.representation.dim]
        start += sum(sizes) * target.representation.dim
    stacked = torch.cat(values)
    return Contraction(torch.cat(entries), CachedTensor(lambda: stacked), layout)


def _pair_entries(p: Pair, row: int, stride: int, column: int) -> tuple[Tensor, Tensor]:
    """Return the entries of one pair, whose channels of P begin at `row`, output components `stride` apart."""
    table = cast(CoupledBasis, p.basis).coefficients()  # (element, out, harmonic, in)
    elements, _, harmonics, _ = table.shape
    element, out, harmonic, inner = (table.abs() > 1e-14).nonzero(as_tuple=True)
    ring = torch.arange(len(p.rings))[:, None]
    multiplicity = p.source.multiplicity
    index = torch.stack(
        [
            row + out * stride + (ring * elements + element) * multiplicity,
            column + ring * harmonics + harmonic,
            (p.source.start + inner * multiplicity).expand(len(p.rings), -1),
            torch.full((len(p.rings), len(inner)), multiplicity),
        ],
        -1,
    )
    return index.flatten(0, 1), table[element, out, harmonic, inner].repeat(len(p.rings))
