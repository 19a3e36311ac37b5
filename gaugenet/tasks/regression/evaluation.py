"""Scores of a regression on a split: errors of each mesh and over all meshes, with pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from gaugenet.data import DataError, MeshSample
from gaugenet.data.fields.spec import FieldSpec
from gaugenet.data.fields.statistics import tangential_part
from gaugenet.data.fields.values import FieldReader, FieldValues
from gaugenet.files import check_results, files_in, write_json, write_npz
from gaugenet.tasks.mesh.data_options import Repair, Split
from gaugenet.tasks.mesh.parallel import on_each
from gaugenet.tasks.mesh.preparation import Prepared, prepare_all
from gaugenet.tasks.regression.inference import FieldPredictor, PredictedField
from gaugenet.tasks.regression.metrics import METRICS, FieldSums, total
from gaugenet.tasks.regression.options import cache_folder, open_meshes
from gaugenet.tasks.training.progress import progress
from gaugenet.tasks.training.run import Which

_RESULTS = (
    *("evaluation_{split}.json", "predictions_{split}.npz"),
    *("parity_{split}.png", "errors_{split}.png", "maps_{split}.png"),
)


@dataclass(frozen=True, eq=False)
class Compared:
    """A predicted field next to the true one, on a mesh as it was given.

    Attributes:
        predicted: the prediction.
        truth: true values in space, restricted to the kind of the field; NaN where they are missing.
        known: where the truth is neither missing nor masked, and there is a prediction.
    """

    predicted: PredictedField
    truth: Float[ndarray, "n *shape"]
    known: Bool[ndarray, "n"]


def evaluate_fields(
    run: str | Path,
    data: str | Path,
    *,
    split: Split = "test",
    weights: Which = "best",
    samples: int = 0,
    ensemble: Sequence[str | Path] = (),
    repair: Repair | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    cache: str | Path | None = None,
    n_jobs: int = -1,
    device: str | None = None,
    feature: Sequence[str] = (),
    unit: Sequence[str] = (),
) -> dict[str, Any]:
    """Score a run, and write `evaluation_<split>.json`, `predictions_<split>.npz` and pictures.

    Values are compared on the given vertices, faces or meshes, even if the meshes were repaired for the network. See
    `gaugenet.tasks.regression.metrics` for the scores.

    Args:
        run: folder of the run.
        data: folder of the data set, for example one that was not used in training.
        split: part of the data set.
        weights: as in `FieldPredictor`.
        samples: as in `FieldPredictor`.
        ensemble: as in `FieldPredictor`.
        repair: as in `DataOptions`; by default as in the training.
        out: folder for the results, by default the run.
        overwrite: replace an earlier evaluation of this split.
        cache: as in `DataOptions`.
        n_jobs: number of meshes prepared and scored at once, each on one thread; -1 uses all cores.
        device: as in `FieldPredictor`.
        feature: as in `FieldPredictor`.
        unit: as in `FieldPredictor`.

    Raises:
        RunError, TaskError, DataError: If the run is incomplete, data cannot be used, or meshes lack the targets.
        OutputError: If there are results already.
    """
    folder = Path(run) if out is None else Path(out)
    names = [name.format(split=split) for name in _RESULTS]
    check_results(folder, names, inputs=files_in(run), overwrite=overwrite)
    predictor = FieldPredictor(
        run, weights=weights, samples=samples, ensemble=ensemble, device=device, feature=feature, unit=unit
    )
    options = replace(predictor.data, root=Path(data), cache=Path(cache) if cache else None, n_jobs=n_jobs)
    meshes = open_meshes(options, split)
    how = predictor.preparation(
        repair=repair or options.repair, cache=cache_folder(options.cache, folder), n_jobs=n_jobs
    )
    _check_targets(meshes, predictor.targets)
    prepared = prepare_all(meshes, how)
    compared: dict[str, list[Compared]] = {}
    jobs = 1 if samples else n_jobs  # random dropout is drawn mesh by mesh
    results = on_each(
        lambda one: list(_compared(one.sample, predictor(one))), prepared, n_jobs=jobs, device=predictor.device
    )
    with progress(len(prepared), f"evaluating {split}") as bar:
        for one, result_of_one in zip(prepared, results, strict=True):
            compared[one.sample.name] = result_of_one
            bar.advance()
    result = _result(Path(run), predictor, compared, prepared)
    result |= {"split": split, "weights": weights}
    _write(folder, split, result, compared, prepared)
    return result


def _check_targets(meshes: Sequence[MeshSample], specs: Sequence[FieldSpec]) -> None:
    """Raise `DataError` if any meshes lack usable targets; the message names all of them."""
    problems = []
    for sample in meshes:
        try:
            reader = FieldReader(sample.mesh, sample.path, sample.fields)
            problems += [_unlike(sample, spec, found) for spec in specs if (found := reader.read(spec)).on != spec.on]
        except DataError as error:
            problems.append(str(error))
    if problems:
        shown = "\n".join(problems[:10]) + ("\n..." if len(problems) > 10 else "")
        raise DataError(f"{len(problems)} targets of {len(meshes)} meshes cannot be scored:\n{shown}")


def _unlike(sample: MeshSample, spec: FieldSpec, found: FieldValues) -> str:
    return (
        f"{sample.path}: {spec.name!r} is given for each {found.on}, and the network predicts one for each {spec.on}."
    )


def _compared(sample: MeshSample, found: Sequence[PredictedField]) -> Iterator[Compared]:
    reader = FieldReader(sample.mesh, sample.path, sample.fields)
    for predicted in found:
        spec, truth = predicted.spec, reader.read(predicted.spec)
        values = tangential_part(truth, sample.mesh) if spec.kind in ("tangent_vector", "tensor") else truth.values
        placed = np.isfinite(predicted.values.reshape(len(predicted.values), -1)).all(axis=1)
        known = truth.known & placed if truth.weight is None else truth.known & placed & (truth.weight > 0)
        yield Compared(predicted, values, known)


def _result(
    run: Path, predictor: FieldPredictor, compared: dict[str, list[Compared]], prepared: Sequence[Prepared]
) -> dict[str, Any]:
    sums = {
        name: [FieldSums.of(c.predicted.values, c.truth, c.known) for c in found] for name, found in compared.items()
    }
    fields = {}
    for k, spec in enumerate(predictor.targets):
        entry: dict[str, Any] = {"kind": spec.kind, "on": spec.on, "unit": spec.unit}
        entry |= total([per_mesh[k] for per_mesh in sums.values()]).scores()
        single = [per_mesh[k].scores() for per_mesh in sums.values()]
        entry["mesh_mean"] = {name: _mean([scores[name] for scores in single]) for name in METRICS}
        fields[spec.name] = entry
    meshes = []
    for one in prepared:
        scores = {spec.name: s.scores() for spec, s in zip(predictor.targets, sums[one.sample.name])}
        entry = {"name": one.sample.name, "file": str(one.sample.path.resolve()) if one.sample.path else None}
        meshes.append(entry | {"fields": scores} | ({"repairs": one.repairs} if one.repairs else {}))
    about = {"run": str(run), "task": "regression", "networks": predictor.members, "meshes_scored": len(prepared)}
    return {**about, "fields": fields, "meshes": meshes}


def _mean(values: Sequence[float | int | None]) -> float | None:
    """Return the mean over the meshes on which a score is defined."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def _write(
    folder: Path, split: str, result: dict[str, Any], compared: dict[str, list[Compared]], prepared: Sequence[Prepared]
) -> None:
    from gaugenet.tasks.regression.pictures import draw_scores

    arrays = {}
    for name, found in compared.items():
        for one in found:
            key = f"{name}/{one.predicted.spec.name}"
            arrays[f"{key}/truth"] = np.where(_broadcast(one.known, one.truth), one.truth, np.nan)
            arrays[f"{key}/prediction"] = one.predicted.values
            if one.predicted.deviation is not None:
                arrays[f"{key}/std"] = one.predicted.deviation
    folder.mkdir(parents=True, exist_ok=True)
    write_npz(folder / f"predictions_{split}.npz", arrays)
    draw_scores(folder, split, result, compared, [one.sample for one in prepared])
    write_json(folder / f"evaluation_{split}.json", result)


def _broadcast(known: ndarray, values: ndarray) -> ndarray:
    return known.reshape(-1, *[1] * (values.ndim - 1))
