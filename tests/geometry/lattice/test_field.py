"""Observables of lattice gauge fields: gauge covariance, agreement with explicit loops, derivatives, topology."""

from __future__ import annotations

import math

import pytest
import torch

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SO2, SU, U1
from tests.geometry.lattice.cases import CASES, conjugated, random_field, random_gauge, slow
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
every_case = pytest.mark.parametrize(("group", "shape"), CASES, ids=str)


def planes(field):
    return [(mu, nu) for mu in range(field.d) for nu in range(field.d) if mu != nu]


@every_case
def test_plaquettes_and_rectangles_are_the_explicit_loops(group, shape):
    field = random_field(group, shape)
    for mu, nu in planes(field):
        square = slow(field, [(mu, 1), (nu, 1), (mu, -1), (nu, -1)])
        assert relative(field.plaquette(mu, nu), square) < EXACT
        loop = slow(field, [(mu, 1)] * 2 + [(nu, 1)] * 3 + [(mu, -1)] * 2 + [(nu, -1)] * 3)
        trace = loop.diagonal(dim1=-2, dim2=-1).mean(-1)
        assert relative(field.wilson_loop(mu, nu, 2, 3), trace) < EXACT
        if field.d > 2:
            break
    squares = [slow(field, [(m, 1), (n, 1), (m, -1), (n, -1)]) for m, n in planes(field) if m < n]
    trace = torch.stack(squares, 1).diagonal(dim1=-2, dim2=-1).mean(-1).real
    assert relative(field.mean_plaquette(), trace.flatten(1).mean(1)) < EXACT


@every_case
def test_staples_complete_plaquettes(group, shape):
    field = random_field(group, shape)
    for mu in range(field.d):
        others = [nu for nu in range(field.d) if nu != mu]
        paths = [[(mu, 1), (nu, s), (mu, -1), (nu, -s)] for nu in others for s in (1, -1)]
        expected = sum(slow(field, path) for path in paths)
        assert relative(field.links[:, mu] @ field.staples(mu), expected) < EXACT


@every_case
def test_polyakov_loops_close_around_the_lattice(group, shape):
    field = random_field(group, shape)
    for mu in range(field.d):
        expected = slow(field, [(mu, 1)] * shape[mu])
        assert relative(field.polyakov_matrix(mu), expected) < EXACT
        trace = expected.diagonal(dim1=-2, dim2=-1).mean(-1)
        assert relative(field.polyakov_loop(mu), trace.select(1 + mu, 0)) < EXACT
        assert relative(trace, trace.roll(1, 1 + mu)) < EXACT  # the same from every site on the way


@every_case
def test_the_clover_is_the_mean_of_four_leaves(group, shape):
    field = random_field(group, shape)
    mu, nu = field.d - 1, 0
    a, b, back_a, back_b = (mu, 1), (nu, 1), (mu, -1), (nu, -1)
    leaves = [[a, b, back_a, back_b], [b, back_a, back_b, a], [back_a, back_b, a, b], [back_b, a, b, back_a]]
    total = sum(slow(field, leaf) for leaf in leaves)
    expected = (total - total.mH) / 8
    if group.special:
        trace = expected.diagonal(dim1=-2, dim2=-1).mean(-1)
        expected = expected - trace[..., None, None] * torch.eye(group.d)
    assert relative(field.field_strength(mu, nu), expected) < EXACT
    assert relative(field.field_strength(nu, mu), -expected) < EXACT


def observables(field):
    """Gauge invariant numbers."""
    found = [field.action(1.7), field.mean_plaquette(), field.wilson_loop(0, 1, 2, 2), field.polyakov_loop(1)]
    if field.d == 4 or (field.d == 2 and field.group.d == 1):
        found += [field.topological_density(), field.topological_charge()]
    return found


def covariants(field):
    """Fields that transform with Omega . Omega^+."""
    found = [field.plaquette(0, 1), field.polyakov_matrix(0), field.field_strength(0, 1), *field.force(1.3).unbind(1)]
    return [*found, *(field.links[:, mu] @ field.staples(mu) for mu in range(field.d))]


