"""Fields on new meshes: arrays, PLY and VTP files, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.data import MeshSample
from gaugenet.data.fields.export import write_ply_fields, write_vtp
from gaugenet.files import check_outputs, files_in, unique_names, write_json, write_npz
from gaugenet.tasks.mesh.data_options import Repair
from gaugenet.tasks.mesh.prediction import SUMMARY, mesh_inputs, prepared_meshes
from gaugenet.tasks.regression.inference import FieldPredictor, PredictedField
from gaugenet.tasks.training.run import Which

ENDINGS = ("fields.npz", "fields.ply", "fields.vtp")


def predict_fields(
    run: str | Path,
    meshes: Sequence[str | Path],
    out: str | Path,
    *,
    weights: Which = "best",
    samples: int = 0,
    ensemble: Sequence[str | Path] = (),
    repair: Repair | None = None,
    overwrite: bool = False,
    n_jobs: int = -1,
    device: str | None = None,
    feature: Sequence[str] = (),
    unit: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Predict fields on meshes; meshes that cannot be used are skipped and reported.

    For `NAME.ply` the folder `out` receives `NAME.fields.npz` with an array for each target, `NAME.fields.ply` with the
    content of the input and the predictions as properties, and (if VTK is installed) `NAME.fields.vtp`. With several
    networks, each target such as `wss` also has a deviation `wss_std`.

    Args:
        run: folder of the run.
        meshes: mesh files, and folders of mesh files.
        out: folder for the results, created if missing.
        weights: as in `FieldPredictor`.
        samples: as in `FieldPredictor`.
        ensemble: as in `FieldPredictor`.
        repair: as in `DataOptions`; by default as in the training.
        overwrite: replace outputs that exist. Meshes and runs are never replaced.
        n_jobs: threads that prepare meshes.
        device: as in `FieldPredictor`.
        feature: as in `FieldPredictor`.
        unit: as in `FieldPredictor`.

    Returns:
        A dictionary for each mesh, as in `predictions.json`: `file`, `name`, and either `error` or the predictions.

    Raises:
        RunError: If the run is not complete.
        TaskError: If there are no meshes.
        OutputError: If an output is an input, or exists.
    """
    out = Path(out)
    files = mesh_inputs(meshes, tuple(f".{ending}" for ending in ENDINGS))
    names = unique_names([path.stem for path in files])
    read = [*files, *files_in(run), *(file for path in ensemble for file in files_in(path))]
    outputs = [out / SUMMARY, *(out / f"{name}.{ending}" for name in names for ending in ENDINGS)]
    check_outputs(outputs, inputs=read, overwrite=overwrite)
    predictor = FieldPredictor(
        run, weights=weights, samples=samples, ensemble=ensemble, device=device, feature=feature, unit=unit
    )
    how = predictor.preparation(repair=repair or predictor.data.repair, n_jobs=n_jobs)
    prepared = prepared_meshes(files, names, how)
    if all(one is None for _, one in prepared):  # a summary alone would be in the way of the next attempt
        return [entry for entry, _ in prepared]
    out.mkdir(parents=True, exist_ok=True)
    for entry, one in prepared:
        if one is not None:
            found = predictor(one)
            _write(out, entry["name"], one.sample, found)
            entry["fields"] = {field.spec.name: _about(field) for field in found}
    entries = [entry for entry, _ in prepared]
    write_json(out / SUMMARY, {"run": str(run), "networks": predictor.members, "meshes": entries})
    return entries


def arrays_of(found: Sequence[PredictedField]) -> dict[str, ndarray]:
    """Return the arrays by name: each field, and its deviation where there is one."""
    arrays = {}
    for field in found:
        arrays[field.spec.name] = field.values
        if field.deviation is not None:
            arrays[f"{field.spec.name}_std"] = field.deviation
    return arrays


def _write(out: Path, name: str, sample: MeshSample, found: Sequence[PredictedField]) -> None:
    write_npz(out / f"{name}.fields.npz", arrays_of(found))
    values: dict[str, dict[str, ndarray]] = {"vertex": {}, "face": {}, "mesh": {}}
    for field in found:
        values[field.spec.on] |= arrays_of([field])
    write_ply_fields(out / f"{name}.fields.ply", sample.mesh, values, sample.path)
    if find_spec("vtkmodules") is not None:
        write_vtp(out / f"{name}.fields.vtp", sample.mesh, values, sample.path)


def _about(field: PredictedField) -> dict[str, Any]:
    """Summarize a field: the value of a mesh, or the mean and the largest size."""
    known = field.values[np.isfinite(field.values.reshape(len(field.values), -1)).all(axis=1)]
    size = np.linalg.norm(known.reshape(len(known), -1), axis=1) if field.spec.shape else known
    entry: dict[str, Any] = {"on": field.spec.on, "kind": field.spec.kind}
    entry |= {"unit": field.spec.unit} if field.spec.unit else {}
    if field.spec.on == "mesh":
        entry["value"] = field.values[0].tolist()
    elif len(size):
        entry |= {"mean": float(size.mean()), "max": float(size.max())}
    if field.deviation is not None:
        entry["std"] = float(np.nanmean(field.deviation))
    return entry
