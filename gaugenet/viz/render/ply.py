"""Colored, labelled meshes as binary PLY, readable by MeshLab, Blender, trimesh and this library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet.files import atomic_path
from gaugenet.viz.render.colors import label_colors, palette
from gaugenet.viz.render.mesh_field import Site
from gaugenet.viz.render.mesh_view import MeshView, class_names_for

_COLOR = [("red", "u1"), ("green", "u1"), ("blue", "u1"), ("alpha", "u1")]
_TYPE_NAMES = {"<f8": "double", "<i4": "int", "|u1": "uchar"}


def write_ply(
    path: str | Path,
    vertices: Any,
    faces: Any,
    labels: Any = None,
    *,
    labels_on: Site | None = None,
    class_names: Sequence[str] | None = None,
    label_values: Sequence[int] | None = None,
    vertex_labels: Any = None,
) -> None:
    """Write a mesh with an integer property `label` and the palette's colors on its faces or vertices.

    Vertices keep their order and their float64 coordinates. The comments of the header hold the class names. The
    file is written under a temporary name and renamed, so it is complete or absent.

    Args:
        path: the file to write; its folder is made when missing.
        vertices: `(V, 3)` array or tensor.
        faces: `(F, 3)` array or tensor.
        labels: `(F,)` or `(V,)` integers, negative meaning unlabelled (grey); or None for a plain mesh.
        labels_on: `"face"` or `"vertex"`; needed only when the mesh has as many faces as vertices.
        class_names: names of the classes.
        label_values: the number of each class in the file; 0, 1, ... by default.
        vertex_labels: `(V,)` labels to write on the vertices, without colors, next to those of the faces.

    Raises:
        ValueError: If the number of labels fits neither faces nor vertices, or a label has no name or number.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere, TriangleMesh
        >>> from gaugenet.viz import write_ply
        >>> sphere = Icosphere(1)
        >>> write_ply("halves.ply", sphere.pos, sphere.face.T, (sphere.pos[:, 2] > 0).long())
        >>> TriangleMesh.load("halves.ply").num_vertices
        42
    """
    view = MeshView(name=Path(path).name, vertices=vertices, faces=faces, prediction=labels, labels_on=labels_on)
    names = class_names_for([view], class_names)
    site = None if view.prediction is None else view.label_site
    numbers = np.arange(len(names)) if label_values is None else np.asarray(label_values)
    if len(numbers) != len(names):
        raise ValueError(f"Expected one of `label_values` for each of {len(names)} classes, got {len(numbers)}.")
    place: list[tuple[Any, ...]] = [("x", "<f8"), ("y", "<f8"), ("z", "<f8")]
    extra: list[tuple[Any, ...]] = [] if vertex_labels is None else [("label", "<i4")]
    tables = {
        "vertex": _table(place + extra, len(view.vertices), site == "vertex"),
        "face": _table([("count", "u1"), ("vertex_indices", "<i4", (3,))], len(view.faces), site == "face"),
    }
    for k, axis in enumerate("xyz"):
        tables["vertex"][axis] = view.vertices[:, k]
    tables["face"]["count"] = 3
    tables["face"]["vertex_indices"] = view.faces
    if site is not None:
        _paint(tables[site], view.prediction, numbers)
    if vertex_labels is not None:
        tables["vertex"]["label"] = _numbered(np.asarray(vertex_labels), numbers)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(_header(tables, names if site else [], numbers).encode("ascii"))
        for table in tables.values():
            file.write(table.tobytes())


def _table(fields: list[tuple[Any, ...]], count: int, painted: bool) -> ndarray:
    return np.zeros(count, dtype=fields + (_COLOR + [("label", "<i4")] if painted else []))


def _paint(table: ndarray, labels: Int[ndarray, "n"], numbers: Int[ndarray, "classes"]) -> None:
    colors = label_colors(labels, len(numbers))
    for k, channel in enumerate(("red", "green", "blue")):
        table[channel] = colors[:, k]
    table["alpha"] = 255
    table["label"] = _numbered(labels, numbers)


def _numbered(labels: Int[ndarray, "n"], numbers: Int[ndarray, "classes"]) -> Int[ndarray, "n"]:
    return np.where(labels < 0, labels, numbers[np.maximum(labels, 0)]) if len(numbers) else labels


def _header(tables: dict[str, ndarray], class_names: list[str], numbers: Int[ndarray, "classes"]) -> str:
    lines = ["ply", "format binary_little_endian 1.0", "comment written by gaugenet"]
    for k, name, color in zip(numbers, class_names, palette(len(class_names))):
        lines.append(f"comment class {k} {_plain(name)} color {color[0]} {color[1]} {color[2]}")
    for element, table in tables.items():
        lines.append(f"element {element} {len(table)}")
        lines += [_property(name, table.dtype[name]) for name in table.dtype.names or () if name != "count"]
    return "\n".join([*lines, "end_header", ""])


def _property(name: str, dtype: np.dtype) -> str:
    if dtype.shape:
        return f"property list uchar int {name}"
    return f"property {_TYPE_NAMES[dtype.str]} {name}"


def _plain(name: str) -> str:
    """Return a name that cannot break the header: printable ASCII on one line."""
    return "".join(c if 32 < ord(c) < 127 else "_" for c in name) or "_"
