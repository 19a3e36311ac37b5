"""Molecular dynamics with any force function: velocity Verlet, and samples by Langevin dynamics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet._validation import positive, positive_number
from gaugenet.data.molecules.elements import atomic_masses
from gaugenet.data.molecules.md17 import write_md17
from gaugenet.data.molecules.potential import AngularLennardJones

ForceFunction = Callable[[ndarray], tuple[ndarray, ndarray]]
"""Positions `(*batch, N, 3)` -> energies `(*batch,)` and forces `(*batch, N, 3)`."""

SPEED_SQUARED = {"kJ/mol": 1e-4, "kcal/mol": 4.184e-4, "eV": 9.648533212e-3, "Hartree": 0.26254996395}
"""An energy per atomic mass unit, in (Angstrom / fs)^2, by the unit of energy (CODATA 2018)."""
_BOLTZMANN = 8.314462618e-7
"""Boltzmann's constant per atomic mass unit, in (Angstrom / fs)^2 / K."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Recorded steps of molecular dynamics.

    Attributes:
        time: `(T,)` in fs.
        pos: `(T, *batch, N, 3)` in Angstrom.
        velocity: `(T, *batch, N, 3)` in Angstrom / fs.
        potential, kinetic: `(T, *batch)` in the unit of energy.
    """

    time: Float[ndarray, "times"]
    pos: Float[ndarray, "times *batch atoms 3"]
    velocity: Float[ndarray, "times *batch atoms 3"]
    potential: Float[ndarray, "times *batch"]
    kinetic: Float[ndarray, "times *batch"]

    @property
    def total(self) -> Float[ndarray, "times *batch"]:
        """Total energy, which exact dynamics conserves."""
        return typed_array(self.potential + self.kinetic)

    @property
    def drift(self) -> float:
        """Slope of the total energy over time, in units of energy per ps: the straight line of least squares."""
        slopes = np.polyfit(self.time / 1000, self.total.reshape(len(self.time), -1), 1)[0]
        return float(np.abs(slopes).max())


def velocity_verlet(
    force: ForceFunction,
    pos: Float[ndarray, "*batch atoms 3"],
    velocity: Float[ndarray, "*batch atoms 3"],
    mass: Float[ndarray, "atoms"],
    *,
    step: float = 1.0,
    steps: int = 1000,
    every: int = 1,
    energy_unit: str = "eV",
) -> Trajectory:
    """Integrate Newton's equations by the velocity Verlet method (:cite:`swope1982computer`).

    Args:
        force: energies and forces of positions, for example a potential or a trained network.
        pos: initial positions in Angstrom.
        velocity: initial velocities in Angstrom / fs.
        mass: masses in unified atomic mass units.
        step: length of a step in fs.
        steps: number of steps.
        every: record every `every`-th step, and the start.
        energy_unit: unit of the energies; forces are in this unit per Angstrom.

    Raises:
        ValueError: If the unit is not known, a number is not positive, or forces are not finite: the step is too long.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import velocity_verlet
        >>> spring = lambda pos: (0.5 * (pos**2).sum((-1, -2)), -pos)
        >>> start = np.array([[1.0, 0, 0]])
        >>> run = velocity_verlet(spring, start, np.zeros((1, 3)), np.array([12.0]), steps=200)
        >>> bool(np.ptp(run.total) < 1e-3 * run.total[0])
        True
    """
    factor = _factor(energy_unit)
    positive_number("step", step), positive("steps", steps), positive("every", every)
    pos, velocity, m = np.array(pos, np.float64), np.array(velocity, np.float64), np.asarray(mass)[:, None]
    energy, forces = force(pos)
    rows = [(0.0, pos, velocity, energy)]
    for number in range(1, steps + 1):
        velocity = velocity + step / 2 * factor * forces / m
        pos = pos + step * velocity
        energy, forces = force(pos)
        velocity = velocity + step / 2 * factor * forces / m
        if not np.isfinite(forces).all():
            raise ValueError(f"The forces are not finite after {number * step:g} fs: use a shorter `step`.")
        if number % every == 0:
            rows.append((number * step, pos, velocity, energy))
    times, places, speeds, energies = (np.array(column) for column in zip(*rows, strict=True))
    kinetic = (m * speeds**2).sum((-1, -2)) / (2 * factor)
    return Trajectory(times, places, speeds, energies, kinetic)


def thermal_velocities(
    mass: Float[ndarray, "atoms"], temperature: float, *, seed: int = 0
) -> Float[ndarray, "atoms 3"]:
    """Return random velocities of a temperature in K, in Angstrom / fs, without motion of the centre of mass."""
    mass = np.asarray(mass)
    normal = np.random.default_rng(seed).normal(size=(len(mass), 3))
    velocity = np.sqrt(_BOLTZMANN * temperature / mass)[:, None] * normal
    return typed_array(velocity - (mass[:, None] * velocity).sum(0) / mass.sum())


def langevin_samples(
    force: ForceFunction,
    pos: Float[ndarray, "atoms 3"],
    mass: Float[ndarray, "atoms"],
    *,
    temperature: float,
    count: int,
    every: int = 100,
    walkers: int = 20,
    warmup: int = 1000,
    step: float = 1.0,
    friction: float = 0.01,
    energy_unit: str = "eV",
    seed: int = 0,
) -> Float[ndarray, "count atoms 3"]:
    """Return conformations at a temperature, by Langevin dynamics (BAOAB, :cite:`leimkuhler2013rational`).

    Args:
        force: energies and forces of positions.
        pos: the first conformation, in Angstrom.
        mass: masses in unified atomic mass units.
        temperature: in K.
        count: number of conformations.
        every: steps between two recorded conformations of one walker.
        walkers: number of independent walkers.
        warmup: steps before the first recorded one.
        step: length of a step in fs.
        friction: in 1 / fs.
        energy_unit: unit of the energies.
        seed: seed of the random numbers.

    Raises:
        ValueError: If the unit is not known, or a number is not positive.
    """
    factor = _factor(energy_unit)
    for name, number in {"temperature": temperature, "step": step, "friction": friction}.items():
        positive_number(name, number)
    positive("count", count), positive("every", every), positive("walkers", walkers)
    rng, m = np.random.default_rng(seed), np.asarray(mass)[:, None]
    x = np.repeat(np.array(pos, np.float64)[None], walkers, 0)
    thermal = np.sqrt(_BOLTZMANN * temperature / m)
    v = thermal * rng.normal(size=x.shape)
    keep = np.exp(-friction * step)
    forces = force(x)[1]
    samples: list[ndarray] = []
    for number in range(1, warmup + every * -(-count // walkers) + 1):
        v = v + step / 2 * factor * forces / m
        x = x + step / 2 * v
        v = keep * v + np.sqrt(1 - keep**2) * thermal * rng.normal(size=x.shape)
        x = x + step / 2 * v
        forces = force(x)[1]
        v = v + step / 2 * factor * forces / m
        if number > warmup and (number - warmup) % every == 0:
            samples.extend(x - x.mean(1, keepdims=True))
    return np.array(samples[:count])


def write_samples(
    path: str | Path, potential: AngularLennardJones, *, count: int, temperature: float = 300.0, seed: int = 0
) -> Float[ndarray, "atoms 3"]:
    """Write conformations of a potential as an npz in the layout of MD17; return the minimum they start from.

    Args:
        path: the file; an existing one is replaced.
        potential: the potential.
        count: number of conformations.
        temperature: in K.
        seed: seed of all random numbers.

    Example:
        >>> from gaugenet.data import AngularLennardJones, read_molecules
        >>> from gaugenet.data.molecules.dynamics import write_samples
        >>> _ = write_samples("cluster.npz", AngularLennardJones(["C", "O", "N"]), count=40)
        >>> read_molecules("cluster.npz")
        MoleculeSet(40 molecules, eV, Angstrom)
    """
    start, mass = potential.minimum(seed=seed), atomic_masses(potential.species)
    pos = langevin_samples(potential, start, mass, temperature=temperature, count=count, seed=seed)
    write_md17(path, potential.species, pos, *potential(pos), energy_unit=potential.energy_unit)
    return start


def _factor(energy_unit: str) -> float:
    if energy_unit not in SPEED_SQUARED:
        raise ValueError(f"Expected `energy_unit` as one of {', '.join(SPEED_SQUARED)}, got {energy_unit!r}.")
    return SPEED_SQUARED[energy_unit]


__all__ = ["ForceFunction", "Trajectory", "langevin_samples", "thermal_velocities", "velocity_verlet", "write_samples"]
