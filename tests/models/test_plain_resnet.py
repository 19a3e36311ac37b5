"""PlainResNet: shapes, translations, the configuration, bad input."""

from __future__ import annotations

import pytest
import torch

from gaugenet.models import PlainResNet
from tests.tolerances import TOL, relative


@pytest.mark.parametrize("d", [2, 3])
def test_translations_are_a_symmetry_and_rotations_are_not(d):
    torch.manual_seed(0)
    network = PlainResNet(3, 2, d=d, channels=4, blocks=2, kernel_size=3, boundary="periodic").double()
    x = torch.randn(2, 3, *[6] * d, dtype=torch.float64)
    y = network(x)
    assert y.shape == (2, 2, *[6] * d)
    assert relative(network(x.roll(2, -1)), y.roll(2, -1)) < TOL[torch.float64]
    assert relative(network(x.rot90(1, (-2, -1))), y.rot90(1, (-2, -1))) > 1e-2
    other = PlainResNet(**{**network.config, "boundary": "zeros"}).double()
    other.load_state_dict(network.state_dict())
    assert relative(other(x), y) > 1e-3


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="`d` 2 or 3"):
        PlainResNet(1, 1, d=4)
    with pytest.raises(ValueError, match="zeros, periodic"):
        PlainResNet(1, 1, boundary="reflect")
    with pytest.raises(ValueError, match="odd"):
        PlainResNet(1, 1, kernel_size=4)
    with pytest.raises(ValueError, match="blocks"):
        PlainResNet(1, 1, blocks=0)


def test_features_that_do_not_fit_are_named():
    network = PlainResNet(3, 2, channels=4, blocks=1, boundary="periodic")
    for x, message in (
        (torch.rand(1, 4, 8, 8), r"\(batch, 3, \*spatial\) with 2 spatial axes, got \(1, 4, 8, 8\)"),
        (torch.rand(3, 8, 8), r"got \(3, 8, 8\)"),  # without a batch
        (torch.rand(1, 3, 8, 8).double(), "dtype torch.float32 like the weights, got torch.float64"),
        (torch.rand(1, 3, 1, 8), "at least 2 pixels"),  # a periodic axis cannot be padded by more than its length
    ):
        with pytest.raises(ValueError, match=message):
            network(x)
    assert network(torch.rand(0, 3, 8, 8)).shape == (0, 2, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.rand(1, 3, 8, 8).bfloat16()).shape == (1, 2, 8, 8)
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(compiled(x), network(x))
    with pytest.raises(ValueError, match="`d` 2 or 3"):
        PlainResNet(1, 1, d=[2])
