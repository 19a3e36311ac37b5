"""Functional transforms and derivatives of any order give what the definition gives; nothing is dropped in silence."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from gaugenet.groups import O2, SO2, Cyclic, FieldType
from gaugenet.nn import GaugeConv, use_engine
from tests.nn.graphs import features, synthetic_graph
from tests.tolerances import TOL, relative

CASES = {"SO(2)": (SO2(), "2x0 + 1x1 + 1x2"), "O(2)": (O2(), "1x0 + 1x1"), "C_4": (Cyclic(4), "1xregular + 1x0")}


def setting(name):
    group, spec = CASES[name]
    fields = FieldType(group, spec)
    graph = synthetic_graph(group, 7, degree=4, seed=1)
    torch.manual_seed(0)
    layer = GaugeConv(fields, fields).double()
    x = features(fields.size, graph)
    direction = features(fields.size, graph, seed=5)
    return layer, graph, x, direction


TRANSFORMS = {
    "jvp": lambda f, x, v: jvp(f, (x,), (v,))[1],
    "vjp": lambda f, x, v: vjp(f, x)[1](v)[0],
    "jacfwd": lambda f, x, v: jacfwd(f)(x),
    "jacrev": lambda f, x, v: jacrev(f)(x),
    "grad": lambda f, x, v: grad(lambda x: (f(x) * v).sum())(x),
    "hessian": lambda f, x, v: hessian(lambda x: f(x).pow(3).sum())(x),
    "vmap": lambda f, x, v: vmap(f)(torch.stack([x, v])),
    "forward mode": lambda f, x, v: _dual(f, x, v),
}


def _dual(f, x, v):
    with torch.autograd.forward_ad.dual_level():
        out = f(torch.autograd.forward_ad.make_dual(x, v))
        return torch.autograd.forward_ad.unpack_dual(out).tangent


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("case", CASES)
def test_transforms_are_those_of_the_definition(case, transform):
    layer, graph, x, v = setting(case)
    found = TRANSFORMS[transform](lambda x: layer(x, graph), x, v)
    with use_engine("reference"):
        expected = TRANSFORMS[transform](lambda x: layer(x, graph), x, v)
    assert relative(found, expected) < TOL[torch.float64]
    layer.self_interaction = None  # control: the neighbours are a part of it
    without = TRANSFORMS[transform](lambda x: layer(x, graph), x, v)
    assert relative(without, expected) > 1e-3


@pytest.mark.parametrize("case", CASES)
def test_second_derivatives_in_features_and_weights(case):
    layer, graph, x, v = setting(case)

    def products(x):
        """A Hessian-vector product of a scalar, and its gradients in the weights."""
        x = x.clone().requires_grad_()
        (first,) = torch.autograd.grad(layer(x, graph).pow(3).sum(), x, create_graph=True)
        second = torch.autograd.grad((first * v).sum(), [x, layer.weight])
        return torch.cat([t.flatten() for t in (first, *second)]).detach()

    found = products(x)
    with use_engine("reference"):
        expected = products(x)
    assert relative(found, expected) < TOL[torch.float64]


@pytest.mark.parametrize("case", CASES)
def test_second_derivatives_pass_gradgradcheck(case):
    layer, graph, x, _ = setting(case)
    weights = dict(layer.named_parameters())

    def call(x, weight):
        return functional_call(layer, {**weights, "weight": weight}, (x, graph)).pow(2)

    inputs = (x.requires_grad_(), layer.weight.detach().clone().requires_grad_())
    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


@pytest.mark.parametrize("group", ["SO(2)", "C_4"])
@pytest.mark.parametrize("name", ["log_map", "transporter", "weight"])
def test_edges_without_geometry_are_refused(group, name):
    """Before, compiled loops read beyond the end of the transporters."""
    layer, graph, x, _ = setting(group)
    for part in (graph[name][:1], graph[name][:-1], torch.cat([graph[name], graph[name]])):
        broken = graph.clone()
        broken[name] = part.clone()
        with pytest.raises(ValueError, match=f"Expected `{name}` with one row for each of the 28 edges"):
            layer(x, broken)


def test_edges_out_of_range_are_refused():
    layer, graph, x, _ = setting("SO(2)")
    for wrong in (-1, 7, 10**9):
        broken = graph.clone()
        broken.edge_index = graph.edge_index.clone()
        broken.edge_index[0, 0] = wrong
        with pytest.raises(ValueError, match=r"Expected `edge_index` between 0 and 6"):
            layer(x, broken)
