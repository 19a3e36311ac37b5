"""Field types: what they parse and print, how features are laid out, how they transform."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaugenet.geometry import Icosphere
from gaugenet.groups import O2, SO2, Cyclic, Dihedral, FieldType, Reflection
from tests.groups.cases import GROUPS, elements, representations
from tests.tolerances import TOL

TYPES = [FieldType(group, [(rho, 1 + k % 3) for k, rho in enumerate(representations(group))]) for group in GROUPS]


def test_the_ways_to_say_it():
    expected = FieldType(SO2(), "5x0 + 4x1")
    assert expected.size == 5 + 2 * 4
    assert expected.num_fields == 9
    assert expected.slices == (slice(0, 5), slice(5, 13))
    for spec in (
        {0: 5, 1: 4},
        {"0": 5, "1": 4},
        "5x0+4x1",
        " 5x0 +4x1 ",
        [(0, 5), ("1", 4)],
        expected,
        {0: 5, 2: 0, 1: 4},
    ):
        assert FieldType(SO2(), spec) == expected
    assert FieldType(SO2(), [(SO2().irrep(0), 5), (SO2().irrep(1), 4)]) == expected
    assert FieldType(SO2(), "1") == FieldType(SO2(), "1x1")
    assert FieldType(Cyclic(4), {"regular": 3}).size == 12
    assert FieldType(Dihedral(4), "2xquotient(C_2) + induced(C_4,1)").size == 12
    assert FieldType(O2(), "3x0- + 2x1").size == 7


@pytest.mark.parametrize("field_type", TYPES, ids=lambda t: t.group.name)
def test_print_parse_pickle_copy(field_type):
    copies = [pickle.loads(pickle.dumps(field_type)), copy.deepcopy(field_type)]
    for same in (FieldType(field_type.group, str(field_type)), *copies):
        assert same == field_type
        assert hash(same) == hash(field_type)
        assert str(same) == str(field_type)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40)), max_size=5))
@settings(deadline=None, max_examples=50)
def test_print_parse_round_trip(pairs):
    field_type = FieldType(SO2(), pairs)
    assert FieldType(SO2(), str(field_type)) == field_type
    assert field_type.size == sum(m * (1 if k == 0 else 2) for k, m in pairs)


def test_layout_dimension_outer_multiplicity_inner():
    """`8x1` is laid out as eight first components, then eight second components."""
    field_type = FieldType(SO2(), "2x0 + 8x1")
    x = torch.arange(18.0)[None]
    vectors = field_type.blocks[1].split(x)
    assert vectors.shape == (1, 2, 8)
    assert torch.equal(vectors[:, 0], x[:, 2:10])
    assert torch.equal(vectors[:, 1], x[:, 10:])
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    assert torch.equal(field_type.transform(quarter, x), torch.cat([x[:, :2], -x[:, 10:], x[:, 2:10]], 1))


@pytest.mark.parametrize("field_type", TYPES, ids=lambda t: t.group.name)
def test_channels_are_dimension_one_on_grids_too(field_type):
    """One element for all, one an image, one a pixel: each pixel rotates as a point of a graph does."""
    x = torch.randn(2, field_type.size, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pixels = x.movedim(1, -1).flatten(0, 2)
    for shape in [(), (2,), (2, 1, 1), (1, 3, 4), (2, 3, 4)]:
        g = elements(field_type.group, max(math.prod(shape), 1)).view(*shape, field_type.group.d, field_type.group.d)
        spread = g if shape == () else g.view(*shape, *[1] * (3 - len(shape)), *g.shape[-2:])
        each = spread.expand(2, 3, 4, -1, -1).flatten(0, 2)
        got = field_type.transform(g, x).movedim(1, -1).flatten(0, 2)
        assert (got - field_type.transform(each, pixels)).abs().max() < TOL[torch.float64]


@pytest.mark.parametrize("field_type", TYPES, ids=lambda t: t.group.name)
def test_transform_is_the_representation_of_the_fibre(field_type):
    g, h = elements(field_type.group, 8), elements(field_type.group, 8, seed=1)
    x = torch.randn(8, field_type.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    tol = TOL[torch.float64]
    y = field_type.transform(g, x)
    assert (y - (field_type.representation()(g) @ x[..., None])[..., 0]).abs().max() < tol
    assert (field_type.transform(g @ h, x) - field_type.transform(g, field_type.transform(h, x))).abs().max() < tol
    assert (field_type.transform(g[0], x)[0] - y[0]).abs().max() < tol
    assert (field_type.transform(g[:1], x[:1]) - y[:1]).abs().max() < tol


def test_control_another_layout_transforms_differently():
    field_type = FieldType(SO2(), "3x1")
    x = torch.randn(1, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    g = elements(SO2(), 1)[0]
    swapped = x.view(2, 3).T.reshape(1, 6)
    wrong = field_type.transform(g, swapped).view(3, 2).T.reshape(1, 6)
    assert (field_type.transform(g, x) - wrong).abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_transform_keeps_the_precision_of_features(dtype):
    field_type = FieldType(SO2(), "2x0 + 2x1")
    assert field_type.transform(elements(SO2(), 5), torch.ones(5, 6, dtype=dtype)).dtype == dtype


def test_sums_multiples_and_restrictions():
    a, b = FieldType(SO2(), "2x0"), FieldType(SO2(), "1x1")
    assert a + b == FieldType(SO2(), "2x0 + 1x1")
    assert (a + b) * 3 == FieldType(SO2(), "6x0 + 3x1")
    assert a.is_invariant
    assert not (a + b).is_invariant
    small = FieldType(O2(), "2x0 + 1x1").restrict(Reflection())
    assert small.group == Reflection()
    assert small.size == 4
    assert small.invariant_dim() == 3  # the two scalars, and the vector along the axis of reflection
    with pytest.raises(ValueError, match="one group"):
        a + FieldType(O2(), "1x0")


def test_invariant_dim_counts_biases():
    assert FieldType(SO2(), "5x0 + 4x1 + 3x2").invariant_dim() == 5
    assert FieldType(O2(), "5x0 + 4x0- + 3x1").invariant_dim() == 5
    assert FieldType(Dihedral(4), "3xregular").invariant_dim() == 3


def test_the_empty_type():
    empty = FieldType(SO2(), "")
    assert empty.size == 0
    assert empty == FieldType(SO2(), str(empty))
    assert empty.transform(elements(SO2(), 3), torch.zeros(3, 0)).shape == (3, 0)


@pytest.mark.parametrize(
    "spec", ["axb", "-3x0", "5x0 + ", "2x0-", {0: -1}, {0: 1.5}, {0: "3"}, {0: None}, [("nothing", 2)], "2x"]
)
def test_malformed_specifications(spec):
    with pytest.raises(ValueError, match=r"representation|multiplicity"):
        FieldType(SO2(), spec)


def test_features_of_the_wrong_size_are_named():
    field_type = FieldType(SO2(), "2x0 + 1x1")
    with pytest.raises(ValueError, match=r"`x` with 4 channels in dimension 1 .* got 3 \(shape \(7, 3\)\)"):
        field_type.transform(elements(SO2(), 7), torch.zeros(7, 3))
    with pytest.raises(ValueError, match=r"got none \(shape \(4,\)\)"):
        field_type.check(torch.zeros(4))


@pytest.mark.parametrize("wrong", [np.zeros((7, 4), np.float32), None, Icosphere(1).gauge_graph(SO2())])
def test_features_that_are_no_tensor_are_named(wrong):
    """An array, or the graph in the place of the features: the answer was an AttributeError inside NumPy or PyG."""
    with pytest.raises(ValueError, match=f"`x` to be a tensor of features, got {type(wrong).__name__}"):
        FieldType(SO2(), "2x0 + 1x1").check(wrong)
