"""Kernels for any G <= O(d) by the Wigner-Eckart theorem: harmonics times intertwiners."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import O2, Representation, StructureGroup, intertwiners
from gaugenet.groups.planar import rotation_power
from gaugenet.kernels.basis import KernelBasis


class HarmonicBasis(KernelBasis):
    """`B(v) = sum_i Y_ji(v) A_i` for every angular frequency j and intertwiner A in Hom_G(Y_j x rho_in, rho_out).

    Complete and minimal up to the frequency `max_frequency`: the harmonics Y_j span the functions on the sphere and
    transform under O(d), hence under any of its subgroups (:cite:`lang2021wigner`, Theorem 4.1).

    Args:
        rho_in, rho_out: representations of one group G <= O(d).
        max_frequency: highest angular frequency j.
    """

    def __init__(self, rho_in: Representation, rho_out: Representation, max_frequency: int) -> None:
        self.rho_in, self.rho_out, self.max_frequency = rho_in, rho_out, max_frequency
        self.coefficients = torch.cat(self._solve())

    def _solve(self) -> list[Tensor]:
        sizes = [harmonic_dim(j) for j in range(self.max_frequency + 1)]
        solved = []
        for j, size in enumerate(sizes):
            y = harmonic_representation(self.rho_in.group, j)
            maps = intertwiners(y.tensor(self.rho_in), self.rho_out)
            full = torch.zeros(len(maps), self.rho_out.dim, sum(sizes), self.rho_in.dim, dtype=torch.float64)
            start = sum(sizes[:j])
            full[:, :, start : start + size] = maps.unflatten(-1, (size, self.rho_in.dim))
            mean_square = full.square().sum((1, 2, 3)) / size  # of the Frobenius norm of B over the circle
            solved.append(full / mean_square.sqrt()[:, None, None, None])
        return solved

    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        y = torch.cat([harmonics(direction, j) for j in range(self.max_frequency + 1)], -1)
        return torch.einsum("...h,bohi->...boi", y, self.coefficients.to(y))


def harmonic_dim(j: int) -> int:
    """Number of circular harmonics of frequency j."""
    return 1 if j == 0 else 2


def harmonics(direction: Float[Tensor, "*points 2"], j: int) -> Float[Tensor, "*points dim"]:
    """Y_j = (cos j t, sin j t) at a unit vector (cos t, sin t); (1) for j = 0. `Y_j(g v) = rho_j(g) Y_j(v)` on O(2)."""
    if j == 0:
        return torch.ones_like(direction[..., :1])
    return torch.stack(rotation_power(direction[..., 0], direction[..., 1], j), -1)


def harmonic_representation(group: StructureGroup, j: int) -> Representation:
    """How Y_j turns: the irrep of O(d) of order j, restricted to the group."""
    if group.d != 2:
        raise ValueError(f"Expected a group acting on R^2, got {group.name} on R^{group.d}.")
    return O2().irrep(j).restrict(group)
