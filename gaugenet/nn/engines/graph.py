"""The `graph` engine: aggregate transported neighbours with coefficients of the geometry, then mix once per point."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._transforms import is_exported_to_onnx, is_transformed
from gaugenet._typing import typed_tensor
from gaugenet.geometry.domain import Domain, GraphDomain
from gaugenet.groups import FieldType, group_from_name
from gaugenet.kernels import KernelSpace
from gaugenet.kernels.attributes import NO_ATTRIBUTES, Attributes
from gaugenet.nn.channel_groups import GroupedLinear, by_group
from gaugenet.nn.engines._fused import aggregate_mix
from gaugenet.nn.engines.factors import EdgeFactors, block_table, targets, transported
from gaugenet.nn.engines.forms import FORMS
from gaugenet.nn.engines.neighborhoods import rows_of
from gaugenet.nn.engines.prepared import PreparedGraph
from gaugenet.nn.engines.protocol import Convolution, Engine
from gaugenet.nn.engines.transfer import transfer
from gaugenet.nn.expansion import Expansion, expansion
from gaugenet.nn.precision import widened

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph


_EXPANSIONS: WeakKeyDictionary[KernelSpace, Expansion | None] = WeakKeyDictionary()


class GraphEngine(Engine[Domain]):
    """The engine of gauge graphs and of every domain that has one: the default of any `Domain`."""

    def check(self, field_type: FieldType, x: Tensor, domain: Domain) -> None:
        if isinstance(domain, PreparedGraph):
            return
        if not hasattr(domain, "structures"):
            raise ValueError(f"Expected a domain, such as a GaugeGraph, got {type(domain).__name__}.")
        if x.dim() != 2 or x.shape[0] != domain.num_nodes:
            raise ValueError(f"Expected `x` with one row per point ({domain.num_nodes}), got shape {tuple(x.shape)}.")
        for name in domain.structures:
            if name != field_type.group.name:
                field_type.group.check_subgroup(group_from_name(name, field_type.group.d))

    def convolve(
        self, convolution: Convolution, x: Tensor, domain: Domain, attributes: Attributes = NO_ATTRIBUTES
    ) -> Tensor:
        graph, middle = domain.gauge_graph(), convolution.self_interaction

        def convolve(part: int, x: Tensor) -> Tensor:
            out = self.aggregate(convolution.kernels, convolution.group_weights[part], x, graph, attributes)
            own = middle[part] if isinstance(middle, GroupedLinear) else middle
            return out if own is None else own(x, onto=out)

        out = convolve(0, x) if convolution.groups == 1 else by_group(convolve, x, convolution)
        return out if convolution.bias is None else convolution.bias(out)

    def aggregate(
        self, space: KernelSpace, weight: Tensor, x: Tensor, graph: GraphDomain, attributes: Attributes
    ) -> Tensor:
        """Return the sum over neighbours, in the form of the kernels."""
        return FORMS[space.form](space, weight, x, graph, attributes)

    def on_edges(self, engine: Engine[Domain]) -> Engine[Domain]:
        return engine

    def pool(self, field_type: FieldType, x: Tensor, domain: Domain, level: int) -> Tensor:
        return transfer(field_type, x, domain.gauge_graph(), level, "pool")

    def unpool(self, field_type: FieldType, x: Tensor, domain: Domain, level: int) -> Tensor:
        return transfer(field_type, x, domain.gauge_graph(), level, "unpool")


class PreparedEngine(GraphEngine):
    """The engine of prepared graphs, which hold only factors: no other engine can read them."""

    def on_edges(self, engine: Engine[Domain]) -> Engine[Domain]:
        return self


def convolve(
    space: KernelSpace,
    weight: Float[Tensor, "weights"],
    x: Float[Tensor, "vertices in"],
    domain: GraphDomain,
    attributes: Attributes = NO_ATTRIBUTES,
) -> Float[Tensor, "vertices out"]:
    """Return the convolution by aggregation and mixing; it has gradients with respect to `x` and `weight`.

    Half precision and autocast are widened to float32, because the aggregate is a long sum.
    """
    if not space.num_weights:
        return x.new_zeros(x.shape[0], space.out_type.size)
    with torch.autocast(x.device.type, enabled=False):
        wide = widened(x)
        factors = edge_factors(space, domain, wide.dtype)
        if not _has_fused_operator(x, factors):
            return _convolve_torch(space, space.mixing(widened(weight)), wide, factors).to(x.dtype)
        return aggregate_and_mix(space, flat_mixing(space, widened(weight)), wide, factors).to(x.dtype)


def _has_fused_operator(x: Tensor, factors: EdgeFactors) -> bool:
    """Return whether the fused operator can be used: on the CPU, if the geometry needs no gradients.

    Functional transforms and ONNX use PyTorch's operations instead.
    """
    if x.device.type != "cpu" or factors.coefficient.requires_grad or factors.transport.requires_grad:
        return False
    if torch.compiler.is_compiling():
        return not is_exported_to_onnx()
    return not is_transformed()


def flat_mixing(space: KernelSpace, weight: Float[Tensor, "weights"]) -> Float[Tensor, "entries"]:
    """Return the matrices that mix the aggregate, one after the other."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return _matrices_in_a_row(space, weight)
    if space not in _EXPANSIONS:
        _EXPANSIONS[space] = expansion(partial(_matrices_in_a_row, space), len(weight))
    found = _EXPANSIONS[space]
    return _matrices_in_a_row(space, weight) if found is None else found(weight)


