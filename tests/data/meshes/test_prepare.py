"""From samples to batches: targets, repair, cache, workers, and what batching must not change."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose

from gaugenet.data import (
    IGNORE_LABEL,
    Curvatures,
    GaugeDataset,
    HeatKernelSignature,
    InputFeatures,
    MeshCNNSegmentation,
    MeshSample,
    Positions,
    RandomMirror,
    RandomRotation,
    ShapeOperator,
    WaveKernelSignature,
    add_targets,
    prepare_meshes,
    usable_mesh,
    vertex_to_face,
)
from gaugenet.data import prepare_meshes as prepare_function
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.groups import O2, SO2
from tests.data.meshes.graphs import simple_graph
from tests.data.meshes.helpers import grid, icosphere, torus

FEATURES = InputFeatures([HeatKernelSignature(4, num_eigenvectors=16), Positions(), ShapeOperator()])
MESHES = [icosphere(1), torus(10, 6), grid(5, 4)]


def samples():
    rng = np.random.default_rng(0)
    return [MeshSample(f"m{i}", mesh, face_labels=rng.integers(-1, 3, mesh.num_faces)) for i, mesh in enumerate(MESHES)]


def equal(a, b) -> bool:
    """Whether two graphs hold the same values, bit for bit."""
    same_keys = set(a.keys()) == set(b.keys())
    return same_keys and all(
        torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype if torch.is_tensor(a[k]) else a[k] == b[k]
        for k in a.keys()  # noqa: SIM118
    )


@pytest.fixture(scope="module")
def dataset():
    return GaugeDataset(samples(), SO2(), FEATURES, num_classes=3, levels=2, mean_neighbors=8, n_jobs=1)


def test_targets_of_each_kind():
    mesh = icosphere(1)
    graph = simple_graph(mesh)
    faces = np.arange(mesh.num_faces) % 3
    faces[:5] = IGNORE_LABEL
    by_face = add_targets(graph, MeshSample("a", mesh, face_labels=faces), 3)
    assert torch.equal(by_face.face_y, torch.from_numpy(faces))
    assert by_face.y_soft.dtype == torch.float32
    assert torch.allclose(by_face.y_soft.sum(1), torch.ones(mesh.num_vertices))
    assert torch.equal(by_face.y, by_face.y_soft.argmax(1))
    by_vertex = add_targets(graph, MeshSample("b", mesh, vertex_labels=np.arange(mesh.num_vertices)))
    assert torch.equal(by_vertex.y, torch.arange(mesh.num_vertices))
    assert "face_y" not in by_vertex
    assert add_targets(graph, MeshSample("c", mesh, label=7)).y.tolist() == [7]
    assert "y" not in graph
    with pytest.raises(ValueError, match="num_classes"):
        add_targets(graph, MeshSample("a", mesh, face_labels=faces))


def test_batches_give_each_graph_back_bit_for_bit(dataset):
    graphs = [dataset[i] for i in range(len(dataset))]
    batch = next(iter(DataLoader(dataset, batch_size=3)))
    assert all(equal(a, b) for a, b in zip(batch.to_data_list(), graphs, strict=True))
    assert batch.radius.shape == (3,)
    assert batch.face_y.shape == (sum(m.num_faces for m in MESHES),)
    assert batch.y_soft.shape == (sum(m.num_vertices for m in MESHES), 3)


def test_faces_of_a_batch_index_its_vertices(dataset):
    batch = next(iter(DataLoader(dataset, batch_size=3)))
    whole = vertex_to_face(batch.x, batch.face)
    apart = torch.cat([vertex_to_face(g.x, g.face) for g in dataset])
    assert torch.equal(whole, apart)
    assert len(batch.face_y) == batch.face.shape[1]


def test_workers_give_the_same_batches(dataset):
    alone = list(DataLoader(dataset, batch_size=2))
    for there, here in zip(DataLoader(dataset, batch_size=2, num_workers=2), alone, strict=True):
        assert all(equal(a, b) for a, b in zip(there.to_data_list(), here.to_data_list(), strict=True))


def test_parallel_preparation_keeps_order_and_values():
    options = {"num_classes": 3, "levels": 2, "mean_neighbors": 8}
    one = prepare_meshes(samples(), SO2(), FEATURES, n_jobs=1, **options)
    two = prepare_meshes(samples(), SO2(), FEATURES, n_jobs=2, **options)
    assert [g.name for g in two] == ["m0", "m1", "m2"]
    assert all(equal(a, b) for a, b in zip(one, two, strict=True))


def test_the_cache_is_used_and_stale_entries_are_not(tmp_path, monkeypatch):
    module = importlib.import_module("gaugenet.data.meshes._prepare")
    built = []
    original = module.gauge_graph_of
    monkeypatch.setattr(module, "gauge_graph_of", lambda *a: built.append(a) or original(*a))

    def run(group=None, features=FEATURES, data=None, **changes):
        options = {"num_classes": 3, "levels": 2, "mean_neighbors": 8, "n_jobs": 1, "cache_dir": tmp_path, **changes}
        before = len(built)
        graphs = prepare_function(data or samples(), group or SO2(), features, **options)
        return graphs, len(built) - before

    cold, count = run()
    assert count == 3
    warm, count = run()
    assert count == 0
    assert all(equal(a, b) for a, b in zip(cold, warm, strict=True))
    assert run(mean_neighbors=9)[1] == 3
    assert run(levels=1)[1] == 3
    assert run(dtype=torch.float64)[1] == 3
    assert run(group=O2())[1] == 3
    assert run(repair="never")[1] == 3
    assert run(features=InputFeatures([HeatKernelSignature(5, num_eigenvectors=16)]))[1] == 0, "the geometry is known"
    assert run()[1] == 0
    relabelled = [MeshSample(s.name, s.mesh, face_labels=(s.face_labels + 2) % 4 - 1) for s in samples()]
    graphs, count = run(data=relabelled)
    assert count == 0
    assert torch.equal(graphs[0].face_y, torch.from_numpy(relabelled[0].face_labels))
    for path in tmp_path.glob("*.pt"):
        path.write_bytes(path.read_bytes()[:100])
    again, count = run()
    assert count == 3
    assert all(equal(a, b) for a, b in zip(cold, again, strict=True))


def test_another_feature_computes_neither_geometry_nor_spectrum_again(tmp_path, monkeypatch):
    def graphs(*features, cache=tmp_path):
        options = {"num_classes": 3, "levels": 2, "mean_neighbors": 8, "n_jobs": 1, "cache_dir": cache}
        return prepare_meshes(samples(), SO2(), InputFeatures(list(features)), **options)

    heat, wave = HeatKernelSignature(4, num_eigenvectors=16), WaveKernelSignature(4, num_eigenvectors=16)
    graphs(heat)
    fresh = graphs(wave, ShapeOperator(), cache=None)
    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("gaugenet.data.meshes._prepare"), "gauge_graph_of", None)
        patch.setattr(importlib.import_module("gaugenet.data.meshes.spectral"), "laplacian_spectrum", None)
        second = graphs(wave, ShapeOperator())
        with pytest.raises(TypeError, match="not callable"):
            graphs(HeatKernelSignature(4, num_eigenvectors=17))  # control: another spectrum
    assert all(equal(a, b) for a, b in zip(fresh, second, strict=True)), "as without a cache, bit for bit"
    for path in tmp_path.glob("*.pt"):
        if set(torch.load(path)["values"]) == {"pos", "frame", "mass"}:
            path.unlink()
    third = graphs(Curvatures())
    assert all(equal(a, b) for a, b in zip(third, graphs(Curvatures(), cache=None), strict=True)), "rebuilt"


def test_progress_sees_every_mesh():
    seen = []

    def progress(iterator, *, total):
        for item in iterator:
            seen.append((item.name, total))
            yield item

    prepare_meshes(samples(), SO2(), FEATURES, num_classes=3, levels=1, mean_neighbors=8, n_jobs=1, progress=progress)
    assert seen == [("m0", 3), ("m1", 3), ("m2", 3)]


def test_augmented_items_differ_and_the_prepared_graphs_stay(dataset):
    moving = GaugeDataset(
        samples(), SO2(), FEATURES, num_classes=3, levels=2, mean_neighbors=8, n_jobs=1,
        transform=Compose([RandomRotation(), RandomMirror(FEATURES), FEATURES]),
    )  # fmt: skip
    torch.manual_seed(0)
    first, second = moving[0], moving[0]
    assert not torch.allclose(first.x, second.x)
    assert torch.allclose(first.x[:, :4], dataset[0].x[:, :4])  # heat kernel signatures
    assert torch.equal(moving.graphs[0].pos, dataset.graphs[0].pos)
    assert "x" not in moving.graphs[0]
    assert "RandomRotation" in repr(moving)


def pinched() -> TriangleMesh:
    """Two icospheres that share one vertex."""
    one = icosphere(1)
    other = one.faces + one.num_vertices
    other[other == one.num_vertices + int(one.vertices[:, 0].argmin())] = int(one.vertices[:, 0].argmax())
    shift = one.vertices[:, 0].max() - one.vertices[:, 0].min()
    both = np.concatenate([one.vertices, one.vertices + [shift, 0, 0]])
    used, faces = np.unique(np.concatenate([one.faces, other]), return_inverse=True)
    return TriangleMesh(both[used], faces.reshape(-1, 3))


def test_repair_carries_labels_over():
    mesh = pinched()
    labels = np.arange(mesh.num_vertices) % 3
    sample = MeshSample("pinched", mesh, vertex_labels=labels)
    graph = prepare_meshes([sample], SO2(), InputFeatures([Curvatures()]), levels=1, mean_neighbors=8, n_jobs=1)[0]
    assert graph.num_nodes == mesh.num_vertices + 1
    assert torch.equal(graph.y, torch.from_numpy(labels)[graph.vertex_map])
    assert "split" in graph.repairs
    with pytest.raises(MeshError, match=r"pinched: .*non-manifold vertices: 1"):
        prepare_meshes([sample], SO2(), FEATURES, repair="never", levels=1, mean_neighbors=8, n_jobs=1)


def test_lossless_repair_drops_no_face():
    mesh = icosphere(1)
    doubled = TriangleMesh(mesh.vertices, np.concatenate([mesh.faces, mesh.faces[:1]]))
    with pytest.raises(MeshError, match="duplicate"):
        usable_mesh(doubled, SO2())
    usable = usable_mesh(doubled, SO2(), "always")
    assert usable.mesh.num_faces == mesh.num_faces
    assert usable.repairs
    assert usable_mesh(mesh, SO2()).mesh is mesh
    with pytest.raises(ValueError, match="'lossless'"):
        usable_mesh(mesh, SO2(), "sometimes")


def test_arguments_that_a_key_cannot_tell_are_refused():
    with pytest.raises(TypeError, match="`frames`"):
        prepare_meshes(samples(), SO2(), FEATURES, frames=np.zeros((3, 3, 2)), num_classes=3)


def test_human_bodies_become_batches(real_data):
    val = MeshCNNSegmentation(real_data("human_seg_train", "human_seg"), "val", holdout="scape__mesh00*")
    data = GaugeDataset(val, SO2(), FEATURES, levels=3, mean_neighbors=16, n_jobs=1)
    batch = next(iter(DataLoader(data, batch_size=4)))
    assert batch.x.shape[1] == data.in_type.size
    assert torch.isfinite(batch.x).all()
    accuracy = vertex_to_face(batch.y_soft, batch.face).argmax(1).eq(batch.face_y).float().mean()
    assert accuracy > 0.98
