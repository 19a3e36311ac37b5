"""Fields of functions: band-limited functions on the sphere, and on the group itself, by their coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.composite import DirectSum
from gaugenet.groups.representations.hyperspherical import hyperspherical_harmonics
from gaugenet.groups.representations.planar import rotation_power
from gaugenet.groups.representations.spherical import harmonics_up_to

if TYPE_CHECKING:
    from gaugenet.groups.group import StructureGroup


class SphereFunctions(DirectSum):
    """The functions on the unit sphere of R^d, d > 1, of frequency at most L: the harmonics Y_0 + ... + Y_L.

    These are the quotient representations SO(d) / SO(d - 1) and O(d) / O(d - 1), truncated at L, and restricted to
    subgroups. The basis is orthonormal: |x|^2 is the mean of f^2 over the sphere.

    Args:
        group: a subgroup of O(d).
        max_order: L.

    Example:
        >>> from gaugenet.groups import SO3
        >>> SO3().sphere(2).dim  # 1 + 3 + 5
        9
    """

    def __init__(self, group: StructureGroup, max_order: int) -> None:
        self.max_order = max_order
        super().__init__([group.harmonic(l) for l in range(max_order + 1)], name=f"sphere({max_order})")

    def evaluate(self, v: Float[Tensor, "points d"]) -> Float[Tensor, "points coefficients"]:
        """Return the matrix that maps coefficients x of f to f(v) at unit vectors v, and `rho(g) x` to f(g^-1 v)."""
        if self.group.d > 2:
            y = (harmonics_up_to if self.group.d == 3 else hyperspherical_harmonics)(v, self.max_order)
        else:
            y = [torch.ones_like(v[..., :1])]
            y += [torch.stack(rotation_power(v[..., 0], v[..., 1], m), -1) for m in range(1, self.max_order + 1)]
        return torch.cat([rho.dim**0.5 * part for rho, part in zip(self.parts, y, strict=True)], -1)


class GroupFunctions(DirectSum):
    """The functions on G with Fourier coefficients in irreps of order at most L: dim / dim End copies of each.

    This is the regular representation of an infinite compact group, truncated at L. For a finite group with all its
    irreps it is the regular representation in another basis. |x|^2 is the mean of f^2 over the group.

    Args:
        group: a compact group.
        max_order: L.

    Example:
        >>> from gaugenet.groups import SO3
        >>> SO3().fourier(1).dim  # 1 + 3 x 3
        10
    """

    def __init__(self, group: StructureGroup, max_order: int) -> None:
        self.max_order = max_order
        irreps = group.irreps(max_order)
        self._columns = [_independent_columns(rho) for rho in irreps]
        copies = [rho for rho, u in zip(irreps, self._columns, strict=True) for _ in range(u.shape[1])]
        self._irreps = irreps
        super().__init__(copies, name=f"fourier({max_order})")

    def evaluate(self, h: Float[Tensor, "points d d"]) -> Float[Tensor, "points coefficients"]:
        """Return the matrix that maps coefficients x of f to f(h) at elements h, and `rho(g) x` to f(g^-1 h)."""
        parts = [
            rho.dim**0.5 * (rho(h) @ u.to(h)).mT.flatten(-2) for rho, u in zip(self._irreps, self._columns, strict=True)
        ]
        return torch.cat(parts, -1)


def _independent_columns(rho: Representation) -> Float[Tensor, "n copies"]:
    """Return a maximal set of unit vectors u with orthogonal orbits End u: rho(h) u gives all matrix coefficients."""
    n, algebra = rho.dim, rho.endomorphisms
    left = torch.eye(n, dtype=torch.float64)
    chosen: list[Tensor] = []
    while len(chosen) * len(algebra) < n:
        u = left[left.square().sum(1).argmax()]
        chosen.append(u / u.norm())
        q, _ = torch.linalg.qr((algebra @ chosen[-1]).T)
        left = left - left @ q @ q.T
    return torch.stack(chosen, 1)
