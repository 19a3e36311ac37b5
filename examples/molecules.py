"""Energies and forces of a cluster of atoms: learned from conformations, and used for molecular dynamics.

    python examples/molecules.py [--train 500] [--epochs 80] [--picoseconds 10] [--out molecules.png]

An analytic potential (Lennard-Jones and a term of angles) of nine atoms is sampled at 300 K, and written in the layout
of MD17: `--data FILE.npz` trains on a file of MD17 or rMD17 instead. A network learns energies, and forces as their
gradient. Then the cluster moves by the learned forces: as they have an energy, it is conserved.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from gaugenet.data import AngularLennardJones, Trajectory, read_molecules, thermal_velocities, velocity_verlet
from gaugenet.data.molecules.dynamics import write_samples
from gaugenet.data.molecules.elements import atomic_masses
from gaugenet.tasks import MoleculeData, MoleculePredictor, evaluate_molecules, train_molecules

SPECIES = ["C", "C", "C", "O", "O", "N", "C", "N", "C"]
TEMPERATURE, STEP = 300.0, 1.0
NETWORK = {"cutoff": 4.0, "channels": 32, "depth": 2, "rings": 12}


@dataclass
class Learned:
    """A trained network with its scores."""

    predictor: MoleculePredictor
    scores: dict
    truth: np.ndarray
    found: np.ndarray


def learn(path: Path, run: Path, *, train: int, epochs: int) -> Learned:
    """Train on a part of the file, and score on 200 molecules of the rest."""
    data = MoleculeData(path=str(path), train_size=train, val_size=max(1, train // 10), limit=train + train // 10 + 200)
    trainer = {"max_epochs": epochs, "accelerator": "cpu"}
    train_molecules(run, data=data, model=NETWORK, trainer=trainer, overwrite=True)
    scores = evaluate_molecules(run, path, overwrite=True)
    with np.load(run / "predictions_test.npz") as arrays:
        return Learned(MoleculePredictor(run), scores, arrays["forces/truth"], arrays["forces/prediction"])


def moved(force, path: Path, picoseconds: float, unit: str) -> Trajectory:
    """Return dynamics from the first molecule of a file, with velocities of the temperature."""
    first = read_molecules(path)[0]
    mass = atomic_masses(first.species)
    velocity = thermal_velocities(mass, TEMPERATURE, seed=1)
    steps = round(1000 * picoseconds / STEP)
    return velocity_verlet(force, first.pos, velocity, mass, step=STEP, steps=steps, every=5, energy_unit=unit)


def report(name: str, run: Trajectory, unit: str) -> None:
    """Print how well dynamics conserve energy."""
    atoms = run.pos.shape[1]
    error = np.abs(run.total - run.total.mean()).max()
    print(
        f"{name:<16} {run.time[-1] / 1000:.2g} ps: energy within {error:.2e} {unit} of its mean "
        f"({100 * error / np.ptp(run.potential):.2f} % of the range of the potential energy), "
        f"drift {run.drift / atoms:.1e} {unit}/ps per atom"
    )


def draw(out: str, learned: Learned, runs: dict[str, Trajectory], unit: str) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(learned.truth.ravel(), learned.found.ravel(), ".", markersize=2)
    ends = [learned.truth.min(), learned.truth.max()]
    left.plot(ends, ends, linewidth=0.8, color="black")
    left.set(xlabel=f"true force component [{unit}/Angstrom]", ylabel="learned")
    for name, run in runs.items():
        zero = run.total[0]
        (line,) = right.plot(run.time / 1000, run.potential - zero, linewidth=0.4, alpha=0.5)
        right.plot(run.time / 1000, run.total - zero, color=line.get_color(), label=f"{name} forces: total energy")
    right.set(xlabel="time [ps]", ylabel=f"energy [{unit}]; thin: potential energy")
    right.set_ylim(top=0.15)
    right.legend(frameon=False, loc="upper right")
    figure.savefig(out, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="npz of MD17 or rMD17; by default samples of the potential")
    for name, kind, default in (("train", int, 500), ("epochs", int, 80), ("picoseconds", float, 10.0)):
        parser.add_argument(f"--{name}", type=kind, default=default)
    parser.add_argument("--out", default="molecules.png")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, potential = args.data, AngularLennardJones(SPECIES)
        if path is None:
            path = Path(folder) / "cluster.npz"
            write_samples(path, potential, count=args.train + args.train // 10 + 200, temperature=TEMPERATURE)
        start = time.process_time()
        learned = learn(path, Path(folder) / "run", train=args.train, epochs=args.epochs)
        print(f"trained on {args.train} molecules, {time.process_time() - start:.0f} s of CPU")
        forces, energy, unit = learned.scores["forces"], learned.scores["energy"], learned.predictor.energy_unit
        print(f"forces: MAE {forces['mae']:.4g} {unit}/Angstrom, {100 * forces['relative_mae']:.2f} % of their RMS")
        print(f"energy: MAE {energy['mae']:.4g} {unit}")
        start = time.process_time()
        function = learned.predictor.force_function(read_molecules(path)[0].species)
        runs = {"learned": moved(function, path, args.picoseconds, unit)}
        if args.data is None:
            runs["exact"] = moved(potential, path, args.picoseconds, unit)
        for name, run in runs.items():
            report(f"{name} forces,", run, unit)
        print(f"dynamics: {time.process_time() - start:.0f} s of CPU")
        draw(args.out, learned, runs, unit)


if __name__ == "__main__":
    main()
