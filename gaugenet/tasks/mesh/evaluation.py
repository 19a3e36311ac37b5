"""Scores of a run on a labelled split: accuracy, confusion matrix, per-mesh table, and a check of its equivariance."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet.data import IGNORE_LABEL, MeshDataset, MeshSample
from gaugenet.data.meshes.classes import ClassTable
from gaugenet.files import check_results, files_in, sweep_temporaries, write_json, write_npz
from gaugenet.geometry.mesh.units import in_units, unit_factor
from gaugenet.tasks.mesh.data_options import Format, Repair, Split, cache_folder, open_dataset
from gaugenet.tasks.mesh.errors import BoundaryErrors, costliest_confusions
from gaugenet.tasks.mesh.geodesic_errors import GeodesicErrors, summary
from gaugenet.tasks.mesh.inference import GaugeCheck, Predictor
from gaugenet.tasks.mesh.metrics import MetricAccumulator
from gaugenet.tasks.mesh.outputs import classes_of
from gaugenet.tasks.mesh.parallel import on_each
from gaugenet.tasks.mesh.preparation import ITEMS, Prepared, prepare_all
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.progress import progress
from gaugenet.tasks.training.run import Which

logger = logging.getLogger(__name__)

_EVALUATION, _PREDICTIONS, _PICTURE = "evaluation_{split}.json", "predictions_{split}.npz", "confusion.png"
_DRAWN_CLASSES = 60
"""Confusion matrices of more classes than this are not drawn."""


def evaluate(
    run: str | Path,
    data: str | Path,
    *,
    split: Split = "test",
    out: str | Path | None = None,
    overwrite: bool = False,
    weights: Which = "best",
    tta: int = 0,
    label_flow: float | None = None,
    gauge_check: bool = False,
    one_to_one: bool = False,
    repair: Repair | None = None,
    layout: Format | None = None,
    cache: str | Path | None = None,
    n_jobs: int = -1,
    device: str | None = None,
    feature: Sequence[str] = (),
    unit: Sequence[str] = (),
) -> dict[str, Any]:
    """Score a run, and write `evaluation_<split>.json`, `predictions_<split>.npz` and `confusion.png`.

    Labels in the files are numbers as in training, which `run.json` stores; `predictions_<split>.npz` has the same.
    Labels are compared on the faces (or vertices) of the given meshes, even if the meshes were repaired for the
    network. `accuracy` is the plain mean over all of them, the "hard face" figure of the MeshCNN benchmarks. The result
    also has the most frequent confusions (`confusions`), the shares of errors at and near true boundaries (`boundary`),
    and for each mesh the `distance` of its inputs from those of the training, see `gaugenet.tasks.mesh.likeness`. For
    correspondences it has the geodesic errors (`geodesic_error`) instead of those at boundaries.

    Args:
        run: folder of the run.
        data: folder of a data set, in a layout of the run's task; for example one that was not used in training.
        split: part of the data set.
        out: folder of the results, created if missing; the run by default.
        overwrite: replace an earlier evaluation of this split. `confusion.png` always shows the last evaluation.
        weights: the best or the last weights.
        label_flow: as in `Predictor`.
        tta: see `Predictor`.
        gauge_check: also draw a random frame at every vertex and report how much the scores change.
        one_to_one: for networks that label vertices: give each class to at most one vertex of a mesh, see
            `gaugenet.tasks.mesh.assignment`; `independent_accuracy` in the result is the accuracy without it.
        repair: as in `DataOptions`; by default as in the training.
        layout: as `format` in `DataOptions`; by default as in the training.
        cache: as in `DataOptions`; by default the folder `cache` next to the results.
        n_jobs: number of meshes prepared and scored at once, each on one thread; -1 uses all cores.
        device: device of the network.
        feature: as in `Predictor`.
        unit: as in `Predictor`.

    Raises:
        RunError, TaskError, DataError: If the run is incomplete, the network does not know a class, data cannot be
            used, or `one_to_one` is set for a network that does not label vertices or has fewer classes than vertices.
        OutputError: If there are results already.
    """
    folder = Path(out) if out is not None else Path(run)
    names = _EVALUATION.format(split=split), _PREDICTIONS.format(split=split), _PICTURE
    check_results(folder, names, last=(_PICTURE,), inputs=files_in(run), overwrite=overwrite)
    sweep_temporaries(folder)
    predictor = Predictor(
        run, weights=weights, tta=tta, label_flow=label_flow, device=device, feature=feature, unit=unit
    )
    description = predictor.description
    options = replace(predictor.data, root=Path(data), cache=Path(cache) if cache else None, n_jobs=n_jobs)
    options = replace(options, repair=repair or options.repair, format=layout or options.format)
    classes = classes_of(description)
    trained = classes if description.label_values else None
    dataset = open_dataset(description.task, options, split, trained=trained)  # type: ignore[arg-type]
    _check_items(dataset, description.items)
    if one_to_one and description.items != "vertex":
        raise TaskError(f"--one-to-one is for networks that label vertices, this one labels each {description.items}.")
    known = _class_indices(dataset.class_names, description.classes)
    matching = description.task == "correspondence"
    cached = cache_folder(options.cache, folder)
    prepared = prepare_all(dataset, predictor.preparation(repair=options.repair, cache=cached, n_jobs=n_jobs))

    def labelled(one: Prepared) -> _Labelled:
        found = predictor(one)
        truth, areas = _truth(one, known)
        prediction = found.labels(description.items, different=one_to_one)
        return _Labelled(
            truth=truth,
            areas=areas,
            free=found.labels(description.items),
            prediction=prediction,
            geodesic=GeodesicErrors.on(one.sample.mesh, truth, prediction) if matching else None,
            distance=predictor.distance(one),
            check=predictor.gauge_check(one) if gauge_check else None,
        )

    tally = _Tally(predictor, classes, one_to_one=one_to_one)
    results = on_each(labelled, prepared, n_jobs=n_jobs, device=predictor.device)
    with progress(len(prepared), f"evaluating {split}") as bar:
        for one, found in zip(prepared, results, strict=True):
            tally.add(one.sample, found)
            bar.advance()
    result: dict[str, Any] = {"run": str(run), "task": description.task, "split": split, "items": description.items}
    result |= {"weights": weights, "tta": max(1, predictor.rotations + 1), "meshes_scored": len(prepared)}
    result |= tally.result() | {"label_values": list(classes.values)}
    _add_files(result, prepared)
    _write(folder, split, result, tally.labels, description.classes)
    return result


@dataclass(frozen=True)
class _Labelled:
    """The result of the network for one mesh: true labels, areas of the items, and predicted labels.

    `free` are the likeliest labels, which `prediction` is too unless labels are one-to-one. `distance` is that of
    `Likeness`.
    """

    truth: ndarray
    areas: ndarray | None
    free: ndarray
    prediction: ndarray
    geodesic: GeodesicErrors | None
    distance: float | None
    check: GaugeCheck | None


class _Tally:
    """The scores of a run, collected mesh by mesh.

    Attributes:
        labels: `NAME/truth` and `NAME/prediction` of each mesh, in the numbers of the files.
    """

    def __init__(self, predictor: Predictor, classes: ClassTable, *, one_to_one: bool) -> None:
        self.likeness, self.classes, self.one_to_one = predictor.likeness, classes, one_to_one
        self.items, self.names = predictor.description.items, predictor.description.classes
        self.labels: dict[str, ndarray] = {}
        self._scores, self._boundary = MetricAccumulator(len(self.names)), BoundaryErrors.none()
        self._distances: list[float | None] = []
        self._geodesic: list[GeodesicErrors] = []
        self._independent: list[ndarray] = []
        self._checks: dict[str, GaugeCheck] = {}

    def add(self, sample: MeshSample, found: _Labelled) -> None:
        """Count what is right and wrong on a mesh."""
        truth, prediction = found.truth, found.prediction
        if self.one_to_one:
            self._independent.append((found.free == truth)[truth != IGNORE_LABEL])
        missed = (truth + 1) % len(self.names)  # no prediction, for want of a finite place: wrong
        counted = np.where(prediction < 0, missed, prediction)
        self._scores.add(sample.name, truth, counted, found.areas)
        if found.geodesic is not None:
            self._geodesic.append(found.geodesic)
        elif self.items != "mesh":
            self._boundary.add(sample.mesh, self.items, truth, counted)
        for kind, array in (("truth", truth), ("prediction", prediction)):
            self.labels[f"{sample.name}/{kind}"] = self.classes.decode(array).astype(np.int32)
        self._distances.append(found.distance)
        if found.check is not None:
            self._checks[sample.name] = found.check

    def result(self) -> dict[str, Any]:
        """Return all scores."""
        result = self._scores.scores().as_dict(self.names)
        if result["confusion"] is not None:
            result["confusions"] = costliest_confusions(result["confusion"], self.names)
        if self._geodesic:
            result["geodesic_error"] = summary(self._geodesic)
        elif self.items != "mesh":
            result["boundary"] = self._boundary.as_dict()
        if self.likeness is not None:
            result["usual_distance"] = self.likeness.usual
            for entry, distance in zip(result["meshes"], self._distances, strict=True):
                entry["distance"] = distance
        if self.one_to_one:
            result["independent_accuracy"] = float(np.concatenate(self._independent).mean())
        if self._checks:
            result["gauge_check"] = _summary(self._checks)
        return result


def _class_indices(names: tuple[str, ...], classes: list[str]) -> Int[ndarray, "names"]:
    """Return, for each class of the data, the class of the network with the same name.

    Raises:
        TaskError: If the network does not know a class of the data.
    """
    if list(names) == classes:
        return np.arange(len(names))
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise TaskError(
            f"The data has {len(names)} classes, the network {len(classes)}; it does not know {_some(unknown)} "
            f"(it knows {_some(classes)}): evaluate on data with the classes that it was trained on."
        )
    return np.array([classes.index(name) for name in names])


def _some(names: list[str], shown: int = 8) -> str:
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")


def _check_items(dataset: MeshDataset, items: str) -> None:
    if ITEMS[dataset.label_kind] != items:
        raise TaskError(
            f"The network labels each {items}, but the data has labels of {dataset.label_kind}: "
            "evaluate on data labelled as in training."
        )


def _truth(one: Prepared, known: ndarray) -> tuple[Int[ndarray, "items"], ndarray | None]:
    sample: MeshSample = one.sample
    mesh = in_units(sample.mesh, unit_factor(sample.mesh))
    if sample.face_labels is not None:
        labels, areas = sample.face_labels, mesh.face_areas
    elif sample.vertex_labels is not None:
        labels, areas = sample.vertex_labels, mesh.vertex_areas
    else:
        labels, areas = np.array([sample.label]), None
    finite = None if areas is None else np.nan_to_num(areas)
    return np.where(labels == IGNORE_LABEL, IGNORE_LABEL, known[labels]), finite


def _add_files(result: dict[str, Any], prepared: list[Prepared]) -> None:
    for entry, one in zip(result["meshes"], prepared, strict=True):
        entry["file"] = str(one.sample.path.resolve()) if one.sample.path else None
        if one.repairs:
            entry["repairs"] = one.repairs


def _summary(checks: dict[str, GaugeCheck]) -> dict[str, Any]:
    worst = max(checks, key=lambda name: checks[name].relative_change)
    return {
        "relative_change": checks[worst].relative_change,
        "worst_mesh": worst,
        "flipped": sum(c.flipped for c in checks.values()),
        "items": sum(c.items for c in checks.values()),
    }


def _write(folder: Path, split: str, result: dict[str, Any], labels: dict[str, ndarray], classes: list[str]) -> None:
    from gaugenet.viz import plot_confusion_matrix

    write_npz(folder / _PREDICTIONS.format(split=split), labels)
    if len(classes) <= _DRAWN_CLASSES:
        plot_confusion_matrix(
            folder / _PICTURE, np.array(result["confusion"]), classes, title=f"{Path(result['run']).name}, {split}"
        )
    write_json(folder / _EVALUATION.format(split=split), result)
