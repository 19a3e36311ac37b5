"""Reader for OBJ files: it reads the `v` and `f` lines and ignores all others."""

from __future__ import annotations

import re

import numpy as np
from numpy import ndarray

from gaugenet.geometry.mesh._words import numbers
from gaugenet.geometry.mesh.mesh import MeshError
from gaugenet.geometry.mesh.polygons import Polygons

_VERTEX = re.compile(r"^[ \t]*v[ \t]+(.*)$", flags=re.MULTILINE)
_FACE = re.compile(r"^[ \t]*f[ \t]+(.*)$", flags=re.MULTILINE)


def parse_obj(text: str) -> Polygons:
    """Return the polygons of an OBJ file.

    Texture, normals, materials and groups are ignored. They never split a vertex.

    Raises:
        MeshError: If a vertex has fewer than three numbers, or a corner of a face is not a valid index.
    """
    text = re.sub(r"#.*", "", text.replace("\\\n", " "))
    vertices, faces = list(_VERTEX.finditer(text)), list(_FACE.finditer(text))
    rows = [match[1].split() for match in faces]
    sizes = np.array([len(row) for row in rows], dtype=np.int64)
    index = numbers(
        [corner.split("/", 1)[0] for row in rows for corner in row], np.int64, "corner that is not an index"
    )
    if (index == 0).any():
        raise MeshError("a face names the vertex 0: indices of OBJ files start at 1.")
    if (index < 0).any():  # relative to the vertices above the line
        above = np.searchsorted([match.start() for match in vertices], [match.start() for match in faces])
        index = np.where(index < 0, index + np.repeat(above, sizes) + 1, index)
        if (index < 1).any():
            raise MeshError("a face counts back beyond the first vertex.")
    return Polygons(_positions([match[1].split() for match in vertices]), index - 1, sizes)


def _positions(rows: list[list[str]]) -> ndarray:
    short = next((row for row in rows if len(row) < 3), None)
    if short is not None:
        raise MeshError(f"a vertex has {len(short)} coordinates ({' '.join(short)}): expected 3.")
    return numbers([word for row in rows for word in row[:3]], np.float64, "coordinate that is not a number").reshape(
        -1, 3
    )
