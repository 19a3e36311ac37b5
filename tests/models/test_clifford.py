"""Networks of multivector fields: equivariant as they say, saved and loaded by their arguments, trainable."""

from __future__ import annotations

import math

import pytest
import torch

from gaugenet.geometry import Grid, Minkowski
from gaugenet.geometry.grids.action import FieldAction
from gaugenet.groups import O2, O3, PseudoOrthogonal, multivector
from gaugenet.models import CliffordResNet, CliffordUNet
from gaugenet.testing import assert_gauge_equivariant
from tests.tolerances import TOL, relative

EXACT = 10 * TOL[torch.float64]
"""Of whole networks, whose gates and norms enlarge rounding."""
CASES = [
    (O2(), Grid((6, 6), signature=(2, 0), kernel_size=3), [[0.0, -1.0], [1.0, 0.0]], [[0.8, 0.6], [0.9, 1.0]]),
    (O3(), Grid((4, 4, 4), signature=(3, 0), kernel_size=3), [[0.0, 0, 1], [1, 0, 0], [0, -1, 0]], None),
    (
        PseudoOrthogonal(2, 1),
        Grid((4, 6, 6), signature=(2, 1), kernel_size=3),
        [[0.0, -1, 0], [1, 0, 0], [0, 0, -1]],
        None,
    ),
]
every_case = pytest.mark.parametrize(("group", "grid", "g"), [c[:3] for c in CASES], ids=lambda c: str(c)[:20])
BOTH = pytest.mark.parametrize("model", [CliffordResNet, CliffordUNet])


def network(model, group, **options):
    torch.manual_seed(0)
    small = {"blocks": 1, "rings": 2} | ({"levels": 2} if model is CliffordUNet else {})
    kinds = multivector(group, (0, 1), (3, 2)), multivector(group, (1,))
    return model(*kinds, channels=2, **(small | options)).double()


@every_case
@BOTH
@pytest.mark.parametrize(("product", "norm"), [(False, "fields"), (False, "points"), (True, "points")])
def test_equivariant_under_symmetries_of_the_grid(model, group, grid, g, product, norm):
    layer, g = network(model, group, product=product, norm=norm), torch.tensor(g, dtype=torch.float64)
    x = torch.randn(2, layer.in_type.size, *grid.shape, dtype=torch.float64)
    expected = FieldAction(layer.out_type)(g, layer(x, grid))
    assert relative(layer(FieldAction(layer.in_type)(g, x), grid), expected) < EXACT
    scalars = FieldAction(None)(g, x)  # pixels moved, components not
    assert relative(layer(scalars, grid), expected) > 1e-3


def test_frames_of_events_do_not_matter():
    group = PseudoOrthogonal(1, 2)
    points = torch.randn(14, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    graph = Minkowski(3).gauge_graph(points, group, radius=20.0, dtype=torch.float64)
    graph.radius = torch.tensor([3.0], dtype=torch.float64)
    assert_gauge_equivariant(network(CliffordResNet, group), graph, atol=1e-9)  # a boost at every event


@pytest.mark.parametrize("norm", ["points", "fields"])
def test_boosted_observers_see_boosted_results(norm):
    """The same events and neighbors in the coordinates of an observer who moves at 0.6 c."""
    group = PseudoOrthogonal(1, 2)
    layer = network(CliffordResNet, group, norm=norm)
    points = torch.rand(14, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    graph = Minkowski(3).gauge_graph(points, group, radius=3.0, dtype=torch.float64)
    boost = group.boost(math.atanh(0.6), (0, 1))
    moved = graph.clone()
    moved.log_map = graph.log_map @ boost.T
    x = torch.randn(14, layer.in_type.size, dtype=torch.float64)
    expected = layer.out_type.transform(boost, layer(x, graph))
    assert relative(layer(layer.in_type.transform(boost, x), moved), expected) < EXACT
    assert relative(layer(layer.in_type.transform(boost, x), graph), expected) > 1e-3, "control: events not moved"


@pytest.mark.parametrize("shift", [(0, 4), (4, 0)])
def test_periodic_shifts(shift):
    layer = network(CliffordUNet, O2(), levels=3, boundary="periodic")
    grid = Grid((8, 12), boundary="periodic", kernel_size=3, signature=(2, 0))
    x = torch.randn(1, layer.in_type.size, 8, 12, dtype=torch.float64)
    expected = layer(x, grid).roll(shift, (2, 3))
    assert relative(layer(x.roll(shift, (2, 3)), grid), expected) < EXACT
    assert relative(layer(x.roll((1, 0), (2, 3)), grid), layer(x, grid).roll((1, 0), (2, 3))) > 1e-6


@BOTH
def test_config_and_weights_make_the_same_network(model):
    layer = network(model, PseudoOrthogonal(2, 1))
    again = model(**layer.config).double()
    again.load_state_dict(layer.state_dict())
    grid = Grid((4, 4, 4), signature=(2, 1), kernel_size=3)
    x = torch.randn(1, layer.in_type.size, 4, 4, 4, dtype=torch.float64)
    assert torch.equal(again(x, grid), layer(x, grid))


@BOTH
def test_a_step_of_training_lowers_the_loss(model):
    layer = network(model, O2()).float()
    grid = Grid((6, 6), signature=(2, 0), kernel_size=3)
    x = torch.randn(4, layer.in_type.size, 6, 6)
    y = x[:, [3, 5]] + 0.5 * x[:, [4, 6]]  # a sum of the two vectors
    optimizer, losses = torch.optim.Adam(layer.parameters(), 1e-2), []
    for _ in range(40):
        loss = (layer(x, grid) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(p.grad is not None for p in layer.parameters())


def test_the_published_architecture():
    """8 blocks of 2 convolutions, 48 multivectors."""
    layer = CliffordResNet("4x0 + 4x1", "1x0 + 1x1", group="O(2)")
    assert len(layer.blocks) == 8
    assert layer.blocks[0].first_conv.in_type == multivector(O2(), multiplicity=48)
    incomplete = CliffordResNet("4x0 + 4x1", "1x0 + 1x1", group="O(2)", complete=False)
    weights = [sum(p.numel() for p in m.blocks.parameters()) for m in (layer, incomplete)]
    assert weights[0] > weights[1]


def test_bad_input():
    with pytest.raises(ValueError, match="Expected `group`"):
        CliffordResNet("1x0", "1x0")
    with pytest.raises(ValueError, match="exterior powers"):
        CliffordResNet("1x2", "1x0", group="O(1,2)")
    with pytest.raises(ValueError, match="`blocks`"):
        CliffordResNet("1x0", "1x0", group="O(2)", blocks=0)
    layer = network(CliffordUNet, O2(), boundary="periodic")
    x = torch.zeros(1, layer.in_type.size, 5, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match="boundary='periodic'"):
        layer(x, Grid((5, 4), kernel_size=3))
    with pytest.raises(ValueError, match="even axes if periodic"):
        layer(x, Grid((5, 4), boundary="periodic", kernel_size=3))
