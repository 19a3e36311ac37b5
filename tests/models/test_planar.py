"""Networks for images: logits that no rotation by 90 degrees changes, and ordinary networks to compare them with."""

from __future__ import annotations

import copy
import json
import math
import pickle
import time

import pytest
import torch
import torch.nn.functional as F

from gaugenet.geometry.grids.action import move_grid
from gaugenet.groups import Cyclic, Dihedral
from gaugenet.groups.representations.planar import rotation
from gaugenet.models import PlainCNN, PlanarCNN, WideResNet, matched_baseline
from gaugenet.models.planar import SteerableLayer
from gaugenet.nn.export import to_torch
from tests.compilers import newer_than_torch_2_6
from tests.geometry.grids.test_action import blob
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
SMALL = {"multiplicities": (2, 2, 3), "kernel_sizes": (5, 3, 3), "pool_after": (1, 2), "hidden": 8}

NETWORKS = {
    "C_16": {"group": "C_16", **SMALL},
    "D_16 then C_16": {"group": "D_16", "restrict": {2: "C_16"}, **SMALL},
    "SO(2) gated": {"group": "SO(2)", "fields": (0, 1, 2), "nonlinearity": "gated", **SMALL},
    "SO(2) fourier": {"group": "SO(2)", "fields": (0, 1, 2), "nonlinearity": "fourier", **SMALL},
    "O(2) gated": {"group": "O(2)", "fields": ("0", "0-", 1, 2), "nonlinearity": "gated", **SMALL},
    "D_4": {"group": "D_4", **SMALL},
}


def settled(model: torch.nn.Module, x: torch.Tensor) -> torch.nn.Module:
    """In float64, with statistics of the normalizations that are not those of the start."""
    model.double().train()
    with torch.no_grad():
        for _ in range(20):
            model(x)
    return model.eval()


