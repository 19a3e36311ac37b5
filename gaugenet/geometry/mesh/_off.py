"""Reader for OFF files: text with or without colors, normals and texture coordinates."""

from __future__ import annotations

import re

import numpy as np

from gaugenet.geometry.mesh._words import numbers
from gaugenet.geometry.mesh.mesh import MeshError
from gaugenet.geometry.mesh.polygons import Polygons

_KEYWORD = re.compile(r"((ST)?C?N?(4|n|4n)?OFF)(\d*)")


def parse_off(text: str) -> Polygons:
    """Return the polygons of an OFF file.

    Colors may follow the corners of a face on its line. Without them, a face may run over several lines. The space
    after the keyword may be missing.

    Raises:
        MeshError: If the file is binary, is not three-dimensional, is truncated, or has words that are not numbers.
    """
    lines = [words for line in text.split("\n") if (words := line.split("#", 1)[0].split())]
    if lines and (match := _KEYWORD.fullmatch(lines[0][0])):
        if "BINARY" in lines[0]:
            raise MeshError("it is a binary OFF file, which is not supported: save it as text.")
        if match[3]:
            raise MeshError(f"it is a {match[1]} file of points that are not in R^3.")
        header = [match[4]] * bool(match[4]) + lines[0][1:]  # ModelNet has files that begin with "OFF490 518 0"
        lines = [header] * bool(header) + lines[1:]
    if not lines or len(lines[0]) < 2 or not all(word.isdigit() for word in lines[0][:2]):
        raise MeshError("it does not begin with the numbers of vertices and faces.")
    num_vertices, num_faces = int(lines[0][0]), int(lines[0][1])
    body = lines[1:]
    found = _by_lines(body, num_vertices, num_faces) or _by_words(body, num_vertices, num_faces)
    if found is None:
        raise MeshError(
            f"it is truncated or malformed: its header declares {num_vertices} vertices and {num_faces} faces, but "
            f"{len(body)} lines follow that are not those."
        )
    return found


def _by_lines(lines: list[list[str]], num_vertices: int, num_faces: int) -> Polygons | None:
    """Read one vertex or face per line, ignoring the rest of the line. Return `None` if the lines do not fit."""
    vertices, faces = lines[:num_vertices], lines[num_vertices:]
    if len(vertices) < num_vertices or len(faces) != num_faces or any(len(row) < 3 for row in vertices):
        return None
    sizes = _numbers([row[0] for row in faces], np.int64)
    if any(size < 1 or len(row) <= size for size, row in zip(sizes, faces, strict=True)):
        return None
    positions = _numbers([word for row in vertices for word in row[:3]], np.float64)
    corners = _numbers([word for size, row in zip(sizes, faces) for word in row[1 : size + 1]], np.int64)
    return Polygons(positions.reshape(-1, 3), corners, sizes)


def _by_words(lines: list[list[str]], num_vertices: int, num_faces: int) -> Polygons | None:
    """Read plain OFF as one sequence of numbers. Return `None` if there are fewer or more than declared."""
    words = [word for row in lines for word in row]
    positions, rest = words[: 3 * num_vertices], words[3 * num_vertices :]
    faces, at = [], 0
    for _ in range(num_faces):
        size = int(rest[at]) if at < len(rest) and rest[at].isdigit() else 0
        if size < 1 or at + size >= len(rest):
            return None
        faces.append(_numbers(rest[at + 1 : at + 1 + size], np.int64))
        at += size + 1
    if at != len(rest) or len(positions) < 3 * num_vertices:
        return None
    return Polygons.of(_numbers(positions, np.float64), faces)


def _numbers(words: list[str], kind: type) -> np.ndarray:
    return numbers(words, kind, "word that is not a number")
