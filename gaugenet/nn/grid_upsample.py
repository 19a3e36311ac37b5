"""GridUpsample: fields on a finer grid by linear interpolation, with the symmetry of the pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.grids.grid import Counts, check_boundary, counts
from gaugenet.geometry.grids.stencil import Boundary
from gaugenet.groups import FieldType
from gaugenet.nn.precision import check_features

_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


class GridUpsample(nn.Module):
    r"""Linear interpolation of fields from a box of pixels to a finer box of the same extent.

    Each component is interpolated: frames on a grid are parallel, so fields of every type may be averaged. The layer
    restores exactly the size before a `GridPool` or a convolution with a stride::

        down, up = GridPool(hidden), GridUpsample(hidden)
        y = up(down(x), x.shape[2:])  # even or odd

    Shapes:
        x: `(B, field_type.size, *coarse)` -> `(B, field_type.size, *size)`.

    Equivariance: exact under the rotations and reflections of the pixels, for every size;
    below 1e-6 relative in float32.

    Args:
        field_type: of a group acting on R^1, R^2 or R^3.
        size: size of the result, one number or one for each array axis.
        scale: ratio of the sizes, instead of `size`. Without both, pass the size in the call.
        boundary: `zeros` and `reflect` repeat the outermost pixels, `periodic` (whole ratios only) continues at the
            other side.
        align_corners: the outermost pixels of both boxes coincide, instead of the borders of the boxes.

    Raises:
        ValueError: If both `size` and `scale` are given, or no size at all; if a size is below the size of `x`; if a
            ratio is not whole with `boundary="periodic"`.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import GridUpsample
        >>> vectors = FieldType(SO2(), "1x1")
        >>> GridUpsample(vectors, size=(7, 8))(torch.rand(1, 2, 4, 5)).shape
        torch.Size([1, 2, 7, 8])
    """

    def __init__(
        self,
        field_type: FieldType,
        *,
        size: Counts | None = None,
        scale: Counts | None = None,
        boundary: Boundary = "zeros",
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        d = field_type.group.d
        check_boundary(boundary)
        if size is not None and scale is not None:
            raise ValueError(f"Expected `size` or `scale`, got both: size={size} and scale={scale}.")
        if d not in _MODES:
            raise ValueError(f"Expected fields on grids of 1 to 3 dimensions, got {field_type.group.name} on R^{d}.")
        if align_corners and boundary == "periodic":
            raise ValueError("Expected `align_corners=False` with boundary='periodic': a periodic box has no corners.")
        self.in_type = self.out_type = field_type
        self.size = None if size is None else counts("size", size, d)
        self.scale = None if scale is None else counts("scale", scale, d)
        self.boundary, self.align_corners = boundary, align_corners

    def forward(
        self, x: Float[Tensor, "batch size *coarse"], size: Sequence[int] | None = None
    ) -> Float[Tensor, "batch size *fine"]:
        """Return the interpolated fields; `size` overrides the size of the layer."""
        check_features(self, x)
        d = self.in_type.group.d
        if x.dim() != d + 2:
            raise ValueError(f"Expected `x` with {d} spatial dimensions, got shape {tuple(x.shape)}.")
        return interpolated(x, self._size(x, size), self.boundary, align_corners=(self.align_corners,) * d)

    def _size(self, x: Tensor, given: Sequence[int] | None) -> tuple[int, ...]:
        if given is not None:
            return counts("size", list(given), self.in_type.group.d)
        if self.scale is not None:
            return tuple(n * s for n, s in zip(x.shape[2:], self.scale, strict=True))
        if self.size is None:
            raise ValueError("Expected a `size` in the call: the layer was constructed without `size` and `scale`.")
        return self.size

    def to_torch(self, x: Tensor) -> nn.Module:
        """Return the equal layer of `torch.nn` for features of the shape of `x`."""
        if self.boundary == "periodic":
            raise NotImplementedError("No layer of torch.nn equals this interpolation.")
        size, mode = self._size(x, None), _MODES[self.in_type.group.d]
        return nn.Upsample(size, mode=mode, align_corners=self.align_corners)

    def extra_repr(self) -> str:
        options = {"size": self.size, "scale": self.scale, "align_corners": self.align_corners or None}
        return ", ".join([str(self.in_type), *(f"{k}={v}" for k, v in options.items() if v is not None)]) + (
            ", boundary=periodic" if self.boundary == "periodic" else ""
        )


def interpolated(
    x: Float[Tensor, "batch size *coarse"],
    shape: Sequence[int],
    boundary: str = "zeros",
    *,
    align_corners: Sequence[bool] | None = None,
) -> Float[Tensor, "batch size *fine"]:
    """Interpolate linearly at the pixels of a finer box; equivariant under the symmetries of the boxes.

    Args:
        x: fields, or any channels.
        shape: shape of the finer box, of any dimension.
        boundary: see `GridUpsample`.
        align_corners: one value for each axis, see `GridUpsample`.

    Raises:
        ValueError: If an axis would become shorter, or its ratio is not whole and it is periodic.
    """
    aligned = [False] * len(shape) if align_corners is None else list(align_corners)
    _check_sizes(x.shape[2:], shape, boundary)
    if boundary != "periodic" and len(shape) in _MODES and len(set(aligned)) == 1:
        return F.interpolate(x, tuple(shape), mode=_MODES[len(shape)], align_corners=aligned[0])
    for axis, n in enumerate(shape):
        dim, around = axis + 2, 0
        if boundary == "periodic":
            around = n // x.shape[dim]
            x = torch.cat([x.narrow(dim, x.shape[dim] - 1, 1), x, x.narrow(dim, 0, 1)], dim)
        lines = x.movedim(dim, -1)
        fine = F.interpolate(lines.flatten(1, -2), n + 2 * around, mode="linear", align_corners=aligned[axis])
        x = fine.unflatten(1, lines.shape[1:-1]).narrow(-1, around, n).movedim(-1, dim)
    return x


def _check_sizes(coarse: Sequence[int], fine: Sequence[int], boundary: str) -> None:
    for m, n in zip(coarse, fine, strict=True):
        if n < m:
            raise ValueError(
                f"Expected a size of at least {tuple(coarse)}, the size of `x`, got {tuple(fine)}: for fewer pixels "
                "use `GridPool`, which does not alias."
            )
        if boundary == "periodic" and n % m:
            raise ValueError(f"Expected whole ratios on a periodic box, got {tuple(fine)} from {tuple(coarse)}.")


__all__ = ["GridUpsample", "interpolated"]
