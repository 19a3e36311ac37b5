"""The form of conditional kernels: depthwise messages with weights computed by a perceptron, mixed at each point.

On the CPU, points are taken in blocks. One matrix product computes the weights of a block's edges, one for each path
and channel. They are used while they are in the cache, and computed again in the backward pass. So memory is
O(E hidden + N C), and no array of edges x paths x channels exists. On other devices, and for second derivatives,
PyTorch's operations compute the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.domain import GraphDomain
from gaugenet.groups import FieldType
from gaugenet.groups.representations.field_type import transport_matrices
from gaugenet.kernels.attributes import Attributes, check_rows
from gaugenet.kernels.depthwise import Depthwise
from gaugenet.kernels.implicit_space import ConditionalSpace, ImplicitSpace
from gaugenet.nn.compiled.eager import array, has_loops, needs_plain, plain_gradients
from gaugenet.nn.compiled.threads import in_parallel
from gaugenet.nn.engines.factors import EdgeFactors, block_table, targets, transported
from gaugenet.nn.engines.forms import FORMS
from gaugenet.nn.engines.graph import edge_factors
from gaugenet.nn.engines.neighborhoods import rows_of
from gaugenet.nn.precision import widened

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph

BLOCK_BYTES = 1 << 20
"""Size of the weights of one block of edges: about the level-2 cache of a core."""


def convolve(
    space: ImplicitSpace,
    weight: Float[Tensor, "weights"],
    x: Float[Tensor, "vertices in"],
    domain: GraphDomain,
    attributes: Attributes,
) -> Float[Tensor, "vertices out"]:
    """Return the convolution; it has derivatives of any order in `x`, weights, attributes and geometry."""
    if not space.num_weights:
        return x.new_zeros(x.shape[0], space.out_type.size)
    with torch.autocast(x.device.type, enabled=False):
        wide, weight = widened(x), widened(weight)
        factors = edge_factors(space, domain, wide.dtype)
        z = row_attributes(space, attributes, domain, factors)
        inputs = DepthwiseInputs(
            wide,
            space.factors(factors.coefficient, z) @ space.depthwise.table(wide),
            space.units(weight, factors.coefficient, z),
            space.last_layer(weight),
            space.mixing(weight),
        )
        return depthwise_sum(space.depthwise, inputs, factors).to(x.dtype)


def row_attributes(
    space: ConditionalSpace, attributes: Attributes, domain: GraphDomain, factors: EdgeFactors
) -> Float[Tensor, "edges size"]:
    """Return the attributes of every edge, with the attributes of the source transported to the target."""
    like = factors.coefficient[:, 0]
    if space.node_type is None or attributes.node is None:
        return space.joined(attributes.edge, None, None, like)
    node = attributes.node.to(like)
    check_rows("node_attr", node, factors.num_targets, "points")
    edges = transports(space.node_type, space.node_key, domain, like.dtype)
    source = transported(node[factors.source], edges, space.node_type)
    return space.joined(attributes.edge, source, node[targets(factors)], like)


def transports(field_type: FieldType, key: str, domain: GraphDomain, dtype: torch.dtype) -> EdgeFactors:
    """Return the transport matrices of a field type on every edge."""

    def build(graph: GaugeGraph) -> EdgeFactors:
        rows = rows_of(graph, includes_center=False)
        transport = transport_matrices(field_type, rows.transporter).to(dtype)
        blocks = block_table(field_type, transports=transport.shape[1] > 0)
        n = rows.neighborhood
        return EdgeFactors(n.weight[:, None].to(dtype), transport, blocks, n.indptr, n.source)

    return domain.derived(f"{key} {dtype}", build)


@dataclass(frozen=True)
class DepthwiseInputs:
    """The tensors that a sum of depthwise messages is differentiated by.

    Attributes:
        b: entries of the matrices B_p, quadrature weights included.
        s: hidden units; their product with `last` gives the weights of paths and channels.
        mixing: a matrix for each output block.
    """

    x: Float[Tensor, "vertices in"]
    b: Float[Tensor, "edges entries"]
    s: Float[Tensor, "edges hidden"]
    last: Float[Tensor, "hidden columns"]
    mixing: list[Float[Tensor, "width multiplicity"]]

    def tensors(self) -> list[Tensor]:
        return [self.x, self.b, self.s, self.last, *self.mixing]


def depthwise_sum(depthwise: Depthwise, inputs: DepthwiseInputs, factors: EdgeFactors) -> Float[Tensor, "vertices out"]:
    """Return the sum of all messages, mixed to the output's channels."""
    tensors = inputs.tensors()
    if has_loops(*tensors, factors.transport) and not factors.transport.requires_grad and factors.source.shape[0]:
        return cast(Tensor, _Messages.apply(depthwise, factors, *tensors))  # type: ignore[no-untyped-call]
    return _plain(depthwise, factors, *tensors)


