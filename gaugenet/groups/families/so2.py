"""SO(2): rotations of the plane."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.groups.group import StructureGroup, is_orthogonal
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.planar import parse_order, planar_irrep, rotation


class SO2(StructureGroup):
    """Rotations R(t) of the plane :cite:`worrall2017harmonic`.

    Irreps: `0` (trivial), and `m` = 1, 2, ...: rotation by m t (of complex type).

    Example:
        >>> from gaugenet.groups import SO2
        >>> SO2().irreps(max_order=2)
        [SO(2):0, SO(2):1, SO(2):2]
        >>> SO2().irrep(2).dim, SO2().irrep(2).type
        (2, 'complex')
    """

    d = 2
    name = "SO(2)"
    orientation_preserving = True

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        return typed_tensor(is_orthogonal(g, atol) & (torch.linalg.det(g) > 0))

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        return rotation(2 * math.pi * torch.rand(size, generator=generator, dtype=torch.float64))

    def generators(self) -> Tensor:
        return torch.zeros(0, 2, 2, dtype=torch.float64)

    def lie_algebra(self) -> Tensor:
        return torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64)

    def irrep(self, label: int | str) -> Representation:
        allowed = "an order 0, 1, 2, ..., `standard` or `trivial`"
        order, sign = parse_order(self, label, allowed)
        if sign:
            raise ValueError(f"Unknown representation {label!r} of {self.name}: expected {allowed}.")
        return planar_irrep(self, str(order), order, dim=min(order, 1) + 1)

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        if max_order is None:
            raise ValueError("SO(2) has infinitely many irreps: pass `max_order`.")
        return [self.irrep(m) for m in range(max_order + 1)]

    def standard(self) -> Representation:
        return self.irrep(1)
