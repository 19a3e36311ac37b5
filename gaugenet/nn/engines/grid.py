"""The `grid` engine: one ordinary convolution with the kernel sampled on the stencil."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.geometry.domain import Domain
from gaugenet.geometry.grids.grid import Grid, has_mirrors
from gaugenet.geometry.grids.stencil import Sliding, mirror
from gaugenet.groups import FieldType
from gaugenet.kernels.attributes import NO_ATTRIBUTES, Attributes
from gaugenet.nn.channel_groups import grouped_order
from gaugenet.nn.engines import grid_factors
from gaugenet.nn.engines.conv4d import conv4d, wrapped
from gaugenet.nn.engines.protocol import Convolution, Engine, need_no_attributes, no_levels
from gaugenet.nn.engines.sampled import trained_in_low_precision
from gaugenet.nn.tables import along_channels

_CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d, 4: conv4d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


class GridEngine(Engine[Grid]):
    """The engine of grids: the whole convolution, K_self and bias included, is one convolution of PyTorch's."""

    def check(self, field_type: FieldType, x: Tensor, domain: Grid) -> None:
        if x.dim() != domain.d + 2 or tuple(x.shape[2:]) != domain.in_shape:
            raise ValueError(
                f"Expected `x` of shape (batch, {field_type.size}, {', '.join(map(str, domain.in_shape))}), "
                f"got {tuple(x.shape)}."
            )
        if torch.compiler.is_compiling():
            return  # Dynamo cannot trace groups
        field_type.group.check_subgroup(domain.group)
        domain.check_metric(field_type.group)
        check_mirrors(field_type, domain.boundary)

    def convolve(
        self, convolution: Convolution, x: Tensor, domain: Grid, attributes: Attributes = NO_ATTRIBUTES
    ) -> Tensor:
        need_no_attributes(attributes, domain)
        return slide(convolution, x, domain.sliding)

    def on_edges(self, engine: Engine[Domain]) -> Engine[Grid]:
        return GridOnEdges(engine)

    def pool(self, field_type: FieldType, x: Tensor, domain: Grid, level: int) -> Tensor:
        raise no_levels(domain)

    def unpool(self, field_type: FieldType, x: Tensor, domain: Grid, level: int) -> Tensor:
        raise no_levels(domain)


class GridOnEdges(GridEngine):
    """An engine of graphs on the gauge graph of the grid, image by image."""

    def __init__(self, engine: Engine[Domain]) -> None:
        self.engine = engine

    def convolve(
        self, convolution: Convolution, x: Tensor, domain: Grid, attributes: Attributes = NO_ATTRIBUTES
    ) -> Tensor:
        need_no_attributes(attributes, domain)
        if max(domain.stride) > 1 or domain.transposed or domain.sliding.coarse(domain.shape) != domain.shape:
            raise ValueError(
                "Expected a grid without strides and with the default padding for an engine of graphs, which gives one "
                f"result for each pixel, got {domain}: do not use `use_engine`, or pass a graph of your own."
            )
        graph = domain.gauge_graph(dtype=torch.float64 if x.dtype == torch.float64 else torch.float32).to(x.device)
        images = [self.engine.convolve(convolution, image.flatten(1).T, graph).T for image in x]
        return torch.stack(images).unflatten(2, domain.shape) if images else slide(convolution, x, domain.sliding)


def slide(
    layer: Convolution, x: Float[Tensor, "batch in *spatial"], sliding: Sliding
) -> Float[Tensor, "batch out *out_spatial"]:
    """Return the layer with its stencil sliding over an array of any size."""
    if grid_factors.pays(layer, x, sliding):
        return grid_factors.slide_factorized(layer, *_padded(layer.in_type, x, sliding))
    kernel, bias = trained_in_low_precision(layer, sliding.stencil) or layer.sampled(sliding.stencil)
    if not kernel.numel():  # PyTorch has no convolutions from or to nothing
        zeros = x.new_zeros(x.shape[0], layer.out_type.size, *sliding.out_shape(x.shape[2:])) + 0 * x.sum()
        return zeros if bias is None else zeros + along_channels(bias, zeros)
    left_out = pixels_left_out(layer.in_type, sliding, x.shape[2:])
    if any(left_out) and sliding.output_padding is not None:
        uncut = replace(sliding, padding=(0,) * sliding.d, output_padding=(0,) * sliding.d)
        y = _in_groups(layer, x, kernel, None, uncut)
        y = _cut_centred(y, sliding.padding, left_out)
        return y if bias is None else y + along_channels(bias, y)
    if sliding.boundary != "zeros" or any(left_out):
        x, sliding = _padded(layer.in_type, x, sliding)
    return _in_groups(layer, x, kernel, bias, sliding)


