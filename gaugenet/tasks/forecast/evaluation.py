"""Scores of the forecasts of a run, compared with the truth, persistence and climatology."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from gaugenet._typing import typed_tensor
from gaugenet.files import check_results, files_in, write_json
from gaugenet.geometry.icosphere.rotations import icosahedral_rotations
from gaugenet.groups import Cyclic, FieldType
from gaugenet.tasks.forecast.conditions import Pose
from gaugenet.tasks.forecast.files import field_names
from gaugenet.tasks.forecast.inference import Forecaster, fields_of
from gaugenet.tasks.forecast.pictures import draw_forecast, draw_scores
from gaugenet.tasks.forecast.scores import ForecastScores
from gaugenet.tasks.forecast.windows import windows_of
from gaugenet.tasks.training.options import check
from gaugenet.tasks.training.progress import progress
from gaugenet.tasks.training.run import Which

_PICTURES = ("scores.png", "map.png", "globe.html")


def evaluate_forecast(
    run: str | Path,
    data: Sequence[str],
    *,
    steps: int = 20,
    stride: int = 1,
    rotations: int = 0,
    icosahedral: bool = False,
    out: str | Path | None = None,
    overwrite: bool = False,
    weights: Which = "best",
    missing: str | None = None,
    device: str | None = None,
    coastlines: bool = True,
) -> dict[str, Any]:
    """Score forecasts of several steps from every start in files, and write the results into a folder.

    The results are `evaluation_NAME.json` (with the name of the file), `scores.png`, `map.png` and `globe.html`.
    Errors are at the locations of the file. `unresolved` is the size of the part of a field that the icosphere does
    not resolve.

    Args:
        run: folder of the run.
        data: files, for example files that were not used in training.
        steps: length of the forecasts in steps.
        stride: start at every `stride`-th of the possible starts.
        rotations: also score this number of random rotations of the globe, the same ones every time.
        icosahedral: also measure how much the forecast of a globe, rotated by each of the 60 rotations of the
            icosahedron, differs from the rotated forecast.
        out: folder of the results, created if missing; the run by default.
        overwrite: replace an earlier evaluation of a file of this name.
        weights: as in `Forecaster`.
        missing: as in `Forecaster`.
        device: as in `Forecaster`.
        coastlines: draw the coasts of the Earth in the pictures.

    Raises:
        RunError, TaskError, DataError: If there is no run of this task, or files cannot be used.
        OutputError: If there are results already.
    """
    check(steps >= 1, "steps", "at least 1", steps)
    check(rotations >= 0, "rotations", "at least 0", rotations)
    check(stride >= 1, "stride", "at least 1", stride)
    name = f"evaluation_{Path(data[0]).stem}.json"
    folder = Path(out) if out is not None else Path(run)
    check_results(folder, (name, *_PICTURES), last=_PICTURES, inputs=files_in(run), overwrite=overwrite)
    forecaster = Forecaster(run, data, weights=weights, missing=missing, device=device)
    windows = windows_of(forecaster.files, step_hours=forecaster.step_hours, steps=steps).index[::stride]
    names = field_names(forecaster.files.variables)
    poses: list[Pose] = [None, *(Rotation.random(rotations, random_state=0).as_matrix() if rotations else ())]
    scores = [ForecastScores(names, forecaster.files.grid, steps) for _ in poses]
    with progress(len(windows) * len(poses), "evaluating") as bar:
        for window in windows:
            for pose, one in zip(poses, scores):
                _score(forecaster, window, one, pose)
                bar.advance()
    fields, *rotated = (one.result() for one in scores)
    for field, lost in zip(names, _unresolved(forecaster, int(windows[0, 0]))):
        fields[field]["unresolved"] = lost
        if rotated:
            fields[field]["rotated_rmse"] = [other[field]["rmse"]["forecast"] for other in rotated]
    result: dict[str, Any] = {"run": str(run), "task": "forecast", "files": data, "weights": weights}
    result |= {"starts": len(windows), "step_hours": forecaster.step_hours, "steps": steps, "fields": fields}
    if icosahedral:
        result["rotation_error"] = rotation_error(forecaster, int(windows[0, 0]))
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / name, result)
    draw_scores(folder, result)
    draw_forecast(folder, forecaster, windows[0], coastlines=coastlines)
    return result


def _score(forecaster: Forecaster, window: np.ndarray, scores: ForecastScores, pose: Pose) -> None:
    """Add one forecast to the scores."""
    known = {
        "persistence": fields_of(forecaster.frame(int(window[0]))),
        "climatology": forecaster.at_locations(forecaster.climatology),
    }
    for lead, fields in enumerate(forecaster.forecast(int(window[0]), len(window) - 1, pose)):
        scores.add(lead, {"forecast": fields, **known}, fields_of(forecaster.frame(int(window[lead + 1]))))


def _unresolved(forecaster: Forecaster, step: int) -> list[float]:
    """Return the error, by area, of interpolating each field of a time step to the vertices and back."""
    frame = forecaster.frame(step)
    back, area = forecaster.at_locations(forecaster.state(frame)), forecaster.files.grid.area / (4 * np.pi)
    return [float(np.sqrt(((a - b) ** 2 * area).sum())) for a, b in zip(back, fields_of(frame))]


@torch.inference_mode()
def rotation_error(forecaster: Forecaster, step: int) -> float:
    """Return how much the forecast of a rotated planet differs from the rotated forecast, over the 60 rotations.

    State, static fields, axis and sun are rotated on the vertices, without interpolation. The result is the largest
    difference between the changes in one step, relative to the largest change.
    """
    stepper, layout = forecaster.stepper, forecaster.layout
    state = forecaster.state(forecaster.frame(step))[None]
    condition = forecaster.conditions.at(forecaster.files.hours[[step]])
    side = forecaster.conditions.side()[None]
    inside = torch.ones(state.shape[-1], dtype=torch.bool)
    inside[forecaster.sphere.corners] = False
    given = FieldType(Cyclic(6), _extra_type(layout.extra_scalars, layout.extra_pairs))
    known = FieldType(Cyclic(6), layout.out_type)
    device = forecaster.device

    def change(*values: torch.Tensor) -> torch.Tensor:
        return typed_tensor((stepper(*(v.to(device) for v in values)) - values[0].to(device)).cpu())

    upright, worst = change(state, condition, side), 0.0
    for rotation in icosahedral_rotations(forecaster.sphere):
        turned_side = torch.empty_like(side).index_copy(1, rotation.permutation, side)
        rotated_condition = rotation.apply(given, condition) if given.size else condition
        found = change(rotation.apply(known, state), rotated_condition, turned_side)
        expected = rotation.apply(known, upright)
        worst = max(worst, float((found - expected)[..., inside].abs().max() / upright.abs().max().clamp(min=1e-30)))
    return worst


def _extra_type(scalars: int, pairs: int) -> str:
    return " + ".join(f"{count}x{order}" for count, order in ((scalars, 0), (pairs, 1)) if count) or "0x0"
