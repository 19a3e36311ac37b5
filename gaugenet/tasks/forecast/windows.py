"""Windows of time: time steps of files that follow each other at the distance of a forecast step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.meshes.sample import DataError

_SAME = 1e-3
"""Times that differ by less, in hours, are the same."""


@dataclass(frozen=True)
class Windows:
    """Sequences of time steps without gaps.

    Attributes:
        index: `(N, steps + 1)` indices of the time steps; the first column is the start of a forecast.
        summary: description of the windows.
    """

    index: Int[ndarray, "starts length"]
    summary: str


def step_of(files: ClimateFiles, step_hours: float | None) -> float:
    """Return the length of a forecast step in hours; the time between the steps of the files by default.

    Raises:
        DataError: If the files have no times, or the length is not a multiple of the time between their steps.
    """
    hours = files.hours
    if not np.isfinite(hours).all():
        raise DataError(f"{files.paths[0]}: expected a time for every step, to know which ones follow each other.")
    run = runs_of(files)
    differences = np.concatenate([np.diff(np.sort(hours[run == one])) for one in np.unique(run)])
    if not len(differences):
        raise DataError(f"{files.paths[0]}: expected at least two time steps, got {len(files)}.")
    spacing = float(differences.min())
    if step_hours is None:
        values, counts = np.unique(np.round(differences, 3), return_counts=True)
        return float(values[counts.argmax()])
    if abs(step_hours / spacing - round(step_hours / spacing)) > _SAME or step_hours < spacing - _SAME:
        raise DataError(
            f"Expected `data.step_hours` of a multiple of {spacing:g} h, the time between the steps of "
            f"{files.paths[0].name}, got {step_hours:g}."
        )
    return step_hours


def runs_of(files: ClimateFiles) -> Int[ndarray, "steps"]:
    """Return the number of the simulation that each time step belongs to: one for all files, unless times repeat.

    Raises:
        DataError: If a time occurs twice in one file.
    """
    paths = np.unique([str(step.path) for step in files.steps], return_inverse=True)[1]
    order = np.lexsort((files.hours, paths))
    same = (np.diff(files.hours[order]) < _SAME) & (np.diff(paths[order]) == 0)
    if same.any():
        step = files.steps[int(order[int(np.flatnonzero(same)[0])])]
        raise DataError(f"{step.path}: the time of step {step.index} occurs twice: leave one of them out.")
    once = len(np.unique(np.round(files.hours / _SAME))) == len(files)
    return np.zeros(len(files), dtype=np.int64) if once else typed_array(paths)


def windows_of(files: ClimateFiles, *, step_hours: float, steps: int) -> Windows:
    """Return every sequence of `steps` forecast steps without a gap.

    Raises:
        DataError: If there is none.
    """
    hours, run = files.hours, runs_of(files)
    found = np.concatenate([_in_one_run(hours, run == one, step_hours, steps) for one in np.unique(run)])
    if not len(found):
        raise DataError(
            f"{files.paths[0]}: expected {steps + 1} time steps that follow each other by {step_hours:g} h, found none "
            f"among {len(files)} from {files.times[0]} to {files.times[-1]}: fill the gaps, or choose another "
            "--data.step_hours, fewer steps (--data.rollout, --data.val_rollout, --steps), or longer blocks "
            "(--data.block_hours)."
        )
    starts = sum(
        int((hours <= hours[run == one].max() - steps * step_hours)[run == one].sum()) for one in np.unique(run)
    )
    left_out = max(0, starts - len(found))
    summary = f"{len(found)} forecasts of {steps} x {step_hours:g} h"
    runs = len(np.unique(run))
    summary += f" in {runs} runs" if runs > 1 else ""
    return Windows(
        found, summary + (f"; {left_out} starts are left out, where times are missing." if left_out else ".")
    )


def _in_one_run(hours: Float[ndarray, "n"], own: ndarray, step_hours: float, steps: int) -> Int[ndarray, "starts k"]:
    place = np.flatnonzero(own)
    order = place[np.argsort(hours[place], kind="stable")]
    known = hours[order]
    wanted = known[:, None] + step_hours * np.arange(steps + 1)
    index = np.minimum(np.searchsorted(known, wanted - _SAME), len(known) - 1)
    return typed_array(order[index[(np.abs(known[index] - wanted) < _SAME).all(axis=1)]])