def _in_groups(layer: Convolution, x: Tensor, kernel: Tensor, bias: Tensor | None, sliding: Sliding) -> Tensor:
    """Return the convolution by PyTorch, which needs the channels of a group next to each other."""
    if layer.groups == 1:
        return _convolution(x, kernel, bias, sliding, 1)
    order = grouped_order(layer.out_type, layer.groups).to(x.device)
    y = _convolution(
        x[:, grouped_order(layer.in_type, layer.groups).to(x.device)],
        kernel,
        None if bias is None else bias[order],
        sliding,
        layer.groups,
    )
    return y[:, order.argsort()]


def _padded(field_type: FieldType, x: Tensor, sliding: Sliding) -> tuple[Tensor, Sliding]:
    """Return the field continued beyond its border, without the pixels that no window reaches, and the rest to do."""
    left_out = pixels_left_out(field_type, sliding, x.shape[2:])
    if sliding.boundary != "zeros":
        x = pad(x, field_type, sliding.padding, sliding.boundary)
    elif any(sliding.padding):
        x = F.pad(x, [n for p in reversed(sliding.padding) for n in (p, p)])
    return _centred(x, left_out), replace(sliding, padding=(0,) * sliding.d, boundary="zeros")


def _centred(x: Tensor, left_out: Sequence[int]) -> Tensor:
    """Return padded features without the pixels that no window reaches, half of them at each end of an axis.

    So the outputs of a strided layer are placed symmetrically, and rotations and reflections of the box map them to
    each other. If the number of these pixels is odd, neighbouring pixels are averaged, and the outputs lie half way
    between two pixels.
    """
    for dim, n in enumerate(left_out, start=2):
        if n % 2:
            x = (x.narrow(dim, 0, x.shape[dim] - 1) + x.narrow(dim, 1, x.shape[dim] - 1)) / 2
        if n > 1:
            x = x.narrow(dim, n // 2, x.shape[dim] - 2 * (n // 2))
    return x


def _cut_centred(y: Tensor, padding: Sequence[int], added: Sequence[int]) -> Tensor:
    """Return a transposed convolution without its border: the transpose of padding and of `_centred`.

    The pixels that an output padding adds are shared between both ends of an axis. If their number is odd, the two ways
    to do so are averaged.
    """
    for dim, (p, n) in enumerate(zip(padding, added, strict=True), start=2):
        around = [0] * (2 * (y.dim() - dim - 1))
        first, last = n // 2 - p, n - n // 2 - p
        shifted = F.pad(y, [*around, first, last])
        y = shifted if first == last else (shifted + F.pad(y, [*around, last, first])) / 2
    return y


def of_centred(kernel: Tensor, sliding: Sliding, left_out: Sequence[int]) -> tuple[Tensor, Sliding]:
    """Return the kernel and the sliding of the ordinary convolution that includes `_centred` or `_cut_centred`.

    Raises:
        NotImplementedError: If no convolution of `torch.nn` does.
    """
    padding = tuple(p - n // 2 for p, n in zip(sliding.padding, left_out, strict=True))
    if max(sliding.dilation) > 1 or min(padding) < 0:
        raise NotImplementedError("No layer of torch.nn equals this strided convolution.")
    for dim, n in enumerate(left_out, start=2):
        if n % 2:
            around = [0] * (2 * (kernel.dim() - dim - 1))
            kernel = (F.pad(kernel, [*around, 0, 1]) + F.pad(kernel, [*around, 1, 0])) / 2
    return kernel, replace(sliding, padding=padding, output_padding=sliding.output_padding and (0,) * sliding.d)


def pixels_left_out(field_type: FieldType, sliding: Sliding, shape: Sequence[int]) -> tuple[int, ...]:
    """Return how many pixels `_centred` removes, or `_cut_centred` adds, on each axis.

    None without a symmetry to keep, and none without a stride, but for an output padding.
    """
    if field_type.group.order == 1:
        return (0,) * sliding.d
    if sliding.output_padding is not None:
        return sliding.output_padding
    if max(sliding.stride) == 1:
        return (0,) * sliding.d
    return sliding.left_out(shape)


def _convolution(x: Tensor, kernel: Tensor, bias: Tensor | None, sliding: Sliding, groups: int) -> Tensor:
    if sliding.output_padding is None:
        padding = sliding.padding if sliding.boundary == "zeros" else 0
        if groups == 1 and not any(sliding.padding) and _has_few_pixels(x, kernel, sliding):
            return _as_product(x, kernel, bias, sliding.stride)
        return _CONVOLUTIONS[sliding.d](x, kernel, bias, sliding.stride, padding, sliding.dilation, groups)
    flipped = transposed_kernel(kernel, sliding, groups)
    options = (sliding.stride, sliding.padding, sliding.output_padding, groups, sliding.dilation)
    return _TRANSPOSED[sliding.d](x, flipped, bias, *options)


def _has_few_pixels(x: Tensor, kernel: Tensor, sliding: Sliding) -> bool:
    """Return whether a wide layer has fewer outputs than cells in its window: then `conv` is up to ten times slower."""
    if torch.compiler.is_compiling() or x.device.type != "cpu" or sliding.d != 2:
        return False
    few_pixels = math.prod(sliding.coarse(x.shape[2:])) <= math.prod(sliding.stencil.window)
    return few_pixels and max(sliding.dilation) == 1 and kernel[:, :, 0, 0].numel() >= 2**16


def _as_product(x: Tensor, kernel: Tensor, bias: Tensor | None, stride: tuple[int, ...]) -> Tensor:
    """Return the convolution as one matrix product with the windows of all outputs; channels last."""
    windows = x.unfold(2, kernel.shape[2], stride[0]).unfold(3, kernel.shape[3], stride[1]).permute(0, 2, 3, 4, 5, 1)
    matrix = kernel.permute(0, 2, 3, 1).flatten(1)
    return F.linear(windows.flatten(3), matrix, bias).permute(0, 3, 1, 2)


def transposed_kernel(kernel: Tensor, sliding: Sliding, groups: int) -> Tensor:
    """Return the kernel as seen from the target: flipped, since PyTorch's transposed convolution scatters sources.

    A target reads one in prod(stride) cells of its window, so the kernel is multiplied by prod(stride).
    """
    spatial = tuple(range(2, kernel.dim()))
    by_part = kernel.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    return typed_tensor(math.prod(sliding.stride) * by_part.flip(spatial))


def pad(x: Tensor, field_type: FieldType, padding: tuple[int, ...], boundary: str) -> Tensor:
    """Continue a field beyond the border of its box, by `reflect` or `periodic`."""
    if boundary == "periodic":
        if len(padding) > 3:
            return wrapped(x, padding)
        return F.pad(x, [n for p in reversed(padding) for n in (p, p)], mode="circular")
    for axis, n in enumerate(padding):
        x = _reflect(x, field_type, axis, n)
    return x


def _reflect(x: Tensor, field_type: FieldType, axis: int, n: int) -> Tensor:
    """Continue a field by its mirror image at both ends of an axis: x(s p) = rho(s) x(p)."""
    dim, size = axis + 2, x.shape[axis + 2]
    before, after = x.narrow(dim, 1, n).flip(dim), x.narrow(dim, size - 1 - n, n).flip(dim)
    if not field_type.is_invariant:
        s = mirror(axis, x.dim() - 2).to(x)
        before, after = field_type.transform(s, before), field_type.transform(s, after)
    return torch.cat([before, x, after], dim)


def check_mirrors(field_type: FieldType, boundary: str) -> None:
    """Raise `ValueError` if the boundary reflects fields and the group does not contain these reflections."""
    group = field_type.group
    if boundary == "reflect" and not field_type.is_invariant and not has_mirrors(group):
        raise ValueError(
            f"Fields of type {field_type} have no mirror image: the reflections of the axes do not lie in "
            f"{group.name}. Use boundary='zeros' or 'periodic', a group with these reflections, or scalars."
        )
