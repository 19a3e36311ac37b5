"""Exterior powers of R^d: how the blades of one grade transform."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.representations.base import Representation

if TYPE_CHECKING:
    from gaugenet.groups.group import StructureGroup


class ExteriorPower(Representation):
    """The exterior power Lambda^k: g acts on the blades of grade k, in lexicographic order, by its k x k minors.

    Args:
        group: G <= GL(d).
        grade: k, from 0 to d.

    Example:
        >>> from gaugenet.groups import SO3
        >>> planes = SO3().exterior(2)  # e12, e13, e23
        >>> planes.dim, planes.decompose().labels
        (3, ['1'])
    """

    def __init__(self, group: StructureGroup, grade: int) -> None:
        self.grade = grade
        blades = list(itertools.combinations(range(group.d), grade))
        super().__init__(group, f"exterior({grade})", len(blades), lambda g: minors(g, grade))


@lru_cache(maxsize=1024)
def exterior_power(group: StructureGroup, grade: int) -> Representation:
    """Return Lambda^k, as an irrep where one has the same matrices: `0`, the matrix itself, the determinant.

    For groups that preserve orientation the blade of highest grade is invariant. It is still named `exterior(d)`, so
    that a field type says which grade a block has.
    """
    if grade == 0:
        return group.trivial()
    if grade == 1:
        return group.standard()
    if grade == group.d and not group.orientation_preserving:
        g = torch.cat([group.generators(), group.random_element(8, generator=torch.Generator().manual_seed(0))])
        for irrep in _signs(group):
            if bool((irrep(g)[..., 0, 0] - torch.linalg.det(g)).abs().max() < 1e-9):
                return irrep
    return ExteriorPower(group, grade)


def _signs(group: StructureGroup) -> list[Representation]:
    """Return the irreps of dimension one and order zero."""
    limit = None if group.order is not None else 0
    return [rho for rho in group.irreps(limit) if rho.dim == 1 and not rho.is_trivial]


def minors(g: Float[Tensor, "*batch d d"], k: int) -> Float[Tensor, "*batch minors minors"]:
    """Return all k x k minors of g, rows and columns in lexicographic order.

    Expanded along the first row of each, so that they are polynomials: exact for matrices of integers, and with
    derivatives everywhere.
    """
    d = g.shape[-1]
    if k == 0:
        return g.new_ones(*g.shape[:-2], 1, 1)
    found = g
    for size in range(2, k + 1):
        subsets = torch.tensor(list(itertools.combinations(range(d), size)))
        position = {s: i for i, s in enumerate(itertools.combinations(range(d), size - 1))}
        rest = torch.tensor(
            [[position[s[:m] + s[m + 1 :]] for m in range(size)] for s in itertools.combinations(range(d), size)]
        )
        rows, below = subsets[:, 0], rest[:, 0]  # the first row, and the minor of the other rows
        terms = [
            (-1) ** m * g[..., rows[:, None], subsets[None, :, m]] * found[..., below[:, None], rest[None, :, m]]
            for m in range(size)
        ]
        found = torch.stack(terms).sum(0)
    return found


__all__ = ["ExteriorPower", "exterior_power", "minors"]
