"""Exterior powers and types of multivectors: homomorphisms, minors, products, names, and what is refused."""

from __future__ import annotations

import copy
import itertools
import pickle

import pytest
import torch

from gaugenet.groups import (
    O2,
    O3,
    SO2,
    SO3,
    CliffordAlgebra,
    Cyclic,
    Dihedral,
    FieldType,
    GeneralLinear,
    Polyhedral,
    PseudoOrthogonal,
    SpecialLinear,
    intertwiners,
    multivector,
)
from gaugenet.groups.clifford.fields import algebra_of, grade_of, grades_of
from tests.groups.cases import elements
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
PSEUDO = [
    PseudoOrthogonal(p, q, part=part)
    for p, q in [(1, 1), (1, 2), (2, 1), (1, 3), (2, 2), (1, 4)]
    for part in ("O", "SO", "SO+")
]
ISOMETRIES = [O2(), SO2(), O3(), SO3(), Cyclic(4), Dihedral(3), Polyhedral("O_h"), *PSEUDO]
GROUPS = [*ISOMETRIES, GeneralLinear(2), GeneralLinear(3), SpecialLinear(3)]
every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


@every_group
def test_exterior_powers_are_the_minors_and_homomorphisms(group):
    g, h = elements(group, 6), elements(group, 6, seed=1)
    for k in range(group.d + 1):
        rho = group.exterior(k)
        subsets = list(itertools.combinations(range(group.d), k))
        expected = torch.stack(
            [torch.stack([torch.linalg.det(g[:, rows][:, :, columns]) for columns in subsets], -1) for rows in subsets],
            1,
        )
        assert relative(rho(g), expected) < 100 * EXACT
        assert relative(rho(g @ h), rho(g) @ rho(h)) < 100 * EXACT
        assert rho(g).shape == (6, len(subsets), len(subsets))
        assert group.representation(rho.name) == rho
        assert pickle.loads(pickle.dumps(rho)) == rho
        assert rho.is_irreducible in (True, False)
    with pytest.raises(ValueError, match="between 0 and"):
        group.exterior(group.d + 1)


@every_group
def test_wedge_products_transform_by_the_exterior_powers(group):
    """Lambda(g)(a ^ b) = Lambda(g) a ^ Lambda(g) b for GL(d); all products for isometries, not for a shear."""
    algebra, kind = CliffordAlgebra(group.d), multivector(group)
    if not isinstance(group, GeneralLinear):
        algebra = algebra_of(group)
    a, b = torch.randn(2, 6, algebra.dim, dtype=torch.float64)
    g = elements(group, 6)
    products = [algebra.wedge]
    if not isinstance(group, GeneralLinear):
        products += [algebra.geometric_product, algebra.left_contraction, algebra.right_contraction]
    for product in products:
        error = relative(product(kind.transform(g, a), kind.transform(g, b)), kind.transform(g, product(a, b)))
        assert error < 1000 * EXACT, "boosts enlarge rounding"
    shear = torch.eye(group.d, dtype=torch.float64)
    shear[0, 1] = 0.5
    general = multivector(GeneralLinear(group.d))
    moved = [general.transform(shear, x) for x in (a, b)]
    wrong = algebra.geometric_product(*moved) - general.transform(shear, algebra.geometric_product(a, b))
    assert wrong.abs().max() > 0.01


def test_bivectors_of_space_time_are_neither_symmetric_nor_products_of_what_was_there():
    group = PseudoOrthogonal(1, 3)
    rho = group.exterior(2)
    assert rho.dim == 6
    assert len(intertwiners(rho, rho)) == 1
    assert len(intertwiners(rho, group.irrep(2))) == 0
    assert len(intertwiners(group.standard().tensor(group.standard()), rho)) == 1
    connected = PseudoOrthogonal(1, 3, part="SO+").exterior(2)
    assert len(intertwiners(connected, connected)) == 2, "with the Hodge dual"


def test_exterior_powers_of_rotations_decompose_into_irreps():
    assert O3().exterior(2).decompose().labels == ["1e"]
    assert SO3().exterior(2).decompose().labels == ["1"]
    assert O2().exterior(2).name == "0-"
    assert O3().exterior(3).name == "0o"


def test_restriction_to_a_subgroup():
    group, subgroup = PseudoOrthogonal(1, 2), PseudoOrthogonal(1, 2, part="SO+")
    restricted = multivector(group, multiplicity=2).restrict(subgroup)
    g = elements(subgroup, 3)
    x = torch.randn(3, restricted.size, dtype=torch.float64)
    assert relative(restricted.transform(g, x), multivector(subgroup, multiplicity=2).transform(g, x)) < EXACT


@pytest.mark.parametrize("group", ISOMETRIES, ids=str)
def test_grades_are_known(group):
    kind = multivector(group, multiplicity=3)
    assert [b.representation.dim for b in kind.blocks] == [
        len(list(itertools.combinations(range(group.d), k))) for k in range(group.d + 1)
    ]
    assert grades_of(kind) == tuple(range(group.d + 1))
    for same in (FieldType(group, str(kind)), copy.deepcopy(kind), pickle.loads(pickle.dumps(kind))):
        assert same == kind
        assert grades_of(same) == grades_of(kind)
    assert multivector(group, (1, 0), (5, 2)) == FieldType(group, [(group.exterior(0), 5), (group.exterior(1), 2)])
    assert grade_of(group.standard().tensor(group.standard())) is None


def test_bad_input():
    group = PseudoOrthogonal(1, 2)
    for grades in [(4,), (-1,), (1, 1), (True,), (0.5,)]:
        with pytest.raises(ValueError, match="different numbers between 0 and 3"):
            multivector(group, grades)
    with pytest.raises(ValueError, match="one for each of the grades"):
        multivector(group, multiplicity=(1, 2))
    with pytest.raises(ValueError, match="non-negative integer multiplicity"):
        multivector(group, multiplicity=1.5)
    with pytest.raises(ValueError, match="`group` to be a StructureGroup"):
        multivector("O(1,2)")
    with pytest.raises(ValueError, match="made of exterior powers"):
        grades_of(FieldType(group, "1x2"))
    with pytest.raises(ValueError, match="group of isometries"):
        algebra_of(GeneralLinear(3))
    with pytest.raises(ValueError, match=r"exterior\(x\)|grade"):
        group.representation("exterior(x)")


@every_group
def test_derivative_of_minors(group):
    g = elements(group, 1)[0].requires_grad_()
    for k in range(1, group.d + 1):
        assert torch.autograd.gradcheck(group.exterior(k), (g,)) or group.exterior(k).dim == 1
