"""Reader for PLY files: text or binary, with polygons or triangle strips. Other properties are kept as columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from gaugenet.geometry.mesh._words import numbers
from gaugenet.geometry.mesh.mesh import MeshError
from gaugenet.geometry.mesh.polygons import Polygons

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "bool": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "int64": "i8",
    "uint64": "u8", "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_INDICES = ("vertex_indices", "vertex_index")


@dataclass(frozen=True)
class _Property:
    """A property of an element. `size` is the type of the length of a list; it is `None` for a single number."""

    name: str
    kind: str
    size: str | None = None


@dataclass(frozen=True)
class _Element:
    name: str
    count: int
    properties: tuple[_Property, ...]


def parse_ply(content: bytes) -> Polygons:
    """Return the polygons of a PLY file, or the triangles of its strips.

    Raises:
        MeshError: If the header cannot be understood, or the file ends before what it declares.
    """
    columns = ply_columns(content)
    vertex = columns.get("vertex", {})
    if not {"x", "y", "z"} <= set(vertex):
        raise MeshError("its header declares no vertices with x, y and z.")
    vertices = np.stack([np.asarray(vertex[axis], dtype=np.float64) for axis in "xyz"], axis=-1).reshape(-1, 3)
    return _polygons(vertices, columns)


def ply_columns(content: bytes) -> dict[str, dict[str, Any]]:
    """Return the properties of each element of a PLY file.

    A property is an array. A list property is given by its entries and its lengths.

    Raises:
        MeshError: If the header cannot be understood, or the file ends before what it declares.
    """
    elements, order, body = _header(content)
    read = _Words(body) if not order else _Bytes(body, order)
    columns: dict[str, dict[str, Any]] = {}
    for element in elements:
        try:
            columns[element.name] = read.element(element)
        except (IndexError, ValueError) as error:
            raise MeshError(
                f"it is truncated or malformed: its header declares {element.count} times {element.name!r}, but they "
                f"end before ({error})."
            ) from error
    return columns


def _polygons(vertices: ndarray, columns: dict[str, dict[str, Any]]) -> Polygons:
    for name in _INDICES:
        if name in columns.get("face", {}):
            return Polygons(vertices, *_lists(columns, "face", name))
        if name in columns.get("tristrips", {}):
            corners, sizes = _lists(columns, "tristrips", name)
            return Polygons.of(vertices, _strips(np.split(corners, np.cumsum(sizes)[:-1])))
    return Polygons.of(vertices, [])


def _lists(columns: dict[str, dict[str, Any]], element: str, name: str) -> tuple[ndarray, ndarray]:
    """Return the entries and the lengths of a list property, as integers."""
    column = columns[element][name]
    if not isinstance(column, tuple):
        raise MeshError(f"its header declares {name!r} of {element!r} as one number, expected `property list`.")
    corners, sizes = column
    return np.asarray(corners, dtype=np.int64), np.asarray(sizes, dtype=np.int64)


def _strips(lists: list[ndarray]) -> list[tuple[int, int, int]]:
    """Return the triangles of strips. Every second triangle of a strip is reversed; -1 begins a new strip."""
    found = []
    for strip in [s[s >= 0] for row in lists for s in np.split(row, np.flatnonzero(row < 0))]:
        for k in range(len(strip) - 2):
            a, b, c = (int(v) for v in strip[k : k + 3])
            if len({a, b, c}) == 3:
                found.append((b, a, c) if k % 2 else (a, b, c))
    return found


def _header(content: bytes) -> tuple[list[_Element], str, bytes]:
    end = re.search(rb"[\r\n]end_header[ \t]*(\r\n|\r|\n|$)", content)  # on its own line: comments may contain the word
    head, body = (content[: end.start()], content[end.end() :]) if end else (content, b"")
    lines = [line.split() for line in head.decode("latin-1").replace("\r", "\n").split("\n") if line.strip()]
    if not end or not lines or lines[0] != ["ply"]:
        raise MeshError("it has no PLY header.")
    elements: list[_Element] = []
    order = None
    for words in lines[1:]:
        if words[0] == "format" and len(words) > 1:
            order = _ORDERS.get(words[1])
        elif words[0] == "element" and len(words) == 3 and words[2].isdigit():
            elements.append(_Element(words[1], int(words[2]), ()))
            if [e.name for e in elements].count(words[1]) > 1:
                raise MeshError(f"its header declares the element {words[1]!r} twice.")
        elif words[0] == "property" and elements:
            last = elements[-1]
            elements[-1] = _Element(last.name, last.count, (*last.properties, _property(words)))
        elif words[0] not in ("comment", "obj_info"):
            raise MeshError(f"its header has the line {' '.join(words)!r}, which is not understood.")
    if order is None:
        raise MeshError("its header names no known format: expected ascii, binary_little_endian or binary_big_endian.")
    return elements, order, body


def _property(words: list[str]) -> _Property:
    kinds, name = words[1:-1], words[-1]
    size = kinds[1:2] if kinds[:1] == ["list"] else None
    unknown = [kind for kind in kinds[kinds[:1] == ["list"] :] if kind not in _TYPES]
    if unknown or len(kinds) != (3 if size is not None else 1):
        raise MeshError(f"its header has the line {' '.join(words)!r}: known types are {', '.join(_TYPES)}.")
    return _Property(name, _TYPES[kinds[-1]], _TYPES[size[0]] if size else None)


class _Words:
    """Reads the elements of a text file, word by word."""

    def __init__(self, body: bytes) -> None:
        self.words = body.decode("latin-1").split()
        self.at = 0

    def element(self, element: _Element) -> dict[str, Any]:
        """Return the columns by name: an array, or for a list its entries and its lengths."""
        properties = element.properties
        if not properties:
            return {}
        if not any(p.size for p in properties):
            table = self._take(element.count * len(properties), "f8").reshape(element.count, len(properties))
            return {p.name: _cast(table[:, k], p) for k, p in enumerate(properties)}
        rows: list[list[ndarray]] = [[] for _ in properties]
        for _ in range(element.count):
            for row, p in zip(rows, properties):
                row.append(self._take(int(self._take(1, "i8")[0]) if p.size else 1, "f8"))
        return {p.name: _joined(row, p) for row, p in zip(rows, properties)}

    def _take(self, count: int, kind: str) -> ndarray:
        words = self.words[self.at : self.at + count]
        if count < 0 or len(words) < count:
            raise IndexError("the file ends")
        self.at += count
        return numbers(words, np.dtype(kind).type, "word that is not a number")


class _Bytes:
    """Reads the elements of a binary file, in one piece if all lists are as long as the first ones."""

    def __init__(self, body: bytes, order: str) -> None:
        self.body, self.order = body, order
        self.at = 0

    def element(self, element: _Element) -> dict[str, Any]:
        """Return the columns by name, as `_Words` does."""
        if not element.count or not element.properties:
            return {p.name: (np.zeros(0, int), np.zeros(0, int)) if p.size else np.zeros(0) for p in element.properties}
        return self._alike(element) or self._one_by_one(element)

    def _alike(self, element: _Element) -> dict[str, Any] | None:
        start, first = self.at, self._row(element)
        self.at = start
        fields: list[Any] = []
        for k, (p, values) in enumerate(zip(element.properties, first)):
            fields += [(f"size{k}", self.order + p.size)] if p.size else []
            fields.append((f"value{k}", self.order + p.kind, (len(values),)))
        kind = np.dtype(fields)
        if len(self.body) - start < kind.itemsize * element.count:
            if any(p.size for p in element.properties):
                return None  # later lists may be shorter
            raise IndexError("the file ends")
        table = np.frombuffer(self.body, kind, element.count, start)
        lists = [k for k, p in enumerate(element.properties) if p.size]
        if any((table[f"size{k}"] != len(first[k])).any() for k in lists):
            return None
        self.at = start + kind.itemsize * element.count
        return {
            p.name: (table[f"value{k}"].reshape(-1), np.full(element.count, len(first[k])))
            if p.size
            else table[f"value{k}"][:, 0]
            for k, p in enumerate(element.properties)
        }

    def _one_by_one(self, element: _Element) -> dict[str, Any]:
        rows = list(zip(*(self._row(element) for _ in range(element.count))))
        return {p.name: _joined(list(row), p) for row, p in zip(rows, element.properties)}

    def _row(self, element: _Element) -> list[ndarray]:
        return [self._take(int(self._take(1, p.size)[0]) if p.size else 1, p.kind) for p in element.properties]

    def _take(self, count: int, kind: str) -> ndarray:
        if count < 0:
            raise IndexError(f"a list of {count} entries")
        values = np.frombuffer(self.body, self.order + kind, count, self.at) if count else np.zeros(0, kind)
        self.at += values.nbytes
        return values


def _cast(values: ndarray, p: _Property) -> ndarray:
    """Convert numbers to the type of a property, if they are of that type."""
    kind = np.dtype(p.kind)
    if kind.kind != "f" and values.dtype.kind == "f":
        limits = np.iinfo(kind)
        wrong = (values != np.trunc(values)) | ~((values >= limits.min) & (values <= limits.max))
        if wrong.any():
            raise ValueError(f"{values[wrong][0]:g} in the property {p.name!r} is no {kind.name}")
    with np.errstate(over="ignore"):
        return values.astype(kind)


def _joined(rows: list[ndarray], p: _Property) -> Any:
    values = _cast(np.concatenate([*rows, np.zeros(0)]), p)
    return (values, np.array([len(row) for row in rows])) if p.size else values
