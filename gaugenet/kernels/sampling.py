"""Kernels sampled on the stencil of a lattice: the weight of one ordinary convolution."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._transforms import outside_transforms
from gaugenet._typing import constant_result, typed_tensor
from gaugenet.groups import Block
from gaugenet.kernels.pairs import Pair
from gaugenet.kernels.space import Intertwiner, PixelStencil, Readout

if TYPE_CHECKING:
    from gaugenet.kernels.factorized import FactorizedSpace

LARGEST_TABLE = 2**24
"""Largest number of entries of a table of kernels that is kept in memory."""

_CACHE: dict[Hashable, Tensor] = {}
_CACHE_SIZE = 1024


def sample(
    space: FactorizedSpace, weight: Float[Tensor, "weights"], stencil: PixelStencil
) -> Float[Tensor, "out in cells"]:
    """Return weights[s] K(offsets[s]) at the cells s of the stencil, differentiable."""
    if not (space.in_type.size and space.out_type.size):
        return weight.new_zeros(space.out_type.size, space.in_type.size, math.prod(stencil.window))
    if space.aligned:
        return torch.cat([_aligned_rows(space, b, weight, stencil) for b in space.out_type.blocks])
    coefficients = coefficient_table(space, stencil, weight)
    rows = []
    for b, matrix in zip(space.out_type.blocks, space.mixing(weight), strict=True):
        values = coefficients @ matrix.reshape(-1, space.in_type.size * b.size)
        rows.append(values.unflatten(1, (space.in_type.size, b.size)).permute(2, 1, 0))
    return torch.cat(rows)


def sample_at_once(
    space: FactorizedSpace,
    weight: Float[Tensor, "weights"],
    stencil: PixelStencil,
    middle: Intertwiner | None,
    dtype: torch.dtype,
    readout: Readout | None = None,
) -> Float[Tensor, "out cells in"]:
    """Return `sample` with K_self (`middle`) in the centre, as one matrix product for each pair of blocks.

    This takes many more multiply-adds than `sample`, but few operations, on matrix units that are fast in low
    precision. The result has the layout that convolutions prefer, with the channels of the input contiguous. A
    `readout` replaces the values at the cells at no cost.
    """
    rows = []
    for target in space.out_type.blocks:
        parts = [
            _dense_block(space, (source, target), weight, stencil, middle, dtype, readout)
            for source in space.in_type.blocks
        ]
        rows.append(torch.cat(parts, 2) if len(parts) > 1 else parts[0])
    return torch.cat(rows) if len(rows) > 1 else rows[0]


def table_size(space: FactorizedSpace, stencil: PixelStencil) -> int:
    """Return the number of entries of the largest table that `sample_at_once` needs, without those for K_self."""
    sizes: dict[tuple[Block, Block], int] = {}
    for p in space.pairs:
        entries = p.shape[0] * p.shape[1] * p.target.representation.dim * p.source.representation.dim
        sizes[p.target, p.source] = sizes.get((p.target, p.source), 0) + entries
    return math.prod(stencil.window) * max(sizes.values(), default=0)


def _dense_block(
    space: FactorizedSpace,
    blocks: tuple[Block, Block],
    weight: Tensor,
    stencil: PixelStencil,
    middle: Intertwiner | None,
    dtype: torch.dtype,
    readout: Readout | None,
) -> Float[Tensor, "block_out cells block_in"]:
    source, target = blocks
    pairs = [p for p in space.pairs if p.target is target and p.source is source]
    central = None if middle is None else middle.elements(source, target)
    weights = [p.weight(weight).flatten(0, 1) for p in pairs] + ([] if central is None else [central[1]])
    weights = weights or [weight.new_zeros(1, target.multiplicity, source.multiplicity)]

    def make() -> Tensor:
        cells, sizes = math.prod(stencil.window), (target.representation.dim, source.representation.dim)
        tables = [space.pair_values(p, stencil) for p in pairs]
        if central is not None:
            at_centre = torch.zeros(cells, dtype=torch.float64)
            at_centre[stencil.centre] = 1
            tables.append(torch.einsum("boi,s->bsoi", central[0], at_centre))
        values = torch.cat(tables or [torch.zeros(1, cells, *sizes, dtype=torch.float64)])
        return (values if readout is None else readout(values, source, target)).flatten(1).T.contiguous()

    parts = tuple((p.basis, p.rings) for p in pairs)
    kind = (space.factor_keys[0], source.representation, target.representation, parts, central is None)
    key = ("at once", *kind, stencil, readout)
    table = cached_table(key, make, weight.new_empty(0, dtype=dtype))
    values = table @ torch.cat(weights).flatten(1).to(dtype)
    values = values.unflatten(0, (-1, target.representation.dim, source.representation.dim))
    values = values.unflatten(3, (target.multiplicity, source.multiplicity))
    return typed_tensor(values.permute(1, 3, 0, 2, 4).flatten(3, 4).flatten(0, 1))


def _aligned_rows(
    space: FactorizedSpace, target: Block, weight: Tensor, stencil: PixelStencil
) -> Float[Tensor, "out in cells"]:
    """Combine all basis elements at all cells with the weights: between irreps of SO(2) and O(2) they are few."""
    parts = []
    for p in space.pairs:
        if p.target is target:
            table = _basis_table(space, p, stencil, weight)
            values = torch.einsum("tsoi,tuv->ouivs", table, p.weight(weight).flatten(0, 1))
            parts.append(values.flatten(2, 3).flatten(0, 1))
    return torch.cat(parts, 1)


def coefficient_table(space: FactorizedSpace, stencil: PixelStencil, like: Tensor) -> Float[Tensor, "cells columns"]:
    """Return weights[s] c_t(offsets[s]): radial x harmonic functions at the cells, in the precision of `like`."""
    if torch.compiler.is_dynamo_compiling():
        return like.new_tensor(_coefficient_values(space, stencil))
    return cached_table((space.factor_keys[0], stencil), lambda: space.stencil_coefficients(stencil), like)


def _basis_table(
    space: FactorizedSpace, p: Pair, stencil: PixelStencil, like: Tensor
) -> Float[Tensor, "elements cells out in"]:
    """Return weights[s] phi_k(|v|) B_b(v / |v|) at the cells, v = offsets[s]: rings x basis elements."""
    if torch.compiler.is_dynamo_compiling():
        return like.new_tensor(_basis_values(space, p, stencil))
    return cached_table((space.factor_keys[0], p.basis, p.rings, stencil), lambda: space.pair_values(p, stencil), like)


# Compilers get the tables as numbers, since they treat a tensor that differs between two calls as one of unknown size.


@constant_result
def _coefficient_values(space: FactorizedSpace, stencil: PixelStencil) -> list[Any]:
    return space.stencil_coefficients(stencil).tolist()


@constant_result
def _basis_values(space: FactorizedSpace, p: Pair, stencil: PixelStencil) -> list[Any]:
    return space.pair_values(p, stencil).tolist()


def cached_table(key: Hashable, make: Callable[[], Tensor], like: Tensor) -> Tensor:
    """Return `make()` in the precision of `like`, computed once for all layers; do not write to it."""
    key = (key, like.dtype, like.device)
    if key in _CACHE:
        return _CACHE[key]
    with outside_transforms():
        table = make().to(like.device, like.dtype)
    if type(table) is Tensor:  # not a proxy for a tensor while code is traced
        while len(_CACHE) >= _CACHE_SIZE:
            _CACHE.pop(next(iter(_CACHE)))
        _CACHE[key] = table
    return table
