"""Harmonics Y_j of O(d) on the sphere of directions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups.representations.hyperspherical import hyperspherical_dim, hyperspherical_harmonics
from gaugenet.groups.representations.planar import rotation_power
from gaugenet.groups.representations.spherical import harmonics_up_to


def harmonic_dim(d: int, j: int) -> int:
    """Return the number of harmonics of frequency j on the sphere in R^d; 0 for j > 1 on the two points of R^1."""
    if d == 1:
        return int(j <= 1)
    return (1 if j == 0 else 2) if d == 2 else hyperspherical_dim(d, j)


def harmonics(direction: Float[Tensor, "*points d"], j: int) -> Float[Tensor, "*points dim"]:
    """Return Y_j at unit vectors, a vector of length one, with `Y_j(g v) = rho_j(g) Y_j(v)` for g in O(d).

    rho_j is `StructureGroup.harmonic`. For d = 1 the harmonics are 1 and the sign; for d = 2, 1 and (cos j t, sin j t);
    for d = 3 spherical harmonics; for d > 3 `hyperspherical_harmonics`. Always Y_0 = 1 and Y_1(v) = v.
    """
    return harmonics_of(direction, [j])[0]


def harmonics_of(
    direction: Float[Tensor, "*points d"], frequencies: Sequence[int]
) -> list[Float[Tensor, "*points dim"]]:
    """Return Y_j for several frequencies j."""
    d = direction.shape[-1]
    if d == 1:
        return [torch.ones_like(direction) if j == 0 else direction for j in frequencies]
    if d == 2:
        return [_circular(direction, j) for j in frequencies]
    all_of_them = (harmonics_up_to if d == 3 else hyperspherical_harmonics)(direction, max(frequencies, default=0))
    return [all_of_them[j] for j in frequencies]


def _circular(direction: Tensor, j: int) -> Tensor:
    if j == 0:
        return torch.ones_like(direction[..., :1])
    return torch.stack(rotation_power(direction[..., 0], direction[..., 1], j), -1)
