"""The `graph` engine: aggregate turned neighbours with coefficients that depend on geometry alone, then mix once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.groups import FieldType
from gaugenet.kernels import KernelSpace
from gaugenet.kernels.aligned import alignment
from gaugenet.kernels.basis import unit
from gaugenet.kernels.contraction import path_mixing
from gaugenet.nn.engines.prepared import Domain, derived


@dataclass(frozen=True)
class EdgeFactors:
    """What a convolution needs of the geometry: computed once per graph, shared by all layers of the same types."""

    coefficient: Float[Tensor, "edges columns"]
    turn: Float[Tensor, "edges entries"]
    blocks: Int[Tensor, "blocks 4"]
    indptr: Int[Tensor, "targets_1"]
    source: Int[Tensor, "edges"]


torch.export.register_dataclass(EdgeFactors, serialized_type_name="gaugenet.EdgeFactors")


def convolve(
    space: KernelSpace, weight: Float[Tensor, "weights"], x: Float[Tensor, "vertices in"], domain: Domain
) -> Float[Tensor, "vertices out"]:
    """The same as `reference.convolve`, factorised; gradients with respect to `x` and `weight`.

    Half precision and autocast are widened to float32: the aggregate is a long sum.
    """
    if not space.num_weights:
        return x.new_zeros(x.shape[0], space.out_type.size)
    with torch.autocast(x.device.type, enabled=False):
        wide = widened(x)
        factors = edge_factors(space, domain, wide.dtype)
        if x.device.type != "cpu" or factors.coefficient.requires_grad or factors.turn.requires_grad:
            return _convolve_torch(space, space.mixing(widened(weight)), wide, factors).to(x.dtype)
        return _convolve_fused(space, widened(weight), wide, factors).to(x.dtype)


def widened(x: Tensor) -> Tensor:
    """At least float32."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _convolve_fused(space: KernelSpace, weight: Tensor, x: Tensor, factors: EdgeFactors) -> Tensor:
    from gaugenet.nn.engines._fused import aggregate_mix

    contraction = space.contraction
    if contraction is None:
        matrices, layout = space.mixing(weight), _direct_layout(space)
        entries, values = factors.blocks.new_zeros(0, 4), x.new_zeros(0)
    else:
        matrices, layout = path_mixing(space, weight), contraction.layout
        entries, values = contraction.entries, contraction.values(x)
    mixing = torch.cat([m.flatten() for m in matrices])
    geometry = (factors.coefficient, factors.turn, factors.blocks, factors.indptr, factors.source)
    return aggregate_mix(x, *geometry, entries, values, mixing, layout)


def _direct_layout(space: KernelSpace) -> list[int]:
    layout, size = [], space.in_type.size
    for block in space.out_type.blocks:
        columns = space.columns(block)
        layout += [columns.start * size, (columns.stop - columns.start) * size, block.size, 1]
    return layout


def _convolve_torch(space: KernelSpace, matrices: list[Tensor], x: Tensor, factors: EdgeFactors) -> Tensor:
    """The same with PyTorch operations: on other devices, and where the geometry itself has gradients."""
    degree = factors.indptr.diff()
    target = torch.repeat_interleave(torch.arange(len(degree), device=x.device), degree)
    h = turned(x[factors.source], factors, space.in_type)
    columns = [
        x.new_zeros(len(degree), x.shape[1]).index_add(0, target, c[:, None] * h) for c in factors.coefficient.unbind(1)
    ]
    outputs = []
    for block, matrix in zip(space.out_type.blocks, matrices, strict=True):
        outputs.append(torch.cat(columns[space.columns(block)], 1) @ matrix)
    return torch.cat(outputs, 1)


def turned(x: Float[Tensor, "edges in"], factors: EdgeFactors, in_type: FieldType) -> Float[Tensor, "edges in"]:
    """Features of the sources, turned on the way."""
    parts, start = [], 0
    for block in in_type.blocks:
        if block.representation.is_trivial or not factors.turn.shape[1]:
            parts.append(x[:, block.slice])
            continue
        n = block.representation.dim
        matrix = factors.turn[:, start : start + n * n].unflatten(1, (n, n))
        parts.append((matrix @ block.split(x)).flatten(1))
        start += n * n
    return torch.cat(parts, 1)


def edge_factors(space: KernelSpace, domain: Domain, dtype: torch.dtype) -> EdgeFactors:
    """Coefficients and turns of every edge, cached on the graph; types of equal layout share them."""

    def build(graph: GaugeGraph) -> EdgeFactors:
        sources = graph.geometry_tensors()
        indptr, source = graph.cached("csr", sources, lambda: compressed_rows(graph))
        coefficient_key, turn_key = ((key, dtype) for key in space.factor_keys)
        turn = graph.cached(turn_key, sources, lambda: _turns(space, graph).to(dtype).contiguous())
        return EdgeFactors(
            graph.cached(coefficient_key, sources, lambda: _coefficients(space, graph).to(dtype).contiguous()),
            turn,
            block_table(space.in_type, turns=turn.shape[1] > 0),
            indptr,
            source,
        )

    return derived(domain, f"{space.factor_key} {dtype}", build)


def compressed_rows(graph: GaugeGraph) -> tuple[Int[Tensor, "targets_1"], Int[Tensor, "edges"]]:
    """Row pointers over targets, and the sources; `ValueError` unless edges are sorted by target."""
    source, target = graph.edge_index
    if target.numel() and bool((target[1:] < target[:-1]).any()):
        raise ValueError(
            "Expected edges sorted by target, as `gauge_graph` makes them: sort `edge_index`, `log_map`, "
            "`transporter` and `weight` together by `edge_index[1]`."
        )
    degree = torch.bincount(target, minlength=graph.num_nodes)
    indptr = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
    return indptr, source.contiguous()


def _coefficients(space: KernelSpace, graph: GaugeGraph) -> Float[Tensor, "edges columns"]:
    """w_e c_t(v)."""
    return space.coefficients(graph.log_map / graph.edge_radius()[:, None]) * graph.weight[:, None]


def _turns(space: KernelSpace, graph: GaugeGraph) -> Float[Tensor, "edges entries"]:
    """Matrices rho_in(g_e), or rho_in(R^-1 g_e) into the frame of the edge, of the blocks that turn.

    None at all, `(E, 0)`, for the trivial connection in plain form.
    """
    g = graph.transporter
    if space.aligned:
        g = alignment(unit(graph.log_map)).mT @ g
    elif not g.requires_grad and bool((g == torch.eye(g.shape[-1]).to(g)).all()):
        return g.new_zeros(len(g), 0)
    parts = [b.representation(g).flatten(1) for b in space.in_type.blocks if not b.representation.is_trivial]
    return torch.cat(parts, 1) if parts else g.new_zeros(len(g), 0)


def block_table(in_type: FieldType, *, turns: bool) -> Int[Tensor, "blocks 4"]:
    """Return start, dimension, multiplicity and first matrix entry (-1: not transported) of each block."""
    rows, first = [], 0
    for b in in_type.blocks:
        n = b.representation.dim
        if b.representation.is_trivial or not turns:
            rows.append((b.start, n, b.multiplicity, -1))
        else:
            rows.append((b.start, n, b.multiplicity, first))
            first += n * n
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)
