"""PlainResNet: the ordinary residual network with the layers of `CliffordResNet`, as its baseline on grids."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive

_CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
_PADDINGS = {"zeros": "constant", "periodic": "circular"}


class PlainResNet(nn.Module):
    """The ordinary residual network with the layers of `CliffordResNet`: equivariant under translations only.

    A convolution, residual blocks x + conv(gelu(norm(conv(gelu(norm(x)))))), and a linear map at each point. Norms are
    layer norms over channels and pixels (:cite:`he2016deep` without batch statistics).

    Shapes:
        x: `(B, in_channels, *spatial)` with `d` spatial axes -> `(B, out_channels, *spatial)`.

    Args:
        in_channels, out_channels: numbers of channels, such as `in_type.size` of the network to compare with.
        d: number of spatial axes, 2 or 3.
        channels: number of hidden channels.
        blocks: number of residual blocks.
        kernel_size: pixels of each window along each axis, odd.
        boundary: `zeros` or `periodic`.

    The arguments are stored as `config`: `PlainResNet(**model.config)` is the same network.

    Raises:
        ValueError: If a size is not positive, the window is even, or `d` or `boundary` is unknown; in `forward`, if `x`
            has another shape or dtype, or a periodic axis is shorter than half the window.

    Example:
        >>> import torch
        >>> from gaugenet.models import PlainResNet
        >>> PlainResNet(12, 3, channels=8, blocks=2, boundary="periodic")(torch.rand(1, 12, 16, 16)).shape
        torch.Size([1, 3, 16, 16])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        d: int = 2,
        channels: int = 128,
        blocks: int = 8,
        kernel_size: int = 5,
        boundary: str = "zeros",
    ) -> None:
        super().__init__()
        if d not in tuple(_CONVOLUTIONS):
            raise ValueError(f"Expected `d` 2 or 3, got {d!r}.")
        if boundary not in tuple(_PADDINGS):
            raise ValueError(f"Expected `boundary` to be one of {', '.join(_PADDINGS)}, got {boundary!r}.")
        if positive("kernel_size", kernel_size) % 2 == 0:
            raise ValueError(f"Expected an odd `kernel_size`, got {kernel_size}.")
        self.config: dict[str, Any] = {
            "in_channels": positive("in_channels", in_channels),
            "out_channels": positive("out_channels", out_channels),
            "d": d,
            "channels": positive("channels", channels),
            "blocks": positive("blocks", blocks),
            "kernel_size": kernel_size,
            "boundary": boundary,
        }
        kind = _CONVOLUTIONS[d]
        self.padding, self.mode = (kernel_size // 2,) * (2 * d), _PADDINGS[boundary]
        self.embed = kind(in_channels, channels, kernel_size)
        self.convs = nn.ModuleList(kind(channels, channels, kernel_size) for _ in range(2 * blocks))
        self.norms = nn.ModuleList(nn.GroupNorm(1, channels) for _ in range(2 * blocks + 1))
        self.read = kind(channels, out_channels, 1)

    def forward(self, x: Float[Tensor, "batch in *spatial"]) -> Float[Tensor, "batch out *spatial"]:
        self._check(x)
        x = self._padded(self.embed, x)
        for first in range(0, len(self.convs), 2):
            y = x
            for layer in (first, first + 1):
                y = self._padded(self.convs[layer], F.gelu(self.norms[layer](y)))
            x = x + y
        return typed_tensor(self.read(F.gelu(self.norms[-1](x))))

    def _check(self, x: Tensor) -> None:
        d, channels, weight = self.config["d"], self.config["in_channels"], self.read.weight
        if x.ndim != d + 2 or x.shape[1] != channels:
            raise ValueError(
                f"Expected `x` of shape (batch, {channels}, *spatial) with {d} spatial axes, got {tuple(x.shape)}."
            )
        if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(
                f"Expected `x` of dtype {weight.dtype} like the weights, got {x.dtype}: convert one of them."
            )
        shortest = self.padding[0] if self.mode == "circular" else 1
        if min(x.shape[2:]) < shortest:
            raise ValueError(f"Expected spatial axes of at least {shortest} pixels, got {tuple(x.shape[2:])}.")

    def _padded(self, conv: nn.Module, x: Tensor) -> Tensor:
        return typed_tensor(conv(F.pad(x, self.padding, mode=self.mode)))


__all__ = ["PlainResNet"]
