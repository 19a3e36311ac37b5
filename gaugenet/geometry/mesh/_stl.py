"""Reader for STL files: separate triangles, as text or binary."""

from __future__ import annotations

import re

import numpy as np
from numpy import ndarray

from gaugenet.geometry.mesh._words import numbers, text_of
from gaugenet.geometry.mesh.mesh import MeshError
from gaugenet.geometry.mesh.polygons import Polygons

_HEAD = 84
_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_LINE = re.compile(r"^[ \t]*(vertex|endloop|endsolid)\b[ \t]*(.*)$", flags=re.MULTILINE | re.IGNORECASE)


def parse_stl(content: bytes) -> Polygons:
    """Return the triangles of an STL file, in the order of the file. Triangles share no corners.

    Raises:
        MeshError: If the file is truncated, or is not an STL file.
    """
    declared = int.from_bytes(content[80:_HEAD], "little")
    if len(content) >= _HEAD and len(content) == _HEAD + declared * _FACET.itemsize:
        return _loose(np.frombuffer(content, _FACET, declared, _HEAD)["corners"].reshape(-1, 3))
    text = text_of(content)
    if text.lstrip()[:5].lower() == "solid" and "\0" not in text:
        return _loose(_corners(text))
    if len(content) < _HEAD:
        raise MeshError(f"it is not an STL file: it has {len(content)} bytes and does not begin with 'solid'.")
    raise MeshError(
        f"it is truncated or not an STL file: its header declares {declared:,} triangles of {_FACET.itemsize} bytes, "
        f"and {len(content) - _HEAD:,} bytes follow."
    )


def _corners(text: str) -> ndarray:
    """Return the corners of the triangles of a text file, which may hold several solids."""
    rows: list[list[str]] = []
    count, last = 0, ""
    for match in _LINE.finditer(text):
        last = match[1].lower()
        if last == "vertex":
            rows.append(match[2].split())
            continue
        if len(rows) - count != (3 if last == "endloop" else 0):
            raise MeshError(f"a loop has {len(rows) - count} corners after triangle {count // 3}: expected 3.")
        count = len(rows)
    if last != "endsolid":
        raise MeshError(f"it is truncated: no 'endsolid' follows its {len(rows) // 3} triangles.")
    short = next((row for row in rows if len(row) != 3), None)
    if short is not None:
        raise MeshError(f"a vertex has {len(short)} coordinates ({' '.join(short)}): expected 3.")
    return numbers([word for row in rows for word in row], np.float64, "coordinate that is not a number").reshape(-1, 3)


def _loose(corners: ndarray) -> Polygons:
    count = len(corners) // 3
    return Polygons(corners.astype(np.float64), np.arange(3 * count), np.full(count, 3))
