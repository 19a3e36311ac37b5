"""Theorems about triangle meshes: topology by plain counting, measures by closed forms, files in their own order."""

import numpy as np
import pytest
import torch
import trimesh

from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh

SPHERE = trimesh.creation.icosphere(3)
BOX = trimesh.creation.box()


def of(part: trimesh.Trimesh) -> TriangleMesh:
    return TriangleMesh(part.vertices, part.faces)


# --- topology -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_edges_are_those_of_plain_counting(seed):
    rng = np.random.default_rng(seed)
    mesh = TriangleMesh(rng.normal(size=(9, 3)), rng.integers(0, 9, (20, 3)))
    counts: dict[tuple[int, int], int] = {}
    for face in mesh.faces.tolist():
        for k in range(3):
            edge = tuple(sorted((face[k], face[(k + 1) % 3])))
            counts[edge] = counts.get(edge, 0) + 1
    assert [tuple(edge) for edge in mesh.edges.tolist()] == sorted(counts)
    assert mesh.edge_face_count.tolist() == [counts[edge] for edge in sorted(counts)]
    assert np.array_equal(mesh.edges[mesh.halfedge_to_edge], np.sort(mesh.halfedges, axis=1))
    grouped = mesh.halfedge_to_edge[mesh.halfedges_by_edge]
    assert np.array_equal(grouped, np.sort(mesh.halfedge_to_edge))
    assert sorted(mesh.halfedges_by_edge) == list(range(60))


def test_halfedges_run_around_their_face():
    mesh = of(BOX)
    for f, (a, b, c) in enumerate(mesh.faces.tolist()):
        assert mesh.halfedges[3 * f : 3 * f + 3].tolist() == [[a, b], [b, c], [c, a]]


def test_the_border_of_half_a_sphere_is_found():
    faces = SPHERE.faces[SPHERE.triangles_center[:, 2] > 0]
    mesh = TriangleMesh(SPHERE.vertices, faces)
    outline = trimesh.Trimesh(SPHERE.vertices, faces, process=False).outline().referenced_vertices
    assert np.array_equal(np.flatnonzero(mesh.boundary_vertices), np.unique(outline))
    assert not of(SPHERE).boundary_vertices.any()


def test_components_are_counted_with_isolated_vertices():
    n = len(BOX.vertices)
    x = np.concatenate([BOX.vertices, BOX.vertices + 5, [[9.0, 9, 9]]])
    label = TriangleMesh(x, np.concatenate([BOX.faces, BOX.faces + n])).vertex_components
    assert len(set(label[:n])) == len(set(label[n : 2 * n])) == 1
    assert len(set(label)) == 3


# --- measures -----------------------------------------------------------------------------------------------------


def test_areas_of_the_cube_and_the_sphere():
    box, sphere = of(BOX), of(SPHERE)
    assert box.area == pytest.approx(6)
    assert sphere.area == pytest.approx(4 * np.pi, rel=1e-2)
    assert sphere.area < 4 * np.pi  # inscribed
    assert box.vertex_areas.sum() == pytest.approx(box.area)
    assert (sphere.vertex_areas > 0).all()


def test_normals_of_the_sphere_point_outside():
    sphere = of(SPHERE)
    np.testing.assert_allclose(sphere.vertex_normals, sphere.vertices, atol=6e-3)  # O(h^2) with h = 0.15
    assert ((sphere.face_normals * SPHERE.triangles_center).sum(-1) > 0.9).all()
    inverted = TriangleMesh(SPHERE.vertices, SPHERE.faces[:, ::-1])
    np.testing.assert_allclose(inverted.vertex_normals, -sphere.vertex_normals, atol=1e-12)


def test_isolated_vertices_and_flat_faces_have_finite_measures():
    mesh = TriangleMesh([[0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]], [[0, 1, 2]])
    assert mesh.face_areas.tolist() == [0]
    assert mesh.face_normals.tolist() == [[0, 0, 0]]
    assert mesh.vertex_normals[3].tolist() == [0, 0, 1]
    assert mesh.vertex_areas[3] == 0


