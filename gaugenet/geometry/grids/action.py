"""Actions of a group on inputs and outputs of networks: fields on grids, features, positions.

An action maps an element g, or one for each entry of the batch, and a tensor to the transformed tensor.
`gaugenet.models` uses actions to make a plain network equivariant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.grids.stencil import frame_coordinates
from gaugenet.groups import FieldType


class Action(Protocol):
    """An action g, x -> g.x with g.(h.x) = (g h).x; `g` is `(d, d)`, or `(B, d, d)`, one for each entry of `x`."""

    def __call__(self, g: Tensor, x: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class FieldAction:
    r"""The action on fields on a grid, by rotation about its middle: (g.f)(p) = rho(g) f(g^-1 p).

    The axes are the axes of `Grid`: x along the last array axis, y against the second last, z along the third last. Of
    four axes the last frame axis, time in `(3, 1)`, is along the first array axis. Elements that permute and flip the
    axes (multiples of 90 degrees) map pixels to pixels and are exact. All others interpolate, with zeros from outside:
    they lose what is rotated beyond the border and details finer than a pixel, so g.(h.f) is only approximately
    (g h).f.

    Shapes:
        x: `(B, channels, *spatial)` with 2 to 4 spatial axes -> the same. Four axes are not interpolated.

    Args:
        field_type: type of the channels; `None` means scalars.
        mode: `bilinear` (trilinear on volumes) or, on images, `bicubic`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import FieldAction
        >>> from gaugenet.groups import Cyclic
        >>> image = torch.rand(1, 1, 5, 5)
        >>> quarter = Cyclic(4).elements()[1].float()
        >>> torch.equal(FieldAction()(quarter, image), image.rot90(1, (-2, -1)))
        True
    """

    field_type: FieldType | None = None
    mode: str = "bilinear"

    def __call__(self, g: Tensor, x: Tensor) -> Tensor:
        moved = move_grid(g, x, mode=self.mode)
        return moved if self.field_type is None else self.field_type.transform(g.to(x), moved)


@dataclass(frozen=True)
class FibreAction:
    """The action g.y = rho(g) y on features without positions, such as logits, or features of points that move along.

    Shapes:
        y: `(B, channels)`, or `(B, channels, *anything)` -> the same.

    Args:
        field_type: type of the channels; `None` means that they are invariant.
    """

    field_type: FieldType | None = None

    def __call__(self, g: Tensor, x: Tensor) -> Tensor:
        return x if self.field_type is None else self.field_type.transform(g.to(x), x)


@dataclass(frozen=True)
class PositionAction:
    """The action g.p = g p on positions of points.

    Shapes:
        pos: `(N, d)` with one element g, or `(B, N, d)` with one or B elements -> the same.
    """

    def __call__(self, g: Tensor, x: Tensor) -> Tensor:
        return x @ g.to(x).mT


def move_grid(
    g: Float[Tensor, "*batch d d"], x: Float[Tensor, "batch channels *spatial"], *, mode: str = "bilinear"
) -> Float[Tensor, "batch channels *spatial"]:
    """Return f(g^-1 p) for fields of scalars on a grid and orthogonal `g`, see `FieldAction`.

    Raises:
        ValueError: If the dimensions of `g` and `x` differ, there are neither 1 nor B elements, `mode` is unknown, or
            an element does not map the pixels of four axes to pixels.
    """
    d = x.dim() - 2
    if d not in (2, 3, 4) or g.shape[-2:] != (d, d) or g.dim() > 3 or (g.dim() == 3 and len(g) not in (1, len(x))):
        raise ValueError(
            f"Expected `g` of shape (d, d) or (B, d, d) for fields (B, C, ...) with 2 to 4 spatial axes, got "
            f"{tuple(g.shape)} for {tuple(x.shape)}."
        )
    if mode not in ("bilinear", "bicubic") or (mode == "bicubic" and d == 3):
        raise ValueError(f"Expected `mode` 'bilinear', or 'bicubic' on images, got {mode!r} on {d} axes.")
    if g.dim() == 3 and len(g) == 1:
        g = g[0]
    g = _along_array_axes(g)
    if not _permutes_axes(g, x.shape[2:]):
        if d == 4:
            raise ValueError(
                "Expected an element that maps the pixels of four axes to pixels, such as a rotation of space by 90 "
                "degrees: there is no interpolation on four axes."
            )
        return _interpolated(g.expand(len(x), d, d), x, mode)
    if g.dim() == 2:
        return _permuted(g, x)
    return torch.stack([_permuted(one, field) for one, field in zip(g, x)]) if len(x) else x


def _along_array_axes(g: Float[Tensor, "*batch d d"]) -> Float[Tensor, "*batch d d"]:
    """Return the matrix of an element, given in the frame (x, y, z), for indices along the axes of the array."""
    d = g.shape[-1]
    axes = frame_coordinates(torch.eye(d, dtype=torch.float64), (1.0,) * d).to(g)  # row k: array axis k in the frame
    return axes @ g @ axes.mT


def _permutes_axes(g: Tensor, shape: torch.Size) -> bool:
    """Return whether all elements are signed permutations that only exchange axes of equal length."""
    nearest = g.round()
    if (g - nearest).abs().max() > 1e-6 or not (nearest.abs().sum(-1) == 1).all():
        return False
    length = torch.tensor(shape, dtype=torch.float64)
    return bool(((nearest.abs().double().cpu() @ length) == length).all())


def _permuted(g: Tensor, x: Float[Tensor, "*batch_channels spatial"]) -> Tensor:
    d = len(g)
    rows = g.round().int().tolist()
    source = [next(j for j, entry in enumerate(row) if entry) for row in rows]  # (g v)_i = +- v_source[i]
    lead = x.dim() - d
    moved = x.permute(*range(lead), *(lead + j for j in source))
    flipped = [lead + i for i, row in enumerate(rows) if row[source[i]] < 0]
    return moved.flip(flipped) if flipped else moved


def _interpolated(g: Float[Tensor, "batch d d"], x: Tensor, mode: str) -> Tensor:
    """Return `grid_sample` at g^-1 p; it orders axes from the last one, in units of half the length of the axis."""
    half = torch.tensor(x.shape[2:], dtype=x.dtype, device=x.device) / 2
    pull = g.to(x).mT * half[None, None, :] / half[None, :, None]
    theta = torch.cat([pull.flip(-1, -2), pull.new_zeros(*pull.shape[:-1], 1)], -1)
    where = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, where, mode=mode, padding_mode="zeros", align_corners=False)
