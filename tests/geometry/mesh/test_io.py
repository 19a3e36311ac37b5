"""Vertices and polygons keep the order of the file, whatever its dialect; other files are refused by name."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings

from gaugenet.geometry import MeshError, TriangleMesh
from gaugenet.geometry.mesh.polygons import Polygons
from gaugenet.groups import SO2
from tests.geometry.mesh.mesh_files import MeshFile, mesh_files, parse

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
CORNERS = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"
PLY = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"


def written(tmp_path, name: str, content: str | bytes):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def load(tmp_path, name: str, content: str | bytes) -> TriangleMesh:
    return TriangleMesh.load(written(tmp_path, name, content))


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=mesh_files())
def test_generated_files_are_read_as_an_independent_parser_reads_them(tmp_path, file: MeshFile):
    vertices, polygons = parse(file)
    assert (vertices, polygons) == (file.vertices, file.polygons), "control: the small parser reads what was written"
    mesh = load(tmp_path, f"mesh.{file.suffix}", file.content)
    assert mesh.vertices.tolist() == [list(p) for p in vertices]
    assert mesh.polygon_of_face.tolist() == [i for i, p in enumerate(polygons) for _ in range(len(p) - 2)]
    for index, polygon in enumerate(polygons):
        assert boundary(mesh.faces[mesh.polygon_of_face == index]) == edges(polygon)


def edges(polygon: list[int]) -> set[tuple[int, int]]:
    """Directed edges around a polygon."""
    return set(zip(polygon, polygon[1:] + polygon[:1]))


def boundary(faces) -> set[tuple[int, int]]:
    """Directed edges of triangles that no other one of them has in the other direction."""
    found = {edge for face in faces.tolist() for edge in edges(face)}
    return {edge for edge in found if edge[::-1] not in found}


def test_control_the_boundary_tells_another_order_of_corners():
    assert boundary(np.array([[0, 1, 2], [0, 2, 3]])) == edges([0, 1, 2, 3])
    assert boundary(np.array([[0, 1, 2], [0, 2, 3]])) != edges([0, 2, 1, 3])


@pytest.mark.parametrize(
    ("name", "content", "faces", "polygons"),
    [
        ("quads.obj", SQUARE + "f 1 2 3 4\nf 4 3 2 1\n", [[0, 1, 2], [0, 2, 3], [3, 2, 1], [3, 1, 0]], [0, 0, 1, 1]),
        ("mixed.obj", SQUARE + "f 1 2 3 4\nf 1 2 3\nf 2 3 4 1\n",
         [[0, 1, 2], [0, 2, 3], [0, 1, 2], [1, 2, 3], [1, 3, 0]], [0, 0, 1, 2, 2]),
        ("bom.obj", b"\xef\xbb\xbf" + (SQUARE + "f 1 2 3\n").encode(), [[0, 1, 2]], [0]),
        ("cr.obj", (SQUARE + "f 1 2 3\n").replace("\n", "\r"), [[0, 1, 2]], [0]),
        ("tabs.obj", (SQUARE + "f 1 2 3\n").replace(" ", "\t"), [[0, 1, 2]], [0]),
        ("comment.obj", SQUARE + "f 1 2 3 # one\n", [[0, 1, 2]], [0]),
        ("colors.obj", SQUARE.replace("0\n", "0 1 0.5 0.25\n") + "f 1 2 3\n", [[0, 1, 2]], [0]),
        ("relative.obj", "v 9 9 9\n" + SQUARE + "f -4 -3 -2\nv 5 5 5\nf -1 -2 -3\n", [[1, 2, 3], [5, 4, 3]], [0, 1]),
        ("lines.off", f"OFF\n4 2 0\n{CORNERS}3\n0 1 2\n3\n0 2\n3\n", [[0, 1, 2], [0, 2, 3]], [0, 1]),
        ("first_quad.off", f"OFF\n4 2 0\n{CORNERS}4 0 1 2 3\n3 0 1 2\n",
         [[0, 1, 2], [0, 2, 3], [0, 1, 2]], [0, 0, 1]),
        ("colors.off", f"COFF\n4 1\n{CORNERS}".replace("0\n", "0 255 0 0 255\n") +
         "4 0 1 2 3 1.0 0.5 0\n", [[0, 1, 2], [0, 2, 3]], [0, 0]),
        ("seam.ply", PLY + "element face 2\nproperty list uchar int vertex_indices\n"
         "property list uchar float texcoord\n"
         f"end_header\n{CORNERS}3 0 1 2 6 0 0 1 0 1 1\n3 0 2 3 6 .5 .5 0 .2 .1 .9\n", [[0, 1, 2], [0, 2, 3]], [0, 1]),
        ("bool.ply", PLY + "property bool seen\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n" +
         CORNERS.replace("\n", " 1\n") + "3 0 1 2\n", [[0, 1, 2]], [0]),
        ("strips.ply", PLY + "element tristrips 1\nproperty list int int vertex_indices\nend_header\n"
         f"{CORNERS}8 0 1 3 2 -1 3 2 0\n", [[0, 1, 3], [3, 1, 2], [3, 2, 0]], [0, 1, 2]),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value[-5:] else "",
)  # fmt: skip
def test_dialects_are_read(tmp_path, name, content, faces, polygons):
    mesh = load(tmp_path, name, content)
    assert mesh.faces.tolist() == faces
    assert mesh.polygon_of_face.tolist() == polygons
    assert mesh.num_vertices == (6 if name == "relative.obj" else 4)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("zero.obj", SQUARE + "f 0 1 2\n", "start at 1"),
        ("back.obj", SQUARE + "f -5 -1 -2\n", "beyond the first vertex"),
        ("words.obj", SQUARE + "f 1 2 x\n", "not an index"),
        ("flat.obj", "v 0 0\nv 1 0\nv 1 1\nf 1 2 3\n", "2 coordinates"),
        ("two.obj", SQUARE + "f 1 2\n", "2 corners"),
        ("two.off", f"OFF\n4 3 0\n{CORNERS}3 0 1 2\n3 0 2 3\n2 0 1\n", "face 2 has 2 corners"),
        ("none.ply", PLY + "element face 2\nproperty list uchar int vertex_indices\nend_header\n" +
         f"{CORNERS}0\n3 0 1 2\n", "face 0 has 0 corners"),
        ("wide.obj", ("\ufeff" + SQUARE + "f 1 2 3\n").encode("utf-16-le"), "UTF-16"),
        ("digits.obj", SQUARE + "f 1_0 2 3\n", "1_0"),
        ("half.ply", PLY + "element face 1\nproperty list uchar int vertex_indices\nend_header\n" +
         f"{CORNERS}3 0 0.5 2\n", "0.5 in the property 'vertex_indices' is no int32"),
        ("number.ply", PLY + "element face 2\nproperty int vertex_indices\nend_header\n" +
         f"{CORNERS}3\n4\n", "'vertex_indices' of 'face' as one number"),
        ("twice.ply", PLY + "element vertex 4\nend_header\n", "declares the element 'vertex' twice"),
        ("large.ply", PLY + "element face 400000000000\nend_header\n" + CORNERS, "no triangles"),
        ("short.stl", bytes(80) + b"\x02\0\0\0" + bytes(50), "declares 2 triangles of 50 bytes, and 50 bytes follow"),
        ("cut.stl", "solid a\nfacet\nouter loop\n" + "vertex 0 0 0\n" * 3 + "endloop\nendfacet\n", "no 'endsolid'"),
        ("loop.stl", "solid a\nouter loop\n" + "vertex 0 0 0\n" * 2 + "endloop\nendsolid\n", "2 corners after"),
        ("fans.gltf", '{"meshes": [{"primitives": [{"mode": 6, "attributes": {}}]}]}', "triangle fans"),
        ("packed.gltf", '{"extensionsRequired": ["EXT_meshopt_compression"]}', "EXT_meshopt_compression"),
        ("binary.off", b"OFF BINARY\n" + bytes(60), "binary OFF"),
        ("space.off", "4OFF\n4 1 0\n" + CORNERS, "not in R"),
        ("more.off", f"OFF\n4 1 0\n{CORNERS}3 0 1 2\n3 0 2 3\n", "declares 4 vertices and 1 faces"),
        ("short.off", f"OFF\n4 3 0\n{CORNERS}3 0 1 2\n3 0 2 3\n", "truncated"),
        ("type.ply", PLY.replace("float x", "quad x") + "end_header\n", "property quad x"),
        ("format.ply", PLY.replace("ascii", "hex") + "end_header\n", "no known format"),
        ("short.ply", PLY + "element face 3\nproperty list uchar int vertex_indices\nend_header\n" +
         f"{CORNERS}3 0 1 2\n", "declares 3 times 'face'"),
        ("points.ply", f"{PLY}end_header\n{CORNERS}", "no triangles"),
        ("beyond.ply", PLY + "element face 1\nproperty list uchar int vertex_indices\nend_header\n" +
         f"{CORNERS}3 0 1 9\n", "run from 0 to 3"),
        ("no_vertex.obj", "f 1 2 3 4\n", "vertex indices run"),
        ("draco.gltf", '{"extensionsRequired": ["KHR_draco_mesh_compression"]}', "DracoPy"),
        ("beyond_quad.obj", SQUARE + "f 1 2 3 9\n", "run from 0 to 3"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value[-5:] else "",
)  # fmt: skip
def test_files_that_cannot_be_read_are_refused_by_name_and_reason(tmp_path, monkeypatch, name, content, words):
    monkeypatch.setattr("gaugenet.geometry.mesh._gltf.find_spec", lambda name: None)  # no decoder of Draco
    with pytest.raises(MeshError, match=words) as caught:
        load(tmp_path, name, content)
    assert name in str(caught.value)


def test_a_format_whose_package_is_missing_names_it(tmp_path, monkeypatch):
    def without(*arguments, **options):
        raise ModuleNotFoundError("No module named 'lxml'", name="lxml")

    monkeypatch.setattr("trimesh.load", without)
    with pytest.raises(MeshError, match=r"model\.3mf: .* package lxml: .*gaugenet\[formats\]"):
        load(tmp_path, "model.3mf", b"PK\x03\x04")


def test_3mf_is_read(tmp_path):
    pytest.importorskip("lxml")
    box = trimesh.creation.box()
    mesh = load(tmp_path, "box.3mf", box.export(file_type="3mf"))
    assert mesh.area == pytest.approx(6)
    assert (mesh.num_vertices, mesh.num_faces) == (8, 12)


def test_polygons_that_are_not_convex_are_not_folded():
    """An arrow head: the fan around its first corner would lie outside; the triangles fill exactly its area."""
    points = np.array([[0, 0, 0], [4, 4, 0], [0, 1, 0], [-4, 4, 0], [0, 9, 9.0]])
    for start in range(4):
        corners = np.roll(np.arange(4), start)
        faces, polygon = Polygons(points, corners, np.array([4])).triangles()
        mesh = TriangleMesh(points, faces)
        assert mesh.area == pytest.approx(4)  # by the shoelace formula
        assert (mesh.face_normals[:, 2] == 1).all()
        assert polygon.tolist() == [0, 0]
    fan = TriangleMesh(points, [[1, 2, 3], [1, 3, 0]])
    assert fan.area > 10, "control: this fan folds over"


def test_a_comb_of_many_corners_is_filled():
    teeth = [(x, 3.0 if x % 2 else 0.5) for x in range(9)]
    outline = [*teeth, (8.0, -1.0), (0.0, -1.0)]
    points = np.array([(x, y, 2 * x - y) for x, y in outline[::-1]])
    faces, _ = Polygons(points, np.arange(len(points)), np.array([len(points)])).triangles()
    x, y = np.array(outline[::-1]).T
    shoelace = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    flat = TriangleMesh(points * [1, 1, 0], faces)
    assert flat.area == pytest.approx(shoelace)
    assert len(set(np.sign(flat.face_normals[:, 2]))) == 1


def test_repair_that_leaves_nothing_is_refused(tmp_path):
    path = written(tmp_path, "line.obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    assert TriangleMesh.load(path).num_faces == 1, "control: without repair it is read"
    with pytest.raises(MeshError, match=r"line\.obj: no face is left after repair"):
        TriangleMesh.load(path, repair=True)


def test_an_empty_mesh_has_no_graph():
    with pytest.raises(MeshError, match="no vertices"):
        TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), int)).gauge_graph(SO2(), mean_neighbors=8)
