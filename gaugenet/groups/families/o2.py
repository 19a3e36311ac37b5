"""O(2): rotations and reflections of the plane."""

from __future__ import annotations

import torch
from torch import Tensor

from gaugenet.groups.families.so2 import SO2
from gaugenet.groups.group import StructureGroup, is_orthogonal
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.planar import parse_order, planar_irrep, reflection_axis


class O2(StructureGroup):
    """Rotations and reflections R(t) S^s of the plane, with S = diag(1, -1) :cite:`weiler2019general`.

    Irreps: `0` (trivial), `0-` (determinant), and `m` = 1, 2, ... (of real type).

    Example:
        >>> import torch
        >>> from gaugenet.groups import O2
        >>> O2().irreps(max_order=1)
        [O(2):0, O(2):0-, O(2):1]
        >>> O2().irrep("0-")(torch.diag(torch.tensor([1.0, -1.0]))).item()
        -1.0
    """

    d = 2
    name = "O(2)"
    orientation_preserving = False

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        return is_orthogonal(g, atol)

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        g = SO2().random_element(size, generator=generator)
        flip = torch.rand(size, generator=generator) < 0.5
        return torch.where(flip[..., None, None], g @ reflection_axis(), g)

    def generators(self) -> Tensor:
        return reflection_axis()[None]

    def lie_algebra(self) -> Tensor:
        return SO2().lie_algebra()

    def irrep(self, label: int | str) -> Representation:
        allowed = "`0`, `0-`, an order 1, 2, ..., `standard` or `trivial`"
        order, sign = parse_order(self, label, allowed)
        if sign and order:
            raise ValueError(f"Unknown representation {label!r} of {self.name}: expected {allowed}.")
        return planar_irrep(self, f"{order}-" if sign else str(order), order, dim=min(order, 1) + 1, sign=sign)

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        if max_order is None:
            raise ValueError("O(2) has infinitely many irreps: pass `max_order`.")
        return [self.irrep("0"), self.irrep("0-"), *(self.irrep(m) for m in range(1, max_order + 1))]

    def standard(self) -> Representation:
        return self.irrep(1)
