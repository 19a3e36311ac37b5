"""to_torch: an equivariant network is an ordinary one, also where there is no gaugenet."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from gaugenet.geometry import Grid
from gaugenet.groups import SO2, SO3, Cyclic, Dihedral, FieldType, Reflection
from gaugenet.nn import (
    EquivariantLinear,
    FieldBatchNorm,
    FieldDropout,
    FourierNonlinearity,
    GatedNonlinearity,
    GaugeConv,
    GridConv,
    GridConvTranspose,
    GridPool,
    GroupPool,
    NormNonlinearity,
    NormPool,
    PointwiseNonlinearity,
    to_torch,
)
from tests.compilers import cheap_first, newer_than_torch_2_6
from tests.tolerances import TOL, relative

CLOSE = TOL[torch.float32]


def regular() -> nn.Sequential:
    group = Cyclic(8)
    image, hidden = FieldType(group, "2x0"), FieldType(group, "4xregular")
    return nn.Sequential(
        GridConv(image, hidden, 5, boundary="periodic"),
        FieldBatchNorm(hidden),
        PointwiseNonlinearity(hidden),
        GridPool(hidden, kind="max"),
        GridConv(hidden, hidden, 3, groups=2, stride=2),
        GroupPool(hidden),
    )


def irreps() -> nn.Sequential:
    group = SO2()
    image, hidden = FieldType(group, "2x0"), FieldType(group, "3x0 + 3x1 + 3x2")
    gated = GatedNonlinearity(hidden)
    return nn.Sequential(
        GridConv(image, gated.in_type, 5, dilation=2),
        gated,
        FieldDropout(hidden, 0.1),
        FieldBatchNorm(hidden),
        GridConvTranspose(hidden, hidden, 3),
        NormNonlinearity(hidden),
        EquivariantLinear(hidden, hidden),
        FourierNonlinearity(hidden),
        GridPool(hidden, kind="max"),
        NormPool(hidden),
    )


def mirrored() -> nn.Sequential:
    group = Dihedral(4)
    image, hidden = FieldType(group, "2x0"), FieldType(group, "2x0 + 2x1")
    return nn.Sequential(
        GridConv(image, hidden, 3, boundary="reflect"),
        GridConv(hidden, hidden, 3, boundary="reflect"),
        NormPool(hidden),
    )


class Residual(nn.Module):
    """A user's own module, with a layer that it calls twice and one that it never calls."""

    def __init__(self) -> None:
        super().__init__()
        group = Cyclic(4)
        image, hidden = FieldType(group, "2x0"), FieldType(group, "3xregular")
        self.first, self.again = GridConv(image, hidden, 3), GridConv(hidden, hidden, 3)
        self.act, self.unused = PointwiseNonlinearity(hidden), GridConv(hidden, hidden, 5)
        self.last = nn.Sequential(GroupPool(hidden), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.first(x))
        x = x + self.again(self.act(self.again(x)))
        return self.last(x)


NETWORKS = {"regular": regular, "irreps": irreps, "mirrored": mirrored, "own": Residual}


def trained(name: str) -> tuple[nn.Module, torch.Tensor]:
    """A few steps, so that running statistics, biases and weights are no longer what they were."""
    torch.manual_seed(0)
    network, x = NETWORKS[name](), torch.randn(3, 2, 9, 12)
    steps = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(3):
        steps.zero_grad()
        (network(x) - 1).square().mean().backward()
        steps.step()
    return network.eval(), x


def on_lines() -> tuple[nn.Module, torch.Tensor]:
    group = Reflection(1)
    image, hidden = FieldType(group, "2x0"), FieldType(group, "2xregular")
    network = nn.Sequential(
        GridConv(image, hidden, 5),
        PointwiseNonlinearity(hidden),
        GridPool(hidden),
        GridConv(hidden, hidden, 3, boundary="periodic", stride=2),
        GridConvTranspose(hidden, hidden, 3),
        GroupPool(hidden),
    )
    return network, torch.randn(2, 2, 17)


def in_space() -> tuple[nn.Module, torch.Tensor]:
    group = SO3()
    image, hidden = FieldType(group, "2x0"), FieldType(group, "2x0 + 2x1")
    gated = GatedNonlinearity(hidden)
    network = nn.Sequential(
        GridConv(image, gated.in_type, 3),
        gated,
        FieldBatchNorm(hidden),
        GridPool(hidden),
        GridConv(hidden, hidden, 3, boundary="periodic"),
        GridConvTranspose(hidden, hidden, 3),
        NormPool(hidden),
    )
    return network, torch.randn(2, 2, 7, 6, 5)


