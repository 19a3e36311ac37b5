"""Theorems about mesh repair: the result is usable, nothing fine is touched, labels can follow, twice is once."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.quality import inspect_mesh, require_usable
from gaugenet.geometry.mesh.repair import RepairResult, repair_mesh
from gaugenet.groups import SO2

SPHERE = trimesh.creation.icosphere(2)
X, F = np.asarray(SPHERE.vertices), np.asarray(SPHERE.faces)


def volume(mesh: TriangleMesh) -> float:
    return float(np.linalg.det(mesh.vertices[mesh.faces]).sum() / 6)


def done(result: RepairResult) -> dict[str, int]:
    return {action.name: action.count for action in result.actions}


def box_soup(*, jitter: float = 0.0) -> TriangleMesh:
    """The unit cube as loose triangles, three vertices each."""
    box = trimesh.creation.box()
    noise = np.random.default_rng(0).uniform(-jitter, jitter, (36, 3))
    return TriangleMesh(box.vertices[box.faces].reshape(-1, 3) + noise, np.arange(36).reshape(-1, 3))


def moebius(n: int = 12) -> TriangleMesh:
    angle = 2 * np.pi * np.arange(n) / n
    side = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    across = 0.3 * (np.cos(angle / 2)[:, None] * side + np.sin(angle / 2)[:, None] * [0, 0, 1])
    low, high = np.arange(n), n + np.arange(n)
    next_low, next_high = np.append(low[1:], n), np.append(high[1:], 0)
    faces = np.concatenate([np.stack([low, next_low, high], -1), np.stack([next_low, next_high, high], -1)])
    return TriangleMesh(np.concatenate([side - across, side + across]), faces)


@pytest.mark.parametrize("part", [SPHERE, trimesh.creation.torus(2, 0.5), trimesh.creation.annulus(0.5, 1, 1)])
def test_a_fine_mesh_is_left_alone(part):
    mesh = TriangleMesh(part.vertices, part.faces)
    result = repair_mesh(mesh)
    assert np.array_equal(result.mesh.vertices, mesh.vertices)
    assert np.array_equal(result.mesh.faces, mesh.faces)
    assert np.array_equal(result.vertex_map, np.arange(mesh.num_vertices))
    assert np.array_equal(result.face_map, np.arange(mesh.num_faces))
    assert result.actions == ()
    assert str(result) == "nothing to repair"


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=20)
def test_turned_faces_are_turned_back(seed):
    torus = trimesh.creation.torus(2, 0.5, major_sections=12, minor_sections=8)
    rotated = np.random.default_rng(seed).random(len(torus.faces)) < 0.6
    faces = np.where(rotated[:, None], torus.faces[:, [0, 2, 1]], torus.faces)
    result = repair_mesh(TriangleMesh(torus.vertices, faces))
    assert np.array_equal(result.mesh.faces, torus.faces)
    assert done(result) == ({"turned_faces": rotated.sum()} if rotated.any() else {})


def test_closed_components_are_turned_outward_each_on_its_own():
    x = np.concatenate([X, X + 5])
    result = repair_mesh(TriangleMesh(x, np.concatenate([F[:, ::-1], F + len(X)])))
    assert done(result) == {"turned_faces": len(F)}
    assert volume(TriangleMesh(X, result.mesh.faces[: len(F)])) > 0
    assert volume(TriangleMesh(X, F[:, ::-1])) < 0


def test_an_open_surface_keeps_the_orientation_of_most_of_its_faces():
    grid = F[X[F].mean(axis=1)[:, 2] > 0.2][:, ::-1]  # a cap, seen from inside
    faces = grid.copy()
    faces[:3] = faces[:3][:, [0, 2, 1]]
    assert np.array_equal(repair_mesh(TriangleMesh(X, faces)).mesh.face_normals, TriangleMesh(X, grid).face_normals)


def test_a_moebius_strip_is_left_as_it_is_and_said_so():
    mesh = moebius()
    result = repair_mesh(mesh)
    assert np.array_equal(result.mesh.faces, mesh.faces)
    assert result.non_orientable == 1
    assert "not orientable: 1" in str(result)
    require_usable(result.mesh, oriented=False)
    with pytest.raises(MeshError, match=r"O\(2\)"):
        require_usable(result.mesh, oriented=True)


@pytest.mark.parametrize(("jitter", "tolerance"), [(0.0, 0.0), (1e-6, 1e-5)])
def test_loose_triangles_become_a_closed_cube(jitter, tolerance):
    soup = box_soup(jitter=jitter)
    result = repair_mesh(soup, merge_tolerance=tolerance)
    facts = inspect_mesh(result.mesh).facts
    assert (facts["vertices"], facts["genus"], facts["boundary_loops"]) == (8, [0], 0)
    assert done(result) == {"merged_coincident_vertices": 28}
    assert volume(result.mesh) == pytest.approx(1, rel=1e-4)
    assert repair_mesh(soup, merge_tolerance=None).mesh.num_vertices == 36
    if jitter:
        assert repair_mesh(soup).mesh.num_vertices == 36  # the control: equal positions only


def test_two_cubes_that_share_an_edge_become_two_closed_cubes():
    box = trimesh.creation.box()
    x = np.concatenate([box.vertices, box.vertices + [1, 1, 0]])
    mesh = TriangleMesh(x, np.concatenate([box.faces, box.faces + 8]))
    merged = TriangleMesh(x, np.where(mesh.faces == 8, 6, np.where(mesh.faces == 9, 7, mesh.faces)))
    assert inspect_mesh(merged)["non_manifold_edges"].count == 1
    result = repair_mesh(merged)
    assert inspect_mesh(result.mesh).facts["genus"] == [0, 0]
    assert volume(result.mesh) == pytest.approx(2)
    assert done(result)["cut_non_manifold_edges"] == 1
    assert done(result)["added_copies_of_split_vertices"] == 2
    untouched = repair_mesh(mesh)  # the same cubes with vertices of their own: merging would be undone by cutting
    assert untouched.actions == ()
    assert np.array_equal(untouched.mesh.faces, mesh.faces)


def test_a_fin_is_cut_off_and_every_face_survives():
    faces = np.concatenate([F, [[F[0, 0], F[0, 1], len(X)]]])
    result = repair_mesh(TriangleMesh(np.concatenate([X, 2 * X[:1]]), faces))
    assert np.array_equal(result.face_map, np.arange(len(faces)))
    facts = inspect_mesh(result.mesh).facts
    assert facts["components"] == 2
    assert facts["genus"] == [0]
    assert volume(TriangleMesh(result.mesh.vertices, result.mesh.faces[:-1])) == pytest.approx(SPHERE.volume)


def test_touching_fans_are_split_and_labels_follow():
    x = np.concatenate([X, 2 * X[3] - X])
    faces = np.concatenate([F, F[:, ::-1] + len(X)])
    faces[faces == 3 + len(X)] = 3
    labels = np.arange(len(x))
    result = repair_mesh(TriangleMesh(x, faces))
    assert done(result) == {"added_copies_of_split_vertices": 1, "dropped_unreferenced_vertices": 1}
    assert np.array_equal(labels[result.vertex_map][result.mesh.faces], faces)
    assert (result.vertex_map == 3).sum() == 2


def test_what_is_dropped_is_counted():
    x = np.concatenate([X, [[np.nan, 0, 0], [3, 3, 3], [4, 4, 4]]])
    n = len(X)
    bad = [[0, 1, n], [5, 5, 6], F[8].tolist(), [n + 1, n + 1, 2]]
    result = repair_mesh(TriangleMesh(x, np.concatenate([bad[:2], F, bad[2:]])))
    assert done(result) == {
        "dropped_faces_at_non_finite_vertices": 1,
        "dropped_degenerate_faces": 2,
        "dropped_duplicate_faces": 1,
        "dropped_non_finite_vertices": 1,
        "dropped_unreferenced_vertices": 2,
    }
    assert np.array_equal(result.face_map, np.arange(len(F)) + 2)
    assert np.array_equal(result.vertex_map, np.arange(n))
    assert np.array_equal(result.mesh.vertices, X)


@pytest.mark.parametrize("faces", [np.zeros((0, 3), int), np.array([[0, 0, 0]])])
def test_nothing_left_is_an_empty_mesh_and_no_crash(faces):
    result = repair_mesh(TriangleMesh(np.zeros((1, 3)), faces))
    assert (result.mesh.num_vertices, result.mesh.num_faces) == (0, 0)
    assert inspect_mesh(result.mesh)["empty"].count == 1


# --- any input at all ---------------------------------------------------------------------------------------------


@st.composite
def soups(draw) -> TriangleMesh:
    """Random triangles on few, often coincident, sometimes non-finite points."""
    n = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.integers(0, 3, (n, 3)).astype(float) if draw(st.booleans()) else rng.normal(size=(n, 3))
    if draw(st.booleans()):
        x[rng.integers(n)] = draw(st.sampled_from([np.nan, np.inf, 1e300]))
    return TriangleMesh(x, rng.integers(0, n, (draw(st.integers(0, 30)), 3)))


@given(soups(), st.sampled_from([0.0, None, 0.3]))
@settings(deadline=None, max_examples=60)
def test_the_result_is_usable_and_repairing_twice_changes_nothing(mesh, tolerance):
    result = repair_mesh(mesh, merge_tolerance=tolerance)
    require_usable(result.mesh, oriented=result.non_orientable == 0)
    require_usable(result.mesh, oriented=False)
    again = repair_mesh(result.mesh, merge_tolerance=tolerance)
    assert np.array_equal(again.mesh.vertices, result.mesh.vertices)
    assert np.array_equal(again.mesh.faces, result.mesh.faces)
    assert again.actions == ()


@given(soups())
@settings(deadline=None, max_examples=40)
def test_nothing_repairable_is_left(mesh):
    assert [p.name for p in inspect_mesh(repair_mesh(mesh).mesh).problems if p.repairable] == []


@given(soups(), st.sampled_from([0.0, None]))
@settings(deadline=None, max_examples=40)
def test_the_maps_lead_back_to_the_same_triangles(mesh, tolerance):
    result = repair_mesh(mesh, merge_tolerance=tolerance)
    assert np.array_equal(mesh.vertices[result.vertex_map], result.mesh.vertices)
    assert (np.diff(result.face_map) > 0).all()
    assert len(result.new_vertex) == mesh.num_vertices
    keep = np.flatnonzero(result.new_vertex >= 0)
    assert np.array_equal(result.mesh.vertices[result.new_vertex[keep]], mesh.vertices[keep])
    assert set(np.flatnonzero(result.new_vertex < 0)).isdisjoint(mesh.faces[result.face_map].flat)
    old, new = mesh.vertices[mesh.faces[result.face_map]], result.mesh.vertices[result.mesh.faces]
    assert all(sorted(a) == sorted(b) for a, b in zip(old.tolist(), new.tolist()))


@given(soups())
@settings(deadline=None, max_examples=20)
def test_a_repaired_mesh_carries_a_gauge_graph(mesh):
    result = repair_mesh(mesh)
    if result.mesh.num_faces and not result.non_orientable:
        graph = result.mesh.gauge_graph(SO2(), neighborhood="one_ring")
        assert graph.num_nodes == result.mesh.num_vertices
        assert graph.log_map.isfinite().all()


def test_the_control_most_soups_are_not_usable_before():
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(20):
        try:
            require_usable(TriangleMesh(rng.normal(size=(8, 3)), rng.integers(0, 8, (12, 3))), oriented=True)
        except MeshError:
            refused += 1
    assert refused > 15


@pytest.mark.parametrize("tolerance", [-1.0, np.nan, np.inf])
def test_a_tolerance_that_is_no_length_is_refused(tolerance):
    with pytest.raises(ValueError, match="merge_tolerance"):
        repair_mesh(TriangleMesh(X, F), merge_tolerance=tolerance)


# --- files --------------------------------------------------------------------------------------------------------


def test_saved_meshes_come_back_exactly_with_their_maps(tmp_path):
    x = X + 1e6  # float32 would merge and flatten here
    result = repair_mesh(TriangleMesh(x, np.concatenate([F, F[:1]])))
    path = tmp_path / "new" / "sphere.ply"
    result.save(path)
    back = TriangleMesh.load(path)
    assert np.array_equal(back.vertices, result.mesh.vertices)
    assert np.array_equal(back.faces, result.mesh.faces)
    with np.load(path.with_suffix(".npz")) as maps:
        assert np.array_equal(maps["vertex_map"], result.vertex_map)
        assert np.array_equal(maps["face_map"], result.face_map)
    assert sorted(p.name for p in path.parent.iterdir()) == ["sphere.npz", "sphere.ply"]


def test_loading_with_repair_says_what_was_done(tmp_path, caplog):
    path = tmp_path / "twice.obj"
    trimesh.Trimesh(X, np.concatenate([F, F[:1]]), process=False).export(path)
    assert TriangleMesh.load(path).num_faces == len(F) + 1
    assert not caplog.records
    mesh = TriangleMesh.load(path, repair=True)
    assert mesh.num_faces == len(F)
    assert "dropped duplicate faces: 1" in caplog.text
    assert str(path) in caplog.text
