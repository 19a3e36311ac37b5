"""Forecast the weather of a shallow-water planet for 5 days in steps of 6 h: icosahedral networks and a plain one.

    python examples/forecast_sphere.py                     some minutes of one idle core
    python examples/forecast_sphere.py --runs 2 --epochs 1 a quick test

A spectral solver makes runs of random weather over mountains. Three networks of about the same size learn the change
in 6 h in the same number of steps: on the icosahedron with winds as vectors, or as scalars, both from planets rotated
at random, and a U-Net on latitude and longitude, which rotations make worse. Each then forecasts 5 days of test runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from gaugenet.data import ClimateFiles, ShallowWaterWeather
from gaugenet.models import LatLonUNet
from gaugenet.tasks import ForecastData, OptimOptions, RunDescription, evaluate_forecast, fit, train_forecast
from gaugenet.tasks.climate.inputs import grid_vertices
from gaugenet.tasks.climate.samples import SphereDataModule
from gaugenet.tasks.forecast.module import ForecastModule
from gaugenet.tasks.forecast.samples import ForecastDataset
from gaugenet.tasks.forecast.setup import prepare
from gaugenet.tasks.forecast.stepper import ForecastStepper
from gaugenet.tasks.forecast.windows import windows_of
from gaugenet.tasks.training.run import load_weights
from gaugenet.viz import plot_comparison

STEPS, STRIDE = 20, 5
NETWORK = {"group": "D_6", "width": 3, "growth": 1.3, "levels": 3, "blocks": 2}
Curves = dict[str, np.ndarray]  # errors by lead time: of the height, the wind, and the wind near the poles


def icosahedral(run: Path, data: ForecastData, test: list[str], settings: dict) -> tuple[Curves, Curves, dict]:
    """Train and score a network on the icosahedron; return its errors, the errors of persistence, and all scores."""
    train_forecast(run, data=data, model=NETWORK, overwrite=True, **settings)
    vectors = data.vectors == "auto"
    scores = evaluate_forecast(run, test, steps=STEPS, stride=STRIDE, icosahedral=vectors, rotations=2 * vectors)
    fields = scores["fields"]

    def curves(source: str) -> Curves:
        kinds = {"wind": "rmse", "polar": "polar_rmse"}
        squares = {k: sum(np.square(fields[n][v][source]) for n in fields if n != "h") for k, v in kinds.items()}
        return {"height": np.array(fields["h"]["rmse"][source])} | {k: np.sqrt(v) for k, v in squares.items()}

    return curves("forecast"), curves("persistence"), scores


def latitude_longitude(run: Path, data: ForecastData, test: list[str], settings: dict) -> Curves:
    """Train and score a U-Net of ordinary convolutions on the grid of the files."""
    grid = ClimateFiles(data.files).grid
    cells = grid_vertices(grid)
    prepared = prepare(data, cells, seed=settings["seed"])
    layout = prepared.layout
    torch.manual_seed(settings["seed"])
    network = LatLonUNet(grid.shape, layout.in_channels, layout.channels, width=7)
    torch.nn.init.zeros_(network.head.weight)
    stepper = ForecastStepper(network, layout, cells, prepared.change)
    module = ForecastModule(stepper, weights=[1.0, 1.0], options=settings["optim"], seed=settings["seed"])
    description = RunDescription("forecast", "LatLonUNet", network.config, {}, [])
    loaders = SphereDataModule(prepared.train, prepared.val, batch_size=data.batch_size, seed=settings["seed"])
    fit(module, loaders, run, description, trainer=settings["trainer"])
    load_weights(run, network, "best")
    network.eval()
    files = ClimateFiles(test, variables=prepared.variables)
    windows = windows_of(files, step_hours=6.0, steps=STEPS)
    rolls = ForecastDataset(files, windows, prepared.train.inputs, prepared.normalization, prepared.conditions)
    units = torch.tensor([prepared.normalization.std[0], *2 * prepared.normalization.scale])[:, None]
    area = cells.mass.float()
    near = area * (torch.from_numpy(grid.points[..., 2].reshape(-1)).abs() >= np.sin(np.pi / 3))
    squares = torch.zeros(3, STEPS)
    for start in (starts := range(0, len(rolls), STRIDE)):
        item = rolls[0, start]
        with torch.no_grad():
            states = list(stepper.roll_out(item["states"][None, 0], item["conditions"][None], item["side"][None]))
        errors = ((torch.cat(states) - item["states"][1:]) * units).square()
        wind = errors[:, 1:].sum(1)
        squares += torch.stack([errors[:, 0] @ area / area.sum(), wind @ area / area.sum(), wind @ near / near.sum()])
    return dict(zip(("height", "wind", "polar"), (squares / len(starts)).sqrt().numpy()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/forecast"), help="folder of data and runs")
    parser.add_argument("--runs", type=int, default=10, help="runs of ten days to train on")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--level", type=int, default=3, help="of the icosphere")
    parser.add_argument("--truncation", type=int, default=15, help="of the solver")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and the order of the data")
    chosen = parser.parse_args()
    weather, names = ShallowWaterWeather(truncation=chosen.truncation), []
    for k in range(chosen.runs + 4):
        path = chosen.out / f"T{chosen.truncation}_{k:03d}.nc"
        names.append(str(path if path.exists() else weather.write(path, days=10, seed=k, first=2400.0 * k)))
    common = {"files": names[:-4], "val": names[-4:-2], "level": chosen.level, "clock": False, "val_rollout": 1}
    settings = {"trainer": {"max_epochs": chosen.epochs}, "optim": OptimOptions(lr=5e-3, ema=0.99), "seed": chosen.seed}
    data, test = ForecastData(**common, rotate=True), names[-2:]
    as_scalars = ForecastData(**common, rotate=True, scalars="h,u,v,orography", vectors="")
    found: dict[str, Curves] = {}
    found["vectors"], found["persistence"], scores = icosahedral(chosen.out / "vectors", data, test, settings)
    found["scalars"], _, _ = icosahedral(chosen.out / "scalars", as_scalars, test, settings)
    found["lat-lon"] = latitude_longitude(chosen.out / "lat-lon", ForecastData(**common), test, settings)
    for what, unit in (("height", "m"), ("wind", "m/s"), ("polar", "m/s, wind poleward of 60 degrees")):
        print(f"\nroot mean square error, {what} ({unit})\n  hours " + "".join(f"{name:>13}" for name in found))
        for lead in (0, 1, 3, 7, 11, 15, 19):
            print(f"  {6 * (lead + 1):5} " + "".join(f"{curves[what][lead]:13.3f}" for curves in found.values()))
    last = [f"{curve[-1]:.3f}" for curve in scores["fields"]["u, v"]["rotated_rmse"]]
    print(f"\nplanet rotated by the 60 rotations of the icosahedron: {scores['rotation_error']:.0e} of the change")
    print(f"planet rotated at random: wind after 5 days {', '.join(last)} m/s")
    title = {"height": "height (m)", "wind": "wind (m/s)", "polar": "wind poleward of 60 degrees (m/s)"}
    rows = {n: [{"hours": 6 * k + 6} | {title[w]: c[w][k] for w in c} for k in range(STEPS)] for n, c in found.items()}
    plot_comparison(chosen.out / "forecast.png", rows, list(title.values()), counted="hours")
    print(chosen.out / "forecast.png")


if __name__ == "__main__":
    main()
