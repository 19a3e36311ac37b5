"""GridPool: fields on a coarser grid without aliasing, with the symmetry of the pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._transforms import is_wrapped
from gaugenet._validation import positive
from gaugenet.geometry.grids.grid import Counts, check_boundary, counts
from gaugenet.geometry.grids.stencil import Boundary
from gaugenet.groups import FieldType
from gaugenet.nn.precision import check_features
from gaugenet.nn.tables import TableModule

MATRIX_PIXELS = 64
"""Longest axis along which means are computed by a matrix."""

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_MAXIMA = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


class GridPool(TableModule):
    r"""The mean under a Gaussian at every `stride`-th pixel, after a maximum over windows of 3 if `kind="max"`.

    Taking every second pixel, or the maximum in blocks, aliases: a shift by one pixel changes the result completely
    (:cite:`zhang2019making`). It also breaks rotations where the kept pixels do not lie symmetrically. Here they always
    do: on an axis of n pixels, `ceil(n / stride)` points with spacing `stride` are placed symmetrically about its
    middle, on pixels or half way between two. The Gaussian is centred at these points. Beyond the border the outermost
    pixels are repeated, so that constants stay constant.

    For fields that the group permutes the maximum is taken in each channel, for others it is the vector of largest
    norm.

    Shapes:
        x: `(B, field_type.size, *spatial)` -> the same with `ceil(n / stride)` pixels an axis.

    Equivariance: exact under the rotations and reflections of the pixels, for even and odd sizes. With `kind="max"`
    the choice between two vectors of equal norm is arbitrary.

    Args:
        stride: ratio of the spacings, one number or one for each array axis.
        kind: `mean` or `max`.
        sigma: width of the Gaussian in pixels; default 0.33 stride. At stride 2, waves of length two pixels keep 12 %
            of their amplitude, and the shortest waves on the coarser grid keep 58 %.
        boundary: `zeros` and `reflect` repeat the outermost pixels, `periodic` continues at the other side.

    Raises:
        ValueError: If a stride is not a positive integer, or `kind` or `boundary` is unknown.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import GridPool
        >>> GridPool(FieldType(Cyclic(4), "1xregular"))(torch.rand(1, 4, 9, 8)).shape
        torch.Size([1, 4, 5, 4])
    """

    def __init__(
        self,
        field_type: FieldType,
        stride: Counts = 2,
        *,
        kind: Literal["mean", "max"] = "mean",
        sigma: float | None = None,
        boundary: Boundary = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_boundary(boundary)
        if kind not in ("mean", "max"):
            raise ValueError(f"Expected `kind` to be 'mean' or 'max', got {kind!r}.")
        if sigma is not None and not (math.isfinite(sigma) and sigma > 0):
            raise ValueError(f"Expected a positive `sigma`, got {sigma}.")
        self.in_type = self.out_type = field_type
        self.stride = counts("stride", stride, field_type.group.d)
        self.kind, self.boundary = kind, boundary
        self.maximum = _Maximum(field_type, boundary) if kind == "max" else None
        self.sigma = tuple(0.33 * s if sigma is None else float(sigma) for s in self.stride)
        for axis, width in enumerate(self.sigma):
            for shift in (0, 1):  # on a pixel, and half way between two
                self.add_table(f"_taps_{axis}_{shift}", _gaussian(width, shift), device=device, dtype=dtype)

    def forward(self, x: Float[Tensor, "batch size *fine"]) -> Float[Tensor, "batch size *coarse"]:
        check_features(self, x)
        if x.dim() != len(self.stride) + 2:
            raise ValueError(f"Expected `x` with {len(self.stride)} spatial dimensions, got shape {tuple(x.shape)}.")
        return self.blur(x if self.maximum is None else self.maximum(x))

    def blur(self, x: Tensor) -> Tensor:
        """Return Gaussian means at the coarse points, by a matrix for each axis or a depthwise convolution."""
        if max(x.shape[2:]) <= MATRIX_PIXELS:
            return self._product(x)
        padding, weight = self.window(x.shape[2:])
        if self._laps(padding, x.shape[2:]):
            return self._product(x)
        padded = F.pad(x, [p for pair in reversed(padding) for p in pair], mode=self.padding_mode)
        weight = weight.to(x.dtype).expand(x.shape[1], *weight.shape[1:])
        return _CONVOLUTIONS[len(self.stride)](padded, weight, None, self.stride, 0, 1, x.shape[1])

    def _laps(self, padding: Sequence[tuple[int, int]], shape: Sequence[int]) -> bool:
        """Return whether the window reaches more than once around a periodic axis, which padding cannot do."""
        return self.boundary == "periodic" and any(
            half_width > n for (half_width, _), n in zip(padding, shape, strict=True)
        )

    def _product(self, x: Tensor) -> Tensor:
        plain = x.dim() == 4 and (
            torch.compiler.is_compiling() or not is_wrapped(x)
        )  # `vmap` does not know the memory format of its tensors
        last = plain and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        y, first = (x.movedim(1, -1), 1) if last else (x, 2)
        for axis, n in enumerate(x.shape[2:]):
            matrix, dim = self._matrix(axis, n).to(x.dtype), first + axis
            rest = y.shape[dim + 1 :]
            y = y @ matrix.T if not rest else (matrix @ y.flatten(dim + 1)).unflatten(dim + 1, rest)
        return y.movedim(-1, 1) if last else y

    def _matrix(self, axis: int, n: int) -> Float[Tensor, "coarse fine"]:
        """Return the matrix of means along an axis of n pixels: faster than convolution up to about 100 pixels."""
        (half_width, _), taps = self._axis(axis, n)
        s = self.stride[axis]
        count = (n - 1) // s + 1
        at = (
            torch.arange(count, device=taps.device)[:, None] * s
            + torch.arange(len(taps), device=taps.device)
            - half_width
        )
        at = at % n if self.boundary == "periodic" else at.clamp(0, n - 1)
        return taps.new_zeros(count, n).scatter_add(1, at, taps.expand(count, -1))

    @property
    def padding_mode(self) -> str:
        """The name of the boundary in `torch.nn.Conv2d`."""
        return "circular" if self.boundary == "periodic" else "replicate"

    def window(self, shape: Sequence[int]) -> tuple[list[tuple[int, int]], Float[Tensor, "1 1 *window"]]:
        """Return the padding of each axis for arrays of spatial shape `shape`, and the weights of the Gaussian."""
        padding, taps = zip(*(self._axis(axis, n) for axis, n in enumerate(shape)), strict=True)
        return list(padding), reduce(lambda a, b: a[..., None] * b, taps)[None, None]

    def _axis(self, axis: int, n: int) -> tuple[tuple[int, int], Float[Tensor, "taps"]]:
        s = self.stride[axis]
        doubled = (n - 1) - ((n - 1) // s) * s  # twice the distance from the first pixel to the first point
        values = getattr(self, f"_taps_{axis}_{doubled % 2}")
        half_width = (len(values) - 1 - doubled) // 2
        return (half_width, half_width), values

    def to_torch(self, x: Tensor) -> nn.Module:
        """Return the same for arrays of the shape of `x`, made of layers of `torch.nn`."""
        d, size = len(self.stride), self.in_type.size
        padding, weight = self.window(x.shape[2:])
        if self._laps(padding, x.shape[2:]):
            raise ValueError(
                f"The window reaches around the {tuple(x.shape[2:])} pixels more than once, which no layer of torch.nn "
                "does: export with a smaller `sigma` or larger images."
            )
        convolution = getattr(nn, f"Conv{d}d")(
            size,
            size,
            weight.shape[2:],
            self.stride,
            tuple(p for p, _ in padding),
            groups=size,
            bias=False,
            padding_mode=self.padding_mode,
        )
        convolution.weight = nn.Parameter(weight.detach().repeat(size, 1, *[1] * d), requires_grad=False)
        return convolution if self.maximum is None else nn.Sequential(self.maximum, convolution)

    def extra_repr(self) -> str:
        return f"{self.in_type}, stride={self.stride}, kind={self.kind}, sigma={self.sigma}" + (
            ", boundary=periodic" if self.boundary == "periodic" else ""
        )


class _Maximum(nn.Module):
    """The largest field in every window of 3 pixels."""

    def __init__(self, field_type: FieldType, boundary: Boundary) -> None:
        super().__init__()
        self.field_type, self.periodic = field_type, boundary == "periodic"

    def forward(self, x: Float[Tensor, "batch size *spatial"]) -> Float[Tensor, "batch size *spatial"]:
        d, padding = x.dim() - 2, 1
        if self.periodic:
            x, padding = F.pad(x, [1] * (2 * d), mode="circular"), 0
        parts = []
        for b in self.field_type.blocks:
            v = b.split(x)
            if b.representation.permutation:
                parts.append(_MAXIMA[d](v.flatten(1, 2), 3, 1, padding))
                continue
            _, index = _MAXIMA[d](v.square().sum(1), 3, 1, padding, return_indices=True)
            chosen = v.flatten(3).gather(3, index.flatten(2)[:, None].expand(-1, v.shape[1], -1, -1))
            parts.append(chosen.unflatten(3, index.shape[2:]).flatten(1, 2))
        return torch.cat(parts, 1) if parts else x


def _gaussian(sigma: float, shift: int) -> Float[Tensor, "taps"]:
    """Return Gaussian weights of sum 1 of the pixels around a point on a pixel (`shift` 0) or between two (1)."""
    half_width = positive("half_width", math.ceil(3 * sigma))
    at = torch.arange(2 * half_width + 1 + shift, dtype=torch.float64) - half_width - shift / 2
    values = torch.exp(-0.5 * (at / sigma).square())
    return values / values.sum()


__all__ = ["GridPool"]
