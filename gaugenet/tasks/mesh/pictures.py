"""Pictures of a mesh file, a folder of labelled meshes, a folder of predictions, or a run."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.data.meshes.classes import ClassTable
from gaugenet.data.meshes.sample import MESH_SUFFIXES
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.tasks.mesh.outputs import PLURAL
from gaugenet.tasks.mesh.prediction import SUMMARY
from gaugenet.tasks.training.class_report import lowest_class
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.run import DESCRIPTION
from gaugenet.viz import MeshView

logger = logging.getLogger(__name__)

_SPLITS = ("test", "val", "train")


@dataclass(frozen=True)
class LabelledViews:
    """Meshes with labels, and a heading."""

    views: list[MeshView]
    class_names: list[str] | None
    title: str


def load_views(
    path: str | Path, *, split: str | None = None, limit: int = 12, worst: int | None = None
) -> LabelledViews:
    """Find out what `path` is, and load at most `limit` meshes of it.

    Args:
        path: a mesh; a folder of meshes, labelled or not, with or without train/ val/ test/; the results of `gaugenet
            predict`; a run that was evaluated, or the results of `gaugenet evaluate --out`.
        split: part of a run or of a data set; by default the first existing one of test, val and train.
        limit: largest number of meshes, spread evenly over all.
        worst: for a run: number of meshes with the lowest accuracy, the lowest first.

    Raises:
        TaskError: If there is nothing to show.
        MeshError, DataError: If a mesh or its labels cannot be read.
    """
    path = Path(path)
    if path.is_file():
        if worst is not None:
            raise TaskError(f"--worst shows meshes of a run that was evaluated, and {path} is a file.")
        classes = _classes_near(path.parent)
        return LabelledViews([_plain_or_labelled(path, classes)], _names(classes), path.name)
    if not path.is_dir():
        raise TaskError(f"No file or folder {path}.")
    if (path / DESCRIPTION).is_file() or any(path.glob("evaluation_*.json")):
        return _of_run(path, split, limit, worst)
    if worst is not None:
        raise TaskError(f"--worst shows meshes of a run that was evaluated, and {path} is not a run.")
    if (path / SUMMARY).is_file():
        return _of_predictions(path, limit)
    return _of_folder(path, split, limit)


def draw_meshes(
    path: str | Path,
    file: Path,
    *,
    split: str | None = None,
    limit: int = 12,
    worst: int | None = None,
    title: str | None = None,
    **look: Any,
) -> str:
    """Write a page (`.html`) or a picture (`.png`) of the meshes at `path`, and return a line about it.

    Args:
        path: a run, a folder of predictions, or a folder of labelled meshes.
        file: what to write.
        split: the part of a labelled folder.
        limit: largest number of meshes.
        worst: for a run: number of meshes with the lowest accuracy; only these are shown.
        title: heading; by default it says what is shown.
        look: `azimuth`, `elevation` and `theme` of `gaugenet.viz.write_viewer` and `render_meshes`.
    """
    from gaugenet.viz import render_meshes, write_viewer

    shown = load_views(path, split=split, limit=limit, worst=worst)
    look |= {"title": title or shown.title, "class_names": shown.class_names}
    if file.suffix.lower() == ".html":
        write_viewer(file, shown.views, **look)
    else:
        columns = 2 if len(shown.views) > 3 and any(v.error is not None for v in shown.views) else None
        render_meshes(file, shown.views, columns=columns, **look)
    return f"{file}: {len(shown.views)} meshes"


def _of_run(run: Path, split: str | None, limit: int, worst: int | None) -> LabelledViews:
    found = [s for s in ([split] if split else _SPLITS) if (run / f"evaluation_{s}.json").is_file()]
    if not found:
        raise TaskError(f"{run} was not evaluated on {split or 'any split'} yet: `gaugenet evaluate {run} --data DIR`.")
    result = json.loads((run / f"evaluation_{found[0]}.json").read_text(encoding="utf-8"))
    if result["items"] == "mesh":
        raise TaskError(f"{run} labels whole meshes: there is nothing to paint. See {run / 'confusion.png'}.")
    classes = _table(list(result["classes"]), result.get("label_values"))
    entries = [e for e in result["meshes"] if e.get("file")]
    views = []
    with np.load(run / f"predictions_{found[0]}.npz") as labels:
        for entry in _spread(entries, limit) if worst is None else _worst(entries, worst):
            file, name = Path(entry["file"]), entry["name"]
            mesh = TriangleMesh.load(file)
            arrays = {kind: _indices(labels[f"{name}/{kind}"], classes, file) for kind in ("prediction", "truth")}
            views.append(_view(name, mesh, file, labels_on=result["items"], **arrays))
    name, share = Path(result["run"]).name, 100 * result["accuracy"]
    title = f"{name}, {found[0]}: {share:.1f} % of the {PLURAL[result['items']]} right"
    if result["classes"]:
        title += f", mean IoU {100 * (result['mean_iou'] or 0):.1f} %"
    if (lowest := lowest_class(result["classes"])) is not None:
        title += f", {lowest}"
    if worst is not None:
        title += f"; the {len(views)} least accurate of {len(entries)} meshes"
    return LabelledViews(views, _names(classes), title)


def _worst(entries: Sequence[Any], count: int) -> list[Any]:
    """Return the meshes with the lowest accuracy, the lowest first, without unlabelled ones."""
    if count < 1:
        raise TaskError(f"Expected at least one mesh to show, got --worst {count}.")
    return sorted((e for e in entries if e["accuracy"] is not None), key=lambda e: e["accuracy"])[:count]


def _of_predictions(folder: Path, limit: int) -> LabelledViews:
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    entries = [e for e in summary["meshes"] if "ply" in e]
    if not entries:
        raise TaskError(f"{folder} holds no colored meshes: there is nothing to see.")
    classes = _table(summary["classes"], summary.get("label_values"))
    views = [
        _plain_or_labelled(folder / e["ply"], classes, name=e["name"], predicted=True, source=Path(e["file"]))
        for e in _spread(entries, limit)
    ]
    return LabelledViews(views, summary["classes"], f"predictions of {Path(summary['run']).name}")


def _of_folder(folder: Path, split: str | None, limit: int) -> LabelledViews:
    parts = [s for s in ([split] if split else _SPLITS) if (folder / s).is_dir()]
    if (folder / "seg").is_dir() and parts:
        from gaugenet.data import MeshCNNSegmentation

        dataset = MeshCNNSegmentation(folder, parts[0])  # type: ignore[arg-type]
        samples = [dataset.read(path) for path in _spread(dataset.paths, limit)]
        views = [_view(s.name, s.mesh, s.path, truth=s.face_labels, labels_on="face") for s in samples]
        return LabelledViews(views, list(dataset.class_names), f"{folder.name}, {parts[0]}")
    where = folder / parts[0] if parts else folder
    files = sorted(p for p in where.iterdir() if p.suffix.lower() in MESH_SUFFIXES)
    if not files:
        raise TaskError(f"No meshes in {where}.")
    classes = _classes_near(where)
    views = [_plain_or_labelled(file, classes) for file in _spread(files, limit)]
    return LabelledViews(views, _names(classes), f"{folder.name}, {parts[0]}" if parts else folder.name)


def _plain_or_labelled(
    file: Path,
    classes: ClassTable | None,
    *,
    name: str | None = None,
    predicted: bool = False,
    source: Path | None = None,
) -> MeshView:
    """Return a mesh with the labels in its file or next to it, if there are any; it stands as its `source` does."""
    from gaugenet.data.meshes.labels import read_labels, read_ply_labels

    mesh = TriangleMesh.load(file)
    beside = next((p for p in (file.with_suffix(".npy"), file.with_suffix(".txt")) if p.is_file()), None)
    found = read_ply_labels(file) if file.suffix.lower() == ".ply" else {}
    values: dict[str, Any] = {}
    if found:
        kind, labels = next(iter(sorted(found.items())))
        labels = _indices(labels, classes, file)
        values = {"prediction" if predicted else "truth": labels, "labels_on": "face" if kind == "faces" else "vertex"}
    elif beside is not None:
        values = {"truth": _indices(read_labels(beside), classes, beside)}
    return _view(name or file.stem, mesh, source or file, **values)


def _view(name: str, mesh: TriangleMesh, file: Path | None, **labels: Any) -> MeshView:
    return MeshView(name=name, vertices=mesh.vertices, faces=mesh.faces, **_pose(file), **labels)


def _pose(file: Path | None) -> dict[str, Any]:
    """Return the direction up, if manifest.json has it for this mesh (`vertices @ rotation` stands upright)."""
    manifest = file.parent.parent / "manifest.json" if file is not None else None
    if file is None or manifest is None or not manifest.is_file():
        return {}
    meshes = json.loads(manifest.read_text(encoding="utf-8")).get("meshes", {})
    rotation = meshes.get(f"{file.parent.name}/{file.name}", {}).get("rotation")
    if rotation is None:
        return {}
    columns = np.array(rotation).T
    return {"up": columns[2].tolist(), "front": (-columns[1]).tolist()}


def _classes_near(folder: Path) -> ClassTable | None:
    for listing in (folder / "classes.txt", folder.parent / "classes.txt"):
        if listing.is_file():
            return ClassTable.read(listing)
    return None


def _table(names: Sequence[str], values: Sequence[int] | None) -> ClassTable | None:
    """Return classes and their numbers, 0, 1, ... for results of earlier versions; empty for too many classes."""
    return ClassTable(tuple(names), tuple(values or range(len(names))), "the run") if names else None


def _indices(labels: ndarray, classes: ClassTable | None, where: Path) -> ndarray:
    return labels if classes is None else classes.encode(labels, where)


def _names(classes: ClassTable | None) -> list[str] | None:
    return None if classes is None else list(classes.names)


def _spread(items: Sequence[Any], limit: int) -> list[Any]:
    """Return at most `limit` of the items, evenly spaced, including the first and the last."""
    if limit < 1:
        raise TaskError(f"Expected at least one mesh to show, got a limit of {limit}.")
    if len(items) <= limit:
        return list(items)
    logger.info("Showing %d of %d meshes (--limit).", limit, len(items))
    return [items[round(k)] for k in np.linspace(0, len(items) - 1, limit)]
