"""MultivectorAttention: neighbours weighted by the inner product of multivectors, for metrics of any signature."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.domain import Domain, GraphDomain
from gaugenet.groups import FieldType, multivector
from gaugenet.groups.clifford.algebra import sign_table
from gaugenet.groups.clifford.fields import algebra_of, grades_of
from gaugenet.groups.representations.field_type import need_one_group, transport_matrices
from gaugenet.kernels import CliffordSpace
from gaugenet.nn.attention import softmax
from gaugenet.nn.engines.factors import EdgeFactors, block_table, targets, transported
from gaugenet.nn.engines.graph import GraphEngine
from gaugenet.nn.engines.neighborhoods import rows_of
from gaugenet.nn.linear import EquivariantLinear
from gaugenet.nn.precision import check_features, widened
from gaugenet.nn.tables import TableModule

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph

_FORMS = 4
"""v^0 f, v ^ f, v _| f and v ^ (v _| f)."""


class MultivectorAttention(TableModule):
    r"""out(p) = K_self x(p) + W (sum over edges q -> p of a(e) K(log_map_e) rho(transporter_e) V x(q)) + b.

    The logit of an edge and head is the inner product <Q x(p), rho(transporter_e) K x(q)> / root(dim) of multivectors,
    the scalar part of reversion(a) b, as in :cite:`brehmer2023gatr`, plus a learned function of <v, v>. For O(p, q) the
    product has either sign: it is invariant under boosts, but not a length. The attention is a softmax over the
    neighbourhood with quadrature weights, as in `GaugeAttention`, whose lengths boosts would change. Values are
    multiplied by f, v ^ f, v _| f and v ^ (v _| f) with radial functions of <v, v> for each channel, which together
    with W are all kernels of `Clifford`.

    Shapes:
        x: `(N, in_type.size)`; domain: a `GaugeGraph` or any `Domain` that gives one -> `(N, out_type.size)`.

    Equivariance: exact under an independent change of frame at every point, boosts included; 3e-7 relative in float32
    under rotations, more under boosts, which enlarge rounding.

    Args:
        in_type, out_type: types of multivectors of one group of isometries.
        heads: number of attention heads.
        keys: multivectors in the queries and keys of one head.
        values: multivectors in the values of one head.
        rings: radial functions of <v, v>, for logits and kernels.
        self_interaction: include K_self.
        bias: include b on the fields that allow it.

    Raises:
        ValueError: If a block is not an exterior power, the types have different groups, or a number is not positive;
            in `forward`, if `x` does not fit the domain.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Minkowski
        >>> from gaugenet.groups import PseudoOrthogonal, multivector
        >>> from gaugenet.nn import MultivectorAttention
        >>> group = PseudoOrthogonal(1, 2)
        >>> fields = multivector(group, multiplicity=2)
        >>> events = Minkowski(3).random_points(20)
        >>> graph = Minkowski(3).gauge_graph(events, group, radius=4.0)
        >>> MultivectorAttention(fields, fields, heads=2)(torch.rand(20, fields.size), graph).shape
        torch.Size([20, 16])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        heads: int = 2,
        keys: int = 2,
        values: int = 2,
        rings: int = 4,
        self_interaction: bool = True,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        need_one_group(in_type, out_type)
        for kind in (in_type, out_type):
            grades_of(kind)
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.in_type, self.out_type, group = in_type, out_type, in_type.group
        self.heads, self.rings = positive("heads", heads), positive("rings", rings)
        self.algebra = algebra_of(group)
        self.key_type = multivector(group, multiplicity=self.heads * positive("keys", keys))
        self.value_type = multivector(group, multiplicity=self.heads * positive("values", values))
        self.space = CliffordSpace(self.value_type, self.value_type, rings=rings)
        self.query = EquivariantLinear(in_type, self.key_type, bias=False, **factory)
        self.key = EquivariantLinear(in_type, self.key_type, bias=False, **factory)
        self.value = EquivariantLinear(in_type, self.value_type, bias=False, **factory)
        forms = multivector(group, multiplicity=_FORMS * self.heads * values)
        self.mix = EquivariantLinear(forms, out_type, bias=bias, **factory)
        self.distance = nn.Parameter(torch.empty(rings, heads, **factory))
        self.radial = nn.Parameter(torch.empty(rings, _FORMS * heads * values, **factory))
        self.self_interaction = (
            EquivariantLinear(in_type, out_type, bias=False, **factory) if self_interaction else None
        )
        basis, cpu = torch.eye(self.algebra.dim, dtype=torch.float64), torch.device("cpu")
        e = basis[self.algebra.grade_slice(1), None]
        for name, product in (("_wedge", self.algebra.wedge), ("_contract", self.algebra.left_contraction)):
            self.add_table(name, product(e, basis[None]).transpose(1, 2).contiguous(), **factory)  # (n, out, in)
        metric = sign_table(self.algebra.p, self.algebra.q, "metric", torch.float64, cpu)
        self.add_table("_metric", metric, **factory)
        self._edges_key = f"edges {group} {self.key_type} {self.value_type}"
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights that map inputs of unit variance to about unit variance, with near uniform attention."""
        for module in (self.query, self.key, self.value, self.mix, self.self_interaction):
            if module is not None:
                module.reset_parameters()
        nn.init.zeros_(self.distance)
        nn.init.normal_(self.radial)

    def forward(self, x: Float[Tensor, "points in"], domain: Domain) -> Float[Tensor, "points out"]:
        check_features(self, x)
        GraphEngine().check(self.in_type, x, domain)
        graph = domain.gauge_graph()
        with torch.autocast(x.device.type, enabled=False):
            wide = widened(x)
            both = self.key_type + self.value_type
            edges = _edges(both, self._edges_key, graph, wide.dtype)
            weight, v = edges.coefficient[:, :1], edges.coefficient[:, 1:]
            target, source = targets(edges), edges.source
            phi = self.space.invariants(v)
            sent = torch.cat([widened(self.key(x)), widened(self.value(x))], 1)[source]
            key, value = transported(sent, edges, both).split([self.key_type.size, self.value_type.size], 1)
            attention = self._attention(widened(self.query(x))[target], key, phi, weight, target, len(x))
            messages = self._messages(value, v, phi, attention)
            gathered = messages.new_zeros(len(x), messages.shape[1]).index_add(0, target, messages).to(x.dtype)
        out = self.mix(gathered)
        return typed_tensor(out if self.self_interaction is None else self.self_interaction(x, onto=out))

    def _attention(
        self,
        query: Float[Tensor, "edges keys"],
        key: Float[Tensor, "edges keys"],
        phi: Float[Tensor, "edges rings"],
        weight: Float[Tensor, "edges 1"],
        target: Int[Tensor, "edges"],
        count: int,
    ) -> Float[Tensor, "edges heads"]:
        products = (query * key).unflatten(1, (self.algebra.dim, self.heads, -1)).sum(-1)
        size = self.key_type.size / self.heads
        logits = torch.einsum("i,eih->eh", self._metric.to(products), products) / math.sqrt(size)
        return softmax(logits + phi @ self.distance.to(phi), weight, target, count)

    def _messages(
        self,
        value: Float[Tensor, "edges values"],
        v: Float[Tensor, "edges d"],
        phi: Float[Tensor, "edges rings"],
        attention: Float[Tensor, "edges heads"],
    ) -> Float[Tensor, "edges forms"]:
        """Return the four forms of each value, times radial functions and attention, as multivectors."""
        f = value.unflatten(1, (self.algebra.dim, -1))
        raises, lowers = (torch.einsum("en,nij->eij", v, t.to(v)) for t in (self._wedge, self._contract))
        contracted = lowers @ f
        forms = torch.stack([f, raises @ f, contracted, raises @ contracted], 2)  # (edges, blades, forms, channels)
        own = attention.repeat_interleave(f.shape[2] // self.heads, 1)
        factors = (phi @ self.radial.to(phi)).unflatten(1, (_FORMS, -1)) * own[:, None]
        return cast(Tensor, (forms * factors[:, None]).flatten(1))

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}, group={self.in_type.group.name}, heads={self.heads}"


def _edges(field_type: FieldType, key: str, domain: GraphDomain, dtype: torch.dtype) -> EdgeFactors:
    """Return weight and logarithmic map of every edge, in units of the radius, and transports of a field type."""

    def build(graph: GaugeGraph) -> EdgeFactors:
        if graph.log_map.shape[1] != field_type.group.d:
            raise ValueError(
                f"Expected a graph of R^{field_type.group.d} for fields of {field_type.group.name}, got one of "
                f"R^{graph.log_map.shape[1]}."
            )
        rows = rows_of(graph, includes_center=False)
        n, transport = rows.neighborhood, transport_matrices(field_type, rows.transporter).to(dtype)
        coefficient = torch.cat([n.weight[:, None], n.log_map], 1).to(dtype)
        blocks = block_table(field_type, transports=True)
        return EdgeFactors(coefficient, transport, blocks, n.indptr, n.source)

    return domain.derived(f"{key} {dtype}", build)


__all__ = ["MultivectorAttention"]
