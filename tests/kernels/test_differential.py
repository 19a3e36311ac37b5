"""Equivariant differential operators: the constraint, completeness, names, and what is refused."""

from __future__ import annotations

import itertools
import pickle

import pytest
import torch

from gaugenet.groups import (
    O2,
    O3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    FieldType,
    GeneralLinear,
    Lorentz,
    Polyhedral,
    PseudoOrthogonal,
    Reflection,
    Representation,
    Scaling,
    SpecialLinear,
    Trivial,
)
from gaugenet.kernels import Differential, DifferentialSpace
from gaugenet.testing.gauge import outside_elements
from tests.groups.cases import SU2
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
CASES = [
    (SO2(), "1x0 + 1x1", "1x1 + 1x0 + 1x2"),
    (SO2(), "1xsphere(1)", "1x1"),
    (O2(), "1x0 + 1x0- + 1x1", "1x1 + 1x2"),
    (O2(), "1xinduced(SO(2),1)", "1x1"),
    (Cyclic(5), "1xregular", "1xregular + 1x1"),
    (Dihedral(4), "1xregular", "1xquotient(C_2) + 1x1"),
    (Trivial(1), "2x0", "1x0"),
    (Reflection(1), "1xregular", "1x0 + 1x0-"),
    (Trivial(3), "1x0", "1x0"),
    (SO3(), "1x0 + 1x1", "1x1 + 1x2"),
    (O3(), "1x0 + 1x1o", "1x1e + 1x2e + 1x0"),
    (Polyhedral("O"), "1x0 + 1xstandard", "1xstandard + 1xE"),
    (SU2, "1x0 + 1x1", "1x0"),
    (GeneralLinear(2), "1x0 + 1xdual", "1xdual + 1x(dual⊗dual)"),
    (GeneralLinear(3), "1x1", "1x0 + 1x1"),
    (SpecialLinear(2), "1x0 + 1x1", "1x1 + 1x0 + 1x2"),
    (Lorentz(3), "1x0 + 1x1", "1x1 + 1x0 + 1x2"),
    (Lorentz(3, part="O"), "1xdet + 1x1", "1x1 + 1xtime"),
    (PseudoOrthogonal(1, 1), "1x0 + 1x1", "1x0 + 1x1"),
    (Scaling(2), "1x0 + 1xstandard", "1x0 + 1xstandard + 1xs1"),
    (Scaling(2, rotations=SO2()), "1xstandard", "1x0 + 1x1"),
]
every_case = pytest.mark.parametrize(("group", "a", "b"), CASES, ids=[f"{c[0]}: {c[1]} -> {c[2]}" for c in CASES])


def operators(group, a: str, b: str, order: int = 3) -> DifferentialSpace:
    return DifferentialSpace(FieldType(group, a), FieldType(group, b), max_order=order)


