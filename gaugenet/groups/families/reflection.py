"""The reflection group {e, s} with s = diag(1, ..., 1, -1): frames up to a flip of the last axis."""

from __future__ import annotations

import torch
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.groups.group import FiniteGroup
from gaugenet.groups.representations.base import Representation


class Reflection(FiniteGroup):
    """The group {e, s} where s flips the last axis of R^d: diag(1, -1) in the plane, -1 on the line.

    Irreps: `0` (trivial) and `0-` (sign). It is the structure group of the Möbius strip
    :cite:`weiler2021coordinate`.

    Args:
        d: dimension of the space that it acts on.

    Example:
        >>> from gaugenet.groups import Reflection
        >>> Reflection().regular().decompose().labels
        ['0', '0-']
    """

    orientation_preserving = False
    name = "Reflection"

    def __init__(self, d: int = 2) -> None:
        self.d = positive("d", d)

    def _make_elements(self) -> Tensor:
        flip = torch.eye(self.d, dtype=torch.float64)
        flip[-1, -1] = -1
        return torch.stack([torch.eye(self.d, dtype=torch.float64), flip])

    def generators(self) -> Tensor:
        return self.elements()[1:]

    def irrep(self, label: int | str) -> Representation:
        text = str(label).strip()
        if text == "0":
            return self.trivial()
        if text != "0-":
            raise ValueError(f"Unknown representation {label!r} of {self.name}: expected `0`, `0-`, `regular`, ...")
        return Representation(self, "0-", 1, lambda g: g[..., -1:, -1:], order=0)

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        return [self.irrep("0"), self.irrep("0-")]

    def standard(self) -> Representation:
        return self.irrep("0-") if self.d == 1 else super().standard()
