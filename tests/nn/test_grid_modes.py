"""Training, evaluation, checkpoints, casts, copies and compilers: the sampled kernel is never stale, never saved."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from gaugenet.geometry import Grid
from gaugenet.groups import SO2, Cyclic, FieldType
from gaugenet.nn import GaugeConv, GridConv, GridConvTranspose
from tests.compilers import cheap_first, newer_than_torch_2_6
from tests.nn.layers import with_random_weights
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
GROUP = Cyclic(8)
IMAGE, HIDDEN = FieldType(GROUP, "2x0"), FieldType(GROUP, "2xregular + 1x1")


def make(seed: int = 0, **options) -> GridConv:
    torch.manual_seed(seed)
    return with_random_weights(GridConv(IMAGE, HIDDEN, 5, **options))


def image(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(2, IMAGE.size, 8, 9, generator=torch.Generator().manual_seed(0), dtype=dtype)


@torch.no_grad()
def fresh(layer: GridConv, x: torch.Tensor) -> torch.Tensor:
    """What the layer's parameters say, whatever has been kept."""
    other = copy.deepcopy(layer).train()
    return other(x)


def kernels_made(layer: GridConv, monkeypatch) -> list:
    """Records every time that a kernel is sampled."""
    made = []
    mixing = layer.kernels.mixing
    monkeypatch.setattr(layer.kernels, "mixing", lambda weight: made.append(1) or mixing(weight))
    return made


def test_evaluation_samples_once(monkeypatch):
    layer, x = make().eval(), image()
    made = kernels_made(layer, monkeypatch)
    with torch.no_grad():
        first, second = layer(x), layer(x)
    assert made == [1]
    assert torch.equal(first, second)
    layer.requires_grad_(False)
    layer(x.requires_grad_()).sum().backward()  # gradients of the input alone need no new kernel
    assert made == [1]
    layer.train()(x)
    layer(x)
    assert made == [1, 1, 1]


def test_evaluation_is_one_convolution():
    """No other operation of size: what the profiler sees in evaluation mode."""
    layer, x = make(dtype=torch.float64).eval(), image(torch.float64)
    with torch.no_grad():
        layer(x)
        with torch.profiler.profile() as profile:
            layer(x)
    counts = {event.key: event.count for event in profile.key_averages()}
    assert counts["aten::convolution"] == 1
    assert not {"aten::mm", "aten::bmm", "aten::einsum", "aten::index", "aten::cat", "aten::mul", "aten::add"} & set(
        counts
    )


def test_state_dict_is_the_same_in_both_modes_and_loads_strictly_between_them():
    layer, other, x = make(), make(1), image()
    keys = list(layer.state_dict())
    assert keys == ["weight", "self_interaction.weight", "bias.bias"]
    with torch.no_grad():
        layer.eval()(x)
    assert list(layer.state_dict()) == keys
    other.train().load_state_dict(layer.state_dict(), strict=True)
    assert torch.equal(fresh(other, x), fresh(layer, x))
    layer.load_state_dict(make(2).train().state_dict(), strict=True)


def test_never_stale_after_load_state_dict():
    layer, x = make().eval(), image()
    with torch.no_grad():
        before = layer(x)
        for assign in (False, True):
            layer.load_state_dict(make(3 + assign).state_dict(), assign=assign)
            assert torch.equal(layer(x), fresh(layer, x))
            assert relative(layer(x), before) > 0.1


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
@pytest.mark.parametrize("foreach", [False, True])
def test_never_stale_after_an_optimizer_step_in_evaluation_mode(optimizer, foreach):
    layer, x = make().eval(), image()
    steps = optimizer(layer.parameters(), lr=0.1, foreach=foreach)
    for _ in range(2):
        with torch.no_grad():
            before = layer(x)
        layer(x).square().sum().backward()
        steps.step()
        with torch.no_grad():
            assert torch.equal(layer(x), fresh(layer, x))
            assert relative(layer(x), before) > 1e-3


@pytest.mark.parametrize("name", ["weight", "self_interaction.weight", "bias.bias"])
def test_never_stale_after_any_way_to_write(name):
    """In place, through `.data`, through numpy, by a new storage, by a new parameter."""
    layer, x = make().eval(), image()

    def in_place(p):
        p.mul_(2)

    def data(p):
        p.data.mul_(2)

    def numpy(p):
        p.detach().numpy()[:] *= 2

    def storage(p):
        p.data = 2 * p.data

    def parameter(p):
        owner, attribute = layer.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]
        setattr(owner, attribute, nn.Parameter(2 * p.detach()))

    for write in (in_place, data, numpy, storage, parameter):
        with torch.no_grad():
            before = layer(x)
            write(layer.get_parameter(name))
            assert torch.equal(layer(x), fresh(layer, x)), write
            assert relative(layer(x), before) > 1e-2, write


def test_two_backward_passes_in_evaluation_mode():
    layer, x = make().eval(), image()
    gradients = []
    for _ in range(2):
        layer.zero_grad()
        layer(x).square().sum().backward()
        gradients.append([p.grad.clone() for p in layer.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients))
    layer.train().zero_grad()
    layer(x).square().sum().backward()
    assert all(relative(p.grad, g) < TOL[torch.float32] for p, g in zip(layer.parameters(), gradients[0]))


