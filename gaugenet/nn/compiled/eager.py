"""When compiled loops may replace PyTorch's operations, and helpers of the layers that have such loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gaugenet._transforms import is_batched, is_transformed
from gaugenet.groups import Block
from gaugenet.nn.compiled.threads import in_parallel

ROWS = 1024
"""The least number of points for a thread."""


def has_loops(*tensors: Tensor | None) -> bool:
    """Return whether compiled loops can be used: points `(N, ...)` on the CPU of one precision, in plain eager mode.

    Compilers and exporters, functional transforms, forward-mode derivatives and half precision use PyTorch's
    operations instead, which compute the same. Autocast is ignored, as in `GaugeConv`: these passes are bound by
    memory, and conversions would only add to it.
    """
    there = [t for t in tensors if t is not None]
    return (
        all(type(t) in (Tensor, nn.Parameter) and t.device.type == "cpu" and t.dim() <= 2 for t in there)
        and {t.dtype for t in there} in ({torch.float32}, {torch.float64})
        and there[0].layout == torch.strided
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not is_transformed()
    )


def needs_plain(grad: Tensor) -> bool:
    """Return whether a backward pass needs `plain_gradients`: for derivatives of higher order, or many at once.

    A forward pass with loops may be followed by `torch.autograd.grad(..., is_grads_batched=True)`, or by `torch.vmap`
    of its derivative, as for Jacobians and Hessians.
    """
    return torch.is_grad_enabled() or is_batched(grad)


def plain_gradients(
    function: Callable[..., Tensor], inputs: Sequence[Tensor | None], grad: Tensor
) -> list[Tensor | None]:
    """Return gradients by PyTorch's operations; differentiable if gradients are enabled."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        # Views: where one input was computed from another, the derivatives are partial ones all the same.
        inputs = [None if t is None else t.view_as(t) for t in inputs]
        wanted = [t for t in inputs if t is not None and t.requires_grad]
        out = function(*inputs)
    found = iter(torch.autograd.grad(out, wanted, grad, create_graph=create_graph, allow_unused=True))
    return [next(found) if t is not None and t.requires_grad else None for t in inputs]


def over_rows(loop: Callable[..., None], inputs: Sequence[Any], outputs: Sequence[Any], rows: int) -> None:
    """Call `loop(*inputs, begin, end, *outputs)` for shares of the rows, on the threads that PyTorch may use."""
    in_parallel(lambda begin, end, _: loop(*inputs, begin, end, *outputs), 0, rows, threads(rows))


def threads(rows: int) -> int:
    """Return the number of threads that have at least `ROWS` points each."""
    return min(torch.get_num_threads(), max(1, rows // ROWS))


def array(x: Tensor) -> np.ndarray:
    """Return a tensor as a contiguous array."""
    return x.detach().contiguous().numpy()


def field_table(blocks: Sequence[Block]) -> np.ndarray:
    """Return rows (first column, dimension, multiplicity, number of its first field among these blocks)."""
    first = accumulate((b.multiplicity for b in blocks), initial=0)
    rows = [(b.start, b.representation.dim, b.multiplicity, f) for b, f in zip(blocks, first, strict=False)]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)
