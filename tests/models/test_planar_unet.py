"""PlanarUNet: logits and fields at each pixel move with the image."""

from __future__ import annotations

import pytest
import torch

from gaugenet.geometry.grids.action import FieldAction
from gaugenet.models import PlanarUNet
from gaugenet.nn import GridConv, to_torch
from tests.nn.layers import with_random_weights
from tests.tolerances import TOL, relative


def network(*arguments, **options):
    torch.manual_seed(0)
    return PlanarUNet(*arguments, **{"width": 2, "levels": 3, "kernel_size": 3, **options}).eval()


def exact(group):
    """The elements that map pixels to pixels."""
    found = group.generators() if group.order is None else group.elements()
    quarters = [torch.linalg.matrix_power(torch.tensor([[0.0, -1.0], [1.0, 0.0]]).double(), k) for k in range(4)]
    return quarters + [g for g in found if bool(((g.abs() < 1e-9) | (g.abs() > 1 - 1e-9)).all())]


@pytest.mark.parametrize("size", [12, 13, 15])
@pytest.mark.parametrize(
    ("group", "options"),
    [
        ("C_8", {}),
        ("D_4", {"boundary": "reflect"}),
        ("SO(2)", {}),
        ("C_4", {"fields": "quotient(C_2)"}),
    ],
    ids=str,
)
def test_outputs_move_with_the_image(group, options, size):
    model = with_random_weights(network("2x0 + 1xstandard", "2x0 + 1xstandard", group=group, **options))
    before, after = FieldAction(model.in_type), FieldAction(model.out_type)
    for dtype in (torch.float64, torch.float32):
        x, limit = torch.randn(2, model.in_type.size, size, size, dtype=dtype), TOL[dtype]
        model = model.to(dtype)
        with torch.no_grad():
            y = model(x)
            for g in exact(model.in_type.group):
                assert relative(model(before(g.to(dtype), x)), after(g.to(dtype), y)) < limit
            assert relative(model(before(g.to(dtype), x)), y) > 1e-2 or bool((g == torch.eye(2)).all())  # control
    assert y.shape == x.shape


def test_a_network_with_free_kernels_loses_the_symmetry():
    """Control: the same layers of the trivial group."""
    model = with_random_weights(network(1, 2, group="C_1"))
    x = torch.randn(1, 1, 12, 12)
    with torch.no_grad():
        assert relative(model(torch.rot90(x, 1, (2, 3))), torch.rot90(model(x), 1, (2, 3))) > 0.1


@pytest.mark.parametrize("shape", [(17, 24), (9, 10), (16, 16)])
def test_every_size_comes_back(shape):
    assert network(3, 5)(torch.rand(1, 3, *shape)).shape == (1, 5, *shape)


def test_it_learns_to_segment():
    """Bright discs from dark ground, in a few steps; the mean of the ground is no answer."""
    model = network(1, 2, group="D_4", levels=2).train()
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    centres = torch.randint(4, 12, (8, 2), generator=torch.Generator().manual_seed(0))
    inside = torch.stack([((rows - a) ** 2 + (columns - b) ** 2 < 9).long() for a, b in centres])
    images = inside[:, None] + 0.5 * torch.randn(8, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    steps = torch.optim.Adam(model.parameters(), lr=0.03)
    losses = []
    for _ in range(25):
        loss = torch.nn.functional.cross_entropy(model(images), inside)
        steps.zero_grad()
        loss.backward()
        steps.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_config_and_export():
    model = network("1x0", "1x1", group="SO(2)", kernel="Differential(max_order=2)", blocks=2)
    again = PlanarUNet(**model.config)
    again.load_state_dict(model.state_dict())
    x = torch.randn(2, 1, 12, 12)
    assert torch.equal(again.eval()(x), model(x))
    assert any(isinstance(m, GridConv) for m in model.modules())
    plain = to_torch(network(1, 2), x)
    assert relative(plain(x), network(1, 2)(x)) < TOL[torch.float32]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((1, 0), {}, "`out_type`"),
        ((1, 2), {"group": "SO(3)"}, "acting on the plane"),
        ((1, 2), {"levels": 0}, "`levels`"),
        ((1, 2), {"nonlinearity": "softmax"}, "nonlinearity"),
        ((1, 2), {"kernel_size": 4}, "odd"),
        ((1, 2), {"fields": "3-"}, "Unknown representation"),
        ((1, 2), {"group": "SO(2)", "nonlinearity": "pointwise"}, "does not commute"),
    ],
    ids=str,
)
def test_wrong_arguments(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        network(*arguments, **options)


def test_wrong_images():
    with pytest.raises(ValueError, match="more than 4 pixels a side for 3 levels"):
        network(1, 2)(torch.rand(1, 1, 4, 20))
    with pytest.raises(ValueError, match="1 channels"):
        network(1, 2)(torch.rand(1, 3, 20, 20))
    with pytest.raises(ValueError, match="multiples of 4"):
        network(1, 2, boundary="periodic")(torch.rand(1, 1, 18, 20))
    with pytest.raises(ValueError, match=r"torch.float32 like the weights, got torch.uint8"):
        network(1, 2)(torch.zeros(1, 1, 20, 20, dtype=torch.uint8))
