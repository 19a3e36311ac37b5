"""ShallowWaterWeather: runs of the shallow-water equations as NetCDF files, to train and test forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gaugenet.data.climate.field_output import FieldLayout, field_file
from gaugenet.data.climate.layout import FileAxes
from gaugenet.data.climate.shallow_water import Flow, ShallowWater, SphereFlow
from gaugenet.data.climate.williamson import random_wind, smooth_mountains

_DIMS = ("time", "lat", "lon")
_STANDARD = {"u": "eastward_wind", "v": "northward_wind"}


def write_flow(
    path: str | Path, solver: SphereFlow, flow: Flow, *, hours: float, every: float = 6.0, first: float = 0.0
) -> Path:
    """Solve the equations from an initial flow and write the result as NetCDF, completely or not at all.

    The file contains `u` and `v`. For a `ShallowWater` it also contains the height `h` of the surface and, without
    time, the height `orography` of the ground. The first step is the initial flow.

    Args:
        path: the file; an existing one is replaced.
        solver: the equations.
        flow: the initial flow.
        hours: length of the run.
        every: hours between the steps.
        first: hours since 2000-01-01 of the first step.

    Raises:
        FloatingPointError: If the flow is no longer finite.
    """
    units = {"u": "m s-1", "v": "m s-1", "h": "m"}
    layouts = [
        FieldLayout(n, _DIMS, {"units": u} | ({"standard_name": _STANDARD[n]} if n in _STANDARD else {}))
        for n, u in units.items()
        if n != "h" or flow.height is not None
    ]
    ground = {"orography": solver.mountain} if isinstance(solver, ShallowWater) and solver.mountain.any() else {}
    layouts += [FieldLayout(name, _DIMS[1:], {"units": "m"}) for name in ground]
    time = {"units": "hours since 2000-01-01 00:00:00", "calendar": "standard"}
    title = f"SYNTHETIC: {type(solver).__name__} on a sphere, not an atmosphere"
    with field_file(path, FileAxes.plain(solver.grid), layouts, time=time, title=title) as file:
        file.write_static(ground)
        file.write(0, first, _fields(flow))
        for step, later in enumerate(solver.run(flow, hours=hours, every=every), start=1):
            file.write(step, first + step * every, _fields(later))
    return Path(path)


@dataclass(frozen=True)
class ShallowWaterWeather:
    """Random weather of one planet: jets and eddies over mountains, chaotic after some days.

    The model is one layer without heat or moisture. It has properties that are difficult to forecast: winds and heights
    that move and interact, a rotating sphere, and growth of small errors.

    Args:
        truncation: see `ShallowWater`; 31 makes a grid of 48 x 96.
        mountains: number of mountains; the same for every seed.
        depth: mean height of the surface in m.
        diffusion_hours: see `ShallowWater`.
        spin_up_days: time in days from the random wind to the start of the run.
        axis: unit vector of the axis of rotation.

    Example:
        >>> from gaugenet.data import ClimateFiles, ShallowWaterWeather
        >>> weather = ShallowWaterWeather(truncation=10, spin_up_days=0.25)
        >>> frames = ClimateFiles(weather.write("weather.nc", days=0.5, seed=0))
        >>> len(frames), frames.variables.vectors
        (3, (('u', 'v'),))
    """

    truncation: int = 31
    mountains: int = 6
    depth: float = 8000.0
    diffusion_hours: float = 4.0
    spin_up_days: float = 4.0
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)

    @cached_property
    def solver(self) -> ShallowWater:
        """The equations of the planet."""
        mountain = smooth_mountains(ShallowWater(self.truncation).grid, count=self.mountains)
        return ShallowWater(self.truncation, mountain=mountain, diffusion_hours=self.diffusion_hours, axis=self.axis)

    def start(self, seed: int) -> Flow:
        """Return the weather at the start of a run."""
        wind = random_wind(self.solver, seed=seed)
        flow = self.solver.balanced(wind.u, wind.v, mean=self.depth)
        if self.spin_up_days > 0:
            flow = list(self.solver.run(flow, hours=24 * self.spin_up_days, every=24 * self.spin_up_days))[-1]
        return flow

    def write(self, path: str | Path, *, days: float, seed: int, every: float = 6.0, first: float = 0.0) -> Path:
        """Write a run as NetCDF, see `write_flow`."""
        return write_flow(path, self.solver, self.start(seed), hours=24 * days, every=every, first=first)


def _fields(flow: Flow) -> dict[str, np.ndarray]:
    fields = {"u": flow.u, "v": flow.v}
    return fields if flow.height is None else fields | {"h": flow.height}
