"""D_n: rotations by multiples of 2 pi / n and reflections (2 n elements)."""

from __future__ import annotations

import torch
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.groups.families.cyclic import exact_rotations
from gaugenet.groups.group import FiniteGroup
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.planar import parse_order, planar_irrep, reflection_axis


class Dihedral(FiniteGroup):
    """Rotations R by multiples of 2 pi / n, then reflections R S with S = diag(1, -1) :cite:`cohen2016group`.

    Irreps: `0`, `0-` (determinant), orders below n / 2 (dimension 2) and, for even n, `n/2` and `n/2-` (dimension 1).

    Args:
        n: number of rotations, at least 1; half of the number of elements.

    Example:
        >>> from gaugenet.groups import Cyclic, Dihedral
        >>> [(rho.name, rho.dim) for rho in Dihedral(4).irreps()]
        [('0', 1), ('0-', 1), ('1', 2), ('2', 1), ('2-', 1)]
        >>> Dihedral(4).quotient(Cyclic(4)).dim
        2
    """

    d = 2
    orientation_preserving = False

    def __init__(self, n: int) -> None:
        self.n = positive("n", n)
        self.name = f"D_{self.n}"

    def _make_elements(self) -> Tensor:
        rotations = exact_rotations(self.n)
        return torch.cat([rotations, rotations @ reflection_axis()])

    def generators(self) -> Tensor:
        return torch.cat([self.elements()[1 : min(2, self.n)], reflection_axis()[None]])

    def irrep(self, label: int | str) -> Representation:
        allowed = f"`0`, `0-`, an order up to {self.n // 2}, `regular`, `standard`, `trivial` or `quotient(...)`"
        order, sign = parse_order(self, label, allowed)
        one_dimensional = 2 * order in (0, self.n)
        if order > self.n // 2 or (sign and not one_dimensional):
            raise ValueError(f"Unknown representation {label!r} of {self.name}: expected {allowed}.")
        name = f"{order}-" if sign else str(order)
        return planar_irrep(self, name, order, dim=1 if one_dimensional else 2, sign=sign)

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        top = self.n // 2 if max_order is None else min(max_order, self.n // 2)
        labels: list[str] = []
        for order in range(top + 1):
            labels.append(str(order))
            if 2 * order in (0, self.n):
                labels.append(f"{order}-")
        return [self.irrep(label) for label in labels]

    def standard(self) -> Representation:
        return self.irrep(1) if self.n > 2 else super().standard()
