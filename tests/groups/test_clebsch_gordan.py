"""Clebsch-Gordan coefficients of SO(3) and O(3): the selection rule, e3nn's spans, and the equations they solve."""

from __future__ import annotations

import itertools

import pytest
import torch

from gaugenet.groups import O3, SO3, clebsch_gordan, intertwiners, spherical_harmonics
from gaugenet.groups.intertwiners.intertwiner import solve_intertwiners
from gaugenet.groups.representations.spherical import coupling
from gaugenet.groups.representations.wigner_coupling import wigner_coupling
from tests.groups.cases import elements
from tests.groups.test_spherical import directions, to_e3nn
from tests.tolerances import SOLVED, TOL, relative

EXACT = TOL[torch.float64]
PAIRS = list(itertools.product(range(7), repeat=2))
TRIPLES = [(a, b, l) for a, b in itertools.product(range(4), repeat=2) for l in range(abs(a - b), a + b + 1)]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_they_couple_and_are_isometric_up_to_order_six(a, b):
    g = elements(SO3(), 4)
    product = SO3().irrep(a).tensor(SO3().irrep(b))
    for l in range(abs(a - b), a + b + 1):
        c = wigner_coupling(a, b, l).flatten(1)
        assert (c @ c.T - torch.eye(2 * l + 1, dtype=torch.float64)).abs().max() < EXACT
        assert (c @ product(g) - SO3().irrep(l)(g) @ c).abs().max() < EXACT


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_selection_rule(a, b):
    found = clebsch_gordan(SO3().irrep(a), SO3().irrep(b))
    assert found.labels == [str(l) for l in range(abs(a - b), a + b + 1)]
    g = elements(SO3(), 4)
    assert (found(g) - SO3().irrep(a).tensor(SO3().irrep(b))(g)).abs().max() < EXACT


@pytest.mark.parametrize(("a", "b", "l"), TRIPLES)
def test_they_are_those_of_e3nn_up_to_sign(a, b, l):
    o3 = pytest.importorskip("e3nn.o3")
    theirs = o3.wigner_3j(a, b, l, dtype=torch.float64)
    p = [to_e3nn(order) for order in (a, b, l)]
    ours = torch.einsum("kij,ai,bj,ck->abc", wigner_coupling(a, b, l), *p) / (2 * l + 1) ** 0.5
    sign = torch.sign((ours * theirs).sum())
    assert sign != 0
    assert relative(sign * ours, theirs) < EXACT
    if a == 2 and b == 1:  # control: without the change of basis they differ
        assert (wigner_coupling(a, b, l).permute(1, 2, 0) / (2 * l + 1) ** 0.5 - theirs).abs().max() > 0.1


@pytest.mark.parametrize(("a", "b", "l"), [t for t in TRIPLES if max(t) <= 3])
def test_they_solve_the_linear_equations(a, b, l):
    """The closed form is the canonical basis that the null space of the generators' equations has."""
    source, target = SO3().irrep(a).tensor(SO3().irrep(b)), SO3().irrep(l)
    assert (intertwiners(source, target) - solve_intertwiners(source, target)).abs().max() < SOLVED
    transposed = intertwiners(target, source)
    assert (transposed - solve_intertwiners(target, source)).abs().max() < SOLVED


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_products_of_harmonics(a, b):
    """C (Y_a x Y_b) is a positive multiple of Y_l for even a + b + l, else zero."""
    v = directions()
    product = (spherical_harmonics(v, a)[:, :, None] * spherical_harmonics(v, b)[:, None]).flatten(1)
    for l in range(abs(a - b), a + b + 1):
        coupled = product @ wigner_coupling(a, b, l).flatten(1).T
        scale = (coupled * spherical_harmonics(v, l)).sum(1)
        assert (coupled - scale[:, None] * spherical_harmonics(v, l)).abs().max() < EXACT
        assert ((scale > 0.01) if (a + b + l) % 2 == 0 else (scale.abs() < EXACT)).all()


def test_the_stretched_coupling_is_that_of_the_irreps():
    for l in range(1, 7):
        assert (wigner_coupling(l - 1, 1, l).flatten(1).T - coupling(l)).abs().max() < EXACT


def test_the_cross_product():
    u, v = directions(8).chunk(2)
    found = torch.einsum("kij,ni,nj->nk", wigner_coupling(1, 1, 1), u, v) * 2**0.5
    cross = torch.linalg.cross(u, v)
    assert min((found - cross).abs().max(), (found + cross).abs().max()) < EXACT


def test_parities_multiply():
    assert clebsch_gordan(O3().irrep("1o"), O3().irrep("1o")).labels == ["0", "1e", "2e"]
    assert clebsch_gordan(O3().irrep("1o"), O3().irrep("1e")).labels == ["0o", "1o", "2o"]
    assert clebsch_gordan(O3().irrep("0o"), O3().irrep("2e")).labels == ["2o"]
    assert intertwiners(O3().irrep("1o").tensor(O3().irrep("1o")), O3().irrep("1o")).shape == (0, 3, 9)


def test_products_of_sums_and_of_three():
    """The rules of the parts apply to the whole: counted by characters on the torus, solved by the equations."""
    group = SO3()
    pairs = [
        ((group.irrep(1) + group.irrep(2)).tensor(group.irrep(1)), group.irrep(1)),
        (group.irrep(1).tensor(group.irrep(1)).tensor(group.irrep(1)), group.irrep(1)),
        (group.irrep(1).tensor(group.irrep(1)), group.irrep(1).tensor(group.irrep(1))),
        (group.sphere(2).tensor(group.irrep(1)), group.irrep(1) + group.irrep(0)),
    ]
    for (source, target), count in zip(pairs, (2, 3, 3, 4), strict=True):
        found = intertwiners(source, target)
        assert len(found) == count
        assert (found - solve_intertwiners(source, target)).abs().max() < SOLVED
