"""Fields on a Möbius strip of pixels: their mirror images, shifts along the strip, and padding at the cut."""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._transforms import outside_transforms
from gaugenet._typing import constant_result
from gaugenet.groups import FieldType, Representation

FLIP = -2
"""The array axis across the strip, which s = diag(1, -1) flips. The last axis runs along the strip."""


def strip_action(x: Float[Tensor, "batch size across along"], field_type: FieldType) -> Tensor:
    """Return the mirror image of rho(s) x: the field on the strip seen from the other side."""
    parts = []
    for b in field_type.blocks:
        components = b.split(x.flip(FLIP)).unbind(1)
        parts += [components[j] if sign > 0 else -components[j] for j, sign in _mirror(b.representation)]
    return torch.cat(parts, 1)


def shift_strip(x: Float[Tensor, "batch size across along"], shift: int, field_type: FieldType) -> Tensor:
    """Move a field by `shift` pixels along the strip: an isometry. Values that pass the cut are reflected.

    A shift once around the strip is the mirror image, twice around is the identity.
    """
    length = x.shape[-1]
    turns, rest = divmod(shift, length)
    for _ in range(turns % 2):
        x = strip_action(x, field_type)
    around = strip_action(x[..., length - rest :], field_type)
    return torch.cat([around, x[..., : length - rest]], -1)


def pad_strip(
    x: Float[Tensor, "batch size across along"], field_type: FieldType, before: int, after: int | None = None
) -> Tensor:
    """Pad by `before` and `after` columns from beyond the cut, flipped and transformed by rho(s)."""
    after = before if after is None else after
    length = x.shape[-1]
    if max(before, after) > length:
        raise ValueError(f"Expected a strip at least {max(before, after)} pixels long, got {length}.")
    if before + after > length:
        return torch.cat(
            [strip_action(x[..., length - before :], field_type), x, strip_action(x[..., :after], field_type)], -1
        )
    first, middle, last = x.split([after, length - before - after, before], -1)  # its gradient is one copy
    return torch.cat([strip_action(last, field_type), first, middle, last, strip_action(first, field_type)], -1)


@lru_cache(maxsize=64)
@constant_result
def _mirror(representation: Representation) -> list[tuple[int, float]]:
    """Return the component and the sign in each row of rho(s), which permutes components up to signs."""
    with outside_transforms():
        rows = representation(representation.group.elements()[1])
        positions = rows.abs().argmax(1)
        return [(int(j), float(row[j])) for j, row in zip(positions, rows, strict=True)]


__all__ = ["FLIP", "pad_strip", "shift_strip", "strip_action"]
