"""Meshes in groups of one HDF5 file: read with their fields, trained on, and refused where something is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gaugenet.cli import main
from gaugenet.data import DataError, FieldMeshFolder, FieldReader, FieldSpec
from gaugenet.geometry import MeshError, TriangleMesh
from tests.tasks.regression.fields_of_surfaces import ellipsoid, fields

h5py = pytest.importorskip("h5py")


def _write(path, count=6, *, series=0):
    """The layout of sukjulian/coronary-mesh-convolution: float32 positions, triangles in rows, stress in dyn/cm^2."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for k in range(count):
            mesh, group = ellipsoid(k + 1), file.create_group(f"sample_{k:04d}")
            stress = (10 * fields(mesh)["wss"]).astype(np.float32)
            group["pos"], group["face"] = mesh.vertices.astype(np.float32), mesh.faces.astype(np.int64)
            group["wss"] = np.stack([(t + 1) * stress for t in range(series)]) if series else stress
            group["inlet_idcs"] = np.array([0, 3])
            group.attrs["shape id"] = k
    return path


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("vessels") / "raw" / "database.hdf5")


def test_every_group_is_a_mesh_with_its_fields(database):
    everything = [FieldMeshFolder(database, split) for split in ("train", "val", "test")]
    names = sorted(one.name for part in everything for one in part)
    assert names == [f"sample_{k:04d}" for k in range(6)], "each in one part"
    assert [p.paths for p in everything] == [
        FieldMeshFolder(database.parent, split).paths for split in ("train", "val", "test")
    ], "the folder of the file is the same data set"
    mesh = TriangleMesh.load(database / "sample_0002")
    np.testing.assert_allclose(mesh.vertices, ellipsoid(3).vertices, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, ellipsoid(3).faces)
    reader = FieldReader(mesh, database / "sample_0002")
    stress = reader.read(FieldSpec("wss", "space_vector", unit="Pa", file_unit="dyn/cm^2"))
    assert stress.on == "vertex"
    np.testing.assert_allclose(stress.values, fields(ellipsoid(3))["wss"], atol=1e-5)


def test_the_distance_from_the_inlet_is_geodesic(database):
    mesh = TriangleMesh.load(database / "sample_0001")
    found = FieldReader(mesh, database / "sample_0001").read(FieldSpec("inflow_distance"))
    import networkx

    graph = networkx.Graph()
    lengths = np.linalg.norm(np.diff(mesh.vertices[mesh.edges], axis=1)[:, 0], axis=1)
    graph.add_weighted_edges_from((int(a), int(b), float(c)) for (a, b), c in zip(mesh.edges, lengths))
    along_edges = networkx.multi_source_dijkstra_path_length(graph, {0, 3})
    expected = np.array([along_edges[v] for v in range(mesh.num_vertices)])
    assert (found.values <= 1.05 * expected + 0.1).all(), "paths along edges are not shorter"
    straight = np.linalg.norm(mesh.vertices[:, None] - mesh.vertices[[0, 3]], axis=2).min(axis=1)
    assert (found.values >= 0.9 * straight - 0.1).all(), "nor is a straight line longer"
    assert found.values[[0, 3]].max() < 0.05


def test_a_series_needs_a_step(tmp_path):
    file = _write(tmp_path / "pulsatile.hdf5", 1, series=4)
    mesh = TriangleMesh.load(file / "sample_0000")
    reader = FieldReader(mesh, file / "sample_0000")
    third = reader.read(FieldSpec("wss@2", "space_vector")).values
    np.testing.assert_allclose(third, 30 * fields(ellipsoid(1))["wss"], rtol=1e-5, atol=1e-5)
    with pytest.raises(DataError, match="4 time steps: choose one, such as wss@0"):
        reader.read(FieldSpec("wss", "space_vector"))
    with pytest.raises(DataError, match="wss@9 does not exist"):
        reader.read(FieldSpec("wss@9", "space_vector"))


