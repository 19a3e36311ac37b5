"""How many kernels there are, counted without intertwiners, harmonics or Clebsch-Gordan coefficients.

Two counts, both by numerical null spaces of the kernel constraint itself:

- on orbits: K at one point decides K on its orbit, and may be any matrix that commutes with the point's stabilizer;
- among polynomials: the matrices of polynomials of degree J that satisfy the constraint at random points and elements.
"""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from gaugenet.groups import O2, O3, SO2, SO3, Axial, Cyclic, Dihedral, Polyhedral, Reflection, Representation, Trivial
from gaugenet.kernels import AlignedBasis, HarmonicBasis
from tests.groups.cases import BINARY_TETRAHEDRAL, PERMUTATIONS, QUATERNIONS, SU2

ORDERS = (1, 2, 3, 4, 5, 6, 8)
PLANAR = [family(n) for family in (Cyclic, Dihedral) for n in ORDERS]
SPATIAL = [Polyhedral("T"), Polyhedral("O"), Polyhedral("T_d"), Axial(Cyclic(3)), Axial(Dihedral(2), "det")]
LARGE = [Polyhedral("I"), Polyhedral("T_h"), Polyhedral("O_h"), Polyhedral("I_h")]
CYLINDRICAL = [Axial(SO2()), Axial(SO2(), "mirror"), Axial(O2()), Axial(O2(), "det"), Axial(O2(), "mirror")]
OWN = [QUATERNIONS, BINARY_TETRAHEDRAL, PERMUTATIONS]
COMPACT = [SO2(), O2(), SO3(), O3()]


def null_dimension(equations: Tensor) -> int:
    """Of the solutions x of equations @ x = 0."""
    values = torch.linalg.eigvalsh(equations.T @ equations)
    return int((values < 1e-9 * max(1.0, values[-1].item())).sum())


def constraint(rho_in: Representation, rho_out: Representation, g: Tensor) -> Tensor:
    """K -> rho_out(g) K rho_in(g)^-1 as matrices on the entries of K, `(count, n, n)`."""
    return torch.stack([torch.kron(rho_out(h), rho_in(h).inverse().T.contiguous()) for h in g])


def commuting_dimension(rho_in: Representation, rho_out: Representation, stabilizer: Tensor) -> int:
    n = rho_in.dim * rho_out.dim
    if not len(stabilizer):
        return n
    eye = torch.eye(n, dtype=torch.float64)
    return null_dimension((constraint(rho_in, rho_out, stabilizer) - eye).flatten(0, 1))


def stabilizer(group, v: Tensor) -> Tensor:
    """Elements that generate those of SO(d) and O(d) that fix v: rotates about it, a reflection that holds it."""
    d = len(v)
    generator = torch.Generator().manual_seed(1)
    elements = []
    if d == 3:
        angle = 1 + torch.rand(3, generator=generator, dtype=torch.float64)  # one of them has dense powers
        x, y, z = v.tolist()
        cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
        elements += list(torch.linalg.matrix_exp(angle[:, None, None] * cross))
    if not group.orientation_preserving:
        normal = torch.randn(d, generator=generator, dtype=torch.float64)
        normal = normal - (normal @ v) * v
        normal = normal / normal.norm()
        elements.append(torch.eye(d, dtype=torch.float64) - 2 * torch.outer(normal, normal))
    return torch.stack(elements) if elements else torch.zeros(0, d, d, dtype=torch.float64)


