"""Coarser icospheres as levels of the gauge graph of the round sphere."""

from __future__ import annotations

import math

import pytest
import torch

from gaugenet.geometry import Icosphere, icosahedral_rotations
from gaugenet.groups import SO2, FieldType
from gaugenet.models import MeshUNet
from gaugenet.nn import Pool, Unpool
from tests.tolerances import TOL

FIELDS = FieldType(SO2(), "1x0 + 1x1")


def graph_of(level: int = 3, **options):
    return Icosphere(level).gauge_graph(SO2(), connection="levi_civita", **({"mean_neighbors": 20} | options))


def test_levels_are_the_graphs_of_coarser_icospheres():
    graph = graph_of(levels=3)
    assert [graph.level_size(level) for level in range(3)] == [642, 162, 42]
    for level in (1, 2):
        own, found = graph_of(3 - level), graph.level(level)
        assert torch.equal(found.edge_index, own.edge_index)
        for name in ("pos", "log_map", "transporter", "weight", "radius"):
            torch.testing.assert_close(found[name], own[name])
        assert float(found.mass.sum()) == pytest.approx(4 * math.pi)
        finer = graph.level(level - 1) if level > 1 else graph
        torch.testing.assert_close(finer.pos[graph[f"l{level}_node_index"]], own.pos)
    assert graph_of(levels=2, mean_neighbors=None, radius=0.3).level(1).radius.item() == pytest.approx(0.6)
    assert graph_of(levels=1).num_levels == 1


def test_winds_are_transported_between_levels():
    sphere, coarse, wind = Icosphere(4), Icosphere(3), FieldType(SO2(), "1x1")
    graph, axis = graph_of(4, levels=2), torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)
    fine, expected = (
        torch.einsum("ndi,nd->ni", s.frame, torch.linalg.cross(axis.expand_as(s.pos), s.pos)) for s in (sphere, coarse)
    )
    assert float((Pool(wind)(fine, graph) - expected).abs().max()) < 0.05
    back = Unpool(wind)(expected, graph)
    naive = Unpool(FieldType(SO2(), "2x0"))(expected, graph)
    assert float((back - fine).abs().max()) < 0.1 < float((naive - fine).abs().max())


def test_networks_commute_with_the_rotations_of_the_icosahedron_and_with_gauges():
    """A rotation permutes the vertices of all levels; frames move to other frames, so both are tested at once."""
    sphere, graph = Icosphere(3), graph_of(levels=3)
    torch.manual_seed(0)
    network = MeshUNet("1x0 + 1x1", "1x0 + 1x1", width=3, levels=3, dropout=0.0).double()
    x = torch.randn(sphere.num_vertices, FIELDS.size, dtype=torch.float64)
    y = network(x, graph).detach()
    for rotation in icosahedral_rotations(sphere, "levi_civita")[7::13]:
        to = rotation.permutation
        turn = torch.einsum("ndi,de,nej->nij", sphere.frame[to], rotation.matrix, sphere.frame)

        def moved(f, to=to, turn=turn):
            return torch.empty_like(f).index_copy(0, to, FIELDS.transform(turn, f))

        torch.testing.assert_close(rotation.apply(FIELDS, x), moved(x), atol=1e-13, rtol=0)
        scale = float(y.abs().max())
        torch.testing.assert_close(network(moved(x), graph), moved(y), atol=TOL[torch.float64] * scale * 10, rtol=0)
        assert float((network(moved(x), graph) - y).abs().max()) > 0.01 * scale, "control"


def test_rotations_of_an_unknown_connection_are_refused():
    with pytest.raises(ValueError, match="Unknown connection 'levi-civita'"):
        icosahedral_rotations(Icosphere(1), "levi-civita")


def test_levels_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="`levels` of at most 3 for an icosphere of level 2"):
        graph_of(2, levels=4)
    with pytest.raises(ValueError, match="`levels` to be a positive integer"):
        graph_of(levels=0)
    with pytest.raises(ValueError, match=r"On level 2, Icosphere\(1\): .* smaller radius"):
        graph_of(levels=3, mean_neighbors=32)
    with pytest.raises(ValueError, match="no `levels` with the hexagonal connection"):
        Icosphere(3).gauge_graph(levels=2)
