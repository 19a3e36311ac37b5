"""Equivariant linear maps are intertwiners, all of them, and start at unit scale; biases live in the invariants."""

from __future__ import annotations

import pytest
import torch

from gaugenet.groups import O2, SO2, Dihedral, FieldType, intertwiners
from gaugenet.nn import EquivariantLinear, InvariantBias
from tests.groups.cases import elements
from tests.nn.layers import MIXED, TYPES, types, with_random_weights
from tests.tolerances import SOLVED, TOL, relative


def matrix(layer: EquivariantLinear) -> torch.Tensor:
    return layer(torch.eye(layer.in_type.size, dtype=torch.float64)).T


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), MIXED, ids=str)
def test_the_matrix_is_an_intertwiner_and_none_is_missing(group, in_spec, out_spec):
    a, b = FieldType(group, in_spec), FieldType(group, out_spec)
    layer = with_random_weights(EquivariantLinear(a, b, bias=False, dtype=torch.float64))
    g = elements(group)
    defect = b.representation()(g) @ matrix(layer) - matrix(layer) @ a.representation()(g)
    assert defect.abs().max() < SOLVED
    columns = []
    for k in range(layer.weight.numel()):
        with torch.no_grad():
            layer.weight.zero_()[k] = 1
        columns.append(matrix(layer).detach().flatten())
    rank = int(torch.linalg.matrix_rank(torch.stack(columns))) if columns else 0
    assert rank == layer.weight.numel() == len(intertwiners(a.representation(), b.representation()))


def test_control_a_free_matrix_is_none():
    rho = FieldType(SO2(), "2x1").representation()
    free = torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    g = elements(SO2())
    assert (rho(g) @ free - free @ rho(g)).abs().max() > 0.1


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), MIXED, ids=str)
def test_unit_variance_in_unit_variance_out(group, in_spec, out_spec):
    torch.manual_seed(0)
    a, b = FieldType(group, in_spec) * 8, FieldType(group, out_spec)
    squares = torch.zeros(b.size, dtype=torch.float64)
    for _ in range(60):
        layer = EquivariantLinear(a, b, dtype=torch.float64)
        squares += layer(torch.randn(50, a.size, dtype=torch.float64)).square().mean(0).detach() / 60
    reached = [
        block for block in b.blocks if any(len(intertwiners(c.representation, block.representation)) for c in a.blocks)
    ]
    for block in reached:
        assert 0.6 < squares[block.slice].mean() < 1.5
    assert all((squares[block.slice] == 0).all() for block in b.blocks if block not in reached)


@pytest.mark.parametrize(
    ("group", "spec", "free"),
    [(SO2(), "3x0 + 2x1", 3), (O2(), "3x0 + 2x0- + 2x1", 3), (Dihedral(4), "2xregular + 1x1 + 1xquotient(C_2)", 3)],
    ids=str,
)
def test_biases_are_invariant_and_all_of_them(group, spec, free):
    field_type = FieldType(group, spec)
    layer = with_random_weights(InvariantBias(field_type, dtype=torch.float64))
    assert layer.bias.numel() == free == field_type.invariant_dim()
    b = layer(torch.zeros(1, field_type.size, dtype=torch.float64))
    assert (field_type.transform(elements(group), b.expand(16, -1)) - b).abs().max() < SOLVED
    assert b.abs().sum() > 0


@pytest.mark.parametrize("group", TYPES, ids=str)
def test_matrix_and_vector_are_what_is_applied(group):
    a, b = types(group)
    layer = with_random_weights(EquivariantLinear(a, b, dtype=torch.float64))
    x = torch.randn(5, a.size, dtype=torch.float64)
    assert relative(x @ layer.matrix().T + layer.bias.vector(), layer(x)) < TOL[torch.float64]
    assert layer.matrix().requires_grad


def test_types_of_two_groups_are_refused():
    with pytest.raises(TypeError, match="needs its group"):
        EquivariantLinear("1x0", FieldType(SO2(), "1x0"))
    with pytest.raises(ValueError, match="one structure group"):
        EquivariantLinear(FieldType(SO2(), "1x0"), FieldType(O2(), "1x0"))
