"""The `charts` engine: one ordinary convolution of an icosphere's stacked charts, then corrections at their sides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gaugenet._transforms import is_exported_to_onnx, is_transformed, outside_transforms
from gaugenet._typing import constant_result, typed_tensor
from gaugenet.geometry.domain import Domain
from gaugenet.geometry.icosphere._charts import CELLS, NUM_CELLS
from gaugenet.geometry.icosphere.icosphere import HexagonalStencil, Icosphere
from gaugenet.groups import Block, Cyclic, FieldType, StructureGroup
from gaugenet.kernels.attributes import NO_ATTRIBUTES, Attributes
from gaugenet.nn.engines import chart_factors
from gaugenet.nn.engines._chart_conv import chart_conv, plain_chart_conv
from gaugenet.nn.engines._chart_edges import CORNER, HALF, PLAIN, PROJECT, SUBTRACT, Run, SideEdges, side_edges
from gaugenet.nn.engines.protocol import Convolution, Engine, need_no_attributes
from gaugenet.nn.engines.sampled import all_at_once
from gaugenet.nn.precision import widened


class ChartsEngine(Engine[Icosphere]):
    """Icospheres; features in vertex order or in the chart layout."""

    def check(self, field_type: FieldType, x: Tensor, domain: Icosphere) -> None:
        v = domain.num_vertices
        shapes = {2: (v,), 3: (v,), 4: domain.chart_shape}
        found = x.shape[:1] if x.dim() == 2 else x.shape[2:]
        if x.dim() not in shapes or tuple(found) != shapes[x.dim()]:
            raise ValueError(
                f"Expected `x` of shape ({v}, C) or (B, C, {v}) in vertex order, or (B, C, {domain.chart_shape[0]}, "
                f"{domain.chart_shape[1]}) in charts of {domain!r}, got {tuple(x.shape)}."
            )
        _check_group(field_type.group)

    def convolve(
        self,
        convolution: Convolution,
        x: Float[Tensor, "..."],
        domain: Icosphere,
        attributes: Attributes = NO_ATTRIBUTES,
    ) -> Float[Tensor, "..."]:
        need_no_attributes(attributes, domain)
        if convolution.groups > 1:
            raise ValueError(
                f"Expected a convolution without channel groups on an Icosphere, got groups={convolution.groups}: pass "
                "its `gauge_graph(...)`."
            )
        if chart_factors.pays(convolution, x, domain):
            out = chart_factors.convolve_vertices(
                convolution, from_charts(as_charts(x, domain), 3, domain).mT, domain
            ).mT
            return as_charts(out, domain) if x.dim() == 4 else out if x.dim() == 3 else out[0].mT
        edges = _edges(domain.level, domain.neighborhood, domain.stride, x.device)
        kernel, sides, bias = _sampled_with_sides(convolution, HexagonalStencil(domain.neighborhood), edges.runs)
        dtype = _dtype_of_products(x)
        tensors = (None if t is None else t.to(dtype) for t in (as_charts(x, domain), kernel, bias, sides))
        plain = is_exported_to_onnx() or (is_transformed() and not torch.compiler.is_compiling())
        convolution_of: Any = plain_chart_conv if plain else chart_conv
        charts: Tensor = convolution_of(*tensors, edges.large_groups, edges.small_groups, edges.counts, domain.stride)
        return charts if x.dim() == 4 else from_charts(charts, x.dim(), domain.out)

    def on_edges(self, engine: Engine[Domain]) -> Engine[Icosphere]:
        raise ValueError("Expected a graph for an engine of graphs, got an Icosphere: pass its `gauge_graph(...)`.")

    def pool(self, field_type: FieldType, x: Tensor, domain: Icosphere, level: int) -> Tensor:
        from gaugenet.nn.engines._chart_transfer import pool

        return pool(x, field_type, domain.coarser(level - 1))

    def unpool(self, field_type: FieldType, x: Tensor, domain: Icosphere, level: int) -> Tensor:
        from gaugenet.nn.engines._chart_transfer import unpool

        return unpool(x, field_type, domain.coarser(level - 1))


def _dtype_of_products(x: Tensor) -> torch.dtype:
    """Return the precision of autocast, as `conv2d` does: all tensors of the operator have the same precision."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind) and x.dtype != torch.float64:
        return torch.get_autocast_dtype(kind)
    return x.dtype


def as_charts(x: Tensor, sphere: Icosphere) -> Float[Tensor, "batch channels rows columns"]:
    """Return features of any layout in the chart layout, channels last in memory."""
    if x.dim() == 4:
        return x
    rows, columns = sphere.chart_shape
    by_vertex = x[None] if x.dim() == 2 else x.transpose(1, 2)
    padded = F.pad(by_vertex, (0, 0, 0, rows * columns - sphere.num_vertices))
    return typed_tensor(padded.unflatten(1, (rows, columns)).permute(0, 3, 1, 2))


def from_charts(x: Float[Tensor, "batch channels rows columns"], dim: int, sphere: Icosphere) -> Tensor:
    """Return features of the chart layout in vertex order, `(V, C)` for `dim` 2 and `(B, C, V)` for 3."""
    by_vertex = x.permute(0, 2, 3, 1).flatten(1, 2)[:, : sphere.num_vertices]
    return by_vertex[0] if dim == 2 else by_vertex.transpose(1, 2)


