"""GridConv: a convolution on images and volumes that needs no domain, for use in `nn.Sequential`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.domain import Domain
from gaugenet.geometry.grids.grid import Grid, check_boundary, check_padding, counts, half_widths
from gaugenet.geometry.grids.stencil import BallStencil, Boundary, Sliding
from gaugenet.groups import FieldType
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.kernels import KernelFamily
from gaugenet.kernels._band_limit import band_limit
from gaugenet.kernels.radial import RadialBasis
from gaugenet.nn.channel_groups import dense
from gaugenet.nn.conv import GaugeConv
from gaugenet.nn.engines import forced
from gaugenet.nn.engines import grid as grid_engine
from gaugenet.nn.precision import check_dtype

Counts = int | Sequence[int]
_PADDING_MODES = {"zeros": "zeros", "periodic": "circular", "reflect": "reflect"}
"""The names of the boundaries in `torch.nn.Conv2d`."""


class GridConv(GaugeConv):
    r"""The equivariant `Conv2d`: a `GaugeConv` with a fixed window of pixels, which needs no domain.

    On the plane it is the steerable convolution of :cite:`weiler2019general`. It has the weights and the `state_dict`
    of a `GaugeConv` with the same `rings` and `max_frequency`, which runs on any other space. Called as
    `conv(x, domain)` it computes that `GaugeConv`.

    Shapes:
        x: `(B, in_type.size, *spatial)` -> `(B, out_type.size, *out)`, with sizes as those of `torch.nn.Conv2d`.

    Equivariance: exact under translations (by the stride) and under the rotations and reflections of the pixels that
    lie in the group, for even and odd sizes. Other rotations hold up to sampling.

    With a stride, the outputs lie symmetrically about the middle of each axis. If the window does not reach all pixels,
    those left over are shared between both ends. With stride 2 and an even size, one pixel is left over: the outputs
    lie half way between two pixels, and the layer sees the mean of the two. The trivial group has no symmetry to keep:
    its layers leave out the last pixels, as `torch.nn.Conv2d` does.

    Args:
        in_type, out_type: field types of one group acting on R^1, R^2 or R^3.
        kernel_size: odd size of the window in pixels, one number or one for each array axis.
        stride, dilation: as in `torch.nn.Conv2d`.
        padding: as in `torch.nn.Conv2d`; default: half the window, which keeps the shape.
        boundary: values of the padding, `zeros`, `reflect` or `periodic`, see `Grid`.
        spacing: distance of the pixels. It matters only if the weights are used on another space, or if it differs
            between the axes.
        radius: radius of the ball of neighbours in the window, see `Grid`.
        kernel: the family of kernels, see `GaugeConv`.
        rings, max_frequency: radial functions of the kernel and angular band limit. Default: `band_limit(kernel_size)`,
            Gaussian rings at 1, 2, ... pixels, each with the frequencies that its pixels can represent. A higher
            frequency is sampled as a different function in every orientation, so the layer would not be equivariant
            in practice. For windows that are not cubes: linear rings, and the default of `HarmonicSpace`.
        options: options of `GaugeConv`.

    Raises:
        ValueError: If an option is not valid, see `GaugeConv` and `Grid`.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import GridConv, PointwiseNonlinearity
        >>> image, hidden = FieldType(Cyclic(8), "3x0"), FieldType(Cyclic(8), "4xregular")
        >>> layers = torch.nn.Sequential(GridConv(image, hidden, kernel_size=5), PointwiseNonlinearity(hidden))
        >>> layers(torch.rand(2, 3, 28, 28)).shape
        torch.Size([2, 32, 28, 28])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: Counts,
        *,
        stride: Counts = 1,
        padding: Counts | None = None,
        dilation: Counts = 1,
        boundary: Boundary = "zeros",
        spacing: float | Sequence[float] = 1.0,
        radius: float | None = None,
        kernel: KernelFamily | None = None,
        rings: int | RadialBasis | None = None,
        max_frequency: int | Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        need_one_group(in_type, out_type)
        d = in_type.group.d
        check_boundary(boundary)
        example = Grid((1,) * d, spacing=spacing, kernel_size=kernel_size, radius=radius, dilation=dilation)
        size = example.kernel_size
        if kernel is None and rings is None:
            rings, limits = _default_rings(example)
            max_frequency = limits if max_frequency is None else max_frequency
        super().__init__(in_type, out_type, kernel=kernel, rings=rings, max_frequency=max_frequency, **options)
        self.sliding = Sliding(
            example.stencil,
            counts("stride", stride, d),
            half_widths(size, example.dilation) if padding is None else counts("padding", padding, d, least=0),
            example.dilation,
            boundary,
        )
        grid_engine.check_mirrors(in_type, boundary)

    def forward(  # type: ignore[override]  # pixels have no attributes
        self, x: Float[Tensor, "batch in *spatial"], domain: Domain | None = None
    ) -> Float[Tensor, "batch out *out"]:
        if domain is not None:
            return super().forward(x, domain)
        if x.dim() != self.sliding.d + 2:
            raise ValueError(
                f"Expected `x` of shape (batch, {self.in_type.size}, *spatial) with {self.sliding.d} spatial "
                f"dimensions, got {tuple(x.shape)}."
            )
        self.in_type.check(x)
        check_dtype(x, self.weight)
        if self.sliding.output_padding is None and min(self.sliding.coarse(x.shape[2:])) < 1:
            raise ValueError(
                f"Expected `x` with at least the pixels of the window {self.sliding.stencil.window} (dilation "
                f"{self.sliding.dilation}, padding {self.sliding.padding}), got {tuple(x.shape[2:])}: use larger "
                "images, fewer poolings or more padding."
            )
        if self.sliding.boundary != "zeros":
            check_padding(x.shape[2:], self.sliding.padding, self.sliding.boundary)
        if forced():
            return super().forward(x, self.grid(x.shape[2:]))
        return grid_engine.slide(self, x, self.sliding)

    def grid(self, shape: Sequence[int]) -> Grid:
        """Return the domain of the layer: pixels of spatial shape `shape` with its window."""
        s, ball = self.sliding, cast(BallStencil, self.sliding.stencil)
        return Grid(
            shape if s.output_padding is None else s.out_shape(shape),
            tuple(h / n for h, n in zip(ball.spacing, s.dilation, strict=True)),
            s.boundary,
            kernel_size=ball.window,
            radius=ball.radius,
            dilation=s.dilation,
            stride=s.stride,
            padding=s.padding,
            transposed=s.output_padding is not None,
        )

    def to_torch(self, x: Tensor) -> nn.Module:
        """Return the equal convolution of `torch.nn`; channel groups become one dense kernel."""
        s = self.sliding
        mirrored = s.boundary == "reflect" and not self.in_type.is_invariant
        if mirrored or not type(self).forward == GridConv.forward:
            raise NotImplementedError("No layer of torch.nn equals this convolution.")
        kernel, bias = self.sampled(s.stencil)
        kernel = dense(kernel, self.in_type, self.out_type, self.groups)
        left_out = grid_engine.pixels_left_out(self.in_type, s, x.shape[2:])
        if any(left_out):
            kernel, s = grid_engine.of_centred(kernel, s, left_out)
        transposed = s.output_padding is not None
        name = f"ConvTranspose{s.d}d" if transposed else f"Conv{s.d}d"
        options: dict[str, Any] = {"stride": s.stride, "padding": s.padding, "dilation": s.dilation}
        options |= {"output_padding": s.output_padding} if transposed else {"padding_mode": _PADDING_MODES[s.boundary]}
        options |= {"bias": bias is not None, "device": "meta"}
        plain: nn.Module = getattr(nn, name)(self.in_type.size, self.out_type.size, kernel.shape[2:], **options)
        weight = grid_engine.transposed_kernel(kernel, s, 1) if transposed else kernel
        plain.weight = nn.Parameter(weight.detach().clone())
        if bias is not None:
            plain.bias = nn.Parameter(bias.detach().clone())
        return plain

    def extra_repr(self) -> str:
        s = self.sliding
        return (
            f"{super().extra_repr()}, window={s.stencil.window}, stride={s.stride}, padding={s.padding}"
            + (f", dilation={s.dilation}" if max(s.dilation) > 1 else "")
            + (f", boundary={s.boundary}" if s.boundary != "zeros" else "")
        )


