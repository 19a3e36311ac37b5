"""Compiled loops compute what PyTorch's operations do, with derivatives of all orders, and give way to tracers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gaugenet.groups import O3, SO2, Dihedral
from gaugenet.nn import EquivariantLinear, FieldDropout, FieldLayerNorm, GatedNonlinearity, Pool, Unpool
from gaugenet.nn.compiled import eager as _eager
from gaugenet.nn.engines import transfer
from tests.nn.graphs import synthetic_graph
from tests.nn.layers import types, with_random_weights
from tests.tolerances import TOL, relative

LAYERS = ["linear", "linear onto", "norm", "gated", "dropout", "pool", "unpool"]
LOOPS = {"linear": "_Linear", "linear onto": "_Linear", "norm": "_LayerNorm", "gated": "_Gated", "dropout": "_Scaled"}
MODULES = ["linear", "nonlinearity", "normalization", "dropout"]


def case(name: str, group, dtype, *, points: int = 9):
    """The function, its inputs, and all that it has gradients for."""
    a, b = types(group)
    layer = {
        "linear": lambda: EquivariantLinear(a, b),
        "linear onto": lambda: EquivariantLinear(a, b),
        "norm": lambda: FieldLayerNorm(a),
        "gated": lambda: GatedNonlinearity(a),
        "dropout": lambda: FieldDropout(a, 0.3),
        "pool": lambda: Pool(a),
        "unpool": lambda: Unpool(a),
    }[name]()
    torch.manual_seed(0)
    layer = with_random_weights(layer).to(dtype)
    graph = synthetic_graph(group, points, levels=2, dtype=dtype)
    if name == "unpool":
        points = graph.level_size(1)
    inputs = [torch.randn(points, layer.in_type.size, dtype=dtype, requires_grad=True)]
    if name == "linear onto":
        inputs.append(torch.randn(points, b.size, dtype=dtype, requires_grad=True))

    def function(*inputs: Tensor) -> Tensor:
        torch.manual_seed(1)
        if name in ("pool", "unpool"):
            return layer(inputs[0], graph)
        return layer(inputs[0]) if len(inputs) == 1 else layer(inputs[0], onto=inputs[1])

    return function, inputs, [*inputs, *layer.parameters()]


def derivatives(function, inputs, variables) -> list[Tensor]:
    """The value, its gradients, and gradients of those."""
    y = function(*inputs)
    weight = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view_as(y)
    first = torch.autograd.grad((y * weight).sum() + 0 * y.square().sum(), variables)
    curved = torch.autograd.grad((function(*inputs).square() * weight).sum(), variables, create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in curved), variables)
    return [y.detach(), *first, *(g.detach() for g in curved), *second]


def without_loops(monkeypatch) -> None:
    import importlib

    for module in (*(importlib.import_module(f"gaugenet.nn.{m}") for m in MODULES), transfer):
        monkeypatch.setattr(module, "has_loops", lambda *_: False)


@pytest.mark.parametrize("group", [SO2(), Dihedral(4), O3()], ids=str)
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("dtype", "threads"), [(torch.float64, 1), (torch.float64, 3), (torch.float32, 1)])
def test_the_same_with_and_without(name, group, dtype, threads, monkeypatch):
    monkeypatch.setattr(_eager, "threads", lambda rows: min(threads, max(rows, 1)))
    monkeypatch.setattr(transfer, "threads", _eager.threads)
    monkeypatch.setattr("gaugenet.nn.normalization.threads", _eager.threads)
    problem = case(name, group, dtype)
    ours = derivatives(*problem)
    without_loops(monkeypatch)
    for mine, plain in zip(ours, derivatives(*problem), strict=True):
        assert relative(mine, plain) < 10 * TOL[dtype]


@pytest.mark.parametrize("name", LAYERS)
def test_no_points(name):
    function, inputs, variables = case(name, SO2(), torch.float64, points=0)
    for grad in torch.autograd.grad(function(*inputs).sum(), variables):
        assert not grad.abs().sum()


@pytest.mark.parametrize("name", list(LOOPS))
def test_loops_are_taken_and_give_way(name, monkeypatch):
    """To functional transforms and to forward-mode derivatives; under autocast they keep their precision."""
    function, inputs, _ = case(name, SO2(), torch.float32)

    def taken(y: Tensor) -> bool:
        return type(y.grad_fn).__name__.startswith(LOOPS[name])

    y = function(*inputs)
    assert taken(y)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(function(*inputs), y)
    x = inputs[0]
    _, along = torch.func.jvp(lambda x: function(x, *inputs[1:]), (x,), (torch.ones_like(x),))
    _, back = torch.func.vjp(lambda x: function(x, *inputs[1:]), x)
    assert along.sum().item() == pytest.approx((back(torch.ones_like(along))[0]).sum().item(), rel=1e-3, abs=1e-3)


def test_long_sums_of_the_normalization_are_exact():
    """The gradient of the scale sums over all points: in float32 alone a million equal numbers would drift."""
    layer = FieldLayerNorm(types(SO2())[0])
    x = torch.randn(1, layer.in_type.size).expand(100_000, -1)
    layer(x).sum().backward()
    alone = layer.weight.grad.clone()
    layer.weight.grad = None
    layer(x[:1]).sum().backward()
    assert relative(alone, 100_000 * layer.weight.grad) < TOL[torch.float32]
