"""Test flows of shallow-water solvers: cases 2, 5 and 6 of Williamson et al. 1992, and random weather."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.climate.latlon import LatLonGrid, sphere_points
from gaugenet.data.climate.shallow_water import GRAVITY, RADIUS, ROTATION, Flow, SphereFlow

_DAY = 86400.0


def steady_zonal_flow(grid: LatLonGrid, *, tilt: float = 0.0) -> Flow:
    """Return case 2 of :cite:`williamson1992`: solid rotation in balance, a steady solution of the equations.

    Args:
        grid: the grid of the flow.
        tilt: angle in radians from the north pole to the axis of the flow, which must be the axis of the planet.

    Example:
        >>> from gaugenet.data import LatLonGrid
        >>> from gaugenet.data.climate.williamson import steady_zonal_flow
        >>> flow = steady_zonal_flow(LatLonGrid.gaussian(16, 32))
        >>> round(float(flow.u.max()), 1)
        38.4
    """
    speed, axis = 2 * np.pi * RADIUS / (12 * _DAY), tilted_axis(tilt)
    sine = grid.points @ axis
    u, v = _solid_rotation(grid, axis, speed)
    height = (2.94e4 - (RADIUS * ROTATION * speed + speed**2 / 2) * sine**2) / GRAVITY
    return Flow(u, v, height)


def tilted_axis(tilt: float) -> tuple[float, float, float]:
    """Return the axis of rotation of case 2 with this tilt."""
    return (-float(np.sin(tilt)), 0.0, float(np.cos(tilt)))


def zonal_flow_over_mountain(grid: LatLonGrid) -> tuple[Flow, Float[ndarray, "height width"]]:
    """Return case 5 of :cite:`williamson1992`: the flow, and an isolated conical mountain of 2000 m at 30 N, 90 W."""
    speed = 20.0
    u, v = _solid_rotation(grid, (0.0, 0.0, 1.0), speed)
    sine = np.broadcast_to(np.sin(np.radians(grid.lat))[:, None], grid.shape)
    height = 5960.0 - (RADIUS * ROTATION * speed + speed**2 / 2) * sine**2 / GRAVITY
    lat, lon = np.radians(grid.lat)[:, None] - np.pi / 6, np.radians(grid.lon)[None] - 3 * np.pi / 2
    distance = np.minimum(np.hypot(lat, lon), np.pi / 9)
    return Flow(u, v, height), 2000.0 * (1 - distance / (np.pi / 9))


def rossby_haurwitz_wave(grid: LatLonGrid, *, wavenumber: int = 4, days: float = 0.0) -> Flow:
    """Return the wind of case 6 of :cite:`williamson1992` after some days, for the barotropic vorticity equation.

    The wave travels eastward without changing its shape; this is an exact solution :cite:`haurwitz1940motion`.
    """
    omega = strength = 7.848e-6
    r = wavenumber
    drift = (r * (3 + r) * omega - 2 * ROTATION) / ((1 + r) * (2 + r))
    lat = np.radians(grid.lat)[:, None]
    phase = r * (np.radians(grid.lon)[None] - drift * days * _DAY)
    cos, sin = np.cos(lat), np.sin(lat)
    u = RADIUS * omega * cos + RADIUS * strength * cos ** (r - 1) * (r * sin**2 - cos**2) * np.cos(phase)
    v = -RADIUS * strength * r * cos ** (r - 1) * sin * np.sin(phase)
    return Flow(u, np.broadcast_to(v, grid.shape))


def random_wind(solver: SphereFlow, *, seed: int, jet: float = 35.0, eddies: float = 12.0) -> Flow:
    """Return two westerly jets near 45 degrees about the axis of the planet, with random eddies, without divergence.

    Args:
        solver: the solver with the grid, axis and scales.
        seed: seed of all random numbers.
        jet: speed of the jets in m/s.
        eddies: root mean square speed of the eddies in m/s.
    """
    draw, transform = np.random.default_rng(seed), solver.transform
    axis = solver.axis
    sine = transform.grid.points @ axis
    north, south = draw.uniform(0.6, 0.8, size=2)
    profile = np.exp(-(((sine - north) / 0.18) ** 2)) + np.exp(-(((sine + south) / 0.18) ** 2))
    around = np.einsum("hwk,hwkc->chw", np.cross(axis, transform.grid.points), transform.grid.frames)
    zonal = jet * profile * around / np.maximum(np.sqrt(1 - sine**2), 1e-9)
    degrees = np.arange(transform.truncation + 1)
    share = (degrees / 6.0) ** 2 * np.exp(-((degrees / 6.0) ** 2))
    noise = draw.normal(size=(2, len(degrees), len(degrees)))
    stream = np.where(degrees[None] >= degrees[:, None], noise[0] + 1j * noise[1], 0) * share
    stream[0] = stream[0].real
    vorticity = stream * transform.eigenvalues
    eddy = transform.wind(vorticity, np.zeros_like(vorticity)) / np.cos(np.radians(transform.grid.lat))[:, None]
    size = np.sqrt(transform.mean((eddy**2).sum(0)))
    u, v = zonal + eddies * eddy / size
    return Flow(u, v)


def smooth_mountains(
    grid: LatLonGrid, *, count: int = 6, height: float = 1500.0, seed: int = 0
) -> Float[ndarray, "height width"]:
    """Return the heights `(H, W)` in m of random round mountains, about 1500 km wide."""
    draw, total = np.random.default_rng(seed), np.zeros(grid.shape)
    for _ in range(count):
        top = sphere_points(*np.array([np.degrees(np.arcsin(draw.uniform(-0.95, 0.95))), draw.uniform(0, 360)]))
        distance = np.arccos(np.clip(grid.points @ top, -1, 1))
        total = np.maximum(total, height * draw.uniform(0.5, 1.0) * np.exp(-((distance / 0.2) ** 2)))
    return total


def _solid_rotation(grid: LatLonGrid, axis: tuple[float, float, float] | ndarray, speed: float) -> ndarray:
    velocity = speed * np.cross(axis, grid.points)
    return typed_array(np.einsum("hwk,hwkc->chw", velocity, grid.frames))
