"""The trivial group {e}: every point has one frame, so that features are ordinary channels."""

from __future__ import annotations

import torch
from torch import Tensor

from gaugenet.groups.group import FiniteGroup
from gaugenet.groups.representations.base import Representation


class Trivial(FiniteGroup):
    """The trivial group {e} in dimension d. The only irrep is `0`.

    Args:
        d: dimension of the space that it acts on.

    Example:
        >>> from gaugenet.groups import FieldType, Trivial
        >>> FieldType(Trivial(3), "8x0").is_invariant  # channels of an ordinary network
        True
    """

    orientation_preserving = True

    def __init__(self, d: int = 2) -> None:
        self.d = d
        self.name = "Trivial"

    def _make_elements(self) -> Tensor:
        return torch.eye(self.d, dtype=torch.float64)[None]

    def generators(self) -> Tensor:
        return self.elements()[:0]

    def irrep(self, label: int | str) -> Representation:
        if str(label).strip() != "0":
            raise ValueError(f"Unknown representation {label!r} of the trivial group: it has only `0`.")
        return self.trivial()

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        return [self.trivial()]
