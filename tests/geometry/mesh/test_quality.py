"""Theorems about mesh inspection: every defect is found alone, with number and place; clean meshes have none."""

import json
from collections import Counter, defaultdict

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.quality import (
    PROBLEMS,
    describe,
    inspect_files,
    inspect_mesh,
    require_usable,
)
from gaugenet.groups import O2, SO2

SPHERE = trimesh.creation.icosphere(2)
X, F = np.asarray(SPHERE.vertices), np.asarray(SPHERE.faces)
V = len(X)


def of(part: trimesh.Trimesh) -> TriangleMesh:
    return TriangleMesh(part.vertices, part.faces)


def strip(*, twisted: bool, n: int = 12) -> TriangleMesh:
    """A closed band of `2 n` triangles: a Moebius strip if twisted, else an annulus."""
    angle = 2 * np.pi * np.arange(n) / n
    half = 0.5 * angle if twisted else 0 * angle
    sides = [
        np.stack([(2 + s * np.cos(half)) * np.cos(angle), (2 + s * np.cos(half)) * np.sin(angle), s * np.sin(half)], -1)
        for s in (-0.5, 0.5)
    ]
    low, high = np.arange(n), n + np.arange(n)
    next_low, next_high = np.roll(low, -1), np.roll(high, -1)
    if twisted:
        next_low[-1], next_high[-1] = high[0], low[0]
    faces = np.concatenate([np.stack([low, next_low, high], -1), np.stack([next_low, next_high, high], -1)])
    return TriangleMesh(np.concatenate(sides), faces)


def moved(mesh: TriangleMesh, offset: float) -> TriangleMesh:
    return TriangleMesh(mesh.vertices + [offset, 0, 0], mesh.faces)


def union(*parts: TriangleMesh) -> TriangleMesh:
    start = np.cumsum([0] + [p.num_vertices for p in parts[:-1]])
    return TriangleMesh(
        np.concatenate([p.vertices for p in parts]), np.concatenate([p.faces + k for p, k in zip(parts, start)])
    )


def with_nan() -> TriangleMesh:
    x = X.copy()
    x[7, 1] = np.nan
    x[30] = -np.inf
    return TriangleMesh(x, F)


def with_flipped(*which: int) -> TriangleMesh:
    faces = F.copy()
    faces[list(which)] = faces[list(which)][:, ::-1]
    return TriangleMesh(X, faces)


def with_fin() -> TriangleMesh:
    """A third face on the edge of the first face, with a vertex of its own."""
    return TriangleMesh(np.concatenate([X, 2 * X[:1]]), np.concatenate([F, [[F[0, 0], F[0, 1], V]]]))


def bow_tie() -> TriangleMesh:
    """Two spheres, mirror images of each other in a vertex that they share."""
    both = union(TriangleMesh(X, F), TriangleMesh(2 * X[3] - X, F[:, ::-1]))
    faces = np.where(both.faces == V + 3, 3, both.faces)
    return TriangleMesh(np.delete(both.vertices, V + 3, axis=0), faces - (faces > V + 3))


def with_loose_face() -> TriangleMesh:
    """A sphere whose seventh face has vertices of its own, where those of the sphere are."""
    faces = F.copy()
    faces[6] = V, V + 1, V + 2
    return TriangleMesh(np.concatenate([X, X[F[6]]]), faces)


def with_flat_corner() -> TriangleMesh:
    """A face whose third vertex lies on the line of the two others, hung on a border edge of a square."""
    x = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0, 0]], dtype=float)
    return TriangleMesh(x, [[0, 1, 2], [0, 2, 3], [1, 0, 4]])


def with_dense_patch() -> TriangleMesh:
    fine = SPHERE.subdivide(face_index=[0])
    for _ in range(4):
        small = np.argsort(fine.area_faces)[: len(fine.faces) // 4]
        fine = fine.subdivide(face_index=small)
    return TriangleMesh(fine.vertices, fine.faces)


DEFECTS = {
    "non_finite_coordinates": (with_nan, 2, (7, 30)),
    "degenerate_faces": (lambda: TriangleMesh(X, np.insert(F, 5, [8, 8, 2], axis=0)), 1, (5,)),
    "duplicate_faces": (
        lambda: TriangleMesh(X, np.concatenate([F, F[9:10, [1, 0, 2]], F[4:5]])),
        2,
        (len(F), len(F) + 1),
    ),
    "non_manifold_edges": (with_fin, 1, (tuple(sorted(F[0, :2].tolist())),)),
    "non_manifold_vertices": (bow_tie, 1, (3,)),
    "inconsistent_orientation": (lambda: with_flipped(11, 100), 2, (11, 100)),
    "non_orientable": (lambda: strip(twisted=True), 1, (0,)),
    "unreferenced_vertices": (lambda: TriangleMesh(np.concatenate([X, X[:2] / 2]), F), 2, (V, V + 1)),
    "inward_orientation": (lambda: TriangleMesh(X, F[:, ::-1]), 1, (0,)),
    "slivers": (lambda: TriangleMesh([[0, 0, 0], [1, 0, 0], [0.5, 1e-3, 0]], [[0, 1, 2]]), 1, (0,)),
    "coincident_vertices": (with_loose_face, 3, (V, V + 1, V + 2)),
    "empty": (lambda: TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), int)), 1, ()),
}


