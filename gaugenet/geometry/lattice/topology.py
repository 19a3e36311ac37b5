"""Topological charge: of U(1) in two dimensions from plaquette angles, in four dimensions from the clover."""

from __future__ import annotations

import math

from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.geometry.lattice.loops import clover, plaquette
from gaugenet.groups import UnitaryGroup


def field_strength(
    links: Complex[Tensor, "batch d *shape n n"], group: UnitaryGroup, mu: int, nu: int
) -> Complex[Tensor, "batch *shape n n"]:
    """Return F_{mu nu} = (Q - Q^+) / 8 with Q the sum of the clover leaves: anti-Hermitian, for SU(N) without trace.

    It approximates a^2 times the anti-Hermitian field strength, which is i times the Hermitian one, up to O(a^4).
    """
    return group.algebra_part(clover(links, mu, nu)) / 4


def charge_density(links: Complex[Tensor, "batch d *shape n n"], group: UnitaryGroup) -> Float[Tensor, "batch *shape"]:
    """Return the density whose sum over sites is the topological charge.

    U(1), d = 2: the angle of the plaquette in (-pi, pi] divided by 2 pi; the sum is an integer, the first Chern number.
    d = 4: -1 / (32 pi^2) sum eps_{mu nu rho sigma} tr F_{mu nu} F_{rho sigma} of the clover, which is near integers
    only on smooth fields.

    Raises:
        ValueError: If there is no such charge: in d = 3, or for a non-abelian group in d = 2.
    """
    d = links.shape[1]
    if d == 2 and group.d == 1:
        return plaquette(links, 0, 1)[..., 0, 0].angle() / (2 * math.pi)
    if d != 4:
        raise ValueError(
            f"Expected U(1) in d = 2 or any group in d = 4, got {group.name} in d = {d}: it has no topological charge."
        )

    def pair(a: int, b: int, c: int, e: int) -> Tensor:
        product = field_strength(links, group, a, b) @ field_strength(links, group, c, e)
        return product.diagonal(dim1=-2, dim2=-1).sum(-1).real

    # Each of the three pairs of planes occurs eight times in the sum over the 24 permutations.
    return -(pair(0, 1, 2, 3) - pair(0, 2, 1, 3) + pair(0, 3, 1, 2)) / (4 * math.pi**2)


__all__ = ["charge_density", "field_strength"]
