"""The matrices of layers as indexed copies of their weights: equal to the products, also their gradients."""

from __future__ import annotations

import pytest
import torch

from gaugenet.groups import O2, O3, SO2, SO3, Cyclic, Dihedral, FieldType
from gaugenet.kernels import Differential, Harmonic
from gaugenet.nn import EquivariantLinear, expansion
from gaugenet.nn.engines.graph import _EXPANSIONS, _matrices_in_a_row, flat_mixing
from gaugenet.nn.linear import _expansion

TYPES = {
    "SO(2)": (FieldType(SO2(), "3x0 + 2x1 + 1x2"), FieldType(SO2(), "2x2 + 1x0 + 2x1")),
    "O(2)": (FieldType(O2(), "2x0 + 1x0- + 2x1"), FieldType(O2(), "1x0- + 2x2 + 1x0")),
    "regular": (FieldType(Cyclic(8), "2xregular"), FieldType(Cyclic(8), "3xregular + 1x0")),
    "D_4": (FieldType(Dihedral(4), "1xregular + 1x1"), FieldType(Dihedral(4), "2xregular")),
    "SO(3)": (FieldType(SO3(), "2x0 + 3x1 + 1x2"), FieldType(SO3(), "2x1 + 1x0 + 2x2")),
    "O(3)": (FieldType(O3(), "2x0e + 1x1o"), FieldType(O3(), "1x1o + 2x0e")),
}


@pytest.mark.parametrize("family", [Harmonic(rings=2), Differential(max_order=2)], ids=["harmonic", "operators"])
@pytest.mark.parametrize("name", TYPES)
def test_mixing_of_kernels(name, family):
    space = family.space(*TYPES[name])
    weight = torch.randn(space.num_weights, dtype=torch.float64, requires_grad=True)
    found, expected = flat_mixing(space, weight), _matrices_in_a_row(space, weight)
    assert torch.allclose(found, expected, rtol=1e-14, atol=0)
    along = torch.randn_like(found)
    gradients = [torch.autograd.grad(entries, weight, along)[0] for entries in (found, expected)]
    assert torch.allclose(*gradients, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["SO(2)", "O(2)", "SO(3)"])
def test_irreps_have_one_weight_an_entry(name):
    space = Harmonic(rings=2).space(*TYPES[name])
    flat_mixing(space, torch.randn(space.num_weights))
    assert _EXPANSIONS[space] is not None


@pytest.mark.parametrize("largest", [expansion.LARGEST, 0], ids=["indexed", "products"])
@pytest.mark.parametrize("name", TYPES)
def test_linear_maps(monkeypatch, name, largest):
    """Both forms against the matrix of the layer."""
    monkeypatch.setattr(expansion, "LARGEST", largest)
    _expansion.cache_clear()
    layer = EquivariantLinear(*TYPES[name]).double()
    x = torch.randn(7, layer.in_type.size, dtype=torch.float64, requires_grad=True)
    along = torch.randn(7, layer.out_type.size, dtype=torch.float64)
    assert torch.allclose(layer(x), x @ layer.matrix().T + layer.bias.vector(), rtol=1e-12, atol=1e-13)
    assert (_expansion(*TYPES[name]) is None) == (largest == 0)
    found = torch.autograd.grad(layer(x), [x, layer.weight], along)
    expected = torch.autograd.grad(x @ layer.matrix().T, [x, layer.weight], along)
    assert all(torch.allclose(a, b, rtol=1e-12, atol=1e-13) for a, b in zip(found, expected, strict=True))
    _expansion.cache_clear()


def test_sums_of_weights_are_refused():
    assert expansion.expansion(lambda w: torch.stack([w[0] + w[1], w[2]]), 3) is None
    assert expansion.expansion(lambda w: torch.stack([w[0] - w[1], w[2]]), 3) is None  # zero for equal weights
    found = expansion.expansion(lambda w: torch.stack([-2 * w[1], w[2], 0 * w[0]]), 3)
    assert found is not None
    assert torch.equal(found(torch.tensor([1.0, 2.0, 3.0])), torch.tensor([-4.0, 3.0, 0.0]))