def test_angles_sum_to_a_half_turn_and_agree_with_trimesh():
    rng = np.random.default_rng(0)
    mesh = TriangleMesh(rng.normal(size=(30, 3)), rng.permutation(30).reshape(-1, 3))
    np.testing.assert_allclose(mesh.corner_angles.sum(axis=1), np.pi, atol=1e-12)
    np.testing.assert_allclose(
        mesh.corner_angles, trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).face_angles, atol=1e-6
    )
    np.testing.assert_allclose(of(BOX).edge_lengths.max(), np.sqrt(2))


def test_angle_defects_sum_to_the_euler_characteristic():
    for part, euler in ((SPHERE, 2), (trimesh.creation.torus(2, 0.5), 0)):
        mesh = of(part)
        total = np.bincount(mesh.faces.reshape(-1), weights=mesh.corner_angles.reshape(-1))
        assert (2 * np.pi - total).sum() == pytest.approx(2 * np.pi * euler, abs=1e-9)


# --- arguments ----------------------------------------------------------------------------------------------------


def test_tensors_and_arrays_of_any_type_are_taken():
    x, faces = torch.tensor(BOX.vertices, dtype=torch.float32, requires_grad=True), torch.tensor(BOX.faces)
    mesh = TriangleMesh(x, faces.int())
    assert mesh.vertices.dtype == np.float64
    assert mesh.faces.dtype == np.int64
    assert np.array_equal(mesh.faces, BOX.faces)
    assert repr(mesh) == "TriangleMesh(vertices=8, faces=12)"
    assert TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3))).num_faces == 0


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (np.zeros((4, 2)), [[0, 1, 2]], r"`vertices` of shape \(V, 3\), got \(4, 2\)"),
        (np.zeros((4, 3)), np.zeros((3, 7), int), r"\(F, 3\), got \(3, 7\): pass `face.T`"),
        (np.zeros((4, 3)), [[0, 1, 2, 3]], "triangulate"),
        (np.zeros((4, 3)), [[0, 1, 1.5]], "fractions"),
        (np.zeros((4, 3)), [[0, 1, np.nan]], "fractions"),
        (np.zeros((4, 3)), [[0, 1, 2], [0, 1, 4]], "Face 1 is .*0 to 3"),
        (np.zeros((4, 3)), [[0, 1, -1]], "Face 0 is"),
        (np.zeros((0, 3)), [[0, 1, 2]], "Face 0 is"),
    ],
)
def test_malformed_arguments_are_refused_with_the_fix(vertices, faces, message):
    with pytest.raises(MeshError, match=message):
        TriangleMesh(vertices, faces)


# --- files --------------------------------------------------------------------------------------------------------

SEAM = """
v 9 9 9
v 0 0 0
v 1 0 0
v 0 1 0
v 1 1 0
vt 0 0
vt 1 1
vn 0 0 1
vn 0 1 0
usemtl one
f 2/1/1 3/1/1 4/2/1
usemtl two
f 3/2/2 5/2/2 4/1/2
"""


@pytest.mark.parametrize("suffix", ["ply", "obj", "off", "glb"])
def test_vertices_and_faces_keep_the_order_of_the_file(tmp_path, suffix):
    rng = np.random.default_rng(0)
    shuffled = TriangleMesh(SPHERE.vertices, rng.permutation(SPHERE.faces))
    x, faces = np.concatenate([shuffled.vertices, [[7.0, 7, 7]]]), shuffled.faces
    path = tmp_path / f"mesh.{suffix}"
    trimesh.Trimesh(x, faces, process=False).export(path)
    mesh = TriangleMesh.load(path)
    np.testing.assert_allclose(mesh.vertices, x, atol=1e-6)
    assert np.array_equal(mesh.faces, faces)


def test_texture_normals_and_materials_do_not_split_vertices(tmp_path):
    path = tmp_path / "seam.obj"
    path.write_text(SEAM)
    mesh = TriangleMesh.load(path)
    assert mesh.vertices[:, 0].tolist() == [9, 0, 1, 0, 1]
    assert mesh.faces.tolist() == [[1, 2, 3], [2, 4, 3]]
    assert trimesh.load(path, process=False, force="mesh").vertices.shape != (5, 3)  # what a plain load makes of it


