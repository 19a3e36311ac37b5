"""Restriction and disentangling change the type of features and keep all they hold."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gaugenet.groups import O2, O3, SO2, SO3, Cyclic, Dihedral, FieldType
from gaugenet.nn import EquivariantMLP, GaugeConv, Restrict, ToIrreps
from gaugenet.testing import assert_gauge_equivariant
from tests.groups.cases import elements
from tests.nn.graphs import features, synthetic_graph
from tests.nn.layers import with_random_weights
from tests.tolerances import TOL, relative


class Network(nn.Module):
    """SO(2) first, from the middle on only the quarter rotations."""

    def __init__(self) -> None:
        super().__init__()
        fields = FieldType(SO2(), "2x0 + 2x1 + 1x2")
        self.first = GaugeConv(fields, fields)
        self.restrict = Restrict(fields, Cyclic(4))
        self.split = ToIrreps(self.restrict.out_type)
        self.last = GaugeConv(self.split.out_type, FieldType(Cyclic(4), "2xregular + 1x2"))
        self.in_type, self.out_type = fields.restrict(Cyclic(4)), self.last.out_type

    def forward(self, x, graph):
        return self.last(self.split(self.restrict(self.first(x, graph))), graph)


def test_a_network_that_restricts_in_the_middle():
    torch.manual_seed(0)
    network, graph = with_random_weights(Network()).double(), synthetic_graph(Cyclic(4))
    assert_gauge_equivariant(network, graph, control=False)
    # and no longer under SO(2): the second half sees eighth rotates
    g = SO2().random_element(graph.num_nodes, generator=torch.Generator().manual_seed(0))
    x = features(network.in_type.size, graph)
    rotated = network(FieldType(SO2(), "2x0 + 2x1 + 1x2").transform(g, x), graph.gauge_transform(g))
    assert relative(network.out_type.transform(g, network(x, graph)), rotated) > 0.1


def test_restriction_finds_more_invariants():
    fields = FieldType(SO2(), "1x0 + 1x4")
    assert Restrict(fields, Cyclic(4)).out_type.invariant_dim() == 3
    assert fields.invariant_dim() == 1
    with pytest.raises(ValueError, match="subgroup"):
        Restrict(FieldType(Cyclic(4), "1x0"), SO2())


@pytest.mark.parametrize(
    ("group", "spec", "irreps"),
    [
        (Cyclic(4), "2xregular + 3x1", {"0": 2, "1": 5, "2": 2}),
        (Dihedral(4), "2xquotient(C_2) + 1xregular", {"0": 3, "0-": 3, "1": 2, "2": 3, "2-": 3}),
        (SO2(), "2x(1⊗2)", {"1": 2, "3": 2}),
        (SO3(), "1x(1⊗2) + 2x1", {"1": 3, "2": 1, "3": 1}),
        (O2(), "1xinduced(SO(2),1)", {"1": 2}),
    ],
    ids=str,
)
def test_disentangling_is_an_orthogonal_change_into_irreps(group, spec, irreps):
    fields = FieldType(group, spec)
    layer = ToIrreps(fields).double()
    found: dict[str, int] = {}
    for block in layer.out_type.blocks:
        assert block.representation.is_irreducible
        found[block.representation.name] = found.get(block.representation.name, 0) + block.multiplicity
    assert found == irreps
    x, g = torch.randn(20, fields.size, 3, dtype=torch.float64), elements(group, 20)
    assert relative(layer(fields.transform(g, x)), layer.out_type.transform(g, layer(x))) < 1e-10
    assert relative(layer.inverse(layer(x)), x) < 1e-10
    matrix = layer(torch.eye(fields.size, dtype=torch.float64))
    assert (matrix @ matrix.T - torch.eye(fields.size)).abs().max() < 1e-10
    control = layer.out_type.transform(g, layer(x.roll(1, 1)))
    assert relative(layer(fields.transform(g, x)), control) > 0.1


@pytest.mark.parametrize(("group", "vector"), [(SO2(), "1"), (O3(), "1o")], ids=str)
@pytest.mark.parametrize("act", ["gated", "norm", "tensor_product"])
def test_perceptrons_act_on_plain_vectors(group, vector, act):
    """f(g x) = rho(g) f(x) for one g and all rows of a batch; it learns |v|^2 v, which no linear map is."""
    torch.manual_seed(0)
    fields = FieldType(group, f"1x{vector}")
    hidden = FieldType(group, f"8x0 + 8x{vector}")
    mlp = EquivariantMLP(fields, fields, hidden=[hidden, hidden], act=act).double()
    x = torch.randn(200, fields.size, dtype=torch.float64)
    g = elements(group, 1)[0]
    assert relative(mlp(fields.transform(g, x)), fields.transform(g, mlp(x))) < TOL[torch.float64]
    target = x.square().sum(1, keepdim=True) * x
    optimizer = torch.optim.Adam(mlp.parameters(), 0.02)
    before = (mlp(x) - target).square().mean().item()
    for _ in range(100):
        optimizer.zero_grad()
        (mlp(x) - target).square().mean().backward()
        optimizer.step()
    assert (mlp(x) - target).square().mean().item() < 0.3 * before


def test_unknown_nonlinearities_name_the_known_ones():
    fields = FieldType(SO2(), "1x1")
    with pytest.raises(ValueError, match="expected one of gated, norm, fourier"):
        EquivariantMLP(fields, fields, hidden=fields, act="relu")
