"""O(3): rotations, reflections and the inversion of space."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from gaugenet.groups.families.so3 import SO3, coupled, spherical_irrep
from gaugenet.groups.group import StructureGroup, is_orthogonal
from gaugenet.groups.representations.base import Representation


class O3(StructureGroup):
    """Rotations and reflections of R^3: SO(3) x {1, -1} :cite:`geiger2022e3nn`.

    Irreps are named by order and parity: `0e` (trivial, its name is `0`), `0o` (determinant), `1o`, `1e`, ... The
    inversion -1 acts by +1 on even (`e`) and by -1 on odd (`o`) irreps. Harmonic polynomials of degree l, such as Y_l,
    have the natural parity (-1)^l. Vectors are `1o`, the matrix itself; pseudo-vectors `1e`; pseudo-scalars `0o`.
    Bases are the same as in `SO3`; all irreps are of real type.

    Example:
        >>> from gaugenet.groups import O3
        >>> O3().irreps(max_order=1)
        [O(3):0, O(3):0o, O(3):1o, O(3):1e]
        >>> vectors = O3().irrep("1o")
        >>> vectors.tensor(vectors).decompose().labels  # the cross product is a pseudo-vector
        ['0', '1e', '2e']
    """

    d = 3
    name = "O(3)"
    orientation_preserving = False

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        return is_orthogonal(g, atol)

    def _draw(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        g = SO3().random_element(size, generator=generator)
        flip = torch.rand(size, generator=generator) < 0.5
        return torch.where(flip[..., None, None], -g, g)

    def generators(self) -> Tensor:
        return -torch.eye(3, dtype=torch.float64)[None]

    def lie_algebra(self) -> Tensor:
        return SO3().lie_algebra()

    def irrep(self, label: int | str) -> Representation:
        found = re.fullmatch(r"(\d+)([eo])|(0)", str(label).strip())
        if not found:
            allowed = "`0e`, `0o`, `1o`, `1e`, ..., `standard` or `trivial`"
            raise ValueError(f"Unknown representation {label!r} of {self.name}: expected {allowed}.")
        order, parity = int(found[1] or 0), found[2] or "e"
        natural = "eo"[order % 2]
        name = "0" if (order, parity) == (0, "e") else f"{order}{parity}"
        return spherical_irrep(self, name, order, pseudo=parity != natural)

    def harmonic(self, order: int) -> Representation:
        """Return the irrep of order l and parity (-1)^l, by which the spherical harmonics Y_l transform."""
        return self.irrep(f"{order}{'eo'[order % 2]}")

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        """Return the irreps up to `max_order`, lowest order first; of each order the natural parity first."""
        if max_order is None:
            raise ValueError("O(3) has infinitely many irreps: pass `max_order`.")
        both = [(order, parity) for order in range(max_order + 1) for parity in ("eo", "oe")[order % 2]]
        return [self.irrep(f"{order}{parity}") for order, parity in both]

    def couple(self, first: Representation, second: Representation, target: Representation) -> Tensor:
        odd = sum(rho.name.endswith("o") for rho in (first, second, target))
        return coupled(first, second, target, allowed=odd % 2 == 0)

    def standard(self) -> Representation:
        return self.irrep("1o")
