"""Moments of channels and affine maps against PyTorch's own sums, forward and backward, in three precisions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gaugenet.nn.compiled.channel_statistics import channel_affine, channel_moments
from tests.tolerances import TOL, relative

DTYPES = [torch.float64, torch.float32, torch.bfloat16]


def features(dtype: torch.dtype, layout: torch.memory_format = torch.channels_last) -> Tensor:
    torch.manual_seed(0)
    x = 3 * torch.randn(2, 5, 7, 6, dtype=torch.float64) + 1
    return x.to(dtype).contiguous(memory_format=layout).requires_grad_()


def plain_moments(x: Tensor, unused: int) -> tuple[Tensor, Tensor]:
    used = x.double().flatten(2)[:, :, : 42 - unused]
    variance, mean = torch.var_mean(used, (0, 2), correction=0)
    return mean, variance


@pytest.mark.parametrize("unused", [0, 4])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("dtype", DTYPES)
def test_moments_and_their_gradients(dtype, layout, unused):
    x = features(dtype, layout)
    found, expected = channel_moments(x, unused), plain_moments(x, unused)
    wide = 1e-5 if dtype == torch.bfloat16 else TOL[dtype]
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype)
        assert relative(a.double(), b) < wide
    assert relative(found[0].double(), plain_moments(x, 3)[0]) > 1e-3, "control: another number of cells"
    weights = torch.randn(2, 5, dtype=torch.float64)
    gradients = [
        torch.autograd.grad(sum((w.to(m) * m).sum() for w, m in zip(weights, moments)), x)[0]
        for moments in (found, expected)
    ]
    assert relative(gradients[0].double(), gradients[1].double()) < TOL[dtype]
    assert not gradients[0].flatten(2)[:, :, 42 - unused :].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_affine_maps_and_their_gradients(dtype):
    x = features(dtype)
    wide = torch.float32 if dtype == torch.bfloat16 else dtype
    scale, shift = torch.randn(2, 5, dtype=wide).unbind()
    inputs = [x, scale.requires_grad_(), shift.requires_grad_()]
    found = channel_affine(*inputs)
    exact = [t.detach().double().requires_grad_() for t in inputs]
    expected = exact[0] * exact[1].view(-1, 1, 1) + exact[2].view(-1, 1, 1)
    assert found.dtype == dtype
    assert relative(found.double(), expected) < TOL[dtype]
    weight = torch.randn_like(x).detach()
    pairs = zip(
        torch.autograd.grad((found * weight).sum(), inputs),
        torch.autograd.grad((expected * weight.double()).sum(), exact),
        strict=True,
    )
    for a, b in pairs:
        assert relative(a.double(), b) < TOL[dtype]


def test_gradients_by_differences():
    x = features(torch.float64)
    scale, shift = (torch.randn(5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda x: channel_moments(x, 4), (x,))
    assert torch.autograd.gradcheck(channel_affine, (x, scale, shift))
    torch.library.opcheck(channel_moments, (x, 4), test_utils=("test_schema", "test_faketensor"))
    torch.library.opcheck(channel_affine, (x, scale, shift), test_utils=("test_schema", "test_faketensor"))
