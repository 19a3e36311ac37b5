"""Harmonic kernels: evaluation obeys the constraint, the factorized form is the same, weights start at unit scale."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from gaugenet.groups import O2, SO2, Cyclic, Dihedral, FieldType, Reflection, Trivial
from gaugenet.kernels import HarmonicSpace
from gaugenet.kernels.aligned import alignment
from gaugenet.kernels.basis import unit
from gaugenet.kernels.harmonics import harmonics
from gaugenet.testing.gauge import outside_elements
from tests.groups.cases import elements
from tests.tolerances import SOLVED, relative

TYPES = {
    SO2(): ("2x0 + 3x1 + 1x2", "1x3 + 2x0 + 2x1"),
    O2(): ("2x0 + 3x0- + 1x1", "1x2 + 2x0- + 2x1 + 1x0"),
    Cyclic(4): ("2xregular + 1x1", "1xregular + 2x0 + 3x2"),
    Cyclic(5): ("2xregular", "1xregular + 2x2"),
    Dihedral(4): ("1xregular + 2xquotient(C_2)", "2x1 + 1xinduced(C_4,1)"),
    Dihedral(2): ("1xregular + 2x1-", "2x0- + 1x1"),
    Reflection(): ("2x0 + 3x0-", "1xregular + 2x0-"),
    Trivial(): ("3x0", "2x0"),
}
INDUCED = ("2xinduced(SO(2),1) + 1xquotient(SO(2)) + 2x1", "1xinduced(SO(2),2) + 2x0-")
CASES = [*((g, *specs) for g, specs in TYPES.items()), (O2(), *INDUCED), (SO2(), "1x(1⊗2)", "2x(1⊗1)")]


def space(group, in_spec, out_spec, *, rings=3) -> HarmonicSpace:
    return HarmonicSpace(FieldType(group, in_spec), FieldType(group, out_spec), rings=rings)


def points(count=24) -> torch.Tensor:
    return 0.5 * torch.randn(count, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def weights(kernels: HarmonicSpace) -> torch.Tensor:
    return torch.randn(kernels.num_weights, generator=torch.Generator().manual_seed(6), dtype=torch.float64)


def defect(kernels: HarmonicSpace, g: torch.Tensor) -> float:
    v, w = points(len(g)), weights(kernels)
    rho_in, rho_out = (t.representation()(g) for t in (kernels.in_type, kernels.out_type))
    rotated = kernels.evaluate(w, (g @ v[..., None])[..., 0])
    return relative(rotated @ rho_in, rho_out @ kernels.evaluate(w, v))


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), CASES, ids=str)
def test_kernels_satisfy_the_constraint(group, in_spec, out_spec):
    kernels = space(group, in_spec, out_spec)
    assert kernels.num_weights > 0
    assert defect(kernels, elements(group, 24)) < SOLVED
    generator = torch.Generator().manual_seed(0)
    assert defect(kernels, outside_elements(group, 24, generator)) > 0.01


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), CASES, ids=str)
def test_the_factorised_form_is_the_kernel(group, in_spec, out_spec):
    """K(v) rho_in(g) f = sum_t M_t (c_t(v) h), written out from the docstring."""
    kernels = space(group, in_spec, out_spec)
    v, g, w = points(), elements(group, 24), weights(kernels)
    f = torch.randn(24, kernels.in_type.size, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    expected = kernels.evaluate(w, v) @ kernels.in_type.transform(g, f)[..., None]

    direction = unit(v)
    phi = kernels.radial(torch.linalg.vector_norm(v, dim=-1))
    c = torch.cat([(phi[:, :, None] * harmonics(direction, j)[:, None]).flatten(1) for j in kernels.frequencies], 1)
    h = kernels.in_type.transform(alignment(direction).mT @ g if kernels.aligned else g, f)
    parts = [
        (c[:, kernels.columns(block), None] * h[:, None]).flatten(1) @ matrix
        for block, matrix in zip(kernels.out_type.blocks, kernels.mixing(w), strict=True)
    ]
    assert relative(torch.cat(parts, 1)[..., None], expected) < SOLVED


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), CASES, ids=str)
def test_weights_are_independent(group, in_spec, out_spec):
    """No weight is redundant: K = 0 only for zero weights."""
    kernels = space(group, in_spec, out_spec, rings=2)
    eye = torch.eye(kernels.num_weights, dtype=torch.float64)
    samples = torch.stack([kernels.evaluate(row, points(40)).flatten() for row in eye])
    assert torch.linalg.matrix_rank(samples, rtol=1e-9) == kernels.num_weights


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), CASES, ids=str)
def test_the_centre_is_zero(group, in_spec, out_spec):
    """A direction does not exist there: an anisotropic value would be a gauge."""
    kernels = space(group, in_spec, out_spec)
    assert torch.equal(
        kernels.evaluate(weights(kernels), torch.zeros(3, 2).double()).abs().max(), torch.tensor(0.0).double()
    )


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), CASES, ids=str)
def test_initial_scale(group, in_spec, out_spec):
    """At a ring's peak E |(K f)_o|^2 = rings for unit features, so that the mean over rings has about unit scale."""
    kernels = space(group, in_spec, out_spec, rings=2)
    t = torch.linspace(0, 2 * torch.pi, 13, dtype=torch.float64)[:-1]
    v = 0.25 * torch.stack([t.cos(), t.sin()], -1)
    w = torch.empty(kernels.num_weights, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    squares = []
    for _ in range(200):
        kernels.initialize(w, generator=generator)
        f = torch.randn(kernels.in_type.size, generator=generator, dtype=torch.float64)
        squares.append((kernels.evaluate(w, v) @ f).square().mean(0))
    for block in kernels.out_type.blocks:
        mean = torch.stack(squares)[:, block.slice].mean().item()
        assert 1.2 < mean < 3, (block, mean)


def test_a_constant_scalar_field_keeps_its_scale():
    """out = sum_e w_e K(v_e) over a disc: variance of order one over draws of the weights."""
    kernels = space(SO2(), "16x0", "64x0", rings=2)
    generator = torch.Generator().manual_seed(0)
    r = torch.rand(2000, generator=generator, dtype=torch.float64).sqrt()
    v = torch.stack([r, 0 * r], -1)
    w = torch.empty(kernels.num_weights, dtype=torch.float64)
    kernels.initialize(w, generator=generator)
    x = torch.randn(16, 50, generator=generator, dtype=torch.float64)
    out = torch.einsum("eoi,if->of", kernels.evaluate(w, v), x) / len(v)
    assert 0.3 < out.var() < 2


@pytest.mark.parametrize(("group", "in_spec", "out_spec"), CASES, ids=str)
def test_copies_are_the_same_kernels(group, in_spec, out_spec):
    kernels = space(group, in_spec, out_spec)
    w = weights(kernels)
    for same in (copy.deepcopy(kernels), pickle.loads(pickle.dumps(kernels))):
        assert torch.equal(same.evaluate(w, points()), kernels.evaluate(w, points()))
        assert all(torch.equal(a, b) for a, b in zip(same.mixing(w), kernels.mixing(w), strict=True))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="one structure group"):
        HarmonicSpace(FieldType(SO2(), "1x0"), FieldType(O2(), "1x0"), rings=2)
    with pytest.raises(ValueError, match="one for each of the 2 rings"):
        HarmonicSpace(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x0"), rings=2, max_frequency=(0, 1, 2))
    with pytest.raises(ValueError, match=r"no O\(2\)-steerable kernels from 1x0 to 2x0-: .*Choose other types\."):
        space(O2(), "1x0", "2x0-")
    with pytest.raises(ValueError, match=r"up to frequency 1: .*raise `max_frequency`"):
        HarmonicSpace(FieldType(Cyclic(6), "1x0"), FieldType(Cyclic(6), "1x3"), rings=2, max_frequency=1)
    with pytest.raises(ValueError, match="`rings`"):
        space(SO2(), "1x0", "1x0", rings=0)
    with pytest.raises(ValueError, match="at least 0"):
        HarmonicSpace(FieldType(Cyclic(4), "1x0"), FieldType(Cyclic(4), "1x0"), rings=2, max_frequency=-1)


def test_isotropic_kernels_are_those_of_frequency_zero():
    kernels = HarmonicSpace(FieldType(Cyclic(4), "2x0"), FieldType(Cyclic(4), "3x0"), rings=2, max_frequency=0)
    assert kernels.num_weights == 2 * 2 * 3
    assert "max_frequency=0" in repr(kernels)


def test_empty_types():
    kernels = space(SO2(), "", "2x0")
    assert kernels.num_weights == 0
    assert kernels.evaluate(torch.zeros(0).double(), points()).shape == (24, 2, 0)