def images(size: int, channels: int = 1) -> torch.Tensor:
    return torch.rand(4, channels, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def moved(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    return relative(model(y), model(x))


# --- PlanarCNN --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [12, 13])
def test_logits_are_invariant_under_right_angles(name, size):
    torch.manual_seed(0)
    x = images(size)
    model = settled(PlanarCNN(3, **NETWORKS[name]), x)
    tolerance = 1e-3 if "fourier" in name else EXACT  # samples alias: see FourierNonlinearity
    for k in (1, 2, 3):
        assert moved(model, x, x.rot90(k, (2, 3))) < tolerance
    reflected = moved(model, x, x.flip(3))
    if name in ("O(2) gated", "D_4"):
        assert reflected < tolerance
    else:
        assert reflected > 1e-3, "control: reflections are in no group that the logits are invariant under"
    assert moved(model, x, x.roll(2, 3)) > 1e-3, "control: another image"


def test_the_ordinary_network_is_not_invariant():
    torch.manual_seed(0)
    x = images(12)
    twin = settled(matched_baseline(PlanarCNN(3, **NETWORKS["C_16"])), x)
    assert moved(twin, x, x.rot90(1, (2, 3))) > 1e-2


def test_other_angles_are_better_on_finer_images():
    """Means over random networks: how far one moves by chance varies much."""
    angle, errors = torch.tensor(math.pi / 8, dtype=torch.float64), {}
    for size in (15, 57):
        x = torch.cat([blob(size), blob(size).flip(2) + blob(size)])
        rotated = move_grid(rotation(angle), x, mode="bicubic")
        rows = []
        for seed in range(3):
            torch.manual_seed(seed)
            model = PlanarCNN(6, **NETWORKS["C_16"])
            plain = PlainCNN(6, channels=(16, 16, 16), kernel_sizes=(5, 3, 3), pool_after=(1, 2), hidden=8)
            rows.append([moved(settled(m, x), x, rotated) for m in (model, plain)])
        errors[size] = torch.tensor(rows).mean(0)
    assert errors[57][0] < 0.2 * errors[15][0]
    assert errors[57][0] < 0.5 * errors[57][1], "control: the ordinary network"


def test_the_defaults_are_the_published_network():
    model = PlanarCNN()
    layers = [layer for layer in model.layers if isinstance(layer, SteerableLayer)]
    assert [str(layer.out_type) for layer in layers] == [f"{m}xregular" for m in (16, 24, 32, 32, 48, 64)]
    assert [layer.conv.sliding.stencil.window for layer in layers] == [(7, 7)] + 5 * [(5, 5)]
    kinds = [type(layer).__name__ for layer in model.layers]
    assert [k for k, kind in enumerate(kinds) if kind == "GridPool"] == [2, 5], "after the second and the fourth"
    narrow = PlanarCNN(width=0.05).eval()
    x = torch.zeros(1, 1, 28, 28)
    assert narrow.layers[:-1](x).shape[2:] == (7, 7)
    assert narrow.layers(x).shape[2:] == (3, 3)
    assert narrow(x).shape == (1, 10)


@pytest.mark.parametrize("group", ["C_8", "D_8"])
def test_the_published_network_is_built_in_no_time(group):
    start = time.process_time()
    PlanarCNN(group=group)
    assert time.process_time() - start < 0.5, "seconds of the processor, initialization included"


def test_restriction_keeps_the_channels():
    model = PlanarCNN(3, **NETWORKS["D_16 then C_16"])
    layers = [layer for layer in model.layers if isinstance(layer, SteerableLayer)]
    assert [str(layer.out_type) for layer in layers] == ["2xregular", "2xregular", "6xregular"]
    assert [layer.out_type.group.name for layer in layers] == ["D_16", "D_16", "C_16"]
    assert layers[-1].out_type.size == 3 * 32
    with pytest.raises(ValueError, match="not a subgroup"):
        PlanarCNN(3, group="C_4", restrict={1: "C_8"}, **SMALL)


def test_groups_may_be_named_or_given():
    named, given = (
        PlanarCNN(3, group=g, restrict={2: h}, **SMALL) for g, h in (("D_8", "C_8"), (Dihedral(8), Cyclic(8)))
    )
    assert named.config == given.config == json.loads(json.dumps(given.config)) | {"restrict": {2: "C_8"}}
    assert repr(named) == repr(given)
    groups = (Dihedral(4), Cyclic(4), Cyclic(2))
    assert WideResNet(3, depth=10, width=0.5, groups=groups).config["groups"] == ["D_4", "C_4", "C_2"]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_learns_and_modes_share_their_state(name):
    torch.manual_seed(0)
    model = PlanarCNN(3, dropout=0.0, **NETWORKS[name])
    x = images(12).float()
    F.cross_entropy(model.train()(x), torch.tensor([0, 1, 2, 0])).backward()
    still = [k for k, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not still
    twin = PlanarCNN(**json.loads(json.dumps(model.config)))
    twin.load_state_dict(model.state_dict())
    model.eval()
    for other in (twin.eval(), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x), model(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert relative(model(x).float(), model(x)) < TOL[torch.bfloat16]


@newer_than_torch_2_6
def test_it_compiles_whole():
    model = PlanarCNN(3, **NETWORKS["C_16"]).eval()
    x = images(12).float()
    assert relative(torch.compile(model, fullgraph=True, backend="eager")(x), model(x)) < TOL[torch.float32]


@pytest.mark.parametrize(("name", "size"), [("D_4", 12), ("D_4", 13), ("SO(2) gated", 12)])
def test_it_becomes_an_ordinary_network(name, size):
    torch.manual_seed(0)
    x = images(size)
    model = settled(PlanarCNN(3, **NETWORKS[name]), x)
    plain = to_torch(model, x[:1])
    assert relative(plain(x), model(x)) < EXACT
    assert {type(m).__module__.partition(".")[0] for m in plain.modules()} == {"torch"}, "no gaugenet needed to load it"


def test_plain_twins_have_equal_parameters_or_channels():
    model = PlanarCNN(3, group="C_8", width=0.25)
    same = matched_baseline(model)
    numbers = [sum(p.numel() for p in m.parameters()) for m in (same, model)]
    assert abs(numbers[0] - numbers[1]) < 0.05 * numbers[1]
    wide = matched_baseline(model, equal="channels")
    types = [layer.out_type.size for layer in model.layers if isinstance(layer, SteerableLayer)]
    assert [m.out_channels for m in wide.layers if isinstance(m, torch.nn.Conv2d)] == types
    assert wide.config["dropout"] == model.config["dropout"]
    assert PlainCNN(**same.config).state_dict().keys() == same.state_dict().keys()
    with pytest.raises(ValueError, match="'parameters' or 'channels'"):
        matched_baseline(model, equal="size")


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="one kernel size for each layer"):
        PlanarCNN(3, multiplicities=(2, 2))
    with pytest.raises(ValueError, match=r"`pool_after` among the layers 1 \.\.\. 2"):
        PlanarCNN(3, **{**SMALL, "pool_after": (3,)})
    with pytest.raises(ValueError, match="`pointwise`, `gated` or `fourier`"):
        PlanarCNN(3, nonlinearity="relu", **SMALL)
    with pytest.raises(ValueError, match="pointwise function does not commute"):
        PlanarCNN(3, group="SO(2)", fields=(0, 1), **SMALL)
    with pytest.raises(ValueError, match="channels in dimension 1"):
        PlanarCNN(3, **SMALL)(torch.zeros(1, 3, 12, 12))
    with pytest.raises(ValueError, match=r"pixels of the window .* larger images"):
        PlanarCNN(3, **SMALL)(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"`restrict` after the layers 1 \.\.\. 3, got \[4\]"):
        PlanarCNN(3, **SMALL, restrict={4: "C_2"})


@pytest.mark.parametrize("network", [PlanarCNN, PlainCNN, WideResNet])
@pytest.mark.parametrize("width", [0, -1.0])
def test_a_width_is_positive(network, width):
    with pytest.raises(ValueError, match="positive `width`"):
        network(width=width)


# --- WideResNet -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [12, 13])
@pytest.mark.parametrize("groups", [("D_8", "D_4", "D_4"), ("C_8", "C_4", "C_4"), ("D_8", "D_4", "D_1")])
def test_wide_resnet_is_invariant_under_its_last_group(groups, size):
    torch.manual_seed(0)
    x = images(size, channels=3)
    model = settled(WideResNet(4, depth=10, width=0.5, groups=groups), x)
    rotated, flipped = moved(model, x, x.rot90(1, (2, 3))), moved(model, x, x.flip(2))
    assert (rotated < EXACT) == (groups[-1] != "D_1")
    assert (flipped < EXACT) == groups[-1].startswith("D")
    assert max(rotated, flipped) > 1e-3 or groups[-1] == "D_4", "control: what the last group lacks"


def test_wide_resnet_16_5():
    model = WideResNet()
    blocks = [layer for layer in model.layers if type(layer).__name__ == "WideBlock"]
    assert [str(b.out_type) for b in blocks] == 2 * ["20xregular"] + 2 * ["57xregular"] + 2 * ["226xregular"]
    assert [b.body[0].sliding.stencil.window[0] for b in blocks] == [5, 5, 3, 3, 3, 3]
    same = WideResNet(groups=("C_1", "C_1", "C_1"))
    ratio = sum(p.numel() for p in model.parameters()) / sum(p.numel() for p in same.parameters())
    assert 0.8 < ratio < 1.25
    narrow = WideResNet(equal="channels", width=1)
    assert [b.out_type.size for b in narrow.layers if type(b).__name__ == "WideBlock"] == [16, 16, 32, 32, 64, 64]
    assert WideResNet(**narrow.config).state_dict().keys() == narrow.state_dict().keys()


def test_wide_resnet_learns_everywhere():
    torch.manual_seed(0)
    model = WideResNet(3, depth=10, width=0.5, dropout=0.0)
    F.cross_entropy(model(images(12, channels=3).float()), torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_wide_resnet_refuses():
    with pytest.raises(ValueError, match="depth of 10, 16, 22"):
        WideResNet(depth=18)
    with pytest.raises(ValueError, match="finite groups"):
        WideResNet(groups=("O(2)", "D_4", "D_1"))
    with pytest.raises(ValueError, match="not a subgroup"):
        WideResNet(groups=("D_4", "D_8", "D_1"), width=0.2)
