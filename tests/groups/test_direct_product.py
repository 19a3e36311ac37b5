"""Hypercubic groups and products H x SU(N): elements, representations, intertwiners of factors."""

from __future__ import annotations

import math
import pickle

import pytest
import torch

from gaugenet.groups import (
    SO2,
    SU,
    U1,
    Cyclic,
    Dihedral,
    DirectProduct,
    FieldType,
    Hypercubic,
    Polyhedral,
    Trivial,
    group_from_name,
    intertwiners,
)
from gaugenet.groups.intertwiners.intertwiner import averaged_intertwiners
from tests.groups.cases import elements
from tests.tolerances import SOLVED, TOL, relative

EXACT = TOL[torch.float64]
PRODUCTS = [
    DirectProduct(Hypercubic(2), SU(2)),
    DirectProduct(Hypercubic(3), U1()),
    DirectProduct(Hypercubic(4), SU(3)),
    DirectProduct(Cyclic(4), SU(2)),
    DirectProduct(Trivial(2), SU(3)),
]
NAMES = ["0", "matrix", "standard*0", "standard*matrix", "axes*fundamental", "(standard⊗standard)*adjoint"]
every_product = pytest.mark.parametrize("group", PRODUCTS, ids=str)


@pytest.mark.parametrize("d", [2, 3, 4])
def test_hypercubic_groups_are_all_signed_permutations(d):
    group = Hypercubic(d)
    g = group.elements()
    assert len(g) == group.order == 2**d * math.factorial(d)
    assert torch.equal(g[0], torch.eye(d).double())
    assert len(torch.unique(g, dim=0)) == len(g)
    assert torch.equal(g.abs().sum(1), torch.ones(len(g), d).double())
    assert group.contains(g @ elements(group, 1)).all()
    assert not group.contains(0.9 * g).any()
    known = {2: Dihedral(4), 3: Polyhedral("O_h")}
    if d in known:
        assert known[d].contains(g).all()
        assert len(g) == known[d].order
    assert group_from_name(group.name) == pickle.loads(pickle.dumps(group)) == group


def test_irreps_of_the_square_and_the_cube():
    """Burnside: squares of dimensions sum to the order; all irreps of signed permutations are of real type."""
    for d, dims in ((2, [1, 1, 1, 1, 2]), (3, [1, 1, 1, 1, 2, 2, 3, 3, 3, 3])):
        irreps = Hypercubic(d).irreps()
        assert sorted(rho.dim for rho in irreps) == dims
        assert {rho.type for rho in irreps} == {"real"}


