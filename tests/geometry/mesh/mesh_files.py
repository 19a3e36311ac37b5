"""Mesh files written in many dialects, and a small parser of them that shares nothing with the library."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

POSITIONS = [(0, 0, 0), (1, 0, 0), (1.5, 1, 0), (0.5, 2, 0.25), (-1, 1, 0.5), (0.1, -2, 1e-3), (3, 3, 3), (-2.5, 0, 7)]


@dataclass(frozen=True)
class MeshFile:
    """A file and what it says: positions, and the corners of each polygon."""

    suffix: str
    content: bytes
    vertices: list[tuple[float, ...]]
    polygons: list[list[int]]


@st.composite
def mesh_files(draw) -> MeshFile:
    """Files of four formats with polygons of 3 to 6 corners (STL: of 3), in any mixture and order and dialect."""
    count = draw(st.integers(6, len(POSITIONS)))
    vertices = [tuple(float(np.float32(c)) for c in p) for p in draw(st.permutations(POSITIONS))[:count]]
    sizes = draw(st.lists(st.integers(3, 6), min_size=1, max_size=7))
    polygons = [draw(st.permutations(range(count)))[:size] for size in sizes]
    suffix, write = draw(st.sampled_from(_WRITERS))
    if suffix == "stl":
        vertices, polygons = _loose(vertices, [polygon[:3] for polygon in polygons])
    return MeshFile(suffix, write(draw, vertices, polygons), vertices, polygons)


def _loose(vertices, triangles):
    """What an STL file says: the corners of triangles, equal ones as one vertex in the order of the file."""
    corners = [vertices[k] for triangle in triangles for k in triangle]
    order = list(dict.fromkeys(corners))
    numbered = [order.index(corner) for corner in corners]
    return order, [numbered[k : k + 3] for k in range(0, len(numbered), 3)]


def _stl_text(draw, vertices, polygons) -> bytes:
    word = draw(st.sampled_from([str, str.upper]))
    lines = []
    for part in [polygons] if draw(st.booleans()) else [[polygon] for polygon in polygons]:
        lines.append(word("solid") + draw(st.sampled_from(["", " a part", " vertex of a solid"])))
        for polygon in part:
            lines += [word("facet normal") + " 0 0 1", "  " + word("outer loop")]
            lines += [f"    {word('vertex')} {' '.join(map(repr, vertices[k]))}" for k in polygon]
            lines += ["  " + word("endloop"), word("endfacet")]
        lines.append(word("endsolid"))
    return _encoded(draw, lines)


def _stl_binary(draw, vertices, polygons) -> bytes:
    content = draw(st.sampled_from([b"", b"solid as text"])).ljust(80, draw(st.sampled_from([b" ", b"\0"])))
    content += struct.pack("<I", len(polygons))
    for polygon in polygons:
        content += struct.pack(
            "<12fH", 0, 0, 1, *(c for k in polygon for c in vertices[k]), draw(st.integers(0, 65535))
        )
    return content


def _obj(draw, vertices, polygons) -> bytes:
    space = draw(st.sampled_from([" ", "\t", "  "]))
    texture = draw(st.sampled_from(["", "/1", "/1/1", "//1"]))
    relative, comments, fold = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    lines = ["# a comment", "mtllib other.mtl", "o thing"] if comments else []
    lines += [space.join(["v", *map(repr, p)]) for p in vertices] + ["vt 0 0", "vn 0 0 1", "usemtl one"]
    for polygon in polygons:
        corners = [str(c - len(vertices) if relative else c + 1) + texture for c in polygon]
        line = space.join(["f", *corners])
        if fold:
            line = line.replace(space + corners[2], " \\\n" + corners[2], 1)
        lines.append(line + (" # face" if comments else ""))
    return _encoded(draw, lines)


def _off(draw, vertices, polygons) -> bytes:
    head = draw(st.sampled_from(["OFF\n{} {} 0", "OFF {} {} 0", "# by hand\nOFF\n\n{} {}"]))
    lines = head.format(len(vertices), len(polygons)).split("\n") + [" ".join(map(repr, p)) for p in vertices]
    style = draw(st.sampled_from(["plain", "colors", "over lines"]))
    for polygon in polygons:
        corners = " ".join(map(str, polygon))
        lines += [str(len(polygon)), corners] if style == "over lines" else [f"{len(polygon)} {corners}"]
        lines[-1] += "  0.5 0.25 1" if style == "colors" else ""
    return _encoded(draw, lines)


def _encoded(draw, lines: list[str]) -> bytes:
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    mark = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return mark + ("\n".join(lines) + "\n").replace("\n", end).encode()


def _ply_header(draw, form: str, vertices, polygons) -> tuple[str, bool, bool]:
    colored, textured = draw(st.booleans()), draw(st.booleans())
    name = draw(st.sampled_from(["vertex_indices", "vertex_index"]))
    lines = ["ply", f"format {form} 1.0", "comment by hand", f"element vertex {len(vertices)}"]
    lines += [f"property float {axis}" for axis in "xyz"] + (["property bool marked"] if colored else [])
    lines += [f"element face {len(polygons)}", f"property list uchar int {name}"]
    lines += ["property list uchar float texcoord"] if textured else []
    return "\n".join([*lines, "end_header\n"]), colored, textured


def _ply_text(draw, vertices, polygons) -> bytes:
    head, colored, textured = _ply_header(draw, "ascii", vertices, polygons)
    lines = [" ".join(map(repr, p)) + (" 1" if colored else "") for p in vertices]
    for polygon in polygons:
        texture = f" {2 * len(polygon)}" + " 0.5" * (2 * len(polygon)) if textured else ""
        lines.append(f"{len(polygon)} " + " ".join(map(str, polygon)) + texture)
    return (head + "\n".join(lines) + "\n").replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode()


def _ply_binary(draw, vertices, polygons) -> bytes:
    end = draw(st.sampled_from(["<", ">"]))
    form = {"<": "binary_little_endian", ">": "binary_big_endian"}[end]
    head, colored, textured = _ply_header(draw, form, vertices, polygons)
    body = b"".join(struct.pack(end + "3f", *p) + (b"\1" if colored else b"") for p in vertices)
    for polygon in polygons:
        body += struct.pack(f"{end}B{len(polygon)}i", len(polygon), *polygon)
        body += (
            struct.pack(f"{end}B{2 * len(polygon)}f", 2 * len(polygon), *[0.5] * (2 * len(polygon)))
            if textured
            else b""
        )
    return head.encode() + body


_WRITERS = [
    *(("obj", _obj), ("off", _off), ("ply", _ply_text), ("ply", _ply_binary)),
    *(("stl", _stl_text), ("stl", _stl_binary)),
]


def parse(file: MeshFile) -> tuple[list[tuple[float, ...]], list[list[int]]]:
    """Read a file of `mesh_files` line by line, number by number, by the letter of its format."""
    return {"obj": _parse_obj, "off": _parse_off, "ply": _parse_ply, "stl": _parse_stl}[file.suffix](file.content)


def _lines(content: bytes) -> list[str]:
    text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").replace("\\\n", " ")
    return [line.split("#")[0] for line in text.split("\n") if line.split("#")[0].strip()]


def _parse_obj(content: bytes):
    vertices, polygons = [], []
    for line in _lines(content):
        word, *rest = line.split()
        if word == "v":
            vertices.append(tuple(float(x) for x in rest))
        if word == "f":
            numbers = [int(corner.split("/")[0]) for corner in rest]
            polygons.append([n - 1 if n > 0 else len(vertices) + n for n in numbers])
    return vertices, polygons


def _parse_off(content: bytes):
    lines = _lines(content)
    lines[0] = lines[0].replace("OFF", "")
    lines = [line for line in lines if line.strip()]
    count, faces = (int(x) for x in lines[0].split()[:2])
    vertices = [tuple(float(x) for x in line.split()) for line in lines[1 : count + 1]]
    rest, polygons = lines[count + 1 :], []
    for _ in range(faces):
        words = rest.pop(0).split()
        while len(words) < int(words[0]) + 1:
            words += rest.pop(0).split()
        polygons.append([int(x) for x in words[1 : int(words[0]) + 1]])
    return vertices, polygons


def _parse_ply(content: bytes):
    head, body = content.split(b"end_header", 1)
    body = body[2:] if body.startswith(b"\r\n") else body[1:]
    lines = [line.split() for line in head.decode().replace("\r", "").split("\n")]
    counts = {words[1]: int(words[2]) for words in lines if words[:1] == ["element"]}
    colored, textured = (any(name in words for words in lines) for name in ("marked", "texcoord"))
    form = next(words[1] for words in lines if words[:1] == ["format"])
    if form == "ascii":
        rows = [line.split() for line in body.decode().splitlines()]
        faces = rows[counts["vertex"] :]
        return [tuple(float(x) for x in row[:3]) for row in rows[: counts["vertex"]]], [
            [int(x) for x in row[1 : int(row[0]) + 1]] for row in faces
        ]
    end, at, vertices, polygons = ("<" if "little" in form else ">"), 0, [], []
    for _ in range(counts["vertex"]):
        vertices.append(struct.unpack_from(end + "3f", body, at))
        at += 13 if colored else 12
    for _ in range(counts["face"]):
        size = body[at]
        polygons.append(list(struct.unpack_from(f"{end}{size}i", body, at + 1)))
        at += 1 + 4 * size
        at += 1 + 4 * body[at] if textured else 0
    return vertices, polygons


def _parse_stl(content: bytes):
    binary = len(content) > 84 and len(content) == 84 + 50 * struct.unpack_from("<I", content, 80)[0]
    if binary:
        facets = [struct.unpack_from("<12f", content, at) for at in range(84, len(content), 50)]
        corners = [facet[k : k + 3] for facet in facets for k in (3, 6, 9)]
    else:
        words = [line.lower().split() for line in _lines(content)]
        corners = [tuple(float(x) for x in row[1:]) for row in words if row[0] == "vertex"]
    return _loose(corners, [range(k, k + 3) for k in range(0, len(corners), 3)])
