"""The finite subgroups of O(3) with several axes: tetrahedral, octahedral and icosahedral groups."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._caching import cached
from gaugenet.groups.families.o3 import O3
from gaugenet.groups.group import FiniteGroup
from gaugenet.groups.intertwiners.closure import closure
from gaugenet.groups.intertwiners.peter_weyl import constituents, subrepresentation
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.composite import Restricted

SYMBOLS = ("T", "O", "I", "T_d", "T_h", "O_h", "I_h")
PHI = (1 + math.sqrt(5)) / 2

# The irrep of O(3) in which each irrep first occurs, and its own dimension.
_TETRAHEDRAL = {"A": ("0", 1), "T": ("1", 3), "E": ("2", 2)}
_OCTAHEDRAL = {"A1": ("0", 1), "T1": ("1", 3), "E": ("2", 2), "T2": ("2", 3), "A2": ("3", 1)}
_ICOSAHEDRAL = {"A": ("0", 1), "T1": ("1", 3), "H": ("2", 5), "T2": ("3", 3), "G": ("3", 4)}
_REFLECTED = {"A1": ("0e", 1), "A2": ("0o", 1), "T2": ("1o", 3), "T1": ("1e", 3), "E": ("2e", 2)}
ROTATIONS = {"T": _TETRAHEDRAL, "O": _OCTAHEDRAL, "I": _ICOSAHEDRAL}


class Polyhedral(FiniteGroup):
    """A polyhedral group by its Schoenflies symbol. Irreps have their Mulliken symbols; the trivial one is `0`.

    ======= ======== ==================================== =========================================================
    symbol  elements symmetries of                        irreps other than the trivial one (`A`, `A1`, `Ag`, `A1g`)
    ======= ======== ==================================== =========================================================
    `T`     12       a tetrahedron (rotations)            `T`, `E` (of complex type)
    `O`     24       a cube (rotations)                   `T1`, `E`, `T2`, `A2`
    `I`     60       an icosahedron (rotations)           `T1`, `H`, `T2`, `G`
    `T_d`   24       a tetrahedron                        `A2`, `T2`, `T1`, `E`
    `T_h`   24       a pyritohedron (T and the inversion) `Tg`, `Eg`, and odd `Au`, `Tu`, `Eu`
    `O_h`   48       a cube                               `T1g`, `Eg`, `T2g`, `A2g`, and odd `A1u`, `T1u`, ...
    `I_h`   120      an icosahedron                       `T1g`, `Hg`, `T2g`, `Gg`, and odd `Au`, `T1u`, ...
    ======= ======== ==================================== =========================================================

    The axes meet the faces of the cube in their centres. The tetrahedron has the vertex (1, 1, 1). The icosahedron has
    the vertex (0, 1, phi), with cyclic permutations and changes of sign. An irrep is the restriction of the irrep of
    O(3) of lowest order in which it occurs, or a part of it in the basis of the spherical harmonics. Vectors are of
    order 1, by the matrix itself.

    Args:
        symbol: one of the symbols in the table.

    Raises:
        ValueError: If the symbol is not in the table.

    Example:
        >>> from gaugenet.groups import SO3, Polyhedral
        >>> cube = Polyhedral("O")
        >>> [(rho.name, rho.dim) for rho in cube.irreps()]
        [('0', 1), ('T1', 3), ('E', 2), ('T2', 3), ('A2', 1)]
        >>> SO3().irrep(2).restrict(cube).decompose().labels
        ['E', 'T2']
    """

    d = 3

    def __init__(self, symbol: str) -> None:
        if symbol not in SYMBOLS:
            raise ValueError(f"Unknown polyhedral group {symbol!r}: expected one of {', '.join(SYMBOLS)}.")
        self.name = symbol
        self.orientation_preserving = "_" not in symbol

    def generators(self) -> Tensor:
        """Return rotations about two axes and, where there is one, a reflection or the inversion."""
        return _generators(self.name)

    def _make_elements(self) -> Tensor:
        return _elements(self.name)

    @property
    def _table(self) -> dict[str, tuple[str, int]]:
        """Label -> (irrep of O(3), dimension)."""
        if self.name == "T_d":
            return _REFLECTED
        rotations = ROTATIONS[self.name[0]]
        natural = {label: (f"{l}{'eo'[int(l) % 2]}", dim) for label, (l, dim) in rotations.items()}
        if self.orientation_preserving:
            return natural
        both: dict[str, tuple[str, int]] = {}
        for parity, o3 in zip("gu", "eo", strict=True):
            both |= {label + parity: (source[:-1] + o3, dim) for label, (source, dim) in natural.items()}
        return both

    def irrep(self, label: int | str) -> Representation:
        table = self._table
        text = str(label).strip()
        name = next(iter(table)) if text == "0" else text
        if name not in table:
            labels = ", ".join(f"`{name}`" for name in ["0", *list(table)[1:]])
            raise ValueError(
                f"Unknown representation {label!r} of {self.name}: expected one of {labels}, `regular`, `standard`, ..."
            )
        return _irrep(self, name, *table[name])

    def irreps(self, max_order: int | None = None) -> list[Representation]:
        """Return the irreps, sorted by the order of the harmonics in which they first occur."""
        orders = {label: int(source.rstrip("eo")) for label, (source, _) in self._table.items()}
        labels = sorted(orders, key=orders.__getitem__)
        return [self.irrep(label) for label in labels if max_order is None or orders[label] <= max_order]

    def standard(self) -> Representation:
        return self.irrep(next(label for label, (source, _) in self._table.items() if source == "1o"))


@lru_cache(maxsize=128)
def _irrep(group: Polyhedral, name: str, source: str, dim: int) -> Representation:
    whole = O3().irrep(source)
    order = whole.order or 0
    if whole.is_trivial:
        return group.trivial()
    if whole.dim == dim:
        return Representation(group, name, dim, whole, order=order)
    harmonics = Restricted(whole, group)
    part = next(b for b in constituents(harmonics) if b.shape[1] == dim)
    return subrepresentation(harmonics, part, name, order)


@cached
def _generators(symbol: str) -> Float[Tensor, "count 3 3"]:
    rotation = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]  # about (1, 1, 1)
    second = {
        "T": [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
        "O": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
        "I": [[1 / (2 * PHI), -PHI / 2, 0.5], [PHI / 2, 0.5, 1 / (2 * PHI)], [-0.5, 1 / (2 * PHI), PHI / 2]],
    }
    extra = {"d": [[0, 1, 0], [1, 0, 0], [0, 0, 1]], "h": [[-1, 0, 0], [0, -1, 0], [0, 0, -1]]}
    chosen = [rotation, second[symbol[0]]] + ([extra[symbol[-1]]] if "_" in symbol else [])
    return torch.tensor(chosen, dtype=torch.float64)


@cached
def _elements(symbol: str) -> Float[Tensor, "order 3 3"]:
    """Return all products, with entries among 0, 1/2, phi/2, 1/(2 phi), 1 and their negatives, free of rounding."""
    return closure(_generators(symbol), clean=_snap)


def _snap(g: Tensor) -> Tensor:
    exact = torch.tensor([0, 0.5, PHI / 2, (PHI - 1) / 2, 1], dtype=torch.float64)
    exact = torch.cat([-exact[1:], exact])
    return exact[(g[..., None] - exact).abs().argmin(-1)]
