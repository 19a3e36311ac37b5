"""Layers on a Möbius strip of pixels: each convolution is one conv2d, after padding at the cut with rho(s)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet.geometry.grids.strip import FLIP, pad_strip, strip_action
from gaugenet.groups import Block, FieldType, Reflection, Representation
from gaugenet.nn.compiled.eager import needs_plain, plain_gradients
from gaugenet.nn.linear import InvariantBias
from gaugenet.nn.tables import TableModule


class StripConv(TableModule):
    r"""A convolution with all kernels of k x k pixels that satisfy K(s v) = rho_out(s) K(v) rho_in(s)^-1.

    The kernels are symmetric between trivial fields and between sign fields, and antisymmetric between a trivial and a
    sign field. Between these and regular fields there is a free kernel with its reflected copy
    (:cite:`weiler2021coordinate`).

    Shapes:
        x: `(B, in_type.size, H, W)`, W along the strip -> `(B, out_type.size, H, W)`; zeros beyond the border.

    Equivariance: exact under shifts along the strip and under independent changes of the frames' orientation.

    Args:
        in_type, out_type: fields of the group `Reflection`, of trivial, sign (`0-`) and regular representations.
        kernel_size: k, odd.
        bias: add a bias to the invariant part.
    """

    def __init__(self, in_type: FieldType, out_type: FieldType, *, kernel_size: int = 5, bias: bool = True) -> None:
        super().__init__()
        for t in (in_type, out_type):
            _check_group(t)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"Expected an odd `kernel_size`, got {kernel_size}.")
        self.in_type, self.out_type, self.kernel_size = in_type, out_type, kernel_size
        self.weights = nn.ParameterList()
        self._pairs: list[tuple[Block, Block]] = list(itertools.product(out_type.blocks, in_type.blocks))
        for k, (target, source) in enumerate(self._pairs):
            basis = reflection_kernels(source.representation, target.representation, kernel_size)
            self.add_table(f"_basis_{k}", basis.flatten(1, 2))
            self.weights.append(nn.Parameter(torch.empty(len(basis), target.multiplicity, source.multiplicity)))
        self.bias = InvariantBias(out_type) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw kernels with normal pixels of deviation 2 / sqrt(k^2 (C_in + C_out)), as in the paper."""
        std = 2 / math.sqrt(self.kernel_size**2 * (self.in_type.size + self.out_type.size))
        for weight in self.weights:
            nn.init.normal_(weight, std=std)
        if self.bias is not None:
            self.bias.reset_parameters()

    def kernel(self) -> Float[Tensor, "out in k k"]:
        """Return the kernel in the layout of the features, channels last in memory."""
        size = self.kernel_size
        rows: dict[int, list[Tensor]] = {}
        for k, ((target, source), weight) in enumerate(zip(self._pairs, self.weights, strict=True)):
            dims = target.representation.dim, source.representation.dim
            basis = getattr(self, f"_basis_{k}").to(weight).unflatten(1, dims)
            block = torch.einsum("nuv,noiyx->ouyxiv", weight, basis)
            rows.setdefault(target.start, []).append(block.reshape(target.size, size, size, source.size))
        return torch.cat([torch.cat(row, -1) for row in rows.values()]).movedim(-1, 1)

    def forward(self, x: Float[Tensor, "batch in across along"]) -> Float[Tensor, "batch out across along"]:
        self.in_type.check(x)
        half = self.kernel_size // 2
        bias = None if self.bias is None else self.bias.vector().to(x.dtype)
        return F.conv2d(pad_strip(x, self.in_type, half), self.kernel().to(x.dtype), bias, padding=(half, 0))

    def extra_repr(self) -> str:
        return f"{self.in_type} -> {self.out_type}, kernel_size={self.kernel_size}"


NEAR_ZERO = 0.05