def _plain(depthwise: Depthwise, factors: EdgeFactors, *tensors: Tensor) -> Tensor:
    """Return the sum of messages by PyTorch's operations, path by path."""
    x, b, s, last, *mixing = tensors
    target, points = targets(factors), factors.num_targets
    h = transported(x[factors.source], factors, depthwise.in_type)
    parts: list[list[Tensor]] = [[] for _ in depthwise.targets]
    for p, matrix in zip(depthwise.paths, depthwise.path_matrices(b), strict=True):
        w = s @ last[:, p.column : p.column + p.source.multiplicity]
        message = w.unsqueeze(1) * (matrix @ p.source.split(h))
        parts[p.target].append(message.new_zeros(points, *message.shape[1:]).index_add(0, target, message))
    outputs = []
    for block, matrix in zip(depthwise.out_type.blocks, mixing, strict=True):
        found = parts[depthwise.target_of(block)]
        empty = x.new_zeros(points, block.size)
        outputs.append((torch.cat(found, 2) @ matrix).flatten(1) if found else empty)
    return torch.cat(outputs, 1) if outputs else x.new_zeros(points, 0)


class _Messages(torch.autograd.Function):
    """`_plain` in blocks of points, by compiled loops."""

    @staticmethod
    def forward(ctx: Any, depthwise: Depthwise, factors: EdgeFactors, *tensors: Tensor) -> Tensor:
        ctx.depthwise, ctx.factors = depthwise, factors
        ctx.save_for_backward(*tensors)
        x, _, _, _, *mixing = tensors
        blocks = _Blocks(depthwise, factors, tensors)
        out = x.new_empty(blocks.num_targets, depthwise.out_type.size)
        for part in blocks:
            products = blocks.messages(part)
            for columns, rows, matrix in _views(products, out[part.begin : part.end], mixing, blocks.layout):
                torch.mm(columns, matrix, out=rows)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        depthwise, factors, tensors = ctx.depthwise, ctx.factors, ctx.saved_tensors
        if needs_plain(grad):
            found = plain_gradients(lambda *t: _plain(depthwise, factors, *t), tensors, grad)
            return None, None, *found
        x, b, s, last, *mixing = tensors
        blocks, grad = _Blocks(depthwise, factors, tensors), grad.contiguous()
        gx, gb, gs = x.new_zeros(blocks.workers, *x.shape), torch.empty_like(b), torch.empty_like(s)
        glast, gmixing = torch.zeros_like(last), [torch.zeros_like(m) for m in mixing]
        for part in blocks:
            products = blocks.messages(part)
            back = torch.zeros_like(products)
            rows = _views(products, grad[part.begin : part.end], mixing, blocks.layout)
            rows_back = _views(back, grad[part.begin : part.end], mixing, blocks.layout)
            numbers = [k for k, times in enumerate(blocks.layout[3::4]) for _ in range(times)]
            for k, (columns, given, matrix), (to, _, _) in zip(numbers, rows, rows_back, strict=True):
                gmixing[k].addmm_(columns.T, given)
                to.addmm_(given, matrix.T)
            gw = blocks.spread(part, back, gx, gb)
            edges = slice(part.first_edge, part.last_edge)
            torch.mm(gw, last.T, out=gs[edges])
            glast.addmm_(s[edges].T, gw)
        return None, None, gx.sum(0) if len(gx) > 1 else gx[0], gb, gs, glast, *gmixing


