"""Coarser grids of the sphere: nested cells, means and interpolation with transport, independence of gauges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaugenet.geometry import HEALPix, LatLonSphere, ReducedGaussian, SpherePoints
from gaugenet.groups import SO2, FieldType
from gaugenet.models import MeshUNet
from gaugenet.nn import Pool, Unpool
from tests.geometry.sphere.grids import rotation_about, scattered
from tests.tolerances import TOL

GRIDS = {
    "nested": HEALPix(8),
    "ring": HEALPix(8, order="ring"),
    "poles": LatLonSphere.regular(17, 32),
    "no_poles": LatLonSphere.regular(16, 32, poles=False),
    "octahedral": ReducedGaussian("O12"),
    "scattered": SpherePoints(scattered(700)),
}
FIELDS = FieldType(SO2(), "1x0 + 1x1")
AXIS = torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)


def _rotation_field(grid) -> torch.Tensor:
    """The velocity of a rotation about a tilted axis: smooth everywhere, also at the poles, unlike its components."""
    axis = AXIS.expand(grid.num_nodes, 3)
    return grid.from_space(torch.linalg.cross(axis, grid.pos)[:, None])


@pytest.mark.parametrize("order", ["nested", "ring"])
def test_four_pixels_of_healpix_form_one(order):
    grid = HEALPix(8, order=order)
    coarse, parent = grid.coarser
    assert (coarse.nside, coarse.order) == (4, order)
    assert (np.bincount(parent) == 4).all()
    assert (coarse.cells.locate(grid.pos.numpy()) == parent).all()
    graph = grid.gauge_graph(levels=2)
    x = torch.rand(768, 1, dtype=torch.float64)
    expected = torch.zeros(192, 1, dtype=torch.float64).index_add(0, torch.from_numpy(parent), x) / 4
    torch.testing.assert_close(Pool(FieldType(SO2(), "1x0"))(x, graph), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_every_level_is_the_graph_of_a_coarser_grid(grid):
    graph, coarse = grid.gauge_graph(levels=3), grid
    assert graph.num_levels == 3
    for level in (1, 2):
        finer, coarse = coarse, coarse.coarser[0]
        assert 3 < finer.num_nodes / coarse.num_nodes < 5
        torch.testing.assert_close(graph.level(level).pos, coarse.pos)
        assert float(graph.level(level).mass.sum()) == pytest.approx(4 * np.pi)
        own = coarse.gauge_graph()
        assert torch.equal(graph.level(level).edge_index, own.edge_index)
        torch.testing.assert_close(graph.level(level).transporter, own.transporter)
        for edges in (graph.pool(level), graph.unpool(level)):
            total = torch.zeros(int(edges["index"][1].max()) + 1, dtype=torch.float64)
            total.index_add_(0, edges["index"][1], edges["weight"])
            torch.testing.assert_close(total, torch.ones_like(total))
            turn = edges["transporter"]
            torch.testing.assert_close(turn @ turn.mT, torch.eye(2, dtype=torch.float64).expand_as(turn))
    assert grid.gauge_graph(levels=3) is graph, "the same object"
    assert grid.gauge_graph().num_levels == 1


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_winds_are_transported_between_levels(grid):
    """First order in the spacing, also at the poles, where means of components have errors of 100 %."""
    graph, coarse, wind = grid.gauge_graph(levels=2), grid.coarser[0], FieldType(SO2(), "1x1")
    fine, expected = _rotation_field(grid), _rotation_field(coarse)
    size = float(AXIS.norm())
    pooled = Pool(wind)(fine, graph)
    assert float((pooled - expected).abs().max()) < 0.12 * size
    back = Unpool(wind)(expected, graph)
    assert float((back - fine).abs().max()) < 0.35 * size
    assert float((back - fine).square().mean().sqrt()) < 0.06 * size
    naive = Unpool(FieldType(SO2(), "2x0"))(expected, graph)  # control: components as scalars
    assert float((naive - fine).abs().max()) > 1.5 * float((back - fine).abs().max())


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_a_network_with_levels_does_not_depend_on_gauges(grid):
    torch.manual_seed(0)
    network = MeshUNet("1x0 + 1x1", "1x0 + 1x1", width=3, levels=3, dropout=0.0).double()
    graph = grid.gauge_graph(levels=3)
    x = torch.randn(grid.num_nodes, FIELDS.size, dtype=torch.float64)
    y = network(x, graph).detach()
    g = SO2().random_element(grid.num_nodes, generator=torch.Generator().manual_seed(1)).double()
    other = network(FIELDS.transform(g, x), graph.gauge_transform(g))
    expected = FIELDS.transform(g, y)
    torch.testing.assert_close(other, expected, atol=TOL[torch.float64] * float(y.abs().max()) * 10, rtol=0)
    control = network(FIELDS.transform(g, x), graph).detach()
    assert float((control - expected).abs().max()) > 0.01 * float(y.abs().max())
    broken = graph.gauge_transform(g)
    broken["l1_pool_transporter"] = graph["l1_pool_transporter"]  # control: transport between levels matters
    assert float((network(FIELDS.transform(g, x), broken).detach() - expected).abs().max()) > 1e-4 * float(
        y.abs().max()
    )


def test_a_rotated_planet_has_the_rotated_output():
    """Rotations by 90 degrees about the axis permute HEALPix pixels, at every level."""
    grid = HEALPix(8)
    torch.manual_seed(0)
    network = MeshUNet("1x0 + 1x1", "1x0 + 1x1", width=3, levels=3, dropout=0.0).double()
    graph = grid.gauge_graph(levels=3)
    turned = grid.pos @ rotation_about(torch.tensor([0.0, 0, 1], dtype=torch.float64), np.pi / 2).T
    index = torch.from_numpy(grid.cells.locate(turned.numpy()))  # pixel p moves to pixel index[p]
    torch.testing.assert_close(grid.pos[index], turned, atol=1e-12, rtol=0)
    x = torch.randn(grid.num_nodes, 3, dtype=torch.float64)
    y = network(x, graph)
    moved = torch.empty_like(x).index_copy(0, index, x)
    expected = torch.empty_like(y).index_copy(0, index, y)
    torch.testing.assert_close(network(moved, graph), expected, atol=1e-10, rtol=0)
    shuffled = torch.empty_like(x).index_copy(0, torch.randperm(grid.num_nodes), x)
    assert float((network(shuffled, graph) - expected).abs().max()) > 0.01, "control"


def test_grids_without_a_coarser_one_are_refused():
    with pytest.raises(ValueError, match="even `nside`"):
        HEALPix(6, order="ring").gauge_graph(levels=3)
    with pytest.raises(ValueError, match="even number"):
        _ = LatLonSphere.regular(9, 15).coarser
    with pytest.raises(ValueError, match="at least 48 points"):
        _ = SpherePoints(scattered(40)).coarser
    with pytest.raises(ValueError, match="levels"):
        HEALPix(4).gauge_graph(levels=0)


def test_a_level_that_cannot_be_built_is_named():
    with pytest.raises(ValueError, match=r"levels` of at most 2: HEALPix\(1.*even `nside`"):
        HEALPix(2).gauge_graph(levels=3)
    with pytest.raises(ValueError, match=r"level 2.*HEALPix\(1.*radius"):
        HEALPix(4).gauge_graph(levels=3, radius=0.9)
    with pytest.raises(ValueError, match=r"level 1.*HEALPix\(1.*neighbors"):
        HEALPix(2).gauge_graph(levels=2, neighbors=20)
