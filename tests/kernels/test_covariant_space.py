"""Kernels of groups that are not compact: the constraint, completeness, and what is refused."""

from __future__ import annotations

import pickle

import pytest
import torch

from gaugenet.groups import (
    SO2,
    SO3,
    Cyclic,
    FieldType,
    GeneralLinear,
    Lorentz,
    PseudoOrthogonal,
    Scaling,
    SpecialLinear,
)
from gaugenet.groups.intertwiners.intertwiner import null_space
from gaugenet.kernels import CovariantSpace, GaussianRings, HarmonicSpace, covariants, kernel_space
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
CASES = [
    (Lorentz(2), "1x0 + 1xtime + 1x1", "1x1 + 2x0 + 1x2"),
    (Lorentz(3), "2x0 + 1x1 + 1x2", "1x1 + 1x0 + 1x(1⊗1)"),
    (Lorentz(3, part="O"), "1x0 + 1xdet + 1x1", "1x1 + 1xtime"),
    (PseudoOrthogonal(2, 2, part="SO+"), "1x0 + 1x1", "1x1 + 1x0"),
    (GeneralLinear(2), "1x0 + 1x1", "1x1 + 1x0 + 1x2"),
    (GeneralLinear(3), "1x0 + 1xdual", "1xdual + 1x0"),
    (SpecialLinear(2), "1x0 + 1x1", "1x1 + 1x0 + 1xdual"),
    (Scaling(1), "1x0 + 1xs1", "1xs2 + 1x0"),
    (Scaling(2), "1x0 + 1xs1", "1xs2 + 1x0"),
    (Scaling(2, rotations=SO2()), "1x0 + 1x1 + 1xs1", "1x(1⊗s1) + 1x0"),
    (Scaling(2, rotations=Cyclic(4)), "1xregular + 1xs1", "1xregular"),
    (Scaling(3, rotations=SO3()), "1x0 + 1xs1", "1x1 + 1xs1"),
]
every_case = pytest.mark.parametrize(("group", "a", "b"), CASES, ids=[f"{c[0]}: {c[1]} -> {c[2]}" for c in CASES])


def space(group, a: str, b: str, **options) -> CovariantSpace:
    return kernel_space(FieldType(group, a), FieldType(group, b), rings=2, **options)


def constraint_error(space: CovariantSpace, g: torch.Tensor) -> float:
    """|K(g v) - rho_out(g) K(v) rho_in(g)^-1|, relative."""
    v = 0.7 * torch.randn(40, space.group.d, dtype=torch.float64)
    weight = torch.randn(space.num_weights, dtype=torch.float64)
    rho_in, rho_out = (t.representation()(g) for t in (space.in_type, space.out_type))
    moved = space.evaluate(weight, (g @ v[..., None])[..., 0])
    return relative(moved, rho_out @ space.evaluate(weight, v) @ torch.linalg.inv(rho_in))


@every_case
def test_kernels_obey_the_constraint_in_the_group_and_not_outside(group, a, b):
    kernels = space(group, a, b)
    assert isinstance(kernels, CovariantSpace)
    assert kernels.num_weights > 0
    assert constraint_error(kernels, group.random_element(40)) < 1e-11  # boosts enlarge rounding
    if not isinstance(group, GeneralLinear) or isinstance(group, SpecialLinear):
        shear = torch.eye(group.d, dtype=torch.float64)
        shear[0] *= 1.6  # no scaling, no rotation, no boost; volume is not kept
        if group.d > 1:
            assert constraint_error(kernels, shear.expand(40, -1, -1)) > 1e-3


@every_case
def test_the_factorised_form_is_the_kernel(group, a, b):
    kernels = pickle.loads(pickle.dumps(space(group, a, b)))
    weight = torch.randn(kernels.num_weights, dtype=torch.float64)
    v = torch.randn(20, group.d, dtype=torch.float64)
    columns, rows = kernels.functions(v), []
    for block, matrix in zip(kernels.out_type.blocks, kernels.mixing(weight), strict=True):
        mixed = columns @ matrix.reshape(kernels.num_columns, -1)
        rows.append(mixed.view(20, kernels.in_type.size, block.size).mT)
    assert relative(torch.cat(rows, 1), kernels.evaluate(weight, v)) < EXACT


@pytest.mark.parametrize(("a", "b"), [("1x0", "1x1"), ("1x1", "1x1"), ("1x1", "1x2"), ("1x2", "1x2")])
def test_lorentz_kernels_are_complete(a, b):
    """At a time-like vector K is any map that commutes with the rotations which fix the vector: as many as those."""
    group = Lorentz(3, part="SO+")
    kernels = kernel_space(FieldType(group, a), FieldType(group, b), rings=1)
    rest = torch.tensor([0.7, 0.0, 0.0], dtype=torch.float64)
    values = torch.stack([kernels.evaluate(w, rest).flatten() for w in torch.eye(kernels.num_weights).double()])
    spin = group.lie_algebra()[-1]  # the rotation of the two space axes
    rho_in, rho_out = (t.blocks[0].representation.derivative(spin) for t in (kernels.in_type, kernels.out_type))
    eye_in, eye_out = (torch.eye(len(rho), dtype=torch.float64) for rho in (rho_in, rho_out))
    fixed = null_space(torch.kron(rho_out, eye_in) - torch.kron(eye_out, rho_in.mT.contiguous()))
    assert int(torch.linalg.matrix_rank(values)) == len(fixed) == kernels.num_weights


def test_frequencies_of_a_compact_group_are_those_of_its_complexification():
    """Weyl: between vectors of SO(1, 2) there are as many polynomials as between those of SO(3)."""
    lorentz, compact = space(Lorentz(3), "1x1", "1x1"), space(SO3(), "1x1", "1x1")
    assert type(compact) is HarmonicSpace
    assert lorentz.num_weights == compact.num_weights == 6


def test_no_kernels_and_wrong_arguments():
    vectors, scalars = (FieldType(GeneralLinear(2), s) for s in ("1x1", "1x0"))
    with pytest.raises(ValueError, match="no GL\\(2\\)-steerable kernels"):
        kernel_space(vectors, scalars, rings=1)
    lorentz = FieldType(Lorentz(3), "1x0")
    with pytest.raises(ValueError, match="a number"):
        kernel_space(lorentz, lorentz, rings=GaussianRings([0.5], 0.2))
    with pytest.raises(ValueError, match="max_frequency"):
        kernel_space(lorentz, lorentz, rings=1, max_frequency=[1])
    with pytest.raises(ValueError, match="compact groups have harmonics"):
        covariants(SO2(), 2)