@constant_result
def _check_group(group: StructureGroup) -> None:
    group.check_subgroup(Cyclic(6))


@constant_result
def _edges(level: int, rings: int, stride: int, device: torch.device) -> SideEdges:
    with outside_transforms():
        return side_edges(level, rings, stride, device)


def _sampled_with_sides(
    layer: Convolution, stencil: HexagonalStencil, runs: tuple[Run, ...]
) -> tuple[Float[Tensor, "out in window window"], Float[Tensor, "groups out in"], Float[Tensor, "out"] | None]:
    """Return the kernel, the matrices of the groups of edges, and the bias."""

    def make() -> tuple[Tensor, Tensor, Tensor | None]:
        readout = WithSides(layer.in_type.group, runs)
        found = all_at_once(layer, stencil, widened(layer.weight).dtype, readout)
        if found is None:
            kernel, bias = layer.sampled(stencil)
            with torch.autocast(kernel.device.type, enabled=False):
                return kernel, _side_matrices(kernel, layer.in_type, layer.out_type, runs), bias
        kernel, sides = found[0].split([math.prod(stencil.window), sum(len(chosen) for *_, chosen in runs)], 2)
        kernel = kernel.unflatten(2, stencil.window).contiguous()
        return kernel, sides.permute(2, 0, 1), found[1]

    return layer.cached_samples.get(layer, (stencil, runs), make)


@dataclass(frozen=True)
class WithSides:
    """The values of basis kernels at the cells of a hexagonal window, then the matrices of the groups of edges."""

    group: StructureGroup
    runs: tuple[Run, ...]

    def __call__(
        self, values: Float[Tensor, "elements cells out in"], source: Block, target: Block
    ) -> Float[Tensor, "elements cells_groups out in"]:
        in_type, out_type = (FieldType(self.group, [(b.representation, 1)]) for b in (source, target))
        window = (math.isqrt(values.shape[1]),) * 2
        kernels = values.permute(0, 2, 3, 1).unflatten(3, window)
        sides = [_side_matrices(kernel, in_type, out_type, self.runs) for kernel in kernels]
        return torch.cat([values, torch.stack(sides)], 1)


def _side_matrices(
    kernel: Float[Tensor, "out in window window"], in_type: FieldType, out_type: FieldType, runs: tuple[Run, ...]
) -> Float[Tensor, "groups out in"]:
    """Return the matrix of each group of edges, see `_chart_edges`."""
    rings = kernel.shape[-1] // 2
    positions = np.append(CELLS[: NUM_CELLS[rings]], [(0, 0)], 0) + rings
    taps = kernel[:, :, positions[:, 0], positions[:, 1]].permute(2, 0, 1)
    factors = FACTORS | {CORNER: _CORNER_SHARE[rings]}
    parts = []
    for left, right, chosen in runs:
        matrices = taps[list(chosen)]
        if right != 0:
            matrices = _rotated(matrices, in_type, right)
        if left == CORNER:
            matrices = _projected(matrices, out_type)
        parts.append(matrices if factors[left] == 1 else factors[left] * matrices)
    return torch.cat(parts)


FACTORS = {SUBTRACT: -1.0, PLAIN: 1.0, HALF: 0.5}

_CORNER_SHARE = {1: 7 / 6, 2: 19 / 16}
"""Weight of a neighbour at a corner divided by the weight elsewhere, by rings: 6 (16) cells there, 7 (19) elsewhere."""


def _rotated(matrices: Float[Tensor, "n out in"], in_type: FieldType, right: int) -> Float[Tensor, "n out in"]:
    """Return each of the matrices times the representation of a rotation, or the projection on the invariants."""
    parts = [
        torch.einsum("koim,ij->kojm", matrices[..., b.slice].unflatten(2, (b.representation.dim, -1)), rho[right])
        for b, rho in zip(in_type.blocks, block_matrices(in_type, matrices.dtype, matrices.device), strict=True)
    ]
    return torch.cat([p.flatten(2) for p in parts], 2) if parts else matrices


def _projected(matrices: Float[Tensor, "n out in"], out_type: FieldType) -> Float[Tensor, "n out in"]:
    """Return the projection on the invariants times each of the matrices."""
    parts = [
        torch.einsum("ji,kimc->kjmc", rho[PROJECT], matrices[:, b.slice].unflatten(1, (b.representation.dim, -1)))
        for b, rho in zip(out_type.blocks, block_matrices(out_type, matrices.dtype, matrices.device), strict=True)
    ]
    return torch.cat([p.flatten(1, 2) for p in parts], 1) if parts else matrices


@constant_result
def block_matrices(field_type: FieldType, dtype: torch.dtype, device: torch.device) -> list[Float[Tensor, "7 n n"]]:
    """Return rho of the six rotations by 60 degrees and, at `PROJECT`, the projection on the invariants, by block."""
    with outside_transforms():
        return _rotated_blocks(field_type, dtype, device)


@lru_cache(maxsize=256)
def _rotated_blocks(field_type: FieldType, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    rotations = Cyclic(6).elements()
    values = [b.representation(rotations) for b in field_type.blocks]
    return [torch.cat([rho, rho.mean(0, keepdim=True)]).to(device, dtype) for rho in values]