@dataclass(frozen=True)
class _Part:
    """A block of targets and its edges."""

    begin: int
    end: int
    first_edge: int
    last_edge: int


class _Blocks:
    """Blocks of targets whose edges' weights stay in the cache, and the compiled loops over them."""

    def __init__(self, depthwise: Depthwise, factors: EdgeFactors, tensors: tuple[Tensor, ...]) -> None:
        self.x, self.b, self.s, self.last = (t.detach().contiguous() for t in tensors[:4])
        self.layout, self.width = depthwise.layout(), depthwise.starts()[-1]
        self.indptr = factors.indptr
        self.num_targets = factors.num_targets
        edges_each = max(32, BLOCK_BYTES // max(1, self.last.shape[1] * self.x.element_size()))
        mean = max(1.0, len(factors.source) / max(1, self.num_targets))
        chunk = max(1, int(edges_each / mean))
        self.workers = min(torch.get_num_threads(), max(1, self.num_targets // chunk))
        self.chunk = chunk * self.workers
        self.geometry = [array(t) for t in (factors.transport, factors.blocks, factors.indptr, factors.source)]
        self.tables = [array(depthwise.path_table()), array(depthwise.entries)]

    def __iter__(self) -> Iterator[_Part]:
        for begin in range(0, self.num_targets, self.chunk):
            end = min(begin + self.chunk, self.num_targets)
            yield _Part(begin, end, int(self.indptr[begin]), int(self.indptr[end]))

    def _weights(self, part: _Part) -> Tensor:
        return self.s[part.first_edge : part.last_edge] @ self.last

    def messages(self, part: _Part) -> Float[Tensor, "targets width"]:
        """Return the sum of messages of every path, before channels are mixed."""
        from gaugenet.nn.engines._depthwise import messages

        self.w = self._weights(part)
        out = self.x.new_empty(part.end - part.begin, self.width)
        x, b, w, o = array(self.x), array(self.b[part.first_edge : part.last_edge]), array(self.w), array(out)

        def work(begin: int, end: int, _: int) -> None:
            first = part.first_edge
            messages(x, b, w, *self.geometry, *self.tables, first, begin, end, o[begin - part.begin :])  # type: ignore[call-arg]

        in_parallel(work, part.begin, part.end, self.workers)
        return out

    def spread(self, part: _Part, grad: Tensor, gx: Tensor, gb: Tensor) -> Float[Tensor, "edges columns"]:
        """Return the gradient of the weights; add to the gradient of the features, write that of the entries."""
        from gaugenet.nn.engines._depthwise import messages_adjoint

        gw = torch.empty_like(self.w)
        edges = slice(part.first_edge, part.last_edge)
        x, b, w, g = array(self.x), array(self.b[edges]), array(self.w), array(grad)
        shares, to_b, to_w = gx.numpy(), gb[edges].numpy(), gw.numpy()

        def work(begin: int, end: int, worker: int) -> None:
            given, where = g[begin - part.begin :], (part.first_edge, begin, end)
            messages_adjoint(  # type: ignore[call-arg]
                given, x, b, w, *self.geometry, *self.tables, *where, shares[worker], to_b, to_w
            )

        in_parallel(work, part.begin, part.end, self.workers)
        return gw


def _views(
    products: Tensor, out: Tensor, mixing: list[Tensor], layout: list[int]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield for every component of every output block its products, its columns of the output, and its matrix."""
    start = 0
    for matrix, first, width, multiplicity, dim in zip(
        mixing, layout[::4], layout[1::4], layout[2::4], layout[3::4], strict=True
    ):
        for component in range(dim):
            begin = first + component * width
            yield products[:, begin : begin + width], out[:, start : start + multiplicity], matrix
            start += multiplicity


FORMS["depthwise"] = convolve
