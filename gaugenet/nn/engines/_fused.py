"""The `graph` engine's operator on the CPU: aggregate and mix in blocks of vertices that stay in the cache.

Nothing of size O(E C) or O(N C T) is stored: the aggregate of a block of vertices is used by its matrix products before
the next block is computed. The backward pass computes it again.

`entries` and `values` belong to a `Contraction` that is applied in between; they are empty if there is none. `mixing`
holds the matrices one after the other. `layout` has four numbers for each matrix: its first column in the (contracted)
aggregate, its rows, its columns, and how many times it is applied, each time to the next columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gaugenet.nn.compiled.operator import fake, flops, operator
from gaugenet.nn.compiled.threads import in_parallel

BLOCK_BYTES = 1 << 20, 1 << 24
"""Size of the aggregate of one block of vertices: about the level-2 cache of a core, more where matrices are large."""


@operator("aggregate_mix", "cpu")
def aggregate_mix(
    x: Tensor,
    coefficient: Tensor,
    transport: Tensor,
    blocks: Tensor,
    indptr: Tensor,
    source: Tensor,
    entries: Tensor,
    values: Tensor,
    mixing: Tensor,
    layout: list[int],
    shift: Tensor | None = None,
) -> Tensor:
    """Return the sum over blocks of A[:, columns] @ M, with A the aggregate of `_aggregate.aggregate`."""
    x = x.contiguous()
    matrices = _matrices(mixing, layout)
    loops = _Loops(x, [coefficient, transport, blocks, indptr, source], [entries, values], layout, shift)
    out = x.new_empty(loops.num_targets, _num_outputs(layout))
    for begin, end, aggregated in loops.aggregates():
        for rows, columns, matrix in _views(aggregated, out[begin:end], matrices, layout):
            torch.mm(columns, matrix, out=rows)
    return out


@operator("aggregate_mix_backward", "cpu")
def _aggregate_mix_backward(
    grad: Tensor,
    x: Tensor,
    coefficient: Tensor,
    transport: Tensor,
    blocks: Tensor,
    indptr: Tensor,
    source: Tensor,
    entries: Tensor,
    values: Tensor,
    mixing: Tensor,
    layout: list[int],
    shift: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the gradients with respect to `x` and `mixing`; compute the aggregate again, block by block."""
    x, grad = x.contiguous(), grad.contiguous()
    matrices = _matrices(mixing, layout)
    grad_mixing = torch.zeros_like(mixing)
    grad_matrices = _matrices(grad_mixing, layout)
    loops = _Loops(x, [coefficient, transport, blocks, indptr, source], [entries, values], layout, shift)
    grad_x = x.new_zeros(loops.workers if shift is None else 1, *x.shape)
    buffer = x.new_empty(loops.chunk, loops.width)
    overlap = _columns_overlap(layout)
    for begin, end, aggregated in loops.aggregates():
        grad_aggregated = buffer[: end - begin]
        if overlap:
            grad_aggregated.zero_()
        views = _views(aggregated, grad[begin:end], matrices, layout)
        grad_views = _views(grad_aggregated, grad[begin:end], grad_matrices, layout)
        for (g, columns, matrix), (_, grad_columns, grad_matrix) in zip(views, grad_views, strict=True):
            grad_matrix.addmm_(columns.T, g)
            if overlap:
                grad_columns.addmm_(g, matrix.T)
            else:
                torch.mm(g, matrix.T, out=grad_columns)
        loops.spread(grad_aggregated, begin, end, grad_x)
    return grad_x.sum(0) if len(grad_x) > 1 else grad_x[0], grad_mixing


@fake("aggregate_mix")
def _(
    x: Tensor,
    coefficient: Tensor,
    transport: Tensor,
    blocks: Tensor,
    indptr: Tensor,
    source: Tensor,
    entries: Tensor,
    values: Tensor,
    mixing: Tensor,
    layout: list[int],
    shift: Tensor | None = None,
) -> Tensor:
    return x.new_empty(indptr.shape[0] - 1 if shift is None else shift.shape[0], _num_outputs(layout))


