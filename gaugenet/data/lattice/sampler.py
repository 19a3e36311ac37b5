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

from gaugenet._validation import not_negative, positive
from gaugenet.data.lattice._links import direction_major, neighbors, site_major
from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.arguments import lattice_shape
from gaugenet.groups import UnitaryGroup, group_from_name

_REUNITARIZE = 64
"""Number of updates after which links are projected to the group, to remove rounding errors."""


_STATE = ("sampler", "group", "shape", "beta", "seed", "start", "updates", "options", "generators")
"""What `state` returns."""


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
        self.group, self.shape = group, lattice_shape(shape)
        self.chains, self.seed, self.start = positive("chains", chains), not_negative("seed", seed), start
        self.beta = _couplings(beta, self.chains)
        self.updates = 0
        self._table = neighbors(self.shape)
        self._rng = [np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(self.chains)]
        self._links = np.stack([self._first(rng) for rng in self._rng])

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
        """Advance every chain by `count` updates.

        Raises:
            ValueError: If `count` is negative.
        """
        not_negative("count", count)
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
        """Return `count` values of an observable, each after `every` updates.

        Raises:
            ValueError: If a number is not positive, or `observable` does not return one number for each chain.
        """
        positive("count", count), positive("every", every)
        values = []
        for _ in range(count):
            self.update(every)
            value = observable(self.field)
            if not isinstance(value, Tensor) or value.shape != (self.chains,):
                got = tuple(value.shape) if isinstance(value, Tensor) else repr(value)
                raise ValueError(
                    f"Expected `observable` to return a tensor ({self.chains},), one per chain, got {got}."
                )
            values.append(value.detach().numpy().copy())
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

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write links and state to a NetCDF file (`.nc`) or a Zarr store (`.zarr`).

        Raises:
            ValueError: If `path` exists and `overwrite` is false, or it has another ending.
        """
        from gaugenet.data.lattice.files import write_links

        state = {"sampler_state": json.dumps(self.state())}
        write_links(path, self.links, self.group, attributes=state, overwrite=overwrite)

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
        try:
            state = json.loads(found.attributes["sampler_state"])
        except ValueError as error:
            raise ValueError(f"Expected the state of a sampler in {path}: {error}; the file is damaged.") from error
        kinds: dict[str, type[LatticeSampler]] = {kind.__name__: kind for kind in [cls, *_subclasses(cls)]}
        kind = state.get("sampler") if isinstance(state, dict) else None
        if kind not in kinds:
            raise ValueError(f"Expected the state of {cls.__name__} in {path}, got one of {kind}.")
        return kinds[kind].resume(state, found.links)

    @classmethod
    def resume(cls, state: dict[str, Any], links: Complex[Tensor, "chains d *shape n n"]) -> LatticeSampler:
        """Return a sampler with this state and these links.

        Raises:
            ValueError: If the state is incomplete or belongs to another kind of sampler, or the links do not fit it.
        """
        missing = [key for key in _STATE if key not in state]
        if missing:
            raise ValueError(f"Expected the state of a sampler, as `state()` returns it, got one without {missing}.")
        if state["sampler"] != cls.__name__:
            raise ValueError(f"Expected the state of {cls.__name__}, got one of {state['sampler']}.")
        group = group_from_name(state["group"])
        options = {"chains": len(state["beta"]), "seed": state["seed"], "start": "cold", **state["options"]}
        sampler = cls(group, state["shape"], state["beta"], **options)  # type: ignore[arg-type]
        sampler.start, sampler.updates = state["start"], state["updates"]
        field = LatticeGaugeField(links.detach().cpu(), sampler.group)
        if (field.batch_size, field.shape) != (sampler.chains, sampler.shape):
            raise ValueError(
                f"Expected links of {sampler.chains} chains on {sampler.shape} as the state says, got {field!r}."
            )
        sampler._links = np.stack([site_major(u) for u in field.links.to(torch.complex128).resolve_conj().numpy()])
        for rng, saved in zip(sampler._rng, state["generators"], strict=True):
            rng.bit_generator.state = saved
        return sampler

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape))
        return f"{type(self).__name__}({self.group.name}, {size}, chains={self.chains}, updates={self.updates})"


def _couplings(beta: float | Sequence[float], chains: int) -> Float[ndarray, "chains"]:
    """Return the coupling of each chain, or raise `ValueError`."""
    try:
        values = np.asarray(beta, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected `beta` as a number, or one for each chain, got {beta!r}.") from error
    if values.shape not in {(), (1,), (chains,)}:
        raise ValueError(
            f"Expected `beta` as one number, or one for each of {chains} chains, got shape {values.shape}: pass "
            f"`chains={values.size}`."
        )
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"Expected `beta` to be finite and not negative, got {beta}.")
    return np.broadcast_to(values, (chains,)).copy()


def _subclasses(cls: type[LatticeSampler]) -> list[type[LatticeSampler]]:
    found = cls.__subclasses__()
    return [*found, *(deeper for kind in found for deeper in _subclasses(kind))]


__all__ = ["LatticeSampler"]
