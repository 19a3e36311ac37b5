"""Moments of channels, and x -> scale x + shift: few passes over the features, forward and backward.

Features stay in their own precision; sums over bfloat16 and float16 run in float32, see `_wide_dtype`.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gaugenet.nn.compiled.operator import fake, operator


def _wide_dtype(x: Tensor) -> torch.dtype:
    """Return the precision of sums over `x` and of factors of `x`."""
    return torch.float32 if x.dtype in (torch.bfloat16, torch.float16) else x.dtype


@operator("channel_moments")
def channel_moments(x: Tensor, unused: int) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance of each channel of `x`, `(B, C, rows, columns)`, in its `_wide_dtype`.

    Args:
        x: features of at least one sample.
        unused: number of cells at the end of the last row that are not counted.
    """
    running = torch.zeros(2, x.shape[1], dtype=_wide_dtype(x), device=x.device)
    mean, variance = torch.batch_norm_update_stats(x, running[0], running[1], 1.0)
    if not unused:
        return mean, variance
    left_out = _unused(x, unused).to(mean.dtype)
    count, all_cells = _count(x, unused), _count(x, 0)
    centre = (all_cells * mean - left_out.sum((0, 2))) / count
    squares = all_cells * (variance + (mean - centre).square()) - (left_out - centre[:, None]).square().sum((0, 2))
    return centre, (squares / count).clamp(min=0)


@operator("channel_moments_backward")
def _channel_moments_backward(of_mean: Tensor, of_variance: Tensor, x: Tensor, mean: Tensor, unused: int) -> Tensor:
    """Return the gradient of `channel_moments` with respect to `x`."""
    slope = 2 * of_variance / _count(x, unused)
    grad = _affine(x, slope, of_mean / _count(x, unused) - slope * mean)
    _unused(grad, unused).zero_()
    return grad


@operator("channel_affine")
def channel_affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return scale x + shift, for `x` of shape `(B, C, rows, columns)` and numbers `(C,)` in its `_wide_dtype`."""
    return _affine(x, scale, shift)


@operator("channel_affine_backward")
def _channel_affine_backward(grad: Tensor, x: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of `channel_affine` with respect to `x`, `scale` and `shift`."""
    zero, one = torch.zeros_like(scale), torch.ones_like(scale)
    layout = torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm_backward(
        grad.contiguous(memory_format=layout), x, scale, zero, one, None, None, False, 0.0, [True, True, True]
    )
    return gradients


def _affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return F.batch_norm(x, torch.zeros_like(scale), torch.ones_like(scale), scale, shift, False, eps=0.0)


def _unused(x: Tensor, count: int) -> Float[Tensor, "batch channels count"]:
    return x[:, :, -1, x.shape[-1] - count :]


def _count(x: Tensor, unused: int) -> int:
    return x.shape[0] * (x.shape[2] * x.shape[3] - unused)


@fake("channel_moments")
def _(x: Tensor, unused: int) -> tuple[Tensor, ...]:
    return tuple(x.new_empty(x.shape[1], dtype=_wide_dtype(x)) for _ in range(2))


@fake("channel_moments_backward")
def _(of_mean: Tensor, of_variance: Tensor, x: Tensor, mean: Tensor, unused: int) -> Tensor:
    return torch.empty_like(x)


@fake("channel_affine")
def _(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.empty_like(x)


@fake("channel_affine_backward")
def _(grad: Tensor, x: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
    return torch.empty_like(x), torch.empty_like(scale), torch.empty_like(scale)


def _keep_moments(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(inputs[0], output[0])
    ctx.unused = inputs[1]


def _from_moments(ctx: Any, of_mean: Tensor, of_variance: Tensor) -> tuple[Tensor | None, ...]:
    return _channel_moments_backward(of_mean, of_variance, *ctx.saved_tensors, ctx.unused), None


def _keep_affine(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[:2])


def _from_affine(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    gradients: tuple[Tensor, Tensor, Tensor] = _channel_affine_backward(grad, *ctx.saved_tensors)
    return gradients


torch.library.register_autograd("gaugenet::channel_moments", _from_moments, setup_context=_keep_moments)
torch.library.register_autograd("gaugenet::channel_affine", _from_affine, setup_context=_keep_affine)