def test_a_regression_is_trained_scored_and_predicted_from_one_file(database, tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "out"
    small = ["--max_epochs", "1", "--model.width", "2", "--geometry.levels", "1", "--n_jobs", "1", "--threads", "1"]
    fields_of = ["--data.targets", "{wss: {kind: vector, unit: Pa, file_unit: dyn/cm^2}}"]
    fields_of += ["--data.inputs", "{inflow_distance: scalar}"]
    assert main(["train", "regression", "--data", str(database), "--out", str(run), *fields_of, *small]) == 0
    assert main(["evaluate", str(run), "--data", str(database), "--n_jobs", "1"]) == 0
    (mesh,) = json.loads((run / "evaluation_test.json").read_text())["meshes"]
    assert mesh["file"].endswith("database.hdf5/" + mesh["name"])
    assert main(["view", str(run), "--out", str(tmp_path / "maps.html")]) == 0
    assert main(["predict", str(run), str(database), "--out", str(out), "--n_jobs", "1"]) == 0
    with np.load(out / "sample_0005.fields.npz") as arrays:
        assert arrays["wss"].shape == (ellipsoid(6).num_vertices, 3)
    assert len(list(out.glob("*.fields.ply"))) == 6


def test_what_cannot_be_read_is_named(database, tmp_path):
    reader = FieldReader(TriangleMesh.load(database / "sample_0000"), database / "sample_0000")
    with pytest.raises(DataError, match=r"no field 'pressure': its group has .*wss.*inflow_distance"):
        reader.read(FieldSpec("pressure"))
    with pytest.raises(FileNotFoundError, match="no group 'sample_9999'"):
        TriangleMesh.load(database / "sample_9999")
    with pytest.raises(MeshError, match="in groups"):
        TriangleMesh.load(database)
    broken = tmp_path / "broken.hdf5"
    with h5py.File(broken, "w") as file:
        file["a/pos"], file["a/face"] = np.zeros((4, 3)), np.zeros((3, 2), dtype=int)
        file["b/pos"] = np.zeros((4, 3))
        file["c/pos"], file["c/face"] = np.eye(3), np.array([[0, 1, 2]])
        file["c/inlet_idx"] = np.array([7])
    with pytest.raises(MeshError, match=r"'face' of shape \(n, 3\), got \(3, 2\)"):
        TriangleMesh.load(broken / "a")
    with pytest.raises(MeshError, match="face missing"):
        TriangleMesh.load(broken / "b")
    with pytest.raises(DataError, match="0 to 2, in 'inlet_idcs'"):
        FieldReader(TriangleMesh.load(broken / "c"), broken / "c").read(FieldSpec("inflow_distance"))
    text = tmp_path / "text.hdf5"
    text.write_text("not HDF5")
    with pytest.raises(MeshError, match="cannot be read as HDF5"):
        FieldMeshFolder(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pos": np.full((4, 3), b"a")}, "numbers in 'pos'"),
        ({"pos": np.zeros((4, 3), dtype=complex)}, "numbers in 'pos'"),  # the imaginary part was dropped before
        ({"face": np.zeros((3, 8), dtype=int)}, r"\(n, 3\), got \(3, 8\): store its transpose"),
        ({"face": np.zeros((8, 3))}, "indices in 'face', got float64"),
    ],
)
def test_arrays_of_another_kind_are_named(tmp_path, change, message):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        for name, value in ({"pos": np.zeros((4, 3)), "face": np.zeros((8, 3), dtype=int)} | change).items():
            file[f"one/{name}"] = value
        file.create_group("two/pos")
        file.create_group("two/face")
    with pytest.raises(MeshError, match=message):
        TriangleMesh.load(tmp_path / "a.hdf5" / "one")
    with pytest.raises(MeshError, match="pos and face missing"):
        TriangleMesh.load(tmp_path / "a.hdf5" / "two")


def _distance(path, inlet, copies=1):
    mesh = ellipsoid(1)
    faces = np.concatenate([mesh.faces + k * mesh.num_vertices for k in range(copies)])
    with h5py.File(path, "w") as file:
        file["a/pos"] = np.concatenate([mesh.vertices + 9.0 * k for k in range(copies)])
        file["a/face"], file["a/inlet_idcs"] = faces, inlet
    loaded = TriangleMesh.load(path / "a")
    return FieldReader(loaded, path / "a").read(FieldSpec("inflow_distance")).values


def test_an_inlet_is_indices_or_a_mask(tmp_path):
    """A mask was read as the indices 0 and 1 before."""
    count = ellipsoid(1).num_vertices
    indices = _distance(tmp_path / "a.hdf5", np.array([5, 7]))
    np.testing.assert_array_equal(_distance(tmp_path / "b.hdf5", np.isin(np.arange(count), [5, 7])), indices)
    assert indices.argmin() in (5, 7)
    with pytest.raises(DataError, match="not all whole"):
        _distance(tmp_path / "c.hdf5", np.array([1.7]))


def test_a_part_without_an_inlet_has_no_distance(tmp_path):
    """The heat method gave one arbitrary number for all of it."""
    count = ellipsoid(1).num_vertices
    with pytest.raises(DataError, match="not connected to the vertices of 'inlet_idcs'"):
        _distance(tmp_path / "a.hdf5", np.array([0]), copies=2)
    found = _distance(tmp_path / "b.hdf5", np.array([0, count]), copies=2)
    np.testing.assert_allclose(found[:count], found[count:], atol=1e-6)