@pytest.mark.parametrize("make", [on_lines, in_space])
def test_lines_and_volumes(make):
    torch.manual_seed(0)
    network, x = make()
    network.eval()
    plain = to_torch(network, x)
    assert not any(type(m).__module__.startswith("gaugenet") for m in plain.modules())
    with torch.no_grad():
        assert relative(plain(x), network(x)) < CLOSE
        assert relative(plain(x.flip(2)), network(x)) > 1e-3  # control: another input


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_function(name):
    network, x = trained(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    plain = to_torch(network.train(), x)
    assert network.training  # left as it was
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    network.eval()
    assert not any(type(m).__module__.startswith("gaugenet") for m in plain.modules())
    with torch.no_grad():
        assert relative(plain(x), network(x)) < CLOSE
        more = torch.randn(5, 2, 9, 12)
        assert relative(plain(more), network(more)) < CLOSE
        larger = torch.randn(2, 2, 13, 16)  # as odd and as even, after pooling too
        assert relative(plain(larger), network(larger)) < CLOSE
        for p in plain.parameters():
            p.mul_(1.1)
        assert relative(plain(x), network(x)) > 1e-3  # control: its own weights


def test_periodic_padding_survives():
    network, x = trained("regular")
    plain = to_torch(network, x)
    assert type(plain[0]) is nn.Conv2d
    assert plain[0].padding_mode == "circular"
    assert relative(plain[0](x.roll(4, -1)), plain[0](x).roll(4, -1)) < CLOSE


def test_double_precision():
    network, x = trained("irreps")
    network, x = network.double(), x.double()
    with torch.no_grad():
        assert relative(to_torch(network, x)(x), network(x)) < TOL[torch.float64]


LOAD = """
import sys
sys.modules["gaugenet"] = None  # an import of it fails from here on
import torch
x, expected = torch.load({data!r})
with torch.no_grad():
    error = ({load}(x) - expected).abs().max() / expected.abs().max()
    assert error < 1e-5, error
try:
    import gaugenet
except ImportError:
    print("loaded without it")
"""


@newer_than_torch_2_6
@pytest.mark.parametrize("name", cheap_first(list(NETWORKS), ["regular", "own"]))
def test_it_loads_where_there_is_no_gaugenet(name, tmp_path):
    network, x = trained(name)
    plain = to_torch(network, x)
    with torch.no_grad():
        torch.save((x, network(x)), tmp_path / "data.pt")
    torch.export.save(torch.export.export(plain, (x,)), tmp_path / "network.pt2")
    loads = [f"torch.export.load({str(tmp_path / 'network.pt2')!r}).module()"]
    if name != "own":  # a class of the user's is there where the user is
        torch.save(plain, tmp_path / "network.pt")
        loads.append(f"torch.load({str(tmp_path / 'network.pt')!r}, weights_only=False)")
    for load in loads:  # each by itself: loading one imports parts of PyTorch that the other may need
        program = LOAD.format(data=str(tmp_path / "data.pt"), load=load)
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert run.stdout.strip() == "loaded without it", run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", cheap_first(["regular", "irreps", "own"], ["regular"]))
def test_onnx(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network, x = trained(name)
    path = str(tmp_path / "network.onnx")
    torch.onnx.export(to_torch(network, x), (x,), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path)
    (got,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        assert relative(torch.from_numpy(got), network(x)) < 1e-4  # another library's sums in float32


def test_what_cannot_be_converted_says_so():
    group = Cyclic(4)
    field_type = FieldType(group, "1x0")

    class OnGrid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = GaugeConv(field_type, field_type)

        def forward(self, x):
            return self.conv(x, Grid(x.shape[2:]))

    x = torch.randn(1, 1, 7, 7)
    with pytest.raises(ValueError, match="GaugeConv is called with Tensor, Grid: use `GridConv`"):
        to_torch(OnGrid(), x)

    class Different(nn.Module):
        """A layer that says that it is something else."""

        def forward(self, x):
            return 2 * x

        def to_torch(self, x):
            return nn.Identity()

    Different.__module__ = "gaugenet.nn.different"
    with pytest.raises(RuntimeError, match=r"differs from the original by 5\.0e-01"):
        to_torch(nn.Sequential(Different()), x)


def test_memory_does_not_grow_with_the_fourth_power_of_the_channels():
    """The example that layers are traced on has few pixels, whatever the number of channels."""
    fields = FieldType(Cyclic(4), "64xregular")
    network = nn.Sequential(PointwiseNonlinearity(fields), FieldBatchNorm(fields)).eval()
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            if type(out) is torch.Tensor:
                largest = max(largest, out.numel())
            return out

    with Watch():
        to_torch(network, torch.randn(2, fields.size, 9, 9))
    assert largest <= 17 * 19 * 23 * fields.size
