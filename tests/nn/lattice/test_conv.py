"""GaugeConv on lattice gauge fields: engines agree, gauge equivariance, symmetries of the lattice, formulas."""

from __future__ import annotations

import itertools

import pytest
import torch

from gaugenet.geometry import Grid, LatticeGaugeField
from gaugenet.geometry.lattice.transport import transported
from gaugenet.groups import SO2, SU, U1, FieldType, complex_fields, real_fields
from gaugenet.kernels import Harmonic, Shifts
from gaugenet.nn import GaugeConv, use_engine
from gaugenet.nn.engines.lattice import LatticeEngine
from tests.geometry.lattice.cases import random_field, random_gauge
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
CASES = [
    (U1(), (4, 5), "2x1 + 1x0 + 1x2 + 1xmatrix", 2),
    (SU(2), (3, 4), "2xmatrix + 1xfundamental + 1xadjoint + 1x0", 2),
    (SU(3), (3, 4), "1xmatrix + 2xfundamental + 1xadjoint + 1xconjugate", 1),
    (SU(2), (3, 3, 4), "1xmatrix + 1xfundamental", 1),
    (SU(3), (3, 3, 3, 3), "1xmatrix + 1xfundamental", 1),
]
every_case = pytest.mark.parametrize(("group", "shape", "spec", "steps"), CASES, ids=str)


def case(group, shape, spec, steps, **options):
    torch.manual_seed(0)
    field = random_field(group, shape, steps=steps, **options)
    fields = FieldType(group, spec)
    layer = GaugeConv(fields, fields, kernel=Shifts(len(shape), steps=steps), dtype=torch.float64)
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias.bias)
    return layer, field, torch.randn(2, fields.size, *shape, dtype=torch.float64)


@every_case
@pytest.mark.parametrize("antiperiodic", [(), (0,)])
def test_all_engines_agree(group, shape, spec, steps, antiperiodic):
    layer, field, x = case(group, shape, spec, steps, antiperiodic=antiperiodic)
    y = LatticeEngine().shift(layer, x, field)
    assert relative(layer(x, field), y) < EXACT
    for engine in ("graph", "reference"):
        with use_engine(engine):
            assert relative(layer(x, field), y) < EXACT
    rows = layer(x.flatten(2).mT.flatten(0, 1), field.gauge_graph())
    assert relative(rows.view(2, -1, layer.out_type.size).mT.unflatten(2, shape), y) < EXACT


def equivariance_error(layer, field, x, omega):
    fields, out = layer.in_type, layer.out_type
    moved = layer(fields.transform(omega, x), field.gauge_transform(omega))
    return relative(moved, out.transform(omega, layer(x, field)))


@every_case
def test_gauge_equivariance(group, shape, spec, steps):
    layer, field, x = case(group, shape, spec, steps)
    omega = random_gauge(field)
    assert equivariance_error(layer, field, x, omega) < EXACT
    y = layer(x, field)
    wrong = layer(x, field.gauge_transform(omega))  # control: features are not transformed
    assert relative(wrong, y) > 1e-3
    links = field.links.clone()
    links[:, 0] = links[:, 0].mT if group.d > 1 else links[:, 0].conj()
    broken = layer(layer.in_type.transform(omega, x), field.gauge_transform(omega).with_links(links))
    assert relative(broken, layer.out_type.transform(omega, y)) > 1e-3


def test_control_features_that_are_not_transported():
    """With all links one the same layer is an ordinary convolution, which is not equivariant on this field."""
    layer, field, x = case(SU(2), (4, 4), "2xmatrix", 1)
    omega = random_gauge(field)
    cold = field.with_links(SU(2).identity().expand_as(field.links).clone())
    expected = layer.out_type.transform(omega, layer(x, cold))
    assert relative(layer(layer.in_type.transform(omega, x), cold), expected) > 0.1


