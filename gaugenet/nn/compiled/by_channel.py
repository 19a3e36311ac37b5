"""A normalization of images as one scale and one shift of each channel: few passes over memory for all field types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from gaugenet._typing import apply_function

Affine = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Scale and shift of each channel from mean and variance of each channel, learned weight and bias; differentiable."""


def serves(x: Tensor) -> bool:
    """Return whether `normalize` works for `x` and is faster: in eager mode on CPUs."""
    return x.device.type == "cpu" and x.dim() > 2 and x.numel() > 0 and not torch.compiler.is_compiling()


def normalize(
    x: Float[Tensor, "batch channels *spatial"], weight: Tensor, bias: Tensor, affine: Affine
) -> tuple[Float[Tensor, "batch channels *spatial"], Float[Tensor, "channels"], Float[Tensor, "channels"]]:
    """Return `scale x + shift` with the `affine` of the batch, and the mean and (biased) variance of its channels.

    The statistics of fields are functions of the statistics of their channels. So all passes over `x` are PyTorch's
    kernels for batch normalization, and the formulas of fields see one number per channel. First derivatives only.
    """

    def in_full(*numbers: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            scale, shift = affine(*numbers)
            return scale.to(numbers[0].dtype), shift.to(numbers[0].dtype)

    results: tuple[Tensor, Tensor, Tensor] = apply_function(_Normalize, x, weight, bias, in_full)
    return results


class _Normalize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, affine: Affine) -> tuple[Tensor, Tensor, Tensor]:
        mean, var = torch.batch_norm_update_stats(x, None, None, 0.0)
        scale, shift = affine(mean, var, weight, bias)
        ctx.affine = affine
        ctx.save_for_backward(x, mean, var, weight, bias, scale)
        ctx.mark_non_differentiable(mean, var)
        y = F.batch_norm(x, torch.zeros_like(mean), torch.ones_like(mean), scale, shift, eps=0.0)
        return y, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, *numbers, scale = ctx.saved_tensors
        zero, one = torch.zeros_like(scale), torch.ones_like(scale)
        _, to_scale, to_shift = torch.ops.aten.native_batch_norm_backward(
            grad, x, scale, zero, one, None, None, False, 0.0, [False, True, True]
        )
        with torch.enable_grad():
            leaves = [n.detach().requires_grad_() for n in numbers]
            made = ctx.affine(*leaves)
            to_mean, to_var, to_weight, to_bias = torch.autograd.grad(
                torch.cat(made), leaves, torch.cat([to_scale, to_shift]), materialize_grads=True
            )
        count = x.numel() // x.shape[1]
        slope = to_var * (2 / count)
        offset = to_mean / count - slope * numbers[0]
        offset, slope, scale = (n.to(x.dtype).view(-1, *[1] * (x.dim() - 2)) for n in (offset, slope, scale))
        return torch.addcmul(torch.addcmul(offset, x, slope), grad, scale), to_weight, to_bias, None


__all__ = ["normalize", "serves"]
