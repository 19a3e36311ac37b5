"""Predicted labels of meshes: files of labels, colored meshes, and a summary."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.data import MeshSample
from gaugenet.data.meshes.classes import ClassTable
from gaugenet.data.meshes.sample import mesh_files
from gaugenet.files import atomic_path, check_outputs, files_in, sweep_temporaries, unique_names, write_json
from gaugenet.geometry.mesh._hdf5 import HDF5_SUFFIXES
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.geometry.mesh.units import in_units, unit_factor
from gaugenet.tasks.mesh.data_options import Repair
from gaugenet.tasks.mesh.inference import Predictor, Probabilities
from gaugenet.tasks.mesh.outputs import classes_of
from gaugenet.tasks.mesh.preparation import Preparation, Prepared, prepare_each
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.run import Which

logger = logging.getLogger(__name__)

SUMMARY = "predictions.json"
_COLORED = "labels.ply"
_ARRAYS = ("faces.npy", "vertices.npy", "face_probabilities.npy", "vertex_probabilities.npy")
_POLYGONS = "polygons.npy"
_ENDINGS = (_COLORED, *_ARRAYS, _POLYGONS)


def predict(
    run: str | Path,
    meshes: Sequence[str | Path],
    out: str | Path,
    *,
    weights: Which = "best",
    tta: int = 0,
    label_flow: float | None = None,
    probabilities: bool = False,
    repair: Repair | None = None,
    overwrite: bool = False,
    n_jobs: int = -1,
    device: str | None = None,
    feature: Sequence[str] = (),
    unit: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Label meshes; meshes that cannot be labelled are skipped and reported.

    For `NAME.obj` the folder `out` receives:

    - `NAME.faces.npy` and `NAME.vertices.npy`, int64 labels of the mesh as it was given, in the numbers of the training
      labels (-1 where a face or vertex has no finite position);
    - `NAME.labels.ply`, colored, with the property `label` on its faces, and on its vertices if those were labelled in
      training;
    - with `probabilities`, `NAME.face_probabilities.npy` and `NAME.vertex_probabilities.npy`, whose columns are in the
      order of the classes;
    - `NAME.polygons.npy` with the label of each polygon, if the file has polygons of more than three corners.

    A run on whole meshes writes only the summary `predictions.json`.

    Args:
        run: folder of the run.
        meshes: mesh files, and folders of mesh files.
        out: folder for the results, created if missing.
        weights: as in `Predictor`.
        label_flow: as in `Predictor`.
        tta: as in `Predictor`.
        device: as in `Predictor`.
        feature: as in `Predictor`.
        unit: as in `Predictor`.
        probabilities: also write probabilities.
        repair: as in `DataOptions`; by default as in the training.
        overwrite: replace outputs that exist. Meshes and the run are never replaced.
        n_jobs: threads that prepare meshes.

    Returns:
        A dictionary for each mesh, as in the summary: `file`, `name`, and either `error` or the predictions.

    Raises:
        RunError: If the run is not complete.
        TaskError: If there are no meshes.
        OutputError: If an output is an input, or exists.
    """
    files, out = mesh_inputs(meshes, (f".{_COLORED}",)), Path(out)
    names = unique_names([path.stem for path in files])
    outputs = [out / SUMMARY, *(out / f"{name}.{ending}" for name in names for ending in _ENDINGS)]
    check_outputs(outputs, inputs=[*files, *files_in(run)], overwrite=overwrite)
    sweep_temporaries(out)
    predictor = Predictor(
        run, weights=weights, tta=tta, label_flow=label_flow, device=device, feature=feature, unit=unit
    )
    how = predictor.preparation(repair=repair or predictor.data.repair, n_jobs=n_jobs)
    prepared = prepared_meshes(files, names, how)
    if all(one is None for _, one in prepared):  # a summary alone would be in the way of the next attempt
        return [entry for entry, _ in prepared]
    out.mkdir(parents=True, exist_ok=True)
    for entry, one in prepared:
        if one is not None:
            found = predictor(one, "face", "vertex")
            entry |= _likeness(predictor, one)
            entry |= _write(out, entry["name"], one, found, predictor, probabilities)
    entries = [entry for entry, _ in prepared]
    classes = classes_of(predictor.description)
    summary = {"run": str(run), "items": predictor.description.items, "classes": list(classes.names)}
    write_json(out / SUMMARY, summary | {"label_values": list(classes.values), "meshes": entries})
    return entries


def _likeness(predictor: Predictor, one: Prepared) -> dict[str, float]:
    """Return how far the inputs of a mesh are from those of the training, and what is usual there."""
    distance = predictor.distance(one)
    if distance is None or predictor.likeness is None:
        return {}
    return {"distance": round(distance, 4), "usual_distance": round(predictor.likeness.usual, 4)}