@fake("aggregate_mix_backward")
def _(
    grad: Tensor,
    x: Tensor,
    coefficient: Tensor,
    transport: Tensor,
    blocks: Tensor,
    indptr: Tensor,
    source: Tensor,
    entries: Tensor,
    values: Tensor,
    mixing: Tensor,
    layout: list[int],
    shift: Tensor | None = None,
) -> tuple[Tensor, ...]:
    return torch.empty_like(x), torch.empty_like(mixing)


@flops("aggregate_mix")
def _count(
    x: torch.Size,
    coefficient: torch.Size,
    transport: torch.Size,
    blocks: torch.Size,
    indptr: torch.Size,
    source: torch.Size,
    entries: torch.Size,
    values: torch.Size,
    mixing: torch.Size,
    layout: list[int],
    shift: torch.Size | None = None,
    *,
    out_shape: Any = None,
) -> int:
    """Count the aggregation and the products with the matrices; transport and contraction are small beside them."""
    targets, edges = (indptr[0] - 1, source[0]) if shift is None else (shift[0], source[0] * shift[0])
    products = sum(rows * outputs * times for _, rows, outputs, times in _groups(layout))
    return 2 * int(edges * coefficient[1] * x[1] + targets * products)


@flops("aggregate_mix_backward")
def _count_backward(grad: torch.Size, *inputs: Any, out_shape: Any = None) -> int:
    """Count the aggregation, which is repeated, its adjoint, and two products for each one of the forward pass."""
    return 2 * _count(*inputs)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.layout, shift = inputs
    ctx.save_for_backward(*tensors, shift)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, *fixed, mixing, shift = ctx.saved_tensors
    grad_x, grad_mixing = _aggregate_mix_backward(grad, x, *fixed, mixing, ctx.layout, shift)
    return grad_x, *[None] * len(fixed), grad_mixing, None, None


def _second_backward(ctx: Any, along_x: Tensor | None, along_mixing: Tensor | None) -> tuple[Tensor | None, ...]:
    """Return second derivatives: the operator is linear in `x` and in `mixing`, so they are the two operators again."""
    grad, x, *fixed, mixing, shift = ctx.saved_tensors
    rest = (ctx.layout, shift)
    to_grad = to_x = to_mixing = None
    if along_x is not None:
        to_grad = aggregate_mix(along_x, *fixed, mixing, *rest)
        _, to_mixing = _aggregate_mix_backward(grad, along_x, *fixed, mixing, *rest)
    if along_mixing is not None:
        other = aggregate_mix(x, *fixed, along_mixing, *rest)
        to_grad = other if to_grad is None else to_grad + other
        to_x, _ = _aggregate_mix_backward(grad, x, *fixed, along_mixing, *rest)
    return to_grad, to_x, *[None] * len(fixed), to_mixing, None, None


torch.library.register_autograd("gaugenet::aggregate_mix", _backward, setup_context=_setup_context)
torch.library.register_autograd("gaugenet::aggregate_mix_backward", _second_backward, setup_context=_setup_context)


