"""The start of a training of energies and forces: its molecules, its network and its loss."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from inspect import signature
from itertools import islice
from pathlib import Path
from typing import Any

from gaugenet.data import MoleculeSet
from gaugenet.models import EnergyNetwork
from gaugenet.tasks.molecules.graphs import atoms_of, mean_neighbors
from gaugenet.tasks.molecules.module import MoleculeModule
from gaugenet.tasks.molecules.options import MoleculeData
from gaugenet.tasks.molecules.parts import described_parts, open_molecules, split_molecules
from gaugenet.tasks.molecules.statistics import EnergyScale
from gaugenet.tasks.training.loading import GraphDataModule
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.progress import progress
from gaugenet.tasks.training.run import RunDescription
from gaugenet.tasks.training.task import Training

logger = logging.getLogger(__name__)

_SAMPLED = 200
"""Molecules whose neighbours are counted before the training."""


def begin(options: Mapping[str, Any], *, seed: int) -> Training:
    """Read the molecules, fit the energies of atoms, and build the network.

    Raises:
        ValueError: If an option or the data cannot be used. No file is written then.
    """
    data: MoleculeData = options["data"]
    molecules = open_molecules(data)
    parts = split_molecules(data, len(molecules))
    train, val = molecules.subset(parts.train), molecules.subset(parts.val)
    forces = _learns_forces(data, train)
    scale = EnergyScale.fit(train, data.energy, forces=forces)
    network = _network(options["model"], scale, train, seed)
    module = MoleculeModule(network, forces=forces, loss=options["loss"], options=options["optim"], seed=seed)
    stored = {**data.as_dict(), "forces": forces, "loss": asdict(options["loss"])}
    description = RunDescription(
        task="molecules",
        model="EnergyNetwork",
        arguments=network.config,
        data={**stored, "parts": described_parts(data, parts, molecules), "units": _units(molecules, data)},
        classes=[data.energy, *(["forces"] if forces else [])],
        items="molecule",
        seed=seed,
    )

    def load(run: Path) -> GraphDataModule:
        prepared = [_prepare(part, network.cutoff, data.energy, forces) for part in (train, val)]
        count = sum(p.numel() for p in network.parameters())
        logger.info("%d molecules for training, %d for validation, %d parameters.", len(train), len(val), count)
        return GraphDataModule(*prepared, batch_size=min(data.batch_size, len(train)), seed=seed)

    return Training(module, description, load)


def _learns_forces(data: MoleculeData, train: MoleculeSet) -> bool:
    if data.forces and not data.has_gradient:
        raise TaskError(f"Forces are gradients of the energy, not of {data.energy!r}: pass --data.forces false.")
    return data.forces if data.forces is not None else data.energy == "energy" and train[0].forces is not None


def _network(options: Mapping[str, Any], scale: EnergyScale, train: MoleculeSet, seed: int) -> EnergyNetwork:
    from lightning.pytorch import seed_everything

    seed_everything(seed, verbose=False)
    cutoff = float(options.get("cutoff", signature(EnergyNetwork).parameters["cutoff"].default))
    neighbors = mean_neighbors(islice(train, _SAMPLED), cutoff)
    return EnergyNetwork(
        **{**options, "cutoff": cutoff},
        elements=scale.elements,
        atomic_energies=scale.atomic_energies,
        scale=scale.scale,
        neighbors=neighbors,
    )


def _prepare(part: MoleculeSet, cutoff: float, energy: str, forces: bool) -> Sequence[Any]:
    prepared = []
    with progress(len(part), "pairs of neighbours") as bar:
        for molecule in part:
            prepared.append(atoms_of(molecule, cutoff, energy=energy, forces=forces))
            bar.advance()
    return prepared


def _units(molecules: MoleculeSet, data: MoleculeData) -> dict[str, str]:
    return {"energy": molecules.unit_of(data.energy), "length": molecules.length_unit}


__all__ = ["begin"]
