"""The sparse product of multivectors: one gather over i xor k for each blade of the first factor."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet._caching import cached
from gaugenet._transforms import is_transformed
from gaugenet.groups.clifford.blades import partner_positions


@cached
def partners(n: int, device: torch.device) -> Int[Tensor, "blades blades"]:
    """Return position of the blade i xor k for every pair of blades (i, k) of n generators."""
    return torch.tensor(partner_positions(n), device=device)


def xor_product(
    a: Float[Tensor, "blades *rest"],
    b: Float[Tensor, "blades *rest"],
    coefficients: Float[Tensor, "blades blades *rest"],
) -> Float[Tensor, "blades *rest"]:
    """Return out_k = sum_i c[k, i] a_i b_(i xor k): 4^n multiply-adds; a dense table of products would need 8^n.

    The blades are the first dimension; `coefficients` broadcast over the others. Differentiable any number of times in
    all three.
    """
    if not torch.compiler.is_compiling() and is_transformed():
        return _terms(a, b, coefficients)
    if torch.is_grad_enabled() and (a.requires_grad or b.requires_grad or coefficients.requires_grad):
        out: Tensor = _XorProduct.apply(a, b, coefficients)  # type: ignore[no-untyped-call]
        return out
    return _product(a, b, coefficients)


def _product(a: Tensor, b: Tensor, coefficients: Tensor) -> Tensor:
    index = partners(len(a).bit_length() - 1, a.device)
    out = coefficients[:, 0] * a[0] * b[index[0]]
    for i in range(1, len(a)):
        out.addcmul_(coefficients[:, i] * a[i], b[index[i]])
    return out


def _terms(a: Tensor, b: Tensor, coefficients: Tensor) -> Tensor:
    """Return `_product` out of place, for functional transforms and forward mode."""
    index = partners(len(a).bit_length() - 1, a.device)
    out = coefficients[:, 0] * a[0] * b[index[0]]
    for i in range(1, len(a)):
        out = out + coefficients[:, i] * a[i] * b[index[i]]
    return out


class _XorProduct(torch.autograd.Function):
    """The product keeps its factors for the backward pass, and none of the 2^n terms."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, coefficients: Tensor) -> Tensor:
        ctx.save_for_backward(a, b, coefficients)
        return _product(a, b, coefficients)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        a, b, c = ctx.saved_tensors
        index = partners(len(a).bit_length() - 1, a.device)
        blade = torch.arange(len(a), device=a.device)
        grad_a = _reduced(xor_product(grad, b, c.transpose(0, 1)), a) if ctx.needs_input_grad[0] else None
        # b_j meets a_i in the result's blade i xor j
        grad_b = _reduced(xor_product(a, grad, c[index, blade]), b) if ctx.needs_input_grad[1] else None
        return grad_a, grad_b, _coefficient_gradient(a, b, c, grad) if ctx.needs_input_grad[2] else None


def _coefficient_gradient(a: Tensor, b: Tensor, coefficients: Tensor, grad: Tensor) -> Tensor:
    """Return d/dc[k, i] = sum of a_i b_(i xor k) grad_k over the dimensions that `coefficients` broadcast over."""
    index = partners(len(a).bit_length() - 1, a.device)
    columns = [_reduced(a[i] * b[index[i]] * grad, coefficients[:, i]) for i in range(len(a))]
    return torch.stack(columns, 1)


def _reduced(x: Tensor, like: Tensor) -> Tensor:
    return x if x.shape == like.shape else x.sum_to_size(like.shape)


__all__ = ["partners", "xor_product"]