def _matrices_in_a_row(space: KernelSpace, weight: Float[Tensor, "weights"]) -> Float[Tensor, "entries"]:
    matrices = space.mixing(weight) if space.contraction is None else space.path_mixing(weight)
    return torch.cat([m.flatten() for m in matrices]) if len(matrices) > 1 else matrices[0].flatten()


def mixing_layout(space: KernelSpace) -> list[int]:
    """Return four numbers for each of these matrices: first column, rows, columns, and how many times it is applied."""
    if space.contraction is not None:
        return space.contraction.layout
    layout, size = [], space.in_type.size
    for block in space.out_type.blocks:
        columns = space.columns(block)
        layout += [columns.start * size, (columns.stop - columns.start) * size, block.size, 1]
    return layout


def aggregate_and_mix(
    space: KernelSpace, mixing: Tensor, x: Tensor, factors: EdgeFactors, shift: Tensor | None = None
) -> Tensor:
    """Return the convolution by compiled loops and matrix products; see `_aggregate` for `shift`."""
    contraction = space.contraction
    if contraction is None:
        entries, values = factors.blocks.new_zeros(0, 4), x.new_zeros(0)
    else:
        entries, values = contraction.entries, contraction.values(x)
    geometry = (factors.coefficient, factors.transport, factors.blocks, factors.indptr, factors.source)
    return typed_tensor(aggregate_mix(x, *geometry, entries, values, mixing, mixing_layout(space), shift))


def _convolve_torch(space: KernelSpace, matrices: list[Tensor], x: Tensor, factors: EdgeFactors) -> Tensor:
    """Return the same by PyTorch's operations: on other devices, and where the geometry needs gradients."""
    target, points = targets(factors), factors.num_targets
    h = transported(x[factors.source], factors, space.in_type)
    columns = [
        x.new_zeros(points, x.shape[1]).index_add(0, target, c[:, None] * h) for c in factors.coefficient.unbind(1)
    ]
    outputs = []
    for block, matrix in zip(space.out_type.blocks, matrices, strict=True):
        outputs.append(torch.cat(columns[space.columns(block)], 1) @ matrix)
    return torch.cat(outputs, 1)


def edge_factors(space: KernelSpace, domain: GraphDomain, dtype: torch.dtype) -> EdgeFactors:
    """Return coefficients and transport matrices of every row, cached on the graph for all types of equal layout."""
    coefficient_key, transport_key = space.factor_keys

    def build(graph: GaugeGraph) -> EdgeFactors:
        sources = graph.geometry_tensors()
        rows = rows_of(graph, includes_center=space.includes_center)
        transport = graph.cached(
            (transport_key, space.includes_center, dtype),
            sources,
            lambda: space.transport(rows.neighborhood.log_map, rows.transporter).to(dtype).contiguous(),
        )
        coefficient = graph.cached(
            (coefficient_key, dtype),
            sources,
            lambda: space.coefficients(rows.neighborhood).to(dtype).contiguous(),
        )
        blocks = block_table(space.in_type, transports=transport.shape[1] > 0)
        return EdgeFactors(coefficient, transport, blocks, rows.neighborhood.indptr, rows.neighborhood.source)

    return domain.derived(f"{coefficient_key}; {transport_key} {dtype}", build)


FORMS["factorized"] = convolve
