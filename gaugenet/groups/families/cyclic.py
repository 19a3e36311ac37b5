"""C_n: rotations by multiples of 2 pi / n."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.groups.group import FiniteGroup
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.planar import parse_order, planar_irrep, rotation


class Cyclic(FiniteGroup):
    """Rotations of the plane by multiples of 2 pi / n :cite:`cohen2016group`.

    Irreps: the orders 0, 1, ..., n // 2. Order 0 and, for even n, order n / 2 have dimension 1, the others 2.

    Args:
        n: number of elements, at least 1.

    Example:
        >>> from gaugenet.groups import Cyclic
        >>> [(rho.name, rho.dim) for rho in Cyclic(4).irreps()]
        [('0', 1), ('1', 2), ('2', 1)]
        >>> Cyclic(4).regular().decompose().labels
        ['0', '1', '2']
    """

    d = 2
    orientation_preserving = True

    def __init__(self, n: int) -> None:
        self.n = positive("n", n)
        self.name = f"C_{self.n}"

    def _make_elements(self) -> Tensor:
        return exact_rotations(self.n)

    def generators(self) -> Tensor:
        return self.elements()[1:2]

    def irrep(self, label: int | str) -> Representation:
        allowed = f"an order 0 ... {self.n // 2}, `regular`, `standard`, `trivial` or `quotient(C_k)`"
        order, sign = parse_order(self, label, allowed)
        if sign or order > self.n // 2:
            raise ValueError(f"Unknown representation {label!r} of {self.name}: expected {allowed}.")
        return planar_irrep(self, str(order), order, dim=1 if 2 * order in (0, self.n) else 2)

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        top = self.n // 2 if max_order is None else min(max_order, self.n // 2)
        return [self.irrep(m) for m in range(top + 1)]

    def standard(self) -> Representation:
        return self.irrep(1) if self.n > 2 else super().standard()


def exact_rotations(n: int) -> Tensor:
    """Return the n rotations of C_n, with multiples of 90 degrees exact."""
    g = rotation(torch.arange(n, dtype=torch.float64) * (2 * math.pi / n))
    rounded = g.round()
    return torch.where((g - rounded).abs() < 1e-15, rounded, g)