class _Loops:
    """The compiled loops over blocks of targets, on threads, with reused buffers.

    Attributes:
        chunk: number of targets in a block.
        width: number of columns that the matrices are applied to.
    """

    def __init__(
        self, x: Tensor, geometry: list[Tensor], contraction: list[Tensor], layout: list[int], shift: Tensor | None
    ) -> None:
        self.x = x
        *_, indptr, source = geometry
        shifts = source[:0] if shift is None else shift
        self.geometry = [t.detach().contiguous().numpy() for t in (*geometry, shifts)]
        self.contraction = [t.detach().contiguous().numpy() for t in contraction]
        self.columns, self.num_targets = geometry[0].shape[1], len(indptr) - 1 if shift is None else len(shift)
        self.contracted = contraction[0].numel() > 0
        self.width = _width(layout) if self.contracted else self.columns * x.shape[1]
        bytes_each = self.columns * x.shape[1] * x.element_size()
        small, large = BLOCK_BYTES
        matrices = x.element_size() * sum(rows * outputs for _, rows, outputs, _ in _groups(layout))
        chunk = max(16, min(max(small, 8 * matrices), large) // max(bytes_each, 1))
        self.workers = min(torch.get_num_threads(), max(1, self.num_targets // chunk))
        self.chunk = max(1, min(chunk * self.workers, self.num_targets))
        self.buffer = x.new_empty(self.chunk, self.columns, x.shape[1])
        self.product = x.new_empty(self.chunk, self.width) if self.contracted else self.buffer.flatten(1)

    def aggregates(self) -> Iterator[tuple[int, int, Tensor]]:
        """Yield blocks of targets `begin ... end` with their (contracted) aggregate `(end - begin, width)`."""
        from gaugenet.nn.engines._aggregate import aggregate, contract

        values, array, product = self.x.numpy(), self.buffer.numpy(), self.product.numpy()
        for begin in range(0, self.num_targets, self.chunk):
            end = min(begin + self.chunk, self.num_targets)

            def fill(a: int, b: int, _: int, begin: int = begin) -> None:
                aggregate(values, *self.geometry, a, b, array[a - begin :])  # type: ignore[call-arg]
                if self.contracted:
                    here = slice(a - begin, b - begin)
                    contract(array[here], *self.contraction, product[here])  # type: ignore[call-arg]

            in_parallel(fill, begin, end, self.workers)
            yield begin, end, self.product[: end - begin]

    def spread(self, grad: Tensor, begin: int, end: int, grad_x: Tensor) -> None:
        """Add to `grad_x` the gradients of the sources, from the gradient `(end - begin, width)` of a block.

        Threads may write to one source. In a graph each has a share of its own, `grad_x[worker]`. On a grid the
        sources of a run of pixels are a run of pixels themselves: each thread fills a window that is then added.
        """
        from gaugenet.nn.engines._aggregate import aggregate_adjoint, contract_adjoint

        shares, array, product = grad_x.numpy(), self.buffer.numpy(), grad.numpy()
        if not self.contracted:
            array = product.reshape(len(product), self.columns, -1)
        *fixed, source, shift = self.geometry
        windows: list[tuple[int, np.ndarray]] = []

        def work(a: int, b: int, worker: int) -> None:
            if self.contracted:
                here = slice(a - begin, b - begin)
                contract_adjoint(product[here], *self.contraction, array[here])  # type: ignore[call-arg]
            first, into = 0, shares[worker if len(shares) > 1 else 0]
            if len(shift) and self.workers > 1 and a < b:
                first, last = int(shift[a] + source.min()), int(shift[b - 1] + source.max())
                into = np.zeros((last + 1 - first, into.shape[1]), into.dtype)
                windows.append((first, into))
            aggregate_adjoint(array[a - begin :], *fixed, source - first, shift, a, b, into)  # type: ignore[call-arg]

        in_parallel(work, begin, end, self.workers)
        for first, window in windows:
            shares[0, first : first + len(window)] += window


# Four numbers for each matrix (first column, rows, columns, times) in one flat list, because the schema of a custom
# operator allows lists of integers but not of tuples.
def _groups(layout: list[int]) -> Iterator[tuple[int, int, int, int]]:
    yield from zip(layout[::4], layout[1::4], layout[2::4], layout[3::4], strict=True)


def _num_outputs(layout: list[int]) -> int:
    return sum(outputs * times for _, _, outputs, times in _groups(layout))


def _width(layout: list[int]) -> int:
    return max((first + rows * times for first, rows, _, times in _groups(layout)), default=0)


def _matrices(mixing: Tensor, layout: list[int]) -> list[Tensor]:
    matrices, start = [], 0
    for _, rows, outputs, _ in _groups(layout):
        matrices.append(mixing[start : start + rows * outputs].view(rows, outputs))
        start += rows * outputs
    return matrices


def _views(flat: Tensor, out: Tensor, matrices: list[Tensor], layout: list[int]) -> tuple[Tensor, ...]:
    """Return for every product its columns of `out`, its columns of the (contracted) aggregate, and its matrix."""
    start = 0
    for (first, rows, outputs, times), matrix in zip(_groups(layout), matrices, strict=True):
        for _ in range(times):
            yield out[:, start : start + outputs], flat[:, first : first + rows], matrix
            start, first = start + outputs, first + rows


def _columns_overlap(layout: list[int]) -> bool:
    """Return whether two output blocks read the same columns, so that their gradients add up."""
    starts = [first for first, *_ in _groups(layout)]
    return len(set(starts)) < len(starts)
