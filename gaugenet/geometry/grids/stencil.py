"""Stencil: the neighbourhood that all points of a lattice share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gaugenet._typing import typed_tensor

Boundary = Literal["zeros", "reflect", "periodic"]
"""Values beyond the border of an array: zeros, the mirror image, or the other side."""


class Stencil(ABC):
    """A window of array cells around every point, seen from the point's frame.

    Kernels are sampled on it: array cell `s` of the convolution's weight is `weights[s] K(offsets[s])`. It is immutable
    and hashable, because samples of kernels are cached by stencil.
    """

    window: tuple[int, ...]
    """Number of cells along each array axis; odd, the point itself in the middle."""

    @property
    @abstractmethod
    def offsets(self) -> Float[Tensor, "cells d"]:
        """Logarithmic map of each cell in row-major order, in units of the radius; float64."""

    @property
    @abstractmethod
    def weights(self) -> Float[Tensor, "cells"]:
        """Quadrature weights, float64: cell volume / neighbourhood volume; 0 outside it and at the centre."""

    @property
    def centre(self) -> int:
        """Index of the cell of the point itself."""
        return (math.prod(self.window) - 1) // 2


@dataclass(frozen=True)
class BallStencil(Stencil):
    """The pixels in a ball around a pixel.

    Frame axes: x along the last array axis, y against the second last (up, as rows run downwards), z along the third
    last. So `torch.rot90(image, 1, (a, b))` with a < b is the positive rotation in the plane of the two axes, which is
    counter-clockwise in two dimensions.

    Args:
        window: odd number of pixels along each array axis.
        spacing: distance of the pixels in the window (the grid's spacing times the dilation), along each array axis.
        radius: radius of the ball, a length.
    """

    window: tuple[int, ...]
    spacing: tuple[float, ...]
    radius: float

    @cached_property
    def lengths(self) -> Float[Tensor, "cells d"]:
        """Position of each cell relative to the centre in frame coordinates, as lengths."""
        return frame_coordinates(centred_indices(self.window), self.spacing)

    @cached_property
    def inside(self) -> Bool[Tensor, "cells"]:
        """The neighbours: cells within the radius, without the centre."""
        distance = torch.linalg.vector_norm(self.lengths, dim=-1)
        return typed_tensor((distance <= self.radius * (1 + 1e-9)) & (distance > 0))

    @property
    def offsets(self) -> Float[Tensor, "cells d"]:
        return self.lengths / self.radius

    @property
    def weights(self) -> Float[Tensor, "cells"]:
        return self.inside.double() / (1 + self.inside.sum())


@dataclass(frozen=True)
class Sliding:
    """The way a stencil moves over an array: the options of a convolution in PyTorch.

    Args:
        stencil: the window.
        stride, padding, dilation: as in `torch.nn.Conv2d`, one number for each array axis.
        boundary: values of the padding: `zeros`, `reflect` or `periodic`.
        output_padding: number of additional pixels of a transposed convolution; `None` for one that is not transposed.
    """

    stencil: Stencil
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    boundary: Boundary = "zeros"
    output_padding: tuple[int, ...] | None = None

    @property
    def d(self) -> int:
        """Number of array axes."""
        return len(self.stride)

    def coarse(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the spatial shape after a convolution (not transposed) of an array of spatial shape `shape`."""
        sizes = zip(shape, self.stencil.window, self.stride, self.padding, self.dilation, strict=True)
        return tuple((n + 2 * p - m * (k - 1) - 1) // s + 1 for n, k, s, p, m in sizes)

    def left_out(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the number of pixels at the end of each axis that no window reaches, because of the stride."""
        sizes = zip(shape, self.stencil.window, self.stride, self.padding, self.dilation, strict=True)
        return tuple((n + 2 * p - m * (k - 1) - 1) % s for n, k, s, p, m in sizes)

    def out_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the spatial shape of the result of this convolution."""
        if self.output_padding is None:
            return self.coarse(shape)
        return tuple(n + p for n, p in zip(self.fine(shape), self.output_padding, strict=True))

    def fine(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the spatial shape after a transposed convolution without output padding."""
        sizes = zip(shape, self.stencil.window, self.stride, self.padding, self.dilation, strict=True)
        return tuple((n - 1) * s - 2 * p + m * (k - 1) + 1 for n, k, s, p, m in sizes)


def centred_indices(shape: Sequence[int]) -> Float[Tensor, "points d"]:
    """Return the array indices in row-major order, relative to the middle of the array."""
    axes = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)


def frame_coordinates(index: Float[Tensor, "points d"], spacing: Sequence[float]) -> Float[Tensor, "points d"]:
    """Return (x, y, z) of indices along (..., rows, columns): the order is reversed, and y runs against the rows."""
    coordinates = (index * index.new_tensor(spacing)).flip(-1)
    if coordinates.shape[-1] > 1:
        coordinates[:, 1] = -coordinates[:, 1]
    return coordinates + 0.0  # no negative zeros


def mirror(axis: int, d: int) -> Float[Tensor, "d d"]:
    """Return the reflection of space that reverses an array axis, in frame coordinates."""
    g = torch.eye(d, dtype=torch.float64)
    g[d - 1 - axis, d - 1 - axis] = -1
    return g
