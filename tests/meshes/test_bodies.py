"""The bodies in `meshes/bodies`: what is committed is what the generator promises."""

from __future__ import annotations

import hashlib
import json
import platform
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
import trimesh

MESHES = Path(__file__).parents[2] / "meshes"
BODIES = MESHES / "bodies"
MANIFEST = json.loads((BODIES / "manifest.json").read_text())
NAMES = list(MANIFEST["meshes"])
CLASSES = MANIFEST["classes"]
PEOPLE = {"child", "woman", "man", "giant", "heavy"}
PAIRED = {"upper_front_limb", "lower_front_limb", "upper_hind_limb", "lower_hind_limb"}


@pytest.fixture(scope="module")
def bodies() -> dict[str, tuple[trimesh.Trimesh, np.ndarray]]:
    """Every committed mesh as trimesh reads it, with its face labels."""
    loaded = {}
    for name in NAMES:
        mesh = trimesh.load(BODIES / name, process=False)
        loaded[name] = mesh, np.asarray(mesh.metadata["_ply_raw"]["face"]["data"]["label"]).reshape(-1).astype(int)
    return loaded


def sphere_faults(faces: np.ndarray, num_vertices: int) -> list[str]:  # noqa: C901  one fault after the other
    """What keeps a triangulation from being one closed, oriented, sphere-like manifold, in words."""
    faults = []
    halfedges = Counter((int(f[k]), int(f[(k + 1) % 3])) for f in faces for k in range(3))
    if any(count > 1 for count in halfedges.values()):
        faults.append("orientation or edge manifold")
    if any((b, a) not in halfedges for a, b in halfedges):
        faults.append("boundary")
    if num_vertices - len(halfedges) // 2 + len(faces) != 2:
        faults.append("Euler characteristic")
    following: list[dict[int, int]] = [{} for _ in range(num_vertices)]
    for a, b, c in faces.tolist():
        following[a][b], following[b][c], following[c][a] = c, a, b
    for ring in following:  # one closed fan of faces around every vertex
        start = next(iter(ring), None)
        walked, at = 0, start
        while at is not None and walked < len(ring):
            at, walked = ring.get(at), walked + 1
            if at == start:
                break
        if start is None or at != start or walked != len(ring):
            faults.append("vertex manifold")
            break
    reached, border = {0}, [0]
    while border:
        new = set(following[border.pop()]) - reached
        reached |= new
        border += new
    if len(reached) != num_vertices:
        faults.append("components")
    return faults


def label_pairs_and_pieces(faces: np.ndarray, labels: np.ndarray) -> tuple[set[tuple[int, int]], Counter]:
    """Which labels meet across an edge, and in how many connected pieces each label comes."""
    adjacency = trimesh.graph.face_adjacency(faces)
    ends = np.sort(labels[adjacency], axis=1)
    same = adjacency[ends[:, 0] == ends[:, 1]]
    pieces = trimesh.graph.connected_components(same, nodes=np.arange(len(faces)), min_len=1)
    return {(int(a), int(b)) for a, b in ends if a != b}, Counter(int(labels[piece[0]]) for piece in pieces)


def test_folder_is_what_the_manifest_says() -> None:
    on_disk = {path.relative_to(BODIES).as_posix() for path in BODIES.rglob("*.ply")}
    assert on_disk == set(NAMES)
    assert Counter(name.split("/")[0] for name in NAMES) == {"train": 48, "val": 12, "test": 16}
    assert (BODIES / "classes.txt").read_text().split() == CLASSES
    assert 6 <= len(CLASSES) <= 8
    for name in NAMES:
        content, record = (BODIES / name).read_bytes(), MANIFEST["meshes"][name]
        assert len(content) == record["bytes"] < 100_000
        assert hashlib.sha256(content).hexdigest() == record["sha256"], name
    assert sum(record["bytes"] for record in MANIFEST["meshes"].values()) < 4e6


