"""Electromagnetic waves of charges in a periodic box of the plane, by the spectral solver, as NetCDF.

    python examples/maxwell_waves.py                               64 samples of 24 frames, 64 x 64 pixels: a minute
    python examples/maxwell_waves.py --samples 512 --size 32 --out DIR

This writes files of 16 samples with the variables of `moving_charges.py`, and a picture. Charges are lines with a
Gaussian profile that start with their electrostatic field. Existing files with the same options are kept: a run that
was stopped goes on. The last line says how well Gauss's law holds, and how well the energy that the fields lose agrees
with the work on the charges, in the last file.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
import xarray
from torch import Tensor

from gaugenet.data import ChargeClouds, MaxwellState, PeriodicMaxwell
from gaugenet.data.physics.charges import MovingCharges
from gaugenet.files import atomic_path
from gaugenet.geometry import Grid

EACH, VARIABLES = 16, ("electric_x", "electric_y", "magnetic")


def solver_of(count: int, seed: int, options: argparse.Namespace) -> PeriodicMaxwell:
    grid = Grid((options.size,) * 2, options.spacing, "periodic")
    spread = 0.35 * options.size * options.spacing
    clouds = [
        MovingCharges.random(options.charges, spread=spread, speed=0.4, planar=True, seed=seed + n)
        for n in range(count)
    ]
    return PeriodicMaxwell(grid, ChargeClouds(clouds, width=1.8 * options.spacing))


def dataset(states: list[MaxwellState], grid: Grid, attributes: dict[str, float]) -> xarray.Dataset:
    fields = torch.stack([torch.cat([s.electric, s.magnetic], 1) for s in states], 2).float()
    x, y = (grid.pos[:, axis].reshape(grid.shape) for axis in range(2))
    variables: dict[str, Any] = {
        name: (("sample", "time", "y", "x"), fields[:, n].numpy(), {}) for n, name in enumerate(VARIABLES)
    }
    places = {"time": [s.time for s in states], "y": y[:, 0].numpy(), "x": x[0].numpy()}
    return xarray.Dataset(variables, places, attributes)


def draw(field: Tensor, path: Path) -> None:
    """Draw the magnetic field of one sample at four times."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
    limit = float(field.abs().quantile(0.995))
    for axis, n in zip(axes, torch.linspace(1, len(field) - 1, 4).long().tolist(), strict=True):
        axis.imshow(field[n], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set(title=f"B, frame {n}", xticks=[], yticks=[])
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--size", type=int, default=64, help="pixels of each axis")
    parser.add_argument("--spacing", type=float, default=0.1, help="of the pixels; c = 1")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--every", type=float, default=0.1, help="time between frames")
    parser.add_argument("--charges", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("maxwell_waves"))
    options = parser.parse_args()
    if min(options.samples, options.charges) < 1 or options.frames < 2:
        parser.error("expected at least one sample, one charge and two frames")
    names = ("size", "spacing", "frames", "every", "charges", "seed")
    for number in range(-(-options.samples // EACH)):
        path, count = options.out / f"waves_{number:02d}.nc", min(EACH, options.samples - number * EACH)
        wanted = {name: float(getattr(options, name)) for name in names} | {"samples": float(count)}
        made = path.exists()
        if made:
            with xarray.open_dataset(path) as found:
                made = all(found.attrs.get(k) == v for k, v in wanted.items())
        if not made:
            solver = solver_of(count, 1_000_003 * options.seed + number * EACH, options)
            start = solver.start()
            states = [start, *solver.run(start, frames=options.frames - 1, every=options.every, steps=2)]
            work = torch.trapezoid(torch.stack([solver.power(s) for s in states]), dx=options.every, dim=0).sum()
            change = (solver.energy(states[-1]) - solver.energy(start)).sum()
            balance = {"gauss": solver.gauss_error(states[-1]), "energy": float((change + work) / change)}
            with atomic_path(path) as temporary:
                dataset(states, solver.grid, wanted | balance).to_netcdf(temporary)
        print(f"{path}: {count} samples, {'found' if made else 'made'}")
    with xarray.open_dataset(path) as found:
        draw(torch.from_numpy(found["magnetic"][0].values), options.out / "waves.png")
        print(f"error of Gauss's law {found.attrs['gauss']:.1e}, of the energy {found.attrs['energy']:.1e}")


if __name__ == "__main__":
    main()
