"""Scores of a climate run on labelled files, upright and rotated."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from gaugenet import _zoo
from gaugenet.files import check_results, files_in, sweep_temporaries, write_json
from gaugenet.geometry.icosphere.icosphere import icosphere
from gaugenet.geometry.icosphere.rotations import NUM_ROTATIONS, icosahedral_rotation
from gaugenet.tasks.climate.calibration import Calibration
from gaugenet.tasks.climate.inference import ClimatePredictor, Pose, Precision
from gaugenet.tasks.climate.pictures import GLOBE, MAP, draw_run
from gaugenet.tasks.climate.report import headline
from gaugenet.tasks.climate.scores import ClimateScores
from gaugenet.tasks.training.options import TaskError, check
from gaugenet.tasks.training.progress import progress
from gaugenet.tasks.training.run import Which


def evaluate_climate(
    run: str | Path,
    data: Sequence[str],
    *,
    weights: Which = "best",
    tta: int = 0,
    rotations: int = 0,
    icosahedral: bool = False,
    within_km: float = 300.0,
    calibrate: bool = False,
    out: str | Path | None = None,
    overwrite: bool = False,
    missing: str | None = None,
    device: str | None = None,
    precision: Precision = "float32",
    coastlines: bool = True,
) -> dict[str, Any]:
    """Score a run on every labelled time step, and write the results into its folder or another one.

    The results are `evaluation_NAME.json`, `map.png` and `globe.html`. NAME is the name of the first file, preceded by
    the names of its folders if another file of that name was evaluated before. The pictures show the last evaluation.

    Probabilities are interpolated to the locations of the file and compared with its labels there, by area. The labels,
    and thus IoU, recall, precision and objects, use the thresholds of the `Calibration` by the validation part of the
    training. `best_iou` uses the best threshold on the scored files themselves.

    Args:
        run: folder of the run.
        data: labelled files, for example files that were not used in training.
        weights: as in `ClimatePredictor`.
        tta: as in `ClimatePredictor`.
        missing: as in `ClimatePredictor`.
        device: as in `ClimatePredictor`.
        precision: as in `ClimatePredictor`.
        coastlines: draw the coasts of the Earth in the pictures.
        rotations: also score this number of random rotations of the globe, the same ones every time.
        icosahedral: also score the 60 rotations of the icosahedron, under which the network is exactly equivariant.
        within_km: distance within which an object counts as found.
        calibrate: first calibrate probabilities and thresholds by these files, which should not have been used in the
            training, and store them in the run: its later predictions use them.
        out: folder of the results, created if missing; the run by default.
        overwrite: replace an earlier evaluation of the same files.

    Raises:
        RunError, TaskError, DataError: If there is no run of this task, or files cannot be used, or a network of
            `gaugenet models list` was to be calibrated.
        OutputError: If there is an evaluation of these files.
    """
    check(rotations >= 0, "rotations", "at least 0", rotations)
    check(within_km > 0, "within_km", "positive", within_km)
    if calibrate and Path(run).resolve() in {entry.folder.resolve() for entry in _zoo.entries().values()}:
        raise TaskError(f"{run} is shared by all who use this installation: copy the folder, and calibrate the copy.")
    folder = Path(out) if out is not None else Path(run)
    files = [str(Path(path).resolve()) for path in data]
    name = _result_name(folder, files)
    read = [*map(Path, filter(os.path.isfile, files)), *files_in(run)]
    check_results(folder, (name, MAP, GLOBE), last=(MAP, GLOBE), inputs=read, overwrite=overwrite)
    sweep_temporaries(folder)
    predictor = ClimatePredictor(
        run, data, weights=weights, tta=tta, missing=missing, device=device, precision=precision
    )
    if predictor.files.variables.label is None:
        raise TaskError("The files have no label variable: `gaugenet predict` labels them.")
    if calibrate:
        _calibrate(predictor, run, weights)
    orientations: dict[str, list[Pose]] = {"upright": [None]}
    if rotations:
        orientations["rotations"] = list(Rotation.random(rotations, random_state=0).as_matrix())
    if icosahedral:
        orientations["icosahedral"] = [
            icosahedral_rotation(icosphere(0), k).matrix.numpy() for k in range(NUM_ROTATIONS)
        ]
    scored = [
        (orientation, _accumulator(predictor, within_km)) for group in orientations.values() for orientation in group
    ]
    _score(predictor, scored)
    upright, *rotated = (accumulator.result() for _, accumulator in scored)
    result: dict[str, Any] = {"run": str(run), "task": "climate", "files": files, "weights": weights}
    result |= {"tta": len(predictor.poses), "validated": predictor.validated, **upright}
    for group in list(orientations)[1:]:
        found, rotated = rotated[: len(orientations[group])], rotated[len(orientations[group]) :]
        result[group] = {m: _spread([r[f"mean_{m}"] for r in found]) for m in ("ap", "iou")}
    write_json(folder / name, result)
    draw_run(predictor, folder, title=f"{Path(run).name}: {headline(result)}", coastlines=coastlines)
    return result


def _calibrate(predictor: ClimatePredictor, run: str | Path, weights: Which) -> None:
    """Calibrate a predictor by its files, and store that in the run."""
    predictor.calibration = Calibration.of_metrics({}, len(predictor.classes))
    scores = _accumulator(predictor, 300.0)
    _score(predictor, [(None, scores)])
    scores.result()  # an error if nothing is labelled
    predictor.calibration, predictor.validated = Calibration.fit(scores.histograms), True
    metrics = predictor.description.metrics
    metrics[weights] = metrics.get(weights, {}) | predictor.calibration.as_metrics()
    predictor.description.save(run)


def _result_name(folder: Path, files: Sequence[str]) -> str:
    """Return the name of the result: the first file's, preceded by its folders if other files have the same name."""
    parts = [part for part in (*Path(files[0]).parts[1:-1], Path(files[0]).stem) if part]
    names = [f"evaluation_{'_'.join(parts[k:])}.json" for k in reversed(range(len(parts)))]
    return next((name for name in names if _scored(folder / name) in (None, list(files))), names[-1])


def _scored(path: Path) -> list[str] | None:
    """Return the names of the files of an earlier evaluation, `None` if there is none."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return []
    return [str(file) for file in found.get("files", ())] if isinstance(found, dict) else []


def _score(predictor: ClimatePredictor, scored: Sequence[tuple[Pose, ClimateScores]]) -> None:
    """Score every labelled frame in every pose; frames are read once and processed in batches."""
    count, size = len(predictor.files), predictor.at_once
    with progress(count * len(scored), "evaluating") as bar:
        for first in range(0, count, size):
            read = [predictor.fields(k)[1] for k in range(first, min(first + size, count))]
            spheres = [fields for fields in read if fields.label is not None]
            labels = [fields.label for fields in read if fields.label is not None]
            for orientation, accumulator in scored:
                for found, label in zip(predictor.together(spheres, orientation) if spheres else (), labels):
                    accumulator.add(found, label)
                bar.advance(len(read))


def _accumulator(predictor: ClimatePredictor, within_km: float) -> ClimateScores:
    locations = predictor.inputs.locations
    points, area = locations.points.reshape(-1, 3), np.ascontiguousarray(locations.area).reshape(-1)
    return ClimateScores(predictor.classes, points, area, locations.edges, predictor.thresholds, within_km=within_km)


def _spread(values: list[float]) -> dict[str, Any]:
    array: Float[ndarray, "n"] = np.array(values, dtype=np.float64)
    return {"count": len(values), "mean": float(array.mean()), "min": float(array.min()), "max": float(array.max())}
