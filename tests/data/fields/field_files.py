"""Files with fields, written by other libraries than the one under test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh
from numpy import ndarray


def sphere(subdivisions: int = 2) -> tuple[ndarray, ndarray]:
    """Vertices and faces of an icosphere."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def write_ply(
    path: Path, vertices: ndarray, faces: ndarray, vertex: dict[str, ndarray], face: dict[str, ndarray] | None = None
) -> Path:
    """A text PLY with scalar properties, written line by line."""
    face = face or {}
    lines = ["ply", "format ascii 1.0", f"element vertex {len(vertices)}"]
    lines += [f"property double {name}" for name in ("x", "y", "z", *vertex)]
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    lines += [f"property double {name}" for name in face] + ["end_header"]
    for k, position in enumerate(vertices):
        lines.append(" ".join(repr(float(v)) for v in (*position, *(values[k] for values in vertex.values()))))
    for k, corners in enumerate(faces):
        lines.append(" ".join(map(str, [len(corners), *corners, *(float(values[k]) for values in face.values())])))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def write_obj(path: Path, vertices: ndarray, faces: ndarray) -> Path:
    """An OBJ file with all digits."""
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
    lines += ["f " + " ".join(map(str, face)) for face in (faces + 1).tolist()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def write_vtp(
    path: Path, vertices: ndarray, faces: ndarray, point: dict[str, ndarray], cell: dict[str, ndarray]
) -> Path:
    """A `.vtp` in text, as the file format describes it."""

    def array(name: str, values: ndarray, kind: str = "Float64") -> str:
        parts = 1 if values.ndim == 1 else values[0].size
        numbers = " ".join(map(repr, values.reshape(-1).tolist()))
        return (
            f'<DataArray type="{kind}" Name="{name}" NumberOfComponents="{parts}" format="ascii">{numbers}</DataArray>'
        )

    offsets = np.arange(1, len(faces) + 1) * faces.shape[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<VTKFile type="PolyData" version="0.1" byte_order="LittleEndian"><PolyData>'
        f'<Piece NumberOfPoints="{len(vertices)}" NumberOfPolys="{len(faces)}">'
        f"<Points>{array('Points', vertices)}</Points>"
        f"<Polys>{array('connectivity', faces.reshape(-1), 'Int64')}{array('offsets', offsets, 'Int64')}</Polys>"
        f"<PointData>{''.join(array(k, v) for k, v in point.items())}</PointData>"
        f"<CellData>{''.join(array(k, v) for k, v in cell.items())}</CellData>"
        "</Piece></PolyData></VTKFile>"
    )
    return path


def write_legacy_vtk(path: Path, vertices: ndarray, faces: ndarray, vectors: ndarray, scalars: ndarray) -> Path:
    """A legacy `.vtk` of triangles in an unstructured grid, with `v` on points and `p` on cells."""
    lines = ["# vtk DataFile Version 3.0", "a surface", "ASCII", "DATASET UNSTRUCTURED_GRID"]
    lines += [f"POINTS {len(vertices)} double"] + [" ".join(map(repr, row)) for row in vertices.tolist()]
    lines += [f"CELLS {len(faces)} {4 * len(faces)}"] + [f"3 {a} {b} {c}" for a, b, c in faces.tolist()]
    lines += [f"CELL_TYPES {len(faces)}"] + ["5"] * len(faces)
    lines += [f"POINT_DATA {len(vertices)}", "VECTORS v double"] + [
        " ".join(map(repr, row)) for row in vectors.tolist()
    ]
    lines += [f"CELL_DATA {len(faces)}", "SCALARS p double 1", "LOOKUP_TABLE default", *map(repr, scalars.tolist())]
    path.write_text("\n".join(lines) + "\n")
    return path
