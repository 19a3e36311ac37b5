"""Couplings of directions: which products of components of two fields make the components of a third."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.groups import DirectProduct, FieldType, Representation
from gaugenet.kernels.basis import CachedTensor
from gaugenet.kernels.tensor_operators import tensor_operators
from gaugenet.nn.lattice.fields import direction_of, spatial_part


@dataclass(frozen=True)
class Coupling:
    """The intertwiners from directions of one block times directions of another to directions of a block of the result.

    Attributes:
        table: `(count, out, first, second)`, orthonormal up to the factor sqrt(out).
        slices: the components of the result and the two factors.
        shape: of the weights: count, and the multiplicities of the result and the two factors.
        start: index of the first weight.
    """

    table: CachedTensor
    slices: tuple[slice, slice, slice]
    shape: tuple[int, int, int, int]
    start: int

    @property
    def stop(self) -> int:
        return self.start + math.prod(self.shape)


def couplings(out_type: FieldType, first_type: FieldType, second_type: FieldType) -> list[Coupling]:
    """Return all couplings; the two factors are extended by their adjoints and a unit matrix, without directions."""
    found: list[Coupling] = []
    start = 0
    pairs = itertools.product(_parts(out_type, extended=False), _parts(first_type), _parts(second_type))
    for (c, k, out), (a, i, first), (b, j, second) in pairs:
        table = CachedTensor(partial(_table, a, b, c))
        if count := len(table()):
            shape = count, k, i, j
            found.append(Coupling(table, (out, first, second), shape, start))
            start = found[-1].stop
    return found


def coupled(
    alpha: Complex[Tensor, "weights"], parts: list[Coupling], sizes: tuple[int, int, int]
) -> Complex[Tensor, "out first second"]:
    """Return the coefficients of all products of components."""
    full = alpha.new_zeros(sizes)
    for p in parts:
        weight = alpha[p.start : p.stop].view(p.shape)
        part = torch.einsum("mcab,mkij->ckaibj", p.table(alpha.real).to(alpha.dtype), weight)
        full[p.slices] = part.flatten(4, 5).flatten(2, 3).flatten(0, 1)
    return full


def _parts(field_type: FieldType, *, extended: bool = True) -> Iterator[tuple[Representation, int, slice]]:
    """Return for each block how its directions transform, its multiplicity, and its matrices."""
    start = 0
    for _ in range(2 if extended else 1):
        for block in field_type.blocks:
            size = direction_of(block) * block.multiplicity
            yield spatial_part(block), block.multiplicity, slice(start, start + size)
            start += size
    group = field_type.group
    if extended and isinstance(group, DirectProduct):
        yield group.spatial.trivial(), 1, slice(start, start + 1)


def _table(a: Representation, b: Representation, c: Representation) -> Float[Tensor, "count out first second"]:
    return tensor_operators(b, c, a) * math.sqrt(c.dim)


__all__ = ["Coupling", "coupled", "couplings"]