def worrying(report) -> set[str]:
    return {p.name for p in report.problems if p.severity != "info"}


@pytest.mark.parametrize(
    "mesh",
    [
        of(SPHERE),
        of(trimesh.creation.torus(2, 0.5)),
        of(trimesh.creation.box()),
        of(trimesh.creation.capsule()),
        of(trimesh.creation.cylinder(1, 2)),
        of(trimesh.creation.annulus(0.5, 1, 1)),
        strip(twisted=False),
        union(of(SPHERE), moved(of(SPHERE), 5)),
        TriangleMesh(np.eye(3), [[0, 1, 2]]),
    ],
)
def test_clean_meshes_have_no_problems(mesh):
    report = inspect_mesh(mesh)
    assert report.ok
    assert worrying(report) == set()
    require_usable(mesh, oriented=True)


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_is_found_alone_with_its_number_and_places(name):
    build, count, positions = DEFECTS[name]
    report = inspect_mesh(build())
    assert worrying(report) == {name}
    assert report[name].count == count
    assert report[name].places == positions
    assert report.ok == (PROBLEMS[name].severity != "error")
    assert inspect_mesh(of(SPHERE))[name].count == 0


def test_touching_surfaces_are_no_seam():
    touching = union(TriangleMesh(X, F), TriangleMesh(2 * X[3] - X, F[:, ::-1]))
    assert inspect_mesh(touching)["coincident_vertices"].count == 0
    assert worrying(inspect_mesh(touching)) == set()


def test_zero_area_stars_are_vertices_with_degenerate_faces_only():
    report = inspect_mesh(with_flat_corner())
    assert worrying(report) == {"degenerate_faces", "zero_area_stars"}
    assert report["zero_area_stars"].places == (4,)
    assert report["degenerate_faces"].places == (2,)


def test_degeneracy_does_not_depend_on_the_unit():
    needle = np.array([[0, 0, 0], [1, 0, 0], [0.5, 1e-8, 0]])
    flat = np.array([[0, 0, 0], [1, 0, 0], [0.5, 1e-12, 0]])
    for scale in (1e-30, 1e-3, 1.0, 1e30):
        assert inspect_mesh(TriangleMesh(needle * scale, [[0, 1, 2]])).ok
        assert not inspect_mesh(TriangleMesh(flat * scale, [[0, 1, 2]])).ok


def test_runaway_neighborhoods_are_those_counted_by_brute_force():
    mesh = with_dense_patch()
    distance = np.linalg.norm(mesh.vertices[:, None] - mesh.vertices[None], axis=-1)
    for radius, most in ((0.3, 40), (0.3, 60), (0.05, 10), (10.0, 50)):
        crowded = np.flatnonzero((distance < radius).sum(axis=1) - 1 > most)
        found = inspect_mesh(mesh, radius=radius, max_neighbors=most)["runaway_neighborhoods"]
        assert found.count == len(crowded)
        assert found.places == tuple(crowded[:5].tolist())
    assert len(crowded) == mesh.num_vertices  # the last case: everybody sees everybody


# --- facts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mesh", "genus", "loops", "euler"),
    [
        (of(SPHERE), [0], 0, 2),
        (of(trimesh.creation.torus(2, 0.5)), [1], 0, 0),
        (strip(twisted=True), [], 1, 0),
        (strip(twisted=False), [], 2, 0),
        (TriangleMesh(np.eye(3), [[0, 1, 2]]), [], 1, 1),
        (union(of(SPHERE), moved(of(trimesh.creation.torus(2, 0.5)), 9)), [0, 1], 0, 2),
    ],
)
def test_topology_of_known_surfaces(mesh, genus, loops, euler):
    rng = np.random.default_rng(0)
    new = rng.permutation(mesh.num_vertices)
    shuffled = TriangleMesh(mesh.vertices[np.argsort(new)], new[mesh.faces][rng.permutation(mesh.num_faces)])
    for facts in (inspect_mesh(mesh).facts, inspect_mesh(shuffled).facts):
        assert sorted(facts["genus"]) == genus
        assert facts["boundary_loops"] == loops
        assert facts["euler_characteristic"] == euler


