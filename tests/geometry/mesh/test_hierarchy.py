"""Levels for pooling: nested points, complete transfers, transport that agrees with the fine graph."""

import numpy as np
import pytest
import torch

from gaugenet.geometry import MeshError, TriangleMesh
from gaugenet.geometry.gauge_graph import is_sorted_by_target
from gaugenet.geometry.mesh._hierarchy import hierarchy
from gaugenet.groups import O2, SO2, Cyclic
from tests.geometry.mesh.surfaces import mobius, saddle, sphere, square, torus


def with_parts(mesh):
    """The mesh with a far triangle and an isolated vertex beside it."""
    extra = np.array([[5.0, 0, 0], [5.1, 0, 0], [5, 0.1, 0], [9, 9, 9]])
    n = mesh.num_vertices
    return TriangleMesh(np.concatenate([mesh.vertices, extra]), np.concatenate([mesh.faces, [[n, n + 1, n + 2]]]))


MESHES = {
    "torus": lambda: torus(40, 16, 0.3),
    "saddle": lambda: saddle(25, 0.3),
    "parts": lambda: with_parts(sphere(7)),
    "mobius": lambda: mobius(60, 9),
    "needles": lambda: torus(120, 8, 0.2),
}


@pytest.fixture(scope="module", params=MESHES)
def graph(request):
    return hierarchy(MESHES[request.param](), O2(), levels=3, frames="random", seed=0, dtype=torch.float64)


def sums(transfer, size):
    return torch.zeros(size, dtype=torch.float64).index_add(0, transfer["index"][1], transfer["weight"])


@pytest.mark.parametrize("level", [1, 2])
def test_points_are_nested_and_share_their_frames(graph, level):
    fine, coarse, index = graph.level(level - 1), graph.level(level), graph[f"l{level}_node_index"]
    assert graph.num_levels == 3
    assert len(index.unique()) == len(index) == graph.level_size(level)
    assert graph.level_size(level) <= np.ceil(graph.level_size(level - 1) / 4) + 2
    assert torch.equal(fine.pos[index], coarse.pos)
    assert torch.equal(fine.frame[index], coarse.frame)
    assert torch.equal(coarse.batch, torch.zeros(len(index), dtype=torch.long))


@pytest.mark.parametrize("level", [1, 2])
def test_transfers_are_averages_and_reach_everyone(graph, level):
    """Weights sum to one at every coarse and every fine point, isolated ones included; constants are kept."""
    pool, unpool = graph.pool(level), graph.unpool(level)
    n, finer = graph.level_size(level), graph.level_size(level - 1)
    torch.testing.assert_close(sums(pool, n), torch.ones(n, dtype=torch.float64))
    torch.testing.assert_close(sums(unpool, finer), torch.ones(finer, dtype=torch.float64))
    assert (pool["weight"] > 0).all()
    assert (unpool["weight"] > 0).all()
    assert is_sorted_by_target(pool["index"])
    assert is_sorted_by_target(unpool["index"])
    assert int(torch.bincount(unpool["index"][1]).max()) <= 3


@pytest.mark.parametrize("level", [1, 2])
def test_a_coarse_point_is_itself_on_the_finer_level(graph, level):
    index, pool, unpool = graph[f"l{level}_node_index"], graph.pool(level), graph.unpool(level)
    own = pool["index"][0] == index[pool["index"][1]]
    assert int(own.sum()) == len(index)
    identity = torch.eye(2, dtype=torch.float64).expand(len(index), 2, 2)
    torch.testing.assert_close(pool["transporter"][own], identity)
    own = unpool["index"][1] == index[unpool["index"][0]]
    assert int(own.sum()) == len(index)
    torch.testing.assert_close(unpool["weight"][own], torch.ones(len(index), dtype=torch.float64))


@pytest.mark.parametrize("level", [1, 2])
def test_area_is_conserved(graph, level):
    torch.testing.assert_close(graph.level(level).mass.sum(), graph.mass.sum())


@pytest.mark.parametrize("level", [1, 2])
def test_levels_keep_the_conventions(graph, level):
    coarse = graph.level(level)
    q, p = coarse.edge_index
    assert is_sorted_by_target(coarse.edge_index)
    assert bool((q != p).all())
    assert (coarse.log_map.norm(dim=1) <= coarse.radius).all()
    for matrices in (coarse.transporter, graph.pool(level)["transporter"], graph.unpool(level)["transporter"]):
        assert O2().contains(matrices).all()


