"""Scores of energies and forces on a part of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.data import DataError, Molecule, MoleculeSet, read_indices
from gaugenet.files import check_results, files_in, write_json, write_npz
from gaugenet.tasks.molecules.inference import MoleculePredictor, Predicted
from gaugenet.tasks.molecules.parts import Split, open_molecules, part_of_run
from gaugenet.tasks.training.progress import progress
from gaugenet.tasks.training.run import Which

_RESULTS = ("evaluation_{split}.json", "predictions_{split}.npz", "parity_{split}.png", "errors_{split}.png")


def evaluate_molecules(
    run: str | Path,
    data: str | Path,
    *,
    split: Split = "test",
    indices: str | Path | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    weights: Which = "best",
    device: str | None = None,
) -> dict[str, Any]:
    """Score a run, and write `evaluation_<split>.json`, `predictions_<split>.npz` and pictures.

    Scores are the mean absolute and the root mean square errors of energies, of energies per atom, and of the
    components of forces, in the units of the data; and of forces relative to their root mean square.

    Args:
        run: folder of the run.
        data: file or folder of molecules.
        split: `test` are all molecules that were used neither in training nor in validation. For other data: `all`.
        indices: file with the positions of the molecules to score, instead of `split`.
        out: folder for the results, by default the run.
        overwrite: replace an earlier evaluation of this part.
        weights: as in `MoleculePredictor`.
        device: as in `MoleculePredictor`.

    Raises:
        RunError, TaskError, DataError: If the run is incomplete, or data cannot be used.
        OutputError: If there are results already.
    """
    folder = Path(run) if out is None else Path(out)
    name = Path(indices).stem if indices is not None else split
    names = [pattern.format(split=name) for pattern in _RESULTS]
    check_results(folder, names, inputs=files_in(run), overwrite=overwrite)
    predictor = MoleculePredictor(run, weights=weights, device=device)
    options = replace(predictor.data, path=str(data))
    molecules = open_molecules(options)
    if indices is not None:
        chosen = read_indices(indices, len(molecules))
    else:
        chosen = part_of_run(predictor.description.data["parts"], options, molecules, split)
    part = molecules.subset(chosen)
    given, trained = part.unit_of(predictor.data.energy), predictor.energy_unit
    if given and trained and given != trained:
        raise DataError(
            f"{data}: {predictor.data.energy} is in {given}, that of the training was in {trained}: convert it."
        )
    truth = np.array([molecule.target(predictor.data.energy) for molecule in part])
    found = []
    with progress(len(part), f"evaluating {name}") as bar:
        for one in predictor(part):
            found.append(one)
            bar.advance()
    result = {
        **{"run": str(run), "task": "molecules", "split": name, "weights": weights, "molecules_scored": len(part)},
        **{"target": predictor.data.energy, "energy_unit": predictor.energy_unit, "force_unit": predictor.force_unit},
        **scores(part, truth, found),
    }
    _write(folder, name, result, chosen, part, truth, found)
    return result


def scores(part: MoleculeSet, truth: ndarray, found: Sequence[Predicted]) -> dict[str, Any]:
    """Return the scores by quantity: `energy`, `energy_per_atom`, and `forces` if both sides have them."""
    error = np.array([one.energy for one in found]) - truth
    sizes = np.array([len(molecule) for molecule in part])
    result: dict[str, Any] = {"energy": _sizes(error), "energy_per_atom": _sizes(error / sizes)}
    compared = _forces(part, found)
    if compared is not None:
        given, predicted = compared
        rms = float(np.sqrt(np.mean(given**2)))
        result["forces"] = _sizes(predicted - given) | {"rms": rms}
        if rms > 0:
            result["forces"] |= {f"relative_{name}": result["forces"][name] / rms for name in ("mae", "rmse")}
    return result


def _sizes(error: ndarray) -> dict[str, float]:
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "max": float(np.abs(error).max()),
    }


def _forces(part: Sequence[Molecule], found: Sequence[Predicted]) -> tuple[ndarray, ndarray] | None:
    """Return true and predicted forces of all atoms, if both are there."""
    given = [molecule.forces for molecule in part]
    predicted = [one.forces for one in found]
    if any(f is None for f in given) or any(f is None for f in predicted):
        return None
    return np.concatenate(given), np.concatenate(predicted)  # type: ignore[arg-type]


def _write(
    folder: Path,
    split: str,
    result: dict[str, Any],
    chosen: Sequence[int],
    part: MoleculeSet,
    truth: ndarray,
    found: Sequence[Predicted],
) -> None:
    from gaugenet.tasks.molecules.pictures import draw_scores

    energies = np.array([one.energy for one in found])
    arrays = {"index": np.array(chosen), "num_atoms": np.array([len(molecule) for molecule in part])}
    arrays |= {"energy/truth": truth, "energy/prediction": energies}
    compared = _forces(part, found)
    if compared is not None:
        arrays |= {"forces/truth": compared[0], "forces/prediction": compared[1]}
    folder.mkdir(parents=True, exist_ok=True)
    write_npz(folder / f"predictions_{split}.npz", arrays)
    draw_scores(folder, split, result, arrays)
    write_json(folder / f"evaluation_{split}.json", result)


__all__ = ["evaluate_molecules", "scores"]
