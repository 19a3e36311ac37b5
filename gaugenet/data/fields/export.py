"""Writers of fields: PLY with all properties of the input file, and VTP for ParaView."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet.data.fields.units import EXTRA
from gaugenet.data.meshes.sample import DataError
from gaugenet.files import atomic_path
from gaugenet.geometry.mesh._ply import ply_columns
from gaugenet.geometry.mesh._vtk import VTK_SUFFIXES, read_vtk
from gaugenet.geometry.mesh.mesh import TriangleMesh

Values = Mapping[str, Mapping[str, Float[ndarray, "n *shape"]]]
"""Fields by name, for each of `vertex`, `face` and `mesh`."""

PREDICTED = "_predicted"
"""Suffix of the name of a field if the input file already has a field of this name."""

_TYPES = {
    "i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint", "i8": "int64",
    "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip
_COMPONENTS = {1: [""], 3: ["_x", "_y", "_z"], 9: [f"_{a}{b}" for a in "xyz" for b in "xyz"]}


def write_ply_fields(path: Path, mesh: TriangleMesh, values: Values, source: Path | None = None) -> None:
    """Write a mesh with fields as properties of its vertices and faces, in binary.

    If the source is a PLY file, all its elements and properties are kept in order. If the input has a field of the same
    name, the suffix `_predicted` is added. Values of the triangles of one polygon are averaged by area.

    Args:
        path: the file to write.
        mesh: the surface, as it was read.
        values: the fields.
        source: the file of the mesh.
    """
    if source is not None and source.suffix.lower() == ".ply":
        elements = ply_columns(source.read_bytes())
    else:
        elements = {"vertex": dict(zip("xyz", mesh.vertices.T)), "face": {}}
        elements["face"]["vertex_indices"] = (mesh.faces.astype(np.int32).ravel(), np.full(mesh.num_faces, 3, np.uint8))
    for name, array in values.get("vertex", {}).items():
        elements["vertex"] |= _columns(name, array, elements["vertex"])
    for name, array in values.get("face", {}).items():
        elements["face"] |= _columns(name, _of_polygons(array, mesh), elements["face"])
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        header = ["ply", "format binary_little_endian 1.0", "comment written by gaugenet"]
        for name, columns in elements.items():
            header += [f"element {name} {_count(columns)}", *(_declared(k, v) for k, v in columns.items())]
        file.write("\n".join([*header, "end_header", ""]).encode("ascii", errors="replace"))
        for columns in elements.values():
            file.write(_packed(columns))


def _columns(name: str, array: ndarray, taken: Mapping[str, Any]) -> dict[str, ndarray]:
    """Return a column for each component."""
    flat = array.reshape(len(array), -1).astype(np.float64)
    plain = _free_name("".join(c if 32 < ord(c) < 127 else "_" for c in name), array, taken)
    return {plain + end: flat[:, k] for k, end in enumerate(_COMPONENTS[flat.shape[1]])}


def _free_name(name: str, array: ndarray, taken: Mapping[str, Any]) -> str:
    """Return the name of a field, with the suffix `_predicted` if the input has a field of this name."""
    ends = ("", *_COMPONENTS[int(np.prod(array.shape[1:]))])
    return name + PREDICTED if any(name + end in taken for end in ends) else name


def _of_polygons(array: ndarray, mesh: TriangleMesh) -> ndarray:
    """Return one value for each polygon of the file: the mean over its triangles, weighted by area."""
    polygon = mesh.polygon_of_face
    if not len(polygon) or polygon[-1] + 1 == len(polygon):
        return array
    flat, area = array.reshape(len(array), -1), mesh.face_areas + 1e-300
    total = np.stack([np.bincount(polygon, area * column) for column in flat.T], axis=1)
    return (total / np.bincount(polygon, area)[:, None]).reshape(-1, *array.shape[1:])


def _count(columns: Mapping[str, Any]) -> int:
    first = next(iter(columns.values()), np.zeros(0))
    return len(first[1] if isinstance(first, tuple) else first)


def _declared(name: str, column: Any) -> str:
    if isinstance(column, tuple):
        return f"property list {_TYPES[_size_kind(column[1])]} {_TYPES[_kind(column[0])]} {name}"
    return f"property {_TYPES[_kind(column)]} {name}"


def _kind(array: ndarray) -> str:
    return np.asarray(array).dtype.str[1:]


def _size_kind(sizes: ndarray) -> str:
    return "u1" if sizes.max(initial=0) < 256 else "u4"


def _packed(columns: Mapping[str, Any]) -> bytes:
    """Return the rows of an element as bytes; lists have different lengths, so they are written row by row."""
    count = _count(columns)
    width = np.zeros(count, dtype=np.int64)
    parts: list[tuple[ndarray, ndarray]] = []  # bytes of each column, and their number in each row
    for column in columns.values():
        if isinstance(column, tuple):
            values, sizes = column
            parts.append(_bytes(np.asarray(sizes).astype(_size_kind(sizes)), np.ones(count, dtype=np.int64)))
            parts.append(_bytes(np.asarray(values), np.asarray(sizes, dtype=np.int64)))
        else:
            parts.append(_bytes(np.asarray(column), np.ones(count, dtype=np.int64)))
        width += sum(lengths for _, lengths in parts[-1 - isinstance(column, tuple) :])
    start = np.cumsum(width) - width
    out = np.zeros(int(width.sum()), dtype=np.uint8)
    for content, lengths in parts:
        inside = np.arange(len(content)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        out[np.repeat(start, lengths) + inside] = content
        start = start + lengths
    return out.tobytes()


def _bytes(values: ndarray, per_row: ndarray) -> tuple[ndarray, ndarray]:
    little = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
    return little.view(np.uint8).reshape(-1), per_row * values.dtype.itemsize


def write_vtp(path: Path, mesh: TriangleMesh, values: Values, source: Path | None = None) -> None:
    """Write a mesh with fields as point, cell and field data, for ParaView and other readers of VTK.

    If the source is a VTK or PLY file, its arrays are kept. The first vector on points (or on cells) is the active one,
    which ParaView's filter Glyph draws as arrows.

    Args:
        path: the file to write.
        mesh: the surface, as it was read.
        values: the fields.
        source: the file of the mesh.

    Raises:
        DataError: If VTK is not installed.
    """
    try:
        from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter
    except ImportError as error:
        raise DataError(f"Writing {path} needs the package vtk: {EXTRA}.") from error
    data = _poly_data(mesh)
    places = {"vertex": data.GetPointData(), "face": data.GetCellData(), "mesh": data.GetFieldData()}
    kept = _kept(source, mesh)
    for site in kept:
        for name, array in kept[site].items():
            _add(places[site], name, array)
    for site, arrays in values.items():
        for name, array in arrays.items():
            free = _free_name(name, array, kept.get(site, {}))
            _add(places[site], free, array)
            if array.ndim == 2 and site != "mesh" and places[site].GetVectors() is None:
                places[site].SetActiveVectors(free)
    writer = vtkXMLPolyDataWriter()
    with atomic_path(path) as temporary:
        writer.SetFileName(str(temporary))
        writer.SetInputData(data)
        if not writer.Write():
            raise OSError(f"VTK could not write {path}.")


def _kept(source: Path | None, mesh: TriangleMesh) -> dict[str, dict[str, ndarray]]:
    """Return the arrays of the source that fit the triangles."""
    suffix = source.suffix.lower() if source is not None else ""
    if source is not None and suffix in VTK_SUFFIXES:
        arrays = read_vtk(source).arrays
        found = {"vertex": arrays["point"], "face": arrays["cell"], "mesh": arrays["field"]}
    elif source is not None and suffix == ".ply":
        columns = ply_columns(source.read_bytes())
        found = {s: {k: v for k, v in columns.get(s, {}).items() if isinstance(v, ndarray)} for s in ("vertex", "face")}
        found["vertex"] = {k: v for k, v in found["vertex"].items() if k not in ("x", "y", "z")}
    else:
        return {}
    polygon = mesh.polygon_of_face
    if len(polygon) and polygon[-1] + 1 < len(polygon):
        found["face"] = {name: array[polygon] for name, array in found["face"].items()}
    return found


def _poly_data(mesh: TriangleMesh) -> Any:
    from vtkmodules.util import numpy_support
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    convert: Any = numpy_support.numpy_to_vtk
    ids: Any = numpy_support.numpy_to_vtkIdTypeArray
    points, cells, data = vtkPoints(), vtkCellArray(), vtkPolyData()
    points.SetData(convert(np.ascontiguousarray(mesh.vertices), deep=True))
    offsets = 3 * np.arange(mesh.num_faces + 1, dtype=np.int64)
    cells.SetData(ids(offsets, deep=True), ids(mesh.faces.astype(np.int64).ravel(), deep=True))
    data.SetPoints(points)
    data.SetPolys(cells)
    return data


def _add(place: Any, name: str, array: ndarray) -> None:
    from vtkmodules.util import numpy_support

    convert: Any = numpy_support.numpy_to_vtk
    flat = array.reshape(len(array), -1) if array.ndim > 2 else array
    flat = np.ascontiguousarray(flat if flat.dtype.isnative else flat.astype(flat.dtype.newbyteorder("=")))
    made = convert(flat, deep=True)
    made.SetName(name)
    place.AddArray(made)
