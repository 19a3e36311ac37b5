"""How far results may be from the theorem: relative errors, one table for all tests of groups, kernels and layers."""

import torch

TOL = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.bfloat16: 5e-2,  # eight bits of mantissa
}

SOLVED = 1e-10
"""Bases that an eigenvalue problem gave (intertwiners, invariant subspaces), float64."""

STATISTICAL = 0.05
"""Means of thousands of random draws."""


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    """max |a - b| / max |b|, 0 for empty tensors."""
    if b.numel() == 0:
        assert a.shape == b.shape
        return 0.0
    return ((a - b).abs().max() / b.abs().max().clamp(min=1e-30)).item()
