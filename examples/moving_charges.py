"""Electromagnetic fields of moving charges on space-time, for an observer at rest and boosted observers.

    python examples/moving_charges.py                                     64 samples, at rest, 0.3 c and 0.6 c
    python examples/moving_charges.py --samples 512 --shape 16 32 32 --out DIR

This writes one NetCDF file for each observer and a picture. Fields are E and B of several oscillating charges in the
plane around the grid. They have a closed form, so the boosted fields are exact; charges and their order are the same in
every file. Existing files with the same options are kept.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import xarray
from torch import Tensor

from gaugenet.data.physics.charges import faraday_fields, random_charges
from gaugenet.geometry import Grid
from gaugenet.groups import CliffordAlgebra, PseudoOrthogonal, electric_magnetic

GROUP, ALGEBRA = PseudoOrthogonal(2, 1), CliffordAlgebra(2, 1)


def dataset(bivectors: Tensor, grid: Grid, options: dict[str, str | float]) -> xarray.Dataset:
    """Return E_x, E_y and B of samples on (time, y, x)."""
    electric, magnetic = electric_magnetic(bivectors.movedim(1, -1), ALGEBRA)
    parts = {"electric_x": electric[..., 0], "electric_y": electric[..., 1], "magnetic": magnetic[..., 0]}
    x, y, t = (grid.pos[:, axis].reshape(grid.shape) for axis in range(3))
    axes = ("sample", "time", "y", "x")
    return xarray.Dataset(
        {name: (axes, part.float().numpy()) for name, part in parts.items()},
        {"time": t[:, 0, 0].numpy(), "y": y[0, :, 0].numpy(), "x": x[0, 0].numpy()},
        options,
    )


def is_made(path: Path, options: dict[str, str | float]) -> bool:
    """Return whether the file contains the fields for these options."""
    if not path.exists():
        return False
    with xarray.open_dataset(path) as found:
        return all(found.attrs.get(name) == value for name, value in options.items())


def draw(files: list[Path], path: Path) -> None:
    """Draw the magnetic field of the first sample at the middle time for each observer."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(files), figsize=(3.6 * len(files), 3.6), layout="constrained", squeeze=False)
    for axis, file in zip(axes[0], files, strict=True):
        with xarray.open_dataset(file) as data:
            field = data["magnetic"][0, data.sizes["time"] // 2]
            limit = float(abs(field).quantile(0.98))
            extent = [float(data["x"][0]), float(data["x"][-1]), float(data["y"][-1]), float(data["y"][0])]
            axis.imshow(field, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=extent)
        axis.set(title=f"B, {file.stem.replace('_', ' ')}", xlabel="x")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--shape", type=int, nargs=3, default=[8, 32, 32], help="time, y, x")
    parser.add_argument("--spacing", type=float, default=0.1, help="of all axes; c = 1")
    parser.add_argument("--speeds", type=float, nargs="+", default=[0.0, 0.3, 0.6], help="of the observers, along x")
    parser.add_argument("--charges", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("moving_charges"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    grid = Grid(options.shape, options.spacing, kernel_size=3, signature=(2, 1))
    boosts = {speed: GROUP.boost(math.atanh(speed), (0, 2)) for speed in options.speeds}
    files = {speed: options.out / f"observer_{speed:g}c.nc" for speed in options.speeds}
    common = {"samples": options.samples, "spacing": options.spacing, "charges": options.charges, "seed": options.seed}
    common |= {"shape": " ".join(map(str, options.shape)), "observers": " ".join(map(str, options.speeds))}
    missing = [speed for speed in options.speeds if not is_made(files[speed], common)]
    if missing:
        charges = random_charges(
            options.samples, grid, charges=options.charges, boosts=list(boosts.values()), seed=options.seed
        )
        for speed in missing:
            unfinished = files[speed].with_suffix(".part")
            dataset(faraday_fields(charges, grid, boost=boosts[speed]), grid, common).to_netcdf(unfinished)
            unfinished.replace(files[speed])
    draw(list(files.values()), options.out / "observers.png")
    for speed, file in files.items():
        with xarray.open_dataset(file) as data:
            square = float((data.electric_x**2 + data.electric_y**2 - data.magnetic**2).mean())
        state = "made" if speed in missing else "found"
        print(f"observer at {speed:g} c: {file}, {state}, mean of E^2 - B^2 {square:.4f}")


if __name__ == "__main__":
    main()
