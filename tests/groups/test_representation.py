"""Representations are homomorphisms; their irreps, sums, products, restrictions and inductions obey the textbook."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from gaugenet.groups import (
    O2,
    SO2,
    Axial,
    Cyclic,
    Dihedral,
    Reflection,
    Representation,
    Trivial,
    clebsch_gordan,
    intertwiners,
)
from gaugenet.groups.representations.planar import rotation
from tests.groups.cases import FINITE, GROUPS, SU2, SUBGROUPS, elements, representations
from tests.tolerances import SOLVED, TOL

EXACT = TOL[torch.float64]
ALL = [rho for group in GROUPS for rho in representations(group)]
IRREPS = [rho for group in GROUPS for rho in group.irreps(4)]


def defect(rho: Representation, group) -> float:
    """How far rho is from a homomorphism on a group."""
    g, h = elements(group), elements(group, seed=1)
    return (rho(g @ h) - rho(g) @ rho(h)).abs().max().item()


@pytest.mark.parametrize("rho", ALL, ids=repr)
def test_homomorphism_and_orthogonal(rho):
    group = rho.group
    eye = torch.eye(rho.dim, dtype=torch.float64)
    assert defect(rho, group) < EXACT
    assert (rho(group.identity()) - eye).abs().max() < EXACT
    g = elements(group)
    assert (rho(g) @ rho(g).mT - eye).abs().max() < EXACT
    assert rho(g.reshape(4, 4, *g.shape[1:])).shape == (4, 4, rho.dim, rho.dim)


@pytest.mark.parametrize(
    "rho", [SO2().irrep(2), Cyclic(4).irrep(1), Cyclic(4).regular(), O2().quotient(SO2())], ids=repr
)
def test_control_what_is_no_representation_is_no_homomorphism(rho):
    shifted = Representation(rho.group, "shifted", rho.dim, lambda g: rho(g) @ rho(g) @ rho(g.mT @ g.mT @ g.mT) * 2)
    assert defect(shifted, rho.group) > 0.1


def test_control_the_regular_representation_is_none_of_a_larger_group():
    assert defect(Cyclic(4).regular(), Cyclic(6)) > 0.1


@pytest.mark.parametrize("rho", ALL, ids=repr)
def test_permutations_are_permutations(rho):
    matrices = rho(elements(rho.group, 64))
    is_permutation = bool((((matrices == 0) | (matrices == 1)).all()) and (matrices.sum(-1) == 1).all())
    if rho.permutation:
        assert is_permutation


def test_control_vectors_are_not_permuted():
    assert not O2().irrep(1).permutation
    assert not O2().irrep("0-").permutation


def algebra(rho: Representation) -> str:
    """By Frobenius and Schur for finite groups: the mean of chi(g^2) is 1, 0, -2; for others the textbook."""
    group = rho.group
    if group.order:
        g = group.elements()
        indicator = rho(g @ g).diagonal(dim1=-2, dim2=-1).sum().item() / group.order
        return {1: "real", 0: "complex", -2: "quaternionic"}[round(indicator)]
    if group == SU2:
        return "real" if rho.order % 2 == 0 else "quaternionic"
    return "complex" if group in (SO2(), Axial(SO2())) and rho.dim == 2 else "real"


@pytest.mark.parametrize("rho", IRREPS, ids=repr)
def test_irreps_are_irreducible(rho):
    """End_G(rho) is R, C or H; a sum of two has four times as many."""
    dim = {"real": 1, "complex": 2, "quaternionic": 4}[algebra(rho)]
    assert len(intertwiners(rho, rho)) == len(rho.endomorphisms) == dim
    assert rho.type == algebra(rho)
    assert len(intertwiners(rho + rho, rho + rho)) == 4 * dim


def test_the_algebra_of_what_is_reducible_has_no_name():
    with pytest.raises(ValueError, match="Expected an irrep"):
        SO2().irrep(1).tensor(SO2().irrep(1)).type  # noqa: B018


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_schur_no_intertwiner_between_different_irreps(group):
    irreps = group.irreps(4)
    for i, a in enumerate(irreps):
        for b in irreps[:i]:
            assert len(intertwiners(a, b)) == 0


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_characters_are_orthogonal(group):
    """<chi_a, chi_b> = delta_ab dim End: the same theorem, by summation over the group."""
    irreps = group.irreps()
    chi = torch.stack([rho(group.elements()).diagonal(dim1=-2, dim2=-1).sum(-1) for rho in irreps])
    expected = torch.tensor([float(len(intertwiners(rho, rho))) for rho in irreps], dtype=torch.float64)
    assert (chi @ chi.T / group.order - torch.diag(expected)).abs().max() < EXACT


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_the_regular_representation_holds_every_irrep(group):
    """With multiplicity dim / dim End (Peter-Weyl for real irreps)."""
    labels = group.regular().decompose().labels
    for rho in group.irreps():
        assert labels.count(rho.name) == rho.dim // len(intertwiners(rho, rho))
    assert sum(group.irrep(label).dim for label in labels) == group.order


@pytest.mark.parametrize("rho", ALL, ids=repr)
def test_decompositions_reconstruct(rho):
    found = rho.decompose()
    g = elements(rho.group)
    assert (found.basis @ found.basis.T - torch.eye(rho.dim, dtype=torch.float64)).abs().max() < SOLVED
    assert (found(g) - rho(g)).abs().max() < SOLVED


def test_decompose_says_when_the_order_is_too_low():
    with pytest.raises(ValueError, match="raise `max_order`"):
        SO2().irrep(5).decompose(4)
    assert SO2().irrep(5).decompose().labels == ["5"]


def test_clebsch_gordan_of_rotations():
    """m (x) n = |m - n| + (m + n); an irrep of order 0 twice for SO(2), trivial and sign for O(2)."""
    assert clebsch_gordan(SO2().irrep(2), SO2().irrep(5)).labels == ["3", "7"]
    assert clebsch_gordan(SO2().irrep(2), SO2().irrep(2)).labels == ["0", "0", "4"]
    assert clebsch_gordan(O2().irrep(2), O2().irrep(2)).labels == ["0", "0-", "4"]
    assert clebsch_gordan(O2().irrep("0-"), O2().irrep("0-")).labels == ["0"]


def test_clebsch_gordan_coefficients_are_those_of_complex_numbers():
    """(a + i b)(c + i d) spans the order m + n in the product of orders m and n."""
    found = clebsch_gordan(SO2().irrep(1), SO2().irrep(2))
    columns = found.basis[:, 2:]
    product = torch.tensor([[1.0, 0, 0, -1], [0, 1, 1, 0]], dtype=torch.float64).T / 2**0.5
    assert (columns @ columns.T - product @ product.T).abs().max() < EXACT


@pytest.mark.parametrize(("large", "small"), SUBGROUPS, ids=str)
def test_frobenius_reciprocity(large, small):
    """dim Hom_G(Ind rho, sigma) = dim Hom_H(rho, Res sigma)."""
    for rho in small.irreps(2):
        induced = large.induced(small, rho)
        for sigma in large.irreps(2):
            assert len(intertwiners(induced, sigma)) == len(intertwiners(rho, sigma.restrict(small)))


@pytest.mark.parametrize(("large", "small"), SUBGROUPS, ids=str)
def test_inducing_multiplies_the_dimension_by_the_index(large, small):
    index = len(large.coset_representatives(small))
    assert large.quotient(small).dim == index
    for rho in small.irreps(1):
        assert large.induced(small, rho).dim == index * rho.dim


def test_induction_in_stages():
    """Ind_H^G from {e} through C_2 is the regular representation, up to the order of its basis."""
    group, middle = Cyclic(4), Cyclic(2)
    staged = group.induced(middle, middle.regular())
    assert staged.decompose().labels == group.regular().decompose().labels
    assert staged.permutation


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_standard_is_the_matrix_itself(group):
    g = elements(group)
    assert torch.equal(group.standard()(g), g) or (group.standard()(g) - g).abs().max() < EXACT


def test_restriction_keeps_the_matrices_and_scalars_stay_scalars():
    rho = O2().irrep(1)
    g = elements(Dihedral(4))
    assert torch.equal(rho.restrict(Dihedral(4))(g), rho(g))
    assert O2().irrep("0-").restrict(SO2()).decompose().labels == ["0"]
    assert O2().trivial().restrict(Cyclic(3)).is_trivial
    assert O2().irrep(2).restrict(O2()) is not None
    with pytest.raises(ValueError, match="not a subgroup"):
        SO2().irrep(1).restrict(O2())


@pytest.mark.parametrize("rho", ALL, ids=repr)
def test_names_pickles_and_copies_give_the_representation_back(rho):
    g = elements(rho.group)
    for same in (rho.group.representation(rho.name), pickle.loads(pickle.dumps(rho)), copy.deepcopy(rho)):
        assert same == rho
        assert hash(same) == hash(rho)
        assert (same.dim, same.order, same.permutation) == (rho.dim, rho.order, rho.permutation)
        assert torch.equal(same(g), rho(g))


def test_a_representation_without_a_readable_name_does_not_pickle():
    mine = Representation(SO2(), "mine", 1, lambda g: g[..., :1, :1])
    with pytest.raises(ValueError, match="mine"):
        pickle.dumps(mine)


def test_equality_needs_group_and_name():
    assert SO2().irrep(1) == SO2().irrep(1) == SO2().standard()
    assert SO2().irrep(1) != O2().irrep(1)
    assert SO2().irrep(1) != SO2().irrep(2)
    assert len({SO2().irrep(k % 3) for k in range(9)}) == 3


@pytest.mark.parametrize(
    ("group", "label"),
    [
        (SO2(), "0-"), (SO2(), -1), (SO2(), "vector"), (O2(), "1-"), (Cyclic(4), 3), (Cyclic(4), "2-"),
        (Dihedral(3), "1-"), (Reflection(), 1), (Trivial(), 1), (Cyclic(4), "quotient(C_4"), (Cyclic(4), 1.5),
    ],
)  # fmt: skip
def test_unknown_labels_name_the_ones_there_are(group, label):
    with pytest.raises(ValueError, match=r"Unknown representation .* (expected|only)"):
        group.representation(label)


def test_wrong_groups_are_named():
    with pytest.raises(ValueError, match=r"C_4.*SO\(2\)"):
        Cyclic(4).representation(SO2().irrep(1))
    with pytest.raises(ValueError, match="one group"):
        SO2().irrep(1).tensor(O2().irrep(1))
    with pytest.raises(ValueError, match="one group"):
        SO2().irrep(1) + O2().irrep(1)
    with pytest.raises(ValueError, match="Expected a representation of C_2"):
        Cyclic(4).induced(Cyclic(2), Cyclic(4).irrep(1))
    with pytest.raises(ValueError, match="max_order"):
        SO2().irreps()
    with pytest.raises(ValueError, match="Expected `quotient"):
        Cyclic(4).representation("induced(C_2)")


@pytest.mark.parametrize("group", [SO2(), O2()], ids=str)
def test_the_derivative_is_the_slope(group):
    x = SO2().lie_algebra()[0]
    for rho in [*group.irreps(3), group.irrep(1).tensor(group.irrep(2))]:
        slope = (rho(rotation(torch.tensor(1e-6).double())) - rho(rotation(torch.tensor(-1e-6).double()))) / 2e-6
        assert (rho.derivative(x) - slope).abs().max() < 1e-8
