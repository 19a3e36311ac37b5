"""write_flows and read_flows: trajectories of smoke and velocity in the plane, in the layout of PDEArena."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gaugenet._validation import positive, positive_number
from gaugenet.data.meshes.sample import DataError
from gaugenet.data.physics._pdearena import GROUPS, on_grid, opened
from gaugenet.data.physics.fourier import check_state
from gaugenet.data.physics.navier_stokes import FlowState, parts_of
from gaugenet.files import OutputError, atomic_path
from gaugenet.geometry import Grid


@dataclass(frozen=True)
class FlowTrajectories:
    """Trajectories of flows in the plane, on the axes of `Grid`: x along the columns, y against the rows.

    Attributes:
        velocity: `(N, T, 2, rows, columns)`, components along x and y.
        smoke: `(N, T, 1, rows, columns)`; `None` without smoke.
        times: `(T,)`, the times of the frames of the first trajectory.
        grid: the grid.
        attributes: numbers and texts that the writer stored, such as the viscosity.
        buoyancy: `(N,)`, force on the smoke against gravity, along y; zero where rotations are symmetries.
    """

    velocity: Float[Tensor, "flows times 2 rows columns"]
    smoke: Float[Tensor, "flows times 1 rows columns"] | None
    times: Float[Tensor, "times"]
    grid: Grid
    attributes: dict[str, Any]
    buoyancy: Float[Tensor, "flows"]

    @property
    def fields(self) -> Float[Tensor, "flows times channels rows columns"]:
        """Smoke and velocity as channels, in this order: the field type `"1x0 + 1x1"` of each frame."""
        return self.velocity if self.smoke is None else torch.cat([self.smoke, self.velocity], 2)

    def __len__(self) -> int:
        return len(self.velocity)


def write_flows(
    path: str | Path,
    frames: Iterable[FlowState],
    grid: Grid,
    *,
    every: float,
    group: str = "train",
    attributes: Mapping[str, str | float] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write trajectories as NetCDF, completely or not at all, in the layout of PDEArena :cite:`gupta2022pdearena`.

    A group of the file contains `u` (smoke), `vx` and `vy` on `(sample, time, x, y)` in float32, coordinates and
    steps `t`, `x`, `y`, `dt`, `dx`, `dy`, and the buoyancy `buo_y`, zero. NetCDF is HDF5, so programs that read the
    published files read this one.

    Args:
        path: the file.
        frames: one `FlowState` for each time.
        grid: their grid.
        every: time between frames.
        group: `train`, `valid` or `test`.
        attributes: numbers and texts to store, such as the viscosity.
        overwrite: replace a file that exists, with all its groups.

    Raises:
        ValueError: If there is no frame, a frame does not fit the grid, is not finite in float32 or differs from the
            first one in its flows, `group` is another one, or an attribute is not a number or text.
        OutputError: If the file exists and `overwrite` is false.
    """
    import xarray

    if Path(path).exists() and not overwrite:
        raise OutputError(f"{path} already exists: pass `overwrite=True` to replace it, or choose another name.")

    if group not in GROUPS:
        raise ValueError(f"Expected `group` to be one of {', '.join(GROUPS)}, got {group!r}.")
    states, step = list(frames), positive_number("every", every)
    if not states:
        raise ValueError("Expected at least one frame, got none.")
    smoke = [s.smoke[:, 0] for s in states if s.smoke is not None]
    if smoke and len(smoke) != len(states):
        raise ValueError(f"Expected smoke in all frames or in none, got {len(smoke)} of {len(states)}.")
    if grid.d != 2:
        raise ValueError(f"Expected a grid of two axes, got {grid.d}.")
    for number, state in enumerate(states):
        if len(state.velocity) != len(states[0].velocity):
            counts = f"{len(states[0].velocity)} flows, got {len(state.velocity)} in frame {number}"
            raise ValueError(f"Expected frames of {counts}: a frame contains all flows at one time.")
        check_state(grid, {name: (x.to(torch.float32), n) for name, (x, n) in parts_of(state).items()})
    parts = {"vx": [s.velocity[:, 0] for s in states], "vy": [s.velocity[:, 1] for s in states]}
    parts |= {"u": smoke} if smoke else {}
    flows, (height, width) = len(states[0].velocity), grid.spacing
    rows, columns = grid.shape
    each = ("sample", "time", "x", "y")
    variables: dict[str, Any] = {k: (each, _to_file(torch.stack(v, 1))) for k, v in parts.items()}
    coordinates = {"t": ("time", len(states), step), "x": ("x", columns, width), "y": ("y", rows, height)}
    for name, (axis, count, unit) in coordinates.items():
        variables[name] = (("sample", axis), np.tile(np.arange(count) * unit, (flows, 1)))
    for name, value in {"dt": step, "dx": width, "dy": height, "buo_y": 0.0}.items():
        variables[name] = (("sample",), np.full(flows, value))
    # a coordinate of two axes must not have the name of one of them
    renamed = {"x": "nx", "y": "ny"}
    layout = {k: (tuple(renamed.get(a, a) for a in axes), values) for k, (axes, values) in variables.items()}
    stored = {**_attributes(attributes or {}), "boundary": grid.boundary}
    with atomic_path(path) as temporary:
        data = xarray.Dataset(layout, attrs=stored)
        data.to_netcdf(temporary, group=group, engine="netcdf4", encoding={k: {"zlib": True} for k in parts})
    return Path(path)


