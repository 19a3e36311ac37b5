"""GaugeAttention: neighbours weighted by invariant products of queries with transported keys."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gaugenet._validation import positive
from gaugenet.geometry.domain import Domain
from gaugenet.groups import Block, FieldType
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.kernels import ImplicitSpace
from gaugenet.nn.engines.depthwise import DepthwiseInputs, depthwise_sum, transports
from gaugenet.nn.engines.factors import targets, transported
from gaugenet.nn.engines.graph import GraphEngine, edge_factors
from gaugenet.nn.linear import EquivariantLinear, InvariantBias
from gaugenet.nn.precision import check_features, widened
from gaugenet.nn.tables import need_orthogonal


class GaugeAttention(nn.Module):
    r"""out(p) = K_self x(p) + sum over edges q -> p and heads h of a_h(e) K_h(log_map_e) rho(transporter_e) x(q) + b.

    The logit of an edge and head is <Q x(p), rho(transporter_e) K x(q)> / root(dim), summed over the head's fields of
    all representations, plus a learned function of the distance. Keys are transported to the frame at the target first,
    so logits are invariant. The attention a_h(e) = w_e exp(logit) / sum of w_e exp(logit) is a softmax over the
    neighbourhood in which each neighbour counts with its quadrature weight w_e. So it depends on the surface, not on
    the triangulation, and equal logits give a mean over the surface. Values are multiplied by steerable kernels K_h
    of radial functions and harmonics, as in `GaugeConv`. Attention on meshes is due to :cite:`basu2022equivariant`.

    Shapes:
        x: `(N, in_type.size)`; domain: a `GaugeGraph` or any `Domain` that gives one -> `(N, out_type.size)`.

    Equivariance: exact under an independent gauge transformation at every point; 4e-7 relative in float32.

    Args:
        in_type, out_type: field types of one compact group, with orthogonal representations.
        heads: number of attention heads; each gets a share of the channels of every block.
        keys: number of fields of each representation of `in_type` in the queries and keys of one head.
        rings: Gaussian functions of the distance, for logits and kernels.
        max_frequency: angular band limit of the kernels, see `ImplicitSpace`.
        self_interaction: include K_self.
        bias: include b.

    Raises:
        ValueError: If the types belong to different groups, a number is not positive, or there is no kernel between the
            types; in `forward`, if `x` does not fit the domain.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import GaugeAttention
        >>> features = FieldType(SO2(), "8x0 + 4x1")
        >>> attention = GaugeAttention(features, features, heads=2)
        >>> attention(torch.rand(42, features.size), Icosphere(1).gauge_graph(SO2())).shape
        torch.Size([42, 16])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        heads: int = 4,
        keys: int = 4,
        rings: int = 4,
        max_frequency: int | None = None,
        self_interaction: bool = True,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        need_one_group(in_type, out_type)
        need_orthogonal(in_type, self)
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.in_type, self.out_type = in_type, out_type
        self.heads, self.rings = positive("heads", heads), positive("rings", rings)
        found = dict.fromkeys(b.representation for b in in_type.blocks)
        self.key_type = FieldType(in_type.group, [(rho, heads * positive("keys", keys)) for rho in found])
        self.space = ImplicitSpace(in_type, out_type, hidden=1, rings=rings, max_frequency=max_frequency)
        columns = self.space.depthwise.num_columns
        self.query = EquivariantLinear(in_type, self.key_type, bias=False, **factory)
        self.key = EquivariantLinear(in_type, self.key_type, bias=False, **factory)
        self.distance = nn.Parameter(torch.empty(rings, heads, **factory))
        self.radial = nn.Parameter(torch.empty(rings, columns, **factory))
        self.mixing = nn.ParameterList(torch.empty(s, **factory) for s in self.space.depthwise.mixing_shapes())
        self.self_interaction = (
            EquivariantLinear(in_type, out_type, bias=False, **factory) if self_interaction else None
        )
        self.bias = InvariantBias(out_type, **factory) if bias else None
        self.register_buffer("_head", _heads_of_columns(self.space, heads).to(device), persistent=False)
        self._head: Tensor
        self.key_transports = f"transports {in_type.group} {self.key_type}"
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights that map smooth inputs of unit variance to about unit variance, with near uniform attention."""
        for module in (self.query, self.key, self.self_interaction, self.bias):
            if module is not None:
                module.reset_parameters()
        nn.init.zeros_(self.distance)
        nn.init.normal_(self.radial)
        for matrix in self.mixing:
            nn.init.normal_(matrix, std=1 / math.sqrt(max(len(matrix), 1)))

    def forward(self, x: Float[Tensor, "points in"], domain: Domain) -> Float[Tensor, "points out"]:
        check_features(self, x)
        GraphEngine().check(self.in_type, x, domain)
        graph = domain.gauge_graph()
        with torch.autocast(x.device.type, enabled=False):
            wide = widened(x)
            factors = edge_factors(self.space, graph, wide.dtype)
            c = factors.coefficient
            attention = self._attention(x, graph, c, targets(factors), factors.source)
            z = c.new_zeros(c.shape[0], 0)
            direction = torch.cat([torch.ones_like(c[:, :1]), c[:, 1:]], 1)  # the weight is in the attention
            radial = c[:, 1 : 1 + self.rings]
            inputs = DepthwiseInputs(
                wide,
                self.space.factors(direction, z) @ self.space.depthwise.table(wide),
                (attention[:, :, None] * radial[:, None]).flatten(1),
                self._last().to(wide.dtype),
                [m.to(wide.dtype) for m in self.mixing],
            )
            out = depthwise_sum(self.space.depthwise, inputs, factors).to(x.dtype)
        out = out if self.self_interaction is None else self.self_interaction(x, onto=out)
        return out if self.bias is None else self.bias(out)

    def _last(self) -> Float[Tensor, "heads_rings columns"]:
        """Return the radial weights of every column, in the rows of its own head."""
        own = self._head == torch.arange(self.heads, device=self._head.device)[:, None]
        return (own[:, None] * self.radial).flatten(0, 1)

    def _attention(
        self, x: Tensor, graph: Any, c: Tensor, target: Int[Tensor, "edges"], source: Int[Tensor, "edges"]
    ) -> Float[Tensor, "edges heads"]:
        edges = transports(self.key_type, self.key_transports, graph, c.dtype)
        query, key = widened(self.query(x))[target], widened(self.key(x))[source]
        key = transported(key, edges, self.key_type)
        products = [self._by_head(b, query) * self._by_head(b, key) for b in self.key_type.blocks]
        dim = self.key_type.size / self.heads
        logits = sum((p.sum((1, 3)) for p in products), c.new_zeros(())) / math.sqrt(max(dim, 1))
        logits = logits + c[:, 1 : 1 + self.rings] @ self.distance.to(c.dtype)
        return softmax(logits, c[:, :1], target, x.shape[0])

    def _by_head(self, block: Block, x: Tensor) -> Float[Tensor, "edges dim heads keys"]:
        return cast(Tensor, block.split(x).unflatten(2, (self.heads, -1)))

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}, group={self.in_type.group.name}, heads={self.heads}"


def softmax(
    logits: Float[Tensor, "edges heads"],
    weight: Float[Tensor, "edges 1"],
    target: Int[Tensor, "edges"],
    num_points: int,
) -> Float[Tensor, "edges heads"]:
    """Return w exp(logit) divided by its sum at each target; zero where all weights are zero."""
    with torch.no_grad():
        largest = logits.new_full((num_points, logits.shape[1]), -torch.inf)
        largest = largest.scatter_reduce(0, target[:, None].expand_as(logits), logits, "amax")
    e = weight * torch.exp(logits - largest[target])
    total = e.new_zeros(num_points, e.shape[1]).index_add(0, target, e)
    return e / total.clamp(min=torch.finfo(e.dtype).tiny)[target]


def _heads_of_columns(space: ImplicitSpace, heads: int) -> Int[Tensor, "columns"]:
    """Return the head of every path's channels: shares of each block that are as equal as possible."""
    parts = [torch.zeros(0, dtype=torch.int64)]
    for path in space.depthwise.paths:
        mult = path.source.multiplicity
        parts.append(torch.arange(mult) * heads // mult if mult >= heads else torch.arange(mult) % heads)
    return torch.cat(parts)


__all__ = ["GaugeAttention", "softmax"]
