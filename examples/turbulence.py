"""Decaying turbulence of the plane that carries smoke, as NetCDF in the layout of PDEArena.

    python examples/turbulence.py                              64 + 16 + 16 flows on 64 x 64 pixels: 2 minutes
    python examples/turbulence.py --size 32 --flows 64 16 16   the same on 32 x 32 pixels: 40 seconds
    python examples/turbulence.py --flows 512 64 64 --out DIR

This writes files of 16 flows, `train_00.nc`, `valid_00.nc`, ..., and a picture. There is no buoyancy, so all rotations
and reflections are symmetries. Existing files with the same options are kept: a run that was stopped goes on. The last
line says how well energy, enstrophy and smoke balance in the last file: the loss by viscosity, integrated over time,
relative to the change.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch

from gaugenet.data import FlowState, FlowTrajectories, NavierStokes, read_flows, write_flows
from gaugenet.geometry import Grid

PARTS, EACH = ("train", "valid", "test"), 16


def make(path: Path, part: str, count: int, seed: int, options: argparse.Namespace) -> tuple[FlowTrajectories, bool]:
    """Return the flows of a file, and whether they were made now."""
    names = ("size", "frames", "every", "viscosity", "speed", "waves", "spin_up")
    wanted = {name: float(getattr(options, name)) for name in names} | {"flow_seed": float(seed)}
    if path.exists():
        found = read_flows(path)
        if len(found) == count and all(found.attributes.get(k) == v for k, v in wanted.items()):
            return found, False
    grid = Grid((options.size,) * 2, 2 * math.pi / options.size, "periodic")
    solver = NavierStokes(grid, viscosity=options.viscosity)
    start = solver.random(count, speed=options.speed, waves=options.waves, seed=seed)
    if options.spin_up > 0:
        (start,) = solver.run(start, frames=1, every=options.spin_up)
    frames = [start, *solver.run(start, frames=options.frames - 1, every=options.every)]
    write_flows(path, frames, grid, every=options.every, group=part, attributes=wanted, overwrite=True)
    return read_flows(path), True


def balance(flows: FlowTrajectories, viscosity: float) -> dict[str, float]:
    """Return the error of the balances of the means over the flows, relative to the change."""
    solver = NavierStokes(flows.grid, viscosity=viscosity)
    smoke = flows.smoke
    assert smoke is not None
    states = [FlowState(flows.velocity[:, n], smoke[:, n]) for n in range(len(flows.times))]
    found = [solver.invariants(state) for state in states]
    mean = {name: torch.stack([one[name].mean() for one in found]) for name in found[0]}
    errors = {}
    for name, rate in (("energy", "enstrophy"), ("enstrophy", "palinstrophy"), ("variance", "roughness")):
        change = mean[name][-1] - mean[name][0]
        errors[name] = float((change + 2 * viscosity * torch.trapezoid(mean[rate], flows.times)) / change)
    return errors


def draw(flows: FlowTrajectories, path: Path) -> None:
    """Draw the smoke and the vorticity of the first flow at four times."""
    import matplotlib.pyplot as plt

    solver, smoke = NavierStokes(flows.grid, viscosity=0.0), flows.smoke
    assert smoke is not None
    figure, axes = plt.subplots(2, 4, figsize=(9, 4.8), layout="constrained")
    times = torch.linspace(0, len(flows.times) - 1, 4).long().tolist()
    for column, n in zip(axes.T, times, strict=True):
        column[0].imshow(smoke[0, n, 0], cmap="magma", vmin=0)
        w = solver.vorticity(flows.velocity[:1, n])[0, 0]
        column[1].imshow(w, cmap="RdBu_r", vmin=-float(w.abs().max()), vmax=float(w.abs().max()))
        column[0].set_title(f"smoke, time {float(flows.times[n]):.1f}")
        column[1].set_title("vorticity")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, nargs=3, default=[64, 16, 16], help="for training, validation and test")
    parser.add_argument("--size", type=int, default=64, help="pixels of each axis; the period is 2 pi")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--every", type=float, default=0.25, help="time between frames")
    parser.add_argument("--viscosity", type=float, default=5e-3, help="and diffusivity of the smoke")
    parser.add_argument("--speed", type=float, default=1.0, help="root mean square at the start")
    parser.add_argument("--waves", type=float, default=4.0, help="on the period, of the largest eddies")
    parser.add_argument("--spin-up", type=float, default=1.0, help="time before the first frame")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("turbulence"))
    options = parser.parse_args()
    if options.frames < 2 or min(options.flows) < 0 or not any(options.flows) or options.spin_up < 0:
        parser.error("expected at least two frames, one flow in all, and a spin-up of at least 0")
    for part, (name, count) in enumerate(zip(PARTS, options.flows, strict=True)):
        for number in range(-(-count // EACH)):
            path = options.out / f"{name}_{number:02d}.nc"
            seed = (options.seed * len(PARTS) + part) * 1_000_003 + number
            flows, new = make(path, name, min(EACH, count - number * EACH), seed, options)
            print(f"{path}: {len(flows)} flows, {'made' if new else 'found'}")
    draw(flows, options.out / "turbulence.png")
    print("balances: " + ", ".join(f"{k} {v:.1e}" for k, v in balance(flows, options.viscosity).items()))


if __name__ == "__main__":
    main()
