"""Maxwell's equations in a periodic box: plane waves, Lienard-Wiechert fields with and without charges, balances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from gaugenet.data import ChargeClouds, MaxwellState, PeriodicMaxwell, space_time_faraday
from gaugenet.data.physics.charges import MovingCharges
from gaugenet.geometry import FieldAction, Grid
from gaugenet.groups import O2, CliffordAlgebra, FieldType, electric_magnetic
from gaugenet.taxonomy.transformations import mirror, rotation
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
PLANE = Grid((32, 32), spacing=0.25, boundary="periodic")
BOX = Grid((16, 18, 20), spacing=0.3, boundary="periodic", kernel_size=3)


def plane_wave(grid: Grid, waves: list[int], polarization: list[float], time: float, sign: float = 1.0) -> MaxwellState:
    """E = e cos(k x - w t), B = k/w x E: light along k; with `sign` -1 the magnetic field is the wrong one."""
    lengths = [n * h for n, h in zip(grid.shape[::-1], grid.spacing[::-1], strict=True)]
    k = torch.tensor(
        [2 * math.pi * n / length for n, length in zip(waves, lengths, strict=True)] + [0.0] * (3 - grid.d)
    )
    k = k.double()
    e = torch.tensor(polarization, dtype=torch.float64)
    e = e - k * (k @ e) / (k @ k)
    phase = (grid.pos @ k[: grid.d] - k.norm() * time).cos().view(grid.shape)
    b = sign * torch.linalg.cross(k / k.norm(), e)
    parts = (e[:2], b[2:]) if grid.d == 2 else (e, b)
    return MaxwellState(*(v.view(1, -1, *[1] * grid.d) * phase for v in parts), time)


def both(state: MaxwellState) -> Tensor:
    return torch.cat([state.electric, state.magnetic], 1)


@pytest.mark.parametrize(
    ("grid", "waves", "polarization"),
    [(PLANE, [3, -2], [1.0, 0.3, 0.0]), (BOX, [1, -2, 3], [0.2, 1.0, -0.4]), (BOX, [0, 0, 1], [1.0, 0.0, 0.0])],
    ids=["plane", "box", "along z"],
)
def test_plane_waves_move_at_the_speed_of_light(grid, waves, polarization):
    solver = PeriodicMaxwell(grid)
    for time in (0.37, 25.0, -3.0):
        found = solver.advance(plane_wave(grid, waves, polarization, 0.0), time)
        assert relative(both(found), both(plane_wave(grid, waves, polarization, time))) < 1e-6  # k in float32 above
        wrong = solver.advance(plane_wave(grid, waves, polarization, 0.0, sign=-1.0), time)
        assert relative(wrong.electric, found.electric) > 0.1


def random_state(solver: PeriodicMaxwell, seed: int = 0) -> MaxwellState:
    generator = torch.Generator().manual_seed(seed)
    d, shape = solver.grid.d, solver.grid.shape
    fields = [torch.randn(2, n, *shape, generator=generator, dtype=torch.float64) for n in (d, 1 if d == 2 else 3)]
    return solver.advance(MaxwellState(*fields), 0.0)  # waves at the limit of the grid are removed


@pytest.mark.parametrize("grid", [PLANE, BOX], ids=["plane", "box"])
def test_steps_in_vacuum_compose_and_conserve_energy(grid):
    solver = PeriodicMaxwell(grid)
    start = random_state(solver)
    end = solver.advance(start, 1.7)
    assert relative(both(solver.advance(start, 1.7, steps=5)), both(end)) < EXACT
    assert relative(both(solver.advance(end, -1.7)), both(start)) < EXACT
    assert relative(solver.energy(end), solver.energy(start)) < EXACT
    assert relative(end.electric, start.electric) > 0.1
    assert (end.time, solver.power(end).tolist()) == (1.7, [0.0, 0.0])


# --- Lienard and Wiechert ------------------------------------------------------------------------------------------


def window(radius: Tensor, inner: float, outer: float) -> Tensor:
    """One inside, zero outside, smooth in between."""
    return 0.5 * torch.erfc(6.0 * (radius - (inner + outer) / 2) / (outer - inner))


def test_vacuum_fields_of_charges_outside_of_the_region():
    """The fields at time zero, cut off far from the middle, become those at time T where the cut is not seen."""
    grid = Grid((48, 48, 48), spacing=0.125, boundary="periodic", kernel_size=3)
    direction = torch.tensor([[1.0, 0.4, -0.2], [-0.5, -1.0, 0.3], [0.1, 0.2, -1.0]], dtype=torch.float64)
    one = torch.ones(3, dtype=torch.float64)
    charges = MovingCharges(
        torch.tensor([1.0, -1.5, 0.7], dtype=torch.float64),
        6.0 * torch.nn.functional.normalize(direction, dim=1),
        torch.tensor([[0.1, 0.2, 0.0], [-0.2, 0.1, 0.1], [0.0, 0.0, 0.3]], dtype=torch.float64),
        torch.tensor([[0.0, 0.3, 0.1], [0.2, 0.0, -0.3], [0.3, 0.3, 0.0]], dtype=torch.float64),
        1.2 * one,
        torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64),
    )

    def fields(time: float) -> MaxwellState:
        events = torch.cat([torch.full((grid.num_nodes, 1), time, dtype=torch.float64), grid.pos], 1)
        return MaxwellState(*(f.T.reshape(1, 3, *grid.shape) for f in charges.fields(events)), time)

    radius = grid.pos.norm(dim=1).view(grid.shape)
    cut, start, time = window(radius, 1.7, 3.0), fields(0.0), 0.8
    end = PeriodicMaxwell(grid).advance(MaxwellState(start.electric * cut, start.magnetic * cut), time)
    near, exact = radius < 1.7 - time - 0.1, both(fields(time))
    assert near.sum() > 1000
    assert relative(both(end)[..., near], exact[..., near]) < 3e-5
    assert relative(both(start)[..., near], exact[..., near]) > 0.03, "the fields change"


@dataclass(frozen=True)
class Departure(MovingCharges):
    """A charge and its opposite at one place, until the charge moves smoothly to another place: no field before."""

    start: float = 3.2
    duration: float = 0.7

    def path(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s = (t - self.start)[..., None] / self.duration
        speed = torch.exp(-s.square()) / (self.duration * math.pi**0.5)
        place = self.position + self.amplitude * 0.5 * (1 + torch.erf(s))
        return place, self.amplitude * speed, -2 * s / self.duration * self.amplitude * speed


def departure(planar: bool) -> Departure:
    zero, two = torch.zeros(2, 3, dtype=torch.float64), torch.tensor([1.0, -1.0], dtype=torch.float64)
    step = torch.tensor([[0.5, 0.3, 0.0 if planar else 0.2], [0.0, 0.0, 0.0]], dtype=torch.float64)
    fastest = torch.full((2,), 1 / (Departure.duration * math.pi**0.5), dtype=torch.float64)  # speed / step
    return Departure(two, zero, zero, step, fastest, 0 * two)


def smoothed(fields, width: float, time: float) -> Tensor:
    """Fields outside of clouds: as each component solves the wave equation, smoothing in space is smoothing in time."""
    shifts = 0.1 * torch.arange(-24, 25, dtype=torch.float64)
    weights = torch.exp(-0.5 * (shifts / width) ** 2)
    return sum(w * fields(time + s) for s, w in zip(shifts.tolist(), weights / weights.sum(), strict=True))


def test_fields_of_a_moving_charge_in_space():
    """A charge leaves its opposite; until waves have gone around the box, the field is that of Lienard and Wiechert."""
    grid, time = Grid((40, 40, 40), spacing=0.25, boundary="periodic", kernel_size=3), 6.0
    source = departure(planar=False)
    solver = PeriodicMaxwell(grid, ChargeClouds([source], width=0.4))
    found = solver.advance(solver.start(), time, steps=40)
    shell = (grid.pos.norm(dim=1) > 2.4) & (grid.pos.norm(dim=1) < 3.2)
    pos = grid.pos[shell][::7]

    def fields(t: float) -> Tensor:
        events = torch.cat([torch.full((len(pos), 1), t, dtype=torch.float64), pos], 1)
        return torch.cat(source.fields(events), 1)

    exact = smoothed(fields, 0.4, time)
    assert exact[:, 3:].abs().max() > 0.05, "a wave passes"
    assert relative(both(found)[0].flatten(1)[:, shell].T[::7], exact) < 3e-4, (
        "the edge of the cloud is 4.5 widths away"
    )
    assert solver.gauss_error(found) < 1e-9


def test_fields_of_a_moving_line_in_the_plane():
    """Lines of charge are integrals of points over the height: it vanishes where light has not arrived."""
    grid, time = Grid((64, 64), spacing=0.2, boundary="periodic"), 6.0
    source = departure(planar=True)
    solver = PeriodicMaxwell(grid, ChargeClouds([source], width=0.35))
    found = solver.advance(solver.start(), time, steps=40)
    ring = (grid.pos.norm(dim=1) > 2.2) & (grid.pos.norm(dim=1) < 3.2)
    pos = grid.pos[ring][::5]
    heights, weights = np.polynomial.legendre.leggauss(48)

    def fields(t: float) -> Tensor:
        z = torch.from_numpy(3.25 * (1 + heights)).view(-1, 1, 1).expand(-1, len(pos), 1)
        electric, magnetic = source.fields(torch.cat([torch.full_like(z, t), pos.expand(len(z), -1, 2), z], 2))
        each = torch.cat([electric[..., :2], magnetic[..., 2:]], 2)
        return torch.einsum("z,znc->nc", torch.from_numpy(6.5 * weights), each)

    exact = smoothed(fields, 0.35, time)
    assert exact[:, 2].abs().max() > 0.05, "a wave passes"
    assert relative(both(found)[0].flatten(1)[:, ring].T[::5], exact) < 1e-4
    assert solver.gauss_error(found) < 1e-9


# --- balances --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [PLANE, BOX], ids=["plane", "box"])
def test_charge_is_conserved_and_gauss_law_holds(grid):
    """The law is not imposed: it holds to the error of the steps, which falls at order six."""
    charges = [MovingCharges.random(3, planar=grid.d == 2, seed=seed) for seed in (0, 1)]
    solver = PeriodicMaxwell(grid, ChargeClouds(charges, width=0.5))
    space, source, h = solver.space, solver.source, 1e-3
    rate = sum(c * (source.density(space, n * h) - source.density(space, -n * h)) for n, c in ((1, 8), (2, -1)))
    flow = 1j * (space.k * source.current(space, 0.0)[:, : grid.d]).sum(1, keepdim=True)
    assert relative((rate / (12 * h)).abs(), flow.abs()) < 1e-9
    assert (rate / (12 * h) + flow).abs().max() < 1e-9 * flow.abs().max()
    start = solver.start()
    assert solver.gauss_error(start) < 1e-12
    errors = [solver.gauss_error(solver.advance(start, 4.0, steps)) for steps in (10, 20)]
    assert 50 < errors[0] / errors[1] < 200, errors
    assert solver.gauss_error(solver.advance(start, 4.0, 40)) < 1e-9
    assert PeriodicMaxwell(grid).gauss_error(start) > 0.1, "the control: these charges are there"


def test_energy_is_lost_to_the_charges():
    """dU/dt = - integral of J E, integrated over time by the rule of Simpson."""
    solver = PeriodicMaxwell(PLANE, ChargeClouds([MovingCharges.random(3, planar=True, seed=2)], width=0.5))
    start, frames, every = solver.start(), 200, 0.02
    states = [start, *solver.run(start, frames=frames, every=every, steps=1)]
    weights = torch.tensor([1.0] + [4.0, 2.0] * (frames // 2 - 1) + [4.0, 1.0], dtype=torch.float64) * every / 3
    work = weights @ torch.stack([solver.power(s) for s in states])
    change = solver.energy(states[-1]) - solver.energy(start)
    assert relative(change, -work) < 1e-5
    assert float((change / solver.energy(start)).abs()) > 0.01


@pytest.mark.parametrize("g", [rotation(90), mirror(0, 2)], ids=["90", "mirror"])
def test_the_solver_commutes_with_symmetries_of_the_grid(g):
    """The magnetic field of the plane is a bivector: it changes its sign in a mirror."""
    solver = PeriodicMaxwell(PLANE)
    start = random_state(solver)
    act = [FieldAction(FieldType(O2(), name)) for name in ("1x1", "1x0-")]

    def moved(s: MaxwellState) -> MaxwellState:
        return MaxwellState(act[0](g, s.electric), act[1](g, s.magnetic), s.time)

    expected = moved(solver.advance(start, 0.6))
    assert relative(both(solver.advance(moved(start), 0.6)), both(expected)) < EXACT
    wrong = MaxwellState(moved(start).electric, -moved(start).magnetic)
    assert relative(both(solver.advance(wrong, 0.6)), both(expected)) > 0.1


def test_the_faraday_bivector_on_space_time():
    solver = PeriodicMaxwell(PLANE)
    states = list(solver.run(random_state(solver), frames=3, every=0.25))
    algebra = CliffordAlgebra(2, 1)
    field = space_time_faraday(states, algebra)
    assert field.shape == (2, 3, 3, 32, 32)
    electric, magnetic = electric_magnetic(field[:, :, 1].movedim(1, -1), algebra)
    assert torch.equal(electric.movedim(-1, 1), states[1].electric)
    assert torch.equal(magnetic.movedim(-1, 1), states[1].magnetic)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="boundary='periodic'"):
        PeriodicMaxwell(Grid((8, 8)))
    with pytest.raises(ValueError, match="space-time"):
        PeriodicMaxwell(Grid((8, 8, 8), boundary="periodic", signature=(2, 1), kernel_size=3))
    solver = PeriodicMaxwell(PLANE)
    with pytest.raises(ValueError, match="source"):
        solver.start()
    with pytest.raises(ValueError, match=r"magnetic.*\(1, 1, 32, 32\)"):
        solver.advance(MaxwellState(torch.zeros(1, 2, 32, 32), torch.zeros(1, 3, 32, 32)), 1.0)
    with pytest.raises(ValueError, match="duration"):
        solver.advance(random_state(solver), math.nan)
    with pytest.raises(ValueError, match="planar=True"):
        PeriodicMaxwell(PLANE, ChargeClouds([MovingCharges.random(2, seed=0)], width=0.4)).start()
    with pytest.raises(ValueError, match="at least one sample"):
        ChargeClouds([], width=0.4)
    with pytest.raises(ValueError, match="width"):
        ChargeClouds([MovingCharges.random(2, seed=0)], width=0.0)
    with pytest.raises(ValueError, match=r"Cl\(2, 1\)"):
        space_time_faraday([random_state(solver)], CliffordAlgebra(1, 2))
    with pytest.raises(ValueError, match="at least one state"):
        space_time_faraday([], CliffordAlgebra(2, 1))


def test_fields_that_do_not_fit_are_named():
    solver = PeriodicMaxwell(PLANE)
    state = random_state(solver)
    for bad, message in (
        (MaxwellState(state.electric * math.nan, state.magnetic), "finite values in `electric`"),
        (MaxwellState(state.electric, state.magnetic * math.inf), "finite values in `magnetic`"),
        (MaxwellState(state.electric + 0j, state.magnetic), "Expected real fields"),
        (MaxwellState(state.electric, state.magnetic, math.nan), "finite `time`"),
    ):
        with pytest.raises(ValueError, match=message):
            solver.advance(bad, 0.1)
    with pytest.raises(ValueError, match=r"`electric` of shape \(2, 2, 32, 32\)"):  # a wrong volume before
        solver.energy(MaxwellState(state.electric[..., :16], state.magnetic))
    with pytest.raises(ValueError, match="`source` such as `ChargeClouds`, got MovingCharges"):
        PeriodicMaxwell(PLANE, MovingCharges.random(2, planar=True, seed=0))


def test_a_source_of_other_samples_is_not_broadcast():
    charges = [MovingCharges.random(2, planar=True, seed=seed) for seed in range(3)]
    state = random_state(PeriodicMaxwell(PLANE))  # two samples
    for call in ("power", "gauss_error"):
        with pytest.raises(ValueError, match="3 samples of the source, got 2"):
            getattr(PeriodicMaxwell(PLANE, ChargeClouds(charges, width=0.4)), call)(state)
    with pytest.raises(ValueError, match="3 samples of the source, got 2"):
        PeriodicMaxwell(PLANE, ChargeClouds(charges, width=0.4)).advance(state, 0.1)
    shared = PeriodicMaxwell(PLANE, ChargeClouds(charges[:1], width=0.4)).advance(state, 0.1)
    equal = PeriodicMaxwell(PLANE, ChargeClouds([charges[0]] * 2, width=0.4)).advance(state, 0.1)
    assert torch.equal(both(shared), both(equal))


def test_charges_that_are_not_numbers_are_refused():
    zero, one = torch.zeros(1, 3), torch.ones(1)
    with pytest.raises(ValueError, match="finite numbers in `velocity`"):  # NaN is not faster than light either
        MovingCharges(one, zero, zero * math.nan, zero, one, one)
    with pytest.raises(ValueError, match="a list of `MovingCharges`"):
        ChargeClouds(MovingCharges.random(2, seed=0), width=0.4)


def test_space_time_needs_equal_intervals():
    """The field of space-time has one spacing in time, so states at other times would be in the wrong place."""
    state, algebra = random_state(PeriodicMaxwell(PLANE)), CliffordAlgebra(2, 1)
    for times in ((0.0, 1.0, 5.0), (1.0, 0.0), (0.0, 0.0)):
        states = [MaxwellState(state.electric, state.magnetic, time) for time in times]
        with pytest.raises(ValueError, match="equal intervals"):
            space_time_faraday(states, algebra)
    half = MaxwellState(state.electric[:1], state.magnetic[:1], 1.0)
    with pytest.raises(ValueError, match="states of one shape"):
        space_time_faraday([MaxwellState(state.electric, state.magnetic, 0.0), half], algebra)


def test_a_uniformly_moving_charge_has_the_magnetic_field_v_cross_e():
    """The closed form of its Fourier coefficients: E = -4 pi i (k - v (k v)) rho / (k^2 - (k v)^2), B = v x E."""
    velocity, one, zero = torch.tensor([0.3, 0.2, 0.0], dtype=torch.float64), torch.ones(1), torch.zeros(1, 3)
    solver = PeriodicMaxwell(PLANE, ChargeClouds([MovingCharges(2 * one, zero, velocity[None], zero, one, one)], 0.5))

    def exact(time: float) -> MaxwellState:
        k, rho = solver.space.k, solver.source.density(solver.space, time)[0, 0]
        along = torch.einsum("x,x...->...", velocity[:2], k)
        inverse = torch.where(solver.space.k2 > 0, 1 / (solver.space.k2 - along**2).clamp(min=1e-9), 0.0)
        waves = -4j * math.pi * (k - velocity[:2, None, None] * along) * inverse * rho * solver.space.below(1.0)
        electric = solver.space.synthesis(waves)
        return MaxwellState(electric[None], (velocity[0] * electric[1] - velocity[1] * electric[0])[None, None], time)

    found, expected = solver.advance(exact(0.0), 0.9, steps=20), exact(0.9)
    mean = -4 * math.pi * 2 * velocity[:2] * 0.9 / 8.0**2  # the mean current changes the mean of E
    assert relative(found.electric - mean[:, None, None], expected.electric) < 1e-8
    assert relative(found.magnetic, expected.magnetic) < 1e-8
    assert relative(found.magnetic, -expected.magnetic) > 0.5, "the control"
