"""LatLonUNet: a plain U-Net on a latitude-longitude grid, the baseline for networks on the sphere."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.domain import Domain


class LatLonUNet(nn.Module):
    """A U-Net (:cite:`ronneberger2015unet`) of 3 x 3 convolutions, periodic in longitude, with zeros beyond the poles.

    It treats the components of a wind as scalars, so it is not equivariant under rotations of the globe, and its cells
    become narrow towards the poles. The outputs of a globe that is turned by 2^(levels - 1) columns are turned, if the
    number of longitudes is a multiple of 2^(levels - 1).

    Shapes:
        x: `(B, channels, H * W)`, row by row -> `(B, out_channels, H * W)`.

    Args:
        shape: latitudes and longitudes of the grid.
        channels: number of input channels.
        out_channels: number of output channels.
        width: number of channels on the finest level, doubled from level to level.
        levels: number of levels, including the finest.
        dropout: probability of dropping a channel after a block.

    Raises:
        ValueError: If a size is not positive.

    Example:
        >>> import torch
        >>> from gaugenet.models import LatLonUNet
        >>> network = LatLonUNet((16, 32), 3, 2, width=4, levels=2)
        >>> network(torch.rand(1, 3, 16 * 32)).shape
        torch.Size([1, 2, 512])
    """

    def __init__(
        self,
        shape: tuple[int, int],
        channels: int,
        out_channels: int,
        *,
        width: float = 16.0,
        levels: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "shape": tuple(shape),
            "channels": channels,
            "out_channels": out_channels,
            "width": width,
            "levels": levels,
            "dropout": dropout,
        }
        self.shape = (positive("shape", shape[0]), positive("shape", shape[1]))
        widths = [positive("width", round(width * 2**k)) for k in range(positive("levels", levels))]
        self.down = nn.ModuleList([_Block(a, b, dropout) for a, b in zip([channels, *widths], widths)])
        self.up = nn.ModuleList([_Block(a + b, a, dropout) for a, b in pairwise(widths)])
        self.head = nn.Conv2d(widths[0], positive("out_channels", out_channels), 1)

    def forward(
        self, x: Float[Tensor, "batch channels cells"], domain: Domain | None = None
    ) -> Float[Tensor, "batch out cells"]:
        """Return the outputs; `domain` is accepted, as by all networks on the sphere, but not used."""
        x = x.unflatten(2, self.shape)
        skips: list[Tensor] = []
        for block in self.down:
            x = block(nn.functional.avg_pool2d(x, 2, ceil_mode=True) if skips else x)
            skips.append(x)
        for block, skip in zip(reversed(self.up), reversed(skips[:-1])):
            x = block(torch.cat([skip, _larger(x, skip.shape[2], skip.shape[3])], dim=1))
        return typed_tensor(self.head(x).flatten(2))


def _larger(x: Float[Tensor, "*coarse"], height: int, width: int) -> Float[Tensor, "*fine"]:
    """Interpolate between twice as many latitudes and longitudes, also across the date line."""
    around = nn.functional.pad(x, (1, 1, 0, 0), mode="circular")
    return nn.functional.interpolate(around, size=(height, width + 4), mode="bilinear")[..., 2:-2]


class _Block(nn.Module):
    """Two 3 x 3 convolutions, periodic in longitude."""

    def __init__(self, channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(channels, out_channels, 3), nn.Conv2d(out_channels, out_channels, 3)])
        self.norms = nn.ModuleList([nn.GroupNorm(math.gcd(4, out_channels), out_channels) for _ in range(2)])
        self.drop = nn.Dropout2d(dropout)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out height width"]:
        for conv, norm in zip(self.convs, self.norms):
            padded = nn.functional.pad(nn.functional.pad(x, (1, 1, 0, 0), mode="circular"), (0, 0, 1, 1))
            x = torch.relu(norm(conv(padded)))
        return typed_tensor(self.drop(x))