def test_inference_mode_first_does_not_spoil_training():
    layer, x = make().eval(), image()
    with torch.inference_mode():
        layer(x)
    layer.requires_grad_(False)
    layer(x.clone().requires_grad_()).sum().backward()
    layer.requires_grad_(True).train()(x).sum().backward()


def test_double_is_really_float64():
    """A layer that is cast computes with tables of full precision, not with rounded ones; also from evaluation mode."""
    layer = make()
    with torch.no_grad():
        layer.eval()(image())
    exact = make(dtype=torch.float64)
    exact.load_state_dict({name: p.double() for name, p in layer.state_dict().items()})
    x = image(torch.float64)
    with torch.no_grad():
        assert layer.double()(x).dtype == torch.float64
        assert relative(layer(x), exact(x)) < EXACT
        assert relative(layer.float().double()(x), layer(x)) < EXACT  # parameters that float32 holds
        kernel = layer.sampled(layer.sliding.stencil)[0]
        assert relative(kernel.float().double(), kernel) > 1e-9  # control: float32 would have been seen


def test_copies_and_pickles():
    layer, x = make().eval(), image()
    with torch.no_grad():
        expected = layer(x)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), _saved_and_loaded(layer)):
            assert torch.equal(other(x), expected)
            other.weight.mul_(2)
            assert relative(other(x), expected) > 0.1
            assert torch.equal(layer(x), expected)
    assert len(pickle.dumps(layer)) < 4 * sum(p.numel() * 4 for p in layer.parameters()) + 40_000


def _saved_and_loaded(layer):
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


def test_parameters_may_be_computed():
    """Parametrizations, functional calls and ensembles by vmap."""
    x = image()
    layer = make().eval()
    with torch.no_grad():
        doubled = {name: 2 * p for name, p in layer.named_parameters()}
        layer(x)
        expected = 2 * layer(x)
        assert relative(torch.func.functional_call(layer, doubled, (x,)), expected) < TOL[torch.float32]
        stacked = {name: torch.stack([p, 2 * p]) for name, p in layer.named_parameters()}
        ensemble = torch.vmap(lambda p: torch.func.functional_call(layer, p, (x,)))(stacked)
        assert relative(ensemble[1], expected) < TOL[torch.float32]
        nn.utils.parametrize.register_parametrization(layer, "weight", nn.Tanh())
        assert relative(layer(x), fresh(layer, x)) < TOL[torch.float32]


@newer_than_torch_2_6
@pytest.mark.parametrize(
    ("training", "boundary"),
    cheap_first(
        [(True, "zeros"), (True, "periodic"), (False, "zeros"), (False, "periodic")],
        [(True, "zeros"), (False, "periodic")],
    ),
)
def test_compiles_as_one_graph(boundary, training):
    torch._dynamo.reset()
    layer = make(boundary=boundary, stride=2).train(training)
    x = image()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert relative(compiled(x), layer(x)) < TOL[torch.float32]
    gradients = []
    for module in (layer, compiled):
        layer.zero_grad()
        module(x).square().sum().backward()
        gradients.append([p.grad.clone() for p in layer.parameters()])
    assert all(relative(a, b) < TOL[torch.float32] for a, b in zip(*gradients))
    with torch.no_grad():
        layer.weight.mul_(2)
        assert relative(compiled(x), layer(x)) < TOL[torch.float32]


@newer_than_torch_2_6
def test_layers_on_a_grid_compile_as_one_graph():
    torch._dynamo.reset()
    torch.manual_seed(0)
    layer = with_random_weights(GaugeConv(IMAGE, HIDDEN))
    x = image()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for grid in (Grid((8, 9)), Grid((8, 9), kernel_size=3, boundary="periodic")):  # the second is not the first
        assert relative(compiled(x, grid), layer(x, grid)) < TOL[torch.float32]


@pytest.mark.long
@newer_than_torch_2_6
def test_networks_compile_as_one_graph():
    """Windows of two sizes, and a second batch of another size."""
    torch._dynamo.reset()
    network = nn.Sequential(make(), GridConv(HIDDEN, IMAGE, 3, stride=2))
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    for x in (image(), image()[:1], image()[..., :7]):
        assert relative(compiled(x), network(x)) < TOL[torch.float32]


@pytest.mark.long
def test_compiles_with_inductor():
    torch._dynamo.reset()
    layer, x = make(), image()
    compiled = torch.compile(layer, fullgraph=True)
    assert relative(compiled(x), layer(x)) < TOL[torch.float32]


@newer_than_torch_2_6
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "network",
    [
        lambda: make(boundary="periodic"),
        lambda: GridConv(FieldType(SO2(), "2x0"), FieldType(SO2(), "2x0 + 2x1 + 1x2"), 5, stride=2),
        lambda: nn.Sequential(GridConv(IMAGE, HIDDEN, 3, stride=2), GridConvTranspose(HIDDEN, IMAGE, 5, groups=1)),
    ],
    ids=["periodic", "irreps", "transposed"],
)
def test_exports(network, strict):
    network, x = network().eval(), image()
    batch = torch.export.Dim("batch")
    program = torch.export.export(network, (x,), dynamic_shapes=({0: batch},), strict=strict)
    more = torch.cat([x, 2 * x])
    assert relative(program.module()(more), network(more)) < TOL[torch.float32]
