"""CliffordUNet: a U-Net of convolutions between multivector fields, on grids."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._validation import positive
from gaugenet.geometry import Grid
from gaugenet.groups import FieldType, StructureGroup, multivector
from gaugenet.kernels import Clifford
from gaugenet.models.clifford_resnet import CliffordBlock, CliffordHead, field_types
from gaugenet.nn import EquivariantLinear, GaugeConv, GridPool
from gaugenet.nn.grid_upsample import interpolated


class CliffordUNet(nn.Module):
    """A U-Net (:cite:`ronneberger2015unet`) for multivector fields on grids: Gaussian means down, interpolation up.

    All axes are halved from level to level, including time, so that the metric in units of pixels does not change.

    Shapes:
        x: `(B, in_type.size, *spatial)`, grid: a `Grid` of this shape -> `(B, out_type.size, *spatial)`.

    Equivariance: exact under the rotations and reflections of the pixels that preserve the metric. Up to interpolation
    under shifts by a pixel; exact under shifts by 2^(levels - 1) pixels with periodic boundaries.

    Args:
        in_type, out_type, group: see `CliffordResNet`.
        channels: number of hidden multivectors on the finest level, doubled on each coarser level.
        levels: number of levels, including the finest.
        blocks: residual blocks per level, on the way down and on the way up.
        rings, complete, product, norm: see `CliffordResNet`.
        boundary: boundary of the grid, for pooling and interpolation: `zeros`, `reflect` or `periodic`.

    The arguments are stored as `config`: `CliffordUNet(**model.config)` is the same network.

    Raises:
        ValueError: If types or sizes do not fit, the grid has another boundary, or its axes cannot be halved.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Grid
        >>> from gaugenet.models import CliffordUNet
        >>> network = CliffordUNet("1x0 + 1x1", "1x1", group="O(2)", channels=2, levels=2)
        >>> network(torch.rand(1, 3, 16, 16), Grid((16, 16))).shape
        torch.Size([1, 2, 16, 16])
    """

    def __init__(
        self,
        in_type: FieldType | str,
        out_type: FieldType | str,
        *,
        group: StructureGroup | str | None = None,
        channels: int = 16,
        levels: int = 3,
        blocks: int = 1,
        rings: int = 3,
        complete: bool = True,
        product: bool = True,
        norm: str = "points",
        boundary: str = "zeros",
    ) -> None:
        super().__init__()
        self.in_type, self.out_type = field_types(in_type, out_type, group)
        self.config: dict[str, Any] = {
            "in_type": str(self.in_type),
            "out_type": str(self.out_type),
            "group": self.in_type.group.name,
            "channels": channels,
            "levels": levels,
            "blocks": blocks,
            "rings": rings,
            "complete": complete,
            "product": product,
            "norm": norm,
            "boundary": boundary,
        }
        width, self.boundary, kernel = positive("channels", channels), boundary, Clifford(rings, complete)
        structure = self.in_type.group
        types = [multivector(structure, multiplicity=width * 2**k) for k in range(positive("levels", levels))]

        def stage(kind: FieldType) -> nn.ModuleList:
            return nn.ModuleList(
                CliffordBlock(kind, kernel, product=product, norm=norm) for _ in range(positive("blocks", blocks))
            )

        self.embed = GaugeConv(self.in_type, types[0], kernel=kernel)
        self.down = nn.ModuleList(stage(t) for t in types)
        self.pool = nn.ModuleList(GridPool(t, boundary=boundary) for t in types[:-1])  # type: ignore[arg-type]
        self.widen = nn.ModuleList(EquivariantLinear(a, b) for a, b in pairwise(types))
        self.merge = nn.ModuleList(EquivariantLinear(b + a, a) for a, b in pairwise(types))
        self.up = nn.ModuleList(stage(t) for t in types[:-1])
        self.head = CliffordHead(types[0], self.out_type, product=product, norm=norm)

    def forward(self, x: Float[Tensor, "batch in *spatial"], grid: Grid) -> Float[Tensor, "batch out *spatial"]:
        grids = self._grids(grid)
        x, skips = self.embed(x, grid), []
        for level, stage in enumerate(self.down):
            x = _through(stage, x, grids[level])
            if level < len(self.pool):
                skips.append(x)
                x = self.widen[level](self.pool[level](x))
        for level in reversed(range(len(self.pool))):
            x = self.merge[level](torch.cat([interpolated(x, grids[level].shape, self.boundary), skips[level]], 1))
            x = _through(self.up[level], x, grids[level])
        out: Tensor = self.head(x, grid)
        return out

    def _grids(self, grid: Grid) -> list[Grid]:
        """Return the grids of all levels, with windows of the same number of pixels."""
        if grid.boundary != self.boundary:
            raise ValueError(
                f"Expected a grid with boundary={self.boundary!r}, got {grid.boundary!r}: construct the network with "
                "the boundary of the grid."
            )
        found = [grid]
        for _ in self.pool:
            fine = found[-1]
            if min(fine.shape) < 2 or (self.boundary == "periodic" and any(n % 2 for n in fine.shape)):
                raise ValueError(
                    f"Expected axes of at least 2 pixels on every level, and even axes if periodic, got {fine.shape}: "
                    "use fewer `levels` or another grid."
                )
            shape = tuple(_half(n) for n in fine.shape)
            found.append(fine.replace(shape=shape, spacing=tuple(2 * h for h in fine.spacing)))
        return found


def _half(n: int) -> int:
    """Return n / 2, rounded up."""
    return (n + 1) // 2


def _through(stage: Any, x: Tensor, grid: Grid) -> Tensor:
    for block in stage:
        x = block(x, grid)
    return x


__all__ = ["CliffordUNet"]
