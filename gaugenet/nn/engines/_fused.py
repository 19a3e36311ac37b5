"""The `graph` engine's operator on the CPU: aggregate and mix in blocks of vertices that stay in the cache.

Nothing of size O(E C) or O(N C T) is ever stored: the aggregate of a block of vertices is consumed by its matrix
products before the next block is made, and made again in the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from torch import Tensor

BLOCK_BYTES = 1 << 20
"""Size of the aggregate of one block of vertices: about the level-2 cache of a core."""


@torch.library.custom_op("gaugenet::aggregate_mix", mutates_args=(), device_types="cpu")
def aggregate_mix(
    x: Tensor,
    coefficient: Tensor,
    turn: Tensor,
    blocks: Tensor,
    indptr: Tensor,
    source: Tensor,
    mixing: Tensor,
    layout: list[int],
) -> Tensor:
    """sum over blocks of A[:, columns] @ M, with A the aggregate of `_aggregate.aggregate`.

    `mixing` holds the matrices one after the other; `layout` has for each its first coefficient column, the number of
    columns, and its number of outputs.
    """
    x = x.contiguous()
    num_targets, size = indptr.numel() - 1, x.shape[1]
    matrices = _matrices(mixing, layout, size)
    out = x.new_empty(num_targets, sum(m.shape[1] for m in matrices))
    geometry = _arrays(coefficient, turn, blocks, indptr, source)
    chunk, workers = _plan(num_targets, coefficient.shape[1] * size * x.element_size())
    for begin, end, aggregated in _aggregates(x, geometry, chunk, workers):
        for rows, columns, matrix in _views(aggregated, out[begin:end], matrices, layout, size):
            torch.mm(columns, matrix, out=rows)
    return out


@torch.library.custom_op("gaugenet::aggregate_mix_backward", mutates_args=(), device_types="cpu")
def aggregate_mix_backward(
    grad: Tensor,
    x: Tensor,
    coefficient: Tensor,
    turn: Tensor,
    blocks: Tensor,
    indptr: Tensor,
    source: Tensor,
    mixing: Tensor,
    layout: list[int],
) -> tuple[Tensor, Tensor]:
    """Gradients with respect to `x` and `mixing`; the aggregate is computed again, block by block."""
    from gaugenet.nn.engines._aggregate import aggregate_adjoint

    x, grad = x.contiguous(), grad.contiguous()
    num_targets, size = indptr.numel() - 1, x.shape[1]
    matrices = _matrices(mixing, layout, size)
    grad_mixing = torch.zeros_like(mixing)
    grad_matrices = _matrices(grad_mixing, layout, size)
    geometry = _arrays(coefficient, turn, blocks, indptr, source)
    chunk, workers = _plan(num_targets, coefficient.shape[1] * size * x.element_size())
    grad_buffer = x.new_zeros(chunk, coefficient.shape[1], size)
    grad_flat, grad_array = grad_buffer.flatten(1), grad_buffer.numpy()
    grad_x = x.new_zeros(workers, *x.shape)
    shares = grad_x.numpy()
    overlap = _columns_overlap(layout)

    for begin, end, aggregated in _aggregates(x, geometry, chunk, workers):

        def spread(a: int, b: int, worker: int, begin: int = begin) -> None:
            aggregate_adjoint(grad_array[a - begin :], *geometry, a, b, shares[worker])  # type: ignore[call-arg]

        if overlap:
            grad_buffer.zero_()
        views = _views(aggregated, grad[begin:end], matrices, layout, size)
        grad_views = _views(grad_flat[: end - begin], grad[begin:end], grad_matrices, layout, size)
        for (g, columns, matrix), (_, grad_columns, grad_matrix) in zip(views, grad_views, strict=True):
            grad_matrix.addmm_(columns.T, g)
            if overlap:
                grad_columns.addmm_(g, matrix.T)
            else:
                torch.mm(g, matrix.T, out=grad_columns)
        _in_parallel(spread, begin, end, workers)
    return grad_x.sum(0) if workers > 1 else grad_x[0], grad_mixing


@aggregate_mix.register_fake
def _(x, coefficient, turn, blocks, indptr, source, mixing, layout):
    return x.new_empty(indptr.shape[0] - 1, sum(layout[2::3]))


@aggregate_mix_backward.register_fake
def _(grad, x, coefficient, turn, blocks, indptr, source, mixing, layout):
    return torch.empty_like(x), torch.empty_like(mixing)


def _setup_context(ctx, inputs, output) -> None:
    *tensors, ctx.layout = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx, grad):
    grad_x, grad_mixing = aggregate_mix_backward(grad, *ctx.saved_tensors, ctx.layout)
    return grad_x, None, None, None, None, None, grad_mixing, None


aggregate_mix.register_autograd(_backward, setup_context=_setup_context)


def _aggregates(x: Tensor, geometry: list, chunk: int, workers: int) -> Iterator[tuple[int, int, Tensor]]:
    """Blocks of targets `begin ... end` with their aggregate `(end - begin, columns * size)`, in one reused buffer."""
    from gaugenet.nn.engines._aggregate import aggregate

    coefficient, indptr = geometry[0], geometry[3]
    values, num_targets = x.numpy(), len(indptr) - 1
    buffer = x.new_empty(chunk, coefficient.shape[1], x.shape[1])
    flat, array = buffer.flatten(1), buffer.numpy()
    for begin in range(0, num_targets, chunk):
        end = min(begin + chunk, num_targets)

        def fill(a: int, b: int, _: int, begin: int = begin) -> None:
            aggregate(values, *geometry, a, b, array[a - begin :])  # type: ignore[call-arg]

        _in_parallel(fill, begin, end, workers)
        yield begin, end, flat[: end - begin]


def _matrices(mixing: Tensor, layout: list[int], size: int) -> list[Tensor]:
    matrices, start = [], 0
    for columns, outputs in zip(layout[1::3], layout[2::3], strict=True):
        count = columns * size * outputs
        matrices.append(mixing[start : start + count].view(columns * size, outputs))
        start += count
    return matrices


def _views(flat: Tensor, out: Tensor, matrices: list[Tensor], layout: list[int], size: int):
    """For every output block: its columns of `out`, its columns of the aggregate, its matrix."""
    start = 0
    for first, columns, matrix in zip(layout[::3], layout[1::3], matrices, strict=True):
        stop = start + matrix.shape[1]
        yield out[:, start:stop], flat[:, first * size : (first + columns) * size], matrix
        start = stop


def _columns_overlap(layout: list[int]) -> bool:
    """Whether two output blocks read the same coefficient columns, so that their gradients add up."""
    return len(set(layout[::3])) < len(layout[::3])


def _arrays(*tensors: Tensor) -> list:
    return [t.detach().contiguous().numpy() for t in tensors]


def _plan(num_targets: int, bytes_each: int) -> tuple[int, int]:
    """Vertices a block and threads."""
    chunk = max(16, BLOCK_BYTES // max(bytes_each, 1))
    workers = min(torch.get_num_threads(), max(1, num_targets // chunk))
    return max(1, min(chunk * workers, num_targets)), workers


def _in_parallel(work: Callable[[int, int, int], None], begin: int, end: int, workers: int) -> None:
    """Split `begin ... end` over threads; numba releases the GIL. (Its own `prange` is not safe to fork or to nest.)"""
    if workers == 1:
        work(begin, end, 0)
        return
    bounds = [begin + (end - begin) * k // workers for k in range(workers + 1)]
    list(_pool(workers).map(work, bounds[:-1], bounds[1:], range(workers)))


@lru_cache(maxsize=8)
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="gaugenet")
