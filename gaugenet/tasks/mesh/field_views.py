"""Fields in the file of a mesh, or next to it, drawn on the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaugenet.data.fields.values import FieldReader
from gaugenet.data.meshes.sample import DataError
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.tasks.training.options import TaskError
from gaugenet.viz.fields import draw_fields
from gaugenet.viz.render.mesh_field import MeshField

if TYPE_CHECKING:
    from gaugenet.viz.render.mesh_field import Drawn


def draw_fields_of(path: Path, names: Sequence[str], files: Sequence[Path], *, drawn: Drawn, **look: Any) -> None:
    """Draw fields of a mesh file, such as what `gaugenet predict` wrote.

    Args:
        path: the mesh, whose fields are found as those of a regression.
        names: the fields, scalars or vectors at vertices or faces.
        files: the pages and pictures to write.
        drawn: how vectors are drawn.
        **look: options of `draw_fields`.

    Raises:
        TaskError: If `path` is a folder.
        MeshError, DataError: If the mesh or a field cannot be read or drawn.
    """
    if path.is_dir():
        raise TaskError(f"--show draws fields of one mesh, and {path} is a folder: name a file.")
    mesh = TriangleMesh.load(path)
    reader = FieldReader(mesh, path)
    fields = {name: _field(reader, name, drawn) for name in names}
    for file in files:
        draw_fields(file, mesh, fields, **look)


def _field(reader: FieldReader, name: str, drawn: Drawn) -> MeshField:
    spec = reader.described(name)
    if spec.kind == "tensor" or spec.on == "mesh":
        what = "a tensor" if spec.kind == "tensor" else "one value of the whole mesh"
        raise DataError(f"{reader.path}: {name!r} is {what}: scalars and vectors at vertices or faces can be drawn.")
    return MeshField(reader.read(spec).values, unit=spec.unit or "", drawn=drawn)