def test_loose_triangles_of_stl_are_joined(tmp_path):
    path = tmp_path / "sphere.stl"
    SPHERE.export(path)
    mesh = TriangleMesh.load(path)
    assert mesh.num_vertices == len(SPHERE.vertices)
    np.testing.assert_allclose(mesh.vertices[mesh.faces], SPHERE.triangles, atol=1e-6)


@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["ply", "ply ascii", "glb", "stl", "stl_ascii", "off"])
def test_truncated_files_are_refused_by_name(tmp_path, kind, fraction):
    suffix = kind[:3]
    content = SPHERE.export(file_type=kind.split()[0], **({"encoding": "ascii"} if kind == "ply ascii" else {}))
    content = content if isinstance(content, bytes) else content.encode()
    path = tmp_path / f"mesh.{suffix}"
    path.write_bytes(content)
    assert TriangleMesh.load(path).num_faces == len(SPHERE.faces)
    path.write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(MeshError, match=f"mesh.{suffix}"):
        TriangleMesh.load(path)


@pytest.mark.parametrize("head", ["OFF\n4 1 0\n", "OFF 4 1 0\n", "OFF4 1 0\n", "# by hand\nOFF\n# sizes\n4 1 4\n"])
def test_polygons_are_cut_into_triangles(tmp_path, head):
    path = tmp_path / "square.off"
    path.write_text(head + "0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n")
    mesh = TriangleMesh.load(path)
    assert mesh.num_faces == 2
    assert mesh.area == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.ply", ""),
        ("empty.obj", ""),
        ("text.off", "hello"),
        ("unknown.foo", "hello"),
        ("without_suffix", "hello"),
        ("few.obj", "v 0 0 0\nv 1 0 0\nf 1 2 3\n"),
        ("points.obj", "v 0 0 0\nv 1 0 0\n"),
        ("beyond.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n1 1 0\n3 0 1 7\n"),
    ],
)
def test_files_that_are_no_mesh_are_refused_by_name(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(MeshError, match=name):
        TriangleMesh.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.ply"):
        TriangleMesh.load(tmp_path / "absent.ply")


# --- arrays of the caller -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [np.array, torch.tensor])
def test_a_mesh_keeps_copies(wrap):
    vertices, faces = wrap(np.eye(3)), wrap(np.array([[0, 1, 2]]))
    mesh = TriangleMesh(vertices, faces)
    vertices[0, 0], faces[0, 0] = 7.0, 1  # also: the caller may still write
    assert np.array_equal(mesh.vertices, np.eye(3))
    assert mesh.faces.tolist() == [[0, 1, 2]]
    mesh.vertices[1, 1] = 5.0
    assert vertices[1, 1] == 1.0
    assert np.asarray(vertices)[0, 0] == 7.0  # the control: an alias sees it


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.float16, np.float32, np.longdouble])
def test_real_numbers_of_any_type_become_float64(dtype):
    mesh = TriangleMesh(np.eye(3, dtype=dtype), np.array([[0, 1, 2]], dtype=np.uint32))
    assert mesh.vertices.dtype == np.float64
    assert mesh.faces.dtype == np.int64
    assert np.array_equal(mesh.vertices, np.eye(3))


@pytest.mark.parametrize("dtype", [torch.int32, torch.float16, torch.bfloat16, torch.float32])
def test_tensors_of_any_real_type_become_float64(dtype):
    x = torch.tensor([[0.5, 0, 0], [0, 1, 0], [0, 0, 1]]).to(dtype).requires_grad_(dtype.is_floating_point)
    assert np.array_equal(TriangleMesh(x, [[0, 1, 2]]).vertices, x.detach().double().numpy())


@pytest.mark.parametrize("vertices", [np.eye(3) + 1j, torch.eye(3) * (1 + 1j), np.eye(3).astype(str), np.eye(3) > 0])
def test_what_is_not_real_is_refused_by_its_type(vertices):
    with pytest.raises(MeshError, match=r"real numbers in `vertices`, got (complex|<U|bool)"):
        TriangleMesh(vertices, [[0, 1, 2]])
    with pytest.raises(MeshError, match="`faces`, got complex"):
        TriangleMesh(np.eye(3), np.array([[0, 1, 2 + 1j]]))
