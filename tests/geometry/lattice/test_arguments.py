"""Invalid arguments of gauge fields and Dirac operators: each error names what is wrong, where, and what to do."""

from __future__ import annotations

import math

import pytest
import torch

from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.action import gradient_flow
from gaugenet.geometry.lattice.dirac import (
    covariant_derivative,
    covariant_laplacian,
    gamma5,
    gamma_matrices,
    hop,
    staggered_dirac,
    wilson_dirac,
)
from gaugenet.groups import SO2, SU, U1, DirectProduct, Hypercubic, U
from tests.geometry.lattice.cases import random_field, random_gauge


def with_entry(elements, place, value):
    elements = elements.clone()
    elements[place] = value
    return elements


FIELD = random_field(SU(2), (4, 6))
LINKS, OMEGA = FIELD.links, random_gauge(FIELD)
SPINOR = torch.randn(2, 2, 4, 6, 2, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("links", "message"),
    [
        (with_entry(LINKS, (1, 0, 2, 5), 1.5 * LINKS[1, 0, 2, 5]), r"1 of 96 .* 1, direction 0, at site \(2, 5\): use"),
        (with_entry(LINKS, (0, 1, 3, 0, 0, 0), math.nan), r"by inf .*on 0, direction 1, at site \(3, 0\): some .* NaN"),
        (with_entry(LINKS, (0, 1, 3, 0, 0, 0), math.inf), r"at site \(3, 0\): some entries are NaN or infinite"),
        (1j * LINKS, r"96 of 96 outside of it, the worst by 2"),
        (LINKS.real, r"complex `links` of SU\(2\), got torch.float64"),
        (LINKS.to(torch.complex32), "got torch.complex32"),
        (LINKS[:, :, :1], r"at least 3, got \(1, 6\): on shorter axes"),
        (LINKS[:, :, :, :2], r"at least 3, got \(4, 2\): on shorter axes"),
        (LINKS[..., 0, 0], r"\(B, d, \*shape, 2, 2\)"),
        (LINKS.numpy(), "got ndarray"),
    ],
)  # fmt: skip
def test_links(links, message):
    with pytest.raises(ValueError, match=message):
        LatticeGaugeField(links, SU(2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LatticeGaugeField(LINKS, SO2()), "internal fibre"),
        (lambda: LatticeGaugeField(LINKS, DirectProduct(Hypercubic(2), SU(2))), "`DirectProduct` to layers, not to"),
        (lambda: LatticeGaugeField(LINKS, SU), "got <class"),
        (lambda: LatticeGaugeField(LINKS, SU(2), antiperiodic=0), r"pass `\[0\]`"),
        (lambda: LatticeGaugeField(LINKS, SU(2), antiperiodic=[-1]), "axis 0, ..., 1, got -1"),
        (lambda: LatticeGaugeField.random(SU(2), 4), "extents of 2, 3 or 4 axes"),
        (lambda: LatticeGaugeField.random(SU(2), (4.0, 4)), r"got \(4.0, 4\)"),
        (lambda: LatticeGaugeField.random(SU(2), (-3, 4)), "at least 3"),
        (lambda: LatticeGaugeField.random(SU(2), (2, 4)), "both neighbours"),
        (lambda: LatticeGaugeField.random(SU(2), (3,) * 5), "2, 3 or 4 axes"),
        (lambda: LatticeGaugeField.random(SU(2), (4, 4), batch=0), "`batch`"),
        (lambda: LatticeGaugeField.random(SU(2), (4, 4), spread=math.nan), "`spread` as a finite number"),
        (lambda: LatticeGaugeField.random(SU(2), (4, 4), spread=-1), "at least 0"),
        (lambda: LatticeGaugeField.random(SO2(), (4, 4)), "internal fibre"),
        (lambda: FIELD.to(torch.float64), "complex `links`"),
        (lambda: FIELD.plaquette(1, 1), "two different axes `mu` and `nu`, got 1 twice"),
        (lambda: FIELD.plaquette(-1, 1), "axis 0, ..., 1, got -1"),
        (lambda: FIELD.field_strength(0, 2), "got 2"),
        (lambda: FIELD.staples(2), "axis"),
        (lambda: FIELD.polyakov_loop("0"), "got '0'"),
        (lambda: FIELD.polyakov_matrix(True), "got True"),
        (lambda: FIELD.wilson_loop(0, 0, 1, 1), "two different axes"),
        (lambda: FIELD.wilson_loop(0, 1, -1, 2), "`r` to be a positive number of links, got -1"),
        (lambda: FIELD.wilson_loop(0, 1, 1, 0), "`t` to be a positive number of links, got 0"),
        (lambda: FIELD.wilson_loop(0, 1, 1.5, 1), "got 1.5"),
        (lambda: FIELD.action(math.nan), "`beta` as a finite number, got nan"),
        (lambda: FIELD.action("2"), "`beta` as a finite number"),
        (lambda: FIELD.force(math.inf), "`beta` as a finite number"),
        (lambda: FIELD.gradient_flow(-1.0), "`time` as a finite number of at least 0"),
        (lambda: FIELD.gradient_flow(1.0, steps=0), "`steps`"),
        (lambda: FIELD.gradient_flow(8.0), r"at most 0.31 .* unstable in 2 dimensions, got 8 / 10: pass `steps=51`"),
        (lambda: FIELD.transporter([(0, 1.5)]), r"pairs \(mu, k\)"),
        (lambda: FIELD.transporter([0, 1]), r"pairs \(mu, k\)"),
        (lambda: FIELD.with_paths([(0, 1)]), r"pairs \(mu, k\)"),
        (lambda: FIELD.with_paths([[(2, 1)]]), "axis 0, ..., 1, got 2"),
        (lambda: FIELD.rotate([[0, 1], [1, 0]]), "`h` as a matrix"),
        (lambda: FIELD.rotate(math.nan * torch.eye(2)), "signed permutation"),
        (lambda: FIELD.gauge_transform(OMEGA[:1]), r"shape \(2, 4, 6, 2, 2\), one element of SU\(2\) per site"),
        (lambda: FIELD.gauge_transform([OMEGA]), "got list"),
        (lambda: FIELD.gauge_transform(OMEGA.to(torch.complex64)), "`omega` of dtype torch.complex128 like the links"),
        (lambda: FIELD.gauge_transform(OMEGA.real.long()), "got torch.int64"),
        (lambda: FIELD.gauge_transform(OMEGA.real), r"`omega` in SU\(2\), got 48 of 48 outside"),
        (lambda: FIELD.gauge_transform(with_entry(OMEGA, (1, 2, 3), math.nan)), r"1, at site \(2, 3\): some"),
        (lambda: FIELD.gauge_transform(with_entry(OMEGA, (1, 2, 3), 2 * OMEGA[1, 2, 3])), r"by 3 .*project\(omega\)`"),
    ],
)  # fmt: skip
def test_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_allowed():
    """Elements outside the group as a control, real elements of the group, links of SU(2) as links of U(2)."""
    wrong = FIELD.gauge_transform(2 * OMEGA, check=False)
    assert SU(2).distance(wrong.links).min() > 1
    real = torch.eye(2, dtype=torch.float64).expand(2, 4, 6, 2, 2)
    assert torch.equal(FIELD.gauge_transform(real).links, LINKS)
    assert LatticeGaugeField(LINKS, U(2)).group == U(2)
    assert FIELD.action(torch.tensor([1.0, 2.0]).double()).shape == (2,)
    assert torch.equal(FIELD.gradient_flow(0.0).links, LINKS)