@pytest.mark.parametrize("group", [SU(2), SU(3)], ids=str)
def test_the_layer_of_lattice_networks(group):
    """W'_i(x) = sum omega_{i j v} U_v(x) W_j(x + v) U_v(x)^+ with complex omega, written out."""
    n, shape = group.d, (4, 3)
    field = random_field(group, shape, steps=2)
    fields = FieldType(group, "2xmatrix")
    layer = GaugeConv(fields, fields, kernel=Shifts(2, steps=2), bias=False, self_interaction=False).double()
    basis = layer.kernels.pairs[0].basis.coefficients().squeeze(2)  # (elements, out, in)
    one = torch.eye(2 * n * n, dtype=torch.float64)
    i = torch.kron(torch.tensor([[0.0, -1], [1, 0]]).double(), torch.eye(n * n).double())
    omega = torch.randn(2, 2, 8, dtype=torch.complex128)  # out, in, displacement
    weight = layer.kernels.pairs[0].weight(layer.weight.data)
    for r in range(8):
        a, b = (torch.einsum("eoi,oi->e", basis, m) for m in (one, i))
        weight[r] = torch.einsum("e,uv->euv", a, omega[..., r].real) + torch.einsum("e,uv->euv", b, omega[..., r].imag)
    w = torch.randn(2, 2, *shape, n, n, dtype=torch.complex128)
    expected = torch.zeros_like(w)
    for r, (dx, dy) in enumerate(layer.kernels.radial.offsets):
        u = field.transporter([(0, dx), (1, dy)])[:, None]
        moved = u @ torch.roll(w, (-dx, -dy), (2, 3)) @ u.mH
        expected += torch.einsum("ij,bjxymn->bixymn", omega[..., r], moved)
    found = complex_fields(layer(real_fields(w, 2), field), (n, n))
    assert relative(found, expected) < EXACT


def test_matter_transports_by_the_link_alone():
    """One step of the fundamental is U_mu(x) v(x + mu), and U_mu(x - mu)^+ v(x - mu) backwards."""
    field = random_field(SU(3), (4, 3), antiperiodic=[1])
    v = torch.randn(2, 1, 4, 3, 3, dtype=torch.complex128)
    fields = FieldType(SU(3), "1xfundamental")
    for mu, extent in enumerate((4, 3)):
        ahead = torch.roll(v, -1, 2 + mu)
        if mu == 1:
            ahead[:, :, :, extent - 1] *= -1
        x = real_fields(torch.roll(v, -1, 2 + mu), 1)
        found = complex_fields(transported(fields, x, field.transporter([(mu, 1)])), (3,))
        assert relative(found[:, 0], (field.links[:, mu] @ ahead[:, 0, ..., None])[..., 0]) < EXACT


# --- rotations and reflections ----------------------------------------------------------------------------------------


def hypercubic(d):
    """Signed permutations of the axes: (order of the axes, axes that are reversed)."""
    for order in itertools.permutations(range(d)):
        for flips in itertools.product([False, True], repeat=d):
            yield order, [mu for mu in range(d) if flips[mu]]


def moved_sites(x, order, flips, first):
    """The field at the inverse image of each site: axes are permuted, then reversed about the site 0."""
    lead = list(range(first))
    tail = list(range(first + len(order), x.dim()))
    x = x.permute(*lead, *(first + axis for axis in order), *tail)
    for mu in flips:
        x = torch.roll(x.flip(first + mu), 1, first + mu)
    return x


def moved_links(links, order, flips):
    """Links along a reversed axis are those of the site before, in the other direction."""
    moved = torch.stack([moved_sites(links[:, axis], order, flips, 1) for axis in order], 1)
    parts = list(moved.unbind(1))
    for mu in flips:
        parts[mu] = torch.roll(parts[mu], -1, 1 + mu).mH
    return torch.stack(parts, 1)


