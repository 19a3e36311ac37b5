"""GridConv: the convolution with its window, for images and volumes: `nn.Sequential` can hold it."""

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
"""As `torch.nn.Conv2d` calls the boundaries."""


class GridConv(GaugeConv):
    r"""A `GaugeConv` that knows its window of pixels, and so needs no domain: the equivariant `Conv2d`.

    Example::

        group = Cyclic(8)
        image, hidden = FieldType(group, "3x0"), FieldType(group, "16xregular")
        network = nn.Sequential(GridConv(image, hidden, kernel_size=5), PointwiseNonlinearity(hidden))

    Same weights and `state_dict` as `GaugeConv` with the same `rings` and `max_frequency`, which runs on any other
    space; called as `conv(x, domain)` it is one.

    Shapes:
        x: `(B, in_type.size, *spatial)` -> `(B, out_type.size, *out)`, with sizes as those of `torch.nn.Conv2d`.

    Equivariance: exact under translations (by the stride) and under the rotations and reflections of the pixels that
    lie in the group, for even and odd sizes. Other rotations hold up to sampling.

    With a stride the results lie symmetrically about the middle of each axis. Where the stride does not divide the way
    of the window, the pixels that are left over are shared between both ends. With stride 2 and an even size that is
    one pixel: results lie half way between two pixels, of which the layer sees the mean. The trivial group has no
    symmetry to keep, so its layers leave out the last pixels, as `torch.nn.Conv2d` does.

    Args:
        in_type, out_type: field types of one group acting on R^1, R^2 or R^3.
        kernel_size: odd, one number or one for each array axis.
        stride, dilation: as in `torch.nn.Conv2d`.
        padding: as in `torch.nn.Conv2d`; default: half the window, which keeps the shape.
        boundary: what the padding holds, `zeros`, `reflect` or `periodic`, see `Grid`.
        spacing: distance of the pixels. Matters only if the same weights are used elsewhere, or if it differs
            between the axes.
        radius: of the ball of neighbours in the window, see `Grid`.
        kernel: the family of kernels, see `GaugeConv`.
        rings, max_frequency: radial functions of the kernel and angular band limit. Default: `band_limit(kernel_size)`,
            Gaussian rings at 1, 2, ... pixels, each with the frequencies that its pixels can hold: a higher one is
            sampled as a different function in every orientation, and the layer is equivariant on paper only. For
            windows that are no cubes: linear rings, and the default of `HarmonicSpace`.
        options: of `GaugeConv`.

    Raises:
        ValueError: as `GaugeConv` and `Grid`.
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
        if self.sliding.boundary != "zeros":
            check_padding(x.shape[2:], self.sliding.padding, self.sliding.boundary)
        if forced():
            return super().forward(x, self.grid(x.shape[2:]))
        return grid_engine.slide(self, x, self.sliding)

    def grid(self, shape: Sequence[int]) -> Grid:
        """The domain that the layer runs on: pixels of spatial shape `shape` with its window."""
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
        """The same as a convolution of `torch.nn`; channel groups become one dense kernel."""
        s = self.sliding
        mirrored = s.boundary == "reflect" and not self.in_type.is_invariant
        if mirrored or not type(self).forward == GridConv.forward:
            raise NotImplementedError("No layer of torch.nn does this.")
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
    """Rings and band limits for a window."""
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
    r"""The way back from a strided grid to the finer one: the equivariant `ConvTranspose2d`.

    out(p) = sum over coarse pixels q in the window of w_q K(log_p q) x(q): the same kernels, whose sources are the
    coarse pixels. Each point of the output sees only those cells of its window that hold one.

    Shapes:
        x: `(B, in_type.size, *spatial)` -> `(B, out_type.size, *out)`, with sizes as those of
        `torch.nn.ConvTranspose2d`: for stride s and the default padding `(n - 1) s + 1 + output_padding`.

    Equivariance: as `GridConv`; an output padding breaks the symmetry.

    Args:
        stride: ratio of the spacings.
        output_padding: as in `torch.nn.ConvTranspose2d`: that many more pixels at the end of each axis.
        options: of `GridConv`; the boundary is `zeros`, the window is that of the finer grid.
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
            raise ValueError(f"A transposed convolution has boundary='zeros', got {s.boundary!r}.")
        added = counts("output_padding", output_padding, s.d, least=0)
        self.sliding = Sliding(s.stencil, s.stride, s.padding, s.dilation, output_padding=added)


__all__ = ["GridConv", "GridConvTranspose"]
