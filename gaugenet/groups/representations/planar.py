"""Irreps of the subgroups of O(2), computed from the 2 x 2 matrix without its angle."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.groups.group import StructureGroup
from gaugenet.groups.representations.base import Representation, trivial


def rotation(angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 2 2"]:
    """Return R(angle): counter-clockwise, angle in radians."""
    c, s = torch.cos(angle), torch.sin(angle)
    return typed_tensor(torch.stack([c, -s, s, c], -1).unflatten(-1, (2, 2)))


def rotation_power(
    c: Float[Tensor, "*batch"], s: Float[Tensor, "*batch"], m: int
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Return cos(m t), sin(m t) from cos t, sin t, by repeated squaring of c + i s."""
    if m == 0:
        return torch.ones_like(c), torch.zeros_like(s)
    if m == 1:
        return c, s
    re, im = rotation_power(c * c - s * s, 2 * c * s, m // 2)
    return (re * c - im * s, re * s + im * c) if m % 2 else (re, im)


def planar_irrep(group: StructureGroup, name: str, order: int, *, dim: int, sign: bool = False) -> Representation:
    """Return the irrep of O(2) of angular order `order`, restricted to a subgroup.

    Every element of O(2) is R(t) S^s with S = diag(1, -1). In dimension 2 the matrix is R(order t) S^s; in dimension 1
    it is cos(order t), times (-1)^s if `sign` (order 0, or n/2 of C_n and D_n where the sine vanishes).
    """
    if order == 0 and not sign:
        return trivial(group)

    def matrix(g: Tensor) -> Tensor:
        c, s = rotation_power(g[..., 0, 0], g[..., 1, 0], order)
        det = g[..., 0, 0] * g[..., 1, 1] - g[..., 0, 1] * g[..., 1, 0]
        if dim == 1:
            return (c * det if sign else c)[..., None, None]
        return typed_tensor(torch.stack([c, -s * det, s, c * det], -1).unflatten(-1, (2, 2)))

    return Representation(group, name, dim, matrix, order=order)


def parse_order(group: StructureGroup, label: int | str, allowed: str) -> tuple[int, bool]:
    """Read `"2"` as `(2, False)` and `"0-"` as `(0, True)`."""
    text = str(label).strip()
    digits = text[:-1] if text.endswith("-") else text
    if not digits.isdigit():
        raise ValueError(f"Unknown representation {label!r} of {group.name}: expected {allowed}.")
    return int(digits), text.endswith("-")


def reflection_axis() -> Float[Tensor, "2 2"]:
    """Return S = diag(1, -1), the reflection that all planar groups share: it flips the second frame axis."""
    return torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
