"""HeatBath: local updates of lattice gauge fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gaugenet._validation import not_negative
from gaugenet.data.lattice._local_updates import sweep
from gaugenet.data.lattice.sampler import LatticeSampler
from gaugenet.groups import UnitaryGroup


class HeatBath(LatticeSampler):
    """A sampler whose update is one heat bath sweep, followed by sweeps of overrelaxation.

    For U(1) the angle has a von Mises density. SU(2) uses the algorithms of Creutz and of Kennedy and Pendleton
    :cite:`kennedy1985improved`, SU(N) the same in the SU(2) subgroups of all pairs of rows :cite:`cabibbo1982new`.
    Overrelaxation reflects a link at its staple, which does not change the action.

    At large beta the topological charge of U(1) in two dimensions, and of SU(N) in four, rarely changes. Means over all
    charges then need several chains with `start="hot"`, or much longer chains.

    Args:
        group, shape, beta, chains, seed, start: see `LatticeSampler`.
        overrelaxation: number of overrelaxation sweeps for each heat bath sweep.

    Example:
        >>> from gaugenet.data import HeatBath, binned_mean
        >>> from gaugenet.groups import SU
        >>> sampler = HeatBath(SU(2), (4, 4), 2.0, chains=4, overrelaxation=3)
        >>> sampler.update(20)
        >>> sampler.measure(20).shape  # pass it to binned_mean
        (20, 4)
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
        overrelaxation: int = 1,
    ) -> None:
        super().__init__(group, shape, beta, chains=chains, seed=seed, start=start)
        self.overrelaxation = not_negative("overrelaxation", overrelaxation)

    def _update(self, chain: int) -> None:
        arguments = (self._links[chain], self._table, self.beta[chain])
        sweep(*arguments, True, self._rng[chain])
        for _ in range(self.overrelaxation):
            sweep(*arguments, False, self._rng[chain])

    def _options(self) -> dict[str, Any]:
        return {"overrelaxation": self.overrelaxation}


__all__ = ["HeatBath"]