def weights(space: DifferentialSpace) -> torch.Tensor:
    return torch.randn(space.num_weights, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def defect(space: DifferentialSpace, g: torch.Tensor) -> float:
    """Violation of P(g^-T xi) rho_in(g) = rho_out(g) P(xi)."""
    xi = torch.randn(len(g), space.group.d, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    rho_in, rho_out = (t.representation()(g) for t in (space.in_type, space.out_type))
    moved = (torch.linalg.inv(g).mT @ xi[..., None])[..., 0]
    return relative(space.symbol(weights(space), moved) @ rho_in, rho_out @ space.symbol(weights(space), xi))


@every_case
def test_symbols_obey_the_constraint_in_the_group_and_not_outside(group, a, b):
    space = operators(group, a, b)
    assert defect(space, group.random_element(30, generator=torch.Generator().manual_seed(0))) < 10 * EXACT
    if group.compact:
        assert defect(space, outside_elements(group, 30, torch.Generator().manual_seed(0))) > 0.01
    elif group.name[:2] != "GL":
        shear = torch.eye(group.d, dtype=torch.float64)
        shear[0] *= 1.6
        assert defect(space, shear.expand(30, -1, -1)) > 1e-3


def test_derivatives_are_covectors():
    """With vectors in the place of covectors the same symbols violate the constraint of GL(2)."""
    space, g = operators(GeneralLinear(2), "1x0", "1xdual", 1), GeneralLinear(2).random_element(20)
    xi = torch.randn(20, 2, dtype=torch.float64)
    as_vectors = space.symbol(weights(space), (g @ xi[..., None])[..., 0])
    expected = torch.linalg.inv(g).mT @ space.symbol(weights(space), xi)
    assert defect(space, g) < EXACT
    assert relative(as_vectors, expected) > 0.1


def exponents(d: int, order: int) -> list[tuple[int, ...]]:
    return [a for a in itertools.product(range(order + 1), repeat=d) if sum(a) == order]


def powers(xi: torch.Tensor, order: int) -> torch.Tensor:
    return torch.stack([(xi ** torch.tensor(a)).prod(-1) for a in exponents(xi.shape[-1], order)], -1)


def brute_force(rho_in: Representation, rho_out: Representation, order: int) -> int:
    """Dimension of the polynomials P of one degree with P(g^-T xi) rho_in(g) = rho_out(g) P(xi) for generators g."""
    group = rho_in.group
    algebra = torch.linalg.matrix_exp(0.7 * group.lie_algebra()) if len(group.lie_algebra()) else group.lie_algebra()
    xi = torch.randn(40, group.d, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    eye_in, eye_out = torch.eye(rho_in.dim, dtype=torch.float64), torch.eye(rho_out.dim, dtype=torch.float64)
    rows = []
    for g in torch.cat([group.generators(), algebra]):
        left = torch.einsum("nm,op,ij->noimpj", powers(xi @ torch.linalg.inv(g), order), eye_out, rho_in(g).T)
        right = torch.einsum("nm,op,ij->noimpj", powers(xi, order), rho_out(g), eye_in)
        rows.append((left - right).flatten(3).flatten(0, 2))
    unknowns = len(exponents(group.d, order)) * rho_in.dim * rho_out.dim
    if not rows:
        return unknowns
    values = torch.linalg.svdvals(torch.cat(rows))
    return unknowns - int((values > 1e-8 * max(1.0, values[0])).sum())


@every_case
def test_operators_are_complete_and_independent(group, a, b):
    space = operators(group, a, b, 3)
    rho_in, rho_out = (t.representation() for t in (space.in_type, space.out_type))
    assert space.dim_by_order == tuple(brute_force(rho_in, rho_out, n) for n in range(4))
    assert sum(space.dim_by_order) == space.num_weights
    xi = torch.randn(60, group.d, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    eye = torch.eye(space.num_weights, dtype=torch.float64)
    samples = torch.stack([space.symbol(w, xi).flatten() for w in eye])
    assert int(torch.linalg.matrix_rank(samples @ samples.T, rtol=1e-12, hermitian=True)) == space.num_weights


@pytest.mark.parametrize("n", [1, 3, 4, 6])
def test_counts_of_regular_fields(n):
    """C_N: N (order + 1), D_N: 2 N (order + 1): as many as the polynomials of a degree, times the group's order."""
    for group, size in ((Cyclic(n), n), (Dihedral(n), 2 * n)):
        found = operators(group, "1xregular", "1xregular", 4).dim_by_order
        assert found == tuple(size * (order + 1) for order in range(5))


def test_counts_between_vectors():
    assert operators(SO2(), "1x1", "1x1", 4).dim_by_order == (2, 0, 4, 0, 4)
    assert operators(SO3(), "1x1", "1x1", 4).dim_by_order == (1, 1, 2, 1, 2)
    assert operators(SO2(), "3x1", "2x1", 2).dim_by_order == (12, 0, 24)


NAMES = [
    (SO2(), "1x0", "1x1", ["grad", "curl"]),
    (SO2(), "1x1", "1x0", ["div", "curl"]),
    (SO2(), "1x0", "1x0", ["identity", "laplacian"]),
    (SO2(), "1x0", "1x2", ["eth^2", "-i eth^2"]),
    (SO2(), "1x2", "1x1", ["ethbar", "-i ethbar"]),
    (SO2(), "1x2", "1x0", ["Re ethbar^2", "Im ethbar^2"]),
    (
        SO2(),
        "1x1",
        "1x1",
        ["identity", "-i identity", "laplacian", "-i laplacian", "traceless grad div", "i eth^2 conj"],
    ),
    (O2(), "1x0-", "1x1", ["curl"]),  # pseudo-scalars
    (O2(), "1x0", "1x1", ["grad"]),
    (SO3(), "1x1", "1x1", ["identity", "curl", "laplacian", "traceless grad div"]),
    (O3(), "1x1o", "1x1e", ["curl"]),
    (GeneralLinear(2), "1x0", "1xdual", ["grad"]),
    (GeneralLinear(3), "1x1", "1x0", ["div"]),
    (Lorentz(4), "1x0", "1x0", ["identity", "dalembertian"]),
    (Lorentz(4), "1x0", "1x1", ["grad"]),
    (Trivial(2), "1x0", "1x0", ["identity", "d1", "d2", "laplacian", "d1^2 - d2^2", "d1 d2"]),
]


@pytest.mark.parametrize(("group", "a", "b", "names"), NAMES, ids=[f"{n[0]}: {n[1]} -> {n[2]}" for n in NAMES])
def test_names(group, a, b, names):
    assert [operator.name for operator in operators(group, a, b, 2).operators] == names


def test_names_stand_for_their_operators():
    """grad, div, curl, laplacian, eth by hand, from the coefficients of the derivatives."""
    matrices = {}
    for a, b in (("1x0", "1x1"), ("1x1", "1x0"), ("1x0", "1x0"), ("1x0", "1x2")):
        space = operators(SO2(), a, b, 2)
        for w, operator in zip(torch.eye(space.num_weights, dtype=torch.float64), space.operators, strict=True):
            matrices[a, b, operator.name] = dict(zip(space.indices, space.coefficient_matrices(w), strict=True))
    dx, dy = (1, 0), (0, 1)
    assert torch.allclose(matrices["1x0", "1x1", "grad"][dx], torch.tensor([[1.0], [0.0]]).double())
    assert torch.allclose(matrices["1x0", "1x1", "grad"][dy], torch.tensor([[0.0], [1.0]]).double())
    assert torch.allclose(matrices["1x1", "1x0", "curl"][dx], torch.tensor([[0.0, 1.0]]).double())
    assert torch.allclose(matrices["1x1", "1x0", "curl"][dy], torch.tensor([[-1.0, 0.0]]).double())
    laplacian = matrices["1x0", "1x0", "laplacian"]
    assert [laplacian[a].item() for a in ((2, 0), (1, 1), (0, 2))] == pytest.approx([1, 0, 1])
    eth = matrices["1x0", "1x2", "eth^2"]  # (d1 + i d2)^2 f = (f_xx - f_yy) + 2 i f_xy
    found = torch.stack([eth[a][:, 0] for a in ((2, 0), (1, 1), (0, 2))])
    assert torch.allclose(found, torch.tensor([[1.0, 0], [0, 2], [-1, 0]]).double())


def test_powers_of_eth_are_all_operators_of_irreps():
    """m -> m': eth^(m' - m) and eth^(m' + m) conj, times powers of the Laplacian, with complex factors."""
    for m, k in itertools.product(range(4), repeat=2):
        counts = [0] * 6
        for power in {abs(k - m), k + m} if m and k else {abs(k - m)}:
            for order in range(power, 6, 2):
                counts[order] += 2 if m or k else 1
        if m == k == 0:
            counts = [1, 0, 1, 0, 1, 0]
        if any(counts):
            assert operators(SO2(), f"1x{m}", f"1x{k}", 5).dim_by_order == tuple(counts)


@every_case
def test_the_factorised_form_is_the_symbol(group, a, b):
    """sum_t M_t h_t(xi) f = P(xi) f, by columns and by coefficients of single derivatives."""
    space = pickle.loads(pickle.dumps(operators(group, a, b, 2)))
    w, xi = weights(space), torch.randn(10, group.d, dtype=torch.float64)
    expected = space.symbol(w, xi)
    derivatives = torch.stack([(xi ** torch.tensor(i)).prod(-1) for i in space.indices], -1)
    assert relative(torch.einsum("na,aoi->noi", derivatives, space.coefficient_matrices(w)), expected) < EXACT
    columns, expected = derivatives @ space.columns_of_derivatives, space.symbol(space.in_units_of_length(w, 1.0), xi)
    assert columns.shape[1] == space.num_columns
    rows = []
    for block, matrix in zip(space.out_type.blocks, space.mixing(w), strict=True):
        mixed = columns[:, space.columns(block)] @ matrix.reshape(space.num_columns, -1)
        rows.append(mixed.view(10, space.in_type.size, block.size).mT)
    assert relative(torch.cat(rows, 1), expected) < EXACT


def test_more_orders_add_weights_only():
    for n in range(3):
        low, high = operators(SO2(), "1x0 + 1x1", "1x1", n), operators(SO2(), "1x0 + 1x1", "1x1", n + 1)
        assert high.dim_by_order[: n + 1] == low.dim_by_order


def test_initial_scale():
    """Fields whose Taylor terms at half the radius have unit size give outputs of about unit variance."""
    space = operators(SO3(), "4x0 + 4x1", "4x0 + 4x1 + 2x2", 2)
    generator, squares, w = torch.Generator().manual_seed(0), [], torch.empty(space.num_weights, dtype=torch.float64)
    for _ in range(50):
        space.initialize(w, generator=generator)
        xi = torch.nn.functional.normalize(torch.randn(20, 3, generator=generator, dtype=torch.float64), dim=1)
        f = torch.randn(20, space.in_type.size, generator=generator, dtype=torch.float64)
        squares.append((space.symbol(w, xi) @ f[..., None]).square().mean())
    assert 0.05 < torch.stack(squares).mean() < 2


def test_families_and_wrong_arguments():
    scalars, vectors = FieldType(SO2(), "1x0"), FieldType(SO2(), "1x1")
    assert Differential(max_order=3).space(scalars, vectors).max_order == 3
    assert Differential() == Differential(max_order=2)
    with pytest.raises(ValueError, match=r"no SO\(2\)-equivariant differential operators .* raise `max_order`"):
        DifferentialSpace(scalars, FieldType(SO2(), "1x3"), max_order=2)
    with pytest.raises(ValueError, match="no GL\\(2\\)-equivariant"):
        operators(GeneralLinear(2), "1x0", "1x1", 4)
    for order in (-1, 1.5, True, None):
        with pytest.raises(ValueError, match="whole number of at least 0"):
            DifferentialSpace(scalars, vectors, max_order=order)
    with pytest.raises(ValueError, match="one structure group"):
        DifferentialSpace(scalars, FieldType(O2(), "1x1"))
    space = DifferentialSpace(scalars, vectors)
    with pytest.raises(ValueError, match=r"`weight` of shape \(2,\)"):
        space.symbol(torch.zeros(3), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="`xi` with 2 components"):
        space.symbol(torch.zeros(2), torch.zeros(4, 3))