def test_measures_of_the_unit_cube():
    facts = inspect_mesh(of(trimesh.creation.box())).facts
    assert facts["area"] == pytest.approx(6)
    assert facts["bounding_box"] == [[-0.5] * 3, [0.5] * 3]
    assert facts["edge_length"]["min"] == pytest.approx(1)
    assert facts["edge_length"]["max"] == pytest.approx(np.sqrt(2))
    assert facts["min_angle"]["median"] == pytest.approx(45)
    assert (facts["vertices"], facts["faces"], facts["edges"]) == (8, 12, 18)


def test_the_default_radius_is_that_of_the_gauge_graph():
    mesh = of(SPHERE)
    assert inspect_mesh(mesh, mean_neighbors=20).facts["radius"] == pytest.approx(
        float(mesh.gauge_graph(SO2(), mean_neighbors=20).radius), rel=1e-6
    )


# --- refusals -----------------------------------------------------------------------------------------------------

ERRORS = [name for name, kind in PROBLEMS.items() if kind.severity == "error" and name in DEFECTS and name != "empty"]


@pytest.mark.parametrize("name", ERRORS)
def test_unusable_meshes_are_refused_with_place_and_remedy(name):
    build, count, positions = DEFECTS[name]
    with pytest.raises(MeshError, match=name.replace("_", " ").replace("non ", "non-")) as caught:
        require_usable(build(), oriented=True)
    message = str(caught.value)
    assert f": {count}, at" in message
    assert str(positions[0]).replace(" ", "") in message
    assert "repair_mesh(mesh)" in message
    assert "gaugenet inspect MESH --repair OUT" in message


def test_orientation_matters_only_to_groups_that_preserve_it():
    for mesh in (with_flipped(3), strip(twisted=True)):
        require_usable(mesh, oriented=False)
        with pytest.raises(MeshError):
            require_usable(mesh, oriented=True)


def test_a_moebius_strip_is_told_from_a_badly_oriented_mesh():
    with pytest.raises(MeshError, match=r"no consistent orientation exists.*SO\(2\)-structure.*O\(2\)") as caught:
        require_usable(strip(twisted=True), oriented=True)
    assert "repair" not in str(caught.value)
    with pytest.raises(MeshError, match="oriented against its neighbours") as caught:
        require_usable(with_flipped(3), oriented=True)
    assert "O(2)" not in str(caught.value)


def test_isolated_vertices_and_several_components_are_usable():
    require_usable(union(of(SPHERE), moved(of(SPHERE), 5)), oriented=True)
    require_usable(TriangleMesh(np.concatenate([X, X[:1] / 2]), F), oriented=True)


@pytest.mark.parametrize("index", [-1, V, 10**12])
def test_indices_that_would_crash_native_code_are_refused_at_once(index):
    with pytest.raises(MeshError, match=f"Face {len(F)} is .* from 0 to {V - 1}"):
        TriangleMesh(X, np.concatenate([F, [[0, 1, index]]]))


@pytest.mark.parametrize("name", ERRORS)
def test_unusable_meshes_never_reach_the_geodesics(name):
    with pytest.raises(MeshError, match="not usable"):
        DEFECTS[name][0]().gauge_graph(SO2(), mean_neighbors=8)


def test_an_unreferenced_last_vertex_keeps_its_row():
    graph = TriangleMesh(np.concatenate([X, X[:1] / 2]), F).gauge_graph(O2(), mean_neighbors=8)
    assert graph.num_nodes == V + 1
    assert not (graph.edge_index == V).any()


# --- any input at all ---------------------------------------------------------------------------------------------


@st.composite
def soups(draw) -> TriangleMesh:
    """Random triangles on random, often coincident, sometimes non-finite points."""
    n = draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.integers(0, 3, (n, 3)).astype(float) if draw(st.booleans()) else rng.normal(size=(n, 3))
    x *= 10.0 ** draw(st.sampled_from([-200, -30, 0, 30]))
    if draw(st.booleans()):
        x[rng.integers(n)] = draw(st.sampled_from([np.nan, np.inf, 1e300]))
    return TriangleMesh(x, rng.integers(0, n, (draw(st.integers(0, 25)), 3)))


def brute_force(mesh: TriangleMesh) -> dict[str, int]:
    """The combinatorial defects by plain loops over Python sets."""
    seen, proper, counts = set(), [], Counter()
    for face in mesh.faces.tolist():
        if len(set(face)) == 3 and frozenset(face) in seen:
            counts["duplicate_faces"] += 1
        elif len(set(face)) == 3:
            proper.append(face)
        seen.add(frozenset(face))
    at_edge = defaultdict(list)
    for face in proper:
        for k in range(3):
            at_edge[frozenset((face[k], face[(k + 1) % 3]))].append(face)
    counts["non_manifold_edges"] = sum(len(faces) > 2 for faces in at_edge.values())
    for v in range(mesh.num_vertices):
        around = [frozenset(face) - {v} for face in proper if v in face]
        counts["non_manifold_vertices"] += bool(around) and not connected(around)
    counts["unreferenced_vertices"] = len(
        set(np.flatnonzero(np.isfinite(mesh.vertices).all(1) & (abs(mesh.vertices) < 1e60).all(1)))
        - set(mesh.faces.flat)
    )
    return counts