@pytest.mark.parametrize(("group", "shape"), [(SU(2), (4, 4)), (SU(3), (3, 3, 3)), (U1(), (5, 5))], ids=str)
def test_symmetric_kernels_commute_with_rotations_and_reflections(group, shape):
    d = len(shape)
    torch.manual_seed(0)
    fields = FieldType(group, "1xmatrix + 2xfundamental")
    field = random_field(group, shape, steps=2)
    x = torch.randn(2, fields.size, *shape, dtype=torch.float64)
    layer, free = (
        GaugeConv(fields, fields, kernel=Shifts(d, steps=2, symmetric=symmetric), dtype=torch.float64)
        for symmetric in (True, False)
    )
    errors = []
    for order, flips in hypercubic(d):
        rotated = field.with_links(moved_links(field.links, order, flips))
        assert relative(rotated.action(1.0), field.action(1.0)) < EXACT
        for conv in (layer, free):
            y = moved_sites(conv(x, field), order, flips, 2)
            errors.append(relative(conv(moved_sites(x, order, flips, 2), rotated), y))
    assert max(errors[::2]) < EXACT
    assert max(errors[1::2]) > 0.01  # control: a weight for each displacement
    assert layer.kernels.num_weights < free.kernels.num_weights


# --- derivatives, precision, arguments --------------------------------------------------------------------------------


def test_gradients_reach_features_weights_and_links():
    layer, field, x = case(SU(2), (3, 3), "1xmatrix + 1xfundamental", 1)
    links = field.links.clone().requires_grad_()
    x.requires_grad_()
    losses = []
    for engine in (None, "graph"):
        domain = field.with_links(links)
        if engine is None:
            y = layer(x, domain)
        else:
            with use_engine(engine):
                y = layer(x, domain)
        losses.append(torch.autograd.grad(y.square().sum(), [x, layer.weight, links]))
    for a, b in zip(*losses, strict=True):
        assert relative(a, b) < 10 * EXACT
        assert a.abs().max() > 0
    assert torch.autograd.gradcheck(lambda u: layer(x.detach(), field.with_links(u)), [links])


def test_bent_paths_and_groups_of_channels():
    torch.manual_seed(0)
    fields = FieldType(SU(2), "4xmatrix")
    paths = [[(0, 1), (1, 1)], [(1, 1), (0, -1)], [(0, 2)]]
    field = random_field(SU(2), (4, 4), paths=paths)
    kernel = Shifts(2, offsets=((1, 1), (-1, 1), (2, 0)))
    layer = GaugeConv(fields, fields, kernel=kernel, groups=2, dtype=torch.float64)
    x = torch.randn(2, fields.size, 4, 4, dtype=torch.float64)
    y = layer(x, field)
    with use_engine("reference"):
        assert relative(layer(x, field), y) < EXACT
    assert equivariance_error(layer, field, x, random_gauge(field)) < EXACT
    assert "displacements=3" in repr(layer)


def test_single_precision():
    layer, field, x = case(SU(3), (3, 4), "1xmatrix + 2xfundamental", 1)
    y = layer(x, field)
    single = layer.float()(x.float(), field.to(torch.complex64))
    assert single.dtype == torch.float32
    assert relative(single.double(), y) < TOL[torch.float32]


def test_arguments():
    layer, field, x = case(SU(2), (3, 4), "1xmatrix", 1)
    fields = layer.in_type
    for make, message in [
        (lambda: layer(x[:1], field), "one configuration of links for each entry"),
        (lambda: layer(x, random_field(SU(3), (3, 4))), r"Expected fields of SU\(3\)"),
        (lambda: layer(x, field.with_paths(steps=2)), "displacements"),
        (lambda: layer(x, Grid((3, 4))), "on a `Grid` use"),
        (lambda: GaugeConv(fields, fields), "internal fibre"),
        (lambda: Shifts(2, steps=0), "steps"),
        (lambda: Shifts(2, offsets=((0, 0),)), "not zero"),
        (lambda: Shifts(2, offsets=((1, 0), (1, 0))), "different"),
        (lambda: Shifts(2, offsets=((1, 0, 0),)), "2 steps each"),
        (lambda: GaugeConv(fields, FieldType(SU(2), "1xfundamental"), kernel=Shifts(2)), "no SU"),
        (lambda: GaugeConv(fields, fields, kernel=Shifts(3), dtype=torch.float64)(x, field), "3 dimensions"),
        (lambda: LatticeGaugeField(field.links, SU(2), steps=-1), "steps"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
    planar = FieldType(SO2(), "1x0")
    with pytest.raises(ValueError, match="Expected fields of SU"):
        GaugeConv(planar, planar, kernel=Harmonic(), dtype=torch.float64)(x[:, :1], field)