@every_case
def test_observables_do_not_depend_on_the_gauge(group, shape):
    field = random_field(group, shape)
    omega = random_gauge(field)
    moved = field.gauge_transform(omega)
    assert group.contains(moved.links).all()
    for before, after in zip(observables(field), observables(moved), strict=True):
        assert relative(after, before) < EXACT
    for before, after in zip(covariants(field), covariants(moved), strict=True):
        assert relative(after, conjugated(omega, before)) < EXACT
    flowed, moved_flowed = field.gradient_flow(0.1, steps=2), moved.gradient_flow(0.1, steps=2)
    assert relative(moved_flowed.links, flowed.gauge_transform(omega).links) < EXACT


@every_case
def test_control_links_that_are_transformed_the_wrong_way(group, shape):
    """Omega(x + mu) not conjugated, and a link conjugated: observables change."""
    field = random_field(group, shape)
    omega = random_gauge(field)
    wrong = torch.stack([omega @ field.links[:, mu] @ omega.roll(-1, 1 + mu) for mu in range(field.d)], 1)
    conjugate = field.gauge_transform(omega).links.clone()
    conjugate[:, 0] = conjugate[:, 0].conj()
    for links in (wrong, conjugate):
        assert relative(field.with_links(links).action(1.7), field.action(1.7)) > 1e-3


@every_case
def test_transformations_compose(group, shape):
    field = random_field(group, shape)
    first, second = random_gauge(field), random_gauge(field, 2)
    twice = field.gauge_transform(first).gauge_transform(second)
    assert relative(twice.links, field.gauge_transform(second @ first).links) < EXACT
    constant = field.group.identity().expand_as(first)
    assert torch.equal(field.gauge_transform(constant).links, field.links)


