"""Point clouds: neighbours, weights, errors; networks on them commute with motions and do not notice frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaugenet.geometry import PointCloud
from gaugenet.groups import O2, O3, SO2, SO3, Cyclic, FieldType, Polyhedral
from gaugenet.nn import GaugeConv, use_engine
from gaugenet.testing import assert_gauge_equivariant
from tests.groups.cases import QUATERNIONS
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
TYPES = {
    SO2(): "2x0 + 2x1 + 1x2",
    O2(): "2x0 + 1x0- + 2x1",
    Cyclic(4): "2xregular",
    SO3(): "2x0 + 2x1 + 1x2",
    O3(): "2x0 + 2x1o + 1x1e",
    Polyhedral("O"): "1xregular + 1x0",
    QUATERNIONS: "2x0 + 1x1 + 1x2.1",
}


def positions(d: int, count: int = 60, *, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer(group) -> GaugeConv:
    torch.manual_seed(0)
    field_type = FieldType(group, TYPES[group])
    conv = GaugeConv(field_type, field_type, dtype=torch.float64)
    return conv.requires_grad_(False)


def features(conv: GaugeConv, count: int = 60) -> torch.Tensor:
    return torch.randn(count, conv.in_type.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def graph_of(pos: torch.Tensor, group, **options):
    radius = 0.7 if group.d == 4 else 0.4
    return PointCloud(pos).gauge_graph(group, **{"radius": radius, "dtype": torch.float64, **options})


@pytest.mark.parametrize("group", TYPES, ids=str)
def test_moving_the_points_moves_the_features(group):
    """Of E(d): translations, and elements of the group that rotate points and features; control: others."""
    conv, pos = layer(group), positions(group.d)
    x = features(conv)
    expected = conv(x, graph_of(pos, group))
    g = group.random_element((), generator=torch.Generator().manual_seed(7))
    moved = graph_of(pos @ g.T + 3.0, group)
    assert relative(conv(conv.in_type.transform(g, x), moved), conv.out_type.transform(g, expected)) < 1e-11
    stretched = graph_of(pos * torch.linspace(1.0, 1.3, group.d, dtype=torch.float64), group)
    assert relative(conv(x, stretched), expected) > 1e-3


@pytest.mark.parametrize("group", TYPES, ids=str)
def test_frames_are_a_choice(group):
    conv, pos = layer(group), positions(group.d)
    assert_gauge_equivariant(conv, graph_of(pos, group))
    rotated = graph_of(pos, group, frames="random", seed=3)
    frame = rotated.frame
    x = features(conv)
    seen = conv.in_type.transform(frame.mT, x)
    expected = conv.out_type.transform(frame.mT, conv(x, graph_of(pos, group)))
    assert relative(conv(seen, rotated), expected) < EXACT
    assert relative(conv(seen, graph_of(pos, group, frames=frame)), expected) < EXACT


@pytest.mark.parametrize("group", TYPES, ids=str)
def test_engines_agree(group):
    """With nothing to rotate, and with features that rotate; gradients too."""
    conv, pos = layer(group).requires_grad_(True), positions(group.d, 12)  # few: the kernels of O are large
    for frames in (None, "random"):
        graph = graph_of(pos, group, frames=frames, seed=0, radius=0.9 if group.d == 4 else 0.6)
        x = features(conv, 12).requires_grad_()
        results = []
        for engine in ("graph", "reference"):
            with use_engine(engine):
                out = conv(x, graph)
            gradients = torch.autograd.grad(out.sin().sum(), [x, conv.weight])
            results.append([out, *gradients])
        assert all(relative(a, b) < EXACT for a, b in zip(*results, strict=True))


def test_the_contraction_is_taken_for_irreps_of_so3_and_not_for_regular_fields():
    assert layer(SO3()).kernels.contraction is not None
    assert layer(Polyhedral("O")).kernels.contraction is None


def test_clouds_of_a_batch_do_not_see_each_other():
    group = SO3()
    conv, parts = layer(group), [positions(3, 20), positions(3, 30, seed=1)]
    batch = torch.tensor([0] * 20 + [1] * 30)
    for options in ({"radius": 0.5}, {"neighbors": 6}, {"mean_neighbors": 8}):
        both = PointCloud(torch.cat(parts)).gauge_graph(group, batch=batch, dtype=torch.float64, **options)
        single = [PointCloud(p).gauge_graph(group, dtype=torch.float64, **options) for p in parts]
        x = features(conv, 50)
        expected = torch.cat([conv(x[:20], single[0]), conv(x[20:], single[1])])
        assert relative(conv(x, both), expected) < EXACT
    with pytest.raises(ValueError, match="ascending"):
        PointCloud(torch.cat(parts)).gauge_graph(group, batch=batch.flip(0), radius=0.5)


def test_neighbourhoods():
    pos = positions(2, 200)
    distance = (pos[:, None] - pos).norm(dim=-1)
    cloud = PointCloud(pos)
    graph = cloud.gauge_graph(SO2(), radius=0.2, dtype=torch.float64)
    source, target = graph.edge_index
    assert (target.diff() >= 0).all()
    near = (distance <= 0.2) & (distance > 0)
    assert torch.equal(torch.stack([target, source]), near.nonzero().T)
    assert torch.allclose(graph.log_map, pos[source] - pos[target], atol=1e-15)
    assert torch.allclose(graph.weight, 1.0 / (1 + near.sum(1).double())[target])

    mean = cloud.gauge_graph(SO2(), mean_neighbors=9.5)
    assert mean.edge_index.shape[1] / 200 == pytest.approx(9.5, abs=0.02)
    nearest = cloud.gauge_graph(SO2(), neighbors=5, dtype=torch.float64)
    source, target = nearest.edge_index
    expected = distance.topk(6, largest=False).values[:, 1:]
    assert torch.allclose(distance[target, source].view(200, 5).sort(1).values, expected)
    assert nearest.radius.item() == pytest.approx(expected.max().item())


def test_masses():
    """A uniform grid of points stands for its area; twice as dense is half the mass; given masses are kept."""
    axis = torch.arange(20, dtype=torch.float64)
    grid = PointCloud(torch.cartesian_prod(axis, axis))
    middle = (grid.pos - 9.5).abs().amax(1) < 5
    for mass in ("uniform", "density"):
        found = grid.gauge_graph(SO2(), radius=2.3, mass=mass, dtype=torch.float64).mass[middle]
        assert 0.7 < found.mean() < 1.4
    left = torch.cartesian_prod(axis / 20, axis / 20)
    right = torch.cartesian_prod(1.0 + axis[:10] / 10, axis[:10] / 10)
    found = PointCloud(torch.cat([left, right])).gauge_graph(SO2(), radius=0.2, mass="density").mass
    assert found[400:].median() / found[:400].median() == pytest.approx(4, rel=0.05)
    given = torch.rand(400) + 1
    graph = grid.gauge_graph(SO2(), radius=1.1, mass=given, dtype=torch.float64)
    source, target = graph.edge_index
    whole = given.double() + torch.zeros(400).double().index_add(0, target, given.double()[source])
    assert torch.allclose(graph.weight, given.double()[source] / whole[target])


def test_wrong_arguments():
    cloud = PointCloud(positions(3))
    with pytest.raises(ValueError, match=r"shape \(N, d\)"):
        PointCloud(torch.zeros(0, 3))
    with pytest.raises(ValueError, match=r"shape \(N, d\)"):
        PointCloud(torch.zeros(5, 0))
    with pytest.raises(ValueError, match="NaN or infinity at 1 points"):
        PointCloud([[0.0, 1.0], [float("nan"), 0.0]])
    with pytest.raises(ValueError, match=r"acting on R\^3, got SO\(2\)"):
        cloud.gauge_graph(SO2(), radius=0.5)
    with pytest.raises(ValueError, match="exactly one of"):
        cloud.gauge_graph(SO3(), radius=0.5, neighbors=3)
    with pytest.raises(ValueError, match="exactly one of"):
        cloud.gauge_graph(SO3())
    with pytest.raises(ValueError, match="have no neighbour within"):
        cloud.gauge_graph(SO3(), radius=1e-3)
    with pytest.raises(ValueError, match="2 points with the position of another"):
        PointCloud([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]).gauge_graph(SO2(), radius=2)
    with pytest.raises(ValueError, match="position of another"):
        PointCloud([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]).gauge_graph(SO2(), neighbors=1)
    with pytest.raises(ValueError, match="`neighbors` below the number of points"):
        cloud.gauge_graph(SO3(), neighbors=60)
    with pytest.raises(ValueError, match="`mean_neighbors` below"):
        cloud.gauge_graph(SO3(), mean_neighbors=70)
    with pytest.raises(ValueError, match="positive `radius`"):
        cloud.gauge_graph(SO3(), radius=-1.0)
    with pytest.raises(ValueError, match="`mass`"):
        cloud.gauge_graph(SO3(), radius=0.5, mass=torch.zeros(60))
    frames = O3().random_element(60, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="frame_p"):
        cloud.gauge_graph(SO3(), radius=0.5, frames=frames)
    assert repr(cloud) == "PointCloud(60 points, d=3)"


def test_a_cloud_has_points_of_its_own():
    """Points shared the memory of an array, and numbers of a list were rounded to single precision."""
    array = np.random.default_rng(0).uniform(size=(9, 2))
    cloud, kept = PointCloud(array), array.copy()
    array[:] = 0
    assert np.array_equal(cloud.pos.numpy(), kept)
    assert PointCloud([[0.1, 0.2]]).pos.tolist() == [[0.1, 0.2]]
