"""Turbulence in the plane: closed forms, balances, conservation, order of the steps, symmetries, files, bad input."""

from __future__ import annotations

import itertools
import math

import h5py
import numpy as np
import pytest
import torch

from gaugenet.data import DataError, FlowState, NavierStokes, read_flows, write_flows
from gaugenet.files import OutputError
from gaugenet.geometry import FieldAction, Grid
from gaugenet.groups import O2, FieldType
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
PLANE = Grid((32, 32), spacing=2 * math.pi / 32, boundary="periodic")


def taylor_green(grid: Grid, time: float, viscosity: float, drift: tuple[float, float], n: int = 2) -> torch.Tensor:
    """u = (cos nx sin ny, -sin nx cos ny) exp(-2 n^2 nu t), carried by a mean flow: an exact solution."""
    x, y = (grid.pos[:, k].reshape(grid.shape) - drift[k] * time for k in range(2))
    decay = math.exp(-2 * n * n * viscosity * time)
    u, v = (n * x).cos() * (n * y).sin() * decay, -(n * x).sin() * (n * y).cos() * decay
    return torch.stack([u + drift[0], v + drift[1]])[None]


def test_the_taylor_green_vortex_decays_exactly():
    """Its advection is a gradient, so steps of any length are exact."""
    solver = NavierStokes(PLANE, viscosity=0.05)
    start = FlowState(taylor_green(PLANE, 0.0, 0.05, (0, 0)))
    end = solver.advance(start, 3.0, 4).velocity
    assert relative(end, taylor_green(PLANE, 3.0, 0.05, (0, 0))) < EXACT
    assert relative(end, start.velocity) > 0.5


def test_steps_are_of_fourth_order():
    """A Taylor-Green vortex that a mean flow carries is exact, too, but not for the steps."""
    solver, drift = NavierStokes(PLANE, viscosity=0.02), (0.7, -0.4)
    start = FlowState(taylor_green(PLANE, 0.0, 0.02, drift))
    exact = taylor_green(PLANE, 2.0, 0.02, drift)
    errors = [relative(solver.advance(start, 2.0, steps).velocity, exact) for steps in (10, 20, 40)]
    orders = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert errors[-1] < 2e-5
    assert all(3.8 < order < 4.3 for order in orders), orders


def test_smoke_spreads_as_a_heat_kernel_that_the_flow_carries():
    """In a uniform flow: exp(i k (x - U t)) exp(-kappa k^2 t)."""
    solver = NavierStokes(PLANE, viscosity=0.0, diffusivity=0.03)
    x, y = (PLANE.pos[:, k].reshape(PLANE.shape) for k in range(2))
    velocity = torch.tensor([0.5, 0.3], dtype=torch.float64)[None, :, None, None].expand(1, 2, 32, 32)
    smoke = 1 + (2 * x + 3 * y).cos()
    end = solver.advance(FlowState(velocity, smoke[None, None]), 1.0, 50)
    expected = 1 + (2 * (x - 0.5) + 3 * (y - 0.3)).cos() * math.exp(-0.03 * 13)
    assert relative(end.smoke, expected[None, None]) < 1e-6
    assert relative(end.velocity, velocity) < EXACT


def test_there_is_no_divergence():
    solver = NavierStokes(PLANE, viscosity=1e-3)
    for state in [solver.random(2, seed=1), *solver.run(solver.random(2, seed=1), frames=2, every=0.3)]:
        assert solver.divergence(state.velocity).abs().max() < 1e-12 * solver.vorticity(state.velocity).abs().max()
    gradient = PLANE.pos[:, :2].T.reshape(1, 2, 32, 32).cos()
    assert solver.divergence(gradient).abs().max() > 0.1, "the control"


def test_velocity_and_vorticity_are_inverse():
    solver = NavierStokes(PLANE, viscosity=1e-3)
    velocity = solver.random(2, seed=1).velocity
    w = solver.vorticity(velocity)
    assert relative(solver.velocity(w), velocity) < EXACT
    x, y = (PLANE.pos[:, k].reshape(1, 1, 32, 32) for k in range(2))
    swirl = torch.cat([-y.sin(), x.sin()], 1)  # near the middle a rotation counter-clockwise
    assert relative(solver.vorticity(swirl), x.cos() + y.cos()) < EXACT