@every_case
def test_the_force_is_the_slope_of_the_action_along_the_group(group, shape):
    """Central differences along every direction of the algebra, of single links; -2 tr(T_a F) is the slope."""
    field = random_field(group, shape, batch=1)
    force, beta, step = field.force(2.2), 2.2, 1e-5
    generator = torch.Generator().manual_seed(5)
    assert relative(group.algebra_part(force), force) < EXACT
    for t in group.lie_algebra():
        place = (0, int(torch.randint(field.d, (), generator=generator)), *(s // 2 for s in shape))

        def action_at(sign, t=t, place=place):
            links = field.links.clone()
            links[place] = group.exp(sign * step * t) @ links[place]
            return field.with_links(links).action(beta)

        slope = (action_at(1) - action_at(-1)) / (2 * step)
        assert abs((-2 * (t @ force[place]).diagonal().sum().real - slope).item()) < 1e-7


@every_case
def test_the_action_is_linear_in_one_link_with_the_staples_for_slope(group, shape):
    field = random_field(group, shape, batch=1)
    mu, beta = 1, 3.0
    place = (0, mu, *(0 for _ in shape))
    links = field.links.clone()
    links[place] = group.random_element(generator=torch.Generator().manual_seed(8))
    change = ((links[place] - field.links[place]) @ field.staples(mu)[place[:1] + place[2:]]).diagonal().sum().real
    expected = -beta / group.d * change
    assert abs((field.with_links(links).action(beta) - field.action(beta) - expected).item()) < 1e-10


def test_forces_by_autograd():
    """The gradient with respect to the links, projected on the algebra, is the force."""
    field = random_field(SU(3), (3, 4))
    links = field.links.clone().requires_grad_()
    field.with_links(links).action(1.1).sum().backward()
    # dS = Re tr(grad^+ X U) = -2 tr(X F): F is half the algebra part of grad U^+
    expected = SU(3).algebra_part(links.grad @ field.links.mH) / 2
    assert relative(field.force(1.1), expected) < EXACT


def test_everything_is_differentiable_in_the_links():
    field = random_field(SU(2), (3, 3, 3, 3), batch=1)
    links = field.links.clone().requires_grad_()
    moving = LatticeGaugeField(links, SU(2))
    for value in (
        moving.wilson_loop(0, 1, 2, 1).real,
        moving.polyakov_loop(2).real,
        moving.topological_charge(),
        moving.force(1.0).imag,
        moving.gauge_graph().transporter.real,
        moving.gradient_flow(0.1, steps=1).links.real,
    ):
        (gradient,) = torch.autograd.grad(value.sum(), links)
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0


# --- topology ---------------------------------------------------------------------------------------------------------


def constant_flux(shape, k):
    """U(1) links in two dimensions whose plaquettes all are exp(2 pi i k / (L_0 L_1))."""
    flux = 2 * math.pi * k / (shape[0] * shape[1])
    x, y = torch.meshgrid(*(torch.arange(s).double() for s in shape), indexing="ij")
    first = torch.where(x == shape[0] - 1, -flux * shape[0] * y, torch.zeros_like(x))
    angles = torch.stack([first, flux * x])
    return angles


@pytest.mark.parametrize("k", [-2, 0, 1, 3])
def test_the_charge_of_constant_flux(k):
    angles = constant_flux((5, 6), k)
    links = torch.polar(torch.ones_like(angles), angles)[None, ..., None, None]
    field = LatticeGaugeField(links, U1())
    assert relative(field.plaquette(0, 1), field.plaquette(0, 1)[:, :1, :1].expand(1, 5, 6, 1, 1)) < EXACT
    assert abs(field.topological_charge().item() - k) < 1e-10


def test_the_charge_in_two_dimensions_is_an_integer_and_the_clover_is_not_the_definition():
    field = random_field(U1(), (6, 7), batch=20)
    charge = field.topological_charge()
    assert (charge - charge.round()).abs().max() < 1e-12
    assert charge.round().unique().numel() > 2
    naive = (field.plaquette(0, 1)[..., 0, 0].imag / (2 * math.pi)).flatten(1).sum(1)  # control
    assert (naive - naive.round()).abs().max() > 0.01


@pytest.mark.parametrize(("k", "m"), [(1, 1), (1, -2), (0, 3)])
def test_the_charge_in_four_dimensions_of_two_constant_fluxes(k, m):
    """SU(2) links exp(i sigma_3 a) with fluxes k and m in orthogonal planes: V sin(a) sin(b) / (2 pi^2) -> 2 k m."""
    shape = (6, 6, 6, 6)
    angles = torch.zeros(4, *shape, dtype=torch.float64)
    angles[:2] = constant_flux(shape[:2], k)[:, :, :, None, None]
    angles[2:] = constant_flux(shape[2:], m)[:, None, None, :, :]
    phase = torch.polar(torch.ones_like(angles), angles)
    field = LatticeGaugeField(torch.diag_embed(torch.stack([phase, phase.conj()], -1))[None], SU(2))
    a, b = (2 * math.pi * n / 36 for n in (k, m))
    expected = math.prod(shape) * math.sin(a) * math.sin(b) / (2 * math.pi**2)
    charge = field.topological_charge().item()
    assert charge == pytest.approx(expected, abs=1e-10)
    assert abs(charge - 2 * k * m) <= 0.05 * abs(2 * k * m)


def test_exchanging_two_axes_reverses_the_charge():
    field = random_field(SU(3), (3, 3, 3, 4), batch=1, spread=0.4)
    mirrored = field.with_links(field.links[:, [1, 0, 2, 3]].transpose(2, 3))
    assert relative(mirrored.topological_charge(), -field.topological_charge()) < EXACT


def test_the_flow_lowers_the_action_as_the_force_says():
    """dS / dt = -|F|^2 2 N / beta ... : the slope along dU = -F U with beta = 2 N is minus the squared length of F."""
    field = random_field(SU(3), (4, 4), batch=1)
    force = field.force(6.0)
    square = -2 * (force @ force).diagonal(dim1=-2, dim2=-1).sum().real
    step = 1e-4
    slope = (field.gradient_flow(step, steps=1).action(6.0) - field.action(6.0)) / step
    assert slope.item() == pytest.approx(-square.item(), rel=2e-3)
    actions = [field.gradient_flow(t, steps=10).action(6.0).item() for t in (0.0, 0.2, 0.5, 1.0)]
    assert actions == sorted(actions, reverse=True)


def test_the_flow_converges_with_third_order():
    field = random_field(SU(2), (4, 4), batch=1)
    exact = field.gradient_flow(0.5, steps=64).links
    errors = [(field.gradient_flow(0.5, steps=n).links - exact).abs().max().item() for n in (4, 8)]
    assert 5 < errors[0] / errors[1] < 12


# --- gauge fixing, gauge graphs ---------------------------------------------------------------------------------------


@every_case
def test_the_axial_gauge_is_one_on_a_tree_and_unique_up_to_a_constant(group, shape):
    field = random_field(group, shape)
    omega = random_gauge(field)
    fixed, other = field.axial_gauge().links, field.gauge_transform(omega).axial_gauge().links
    eye = group.identity()
    last = fixed[:, -1].narrow(field.d, 0, shape[-1] - 1)
    assert (last - eye).abs().max() < EXACT
    origin = omega[(slice(None), *(0 for _ in shape))].reshape(2, *(1 for _ in range(field.d + 1)), group.d, group.d)
    assert relative(other, conjugated(origin, fixed)) < EXACT
    assert (fixed - field.links).abs().max() > 0.1  # control


@every_case
def test_the_gauge_graph_has_these_transporters(group, shape):
    field = random_field(group, shape)
    graph = field.with_paths(steps=2).gauge_graph()
    volume = field.num_nodes
    assert graph.num_nodes == 2 * volume
    assert graph.edge_index.shape[1] == 2 * volume * 2 * field.d * 2
    assert (graph.edge_index[1].diff() >= 0).all()
    extent = torch.tensor(shape, dtype=torch.float64)
    source, target = graph.edge_index
    assert torch.equal((graph.pos[target] + graph.log_map) % extent, graph.pos[source])
    assert torch.equal(graph.batch[source], graph.batch[target])
    for mu in range(field.d):
        for k in (-2, -1, 1, 2):
            edges = (graph.log_map[:, mu] == k).nonzero().flatten()
            expected = slow(field, [(mu, 1 if k > 0 else -1)] * abs(k))
            assert relative(graph.transporter[edges].view_as(expected), expected) < EXACT


def test_gauge_graphs_transform_as_fields():
    field = random_field(SU(3), (3, 4))
    omega = random_gauge(field)
    moved = field.with_paths(steps=2).gauge_graph().gauge_transform(omega.flatten(0, 2))
    expected = field.with_paths(steps=2).gauge_transform(omega).gauge_graph()
    assert relative(moved.transporter, expected.transporter) < EXACT
    assert torch.equal(moved.log_map, expected.log_map)
    assert expected.astype(torch.float32).transporter.dtype == torch.complex64
    with pytest.raises(ValueError, match=r"shape \(24, 3, 3\)"):
        moved.gauge_transform(torch.eye(3))


def test_bent_paths():
    field = random_field(SU(2), (3, 4, 3))
    path = [(0, 2), (2, -1), (1, 1)]
    steps = [(0, 1), (0, 1), (2, -1), (1, 1)]
    assert relative(field.transporter(path), slow(field, steps)) < EXACT
    graph = field.with_paths([path]).gauge_graph()
    assert torch.equal(graph.log_map[0], torch.tensor([2.0, 1, -1]).double())
    assert relative(graph.transporter.view_as(field.links[:, 0]), slow(field, steps)) < EXACT


def test_antiperiodic_axes_change_signs_across_the_boundary_only():
    field, plain = random_field(SU(2), (4, 3), antiperiodic=[0]), random_field(SU(2), (4, 3))
    for path, sites in (([(0, 1)], [3]), ([(0, -1)], [0]), ([(0, 2)], [2, 3]), ([(1, 1)], []), ([(0, 5)], [0, 1, 2])):
        sign = torch.ones(4, 3, 1, 1)
        sign[sites] = -1
        assert torch.equal(field.transporter(path), plain.transporter(path) * sign)
    assert torch.equal(field.action(1.0), plain.action(1.0))
    assert torch.equal(field.polyakov_loop(0), plain.polyakov_loop(0))
    assert field.gauge_transform(random_gauge(field)).antiperiodic == (True, False)


# --- arguments --------------------------------------------------------------------------------------------------------


def test_links_outside_of_the_group_are_named():
    links = random_field(SU(3), (3, 4)).links.clone()
    links[1, 0, 2, 3] *= 1.2
    with pytest.raises(ValueError, match=r"SU\(3\).*1 of 48.*configuration 1, direction 0, at site \(2, 3\).*project"):
        LatticeGaugeField(links, SU(3))
    links[1, 0, 2, 3] = torch.nan
    with pytest.raises(ValueError, match="by inf"):
        LatticeGaugeField(links, SU(3))
    assert LatticeGaugeField(links, SU(3), check=False).shape == (3, 4)
    with pytest.raises(ValueError, match=r"Expected `links` in SU\(2\)"):
        LatticeGaugeField(1j * random_field(SU(2), (3, 4)).links, SU(2))


def test_arguments():
    field = random_field(SU(2), (3, 4))
    links = field.links
    for make, message in [
        (lambda: LatticeGaugeField(links, SU(3)), r"\(B, d, \*shape, 3, 3\) for SU\(3\)"),
        (lambda: LatticeGaugeField(links, SO2()), "internal fibre"),
        (lambda: LatticeGaugeField(links.real, SU(2)), "complex `links`"),
        (lambda: LatticeGaugeField(links[:, :, :2], SU(2)), "at least 3"),
        (lambda: LatticeGaugeField(links[:, :, :, :1], SU(2)), "at least 3"),
        (lambda: LatticeGaugeField(links[:, :1], SU(2)), "d = 2, 3 or 4"),
        (lambda: LatticeGaugeField(links[0], SU(2)), "d = 2, 3 or 4"),
        (lambda: LatticeGaugeField(links.tolist(), SU(2)), "got list"),
        (lambda: LatticeGaugeField(links, SU(2), antiperiodic=[2]), "axis 0, ..., 1"),
        (lambda: field.plaquette(0, 0), "two different axes"),
        (lambda: field.plaquette(0, 2), "axis 0, ..., 1"),
        (lambda: field.wilson_loop(0, 1, 0, 1), "`r`"),
        (lambda: field.polyakov_loop(-1), "axis"),
        (lambda: field.topological_charge(), "no topological charge"),
        (lambda: field.with_paths(steps=0), "positive integer"),
        (lambda: field.with_paths([[(0, 1), (0, -1)]]), "lead from a site to others"),
        (lambda: field.with_paths([]), "lead from a site"),
        (lambda: field.gauge_transform(random_gauge(random_field(SU(3), (3, 4)))), r"element of SU\(2\) per site"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
    assert repr(field) == "LatticeGaugeField(SU(2), 3x4, batch=2)"
    assert field.to(torch.complex64).links.dtype == torch.complex64


def test_links_that_are_written_to_are_seen():
    """Convolutions and blocked lattices used the links of before, silently."""
    field, other = (LatticeGaugeField.random(SU(2), (6, 6)) for _ in range(2))
    assert field.gauge_graph() is field.gauge_graph()
    old = field.gauge_graph().transporter, field.blocked().links
    field.links.copy_(other.links)
    new = field.gauge_graph().transporter, field.blocked().links
    assert torch.equal(new[0], other.gauge_graph().transporter)
    assert torch.equal(new[1], other.blocked().links)
    assert not any(torch.equal(a, b) for a, b in zip(old, new, strict=True))
