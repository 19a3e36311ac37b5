"""A survey of a folder of meshes: properties of each mesh, whether a network can use it, and its labels."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaugenet.data.meshes.labels import read_labels, read_ply_labels
from gaugenet.data.meshes.sample import MESH_SUFFIXES, DataError
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.geometry.mesh.quality import inspect_mesh
from gaugenet.geometry.mesh.report import QualityReport
from gaugenet.tasks.mesh.isolated import Failure, Limits, isolated
from gaugenet.tasks.training.progress import progress

logger = logging.getLogger(__name__)

OUTCOMES = ("usable", "unusable", "refused", "timeout", "out of memory", "crashed")
_LISTED_CLASSES = 100


def survey(paths: Sequence[str | Path], *, limits: Limits | None = None, processes: int = -1) -> list[dict[str, Any]]:
    """Inspect mesh files, and all mesh files in folders and their subfolders, each in a child process with limits.

    Args:
        paths: files and folders. Hidden folders are left out.
        limits: of each mesh.
        processes: number of parallel processes; -1 for the number of CPUs.

    Returns:
        For each mesh, in the order of the paths and of the names, a dictionary of plain values: `file`, `folder` (below
        the given path), `ok`, `outcome` (one of `OUTCOMES`) and `seconds`. Meshes that were read also have `vertices`,
        `faces`, `components`, `boundary_loops`, `orientation`, `size`, `unit_guess`, `repairable`, `warnings`, and
        `labels` if there are any. Other meshes have the reason as `error`.

    Raises:
        ValueError: If there are no meshes, or a limit or the number of processes is not positive.
    """
    if processes < 1 and processes != -1:
        raise ValueError(f"Expected `processes` positive, or -1 for the number of CPUs, got {processes}.")
    found = [pair for path in map(Path, paths) for pair in _meshes(path)]
    if not found:
        raise ValueError(f"No meshes in {', '.join(map(str, paths))}: expected {', '.join(sorted(MESH_SUFFIXES))}.")
    count = _cpus() if processes == -1 else processes
    entries: list[dict[str, Any]] = [{"file": str(file), "folder": folder, "ok": False} for file, folder in found]
    with progress(len(found), "inspecting") as bar:
        files = [file for file, _ in found]
        for index, result in isolated(_entry, files, processes=count, limits=limits or Limits()):
            if isinstance(result, Failure):
                result = {"outcome": result.outcome, "error": result.reason}
            entries[index] |= result
            bar.advance()
    return entries


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _meshes(path: Path) -> Iterator[tuple[Path, str]]:
    """Return mesh files, each with its folder relative to `path`."""
    if not path.is_dir():
        yield path, ""
        return
    for place, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        where = Path(place)
        folder = "" if where == path else where.relative_to(path).as_posix()
        files = (where / name for name in sorted(names) if not name.startswith("."))
        yield from ((file, folder) for file in files if file.suffix.lower() in MESH_SUFFIXES)


def _entry(file: Path) -> dict[str, Any]:
    """Return the entry of one mesh; runs in a child process."""
    start = time.perf_counter()
    try:
        mesh = TriangleMesh.load(file)
        entry = _facts(file, inspect_mesh(mesh)) | _labels(file, mesh)
    except (ValueError, OSError) as error:
        entry = {"outcome": "refused", "error": str(error)}
    return entry | {"seconds": round(time.perf_counter() - start, 4)}


def _facts(file: Path, report: QualityReport) -> dict[str, Any]:
    box, facts = report.facts["bounding_box"], report.facts
    size = float(np.ptp(np.array(box) / 2, axis=0).max() * 2) if box else 0.0
    shown = {name: facts[name] for name in ("vertices", "faces", "components", "boundary_loops")}
    errors = [problem for problem in report.problems if problem.severity == "error"]
    return {
        "ok": report.ok,
        "outcome": "usable" if report.ok else "unusable",
        **shown,
        "orientation": _orientation(report),
        "size": size if np.isfinite(size) else None,
        "unit_guess": unit_guess(file.suffix.lower(), size),
        "repairable": bool(errors) and all(problem.repairable for problem in errors),
        "warnings": [f"{p.name.replace('_', ' ')}: {p.count}" for p in report.problems if p.severity != "info"],
    }


def _orientation(report: QualityReport) -> str:
    for name, text in (
        ("non_orientable", "none"),
        ("inconsistent_orientation", "inconsistent"),
        ("inward_orientation", "inward"),
    ):
        if report[name].count:
            return text
    return "open" if report.facts["boundary_loops"] else "outward"


def unit_guess(suffix: str, size: float) -> str:
    """Guess the unit of length of a file from its format or, if that does not tell, from its size.

    The guess is only displayed. glTF is in meters by its specification, and STL in millimeters by custom. Other meshes
    up to a size of ten are taken to be in meters, larger ones in millimeters.
    """
    if suffix in (".glb", ".gltf"):
        return "m"
    if suffix == ".stl":
        return "mm"
    return "m" if 1e-2 <= size < 10 else "mm" if 10 <= size < 1e5 else "?"


def _labels(file: Path, mesh: TriangleMesh) -> dict[str, Any]:
    """Return the labels in the file or next to it: their items and how often each occurs, or why they do not match."""
    beside = next((p for p in (file.with_suffix(".npy"), file.with_suffix(".txt")) if p.is_file()), None)
    try:
        if beside is not None:
            found = {"": read_labels(beside)}
        else:
            found = read_ply_labels(file) if file.suffix.lower() == ".ply" else {}
    except DataError as error:
        return {"labels": {"error": str(error)}}
    counts = {"vertices": mesh.num_vertices, "faces": mesh.num_faces, "polygons": int(mesh.polygon_of_face.max()) + 1}
    for kind, labels in found.items():
        fitting = kind or next((name for name, count in counts.items() if count == len(labels)), "")
        if not fitting:
            numbers = ", ".join(f"{count} {name}" for name, count in counts.items())
            return {"labels": {"error": f"{beside}: {len(labels)} labels for {numbers}"}}
        values, number = np.unique(labels, return_counts=True)
        classes = {str(v): int(n) for v, n in zip(values[:_LISTED_CLASSES], number)}
        return {"labels": {"on": fitting, "classes": classes}}
    return {}


def is_usable(entry: Mapping[str, Any]) -> bool:
    """Return whether a mesh can be used, and its labels, if any, match."""
    return bool(entry["ok"]) and "error" not in entry.get("labels", {})


_COLUMNS = ("outcome", "vertices", "faces", "components", "boundary_loops", "orientation", "size", "unit_guess")
_HEADS = ("outcome", "vertices", "faces", "parts", "loops", "orientation", "size", "unit")


def describe_survey(entries: Sequence[Mapping[str, Any]]) -> str:
    """Format a survey as a table: a line for each mesh, then the numbers of outcomes, folders and labels."""
    width = max(len("mesh"), *(len(entry["file"]) for entry in entries))
    form = f"{{:<{width}}}  {{:<13}}  {{:>9}}  {{:>9}}  {{:>5}}  {{:>5}}  {{:<12}}  {{:>9}}  {{:<4}}  {{}}"
    lines = [form.format("mesh", *_HEADS, "remarks").rstrip()]
    for entry in entries:
        cells = [_cell(entry.get(name)) for name in _COLUMNS]
        lines.append(form.format(entry["file"], *cells, _remarks(entry)).rstrip())
    return "\n".join([*lines, "", *_totals(entries)])


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _remarks(entry: Mapping[str, Any]) -> str:
    found = [entry["error"].removeprefix(f"{entry['file']}: ")] if "error" in entry else list(entry["warnings"])
    if "error" in entry.get("labels", {}):
        found.append(entry["labels"]["error"])
    return "; ".join(found) + (" (repairable)" if entry.get("repairable") else "")


def _totals(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    outcomes = Counter(entry["outcome"] for entry in entries)
    yield f"{len(entries)} meshes: " + ", ".join(f"{outcomes[name]} {name}" for name in OUTCOMES if outcomes[name])
    folders = Counter(entry["folder"] for entry in entries)
    if len(folders) > 1:
        usable = Counter(entry["folder"] for entry in entries if entry["ok"])
        yield "folders: " + ", ".join(f"{name or '.'} {usable[name]}/{count}" for name, count in folders.items())
    labelled = [entry["labels"] for entry in entries if "classes" in entry.get("labels", {})]
    for kind in sorted({labels["on"] for labels in labelled}):
        total: Counter[str] = Counter()
        of_kind = [labels["classes"] for labels in labelled if labels["on"] == kind]
        for classes in of_kind:
            total.update(classes)
        parts = ", ".join(f"{name}: {count}" for name, count in sorted(total.items(), key=lambda item: int(item[0])))
        yield f"labels of {kind} on {len(of_kind)} meshes: {parts}"
