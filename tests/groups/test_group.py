"""Groups are closed, know their elements, and draw from the Haar measure."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from gaugenet.groups import O2, SO2, Cyclic, Dihedral, Reflection, Trivial, group_from_name
from gaugenet.groups.representations.planar import reflection_axis, rotation
from tests.groups.cases import FINITE, GROUPS, INFINITE, SUBGROUPS, elements
from tests.tolerances import STATISTICAL


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_products_and_inverses_stay_in_the_group(group):
    g, h = elements(group, 64), elements(group, 64, seed=1)
    assert group.contains(g @ h).all()
    assert group.contains(torch.linalg.inv(g)).all()
    assert group.contains(group.identity())
    assert group.contains(group.generators()).all()


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_random_elements_have_the_asked_precision_and_shape(group, dtype):
    for size, shape in ((5, (5,)), ((2, 3), (2, 3)), ((), ())):
        g = group.random_element(size, generator=torch.Generator().manual_seed(0), dtype=dtype)
        assert g.shape == (*shape, group.d, group.d)
        assert g.dtype == dtype
        assert group.contains(g).all()


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_a_finite_group_lists_its_elements_and_only_those(group):
    g = group.elements()
    assert torch.equal(g[0], group.identity())
    assert len(torch.unique(g.flatten(1).round(decimals=9), dim=0)) == group.order == len(g)
    assert torch.equal(group.element_index(g), torch.arange(group.order))
    generated = {0}
    while True:
        index = torch.tensor(sorted(generated))
        more = generated | set(group.element_index(g[index][:, None] @ group.generators()).flatten().tolist())
        if more == generated:
            break
        generated = more
    assert len(generated) == group.order


def test_contains_refuses_what_lies_outside():
    by_an_angle = rotation(torch.tensor(0.3, dtype=torch.float64))
    assert SO2().contains(by_an_angle)
    assert not SO2().contains(reflection_axis())
    assert O2().contains(reflection_axis() @ by_an_angle)
    assert not O2().contains(1.01 * by_an_angle)
    assert not O2().contains(torch.full((2, 2), torch.nan))
    assert not Cyclic(4).contains(by_an_angle)
    assert not Cyclic(4).contains(reflection_axis())
    assert Dihedral(4).contains(reflection_axis())
    assert Reflection().contains(reflection_axis())
    assert not Reflection().contains(-reflection_axis())
    assert not Trivial().contains(by_an_angle)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_orientation(group):
    assert group.orientation_preserving == bool((torch.linalg.det(elements(group, 64)) > 0).all())


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_draws_are_haar_distributed(group):
    """A left translate has the same mean of functions; here of the entries and of their products."""
    g = elements(group, 40000)
    translated = elements(group, 1, seed=7) @ g
    products = torch.stack([torch.einsum("nij,nkl->ijkl", h, h) / len(h) for h in (g, translated)])
    assert (g.mean(0) - translated.mean(0)).abs().max() < STATISTICAL
    assert (products[0] - products[1]).abs().max() < STATISTICAL


def test_control_a_biased_draw_is_not_haar():
    g = rotation(torch.rand(40000, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    translated = rotation(torch.tensor(1.0, dtype=torch.float64)) @ g
    assert (g.mean(0) - translated.mean(0)).abs().max() > STATISTICAL


@pytest.mark.parametrize("group", INFINITE, ids=str)
def test_the_lie_algebra_generates_elements(group):
    assert group.contains(torch.linalg.matrix_exp(0.7 * group.lie_algebra())).all()
    with pytest.raises(ValueError, match="not finite"):
        group.elements()


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_names_give_the_group_back(group):
    for same in (group_from_name(group.name, group.d), copy.deepcopy(group), pickle.loads(pickle.dumps(group))):
        assert same == group
        assert hash(same) == hash(group)
    assert repr(group) == group.name


def test_names_are_distinct():
    assert len({(g.name, g.d) for g in GROUPS}) == len(GROUPS)
    assert Cyclic(4) != Dihedral(4)


@pytest.mark.parametrize("name", ["SO(4)", "C_0", "C_", "X_4", "", "C_4.5"])
def test_unknown_names(name):
    with pytest.raises(ValueError, match="Unknown structure group"):
        group_from_name(name)


@pytest.mark.parametrize("make", [Cyclic, Dihedral])
@pytest.mark.parametrize("n", [0, -1, 2.5, "4", None, True])
def test_group_orders_are_positive_integers(make, n):
    with pytest.raises(ValueError, match="positive integer"):
        make(n)


@pytest.mark.parametrize(("large", "small"), SUBGROUPS, ids=str)
def test_cosets_tile_the_group(large, small):
    """Every element of G lies in exactly one coset r H."""
    r = large.coset_representatives(small)
    g = elements(large, 64)
    assert (small.contains(r.mT @ g[:, None]).sum(1) == 1).all()
    assert torch.equal(r[0], large.identity())


@pytest.mark.parametrize(("large", "small"), [(Cyclic(4), Cyclic(3)), (SO2(), O2()), (Cyclic(4), SO2())], ids=str)
def test_what_is_no_subgroup_is_refused(large, small):
    with pytest.raises(ValueError, match="not a subgroup"):
        large.coset_representatives(small)


def test_infinite_index_is_refused():
    for large in (SO2(), O2()):
        with pytest.raises(ValueError, match="infinite index"):
            large.quotient(Cyclic(4))
        with pytest.raises(ValueError, match="infinite-dimensional"):
            large.regular()