def prepared_meshes(
    files: Sequence[Path], names: Sequence[str], how: Preparation
) -> list[tuple[dict[str, Any], Prepared | None]]:
    """Return the entry of each mesh in the summary, and the prepared mesh; `None` if it cannot be used."""
    prepared = prepare_each([partial(_read, path, name) for path, name in zip(files, names)], how)
    found: list[tuple[dict[str, Any], Prepared | None]] = []
    for path, name, one in zip(files, names, prepared):
        entry: dict[str, Any] = {"file": str(path), "name": name}
        if isinstance(one, str):
            found.append((entry | {"error": one}, None))
        else:
            found.append((entry | ({"repairs": one.repairs} if one.repairs else {}), one))
    return found


def _read(path: Path, name: str) -> MeshSample:
    return MeshSample(name, TriangleMesh.load(path), path=path)


def mesh_inputs(meshes: Sequence[str | Path], ours: tuple[str, ...]) -> list[Path]:
    """Return the given mesh files and the mesh files in given folders, without results of earlier predictions.

    Args:
        meshes: files and folders.
        ours: ending of the names of written meshes.

    Raises:
        TaskError: If there are no meshes, or a folder has none.
    """
    files: list[Path] = []
    for path in map(Path, meshes):
        if path.is_dir() or (path.is_file() and path.suffix.lower() in HDF5_SUFFIXES):
            written = (path / SUMMARY).is_file()
            inside = [p for p in mesh_files(path) if not (written and p.name.endswith(ours))]
            if not inside:
                raise TaskError(f"No meshes in the folder {path}.")
            files += inside
        else:
            files.append(path)
    if not files:
        raise TaskError("No meshes to label.")
    return files


def _write(
    out: Path, name: str, one: Prepared, found: Probabilities, predictor: Predictor, probabilities: bool
) -> dict[str, Any]:
    table = classes_of(predictor.description)
    classes = list(table.names)
    if found.mesh is not None:
        best = int(found.mesh.argmax())
        return {"label": classes[best], "number": table.values[best], "probability": float(found.mesh[best])}
    faces, vertices = found.labels("face"), found.labels("vertex")
    values: list[Any] = [
        table.decode(faces),
        table.decode(vertices),
        *([found.face, found.vertex] if probabilities else []),
    ]
    for ending, array in zip(_ARRAYS, values):
        with atomic_path(out / f"{name}.{ending}") as temporary, temporary.open("wb") as file:
            np.save(file, array)
    if (polygons := _of_polygons(mesh := one.sample.mesh, found.face)) is not None:
        with atomic_path(out / f"{name}.{_POLYGONS}") as temporary, temporary.open("wb") as file:
            np.save(file, table.decode(polygons))
    colored = predictor.description.items == "face" or len(classes) <= 256
    if colored:
        on_vertices = vertices if predictor.description.items == "vertex" else None
        _write_ply(out / f"{name}.{_COLORED}", one, faces, on_vertices, table)
    areas = np.nan_to_num(in_units(mesh, unit_factor(mesh)).face_areas)
    shares = np.bincount(faces[faces >= 0], weights=areas[faces >= 0], minlength=len(classes)) / max(
        areas.sum(), 1e-300
    )
    entry: dict[str, Any] = {"faces": len(faces), "vertices": len(vertices)}
    if len(classes) <= 256:
        entry["area"] = {classes[k]: round(float(shares[k]), 6) for k in np.flatnonzero(shares)}
    return entry | ({"ply": f"{name}.{_COLORED}"} if colored else {})


def _of_polygons(mesh: TriangleMesh, probabilities: ndarray | None) -> ndarray | None:
    """Return the class of each polygon of the file, by the mean over its area; `None` if all are triangles."""
    polygon = mesh.polygon_of_face
    if probabilities is None or polygon[-1] + 1 == len(polygon):
        return None
    weight = np.nan_to_num(in_units(mesh, unit_factor(mesh)).face_areas) + np.finfo(np.float64).tiny
    total = np.zeros((polygon[-1] + 1, probabilities.shape[1]))
    np.add.at(total, polygon, np.nan_to_num(probabilities) * weight[:, None])
    return np.where(total.any(axis=1), total.argmax(axis=1), -1).astype(np.int64)


def _write_ply(path: Path, one: Prepared, faces: ndarray, vertices: ndarray | None, classes: ClassTable) -> None:
    """Write the mesh as given or, if its coordinates are not finite, the repaired one."""
    from gaugenet.viz import write_ply

    mesh = one.sample.mesh
    how: dict[str, Any] = {"class_names": classes.names, "label_values": classes.values, "labels_on": "face"}
    if np.isfinite(mesh.vertices).all():
        write_ply(path, mesh.vertices, mesh.faces, faces, vertex_labels=vertices, **how)
        return
    graph, kept = one.graph, None if vertices is None else vertices[one.vertex_map]
    write_ply(path, graph.pos, graph.face.T, faces[one.face_map], vertex_labels=kept, **how)
    logger.warning("%s: coordinates that are not finite; %s shows the repaired mesh.", one.sample.path, path)