def test_plan_and_manifest_name_the_same_bodies() -> None:
    from generator.plan import entries
    from generator.skeleton import CLASSES as planned

    assert {e.path: (e.kind, e.seed) for e in entries()} == {
        name: (record["kind"], record["seed"]) for name, record in MANIFEST["meshes"].items()
    }
    assert list(planned) == CLASSES


def test_every_body_is_a_closed_outward_sphere(bodies) -> None:
    for name, (mesh, labels) in bodies.items():
        record = MANIFEST["meshes"][name]
        assert (len(mesh.vertices), len(mesh.faces), len(labels)) == (
            record["vertices"],
            record["faces"],
            record["faces"],
        )
        assert 700 <= len(mesh.vertices) <= 1200, name
        assert sphere_faults(mesh.faces, len(mesh.vertices)) == [], name
        assert mesh.volume > 0, name
        assert np.isfinite(mesh.vertices).all()
        assert mesh.area == pytest.approx(1.0, abs=1e-5)


def test_sphere_check_sees_what_is_wrong(bodies) -> None:
    mesh, _ = bodies[NAMES[0]]
    faces, count = np.array(mesh.faces), len(mesh.vertices)
    flipped = faces.copy()
    flipped[3] = flipped[3][::-1]
    pinched = np.where(faces == faces[-1, 0], faces[0, 0], faces)
    assert "boundary" in sphere_faults(faces[1:], count)
    assert "orientation or edge manifold" in sphere_faults(flipped, count)
    assert "vertex manifold" in sphere_faults(pinched, count)
    assert "components" in sphere_faults(np.concatenate([faces, faces + count]), 2 * count)


def test_triangles_are_well_shaped(bodies) -> None:
    angles = np.degrees(np.concatenate([mesh.face_angles.min(axis=1) for mesh, _ in bodies.values()]))
    assert angles.min() > 5
    assert (angles < 15).mean() < 1e-3
    assert np.quantile(angles, 0.05) > 28
    for name, (mesh, _) in bodies.items():  # no folds: neighbours never face apart
        assert np.degrees(mesh.face_adjacency_angles).max() < 150, name


def test_every_class_appears_and_no_tail_on_people(bodies) -> None:
    for name, (_, labels) in bodies.items():
        record = MANIFEST["meshes"][name]
        counts = np.bincount(labels, minlength=len(CLASSES))
        assert counts.tolist() == record["faces_per_class"]
        missing = {c for c, n in zip(CLASSES, counts, strict=True) if n == 0}
        assert missing == ({"tail"} if record["kind"] in PEOPLE else set()), name
        assert all(n >= 8 for n in counts if n), name
    for split in ("train", "val", "test"):
        total = sum(np.bincount(labels, minlength=8) for n, (_, labels) in bodies.items() if n.startswith(split))
        assert (total / total.sum()).min() > 0.02


def test_parts_are_whole_and_meet_only_their_neighbours(bodies) -> None:
    index = {name: i for i, name in enumerate(CLASSES)}
    never = {tuple(sorted((index["head"], index[c]))) for c in CLASSES if c not in ("head", "neck")}
    never |= {tuple(sorted((index["torso"], index[c]))) for c in ("lower_front_limb", "lower_hind_limb")}
    for name, (mesh, labels) in bodies.items():
        pairs, pieces = label_pairs_and_pieces(mesh.faces, labels)
        assert not pairs & never, name
        assert all(n <= (2 if CLASSES[c] in PAIRED else 1) for c, n in pieces.items()), (name, pieces)


def test_whole_parts_check_sees_a_stray_label(bodies) -> None:
    mesh, labels = bodies[NAMES[0]]
    stray = labels.copy()
    stray[np.flatnonzero(labels == CLASSES.index("lower_hind_limb"))[0]] = CLASSES.index("head")
    pairs, pieces = label_pairs_and_pieces(mesh.faces, stray)
    assert pieces[CLASSES.index("head")] == 2
    assert any(CLASSES.index("head") in pair and CLASSES.index("neck") not in pair for pair in pairs)