class StripNonlinearity(nn.Module):
    r"""ELU on components that are permuted, x / (|x| + 0.05) ELU(|x| + b) on sign fields, with a learned b.

    The paper uses x / |x|, which jumps at zero. In the middle of an image that is its own mirror image a sign field
    vanishes up to rounding errors. They decided the sign of the result, and a trained network changed its logits by
    20 % under shifts.

    Shapes:
        x: `(B, field_type.size, H, W)` -> the same.

    Equivariance: exact; continuous.
    """

    signs: Int[Tensor, "signs"]

    def __init__(self, field_type: FieldType) -> None:
        super().__init__()
        _check_group(field_type)
        self.in_type = self.out_type = field_type
        signs = [range(b.start, b.stop) for b in field_type.blocks if not b.representation.permutation]
        self.register_buffer("signs", torch.tensor([k for r in signs for k in r], dtype=torch.long), persistent=False)
        self.bias = nn.Parameter(torch.zeros(len(self.signs))) if signs else None

    def forward(self, x: Float[Tensor, "batch size across along"]) -> Tensor:
        self.in_type.check(x)
        if self.bias is None:
            return F.elu(x)
        rows = x.permute(0, 2, 3, 1).flatten(2)  # a view if channels are last; long rows vectorize well
        shift = x.new_zeros(x.shape[1]).index_copy(0, self.signs, self.bias.to(x.dtype))
        bend = _Bent.plain if torch.compiler.is_compiling() else _bend
        bent = bend(rows, shift.repeat(x.shape[-1]))
        if len(self.signs) < x.shape[1]:
            is_sign = torch.zeros_like(shift, dtype=torch.bool).index_fill(0, self.signs, True)
            bent = torch.where(is_sign.repeat(x.shape[-1]), bent, F.elu(rows))
        return typed_tensor(bent.unflatten(2, (x.shape[-1], -1)).permute(0, 3, 1, 2))


AT_ONCE = 2**18
"""Numbers that `_Bent` processes at a time, so that intermediate results stay in the cache."""


