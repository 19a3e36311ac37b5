"""Kernels sampled on the stencil of a lattice: the weight of one ordinary convolution."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.stencil import Stencil
from gaugenet.kernels import KernelSpace
from gaugenet.kernels.basis import unit
from gaugenet.kernels.kernel_space import Pair


def sample(space: KernelSpace, weight: Float[Tensor, "weights"], stencil: Stencil) -> Float[Tensor, "out in cells"]:
    """weights[s] K(offsets[s]) at the cells s of the stencil, differentiable: one matrix product a pair of blocks."""
    rows = []
    for target in space.out_type.blocks:
        parts = [_sampled_pair(space, p, weight, stencil) for p in space.pairs if p.target is target]
        rows.append(torch.cat(parts, 1) if len(parts) != 1 else parts[0])
    if not rows or not space.in_type.size:
        return weight.new_zeros(space.out_type.size, space.in_type.size, math.prod(stencil.window))
    return torch.cat(rows) if len(rows) > 1 else rows[0]


def _sampled_pair(space: KernelSpace, p: Pair, weight: Tensor, stencil: Stencil) -> Float[Tensor, "out in cells"]:
    o, i = p.target.representation.dim, p.source.representation.dim
    u, v = p.target.multiplicity, p.source.multiplicity
    table = basis_table(space, p, stencil, weight.dtype, weight.device)
    values = table @ p.weight(weight).reshape(table.shape[1], u * v)
    return values.view(-1, o, i, u, v).permute(1, 3, 2, 4, 0).reshape(o * u, i * v, -1)


@torch.compiler.assume_constant_result
def basis_table(
    space: KernelSpace, p: Pair, stencil: Stencil, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "cells_out_in weights"]:
    """Every element of the basis of a pair (rings x angular functions) at the cells of a stencil."""
    with torch.no_grad(), torch.inference_mode(False):
        return _table(space.radial, p.basis, stencil, dtype, device)


@lru_cache(maxsize=512)
def _table(radial, basis, stencil: Stencil, dtype: torch.dtype, device: torch.device) -> Tensor:
    v = stencil.offsets
    phi = radial(torch.linalg.vector_norm(v, dim=-1)) * stencil.weights[:, None]
    table = torch.einsum("sk,sboi->soikb", phi, basis.sample(unit(v)))
    return table.flatten(3).flatten(0, 2).to(device, dtype).contiguous()
