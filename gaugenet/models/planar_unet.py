"""PlanarUNet: a steerable U-Net for images, for segmentation and dense regression."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import LARGEST_BLOCKS, level_widths, positive
from gaugenet.groups import FieldType, StructureGroup, group_from_name
from gaugenet.models.planar import SteerableLayer
from gaugenet.nn import EquivariantLinear, GridPool
from gaugenet.nn.grid_upsample import interpolated


class PlanarUNet(nn.Module):
    r"""A U-Net of steerable convolutions, with anti-aliased pooling down and interpolation to the same size up.

    A U-Net (:cite:`ronneberger2015unet`) of the steerable convolutions of :cite:`weiler2019general`.

    Shapes:
        x: `(B, in_type.size, H, W)`, of any even or odd size -> `(B, out_type.size, H, W)`.

    Equivariance: exact under the rotations by 90 degrees and the reflections of the pixels that lie in the group, for
    even and odd sizes; below 1e-5 relative in float32. Up to sampling for other rotations, and for the nonlinearity
    `fourier`.

    Args:
        in_type: number of channels (scalars) of the image, or its field type, e.g. `"1x0 + 1x1"`.
        out_type: number of classes (scalars) at each pixel, or a field type, e.g. `"1x1"` for a vector.
        group: name of a group acting on the plane, e.g. `C_8`, `D_4`, `SO(2)`.
        fields: one hidden field: the name of a representation or a list of irreps, see `PlanarCNN`. Default: `regular`
            for finite groups, `(0, 1, 2)` for others.
        width: number of hidden fields on the finest level.
        growth: factor of the width from level to level.
        levels: number of levels, including the finest.
        blocks: steerable layers per level, on the way down and on the way up.
        kernel_size: odd size of all kernels, in pixels.
        nonlinearity: `pointwise`, `gated` or `fourier`. Default: `pointwise` if the group permutes the components of a
            field, else `gated`.
        kernel: family of the kernels as text, e.g. `"Differential(max_order=2)"`. Default: see `GridConv`.
        options: options of `GridConv`, e.g. `boundary="reflect"`, `rings` or `max_frequency`.

    The arguments are stored as `config`: `PlanarUNet(**model.config)` is the same network.

    Raises:
        ValueError: If a name is unknown or a size is below 1; in `forward`, if the features have another type or the
            image has too few pixels for the levels.

    Example:
        >>> import torch
        >>> from gaugenet.models import PlanarUNet
        >>> segment = PlanarUNet(3, 5, group="D_4", width=2, levels=2).eval()
        >>> segment(torch.rand(1, 3, 17, 24)).shape
        torch.Size([1, 5, 17, 24])
    """

    def __init__(
        self,
        in_type: int | str | FieldType,
        out_type: int | str | FieldType,
        *,
        group: str | StructureGroup = "C_8",
        fields: str | Sequence[int | str] | None = None,
        width: int = 8,
        growth: float = 2.0,
        levels: int = 3,
        blocks: int = 1,
        kernel_size: int = 5,
        nonlinearity: str | None = None,
        kernel: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        structure = group_from_name(str(group))
        if structure.d != 2:
            raise ValueError(f"Expected a `group` acting on the plane, got {structure.name} on R^{structure.d}.")
        self.in_type, self.out_type = (
            _type(structure, *pair) for pair in (("in_type", in_type), ("out_type", out_type))
        )
        if fields is None:
            fields = (0, 1, 2) if structure.order is None else "regular"
        field = FieldType(structure, [(label, 1) for label in ([fields] if isinstance(fields, str) else fields)])
        if nonlinearity is None:
            permuted = all(b.representation.permutation for b in field.blocks)
            nonlinearity = "pointwise" if permuted else "gated"
        if kernel is not None:
            options["kernel"] = str(kernel)
        self.config: dict[str, Any] = {
            "in_type": in_type if isinstance(in_type, int) else str(in_type),
            "out_type": out_type if isinstance(out_type, int) else str(out_type),
            "group": structure.name,
            "fields": fields if isinstance(fields, str) else list(fields),
            "width": width,
            "growth": growth,
            "levels": levels,
            "blocks": blocks,
            "kernel_size": kernel_size,
            "nonlinearity": nonlinearity,
            **options,
        }
        types = [field * n for n in level_widths(width, growth, levels)]
        count = positive("blocks", blocks, at_most=LARGEST_BLOCKS)
        options |= {"padding": kernel_size // 2, "nonlinearity": nonlinearity}
        self.boundary = options.get("boundary", "zeros")

        def stage(first: FieldType, then: FieldType) -> nn.Sequential:
            steps = pairwise([first, *[then] * count])
            return nn.Sequential(*(SteerableLayer(a, b, kernel_size, **options) for a, b in steps))

        self.down = nn.ModuleList(stage(a, b) for a, b in pairwise([self.in_type, *types]))
        self.pool = nn.ModuleList(GridPool(t, boundary=self.boundary) for t in types[:-1])
        self.up = nn.ModuleList(stage(coarse + fine, fine) for fine, coarse in pairwise(types))
        self.head = EquivariantLinear(types[0], self.out_type)

    def forward(self, x: Float[Tensor, "batch in height width"]) -> Float[Tensor, "batch out height width"]:
        self._check(x)
        skips: list[Tensor] = []
        for level, stage in enumerate(self.down):
            x = stage(x)
            if level < len(self.pool):
                skips.append(x)
                x = self.pool[level](x)
        for stage in reversed(self.up):
            fine = skips.pop()
            x = stage(torch.cat([self._enlarged(x, fine.shape[2:]), fine], 1))
        return typed_tensor(self.head(x))

    def _enlarged(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Return `x` at the pixels before `GridPool`, which keeps the outermost pixels of odd axes."""
        if self.boundary == "periodic":
            return interpolated(x, shape, "periodic")
        return interpolated(x, shape, align_corners=[n == 2 * m - 1 for n, m in zip(shape, x.shape[2:], strict=True)])

    def _check(self, x: Tensor) -> None:
        self.in_type.check(x)
        halvings = len(self.pool)
        if x.dim() != 4 or min(x.shape[2:]) <= 2**halvings:
            raise ValueError(
                f"Expected images of shape (batch, {self.in_type.size}, H, W) with more than {2**halvings} pixels a "
                f"side for {halvings + 1} levels, got {tuple(x.shape)}: use larger images or fewer `levels`."
            )
        if self.boundary == "periodic" and any(n % 2**halvings for n in x.shape[2:]):
            raise ValueError(
                f"Expected multiples of {2**halvings} pixels for {halvings + 1} levels of a periodic image, got "
                f"{tuple(x.shape[2:])}: use fewer `levels` or another size."
            )


def _type(group: StructureGroup, name: str, value: int | str | FieldType) -> FieldType:
    """Return the field type that a number of scalars, a specification or a field type stands for."""
    return FieldType(group, {"trivial": positive(name, value)}) if isinstance(value, int) else FieldType(group, value)


__all__ = ["PlanarUNet"]
