"""Fields of functions: a coefficient vector that rotates is the function that rotates."""

from __future__ import annotations

import math
import pickle

import pytest
import torch

from gaugenet.groups import O2, O3, SO2, SO3, Axial, Cyclic, Dihedral, FieldType, Polyhedral, intertwiners
from tests.groups.cases import BINARY_TETRAHEDRAL, PERMUTATIONS, QUATERNIONS, SU2, elements
from tests.tolerances import SOLVED, STATISTICAL, TOL

EXACT = TOL[torch.float64]
SPHERES = [SO2(), O2(), Cyclic(4), Dihedral(3), SO3(), O3(), Polyhedral("T_d"), Polyhedral("I"), Axial(SO2())]
COMPACT = [SO2(), O2(), SO3(), O3(), Axial(O2(), third="mirror"), SU2]
WHOLE = [
    *(Cyclic(5), Dihedral(4), Polyhedral("T"), Polyhedral("O_h"), QUATERNIONS, BINARY_TETRAHEDRAL, PERMUTATIONS),
]


def rotated(x: torch.Tensor, rho, g: torch.Tensor) -> torch.Tensor:
    return (rho(g) @ x[..., None])[..., 0]


@pytest.mark.parametrize("group", SPHERES, ids=str)
def test_functions_on_the_sphere_turn(group):
    """f'(v) = f(g^-1 v) for x' = rho(g) x."""
    rho, g = group.sphere(3), elements(group)
    v = torch.nn.functional.normalize(torch.randn(16, group.d, dtype=torch.float64), dim=-1)
    x = torch.randn(16, rho.dim, dtype=torch.float64)
    before = (rho.evaluate((g.mT @ v[..., None])[..., 0]) * x).sum(-1)
    after = (rho.evaluate(v) * rotated(x, rho, g)).sum(-1)
    assert (before - after).abs().max() < EXACT
    wrong = (rho.evaluate(v) * x).sum(-1)
    assert (before - wrong).abs().max() > 0.01


@pytest.mark.parametrize("group", [*COMPACT, *WHOLE], ids=str)
def test_functions_on_the_group_turn(group):
    """f'(h) = f(g^-1 h) for x' = rho(g) x."""
    rho, g, h = group.fourier(2), elements(group), elements(group, seed=1)
    x = torch.randn(16, rho.dim, dtype=torch.float64)
    before = (rho.evaluate(g.mT @ h) * x).sum(-1)
    after = (rho.evaluate(h) * rotated(x, rho, g)).sum(-1)
    assert (before - after).abs().max() < EXACT
    assert ((rho.evaluate(g @ h) * x).sum(-1) - after).abs().max() > 0.01


@pytest.mark.parametrize("group", WHOLE, ids=str)
def test_all_functions_on_a_finite_group_are_the_regular_representation(group):
    """The evaluation at all elements is orthogonal (Plancherel) and intertwines the two."""
    rho, g = group.fourier(9), group.elements()
    assert rho.dim == group.order
    values = rho.evaluate(g) / math.sqrt(group.order)
    assert (values @ values.T - torch.eye(group.order, dtype=torch.float64)).abs().max() < EXACT
    assert (group.regular()(g) @ values - values @ rho(g)).abs().max() < SOLVED
    assert sorted(rho.decompose().labels) == sorted(group.regular().decompose().labels)


@pytest.mark.parametrize("group", [SO2(), O2(), SO3(), O3()], ids=str)
def test_the_basis_is_orthonormal_under_the_mean(group):
    values = group.fourier(1).evaluate(elements(group, 60000))
    gram = values.T @ values / len(values)
    assert (gram - torch.eye(values.shape[1], dtype=torch.float64)).abs().max() < STATISTICAL
    v = elements(group, 60000)[:, :, 0]
    values = group.sphere(1).evaluate(v)
    assert (values.T @ values / len(v) - torch.eye(values.shape[1], dtype=torch.float64)).abs().max() < STATISTICAL


def test_dimensions_are_those_of_peter_and_weyl():
    assert SO3().fourier(3).dim == sum((2 * l + 1) ** 2 for l in range(4))
    assert SO3().sphere(3).dim == 16
    assert SO2().fourier(3).dim == SO2().sphere(3).dim == 7
    assert O2().fourier(2).decompose().labels == ["0", "0-", "1", "1", "2", "2"]
    assert SU2.fourier(2).dim == 1 + 4 + 9  # spins 0, 1/2, 1: (2 s + 1)^2


def test_functions_on_the_sphere_are_those_on_the_group_that_the_stabilizer_fixes():
    """SO(3) / SO(2): each order occurs once, as vectors fixed by rotations about z say."""
    for l, part in enumerate(SO3().sphere(3).decompose().irreps):
        assert part == SO3().irrep(l)
        assert len(SO3().irrep(l).restrict(Axial(SO2())).invariants) == 1


def test_field_types_of_functions():
    field_type = FieldType(SO3(), "2xsphere(2) + 1xfourier(1)")
    assert field_type.size == 2 * 9 + 10
    for same in (FieldType(SO3(), str(field_type)), pickle.loads(pickle.dumps(field_type))):
        assert same == field_type
    assert torch.equal(
        pickle.loads(pickle.dumps(O2().fourier(2))).evaluate(elements(O2())), O2().fourier(2).evaluate(elements(O2()))
    )
    assert len(intertwiners(SO3().sphere(2), SO3().sphere(3))) == 3
    with pytest.raises(ValueError, match="with an order L"):
        SO3().representation("sphere(x)")