def read_flows(
    path: str | Path, *, group: str | None = None, flows: int | None = None, boundary: str | None = None
) -> FlowTrajectories:
    """Read trajectories of smoke and velocity: files of `write_flows`, and Navier-Stokes files of PDEArena (HDF5).

    Published files store arrays by x and y; the result has the axes of `Grid`. Their velocities are on the faces of
    the cells, half a cell to the left of and below the smoke. They are returned as they are.

    Args:
        path: the file.
        group: `train`, `valid` or `test`; by default the only one in the file.
        flows: read only this number of trajectories, the first ones.
        boundary: boundary of the grid; by default as stored, and `zeros` for published files, which have walls.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If `flows` is not positive.
        DataError: If the file is of another kind, does not contain the group or a variable, or values are not finite or
            have another shape.

    Example:
        >>> from gaugenet.data import NavierStokes, read_flows, write_flows
        >>> from gaugenet.geometry import Grid
        >>> solver = NavierStokes(Grid((16, 16), boundary="periodic"), viscosity=0.1)
        >>> frames = solver.run(solver.random(2, seed=0), frames=3, every=0.5)
        >>> _ = write_flows("flows.nc", frames, solver.grid, every=0.5)
        >>> read_flows("flows.nc").fields.shape
        torch.Size([2, 3, 3, 16, 16])
    """
    count = None if flows is None else positive("flows", flows)
    with opened(path, group, ("vx", "vy", "t", "dx", "dy")) as (data, found):
        part = slice(count)
        names = [name for name in ("vx", "vy", "u") if name in data.variables]
        axes = ("sample", "time", "x", "y")
        fields = {name: on_grid(data[name].values[part], axes, f"{path}: {name!r}") for name in names}
        shapes = {name: tuple(field.shape) for name, field in fields.items()}
        if len(set(shapes.values())) > 1:
            raise DataError(f"{path}: expected fields of one shape in {found}, got {shapes}.")
        velocity = torch.stack([fields["vx"], fields["vy"]], 2)
        smoke = fields["u"][:, :, None] if "u" in fields else None
        if not len(velocity):
            raise DataError(f"{path}: expected at least one trajectory in {found}, it has none.")
        spacing = [_spacing(data[name].values, f"{path}: {name!r}") for name in ("dy", "dx")]
        edge = str(data.attrs.get("boundary", "zeros")) if boundary is None else boundary
        buoyancy = data["buo_y"].values[part] if "buo_y" in data.variables else np.zeros(len(velocity))
        times = np.atleast_2d(np.asarray(data["t"].values, dtype=np.float64))[0]
        if len(times) != velocity.shape[1]:
            raise DataError(f"{path}: expected {velocity.shape[1]} times in 't', got {len(times)}.")
        return FlowTrajectories(
            velocity,
            smoke,
            torch.from_numpy(times),
            Grid(tuple(velocity.shape[-2:]), spacing, edge, radius=2.5 * max(spacing)),
            dict(data.attrs),
            torch.from_numpy(np.asarray(buoyancy, dtype=np.float64)),
        )


def _to_file(field: Float[Tensor, "flows times rows columns"]) -> Float[ndarray, "flows times x y"]:
    array: ndarray = field.flip(-2).transpose(-1, -2).to(torch.float32).numpy()
    return array


def _attributes(attributes: Mapping[str, str | float]) -> Mapping[str, str | float]:
    for name, value in attributes.items():
        if name == "boundary" or isinstance(value, bool) or not isinstance(value, (str, Real)):
            raise ValueError(
                f"Expected numbers or texts as `attributes`, got {value!r} for {name!r} (`boundary` is the grid's)."
            )
    return attributes


def _spacing(values: ndarray, what: str) -> float:
    """Return the spacing, which all trajectories share."""
    found = np.unique(np.asarray(values, dtype=np.float64))
    if not (len(found) and np.isfinite(found).all() and found[0] > 0 and np.ptp(found) <= 1e-6 * found[0]):
        raise DataError(f"{what} is {found.tolist()}: expected one positive spacing for all trajectories.")
    return float(found[0])


__all__ = ["FlowTrajectories", "read_flows", "write_flows"]