def _default_rings(grid: Grid) -> tuple[int | RadialBasis, Sequence[int] | None]:
    """Return the rings and band limits for a window."""
    size, step = grid.kernel_size, grid.stencil.spacing
    if min(size) < 3:
        raise ValueError(
            f"Expected `kernel_size` of at least 3, got {size}: a window of one pixel has no neighbours, use "
            "`EquivariantLinear`."
        )
    if len(set(size)) > 1 or len(set(step)) > 1 or not math.isclose(grid.radius, size[0] * step[0] / 2):
        return max(size) // 2, None
    limit = band_limit(size[0])
    return limit.rings, limit.max_frequency


class GridConvTranspose(GridConv):
    r"""The equivariant `ConvTranspose2d`: from a strided grid to the finer grid.

    out(p) = sum over coarse pixels q in the window of w_q K(log_p q) x(q): the same kernels, with the coarse pixels as
    sources. Each point of the output depends only on the cells of its window that contain a coarse pixel.

    Shapes:
        x: `(B, in_type.size, *spatial)` -> `(B, out_type.size, *out)`, with sizes as those of
        `torch.nn.ConvTranspose2d`: for stride s and the default padding `(n - 1) s + 1 + output_padding`.

    Equivariance: as `GridConv`, also with an output padding: its pixels are shared between both ends of each axis. If
    their number is odd, the coarse pixels lie half way between two pixels of the output, and both are averaged.

    Args:
        stride: ratio of the spacings.
        output_padding: number of additional pixels on each axis, as in `torch.nn.ConvTranspose2d`, where they are at
            the end, as here for the trivial group.
        options: options of `GridConv`; the boundary is `zeros`, the window is on the finer grid.

    Raises:
        ValueError: If an option is not valid, or the boundary is not `zeros`.

    Example:
        >>> import torch
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.nn import GridConvTranspose
        >>> hidden = FieldType(Cyclic(4), "2xregular")
        >>> GridConvTranspose(hidden, hidden, kernel_size=3)(torch.rand(1, 8, 7, 7)).shape
        torch.Size([1, 8, 13, 13])
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: Counts,
        *,
        stride: Counts = 2,
        output_padding: Counts = 0,
        **options: Any,
    ) -> None:
        super().__init__(in_type, out_type, kernel_size, stride=stride, **options)
        s = self.sliding
        if s.boundary != "zeros":
            raise ValueError(f"Expected boundary='zeros' for a transposed convolution, got {s.boundary!r}.")
        added = counts("output_padding", output_padding, s.d, least=0)
        self.sliding = Sliding(s.stencil, s.stride, s.padding, s.dilation, output_padding=added)


__all__ = ["GridConv", "GridConvTranspose"]
