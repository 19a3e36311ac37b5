"""Pictures of a regression: parity, histogram and maps after an evaluation, and the pictures of `gaugenet view`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.tasks.training.options import TaskError
from gaugenet.viz import MeshField, MeshView
from gaugenet.viz.field_pictures import FieldMap, Parity, plot_error_histogram, plot_parity, render_field_maps

if TYPE_CHECKING:
    from gaugenet.data import MeshSample
    from gaugenet.tasks.regression.evaluation import Compared

_SPLITS = ("test", "val", "train")
_MAPPED_MESHES = 3


def sizes_of(values: Float[ndarray, "n *shape"]) -> Float[ndarray, "n"]:
    """Return scalars unchanged, and the norms of vectors and tensors."""
    return values if values.ndim == 1 else typed_array(np.linalg.norm(values.reshape(len(values), -1), axis=1))


def _errors(prediction: ndarray, truth: ndarray) -> ndarray:
    return np.abs(prediction - truth) if truth.ndim == 1 else sizes_of(prediction - truth)


def _label(name: str, entry: Mapping[str, Any]) -> str:
    size = name if entry["kind"] == "scalar" else f"|{name}|"
    return f"{size} [{entry['unit']}]" if entry.get("unit") else size


def draw_scores(
    folder: Path,
    split: str,
    result: Mapping[str, Any],
    compared: Mapping[str, Sequence[Compared]],
    samples: Sequence[MeshSample],
) -> None:
    """Write `parity_<split>.png`, `errors_<split>.png` and `maps_<split>.png`; a picture without values is left out."""
    quantities = []
    for k, (name, entry) in enumerate(result["fields"].items()):
        found = [one[k] for one in compared.values()]
        truth = np.concatenate([c.truth[c.known] for c in found])
        prediction = np.concatenate([c.predicted.values[c.known] for c in found])
        if len(truth):
            error, r2 = _errors(prediction, truth), entry["r2"]
            title = name if r2 is None else f"{name}: R² {r2:.4f}"
            label, error_label = _label(name, entry), _label(f"error of {name}", entry)
            quantities.append(Parity(label, sizes_of(truth), sizes_of(prediction), error, title, error_label))
    if quantities:
        plot_parity(folder / f"parity_{split}.png", quantities, title=f"{Path(result['run']).name}, {split}")
        plot_error_histogram(folder / f"errors_{split}.png", quantities, title=f"{Path(result['run']).name}, {split}")
    maps = [m for sample in samples[:_MAPPED_MESHES] for m in _maps_of(sample, compared[sample.name], result)]
    if maps:
        render_field_maps(folder / f"maps_{split}.png", maps)


def _maps_of(sample: MeshSample, compared: Sequence[Compared], result: Mapping[str, Any]) -> list[FieldMap]:
    found = []
    for one, (name, entry) in zip(compared, result["fields"].items()):
        if entry["on"] == "mesh" or not np.isfinite(sample.mesh.vertices).all():
            continue
        truth = one.truth.copy()
        truth[~one.known] = np.nan
        found.append(_map(sample.name, sample.mesh, name, entry, truth, one.predicted.values))
    return found


def draw_run(
    run: Path,
    file: Path,
    *,
    split: str | None = None,
    limit: int = 12,
    title: str | None = None,
    **look: Any,
) -> str:
    """Write a page (`.html`) or a picture (`.png`) of a run that was evaluated, and return a line about it.

    For each mesh and target, a menu of the page chooses the truth, the prediction or the error. A picture shows them
    side by side, with color bars.

    Raises:
        TaskError: If the run was not evaluated, or predicts values of whole meshes only.
    """
    found = [s for s in ([split] if split else _SPLITS) if (run / f"evaluation_{s}.json").is_file()]
    if not found:
        raise TaskError(
            f"{run} was not evaluated on {split or 'any split'} yet: run `gaugenet evaluate {run} --data DIR`."
        )
    result = json.loads((run / f"evaluation_{found[0]}.json").read_text(encoding="utf-8"))
    maps = _saved_maps(run, found[0], result, limit)
    if not maps:
        raise TaskError(f"{run} predicts values of whole meshes: see {run / f'parity_{found[0]}.png'}.")
    heading = title or f"{run.name}, {found[0]}"
    if file.suffix.lower() == ".html":
        from gaugenet.viz import write_viewer

        write_viewer(file, _views(maps), title=heading, **look)
    else:
        render_field_maps(file, maps, title=heading, azimuth=look["azimuth"], elevation=look["elevation"])
    return f"{file}: {len(maps)} maps"


def _saved_maps(run: Path, split: str, result: Mapping[str, Any], limit: int) -> list[FieldMap]:
    maps = []
    with np.load(run / f"predictions_{split}.npz") as arrays:
        for entry in [entry for entry in result["meshes"] if entry.get("file")][:limit]:
            mesh = TriangleMesh.load(entry["file"])
            for name, about in result["fields"].items():
                if about["on"] == "mesh":
                    continue
                truth, prediction = (arrays[f"{entry['name']}/{name}/{part}"] for part in ("truth", "prediction"))
                maps.append(_map(entry["name"], mesh, name, about, truth, prediction))
    return maps


def _map(
    mesh_name: str, mesh: TriangleMesh, name: str, entry: Mapping[str, Any], truth: ndarray, prediction: ndarray
) -> FieldMap:
    """Scalars and vectors as they are; of tensors the norms."""
    view, unit = MeshView(name=mesh_name, vertices=mesh.vertices, faces=mesh.faces), entry.get("unit") or ""
    if truth.ndim == 1 or truth.shape[1:] == (3,):
        return FieldMap(view, name, unit, truth, prediction)
    return FieldMap(view, f"|{name}|", unit, sizes_of(truth), sizes_of(prediction), sizes_of(prediction - truth))


def _views(maps: Sequence[FieldMap]) -> list[MeshView]:
    """One view a mesh, with the fields of all its maps."""
    fields: dict[str, dict[str, MeshField]] = {}
    for one in maps:
        fields.setdefault(one.view.name, {}).update(one.fields())
    meshes = {one.view.name: one.view.mesh for one in maps}
    return [MeshView.of(mesh, name, fields=fields[name]) for name, mesh in meshes.items()]
