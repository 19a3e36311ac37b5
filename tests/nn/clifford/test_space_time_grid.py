"""Grids of four axes: space-time in 3 + 1 dimensions."""

from __future__ import annotations

import itertools

import pytest
import torch

from gaugenet.geometry import Grid
from gaugenet.groups import PseudoOrthogonal, multivector
from gaugenet.kernels import Clifford
from gaugenet.models import CliffordResNet, CliffordUNet
from gaugenet.nn import GaugeConv, use_engine
from gaugenet.nn.engines.conv4d import conv4d
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
GROUP = PseudoOrthogonal(3, 1)
"""x, y, z, time: arrays are (time, z, y, x)."""


@pytest.mark.parametrize("options", [
    {"stride": (1, 1, 1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1, 1, 1)},
    {"stride": (2, 1, 2, 1), "padding": (1, 0, 1, 2), "dilation": (1, 2, 1, 1)},
    {"stride": (1, 1, 1, 1), "padding": (2, 1, 1, 1), "dilation": (2, 1, 1, 1), "groups": 2},
], ids=str)  # fmt: skip
def test_conv4d_is_the_sum_over_windows(options):
    """Against a loop over the cells of the window."""
    x, weight = torch.randn(2, 4, 5, 6, 5, 6, dtype=torch.float64), torch.randn(6, 4, 3, 3, 3, 3, dtype=torch.float64)
    groups = options.get("groups", 1)
    weight = weight[:, : 4 // groups]
    bias = torch.randn(6, dtype=torch.float64)
    found = conv4d(x, weight, bias, **options)
    stride, padding, dilation = (options[k] for k in ("stride", "padding", "dilation"))
    padded = torch.nn.functional.pad(x, [p for n in reversed(padding) for p in (n, n)])
    expected = bias.view(1, -1, 1, 1, 1, 1).expand_as(found).clone()
    for cell in itertools.product(range(3), repeat=4):
        index = [
            slice(c * g, c * g + s * (n - 1) + 1, s) for c, g, s, n in zip(cell, dilation, stride, found.shape[2:])
        ]
        seen = padded[(slice(None), slice(None), *index)].unflatten(1, (groups, -1))
        kernel = weight[(slice(None), slice(None), *cell)].unflatten(0, (groups, -1))
        expected += torch.einsum("goi,bgi...->bgo...", kernel, seen).flatten(1, 2)
    assert found.shape == expected.shape
    assert relative(found, expected) < EXACT


def act(g: torch.Tensor, kind, x: torch.Tensor) -> torch.Tensor:
    """A signed permutation of (x, y, z, t) on a field; y runs against its axis."""
    flips = torch.diag(torch.tensor([1.0, -1, 1, 1], dtype=torch.float64))
    h = (flips @ g @ flips).flip(0, 1)  # along the array axes (t, z, y, x)
    source = [int(row.abs().argmax()) for row in h]
    moved = x.permute(0, 1, *(2 + j for j in source))
    flipped = [2 + i for i, row in enumerate(h) if row[source[i]] < 0]
    return kind.transform(g, moved.flip(flipped) if flipped else moved)


MOVES = {
    "rotation about z": [[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    "cyclic": [[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
    "time reversal": [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, -1]],
    "mirror": [[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
}


@pytest.mark.parametrize("g", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("boundary", ["zeros", "periodic", "reflect"])
def test_exact_under_symmetries_of_the_grid(g, boundary):
    torch.manual_seed(0)
    g, kind = torch.tensor(g, dtype=torch.float64), multivector(GROUP)
    assert GROUP.contains(g)
    grid = Grid((3, 4, 4, 4), boundary=boundary, kernel_size=3, signature=(3, 1))
    layer = GaugeConv(kind, multivector(GROUP, multiplicity=2), kernel=Clifford()).double()
    x = torch.randn(1, kind.size, *grid.shape, dtype=torch.float64)
    expected = act(g, layer.out_type, layer(x, grid))
    assert relative(layer(act(g, kind, x), grid), expected) < EXACT
    assert relative(layer(x, grid), expected) > 0.1


def test_engines_agree_and_shifts_are_exact():
    kind = multivector(GROUP)
    layer = GaugeConv(kind, kind, kernel=Clifford()).double()
    grid = Grid((3, 4, 3, 4), boundary="periodic", kernel_size=3, signature=(3, 1), spacing=(0.5, 1, 1, 1), radius=1.5)
    x = torch.randn(1, kind.size, *grid.shape, dtype=torch.float64)
    y = layer(x, Grid((3, 4, 3, 4), boundary="periodic", kernel_size=3))
    moved = layer(x.roll((1, 2), (2, 5)), Grid((3, 4, 3, 4), boundary="periodic", kernel_size=3))
    assert relative(moved, y.roll((1, 2), (2, 5))) < EXACT
    small = Grid((3, 4, 3, 4), kernel_size=3, signature=(3, 1))
    y = layer(x, small)
    with use_engine("graph"):
        assert relative(layer(x, small), y) < EXACT
    assert layer(x, grid.replace(kernel_size=(3, 3, 3, 3))).shape == x.shape


@pytest.mark.parametrize("model", [CliffordResNet, CliffordUNet])
def test_networks_in_three_dimensions_and_time(model):
    torch.manual_seed(0)
    kind = multivector(GROUP, (2,))
    options = {"levels": 2} if model is CliffordUNet else {}
    network = model(kind, kind, channels=1, blocks=1, rings=2, **options).double()
    grid = Grid((4, 4, 4, 4), kernel_size=3, signature=(3, 1))
    x = torch.randn(1, kind.size, 4, 4, 4, 4, dtype=torch.float64)
    g = torch.tensor(MOVES["cyclic"], dtype=torch.float64)
    assert relative(network(act(g, kind, x), grid), act(g, kind, network(x, grid))) < 10 * EXACT


def test_bad_input():
    with pytest.raises(ValueError, match="at most 3 dimensions"):
        Grid((4, 4, 4, 4), kernel_size=3, transposed=True)
    with pytest.raises(ValueError, match="1 to 4"):
        Grid((2,) * 5)
