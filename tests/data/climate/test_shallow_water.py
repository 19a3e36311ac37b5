"""Spherical harmonics, and the flows of Williamson et al. 1992 that a solver on the sphere has to reproduce."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import sph_harm_y

from gaugenet.data import ClimateFiles
from gaugenet.data.climate.shallow_water import BarotropicVorticity, Flow, ShallowWater
from gaugenet.data.climate.shallow_weather import ShallowWaterWeather, write_flow
from gaugenet.data.climate.spectral import SphericalHarmonicTransform
from gaugenet.data.climate.williamson import (
    random_wind,
    rossby_haurwitz_wave,
    steady_zonal_flow,
    tilted_axis,
    zonal_flow_over_mountain,
)

ROUNDING = 1e-12


@pytest.fixture(scope="module")
def transform() -> SphericalHarmonicTransform:
    return SphericalHarmonicTransform(12)


def random_coefficients(transform: SphericalHarmonicTransform, seed: int) -> np.ndarray:
    draw, size = np.random.default_rng(seed), transform.truncation + 1
    values = draw.normal(size=(size, size)) + 1j * draw.normal(size=(size, size))
    values[0] = values[0].real
    return np.triu(values)


def change(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: abs(after[name] / before[name] - 1) for name in before}


# --- the transform ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "n"), [(0, 0), (0, 3), (2, 5), (7, 9), (12, 12)])
def test_coefficients_are_those_of_scipys_spherical_harmonics(transform, m, n):
    lat, lon = np.radians(transform.grid.lat)[:, None], np.radians(transform.grid.lon)[None]
    found = transform.analysis(sph_harm_y(n, m, np.pi / 2 - lat, lon).real)
    assert found[m, n] == pytest.approx((-1) ** m * (1 if m == 0 else 0.5) / np.sqrt(2 * np.pi), abs=ROUNDING)
    found[m, n] = 0
    assert np.abs(found).max() < ROUNDING, "no other harmonic has a part in it"


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_fields_and_winds_come_back_from_their_coefficients(seed):
    transform = SphericalHarmonicTransform(9)
    field, vorticity, divergence = (random_coefficients(transform, seed + k) for k in range(3))
    vorticity[0, 0] = divergence[0, 0] = 0
    assert np.abs(transform.analysis(transform.synthesis(field)) - field).max() < ROUNDING
    wind = transform.wind(vorticity, divergence)
    assert np.abs(transform.curl(wind) - vorticity).max() < 1e2 * ROUNDING
    assert np.abs(transform.divergence(wind) - divergence).max() < 1e2 * ROUNDING


def test_means_and_power_are_integrals_over_the_sphere(transform):
    field = transform.synthesis(random_coefficients(transform, 3))
    dense = SphericalHarmonicTransform(40)
    assert transform.power(transform.analysis(field)).sum() == pytest.approx(transform.mean(field**2), rel=ROUNDING)
    z = dense.grid.points[..., 2]
    assert dense.mean(z**4) == pytest.approx(1 / 5, rel=ROUNDING)


def test_control_a_field_above_the_truncation_is_lost():
    small, large = SphericalHarmonicTransform(4), SphericalHarmonicTransform(8)
    coefficients = np.zeros((9, 9), dtype=complex)
    coefficients[2, 7] = 1.0
    lat, lon = small.grid.lat[:, None], small.grid.lon[None]
    field = sph_harm_y(7, 2, np.pi / 2 - np.radians(lat), np.radians(lon)).real
    assert np.abs(small.analysis(field)).max() < ROUNDING
    assert np.abs(large.analysis(large.synthesis(coefficients))).max() == pytest.approx(1)


# --- test cases ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tilt", [0.0, np.pi / 4, np.pi / 2 - 0.05, np.pi / 2])
def test_case_2_a_steady_flow_stays_steady_over_the_poles_too(tilt):
    """Five days at T21, the normalized errors l2 and l_inf of Williamson et al. 1992, equations 82 to 84."""
    solver = ShallowWater(21, axis=tilted_axis(tilt))
    flow = steady_zonal_flow(solver.grid, tilt=tilt)
    (later,) = solver.run(flow, hours=120, every=120)
    mean = solver.transform.mean
    assert np.sqrt(mean((later.height - flow.height) ** 2) / mean(flow.height**2)) < 1e-13
    assert np.abs(later.height - flow.height).max() / flow.height.max() < 1e-12
    assert np.hypot(later.u - flow.u, later.v - flow.v).max() / np.hypot(flow.u, flow.v).max() < 1e-11


def test_control_about_another_axis_the_flow_is_not_steady():
    solver = ShallowWater(21, axis=tilted_axis(0.3))
    flow = steady_zonal_flow(solver.grid, tilt=0.0)
    (later,) = solver.run(flow, hours=24, every=24)
    assert np.hypot(later.u - flow.u, later.v - flow.v).max() > 1.0


def run_over_mountain(truncation: int, days: int) -> tuple[ShallowWater, Flow, dict[str, float]]:
    flow, mountain = zonal_flow_over_mountain(ShallowWater(truncation).grid)
    solver = ShallowWater(truncation, mountain=mountain)
    start = solver.state(flow)
    end = solver.advance(start, 24 * days)
    return solver, solver.flow(end), change(solver.invariants(start), solver.invariants(end))


def test_case_5_conserves_mass_energy_and_potential_enstrophy_for_15_days():
    """The contours of the published height run from 5050 to 5950 m (Jakob-Chien et al. 1995, figure 8)."""
    solver, flow, changed = run_over_mountain(21, 15)
    assert changed["mass"] < 1e-14
    assert changed["energy"] < 2e-6
    assert changed["enstrophy"] < 1e-5
    assert 5000 < flow.height.min() < 5050
    assert 5950 < flow.height.max() < 6000
    waves = flow.height - flow.height.mean(axis=1, keepdims=True)
    north, south = (np.abs(waves[np.sign(solver.grid.lat) == side]).max() for side in (1, -1))
    assert north > 200, "metres: the mountain makes waves on its own hemisphere"
    assert 10 < south < north, "and weaker ones, which cross the equator, on the other"


def test_case_5_converges():
    """After five days on common points; the mountain has a kink, so that the order is low."""
    points = SphericalHarmonicTransform(15)
    fields = {}
    for truncation in (15, 21, 42):
        solver, flow, _ = run_over_mountain(truncation, 5)
        fields[truncation] = points.synthesis(solver.transform.analysis(flow.height)[:16, :16])
    errors = [np.sqrt(points.mean((fields[t] - fields[42]) ** 2)) for t in (15, 21)]
    assert errors[1] < errors[0] / 1.5
    assert errors[1] < 5.0, "metres, of 950 between the lowest and the highest surface"


def test_a_rossby_haurwitz_wave_travels_without_changing_its_shape():
    """An exact solution of the barotropic vorticity equation; the wave standing still is the control."""
    solver = BarotropicVorticity(21)
    start, end = (rossby_haurwitz_wave(solver.grid, days=days) for days in (0.0, 5.0))
    (found,) = solver.run(start, hours=120, every=120)
    assert np.abs(found.u - end.u).max() < 1e-4
    assert np.abs(start.u - end.u).max() > 20


def test_barotropic_energy_and_enstrophy_are_conserved_and_diffusion_takes_enstrophy():
    changed = {}
    for hours in (None, 6.0):
        solver = BarotropicVorticity(21, diffusion_hours=hours)
        start = solver.state(random_wind(solver, seed=1))
        changed[hours] = change(solver.invariants(start), solver.invariants(solver.advance(start, 48)))
    assert max(changed[None].values()) < 1e-4
    assert changed[6.0]["enstrophy"] > 1e-3


def test_a_rotated_planet_has_rotated_weather():
    """The axis, the mountain and the wind rotated by a quarter about x, which exchanges the poles for the equator."""
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    grid = ShallowWater(15).grid
    top = np.array([0.6, 0.48, 0.64])

    def mountain(points: np.ndarray) -> np.ndarray:
        return 1000 * np.exp(-(np.arccos(np.clip(points @ top, -1, 1)) ** 2) / 0.3)

    def height_after(rotation: np.ndarray) -> np.ndarray:
        """The height after two days at the points of the grid of the planet that was not rotated."""
        solver = ShallowWater(15, axis=tuple(rotation[:, 2]), mountain=mountain(grid.points @ rotation))
        wind = 30 * np.einsum("hwk,hwkc->chw", np.cross(rotation @ [0.2, 0.3, 0.9], grid.points), grid.frames)
        (flow,) = solver.run(solver.balanced(*wind, mean=8000.0), hours=48, every=48)
        coefficients = solver.transform.analysis(flow.height)
        return np.array([_value(coefficients, point) for point in (grid.points[::5, ::7] @ rotation.T).reshape(-1, 3)])

    upright = height_after(np.eye(3))
    assert np.abs(height_after(rotation) - upright).max() < 1e-3 * np.ptp(upright)


def _value(coefficients: np.ndarray, point: np.ndarray) -> float:
    """A sum of spherical harmonics at a point, by scipy."""
    theta, phi = np.arccos(point[2]), np.arctan2(point[1], point[0])
    n, m = np.meshgrid(range(len(coefficients)), range(len(coefficients)))
    terms = (-1.0) ** m * sph_harm_y(n, m, theta, phi) * np.sqrt(2 * np.pi) * coefficients
    return float((np.where(m == 0, 1, 2) * np.where(n >= m, terms, 0)).real.sum())


# --- files and bad input ---------------------------------------------------------------------------------------------


def test_runs_are_written_and_read_as_climate_files(tmp_path):
    weather = ShallowWaterWeather(truncation=10, spin_up_days=0.5)
    path = weather.write(tmp_path / "run.nc", days=1, seed=3)
    files = ClimateFiles(path)
    assert (len(files), files.grid.shape, files.variables.vectors) == (5, (16, 32), (("u", "v"),))
    assert np.diff(files.hours).tolist() == [6.0] * 4
    start = weather.start(3)
    assert np.abs(files[0].scalars[0] - start.height).max() < 1e-2
    assert np.abs(files[0].vectors[0, 0] - start.u).max() < 1e-4
    with xr.open_dataset(path) as data:
        assert data["orography"].dims == ("lat", "lon")
        assert data["orography"].max() > 500
    assert np.abs(weather.start(4).height - start.height).max() > 10, "another seed is other weather"
    flow = write_flow(tmp_path / "flow.nc", BarotropicVorticity(8), Flow(*np.zeros((2, 14, 28))), hours=6)
    assert "h" not in xr.open_dataset(flow)


def test_what_cannot_be_solved_is_refused(tmp_path):
    solver = ShallowWater(8)
    still = np.zeros(solver.grid.shape)
    with pytest.raises(ValueError, match="truncation"):
        SphericalHarmonicTransform(0)
    with pytest.raises(ValueError, match=r"Expected `mountain` of shape \(14, 28\), got \(3, 3\)"):
        ShallowWater(8, mountain=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="with `height`"):
        solver.state(Flow(still, still))
    with pytest.raises(ValueError, match="above the ground"):
        solver.state(Flow(still, still, still - 1))
    with pytest.raises(ValueError, match="hours"):
        list(solver.run(Flow(still, still, still + 1), hours=-1, every=1))
    wild = Flow(still + 1e3 * np.random.default_rng(0).normal(size=still.shape), still, still + 100)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="not finite"):
        list(solver.run(wild, hours=60, every=60))


@pytest.mark.parametrize(("hours", "every", "frames"), [(7, 2, 3), (1, 5, 0), (0.6, 0.2, 3)])
def test_no_frame_is_later_than_the_end(hours, every, frames):
    """7 h in steps of 2 h are 3 frames; rounded they were 4, the last one after 8 h."""
    solver = BarotropicVorticity(5)
    still = Flow(*(np.zeros(solver.grid.shape) for _ in range(3)))
    assert len(list(solver.run(still, hours=hours, every=every))) == frames
