"""Energies and forces of new molecules: extended XYZ, arrays, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gaugenet.data import MoleculeSet, read_molecules, write_extended_xyz, write_md17
from gaugenet.files import check_outputs, files_in, unique_names, write_json, write_npz
from gaugenet.tasks.molecules.inference import MoleculePredictor, Predicted
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.run import Which

SUMMARY = "predictions.json"


def predict_molecules(
    run: str | Path,
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    overwrite: bool = False,
    weights: Which = "best",
    device: str | None = None,
) -> list[dict[str, Any]]:
    """Predict energies and forces; files that cannot be used are skipped and reported.

    For `NAME.xyz` the folder `out` receives `NAME.predicted.xyz` (extended XYZ), and `NAME.predicted.npz`: in the
    layout of MD17 if all molecules have the same atoms in the same order; otherwise with the atoms of all molecules
    one after another, and `num_atoms`.

    Args:
        run: folder of the run.
        paths: files and folders of molecules, in any layout that `read_molecules` knows.
        out: folder for the results, created if missing.
        overwrite: replace outputs that exist. Inputs and runs are never replaced.
        weights: as in `MoleculePredictor`.
        device: as in `MoleculePredictor`.

    Returns:
        A dictionary for each path, as in `predictions.json`: `file`, `name`, and either `error` or the number of
        molecules and the range of the predictions.

    Raises:
        RunError: If the run is not complete.
        TaskError: If there are no paths.
        OutputError: If an output is an input, or exists.
    """
    if not paths:
        raise TaskError("No molecules: name files or folders.")
    out, files = Path(out), [Path(path) for path in paths]
    names = unique_names([path.name.partition(".")[0] for path in files])
    outputs = [out / SUMMARY, *(out / f"{name}.predicted.{ending}" for name in names for ending in ("xyz", "npz"))]
    check_outputs(outputs, inputs=[*files, *files_in(run)], overwrite=overwrite)
    predictor = MoleculePredictor(run, weights=weights, device=device)
    entries: list[dict[str, Any]] = []
    for path, name in zip(files, names, strict=True):
        entry: dict[str, Any] = {"file": str(path), "name": name}
        try:
            molecules = read_molecules(path)
            found = list(predictor(molecules))
        except (ValueError, OSError) as error:
            entries.append(entry | {"error": f"{path}: {error}"})
            continue
        _write(out, name, molecules, found, predictor)
        energies = [one.energy for one in found]
        about = {"target": predictor.data.energy, "unit": predictor.energy_unit}
        entries.append(entry | {"molecules": len(found), **about, "lowest": min(energies), "highest": max(energies)})
    write_json(out / SUMMARY, {"run": str(run), "files": entries})
    return entries


def _write(
    out: Path, name: str, molecules: MoleculeSet, found: Sequence[Predicted], predictor: MoleculePredictor
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_extended_xyz(out / f"{name}.predicted.xyz", _with_predictions(molecules, found, predictor))
    path, species = out / f"{name}.predicted.npz", molecules[0].species
    energy = np.array([one.energy for one in found])
    forces = [one.forces for one in found if one.forces is not None]
    equal = all(np.array_equal(one.species, species) for one in molecules)
    if equal and forces and molecules[0].cell is None:
        pos, unit = np.stack([one.pos for one in molecules]), predictor.energy_unit
        write_md17(path, species, pos, energy, np.stack(forces), energy_unit=unit, length_unit=molecules.length_unit)
        return
    arrays = {"num_atoms": np.array([len(one) for one in molecules]), predictor.data.energy: energy}
    arrays["species"] = np.concatenate([one.species for one in molecules])
    arrays["pos"] = np.concatenate([one.pos for one in molecules])
    arrays |= {"forces": np.concatenate(forces)} if forces else {}
    write_npz(path, arrays)


def _with_predictions(molecules: MoleculeSet, found: Sequence[Predicted], predictor: MoleculePredictor) -> MoleculeSet:
    """Return the molecules with predicted values alone, so that nothing given is taken for a prediction."""
    changed, target = [], predictor.data.energy
    for molecule, one in zip(molecules, found, strict=True):
        energy = one.energy if one.forces is not None else None
        properties = {} if energy is not None else {target: one.energy}
        changed.append(replace(molecule, energy=energy, forces=one.forces, properties=properties))
    unit = predictor.energy_unit if any(molecule.energy is not None for molecule in changed) else ""
    return MoleculeSet(changed, energy_unit=unit, length_unit=molecules.length_unit)


__all__ = ["predict_molecules"]