def connected(edges: list[frozenset]) -> bool:
    reached, rest = set(edges[0]), edges[1:]
    while any(edge & reached for edge in rest):
        reached |= set().union(*(edge for edge in rest if edge & reached))
        rest = [edge for edge in rest if not edge <= reached]
    return not rest


@given(soups())
@settings(deadline=None, max_examples=60)
def test_inspection_never_fails_and_agrees_with_brute_force(mesh):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        report = inspect_mesh(mesh)
    json.dumps(report.to_dict(), allow_nan=False)
    assert str(report)
    assert all(0 < len(p.places) <= min(p.count, 5) for p in report.problems if p.name != "empty")
    for name, count in brute_force(mesh).items():
        assert report[name].count == count


@given(soups())
@settings(deadline=None, max_examples=40)
def test_a_mesh_without_errors_is_exactly_one_that_is_not_refused(mesh):
    report = inspect_mesh(mesh)
    fine = all(p.severity != "error" or p.name == "empty" for p in report.problems)
    for oriented in (False, True):
        clean = fine and not (oriented and report["non_orientable"].count)
        rotated = not oriented and {p.name for p in report.problems if p.severity == "error"} == {
            "inconsistent_orientation"
        }
        try:
            require_usable(mesh, oriented=oriented)
        except MeshError:
            assert not clean
            assert not rotated
        else:
            assert clean or rotated


@pytest.mark.parametrize(
    "options", [{"radius": 0}, {"radius": np.nan}, {"mean_neighbors": -1}, {"radius": 1, "mean_neighbors": 1}]
)
def test_contradictory_options_are_refused(options):
    with pytest.raises(ValueError, match="Expected"):
        inspect_mesh(of(SPHERE), **options)


# --- files --------------------------------------------------------------------------------------------------------


def test_files_are_reported_and_unreadable_ones_are_entries(tmp_path):
    good, short, cloud = tmp_path / "good.ply", tmp_path / "short.ply", tmp_path / "cloud.ply"
    content = SPHERE.export(file_type="ply")
    good.write_bytes(content)
    short.write_bytes(content[: len(content) // 2])
    cloud.write_bytes(trimesh.PointCloud(X).export(file_type="ply"))
    entries = inspect_files([good, short, cloud, tmp_path / "absent.ply"])
    assert [entry["ok"] for entry in entries] == [True, False, False, False]
    assert entries[0]["facts"]["genus"] == [0]
    for entry, path in zip(entries[1:], (short, cloud, tmp_path / "absent.ply")):
        assert str(path) in entry["error"]
        assert entry["error"] in describe(entry)
    json.dumps(entries, allow_nan=False)


def test_repaired_files_are_usable_and_inputs_stay_as_they_are(tmp_path):
    inputs = []
    for folder in ("a", "b", "out"):
        (tmp_path / folder).mkdir()
        inputs.append(tmp_path / folder / "sphere.obj")
        trimesh.Trimesh(X, with_flipped(3, 8).faces, process=False).export(inputs[-1])
    inputs.append(tmp_path / "out" / "sphere.ply")
    trimesh.Trimesh(X, with_flipped(3, 8).faces, process=False).export(inputs[-1])
    before = [path.read_bytes() for path in inputs]
    entries = inspect_files(inputs, repair_to=tmp_path / "out")
    assert [path.read_bytes() for path in inputs] == before
    written = [entry["repaired"]["file"] for entry in entries]
    assert len(set(written)) == len(inputs)
    for entry in entries:
        assert not entry["ok"]
        assert entry["repaired"]["actions"] == [{"name": "turned_faces", "count": 2}]
        assert entry["repaired"]["report"]["ok"]
        require_usable(TriangleMesh.load(entry["repaired"]["file"]), oriented=True)
        assert "turned faces: 2" in describe(entry)
    json.dumps(entries, allow_nan=False)


def test_the_table_names_every_problem():
    text = str(inspect_mesh(union(with_fin(), moved(with_flipped(2), 5), moved(strip(twisted=True), 20))))
    for part in ("non-manifold edges", "inconsistent orientation", "non-orientable", "NOT usable", "--repair"):
        assert part in text
    assert "usable" in str(inspect_mesh(of(SPHERE)))
    assert "NOT" not in str(inspect_mesh(of(SPHERE)))


def test_asking_for_an_unknown_problem_is_an_error():
    with pytest.raises(KeyError, match="non_manifold_edges"):
        inspect_mesh(of(SPHERE))["non_manifold_edge"]