@pytest.mark.parametrize("name", ["torus", "saddle"])
def test_coarse_edges_are_geodesics_of_the_fine_mesh(name):
    """The same pairs, the same log maps and transporters, as in a fine graph with the coarse radius."""
    mesh = MESHES[name]()
    graph = hierarchy(mesh, SO2(), levels=2, frames="random", seed=0, dtype=torch.float64)
    coarse, index = graph.level(1), graph.l1_node_index
    radius = coarse.radius.item()
    fine = mesh.gauge_graph(SO2(), radius=radius, frames="random", seed=0, dtype=torch.float64)
    position = {pair: i for i, pair in enumerate(zip(*fine.edge_index.tolist()))}
    among = torch.tensor([position[pair] for pair in zip(*index[coarse.edge_index].tolist())])
    torch.testing.assert_close(coarse.log_map, fine.log_map[among])
    torch.testing.assert_close(coarse.transporter, fine.transporter[among])
    chosen = torch.zeros(mesh.num_vertices, dtype=torch.bool)
    chosen[index] = True
    assert int((chosen[fine.edge_index[0]] & chosen[fine.edge_index[1]]).sum()) == len(among)


@pytest.mark.parametrize("level", [1, 2])
def test_mean_neighbors_holds_at_every_level(level):
    graph = hierarchy(sphere(14, 0.2), SO2(), levels=3, mean_neighbors=16)
    assert graph.level(level).edge_index.shape[1] / graph.level_size(level) == pytest.approx(16, rel=0.25)


def test_samples_spread_evenly():
    """No two coarse points are closer than half their average spacing, no fine point farther than one and a half."""
    mesh = sphere(14)
    graph = hierarchy(mesh, SO2(), levels=2)
    spacing = np.sqrt(4 * np.pi / graph.level_size(1) * 2 / np.sqrt(3))
    distance = torch.cdist(graph.pos, graph.l1_pos)
    assert distance.min(1).values.max() < spacing
    between = torch.cdist(graph.l1_pos, graph.l1_pos) + 9 * torch.eye(graph.level_size(1))
    assert between.min() > 0.5 * spacing


def test_pooling_carries_tangent_fields_independently_of_the_gauge():
    mesh = MESHES["torus"]()
    one, two = (hierarchy(mesh, SO2(), frames="random", seed=seed, dtype=torch.float64) for seed in (0, 1))
    moved = one.gauge_transform(two.frame.transpose(1, 2) @ one.frame)
    for key in sorted(two.keys()):
        if isinstance(two[key], torch.Tensor) and two[key].is_floating_point():
            torch.testing.assert_close(moved[key], two[key], rtol=0, atol=1e-8)


def test_the_same_mesh_gives_the_same_levels():
    one, two = (hierarchy(MESHES["saddle"](), SO2()) for _ in range(2))
    assert all(torch.equal(one[k], two[k]) for k in sorted(one.keys()) if isinstance(one[k], torch.Tensor))


def test_other_level_counts_and_refusals():
    mesh = MESHES["torus"]()
    assert hierarchy(mesh, SO2(), levels=1).num_levels == 1
    deep = hierarchy(mesh, SO2(), levels=7)
    assert deep.level_size(6) == 1
    assert hierarchy(mesh, SO2(), max_neighbors=5).edge_index.shape[1] <= 5 * mesh.num_vertices
    with pytest.raises(ValueError, match="`levels` of at least 1"):
        hierarchy(mesh, SO2(), levels=0)
    with pytest.raises(ValueError, match="`ratio` above 1"):
        hierarchy(mesh, SO2(), ratio=1)
    with pytest.raises(MeshError, match="lie outside C_4"):
        hierarchy(mesh, Cyclic(4))
    flat = square(12, 0.3)
    frames = np.tile(np.eye(3)[:, :2], (flat.num_vertices, 1, 1))
    assert hierarchy(flat, Cyclic(4), frames=frames, dtype=torch.float64).num_levels == 3


def test_the_finest_level_may_be_the_one_ring():
    mesh = saddle(15, 0.3)
    levels = hierarchy(mesh, SO2(), levels=2, neighborhood="one_ring", lengths="local", dtype=torch.float64)
    ring = mesh.gauge_graph(SO2(), neighborhood="one_ring", lengths="local", dtype=torch.float64)
    for name in ("edge_index", "log_map", "transporter", "weight", "radius"):
        assert torch.equal(levels[name], ring[name])
    assert levels.level(1).radius.item() == 1.5
    geodesic = hierarchy(mesh, SO2(), levels=2, lengths="local", dtype=torch.float64)
    assert torch.equal(geodesic.l1_log_map, levels.l1_log_map)
    assert not torch.equal(geodesic.edge_index, levels.edge_index)
    with pytest.raises(ValueError, match="'geodesic' or 'one_ring', got 'two_ring'"):
        hierarchy(mesh, SO2(), neighborhood="two_ring")
