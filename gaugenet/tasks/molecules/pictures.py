"""Pictures of an evaluation: predictions over true values, and how often errors of each size occur."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.files import atomic_path
from gaugenet.tasks.training.options import TaskError
from gaugenet.viz.field_pictures import Parity, plot_error_histogram, plot_parity


def draw_scores(folder: Path, split: str, result: Mapping[str, Any], arrays: Mapping[str, ndarray]) -> None:
    """Write `parity_<split>.png` and `errors_<split>.png`: energies per atom, and components of forces."""
    sizes = arrays["num_atoms"]
    truth, prediction = arrays["energy/truth"] / sizes, arrays["energy/prediction"] / sizes
    labels = {name: f" [{result[name]}]" if result[name] else "" for name in ("energy_unit", "force_unit")}
    title = f"{result['target']} per atom: MAE {result['energy_per_atom']['mae']:.3g}"
    quantities = [
        Parity(
            f"{result['target']} per atom{labels['energy_unit']}", truth, prediction, np.abs(prediction - truth), title
        )
    ]
    if "forces" in result:
        given, found = arrays["forces/truth"].ravel(), arrays["forces/prediction"].ravel()
        title = f"forces: MAE {result['forces']['mae']:.3g}"
        quantities.append(Parity(f"force component{labels['force_unit']}", given, found, np.abs(found - given), title))
    heading = f"{Path(result['run']).name}, {split}"
    plot_parity(folder / f"parity_{split}.png", quantities, title=heading)
    plot_error_histogram(folder / f"errors_{split}.png", quantities, title=heading)


def draw_run(run: Path, file: Path, *, split: str | None = None) -> str:
    """Copy the parity plot of an evaluation of a run, and return a line about it.

    Raises:
        TaskError: If the run was not evaluated, or a page is asked for.
    """
    if file.suffix.lower() != ".png":
        raise TaskError(f"Runs of molecules have pictures and no pages: choose a name that ends in .png, not {file}.")
    found = sorted(run.glob(f"parity_{split or '*'}.png"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise TaskError(f"{run} was not evaluated yet: run `gaugenet evaluate {run} --data FILE`.")
    with atomic_path(file) as temporary:
        shutil.copyfile(found[-1], temporary)
    return f"{file}: {found[-1].name} of {run}"


__all__ = ["draw_run", "draw_scores"]
