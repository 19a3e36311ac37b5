"""Write synthetic weather (moving vortices and filaments, with labels) as NetCDF, and draw it on a map of the globe.

    python examples/synthetic_weather.py --out weather      writes train.nc, val.nc, test.nc and weather.png
    gaugenet train climate --data weather/train.nc --val weather/val.nc --out run --level 4

The three parts have different weather. It is not a model of the atmosphere, but has the difficulties of segmenting
weather (winds, poles, rare classes, handedness) and exact labels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gaugenet.data import ClimateFiles, SyntheticWeather
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.viz import SpherePanel, draw_spheres, nearest_point


def draw(path: Path, file: Path) -> None:
    """Draw the wind speed, vortices and filaments of the first and the last time step."""
    files = ClimateFiles(file)
    panels = []
    for step in (0, len(files) - 1):
        frame = files[step]
        speed = np.hypot(*frame.vectors[0]).reshape(-1)
        panels.append(SpherePanel(name=files.times[step], scalar=speed, labels=frame.label.reshape(-1)))
    nearest = nearest_point(files.grid.points.reshape(-1, 3))
    draw_spheres(path, panels, nearest, columns=2, class_names=files.class_names, title="Synthetic weather", width=600)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("weather"), help="folder for the files")
    parser.add_argument("--steps", type=int, default=48, help="time steps to train on")
    parser.add_argument("--height", type=int, default=91, help="latitudes of the grid")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    options = parser.parse_args()
    present = [name for name in ("train.nc", "val.nc", "test.nc", "weather.png") if (options.out / name).exists()]
    if present and not options.overwrite:
        parser.error(
            f"{options.out} already holds {', '.join(present)}: replace with --overwrite, or pass another --out"
        )
    grid = LatLonGrid.regular(options.height, 2 * (options.height - 1), poles=True)
    few = max(2, options.steps // 6)
    for seed, (name, steps) in enumerate((("train", options.steps), ("val", few), ("test", few))):
        # Each part has its own seed and year, with time steps far enough apart to differ.
        file = SyntheticWeather(seed=seed).write(
            options.out / f"{name}.nc", steps, grid=grid, step_hours=24.0, first=1000 * seed
        )
        print(f"{file}: {steps} steps")
    draw(options.out / "weather.png", options.out / "train.nc")
    print(f"{options.out / 'weather.png'}")


if __name__ == "__main__":
    main()