@pytest.mark.parametrize("shape", [(6, 6), (4, 4, 4), (4, 4, 4, 4)], ids=str)
def test_the_largest_step_of_the_flow_is_the_limit_of_stability(shape):
    """Steps that are ten per cent shorter bring weak fields to zero action; ten per cent longer ones blow them up."""
    weak = random_field(SU(2), shape, batch=1, spread=1e-4)
    largest, before = 2.51 / (4 * len(shape)), weak.action(4.0).item()
    for factor, stable in ((0.9, True), (1.1, False)):
        flowed = weak.with_links(gradient_flow(weak.links, SU(2), 60 * factor * largest, 60))
        assert (flowed.action(4.0).item() < 1e-3 * before) is stable
        assert (flowed.action(4.0).item() > before) is not stable
    assert weak.gradient_flow(59 * largest, steps=60).action(4.0).item() < 1e-3 * before


@pytest.mark.parametrize(
    "operator",
    [
        lambda field, psi: wilson_dirac(field, psi, 0.1),
        lambda field, psi: staggered_dirac(field, psi, 0.1),
        lambda field, psi: covariant_derivative(field, psi, 0),
        covariant_laplacian,
        lambda field, psi: hop(field, psi, 0, 1),
    ],
)
def test_matter(operator):
    for field, psi, message in [
        (FIELD, SPINOR.to(torch.complex64), "`psi` of dtype torch.complex128 like the links, got torch.complex64"),
        (FIELD.to(torch.complex64), SPINOR, "`psi` of dtype torch.complex64 like the links"),
        (FIELD, SPINOR.real, "got torch.float64.*complex_fields"),
        (FIELD, SPINOR[:1], r"`psi` of shape \(2, fields, 4, 6, 2\)"),
        (FIELD, SPINOR[:, :, :3], r"got \(2, 2, 3, 6, 2\)"),
        (FIELD, SPINOR[..., :1], r"got \(2, 2, 4, 6, 1\)"),
        (FIELD, SPINOR[0], r"got \(2, 4, 6, 2\)"),
        (FIELD, SPINOR.tolist(), "got list"),
    ]:
        with pytest.raises(ValueError, match=message):
            operator(field, psi)


def test_directions_and_dimensions_of_matter():
    for call, message in [
        (lambda: covariant_derivative(FIELD, SPINOR, 2), "axis 0, ..., 1, got 2"),
        (lambda: hop(FIELD, SPINOR, -1, 1), "axis 0, ..., 1, got -1"),
        (lambda: hop(FIELD, SPINOR, 0, 1.5), r"pairs \(mu, k\)"),
        (lambda: gamma_matrices(5), "d = 2, 3 or 4, got 5"),
        (lambda: gamma5(1), "d = 2, 3 or 4, got 1"),
        (lambda: wilson_dirac(random_field(U1(), (3, 3)), torch.ones(2, 3, 3, 3, 1).cdouble(), 0.0), "2 spin"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
