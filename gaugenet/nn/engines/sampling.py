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
    coefficients = coefficient_table(space, stencil, weight)
    rows = []
    for b, matrix in zip(space.out_type.blocks, space.mixing(weight), strict=True):
        values = coefficients @ matrix.reshape(-1, space.in_type.size * b.size)
        rows.append(values.unflatten(1, (space.in_type.size, b.size)).permute(2, 1, 0))
    return torch.cat(rows)


def _aligned_rows(space: KernelSpace, target: Block, weight: Tensor, stencil: Stencil) -> Float[Tensor, "out in cells"]:
    """Between irreps of SO(2) and O(2) a basis has few elements: all of them at all cells, times the weights."""
    parts = []
    for p in space.pairs:
        if p.target is target:
            table = basis_table(space, p, stencil, weight)
            values = torch.einsum("tsoi,tuv->ouivs", table, p.weight(weight).flatten(0, 1))
            parts.append(values.flatten(2, 3).flatten(0, 1))
    return torch.cat(parts, 1)


def coefficient_table(space: KernelSpace, stencil: Stencil, like: Tensor) -> Float[Tensor, "cells columns"]:
    """weights[s] c_t(offsets[s]): radial x harmonic functions at the cells, in the precision of `like`."""
    if torch.compiler.is_dynamo_compiling():
        return like.new_tensor(_coefficient_values(space, stencil))
    key = (space.radial, tuple(space.frequencies.items()), space.group.d, stencil)
    return _kept(key, lambda: _coefficients(space, stencil), like)


def basis_table(space: KernelSpace, p: Pair, stencil: Stencil, like: Tensor) -> Float[Tensor, "elements cells out in"]:
    """weights[s] phi_k(|v|) B_b(v / |v|) at the cells, v = offsets[s]: rings x basis elements."""
    if torch.compiler.is_dynamo_compiling():
        return like.new_tensor(_basis_values(space, p, stencil))
    return _kept((space.radial, p.basis, stencil), lambda: _basis(space, p, stencil), like)


def _coefficients(space: KernelSpace, stencil: Stencil) -> Tensor:
    return space.coefficients(stencil.offsets) * stencil.weights[:, None]


def _basis(space: KernelSpace, p: Pair, stencil: Stencil) -> Tensor:
    v = stencil.offsets
    phi = space.radial(torch.linalg.vector_norm(v, dim=-1)) * stencil.weights[:, None]
    return torch.einsum("sk,sboi->kbsoi", phi, p.basis.sample(unit(v))).flatten(0, 1)


# Compilers get the tables as numbers: a tensor that differs between two calls they would take for one of unknown size.


@torch.compiler.assume_constant_result
def _coefficient_values(space: KernelSpace, stencil: Stencil) -> list:
    return _coefficients(space, stencil).tolist()


@torch.compiler.assume_constant_result
def _basis_values(space: KernelSpace, p: Pair, stencil: Stencil) -> list:
    return _basis(space, p, stencil).tolist()


def _kept(key: Hashable, make: Callable[[], Tensor], like: Tensor) -> Tensor:
    """`make()` in the precision of `like`, computed once for all layers; never to be written to."""
    key = (key, like.dtype, like.device)
    if key in _KEPT:
        return _KEPT[key]
    with torch.no_grad(), torch.inference_mode(False):
        table = make().to(like.device, like.dtype)
    if type(table) is Tensor:  # not one that stands for a tensor while code is being traced
        while len(_KEPT) >= MOST_KEPT:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[key] = table
    return table