def test_energy_enstrophy_and_smoke_balance():
    """dE/dt = -2 nu Z, dZ/dt = -2 nu P, and the variance of the smoke: integrated in time by Simpson's rule."""
    nu, kappa, frames = 0.01, 0.02, 80
    solver = NavierStokes(PLANE, viscosity=nu, diffusivity=kappa, courant=0.3)
    start = solver.random(2, seed=2)
    states = [start, *solver.run(start, frames=frames, every=0.01)]
    found = {k: torch.stack([solver.invariants(s)[k] for s in states]) for k in solver.invariants(start)}
    weights = torch.tensor([1.0] + [4.0, 2.0] * (frames // 2 - 1) + [4.0, 1.0], dtype=torch.float64) * 0.01 / 3
    for name, rate, constant in (
        ("energy", "enstrophy", nu),
        ("enstrophy", "palinstrophy", nu),
        ("variance", "roughness", kappa),
    ):
        change = found[name][-1] - found[name][0]
        assert relative(change, -2 * constant * weights @ found[rate]) < 1e-6, name
        assert (change < -0.02 * found[name][0]).all(), "something is lost"
    assert relative(found["smoke"], torch.ones_like(found["smoke"])) < EXACT


def test_without_viscosity_energy_enstrophy_and_smoke_are_conserved():
    """To the error of the steps, which falls at the fifth order or faster."""
    solver = NavierStokes(PLANE, viscosity=0.0)
    start = solver.random(1, seed=3)
    before, drift = solver.invariants(start), []
    for steps in (50, 100):
        end = solver.advance(start, 1.0, steps)
        after = solver.invariants(end)
        drift.append([float((after[k] / before[k] - 1).abs()) for k in ("energy", "enstrophy", "variance")])
    assert max(drift[1]) < 1e-6
    assert all(first / second > 20 for first, second in zip(*drift, strict=True))
    assert relative(end.velocity, start.velocity) > 0.3
    assert float(after["palinstrophy"] / before["palinstrophy"]) > 1.02, "enstrophy goes to small scales"


@pytest.mark.parametrize("degrees", [90, "mirror"])
def test_the_solver_commutes_with_symmetries_of_the_grid(degrees):
    g = torch.tensor([[0.0, -1.0], [1.0, 0.0]] if degrees == 90 else [[-1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    vectors, scalars = FieldAction(FieldType(O2(), "1x1")), FieldAction()
    solver = NavierStokes(PLANE, viscosity=1e-3)
    start = solver.random(1, seed=4)
    end = solver.advance(start, 0.5, 20)
    moved = solver.advance(FlowState(vectors(g, start.velocity), scalars(g, start.smoke)), 0.5, 20)
    assert relative(moved.velocity, vectors(g, end.velocity)) < EXACT
    assert relative(moved.smoke, scalars(g, end.smoke)) < EXACT
    assert relative(moved.velocity, end.velocity) > 0.1


def test_random_flows_have_no_preferred_direction():
    solver = NavierStokes(PLANE, viscosity=1e-3)
    square = solver.random(200, seed=5).velocity.square().mean((0, 2, 3))
    assert abs(float(square[0] / square[1]) - 1) < 0.1
    assert torch.equal(solver.random(2, seed=5).velocity, solver.random(2, seed=5).velocity)
    assert not torch.equal(solver.random(2, seed=5).velocity, solver.random(2, seed=6).velocity)


def test_oblong_grids_with_unequal_spacing():
    grid = Grid((32, 48), spacing=(0.2, 0.1), boundary="periodic", radius=0.5)
    solver = NavierStokes(grid, viscosity=0.0)
    start = solver.random(1, seed=0)
    end = solver.advance(start, 0.1, 20)
    assert solver.divergence(end.velocity).abs().max() < 1e-11
    assert relative(solver.invariants(end)["enstrophy"], solver.invariants(start)["enstrophy"]) < 1e-6


# --- files ------------------------------------------------------------------------------------------------------


def test_files_give_back_what_was_written(tmp_path):
    grid = Grid((16, 24), spacing=(0.3, 0.2), boundary="periodic", radius=0.7)
    solver = NavierStokes(grid, viscosity=0.01)
    frames = list(solver.run(solver.random(2, seed=0), frames=3, every=0.2))
    path = write_flows(tmp_path / "a.nc", frames, grid, every=0.2, group="valid", attributes={"viscosity": 0.01})
    found = read_flows(path)
    assert torch.equal(found.velocity, torch.stack([f.velocity for f in frames], 1).float())
    assert torch.equal(found.smoke, torch.stack([f.smoke for f in frames], 1).float())
    assert (found.grid.shape, found.grid.boundary, found.attributes["viscosity"]) == (grid.shape, "periodic", 0.01)
    assert found.grid.spacing == pytest.approx(grid.spacing)
    assert found.times.tolist() == pytest.approx([0.0, 0.2, 0.4])
    assert len(read_flows(path, flows=1)) == 1
    assert found.fields.shape == (2, 3, 3, 16, 24)


def test_the_layout_is_the_published_one(tmp_path):
    """A file with plain HDF5 datasets, as PDEArena writes them: arrays by x, then y; x along the columns of `Grid`."""
    random = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(4.0), np.arange(6.0), indexing="ij")
    with h5py.File(tmp_path / "published.h5", "w") as file:
        group = file.create_group("test")
        group["u"] = np.broadcast_to(x + 10 * y, (2, 5, 4, 6))
        group["vx"], group["vy"] = random.random((2, 5, 4, 6)), random.random((2, 5, 4, 6))
        group["t"], group["x"], group["y"] = np.ones((2, 5)), np.ones((2, 4)), np.ones((2, 6))
        for name, value in {"dt": 1.5, "dx": 0.25, "dy": 0.5, "buo_y": 0.5}.items():
            group[name] = np.full(2, value)
    found = read_flows(tmp_path / "published.h5")
    assert found.smoke.shape == (2, 5, 1, 6, 4)
    pos = found.grid.pos.reshape(6, 4, 2)
    rising = torch.stack([found.smoke[0, 0, 0, :, 1] - found.smoke[0, 0, 0, :, 0], found.smoke[0, 0, 0, :, 0]])
    assert (rising[0] == 1).all(), "x along the columns"
    assert rising[1].tolist() == [50, 40, 30, 20, 10, 0], "y against the rows"
    assert float(pos[0, 0, 1] - pos[1, 0, 1]) == 0.5 == float(found.buoyancy[0])
    assert (found.grid.spacing, found.grid.boundary) == ((0.5, 0.25), "zeros")


def test_published_programs_can_read_what_is_written(tmp_path):
    """By h5py, as the published data set does."""
    solver = NavierStokes(Grid((16, 24), boundary="periodic"), viscosity=0.1)
    start = solver.random(2, seed=0)
    write_flows(tmp_path / "a.nc", [start], solver.grid, every=0.5)
    with h5py.File(tmp_path / "a.nc") as file:
        group = file["train"]
        assert group["u"].shape == group["vx"].shape == group["vy"].shape == (2, 1, 24, 16)
        assert group["t"].shape == (2, 1)
        assert (group["dt"][0], group["buo_y"][1]) == (0.5, 0.0)
        assert group["vy"][1, 0, 5, 2] == np.float32(start.velocity[1, 1, 15 - 2, 5])


# --- bad input --------------------------------------------------------------------------------------------------


def test_bad_input_is_named(tmp_path):
    with pytest.raises(ValueError, match="boundary='periodic'"):
        NavierStokes(Grid((8, 8)), viscosity=0.1)
    with pytest.raises(ValueError, match="two axes"):
        NavierStokes(Grid((8, 8, 8), boundary="periodic", kernel_size=3), viscosity=0.1)
    with pytest.raises(ValueError, match="space-time"):
        NavierStokes(Grid((8, 8), boundary="periodic", signature=(1, 1)), viscosity=0.1)
    with pytest.raises(ValueError, match="viscosity"):
        NavierStokes(PLANE, viscosity=-1)
    with pytest.raises(ValueError, match="courant"):
        NavierStokes(PLANE, viscosity=0.1, courant=3)
    solver = NavierStokes(PLANE, viscosity=0.0)
    with pytest.raises(ValueError, match=r"velocity.*\(1, 2, 32, 32\)"):
        solver.advance(FlowState(torch.zeros(1, 2, 16, 16)), 1.0, 1)
    with pytest.raises(FloatingPointError, match="more steps"):
        solver.advance(FlowState(1e3 * solver.random(1).velocity), 100.0, 100)
    with pytest.raises(ValueError, match="at least one frame"):
        write_flows(tmp_path / "a.nc", [], PLANE, every=1.0)
    with pytest.raises(ValueError, match="train, valid, test"):
        write_flows(tmp_path / "a.nc", [solver.random(1)], PLANE, every=1.0, group="training")
    with pytest.raises(FileNotFoundError, match=r"none\.nc"):
        read_flows(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("hello")
    with pytest.raises(DataError, match="NetCDF or HDF5"):
        read_flows(tmp_path / "text.nc")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_group("train")["u"] = np.zeros((1, 2, 3, 4))
    with pytest.raises(DataError, match="vx, vy"):
        read_flows(tmp_path / "b.h5")
    with pytest.raises(DataError, match="'valid'"):
        read_flows(tmp_path / "b.h5", group="valid")


def test_values_that_are_not_finite_or_of_another_kind_are_named():
    solver = NavierStokes(PLANE, viscosity=0.1)
    start = solver.random(1, seed=0)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite values in `velocity`"):
            next(solver.run(FlowState(bad * start.velocity), frames=1, every=0.1))
    with pytest.raises(ValueError, match="Expected real fields"):
        solver.advance(FlowState(start.velocity + 0j), 0.1, 1)
    with pytest.raises(ValueError, match="`velocity` as a tensor, got an object of type ndarray"):
        solver.advance(FlowState(start.velocity.numpy()), 0.1, 1)
    for shape in ((1, 2, 32, 32), (1, 1, 32, 33), (0, 1, 32, 32)):  # the second one was computed on 32 x 32 before
        with pytest.raises(ValueError, match=r"`vorticity` of shape \(1, 1, 32, 32\)"):
            solver.velocity(torch.zeros(shape))
    with pytest.raises(ValueError, match="viscosity"):
        NavierStokes(PLANE, viscosity=None)
    with pytest.raises(ValueError, match="`Grid`"):
        NavierStokes((32, 32), viscosity=0.1)


@pytest.mark.parametrize(("size", "waves", "what"), [(3, 4.0, "flow"), (4, 4.0, "smoke"), (16, 0.01, "smoke")])
def test_random_flows_without_any_wave_are_refused(size, waves, what):
    """They were NaN before."""
    solver = NavierStokes(Grid((size, size), boundary="periodic", kernel_size=3), viscosity=0.1)
    with pytest.raises(ValueError, match=f"waves of the {what}"):
        solver.random(1, waves=waves)


def test_files_are_not_replaced_unless_requested(tmp_path):
    """A second group in the same file would delete the first one."""
    solver = NavierStokes(PLANE, viscosity=0.1)
    start = solver.random(1, seed=0)
    write_flows(tmp_path / "a.nc", [start], PLANE, every=1.0)
    before = (tmp_path / "a.nc").read_bytes()
    with pytest.raises(OutputError, match="overwrite=True"):
        write_flows(tmp_path / "a.nc", [start], PLANE, every=1.0, group="valid")
    assert (tmp_path / "a.nc").read_bytes() == before
    write_flows(tmp_path / "a.nc", [start], PLANE, every=1.0, group="valid", overwrite=True)
    assert len(read_flows(tmp_path / "a.nc", group="valid")) == 1


def test_frames_that_do_not_fit_are_not_written(tmp_path):
    start = NavierStokes(PLANE, viscosity=0.1).random(2, seed=0)
    velocity, smoke = start.velocity, start.smoke
    for frames, message in (
        ([start, FlowState(velocity[:1], smoke[:1])], "2 flows, got 1 in frame 1"),
        ([FlowState(torch.zeros(1, 3, 32, 32))], r"`velocity` of shape \(1, 2, 32, 32\)"),
        ([FlowState(velocity, torch.zeros(2, 2, 32, 32))], "`smoke` of shape"),
        ([FlowState(velocity * float("nan"))], "finite values in `velocity`"),
        ([FlowState(velocity * 1e200)], "finite values in `velocity`"),  # infinite in float32
    ):
        with pytest.raises(ValueError, match=message):
            write_flows(tmp_path / "a.nc", frames, PLANE, every=1.0)
    with pytest.raises(ValueError, match="numbers or texts"):
        write_flows(tmp_path / "a.nc", [start], PLANE, every=1.0, attributes={"boundary": "zeros"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vy": np.zeros((2, 3, 4, 6))}, "fields of one shape"),
        ({"u": np.zeros((2, 3, 4, 6))}, "fields of one shape"),
        ({"vx": np.full((2, 3, 4, 5), np.nan)}, r"'vx' is not finite, first at .*\(0, 0, 0, 0\)"),
        ({"vx": np.full((2, 3, 4, 5), b"a")}, "expected numbers"),
        ({"t": np.zeros((2, 9))}, "3 times in 't', got 9"),
        ({"dx": np.array([1.0, 2.0])}, "one positive spacing"),
        ({"dy": np.zeros(2)}, "one positive spacing"),
    ],
)
def test_files_with_wrong_arrays_are_named(tmp_path, change, message):
    fields = {name: np.zeros((2, 3, 4, 5)) for name in ("vx", "vy", "u")}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("train")
        for name, value in ({**fields, "t": np.zeros((2, 3)), "dx": np.ones(2), "dy": np.ones(2)} | change).items():
            group[name] = value
    with pytest.raises(DataError, match=message):
        read_flows(tmp_path / "a.h5")
    with pytest.raises(ValueError, match="flows"):
        read_flows(tmp_path / "a.h5", flows=-1)
