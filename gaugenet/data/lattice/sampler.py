"""LatticeSampler: Markov chains of lattice gauge fields, seeded and resumable."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float
from numpy import ndarray
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.data.lattice._links import direction_major, neighbors, site_major
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import UnitaryGroup, group_from_name

_REUNITARIZE = 64
"""Number of updates after which links are projected to the group, to remove rounding errors."""


class LatticeSampler(ABC):
    """Independent Markov chains of density exp(-S), with the Wilson action S :cite:`wilson1974confinement`.

    Each chain has its own random numbers, so it does not depend on the number of chains. `state` and `resume`, or
    `save` and `load`, continue a run with the same numbers as without interruption. For kinds of samplers see
    `HeatBath` and `HybridMonteCarlo`.

    Args:
        group: `U1()` or `SU(N)`.
        shape: number of sites along each axis, at least 3.
        beta: the coupling, or one for each chain.
        chains: number of chains.
        seed: seed of the random numbers.
        start: `hot` (Haar-distributed links) or `cold` (all links are the identity).

    Raises:
        ValueError: If an argument is invalid.
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
    ) -> None:
        if not isinstance(group, UnitaryGroup) or (group.d > 1 and not group.special):
            raise ValueError(f"Expected `group` as `U1()` or `SU(N)`, got {group!r}.")
        if start not in ("hot", "cold"):
            raise ValueError(f"Expected `start` 'hot' or 'cold', got {start!r}.")
        self.group, self.shape = group, tuple(int(n) for n in shape)
        self.chains, self.seed, self.start = positive("chains", chains), int(seed), start
        self.beta = np.broadcast_to(np.asarray(beta, dtype=np.float64), (self.chains,)).copy()
        if not (np.isfinite(self.beta) & (self.beta >= 0)).all():
            raise ValueError(f"Expected `beta` to be finite and not negative, got {beta}.")
        self.updates = 0
        self._table = neighbors(self.shape)
        self._rng = [np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(self.chains)]
        self._links = np.stack([self._first(rng) for rng in self._rng])
        _ = self.field  # checks the shape

    def _first(self, rng: np.random.Generator) -> Complex[ndarray, "sites d n n"]:
        size = (int(np.prod(self.shape)), len(self.shape))
        if self.start == "cold":
            return np.broadcast_to(self.group.identity().numpy(), (*size, self.group.d, self.group.d)).copy()
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        return self.group.random_element(size, generator=generator).numpy()

    # --- chains ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def _update(self, chain: int) -> None:
        """Update one chain in place."""

    @abstractmethod
    def _options(self) -> dict[str, Any]:
        """Return the keyword arguments of this kind of sampler."""

    def update(self, count: int = 1) -> None:
        """Advance every chain by `count` updates."""
        for _ in range(count):
            for chain in range(self.chains):
                self._update(chain)
            self.updates += 1
            if self.updates % _REUNITARIZE == 0:
                self._links = self.group.project(torch.from_numpy(self._links)).numpy()

    def measure(
        self,
        count: int,
        *,
        every: int = 1,
        observable: Callable[[LatticeGaugeField], Tensor] = LatticeGaugeField.mean_plaquette,
    ) -> Float[ndarray, "measurements chains"]:
        """Return `count` values of an observable, each after `every` updates."""
        values = []
        for _ in range(count):
            self.update(every)
            values.append(observable(self.field).detach().numpy().copy())
        return np.array(values)

    @property
    def links(self) -> Complex[Tensor, "chains d *shape n n"]:
        """Copy of the links of all chains."""
        return torch.from_numpy(np.stack([direction_major(u, self.shape) for u in self._links]))

    @property
    def field(self) -> LatticeGaugeField:
        """The current configurations as a domain."""
        return LatticeGaugeField(self.links, self.group, check=False)

    # --- state ----------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what a run needs to continue in addition to the links, as numbers and strings."""
        return {
            "sampler": type(self).__name__,
            "group": self.group.name,
            "shape": list(self.shape),
            "beta": self.beta.tolist(),
            "seed": self.seed,
            "start": self.start,
            "updates": self.updates,
            "options": self._options(),
            "generators": [rng.bit_generator.state for rng in self._rng],
        }

    def save(self, path: str | Path) -> None:
        """Write links and state to a NetCDF file (`.nc`) or a Zarr store (`.zarr`)."""
        from gaugenet.data.lattice.files import write_links

        write_links(path, self.links, self.group, attributes={"sampler_state": json.dumps(self.state())})

    @classmethod
    def load(cls, path: str | Path) -> LatticeSampler:
        """Return the sampler that `save` wrote.

        Raises:
            ValueError: If the file does not contain the state of a sampler of this class.
        """
        from gaugenet.data.lattice.files import read_links

        found = read_links(path)
        if "sampler_state" not in found.attributes:
            raise ValueError(f"Expected {path} to be written by `save`, got links without the state of a sampler.")
        state = json.loads(found.attributes["sampler_state"])
        kinds: dict[str, type[LatticeSampler]] = {kind.__name__: kind for kind in [cls, *_subclasses(cls)]}
        if state["sampler"] not in kinds:
            raise ValueError(f"Expected the state of {cls.__name__} in {path}, got one of {state['sampler']}.")
        return kinds[state["sampler"]].resume(state, found.links)

    @classmethod
    def resume(cls, state: dict[str, Any], links: Complex[Tensor, "chains d *shape n n"]) -> LatticeSampler:
        """Return a sampler with this state and these links."""
        group = group_from_name(state["group"])
        options = {"chains": len(state["beta"]), "seed": state["seed"], "start": "cold", **state["options"]}
        sampler = cls(group, state["shape"], state["beta"], **options)  # type: ignore[arg-type]
        sampler.start, sampler.updates = state["start"], state["updates"]
        sampler._links = np.stack([site_major(u) for u in links.numpy()])
        for rng, saved in zip(sampler._rng, state["generators"], strict=True):
            rng.bit_generator.state = saved
        return sampler

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape))
        return f"{type(self).__name__}({self.group.name}, {size}, chains={self.chains}, updates={self.updates})"


def _subclasses(cls: type[LatticeSampler]) -> list[type[LatticeSampler]]:
    found = cls.__subclasses__()
    return [*found, *(deeper for kind in found for deeper in _subclasses(kind))]


__all__ = ["LatticeSampler"]