def test_splits_share_no_shape_and_test_has_kinds_of_its_own(bodies) -> None:
    # Dihedral angles and edge lengths do not change under rotation: two copies of a body would agree in them.
    signature = {
        name: np.quantile(mesh.edges_unique_length, np.linspace(0, 1, 9)) for name, (mesh, _) in bodies.items()
    }
    for i, a in enumerate(NAMES):
        assert all(np.abs(signature[a] - signature[b]).max() > 1e-5 for b in NAMES[:i]), a
    kinds = {s: {MANIFEST["meshes"][n]["kind"] for n in NAMES if n.startswith(s)} for s in ("train", "val", "test")}
    assert kinds["val"] == kinds["train"]
    assert len(kinds["test"] - kinds["train"]) >= 5
    assert kinds["test"] & kinds["train"]


def test_orientations_cover_the_sphere(bodies) -> None:
    # From torso to head: were the bodies upright, the mean of these unit vectors would be far from zero.
    forward = []
    for mesh, labels in bodies.values():
        v = mesh.triangles_center[labels == 0].mean(axis=0) - mesh.triangles_center[labels == 2].mean(axis=0)
        forward.append(v / np.linalg.norm(v))
    assert np.linalg.norm(np.mean(forward, axis=0)) < 0.35
    assert np.linalg.eigvalsh(np.cov(np.array(forward).T)).min() > 0.15


def test_manifest_knows_how_to_stand_a_body_up(bodies) -> None:
    """Undone, the rotation puts the limbs' ends below the torso and a quadruped's head in front of its tail."""
    for name, (mesh, labels) in bodies.items():
        record = MANIFEST["meshes"][name]
        rotation = np.array(record["rotation"])
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-5)
        assert np.linalg.det(rotation) > 0
        at = mesh.triangles_center @ rotation
        middle = [at[labels == i].mean(axis=0) if (labels == i).any() else None for i in range(len(CLASSES))]
        assert middle[CLASSES.index("lower_hind_limb")][2] < middle[CLASSES.index("torso")][2], name
        if record["kind"] not in PEOPLE:
            assert middle[CLASSES.index("tail")][0] < middle[CLASSES.index("head")][0], name


def test_own_reader_agrees_with_trimesh(bodies) -> None:
    from generator.ply import read_ply

    for name in NAMES[::15]:
        mesh, labels = bodies[name]
        own = read_ply(BODIES / name)
        np.testing.assert_array_equal(own.vertices, mesh.vertices)
        np.testing.assert_array_equal(own.faces, mesh.faces)
        np.testing.assert_array_equal(own.labels, labels)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    from generator.ply import read_ply

    broken = tmp_path / "broken.ply"
    broken.write_bytes((BODIES / NAMES[0]).read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"broken\.ply.*expected \d+ bytes"):
        read_ply(broken)


def test_generator_reproduces_a_committed_body() -> None:
    pytest.importorskip("skimage", reason="scikit-image is not installed: it runs the generator's marching cubes")
    pytest.importorskip("fast_simplification", reason="fast-simplification is not installed: it decimates")
    from generator.plan import Entry
    from generator.ply import ply_bytes
    from generator.sampler import make_body

    entry = Entry("train", "giraffe", 0)
    first, second = (make_body(entry.kind, entry.seed, spread=entry.spread) for _ in range(2))
    comment = f"gaugenet body: {entry.kind}, seed {entry.seed}"
    assert ply_bytes(first, comment) == ply_bytes(second, comment)
    assert ply_bytes(make_body(entry.kind, entry.seed + 1), comment) != ply_bytes(first, comment)
    used = MANIFEST["versions"]
    if used != installed_versions(used):
        pytest.skip(f"Exact bytes belong to {used}, here are {installed_versions(used)}.")
    assert hashlib.sha256(ply_bytes(first, comment)).hexdigest() == MANIFEST["meshes"][entry.path]["sha256"]


def installed_versions(names: dict[str, str]) -> dict[str, str]:
    found = {"machine": platform.machine()}
    for name in names:
        if name != "machine":
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "none"
    return found


def test_unknown_kind_is_refused() -> None:
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    from generator.sampler import make_body

    with pytest.raises(ValueError, match="Unknown kind 'dragon'"):
        make_body("dragon", 0)
