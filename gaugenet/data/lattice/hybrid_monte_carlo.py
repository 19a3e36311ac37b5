"""HybridMonteCarlo: global updates of lattice gauge fields by molecular dynamics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Complex, Float
from numpy import ndarray

from gaugenet._validation import positive, positive_number
from gaugenet.data.lattice import _molecular_dynamics as dynamics
from gaugenet.data.lattice.sampler import LatticeSampler
from gaugenet.groups import UnitaryGroup


class HybridMonteCarlo(LatticeSampler):
    """A sampler with one trajectory and one Metropolis decision per update :cite:`duane1987hybrid`, for U(1) and SU(N).

    Args:
        group, shape, beta, chains, seed, start: see `LatticeSampler`.
        length: length of a trajectory, if momenta have standard deviation 1 in the basis `lie_algebra()`.
        steps: integration steps of a trajectory.
        integrator: `omelyan` (minimum norm, second order :cite:`omelyan2003symplectic`) or `leapfrog`.

    Attributes:
        energy_changes: H(end) - H(start) of the last trajectory of each chain.
        acceptance: fraction of trajectories accepted so far.

    Example:
        >>> from gaugenet.data import HybridMonteCarlo
        >>> from gaugenet.groups import SU
        >>> sampler = HybridMonteCarlo(SU(2), (4, 4), 2.0, steps=10, seed=0)
        >>> sampler.update(10)
        >>> sampler.acceptance > 0.8
        True
    """

    def __init__(
        self,
        group: UnitaryGroup,
        shape: Sequence[int],
        beta: float | Sequence[float],
        *,
        chains: int = 1,
        seed: int = 0,
        start: str = "hot",
        length: float = 1.0,
        steps: int = 10,
        integrator: str = "omelyan",
    ) -> None:
        super().__init__(group, shape, beta, chains=chains, seed=seed, start=start)
        if integrator not in ("omelyan", "leapfrog"):
            raise ValueError(f"Expected `integrator` 'omelyan' or 'leapfrog', got {integrator!r}.")
        self.length, self.steps = positive_number("length", length), positive("steps", steps)
        self.integrator = integrator
        self.energy_changes: Float[ndarray, "chains"] = np.zeros(self.chains)
        self._accepted = self._trajectories = 0
        self._basis = group.lie_algebra().numpy()

    @property
    def acceptance(self) -> float:
        return self._accepted / max(self._trajectories, 1)

    def momenta(self, chain: int) -> Complex[ndarray, "sites d n n"]:
        """Draw momenta sum_a c_a T_a with normal coefficients."""
        sites, d = self._links.shape[1:3]
        c = self._rng[chain].standard_normal((sites, d, len(self._basis)))
        return np.ascontiguousarray(np.einsum("xma,aij->xmij", c, self._basis))

    def integrate(
        self, links: Complex[ndarray, "sites d n n"], momenta: Complex[ndarray, "sites d n n"], beta: float
    ) -> None:
        """Integrate one trajectory in place; with the final momenta reversed it returns to its start."""
        size = self.length / self.steps
        omelyan = self.integrator == "omelyan"
        dynamics.trajectory(links, momenta, self._table, beta, self.group.special, size, self.steps, omelyan)

    def _update(self, chain: int) -> None:
        beta, p, proposal = self.beta[chain], self.momenta(chain), self._links[chain].copy()
        before = dynamics.energy(proposal, p, self._table, beta)
        self.integrate(proposal, p, beta)
        change = dynamics.energy(proposal, p, self._table, beta) - before
        self.energy_changes[chain] = change
        self._trajectories += 1
        draw = self._rng[chain].random()
        if math.isfinite(change) and draw < math.exp(min(0.0, -change)):
            self._links[chain] = proposal
            self._accepted += 1

    def _options(self) -> dict[str, Any]:
        return {"length": self.length, "steps": self.steps, "integrator": self.integrator}


__all__ = ["HybridMonteCarlo"]