class _Bent(torch.autograd.Function):
    """The function s ELU(|x| + b) with s = x / (|x| + NEAR_ZERO), in few passes over memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shift: Tensor) -> Tensor:
        ctx.save_for_backward(x, shift)
        out = torch.empty_like(x)
        for here, there in _in_parts(x, out):
            sign, bent = _Bent.factors(here, shift)
            torch.mul(sign, bent, out=there)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, shift = ctx.saved_tensors
        if needs_plain(grad):
            return tuple(plain_gradients(_Bent.plain, [x, shift], grad))
        of_x, of_shift = torch.empty_like(x), torch.zeros_like(shift, dtype=torch.promote_types(x.dtype, torch.float32))
        for here, given, there in _in_parts(x, grad, of_x):
            sign, bent = _Bent.factors(here, shift)
            slope, size = bent.clamp(max=0).add_(1), sign.abs()
            of_shift += (given * sign).mul_(slope).sum((0, 1), dtype=of_shift.dtype)
            of_sign = (1 - size).square_().mul_(bent).mul_(1 / NEAR_ZERO)
            torch.mul(of_sign.addcmul_(size, slope), given, out=there)
        return of_x, of_shift.to(shift.dtype)

    @staticmethod
    def plain(x: Tensor, shift: Tensor) -> Tensor:
        return torch.mul(*_Bent.factors(x, shift))

    @staticmethod
    def factors(x: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        length = x.abs()
        bent = F.elu(length + shift)
        return x / length.add_(NEAR_ZERO), bent


_bend: Callable[[Tensor, Tensor], Tensor] = _Bent.apply


def _in_parts(*rows: Tensor) -> Iterator[tuple[Tensor, ...]]:
    some = max(1, AT_ONCE // max(1, rows[0][0].numel())) if len(rows[0]) else 1
    return zip(*(t.split(some) for t in rows), strict=True)


class _Extremes(torch.autograd.Function):
    """The function max(a, b, 0) + min(a, b, 0) of pairs: a + b for opposite signs, else the larger one in size."""

    @staticmethod
    def forward(ctx: Any, pairs: Tensor, dim: int) -> Tensor:
        ctx.save_for_backward(pairs)
        ctx.dim = dim
        return _Extremes.plain(pairs, dim)

    @staticmethod
    def plain(pairs: Tensor, dim: int) -> Tensor:
        a, b = pairs.unbind(dim)
        return torch.maximum(a, b).relu_() + torch.minimum(a, b).clamp_(max=0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        (pairs,) = ctx.saved_tensors
        if needs_plain(grad):
            return plain_gradients(lambda pairs: _Extremes.plain(pairs, ctx.dim), [pairs], grad)[0], None
        a, b = pairs.unbind(ctx.dim)
        alike, less = a * b > 0, a.abs() < b.abs()
        out = torch.empty_like(pairs)
        for part, hidden in zip(out.unbind(ctx.dim), (alike & less, alike & ~less), strict=True):
            part.copy_(grad).masked_fill_(hidden, 0)
        return out, None


_extremes: Callable[[Tensor, int], Tensor] = _Extremes.apply


class StripPool(nn.Module):
    r"""The largest entry of 2 x 2 pixels; for sign fields the largest positive plus the smallest negative entry.

    For sign fields this is computed over two rows, then over two columns. The paper takes the entry of largest absolute
    value, which jumps where two entries are opposite. This happens in the middle of a digit that is its own mirror
    image, where rounding errors would decide.

    If always the even columns are kept, halving the length of the strip does not commute with a shift by one pixel. So
    `phase="largest"` keeps the even or the odd columns of each sample, whichever have the larger norm
    (:cite:`chaman2021truly`). A shift by one pixel then changes the choice, and the kept values move with the signal.
    `phase="even"` is the pooling of the paper, equivariant only under shifts by multiples of two.

    Shapes:
        x: `(B, size, H, W)`, H and W even -> `(B, size, H / 2, W / 2)`.
    """

    def __init__(self, field_type: FieldType, *, phase: str = "largest") -> None:
        super().__init__()
        _check_group(field_type)
        if phase not in ("largest", "even"):
            raise ValueError(f"Expected `phase` 'largest' or 'even', got {phase!r}.")
        self.in_type = self.out_type = field_type
        self.phase = phase

    def forward(self, x: Float[Tensor, "batch size across along"]) -> Tensor:
        self.in_type.check(x)
        if x.shape[-1] % 2 or x.shape[-2] % 2:
            raise ValueError(f"Expected an even number of pixels across and along, got {tuple(x.shape[-2:])}.")
        rows = self._largest(x, (2, 1))
        even = self._largest(rows, (1, 2))
        if self.phase == "even":
            return even
        first, others = rows.split([1, rows.shape[-1] - 1], -1)
        odd = self._largest(torch.cat([others, strip_action(first, self.in_type)], -1), (1, 2))
        return torch.where(_norm(odd) > _norm(even), odd, even)

    def _largest(self, x: Tensor, window: tuple[int, int]) -> Tensor:
        parts, extremes = [], _Extremes.plain if torch.compiler.is_compiling() else _extremes
        for b in self.in_type.blocks:
            part = x[:, b.slice]
            if b.representation.permutation:
                parts.append(F.max_pool2d(part, window))
                continue
            axis = -2 if window[0] == 2 else -1
            parts.append(extremes(part.unflatten(axis, (-1, 2)), axis))
        return torch.cat(parts, 1)

    def extra_repr(self) -> str:
        return f"{self.in_type}, phase={self.phase}"


def reflection_kernels(
    rho_in: Representation, rho_out: Representation, size: int
) -> Float[Tensor, "count out in size size"]:
    """Return a basis of the kernels of size x size pixels with K(s v) = rho_out(s) K(v) rho_in(s)^-1.

    Each basis kernel has an entry 1 and, at its mirror image, an entry 1 or -1. The representations must permute
    components up to signs.
    """
    s = rho_in.group.elements()[1]
    out, back = rho_out(s), rho_in(s).mT
    found: dict[tuple[float, ...], Tensor] = {}
    for index in itertools.product(range(rho_out.dim), range(rho_in.dim), range(size), range(size)):
        e = torch.zeros(rho_out.dim, rho_in.dim, size, size, dtype=torch.float64)
        e[index] = 1
        kernel = e + torch.einsum("op,piyx,ij->ojyx", out, e.flip(FLIP), back)
        largest = kernel.abs().max()
        if largest < 1e-9:
            continue
        kernel = kernel / largest
        kernel = kernel * kernel.flatten()[kernel.abs().flatten() > 0.5][0].sign()
        found.setdefault(tuple(kernel.flatten().round().tolist()), kernel)
    if not found:
        return torch.zeros(0, rho_out.dim, rho_in.dim, size, size, dtype=torch.float64)
    return torch.stack(list(found.values()))


def _norm(x: Tensor) -> Tensor:
    """Return |x| of every sample, without a gradient, summed in at least float32."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    return typed_tensor(torch.linalg.vector_norm(x.detach(), dim=(1, 2, 3), keepdim=True, dtype=dtype))


def _check_group(field_type: FieldType) -> None:
    if field_type.group != Reflection():
        raise ValueError(f"Expected fields of the group Reflection() on a Möbius strip, got {field_type.group.name}.")


__all__ = ["StripConv", "StripNonlinearity", "StripPool"]
