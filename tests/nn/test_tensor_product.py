"""Products of fields: all polynomials of degree two that the group allows, and no others."""

from __future__ import annotations

import pytest
import torch

from gaugenet.groups import O2, O3, SO2, SO3, Dihedral, FieldType
from gaugenet.nn import TensorProductNonlinearity
from tests.groups.cases import elements
from tests.nn.layers import with_random_weights
from tests.tolerances import TOL, relative

CASES = [
    (SO2(), "1x0 + 1x1", "1x0 + 1x1 + 1x2"),
    (SO2(), "2x1", "2x0"),
    (O2(), "1x0- + 1x1", "1x0 + 1x0- + 1x1"),
    (SO3(), "1x0 + 1x1", "1x0 + 1x1 + 1x2"),
    (SO3(), "2x1", "1x1"),  # the cross product
    (O3(), "2x1o", "1x1e + 1x1o + 1x0"),  # there it is a pseudo-vector
    (Dihedral(3), "1xregular", "1x0- + 1x1"),
]


def polynomials(a_type: FieldType, b_type: FieldType) -> int:
    """dim Hom_G(1 + in + Sym^2 in, out), the mean of a character over the group: an oracle without any basis."""
    group = a_type.group
    g = group.random_element(20_000, generator=torch.Generator().manual_seed(0))
    if group.order is not None:
        g = group.elements()
    a, b = a_type.representation(), b_type.representation()
    trace = a(g).diagonal(dim1=-2, dim2=-1).sum(-1)
    square = a(g @ g).diagonal(dim1=-2, dim2=-1).sum(-1)
    characters = (1 + trace + (trace.square() + square) / 2) * b(g).diagonal(dim1=-2, dim2=-1).sum(-1)
    assert (characters.mean() - characters.mean().round()).abs() < 0.3
    return int(characters.mean().round())


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), CASES, ids=str)
def test_they_are_equivariant_polynomials_of_degree_two_and_none_is_missing(group, in_spec, out_spec):
    a, b = FieldType(group, in_spec), FieldType(group, out_spec)
    torch.manual_seed(0)
    x, g = torch.randn(100, a.size, dtype=torch.float64), elements(group, 100)
    values = []
    for _ in range(40):
        layer = with_random_weights(TensorProductNonlinearity(a, b, channels=3)).double()
        y = layer(x)
        assert relative(layer(a.transform(g, x)), b.transform(g, y)) < TOL[torch.float64]
        even, constant = (y + layer(-x)) / 2, layer(torch.zeros_like(x))
        assert relative((layer(3 * x) + layer(-3 * x)) / 2 - constant, 9 * (even - constant)) < TOL[torch.float64]
        values.append(y.detach().flatten())
    assert torch.linalg.matrix_rank(torch.stack(values), rtol=1e-9) == polynomials(a, b)


def test_vectors_of_the_plane_multiply_like_complex_numbers():
    layer = TensorProductNonlinearity(FieldType(SO2(), "1x1"), FieldType(SO2(), "1x2"), channels=1).double()
    with torch.no_grad():
        x = torch.randn(50, 2, dtype=torch.float64)
        y = torch.view_as_complex(layer(x))
        ratio = y / torch.view_as_complex(x).square()
    assert (ratio - ratio[0]).abs().max() < 1e-10 * ratio[0].abs()


def test_control_another_coupling_is_not_equivariant():
    a = FieldType(SO3(), "2x1")
    layer = with_random_weights(TensorProductNonlinearity(a)).double()
    layer._coupling_0 = layer._coupling_0.roll(1, 0)
    x, g = torch.randn(20, a.size, dtype=torch.float64), elements(SO3(), 20)
    assert relative(layer(a.transform(g, x)), a.transform(g, layer(x))) > 0.1


def test_it_starts_at_unit_scale():
    torch.manual_seed(0)
    a = FieldType(SO3(), "32x0 + 32x1 + 32x2")
    y = TensorProductNonlinearity(a)(torch.randn(2000, a.size))
    for block in a.blocks:
        assert 0.7 < block.split(y).square().mean() < 1.5


def test_products_that_the_result_cannot_use_are_left_out():
    a = FieldType(SO3(), "4x0 + 4x1 + 4x2")
    scalars = TensorProductNonlinearity(a, FieldType(SO3(), "4x0"))
    assert scalars.mix.in_type == FieldType(SO3(), "4x0 + 4x0 + 4x0") + a
    assert TensorProductNonlinearity(a).channels == 4