def direction(d: int, seed: int = 0) -> Tensor:
    v = torch.randn(d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return v / v.norm()


def rank_at(basis: HarmonicBasis, v: Tensor) -> int:
    """Dimension of the values that the kernels take at a point."""
    return int(torch.linalg.matrix_rank(basis.sample(v).flatten(1), rtol=1e-9)) if basis.dim else 0


@pytest.mark.parametrize("group", COMPACT, ids=str)
def test_all_pairs_of_irreps_of_the_compact_groups(group):
    """They have one orbit of directions: the values at one point are the kernels."""
    irreps = group.irreps(3)
    assert len(irreps) >= 4
    for rho_in, rho_out in itertools.product(irreps, repeat=2):
        v = direction(group.d)
        expected = commuting_dimension(rho_in, rho_out, stabilizer(group, v))
        basis = HarmonicBasis(rho_in, rho_out)
        assert basis.dim == expected == rank_at(basis, v), (rho_in, rho_out)
        if group.d == 2:
            assert AlignedBasis(rho_in, rho_out).dim == expected


def test_control_a_limit_below_the_sum_of_the_orders_misses_kernels():
    rho_in, rho_out = SO3().irrep(2), SO3().irrep(3)
    v = direction(3)
    everything = commuting_dimension(rho_in, rho_out, stabilizer(SO3(), v))
    assert HarmonicBasis(rho_in, rho_out, 4).dim < everything == HarmonicBasis(rho_in, rho_out, 6).dim


def polynomials(v: Tensor, degree: int) -> Tensor:
    """Monomials of degree J and J - 1: on the sphere they span all polynomials up to degree J, `(points, count)`."""
    d = v.shape[1]
    exponents = [
        e for e in itertools.product(range(degree + 1), repeat=d) if sum(e) == degree or sum(e) == degree - 1 >= 0
    ]
    return torch.stack([(v ** torch.tensor(e)).prod(1) for e in exponents], 1)


def polynomial_dimension(rho_in: Representation, rho_out: Representation, degree: int) -> int:
    """Of the kernels among matrices of polynomials: all of them at random points, the group's generators on them."""
    group, n = rho_in.group, rho_in.dim * rho_out.dim
    generators = torch.cat([group.generators(), group.random_element(1, generator=torch.Generator().manual_seed(2))])
    generator = torch.Generator().manual_seed(3)
    v = torch.nn.functional.normalize(torch.randn(40, group.d, generator=generator, dtype=torch.float64), dim=1)
    here = polynomials(v, degree)
    eye = torch.eye(n, dtype=torch.float64)
    gram = torch.zeros(here.shape[1] * n, here.shape[1] * n, dtype=torch.float64)
    for g, acting in zip(generators, constraint(rho_in, rho_out, generators), strict=True):
        there = polynomials(v @ g.T, degree)
        # the sum over points of (there x 1 - here x acting)^T (there x 1 - here x acting)
        gram += torch.kron(there.T @ there, eye) + torch.kron(here.T @ here, acting.T @ acting)
        mixed = torch.kron(there.T @ here, acting)
        gram -= mixed + mixed.T
    values = torch.linalg.eigvalsh(gram)
    return int((values < 1e-9 * max(1.0, values[-1].item())).sum())


def cases(group) -> list[tuple[Representation, Representation, int]]:
    irreps, regular = group.irreps(3), group.regular()
    large = regular.dim > 8
    pairs = [(a, b, 3) for a, b in itertools.product(irreps, repeat=2)]
    pairs += [(a, regular, 2) for a in irreps] + [(regular, b, 2) for b in irreps]
    return [*pairs, (regular, regular, 1 if large else 2)]


@pytest.mark.parametrize("group", PLANAR, ids=str)
def test_irreps_and_regular_representations_of_planar_groups(group):
    for rho_in, rho_out, degree in cases(group):
        found = HarmonicBasis(rho_in, rho_out, degree).dim
        assert found == polynomial_dimension(rho_in, rho_out, degree), (rho_in, rho_out)


@pytest.mark.parametrize("group", SPATIAL, ids=str)
def test_irreps_and_regular_representations_of_spatial_groups(group):
    for rho_in, rho_out, _ in cases(group)[::3]:
        degree = 2 if rho_in.dim * rho_out.dim <= 36 else 1
        found = HarmonicBasis(rho_in, rho_out, degree).dim
        assert found == polynomial_dimension(rho_in, rho_out, degree), (rho_in, rho_out)


@pytest.mark.parametrize("group", [*LARGE, *CYLINDRICAL], ids=str)
def test_irreps_of_large_and_cylindrical_groups(group):
    for rho_in, rho_out in itertools.combinations_with_replacement(group.irreps(2), 2):
        degree = 3 if rho_in.dim * rho_out.dim <= 4 else 2
        found = HarmonicBasis(rho_in, rho_out, degree).dim
        assert found == polynomial_dimension(rho_in, rho_out, degree), (rho_in, rho_out)


@pytest.mark.parametrize("group", OWN, ids=str)
def test_irreps_of_real_complex_and_quaternionic_type_of_groups_of_your_own(group):
    """Acting on R^4, where harmonics are those of the three-sphere."""
    types = set()
    for rho_in, rho_out in itertools.product(group.irreps(), repeat=2):
        types |= {rho_in.type, rho_out.type}
        found = HarmonicBasis(rho_in, rho_out, 2).dim
        assert found == polynomial_dimension(rho_in, rho_out, 2), (rho_in, rho_out)
    assert (
        types
        == {
            QUATERNIONS: {"real", "quaternionic"},
            BINARY_TETRAHEDRAL: {"real", "complex", "quaternionic"},
            PERMUTATIONS: {"real"},
        }[group]
    )


def test_spins_in_four_dimensions():
    """SU(2) moves the three-sphere freely: K at one point is any matrix, and decides K; its spins are quaternionic."""
    for rho_in, rho_out in itertools.product(SU2.irreps(2), repeat=2):
        basis = HarmonicBasis(rho_in, rho_out, rho_in.order + rho_out.order)
        assert basis.dim == rho_in.dim * rho_out.dim == rank_at(basis, direction(4)), (rho_in, rho_out)


@pytest.mark.parametrize("group", [Trivial(1), Reflection(1)], ids=str)
def test_on_the_line(group):
    """The sphere of the line is two points: frequencies 0 and 1 are all functions there are."""
    for rho_in, rho_out in itertools.product([*group.irreps(), group.regular()], repeat=2):
        found = HarmonicBasis(rho_in, rho_out).dim
        assert found == polynomial_dimension(rho_in, rho_out, 1) == HarmonicBasis(rho_in, rho_out, 5).dim


@pytest.mark.parametrize("group", [g for g in PLANAR if g.order <= 12], ids=str)
def test_kernels_of_finite_groups_take_all_allowed_values_on_orbits(group):
    """At a generic point anything, on a mirror line what commutes with the mirror, once frequencies suffice."""
    mirror = torch.tensor([1.0, 0.0], dtype=torch.float64)
    fixed = group.elements()[(group.elements() @ mirror - mirror).abs().amax(1) < 1e-12]
    for rho_in, rho_out in itertools.product([group.regular(), *group.irreps(3)[-2:]], repeat=2):
        basis = HarmonicBasis(rho_in, rho_out, group.n)
        assert rank_at(basis, direction(2)) == rho_in.dim * rho_out.dim
        assert rank_at(basis, mirror) == commuting_dimension(rho_in, rho_out, fixed)


def test_control_too_few_frequencies_do_not_reach_all_values():
    regular = Cyclic(8).regular()
    assert rank_at(HarmonicBasis(regular, regular, 0), direction(2)) < 64
