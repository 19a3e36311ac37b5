"""Reader for VTK files (`.vtk`, `.vtp`, `.vtu`): the polygons of a surface, and the arrays on its points and cells."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import MeshError
from gaugenet.geometry.mesh.polygons import Polygons

logger = logging.getLogger(__name__)

VTK_SUFFIXES = frozenset({".vtk", ".vtp", ".vtu"})
_WINDOW = threading.Lock()
"""Held while the output window of VTK, a global object, is replaced."""
_FLAT = {5: "triangle", 7: "polygon", 9: "quadrilateral"}


@dataclass(frozen=True, eq=False)
class VtkSurface:
    """The content of a VTK file.

    Attributes:
        polygons: the cells, in the order of the file.
        arrays: arrays by name, under `point`, `cell` and `field`.
        data: the VTK data set.
    """

    polygons: Polygons
    arrays: dict[str, dict[str, ndarray]]
    data: Any


def read_vtk(path: Path) -> VtkSurface:
    """Read a surface with all its arrays.

    Raises:
        MeshError: If VTK is not installed, the file cannot be read, or it holds cells that are not polygons.
    """
    data = _load(path)
    points = data.GetPoints() if data is not None and hasattr(data, "GetPoints") else None
    if points is None or not points.GetNumberOfPoints():
        raise MeshError("it is truncated, empty, or not a surface: expected polygons with points.")
    vertices = as_array(points.GetData()).astype(np.float64)
    sizes, corners = _cells(data)
    places = {"point": data.GetPointData(), "cell": data.GetCellData(), "field": data.GetFieldData()}
    arrays = {place: _arrays(values) for place, values in places.items()}
    return VtkSurface(Polygons(vertices, corners, sizes), arrays, data)


def as_array(values: Any) -> ndarray:
    """Return a VTK array as a numpy array."""
    from vtkmodules.util import numpy_support

    convert: Any = numpy_support.vtk_to_numpy
    return np.array(convert(values))


def _load(path: Path) -> Any:
    try:
        from vtkmodules.vtkIOLegacy import vtkGenericDataObjectReader
        from vtkmodules.vtkIOXML import vtkXMLPolyDataReader, vtkXMLUnstructuredGridReader
    except ImportError as error:
        raise MeshError("VTK files need the package vtk: pip install 'gaugenet[fields]'.") from error
    readers = {
        ".vtk": vtkGenericDataObjectReader,
        ".vtp": vtkXMLPolyDataReader,
        ".vtu": vtkXMLUnstructuredGridReader,
    }
    reader: Any = readers[path.suffix.lower()]()
    reader.SetFileName(str(path))
    if path.suffix.lower() == ".vtk":
        _set_legacy(reader, path)
    if errors := _run(reader):
        logger.debug("VTK says about %s: %s", path, errors)
        raise MeshError("it is truncated or not a VTK file of its kind.")
    return reader.GetOutputDataObject(0)


def _set_legacy(reader: Any, path: Path) -> None:
    """Make the reader read all arrays, and text from memory: only then does it notice missing numbers at the end."""
    for kind in ("Scalars", "Vectors", "Tensors", "Normals", "TCoords", "Fields"):
        getattr(reader, f"ReadAll{kind}On")()
    content = path.read_bytes()
    if content[:1024].split(b"\n")[2:3] == [b"ASCII"]:
        reader.ReadFromInputStringOn()
        reader.SetInputString(content.decode("latin-1") + "\n")


def _run(reader: Any) -> str:
    """Read, and return VTK's error messages. Some of its readers report errors only to the output window."""
    from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow

    with _WINDOW:
        before, window = vtkOutputWindow.GetInstance(), vtkStringOutputWindow()
        vtkOutputWindow.SetInstance(window)
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
        try:
            reader.Update()
        finally:
            vtkOutputWindow.SetInstance(before)
            vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_INFO)
        said: str = window.GetOutput()
    if reader.GetErrorCode() and not said:
        return f"error code {reader.GetErrorCode()}"
    return said if "error" in said.lower() else ""


def _cells(data: Any) -> tuple[ndarray, ndarray]:
    """Return the number of corners of each cell, and the corners of all cells in sequence."""
    if data.IsA("vtkPolyData"):
        others = {"vertices": data.GetNumberOfVerts(), "lines": data.GetNumberOfLines()}
        others["triangle strips"] = data.GetNumberOfStrips()
        cells = data.GetPolys()
    elif data.IsA("vtkUnstructuredGrid"):
        kinds = [data.GetCellType(k) for k in range(data.GetNumberOfCells())]
        others = {"cells that are not polygons, such as tetrahedra": sum(kind not in _FLAT for kind in kinds)}
        cells = data.GetCells() if kinds else None
    else:
        raise MeshError(f"it holds {data.GetClassName()}: expected polygons (PolyData, or an unstructured grid).")
    if cells is None:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if found := [f"{count} {what}" for what, count in others.items() if count]:
        raise MeshError(f"it holds {', '.join(found)}: extract the surface of triangles or polygons first.")
    offsets = as_array(cells.GetOffsetsArray()).astype(np.int64)
    return np.diff(offsets), as_array(cells.GetConnectivityArray()).astype(np.int64)


def _arrays(values: Any) -> dict[str, ndarray]:
    found = {}
    for k in range(values.GetNumberOfArrays()):
        array = values.GetArray(k)  # None for text
        if array is not None and array.GetName():
            found[array.GetName()] = as_array(array)
    return found
