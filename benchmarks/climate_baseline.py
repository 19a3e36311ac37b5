"""A plain U-Net on latitude and longitude, the baseline of `gaugenet train climate`, with the same training.

    python benchmarks/climate_baseline.py --data train.nc --val val.nc --upright --epochs 16 --seeds 0 1 2

prints AP and IoU at the threshold 0.5 for each seed after the last epoch: upright, under random rotations of the globe,
and (`--icosahedral`) under the 60 rotations of the icosahedron. Only the network and its points differ (a 2 degree
grid, winds as east and north). The validation file is not used for any choice. The default width gives 52,635
parameters with latitude, the icosahedral network of `examples/gfs_cyclones.yaml` has 52,318.
"""

from __future__ import annotations

import argparse
import copy
import json

import numpy as np
import torch
from lightning.pytorch import Trainer, seed_everything
from scipy.spatial.transform import Rotation

from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.regrid import bilinear_interpolation, with_poles
from gaugenet.data.climate.sampling import Interpolation
from gaugenet.data.normalization import Normalization
from gaugenet.geometry.icosphere.icosphere import icosphere
from gaugenet.geometry.icosphere.rotations import NUM_ROTATIONS, icosahedral_rotation
from gaugenet.models import LatLonUNet
from gaugenet.tasks.climate.files import open_split
from gaugenet.tasks.climate.inputs import SphereInputs, grid_vertices
from gaugenet.tasks.climate.module import ClimateModule
from gaugenet.tasks.climate.options import ClimateData, ClimateLoss
from gaugenet.tasks.climate.samples import SphereDataModule, SphereDataset, class_shares
from gaugenet.tasks.climate.scores import ClimateScores
from gaugenet.tasks.training.averaging import WeightAverage
from gaugenet.tasks.training.label_loss import class_weights
from gaugenet.tasks.training.options import OptimOptions


@torch.inference_mode()
def score(
    model: LatLonUNet, spheres: SphereDataset, grid: LatLonGrid, classes: list[str], orientations: list
) -> list[dict]:
    """Return scores at the locations of the files, for each rotation of the globe."""
    locations, results = spheres.inputs.locations, []
    for orientation in orientations:
        points = locations.points.reshape(-1, 3)
        back = Interpolation(
            *bilinear_interpolation(grid, points if orientation is None else points @ orientation),
            np.empty(0, dtype=int),
        )
        accumulator = ClimateScores(
            classes, points, locations.area.reshape(-1), locations.edges, np.full(len(classes), 0.5)
        )
        for k in range(len(spheres)):
            fields = spheres.fields(k)
            logits = model(spheres.inputs.read(fields, pose=orientation)[0][None], None)[0]
            prob = torch.softmax(logits, 0).numpy().reshape(-1, *grid.shape)
            accumulator.add(back.fields(with_poles(prob)), fields.label)
        results.append(accumulator.result())
    return results


def train(o: argparse.Namespace, seed: int) -> tuple[LatLonUNet, SphereDataset, LatLonGrid, list[str]]:
    """Return the network with averaged weights after the last epoch, and the validation data."""
    smart = not o.plain
    data = ClimateData(
        o.data, o.val, latitude=smart, rotate=smart and not o.upright, mirror=smart, gain=1.2 if smart else 1
    )
    files, val, _ = open_split(data)
    grid, locations = LatLonGrid.regular(o.height, 2 * o.height), files.locations
    inputs = SphereInputs(
        grid_vertices(grid),
        locations,
        scalars=len(files.variables.scalars),
        pairs=len(files.variables.vectors),
        latitude=smart,
    )
    normalization = Normalization.of(files, locations.area)
    training = SphereDataset(files, inputs, normalization, augment=data, seed=seed)
    classes = list(files.class_names)
    share = class_shares(training, len(classes))
    weight = class_weights(ClimateLoss(), share, share)
    seed_everything(seed, verbose=False)
    channels = len(training[0, 0]["x"])
    model = LatLonUNet(grid.shape, channels, len(classes), width=o.width, levels=o.levels, dropout=0.1)
    options = OptimOptions(lr=o.lr)
    task = ClimateModule(
        model, sphere=inputs.sphere, class_weight=weight, loss=ClimateLoss(), options=options, seed=seed
    )
    average = WeightAverage(0.99)
    loop = Trainer(max_epochs=o.epochs, callbacks=[average], logger=False, enable_checkpointing=False,
                   enable_progress_bar=False, enable_model_summary=False, accelerator="cpu", gradient_clip_val=1.0,
                   limit_val_batches=0)  # fmt: skip
    loop.fit(task, SphereDataModule(training, [], batch_size=4, seed=seed))
    with average.applied(task):
        model = copy.deepcopy(model)
    return model, SphereDataset(val, inputs, normalization), grid, classes


def main() -> None:
    """Train the baseline and print its scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--val", nargs="+", required=True)
    for name, default in (("levels", 4), ("epochs", 20), ("height", 90), ("rotations", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--width", type=float, default=5.2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--icosahedral", action="store_true", help="also score the 60 rotations of the icosahedron")
    parser.add_argument("--plain", action="store_true", help="winds alone: no latitude, no rotations, no mirror images")
    parser.add_argument("--upright", action="store_true", help="latitude and mirror images, but no rotations")
    parser.add_argument("--lr", type=float, default=3e-3)
    o = parser.parse_args()
    orientations = {"upright": [None], "random": list(Rotation.random(o.rotations, random_state=0).as_matrix())}
    if o.icosahedral:
        orientations["icosahedral"] = [
            icosahedral_rotation(icosphere(0), k).matrix.numpy() for k in range(NUM_ROTATIONS)
        ]
    for seed in o.seeds:
        model, spheres, grid, classes = train(o, seed)
        line = {"seed": seed, "parameters": sum(p.numel() for p in model.parameters())}
        for name, group in orientations.items():
            found = score(model.eval(), spheres, grid, classes, group)
            for m in ("ap", "iou"):
                values = [r[f"mean_{m}"] for r in found]
                line[f"{name} {m}"] = [round(f(values), 3) for f in (np.mean, min, max)]
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
