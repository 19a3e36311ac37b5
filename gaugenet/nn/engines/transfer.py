"""Transport of features along edges between two sets of points: the sum over edges of w_e rho(transporter_e) x(q)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import apply_function, constant_result, typed_tensor
from gaugenet.geometry.domain import GraphDomain
from gaugenet.groups import FieldType
from gaugenet.groups.representations.field_type import transport_matrices
from gaugenet.nn.compiled.eager import array, has_loops, needs_plain, plain_gradients, threads
from gaugenet.nn.compiled.threads import in_parallel
from gaugenet.nn.engines.factors import EdgeFactors, block_table, targets, transported
from gaugenet.nn.precision import widened

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph


def transfer(
    field_type: FieldType,
    x: Float[Tensor, "sources size"],
    graph: GraphDomain,
    level: int,
    direction: Literal["pool", "unpool"],
) -> Float[Tensor, "targets size"]:
    """Return features of `level - 1` of a graph on `level` (`pool`), or the reverse (`unpool`)."""
    if not 0 < level < graph.num_levels:
        raise ValueError(f"Expected a graph with more than {level} levels, got {graph.num_levels}.")
    fine, coarse = graph.level_size(level - 1), graph.level_size(level)
    sources, targets = (fine, coarse) if direction == "pool" else (coarse, fine)
    if x.shape[0] != sources:
        raise ValueError(f"Expected `x` with one row per point of its level ({sources}), got {x.shape[0]}.")

    def edges(graph: GaugeGraph) -> dict[str, Tensor]:
        return graph.pool(level) if direction == "pool" else graph.unpool(level)

    with torch.autocast(x.device.type, enabled=False):
        wide = widened(x)
        factors = graph.derived(
            f"{_key(field_type, direction, level)} {wide.dtype}",
            lambda graph: _transfer_factors(field_type, edges(graph), targets, wide.dtype),
            lambda graph: list(edges(graph).values()),
        )
        return _transport_features(field_type, wide, factors).to(x.dtype)


@constant_result
def _key(field_type: FieldType, direction: str, level: int) -> str:
    """Return the key of the factors; cached, because compilers cannot format a field type."""
    return f"{direction} {field_type.group} {field_type} {level}"


def _transfer_factors(
    field_type: FieldType, edges: dict[str, Tensor], num_targets: int, dtype: torch.dtype
) -> EdgeFactors:
    """Return the factors of edges with `index` (sources, targets), `transporter` and `weight`, sorted by target."""
    source, target = edges["index"]
    order = target.argsort(stable=True)
    g, weight = edges["transporter"][order], edges["weight"][order]
    transport = transport_matrices(field_type, g)
    degree = torch.bincount(target, minlength=num_targets)
    return EdgeFactors(
        weight[:, None].to(dtype).contiguous(),
        transport.to(dtype).contiguous(),
        block_table(field_type, transports=transport.shape[1] > 0),
        torch.cat([degree.new_zeros(1), degree.cumsum(0)]),
        source[order].contiguous(),
    )


def _transport_features(
    field_type: FieldType, x: Float[Tensor, "sources size"], factors: EdgeFactors
) -> Float[Tensor, "targets size"]:
    """Return transported sums, by compiled loops on the CPU unless the geometry needs gradients, else by PyTorch."""
    if has_loops(x, factors.coefficient, factors.transport) and not (
        factors.coefficient.requires_grad or factors.transport.requires_grad
    ):
        return typed_tensor(apply_function(_TransportFeatures, field_type, x, factors))
    return _transport_torch(field_type, x, factors)


def _transport_torch(field_type: FieldType, x: Tensor, factors: EdgeFactors) -> Tensor:
    messages = factors.coefficient * transported(x[factors.source], factors, field_type)
    return x.new_zeros(factors.num_targets, x.shape[1]).index_add(0, targets(factors), messages)


class _TransportFeatures(torch.autograd.Function):
    """The function `_transport_torch` without a copy of the features on every edge."""

    @staticmethod
    def forward(ctx: Any, field_type: FieldType, x: Tensor, factors: EdgeFactors) -> Tensor:
        from gaugenet.nn.engines._aggregate import aggregate

        ctx.field_type, ctx.factors, ctx.sources = field_type, factors, len(x)
        ctx.save_for_backward(x)
        targets = factors.num_targets
        out = x.new_empty(targets, 1, x.shape[1])
        inputs = [array(x), *_geometry(factors)]

        def work(a: int, b: int, _: int) -> None:
            aggregate(*inputs, a, b, array(out[a:b]))  # type: ignore[call-arg]

        in_parallel(work, 0, targets, threads(targets))
        return out.squeeze(1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from gaugenet.nn.engines._aggregate import aggregate_adjoint

        (x,) = ctx.saved_tensors
        if needs_plain(grad):
            return None, *plain_gradients(lambda x: _transport_torch(ctx.field_type, x, ctx.factors), [x], grad), None
        targets, geometry, given = len(grad), _geometry(ctx.factors), grad.contiguous().unsqueeze(1)
        shares = x.new_zeros(threads(targets), *x.shape)

        def work(a: int, b: int, thread: int) -> None:
            aggregate_adjoint(array(given[a:b]), *geometry, a, b, array(shares[thread]))  # type: ignore[call-arg]

        in_parallel(work, 0, targets, threads(targets))
        return None, shares.sum(0) if len(shares) > 1 else shares[0], None


def _geometry(factors: EdgeFactors) -> list[Any]:
    geometry = (factors.coefficient, factors.transport, factors.blocks, factors.indptr, factors.source)
    return [array(t) for t in (*geometry, factors.source[:0])]
