"""GaugeGraph as a citizen of PyG: batches, copies, devices, gauge transformations."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from gaugenet.geometry import GaugeGraph, TriangleMesh
from gaugenet.geometry.mesh._hierarchy import hierarchy
from gaugenet.groups import O2, SO2
from tests.geometry.mesh.surfaces import mobius, saddle, sphere, torus


def make_graphs():
    """Unequal meshes, one with isolated vertices, all with levels and features."""
    lonely = torus(20, 8)
    lonely = TriangleMesh(np.concatenate([lonely.vertices, np.eye(3) * 9]), lonely.faces)
    graphs = [
        hierarchy(m, O2(), frames="random", seed=i) for i, m in enumerate((sphere(4), lonely, saddle(9), mobius()))
    ]
    for graph in graphs:
        graph.x = torch.randn(graph.num_nodes, 3, generator=torch.Generator().manual_seed(graph.num_nodes))
        graph.y = torch.arange(graph.num_nodes) % 5
    return graphs


@pytest.fixture(scope="module")
def graphs():
    return make_graphs()


def assert_same(one, two):
    assert set(one.keys()) == set(two.keys())
    for key in sorted(one.keys()):
        if isinstance(one[key], torch.Tensor):
            assert one[key].dtype == two[key].dtype, key
            assert torch.equal(one[key], two[key]), key
        else:
            assert one[key] == two[key], key


def test_batches_take_apart_bit_for_bit(graphs):
    batch = Batch.from_data_list(graphs)
    assert isinstance(batch, GaugeGraph)
    for before, after in zip(graphs, batch.to_data_list()):
        assert_same(before, after)


def test_a_loader_with_workers_gives_the_same(graphs):
    loader = DataLoader(graphs, batch_size=2, num_workers=1)
    parts = [part for batch in loader for part in batch.to_data_list()]
    for before, after in zip(graphs, parts, strict=True):
        assert_same(before, after)


def test_indices_in_a_batch_stay_within_their_graph(graphs):
    batch = Batch.from_data_list(graphs)
    for level in range(batch.num_levels):
        view = batch.level(level)
        q, p = view.edge_index
        assert torch.equal(view.batch[q], view.batch[p])
        assert view.radius.shape == (len(graphs),)
        assert torch.equal(torch.bincount(view.batch), torch.tensor([g.level_size(level) for g in graphs]))
        if level:
            finer = batch.level(level - 1)
            for transfer, (source, target) in (
                (batch.pool(level), (finer, view)),
                (batch.unpool(level), (view, finer)),
            ):
                q, p = transfer["index"]
                assert torch.equal(source.batch[q], target.batch[p])
            assert torch.equal(finer.pos[batch[f"l{level}_node_index"]], view.pos)
            assert torch.equal(finer.batch[batch[f"l{level}_node_index"]], view.batch)


def test_each_edge_knows_the_radius_of_its_own_graph(graphs):
    batch = Batch.from_data_list(graphs)
    expected = torch.cat([g.radius.expand(g.edge_index.shape[1]) for g in graphs])
    assert torch.equal(batch.edge_radius(), expected)
    assert len(expected.unique()) == len(graphs)


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda g: g.clone(),
        lambda g: g.to("cpu"),
        lambda g: pickle.loads(pickle.dumps(g)),
        lambda g: torch.load(_saved(g), weights_only=False),
        lambda g: torch.load(_saved(g), weights_only=True),
    ],
    ids=["copy", "deepcopy", "clone", "to", "pickle", "torch", "tensors only"],
)
def test_copies_are_equal_and_carry_no_cache(graphs, copied):
    graph = graphs[1]
    graph.level(1)  # fills the cache
    twin = copied(graph)
    assert_same(graph, twin)
    assert twin.num_levels == 3
    assert torch.equal(twin.level(2).log_map, graph.level(2).log_map)


def _saved(graph):
    file = io.BytesIO()
    torch.save(graph, file)
    file.seek(0)
    return file


class Foreign:
    """What a file may hold besides a graph; loading it would run code."""

    def __reduce__(self):
        return print, ("code that runs",)


def test_files_with_other_contents_are_refused(graphs, capsys):
    graph = graphs[0].clone()
    graph.note = Foreign()
    with pytest.raises(pickle.UnpicklingError, match="print"):
        torch.load(_saved(graph), weights_only=True)
    assert "code that runs" not in capsys.readouterr().out
    torch.load(_saved(graph), weights_only=False)  # control: otherwise it runs
    assert "code that runs" in capsys.readouterr().out


def test_a_changed_copy_does_not_see_the_old_level(graphs):
    graph = graphs[0].clone()
    before = graph.level(1).log_map
    graph.l1_log_map = graph.l1_log_map * 2
    assert torch.equal(graph.level(1).log_map, 2 * before)
    assert graph.level(1) is graph.level(1)


def test_astype_casts_geometry_and_keeps_indices(graphs):
    graph = graphs[0].astype(torch.float64)
    assert graph.l1_transporter.dtype == graph.log_map.dtype == torch.float64
    assert graph.l1_pool_index.dtype == graph.edge_index.dtype == torch.long
    assert graphs[0].log_map.dtype == torch.float32


def test_gauge_transformations_compose_and_invert(graphs):
    graph = graphs[3].astype(torch.float64)
    g, h = (O2().random_element(graph.num_nodes, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    twice, once = graph.gauge_transform(g).gauge_transform(h), graph.gauge_transform(h @ g)
    back = graph.gauge_transform(g).gauge_transform(torch.linalg.inv(g))
    for key in sorted(graph.keys()):
        if isinstance(graph[key], torch.Tensor) and graph[key].is_floating_point():
            torch.testing.assert_close(twice[key], once[key])
            torch.testing.assert_close(back[key], graph[key], rtol=0, atol=1e-6)
    assert (once.log_map - graph.log_map).abs().max() > 0.1


def test_gauge_transformations_change_no_vector_in_space(graphs):
    graph = graphs[0].astype(torch.float64)
    g = SO2().random_element(graph.num_nodes, generator=torch.Generator().manual_seed(0))
    moved = graph.gauge_transform(g)
    for level in range(3):
        one, two = graph.level(level), moved.level(level)
        q, p = one.edge_index
        for graph_level in (one, two):
            assert torch.equal(graph_level.edge_index, one.edge_index)
        torch.testing.assert_close(*(v.frame[p] @ v.log_map[..., None] for v in (one, two)))
        torch.testing.assert_close(*(v.frame[p] @ v.transporter @ v.frame[q].mT for v in (one, two)))


def test_wrong_shapes_and_levels_are_refused(graphs):
    graph = graphs[0]
    with pytest.raises(ValueError, match=rf"\({graph.num_nodes}, 2, 2\), got \(2, 2\)"):
        graph.gauge_transform(torch.eye(2))
    with pytest.raises(ValueError, match="`level` below 3, got 3"):
        graph.level(3)
