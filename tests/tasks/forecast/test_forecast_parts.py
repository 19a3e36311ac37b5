"""The parts of a forecast: windows of time, the clock, the stepper and its symmetry, scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gaugenet.data import ClimateFiles, DataError
from gaugenet.data.climate.sampling import PointLocations
from gaugenet.geometry import Icosphere
from gaugenet.geometry.icosphere.rotations import icosahedral_rotation
from gaugenet.geometry.icosphere.vectors import from_chart_frames
from gaugenet.groups import Cyclic, FieldType
from gaugenet.models import LatLonUNet
from gaugenet.tasks.climate.inputs import SphereFields, SphereInputs
from gaugenet.tasks.forecast.clock import Clock
from gaugenet.tasks.forecast.conditions import Conditions, StoredFields
from gaugenet.tasks.forecast.module import ForecastModule
from gaugenet.tasks.forecast.options import ForecastLoss
from gaugenet.tasks.forecast.scores import ForecastScores, zonal_power
from gaugenet.tasks.forecast.setup import build_network
from gaugenet.tasks.forecast.stepper import ForecastStepper, StateLayout
from gaugenet.tasks.forecast.windows import step_of, windows_of
from tests.tasks.forecast.planet_files import GRID, planet, written
from tests.tolerances import TOL, relative

LAYOUT = StateLayout(1, 2, 2, 1, True)


@pytest.fixture(scope="module")
def sphere() -> Icosphere:
    return Icosphere(2)


def stepper(sphere: Icosphere, group: str = "C_6") -> ForecastStepper:
    network = build_network(LAYOUT, {"group": group, "width": 2, "levels": 2, "norm": "layer"}, seed=0)
    torch.manual_seed(1)
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter)
    return ForecastStepper(network, LAYOUT, sphere, torch.full((5,), 0.1)).eval()


# --- time ------------------------------------------------------------------------------------------------------------


def opened(tmp_path, data, name="a.nc") -> ClimateFiles:
    return ClimateFiles(written(data.sel(level=500), tmp_path / name), scalars="z", vectors="")


def test_windows_never_cross_a_gap(tmp_path):
    files = opened(tmp_path, planet(10).isel(time=[0, 1, 2, 4, 5, 6, 7]))
    found = windows_of(files, step_hours=6.0, steps=2).index
    assert found.tolist() == [[0, 1, 2], [3, 4, 5], [4, 5, 6]]
    longer = windows_of(files, step_hours=12.0, steps=2).index
    assert np.allclose(np.diff(files.hours[longer], axis=1), 12.0)
    assert longer.tolist() == [[0, 2, 3], [2, 3, 5]], "over the times 0, 2, 4 and 2, 4, 6; 3 is missing"


def test_files_with_the_same_times_are_runs_of_their_own(tmp_path):
    paths = [written(planet(4).sel(level=500), tmp_path / f"{k}.nc") for k in range(2)]
    files = ClimateFiles(paths, scalars="z", vectors="")
    found = windows_of(files, step_hours=6.0, steps=3)
    assert len(found.index) == 2
    assert "in 2 runs" in found.summary
    for window in found.index:
        assert len({files.steps[k].path for k in window}) == 1
    later = [written(planet(4, first=4 * k).sel(level=500), tmp_path / f"later{k}.nc") for k in range(2)]
    together = windows_of(ClimateFiles(later, scalars="z", vectors=""), step_hours=6.0, steps=3)
    assert len(together.index) == 5, "files that follow each other are one run"


def test_the_step_is_a_multiple_of_the_time_between_steps(tmp_path):
    files = opened(tmp_path, planet(4))
    assert step_of(files, None) == 6.0
    assert step_of(files, 18.0) == 18.0
    with pytest.raises(DataError, match="multiple of 6 h"):
        step_of(files, 3.0)


@settings(deadline=None, max_examples=20)
@given(days=st.floats(0, 20000), seed=st.integers(0, 1000))
def test_the_clock_rotates_with_the_planet_and_knows_noon_and_solstice(days, seed):
    clock = Clock()
    hours = np.array([24.0 * days])
    places = Rotation.random(50, random_state=seed).as_matrix()[:, 0]
    scalars, vectors = clock.fields(hours, places)
    sun = clock.sun(hours)[0]
    assert np.linalg.norm(sun) == pytest.approx(1)
    assert np.allclose(scalars[0, 0], places @ sun)
    assert np.allclose(np.einsum("kn,nk->n", vectors[0, 0], places), 0, atol=1e-12), "tangent"
    assert np.allclose((vectors[0, 0] ** 2).sum(0), 1 - scalars[0, 0] ** 2)
    assert abs(sun[2]) <= np.sin(np.radians(23.45))


def test_the_sun_stands_over_greenwich_at_noon_and_over_the_tropic_in_june():
    hours = (np.datetime64("2001-06-21T12") - np.datetime64("1970-01-01T00")) / np.timedelta64(1, "h")
    sun = Clock().sun(np.array([hours]))[0]
    assert np.degrees(np.arcsin(sun[2])) == pytest.approx(23.44, abs=0.1)
    assert np.degrees(np.arctan2(sun[1], sun[0])) == pytest.approx(0, abs=1e-9)


# --- the step --------------------------------------------------------------------------------------------------------


def test_a_rotated_planet_has_the_rotated_forecast_after_many_steps(sphere):
    """State, conditions and axis rotated; a state that is not rotated as vectors are is the control."""
    model, draw = stepper(sphere), torch.Generator().manual_seed(0)
    count = sphere.num_vertices
    state, given_fields = (torch.randn(1, size, count, generator=draw) for size in (5, 4))
    side = torch.rand(1, count, generator=draw)
    known, extra = FieldType(Cyclic(6), "1x0 + 2x1"), FieldType(Cyclic(6), "2x0 + 1x1")
    inside = torch.ones(count, dtype=torch.bool)
    inside[sphere.corners] = False

    def end(state: torch.Tensor, condition: torch.Tensor, side: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return list(model.roll_out(state, condition[:, None].expand(-1, 5, -1, -1), side))[-1]

    upright = end(state, given_fields, side)
    assert relative(upright, state) > 0.05
    wrong = []
    for k in (1, 17, 42):
        rotation = icosahedral_rotation(sphere, k)
        turned_side = torch.empty_like(side).index_copy(1, rotation.permutation, side)
        found = end(rotation.apply(known, state), rotation.apply(extra, given_fields), turned_side)
        expected = rotation.apply(known, upright)
        assert relative(found[..., inside], expected[..., inside]) < 20 * TOL[torch.float32]
        as_scalars = torch.empty_like(state).index_copy(2, rotation.permutation, state)
        wrong.append(relative(end(as_scalars, rotation.apply(extra, given_fields), turned_side), expected))
    assert max(wrong) > 0.1


def test_the_input_is_that_of_the_climate_task(sphere):
    """|sine of latitude| and the rotated winds are computed twice, from frames and in space: once here, once there."""
    points = sphere.pos.numpy()
    draw = np.random.default_rng(0)
    vectors = np.cross(draw.normal(size=(2, *points.shape)), points).transpose(0, 2, 1).astype(np.float32)
    fields = SphereFields(draw.normal(size=(1, len(points))).astype(np.float32), vectors, None)
    places = PointLocations(points)
    pose = -icosahedral_rotation(sphere, 5).matrix.numpy()  # a mirror image of the globe
    both = [SphereInputs(sphere, places, scalars=1, pairs=2, latitude=latitude) for latitude in (True, False)]
    expected, state = (inputs.read(fields, pose=pose)[0] for inputs in both)
    nothing = StoredFields(torch.zeros(0, len(points)), sphere, scalars=0, pairs=0)
    conditions = Conditions(sphere, nothing, latitude=True, clock=None)
    layout = StateLayout(1, 2, conditions.scalars, conditions.pairs, True)
    found = layout.join(state[None], conditions.at(np.zeros(1), pose), conditions.side(pose)[None])[0]
    assert layout.in_type == both[0].in_type
    assert layout.in_channels == len(found)
    assert relative(found, expected) < TOL[torch.float32]


def test_stored_fields_are_interpolated_for_a_rotated_globe(sphere):
    """The 60 rotations need no interpolation: scalars and vectors of the vertices that the vertices look at."""
    points = sphere.pos.numpy()
    values = torch.from_numpy(np.concatenate([points[:, :1].T, np.zeros((2, len(points)))])).float()
    axis = np.cross([0.3, 0.5, 0.8], points)
    values[1:] = torch.from_numpy(np.einsum("nkc,nk->cn", sphere.frame.numpy(), axis)).float()
    stored = StoredFields(values, sphere, scalars=1, pairs=1)
    pose = icosahedral_rotation(sphere, 7).matrix.numpy()
    found = stored.read(pose)
    assert relative(found[0], torch.from_numpy(points @ pose[0]).float()) < 1e-4
    expected = np.einsum("nkc,nk->cn", sphere.frame.numpy(), np.cross(pose.T @ [0.3, 0.5, 0.8], points))
    inside = np.delete(np.arange(len(points)), sphere.corners.numpy())
    seen = (points @ pose.T @ points.T).argmax(1)
    inside = inside[~np.isin(seen[inside], sphere.corners.numpy())]
    assert relative(found[1:, inside], torch.from_numpy(expected[:, inside]).float()) < 1e-3
    assert stored.read(None) is values
    assert from_chart_frames(values[None, 1:], sphere).shape == (1, 3, len(points))


def test_a_new_network_forecasts_persistence(sphere):
    network = build_network(LAYOUT, {"width": 2, "levels": 2}, seed=0)
    model = ForecastStepper(network, LAYOUT, sphere, torch.ones(5)).eval()
    state = torch.randn(2, 5, sphere.num_vertices)
    with torch.no_grad():
        assert torch.equal(model(state, torch.randn(2, 4, sphere.num_vertices), torch.ones(2, state.shape[2])), state)


def test_the_loss_counts_areas_and_fields_and_no_vectors_at_corners(sphere):
    model = stepper(sphere)
    module = ForecastModule(model, weights=[1.0, 1.0, 0.0])
    weight = module.weight
    assert weight.sum().item() == pytest.approx(1)
    assert weight[1:, sphere.corners].abs().max() == 0
    assert weight[0, sphere.corners].min() > 0
    assert weight[2].sum() == weight[4].sum() == 0, "the second vector counts nothing"
    assert weight[0].sum().item() == pytest.approx(2 * weight[1].sum().item(), rel=1e-5), "a vector has two components"
    for kind in ("l2", "l1"):
        terms = ForecastModule(model, weights=[1.0, 1.0, 1.0], loss=ForecastLoss(kind=kind))
        batch = {"states": torch.randn(2, 3, 5, sphere.num_vertices), "conditions": torch.zeros(2, 2, 4, 162)}
        errors = terms._errors(batch | {"side": torch.zeros(2, 162)})
        assert errors.shape == (2, 2)
        assert errors.min() > 0


# --- scores ----------------------------------------------------------------------------------------------------------


def test_scores_of_known_errors():
    """A forecast that is off by a constant, persistence off by three times as much, and an exact climatology."""
    truth = [np.cos(np.radians(GRID.lon))[None, None] * np.ones((1, *GRID.shape)), np.ones((2, *GRID.shape))]
    scores = ForecastScores(["s", "u, v"], GRID, 1)
    off = [[field + error for field in truth] for error in (0.5, 1.5, 0.0)]
    scores.add(0, dict(zip(("forecast", "persistence", "climatology"), off)), truth)
    result = scores.result()
    assert result["s"]["rmse"]["forecast"] == [pytest.approx(0.5)]
    assert result["s"]["polar_rmse"]["persistence"] == [pytest.approx(1.5)]
    assert result["u, v"]["rmse"]["forecast"] == [pytest.approx(0.5 * np.sqrt(2))]
    assert result["s"]["rmse"]["climatology"] == [0.0]


def test_zonal_power_finds_waves_and_adds_up_to_the_mean_square():
    area = np.asarray(GRID.area) / (4 * np.pi)
    field = 3 * np.cos(5 * np.radians(GRID.lon))[None, None] * np.ones((1, *GRID.shape)) + 2
    power = zonal_power(field, area)
    assert power[5] == pytest.approx(4.5)
    assert power[0] == pytest.approx(4)
    noise = np.random.default_rng(0).normal(size=(2, *GRID.shape))
    assert zonal_power(noise, area).sum() == pytest.approx((noise**2 * area).sum())


def test_the_latitude_longitude_baseline_is_periodic_and_no_sphere():
    torch.manual_seed(0)
    network, x = LatLonUNet((8, 16), 3, 2, width=4, levels=2), torch.randn(1, 3, 8 * 16)

    def shifted(values: torch.Tensor, by: int, dim: int) -> torch.Tensor:
        return values.unflatten(2, (8, 16)).roll(by, dim).flatten(2)

    y = network(x)
    assert y.shape == (1, 2, 128)
    assert relative(network(shifted(x, 6, 3)), shifted(y, 6, 3)) < TOL[torch.float32], "date line in the interpolation"
    assert relative(network(shifted(x, 6, 2)), shifted(y, 6, 2)) > 0.1
    assert relative(LatLonUNet(**network.config)(x), y) > 0.1, "the same network with weights of its own"
    with pytest.raises(ValueError, match="width"):
        LatLonUNet((8, 16), 3, 2, width=0)