@pytest.mark.parametrize("d", [2, 3, 4])
def test_named_representations_are_homomorphisms(d):
    group = Hypercubic(d)
    g, h = elements(group), elements(group, seed=1)
    for name, dim in (("vector", d), ("bivector", d * (d - 1) // 2), ("axes", d), ("planes", d * (d - 1) // 2)):
        rho = group.representation(name)
        assert rho.dim == dim
        assert torch.equal(rho(g @ h), rho(g) @ rho(h))
        assert pickle.loads(pickle.dumps(rho)) == rho
    antisymmetric = torch.randn(d, d, dtype=torch.float64)
    antisymmetric = antisymmetric - antisymmetric.T
    i, j = torch.triu_indices(d, d, 1)
    moved = g @ antisymmetric @ g.mT
    assert relative(group.irrep("bivector")(g) @ antisymmetric[i, j], moved[:, i, j]) < EXACT
    assert group.exterior(2) == group.representation("exterior(2)") == group.irrep("bivector")


@every_product
def test_representations_are_homomorphisms(group):
    g, h = elements(group), elements(group, seed=1)
    assert group.contains(g).all()
    assert group.contains(g @ h).all()
    assert group.contains(group.generators()).all()
    assert not group.contains(1.1 * g).any()
    assert group_from_name(group.name, group.spatial.d) == pickle.loads(pickle.dumps(group)) == group
    for name in NAMES:
        if "axes" in name and not isinstance(group.spatial, Hypercubic):
            continue
        rho = group.representation(name)
        assert relative(rho(g @ h), rho(g) @ rho(h)) < EXACT
        assert pickle.loads(pickle.dumps(rho)) == rho
        inner = group.split(g)[1]  # elements of the internal group alone stand for diag(1, k)
        one = group.element(group.spatial.identity(), inner)
        assert relative(rho(inner), rho(one)) < EXACT


def test_outer_products_are_kronecker_products():
    group = DirectProduct(Hypercubic(3), SU(2))
    h, k = elements(Hypercubic(3), 1)[0], elements(SU(2), 1)[0]
    rho = group.representation("vector*matrix")
    assert relative(rho(group.element(h, k)), torch.kron(h, SU(2).irrep("matrix")(k))) < EXACT


@pytest.mark.parametrize(
    ("first", "second"),
    [("vector*matrix", "vector*matrix"), ("vector*matrix", "axes*adjoint"), ("axes*0", "0"), ("matrix", "vector*0")],
)
def test_intertwiners_are_those_of_averages_over_the_whole_group(first, second):
    """The rule (products of intertwiners of the factors) next to averages, which know nothing of factors."""
    group = DirectProduct(Hypercubic(2), SU(2))
    a, b = group.representation(first), group.representation(second)
    maps = intertwiners(a, b)
    g = elements(group)
    assert maps.shape == (len(averaged_intertwiners(a, b)), b.dim, a.dim)
    if len(maps):
        assert relative(b(g)[:, None] @ maps, maps @ a(g)[:, None]) < SOLVED
        assert relative(maps, averaged_intertwiners(a, b)) < SOLVED


def test_decomposition_and_tensor_products():
    group = DirectProduct(Hypercubic(2), SU(2))
    rho = group.representation("axes*matrix")
    found = rho.decompose()
    assert sorted(found.labels) == sorted(2 * ["0", "2.1*0", "adjoint", "2.1*adjoint"])  # 2.1 is xx - yy
    g = elements(group)
    assert relative(found(g), rho(g)) < SOLVED
    for first, second in (("vector*0", "vector*matrix"), ("vector*matrix", "fundamental"), ("vector*matrix",) * 2):
        a, b = group.representation(first), group.representation(second)
        expected = torch.einsum("gij,gkl->gikjl", a(g), b(g)).reshape(len(g), a.dim * b.dim, -1)
        assert relative(a.tensor(b)(g), expected) < EXACT


def test_fields_of_the_internal_group_are_a_special_case():
    """A field type without directions transforms as the type of SU(N), and a gauge transformation needs no h."""
    group = DirectProduct(Hypercubic(4), SU(3))
    spec = "2xmatrix + 3xfundamental + 1xadjoint"
    fields, plain = FieldType(group, spec), FieldType(SU(3), spec)
    x, k = torch.randn(5, plain.size, dtype=torch.float64), elements(SU(3), 5)
    assert fields.size == plain.size
    assert relative(fields.transform(k, x), plain.transform(k, x)) < EXACT


def test_arguments():
    group = DirectProduct(Hypercubic(2), SU(2))
    for make, message in [
        (lambda: Hypercubic(5), "2, 3 or 4"),
        (lambda: Hypercubic(0), "positive"),
        (lambda: DirectProduct(SO2(), SU(2)), "finite group"),
        (lambda: DirectProduct(Hypercubic(2), SO2()), "`internal`"),
        (lambda: FieldType(group, "1xspin*matrix"), "Unknown representation 'spin\\*matrix'"),
        (lambda: FieldType(group, "1xvector"), "expected `a\\*b`"),
        (lambda: FieldType(group, "1xvector*vector*matrix"), "one representation of each factor"),
        (lambda: group.split(torch.eye(3)), "matrices of size 4"),
        (lambda: group.harmonic(1), "internal fibre"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
