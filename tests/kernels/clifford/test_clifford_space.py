"""CliffordSpace: the constraint, counts, agreement with kernels solved from equations, radial functions, errors."""

from __future__ import annotations

import itertools
import pickle
import time

import pytest
import torch

from gaugenet.groups import O2, O3, SO2, SO3, Cyclic, FieldType, GeneralLinear, PseudoOrthogonal, multivector
from gaugenet.kernels import Clifford, CliffordSpace, Harmonic, Rings
from gaugenet.kernels.covariant_space import Squares
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
PSEUDO = [
    PseudoOrthogonal(p, q, part=part)
    for p, q in [(1, 1), (1, 2), (2, 1), (1, 3), (2, 2)]
    for part in ("O", "SO", "SO+")
]
GROUPS = [O2(), SO2(), O3(), SO3(), *PSEUDO]
every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


def constraint_error(space: CliffordSpace, g: torch.Tensor) -> float:
    v = 0.7 * torch.randn(len(g), space.group.d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weight = torch.randn(space.num_weights, dtype=torch.float64)
    general = GeneralLinear(space.group.d)

    def rho(kind: FieldType) -> torch.Tensor:
        grades = [(general.exterior(k), b.multiplicity) for k, b in enumerate(kind.blocks)]
        return FieldType(general, grades).representation()(g)

    moved = space.evaluate(weight, (g @ v[..., None])[..., 0])
    return relative(moved, rho(space.out_type) @ space.evaluate(weight, v) @ torch.linalg.inv(rho(space.in_type)))


@every_group
@pytest.mark.parametrize("complete", [True, False])
def test_kernels_obey_the_constraint_in_the_group_and_not_outside(group, complete):
    space = CliffordSpace(multivector(group, multiplicity=2), multivector(group), rings=2, complete=complete)
    g = group.random_element(30, generator=torch.Generator().manual_seed(0))
    assert constraint_error(space, g) < 100 * EXACT, "boosts enlarge rounding"
    shear = torch.eye(group.d, dtype=torch.float64)
    shear[0] *= 1.5
    assert constraint_error(space, shear @ g) > 0.01
    if group.orientation_preserving:
        mirror = torch.eye(group.d, dtype=torch.float64)
        mirror[0, 0] = -1
        assert constraint_error(space, mirror @ g) > 0.01


@every_group
def test_counts(group):
    kind, n = multivector(group), group.d
    factor = 2 if group.orientation_preserving else 1
    assert CliffordSpace(kind, kind).num_weights == 4 * n * factor
    assert CliffordSpace(kind, kind, complete=False).num_weights == (3 * n + 1) * factor
    two, three = multivector(group, multiplicity=2), multivector(group, multiplicity=3)
    assert CliffordSpace(two, three, rings=5).num_weights == 5 * 6 * 4 * n * factor
    assert Clifford(rings=1).space(kind, kind).num_weights == 4 * n * factor


@pytest.mark.parametrize(
    "group", [O2(), SO2(), O3(), SO3(), PseudoOrthogonal(1, 2), PseudoOrthogonal(1, 1, part="SO+")], ids=str
)
def test_they_span_the_kernels_found_by_solving_equations(group):
    """For each pair of grades, with equal radial functions: Wigner-Eckart, or intertwiners of covariants."""
    v = torch.randn(40, group.d, dtype=torch.float64)
    for k, m in itertools.product(range(group.d + 1), repeat=2):
        source, target = multivector(group, (k,)), multivector(group, (m,))
        try:
            closed = CliffordSpace(source, target, rings=2)
        except ValueError:  # no kernels
            with pytest.raises(ValueError, match="There are no"):
                Harmonic(rings=2).space(source, target)
            continue
        solved = Harmonic(rings=2).space(source, target)
        assert closed.num_weights == solved.num_weights
        spans = [
            torch.stack([s.evaluate(w, v).flatten() for w in torch.eye(s.num_weights, dtype=torch.float64)])
            for s in (closed, solved)
        ]
        ranks = [int(torch.linalg.matrix_rank(x, rtol=1e-9)) for x in (*spans, torch.cat(spans))]
        assert ranks == [closed.num_weights] * 3, (k, m)


@every_group
def test_the_factorised_form_is_the_kernel(group):
    space = pickle.loads(pickle.dumps(CliffordSpace(multivector(group, multiplicity=2), multivector(group), rings=2)))
    weight = torch.randn(space.num_weights, dtype=torch.float64)
    v = torch.randn(20, group.d, dtype=torch.float64)
    columns, rows = space.functions(v), []
    for block, matrix in zip(space.out_type.blocks, space.mixing(weight), strict=True):
        mixed = columns @ matrix.reshape(space.num_columns, -1)
        rows.append(mixed.view(20, space.in_type.size, block.size).mT)
    assert relative(torch.cat(rows, 1), space.evaluate(weight, v)) < EXACT


@every_group
def test_initialization_has_unit_variance(group):
    """On the unit sphere, radial functions aside, a kernel maps features of unit variance to about unit variance."""
    space = CliffordSpace(multivector(group, multiplicity=8), multivector(group, multiplicity=8))
    weight = torch.empty(space.num_weights, dtype=torch.float64)
    space.initialize(weight, generator=torch.Generator().manual_seed(0))
    v = torch.nn.functional.normalize(torch.randn(300, group.d, dtype=torch.float64), dim=1)
    phi = space.invariants(v)[:, :1]
    power = (space.evaluate(weight, v) / phi[..., None]).square().sum(2).mean()
    assert 0.8 < float(power) < 1.25


def test_construction_takes_less_than_a_second():
    begin = time.perf_counter()
    group = PseudoOrthogonal(1, 3, part="SO+")
    kind = multivector(group, multiplicity=16)
    CliffordSpace(kind, kind, rings=4)
    assert time.perf_counter() - begin < 1


def test_radial_functions_are_smooth_across_the_light_cone_invariant_and_decay_off_it():
    group = PseudoOrthogonal(1, 1)
    space = CliffordSpace(multivector(group), multivector(group), rings=3)
    cone = torch.tensor([0.7, 0.7], dtype=torch.float64)
    across = torch.tensor([1.0, -1.0], dtype=torch.float64)
    step = torch.linspace(-1e-3, 1e-3, 41, dtype=torch.float64)[:, None]
    phi = space.invariants(cone + step * across)
    for _ in range(4):  # differences of increasing order stay small: no jump, no kink
        phi = phi.diff(dim=0)
        assert float(phi.abs().max()) < 1e-2
    boosted = space.invariants(cone[None] @ group.boost(2.0).T)
    assert relative(boosted, space.invariants(cone[None])) < 100 * EXACT
    for far in ([6.0, 0.0], [0.0, 6.0]):
        assert float(space.invariants(torch.tensor([far], dtype=torch.float64)).max()) < 1e-12
    on_cone = space.invariants(torch.tensor([[50.0, 50.0]], dtype=torch.float64))
    assert float(on_cone.max()) > 0.5, "along the cone no invariant function decays"


def test_bad_input():
    group = PseudoOrthogonal(1, 2)
    kind = multivector(group)
    with pytest.raises(ValueError, match="one structure group"):
        CliffordSpace(kind, multivector(PseudoOrthogonal(2, 1)))
    with pytest.raises(ValueError, match="made of exterior powers"):
        CliffordSpace(kind, FieldType(group, "1x2"))
    for other in (Cyclic(4), GeneralLinear(2)):
        with pytest.raises(ValueError, match="Clifford kernels are complete"):
            CliffordSpace(multivector(other), multivector(other))
    with pytest.raises(ValueError, match="There are no"):
        CliffordSpace(multivector(group, (0,)), multivector(group, (3,)))
    with pytest.raises(ValueError, match="functions of <v, v>"):
        CliffordSpace(kind, kind, rings=Rings(2))
    with pytest.raises(ValueError, match="functions of lengths"):
        CliffordSpace(multivector(O2()), multivector(O2()), rings=Squares(2, O2()))
    with pytest.raises(ValueError, match="`complete` to be True or False, got 'no'"):
        CliffordSpace(kind, kind, complete="no")
    with pytest.raises(ValueError, match="`rings`"):
        CliffordSpace(kind, kind, rings=0)
    assert "complete=False" in repr(CliffordSpace(kind, kind, complete=False))
    assert Clifford(complete=True) == Clifford() != Clifford(complete=False)
