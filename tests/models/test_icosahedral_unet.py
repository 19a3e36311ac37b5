"""IcosahedralUNet: equivariant under the 60 rotations at every vertex, the same weights on every level."""

from __future__ import annotations

import json

import pytest
import torch

from gaugenet.geometry import Icosphere, icosahedral_rotations
from gaugenet.models import IcosahedralUNet
from gaugenet.nn import FieldDropout
from tests.tolerances import TOL, relative

CONFIGS = [
    {},
    {"norm": "layer", "activation": "gelu"},
    {"downsample": "pool", "growth": 1.5, "blocks": 2},
    {"group": "D_6", "in_type": "2x0 + 1xstandard", "out_type": 3},
]


def network(**options) -> IcosahedralUNet:
    torch.manual_seed(0)
    options = {"in_type": "2x0 + 1x1", "out_type": "2x0 + 1x1", "width": 2, "levels": 3, **options}
    model = IcosahedralUNet(options.pop("in_type"), options.pop("out_type"), **options).double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def weather(model: IcosahedralUNet, sphere: Icosphere, batch: int = 2) -> torch.Tensor:
    """Two scalars and a tangent vector, which corners do not have."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, model.in_type.size, sphere.num_vertices, dtype=torch.float64, generator=generator)
    x[:, 2:, sphere.corners] = 0
    return x


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", CONFIGS)
def test_equivariant_under_the_rotations_at_every_vertex(options, training):
    model, sphere = network(**options).train(training), Icosphere(3)
    x = weather(model, sphere)
    with torch.no_grad():
        y = model(x)
        for r in icosahedral_rotations(sphere)[1::6]:
            assert relative(model(r.apply(model.in_type, x)), r.apply(model.out_type, y)) < TOL[torch.float64]
            moved = torch.empty_like(x).index_copy(2, r.permutation, x)
        control = relative(model(moved), torch.empty_like(y).index_copy(2, r.permutation, y))
    assert control > 1e-3, "vectors that do not turn with their frames"


def test_weights_move_between_levels():
    """Trained on one level, run on the next: the state holds no table of any level, and smooth fields agree."""
    torch.manual_seed(0)
    coarse = IcosahedralUNet("3x0", 1, width=2, levels=2, norm="layer")
    optimizer = torch.optim.Adam(coarse.parameters(), 0.01)
    sphere = Icosphere(3)
    x = sphere.pos.T[None].float()
    target = (x[:, :1] * x[:, 1:2]).float()
    losses = []
    for _ in range(30):
        loss = (coarse(x) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]

    fine = IcosahedralUNet(**json.loads(json.dumps(coarse.config)))
    fine.load_state_dict(coarse.state_dict())
    assert set(coarse.state_dict()) == {name for name, _ in coarse.named_parameters()}
    with torch.no_grad():
        finer = fine(Icosphere(4).pos.T[None].float())
        y = coarse(x)
    assert finer.shape == (1, 1, 2562)
    same = Icosphere(4).coarse_vertices
    assert (finer[..., same] - y).square().mean() < 0.2 * y.square().mean()


def test_layouts_and_levels():
    model, sphere = network().eval(), Icosphere(2)
    x = weather(model, sphere)
    y = model(x)
    assert y.shape == (2, 4, 162)
    assert relative(model(x[0].T).T, y[0]) < TOL[torch.float64]
    assert relative(sphere.from_charts(model(sphere.to_charts(x), sphere)), y) < TOL[torch.float64]
    for level in (3, 4):
        assert model(weather(model, Icosphere(level))).shape[-1] == 10 * 4**level + 2


def test_corners_of_the_input_are_projected():
    """A vector at a corner has no meaning: it changes nothing."""
    model, sphere = network().eval(), Icosphere(2)
    x = weather(model, sphere)
    noisy = x.clone()
    noisy[:, 2:, sphere.corners] = 5
    assert relative(model(noisy), model(x)) < TOL[torch.float64]


def test_all_parameters_learn():
    model, sphere = network(), Icosphere(2)
    model(weather(model, sphere)).square().sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="norm 'group'"):
        IcosahedralUNet("1x0", 2, norm="group")
    with pytest.raises(ValueError, match="downsample"):
        IcosahedralUNet("1x0", 2, downsample="max")
    with pytest.raises(ValueError, match="C_6 is not a subgroup"):
        IcosahedralUNet("1x0", 2, group="C_4")
    with pytest.raises(ValueError, match="`out_type`"):
        IcosahedralUNet("1x0", 0)
    model = IcosahedralUNet("1x0", 2, width=1, levels=4)
    with pytest.raises(ValueError, match="level 3 or more for 4 levels"):
        model(torch.randn(162, 1))
    with pytest.raises(ValueError, match="Expected `x` of shape"):
        model(torch.randn(100, 1))
    assert any(isinstance(m, FieldDropout) for m in IcosahedralUNet("1x0", 2, dropout=0.2).modules())
