"""Kernels sampled on the stencil of a lattice: the weight of one ordinary convolution."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.stencil import Stencil
from gaugenet.groups import Block
from gaugenet.kernels import KernelSpace
from gaugenet.kernels.basis import unit
from gaugenet.kernels.kernel_space import Pair

_KEPT: dict[Hashable, Tensor] = {}
MOST_KEPT = 1024


def sample(space: KernelSpace, weight: Float[Tensor, "weights"], stencil: Stencil) -> Float[Tensor, "out in cells"]:
    """weights[s] K(offsets[s]) at the cells s of the stencil, differentiable."""
    if not (space.in_type.size and space.out_type.size):
        return weight.new_zeros(space.out_type.size, space.in_type.size, math.prod(stencil.window))
    if space.aligned:
        return torch.cat([_aligned_rows(space, b, weight, stencil) for b in space.out_type.blocks])
    coefficients = coefficient_table(space, stencil, weight.dtype, weight.device)
    columns = coefficients.shape[1]
    rows = [
        (coefficients @ matrix.view(columns, -1)).unflatten(1, (space.in_type.size, b.size)).permute(2, 1, 0)
        for b, matrix in zip(space.out_type.blocks, space.mixing(weight), strict=True)
    ]
    return torch.cat(rows)


def _aligned_rows(space: KernelSpace, target: Block, weight: Tensor, stencil: Stencil) -> Float[Tensor, "out in cells"]:
    """Between irreps of SO(2) and O(2) a basis has few elements: all of them at all cells, times the weights."""
    parts = []
    for p in space.pairs:
        if p.target is target:
            table = basis_table(space, p, stencil, weight.dtype, weight.device)
            values = torch.einsum("tsoi,tuv->ouivs", table, p.weight(weight).flatten(0, 1))
            parts.append(values.flatten(2, 3).flatten(0, 1))
    return torch.cat(parts, 1)


@torch.compiler.assume_constant_result
def coefficient_table(
    space: KernelSpace, stencil: Stencil, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "cells columns"]:
    """weights[s] c_t(offsets[s]): radial x harmonic functions at the cells."""

    def make() -> Tensor:
        return space.coefficients(stencil.offsets) * stencil.weights[:, None]

    return _kept((space.radial, tuple(space.frequencies.items()), space.group.d, stencil), make, dtype, device)


@torch.compiler.assume_constant_result
def basis_table(
    space: KernelSpace, p: Pair, stencil: Stencil, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "elements cells out in"]:
    """weights[s] phi_k(|v|) B_b(v / |v|) at the cells, v = offsets[s]: rings x basis elements."""

    def make() -> Tensor:
        v = stencil.offsets
        phi = space.radial(torch.linalg.vector_norm(v, dim=-1)) * stencil.weights[:, None]
        return torch.einsum("sk,sboi->kbsoi", phi, p.basis.sample(unit(v))).flatten(0, 1)

    return _kept((space.radial, p.basis, stencil), make, dtype, device)


def _kept(key: Hashable, make: Callable[[], Tensor], dtype: torch.dtype, device: torch.device) -> Tensor:
    """`make()` in this precision, computed once for all layers; never to be written to."""
    key = (key, dtype, device)
    if key in _KEPT:
        return _KEPT[key]
    with torch.no_grad(), torch.inference_mode(False):
        table = make().to(device, dtype)
    if type(table) is Tensor:  # not one that stands for a tensor while code is being traced
        while len(_KEPT) >= MOST_KEPT:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[key] = table
    return table
