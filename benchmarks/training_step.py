"""One training step of a segmentation network, as `gaugenet train` takes it: CPU milliseconds on one thread.

    python benchmarks/training_step.py --data DIR [--cache DIR]

`DIR` holds labelled meshes, see `gaugenet train segmentation --help`. The network and its options are those of
`examples/human_seg.yaml`. The parts of a step are measured without Lightning. The last line is a whole step in
Lightning. All numbers are medians over the steps, because a step with more mirror images takes longer.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback

from gaugenet.tasks import DataOptions, GeometryOptions, OptimOptions
from gaugenet.tasks.mesh.setup import begin
from gaugenet.tasks.training.averaging import WeightAverage
from gaugenet.tasks.training.fit import fit

FEATURES = "HeatKernelSignature(), Curvatures(), ShapeOperator()"


class Clock(Callback):
    """The CPU seconds from the end of one training step to the end of the next."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *args: Any) -> None:
        self.ends.append(time.process_time())

    def step(self) -> float:
        """Return the median of the steps."""
        return statistics.median(b - a for a, b in zip(self.ends, self.ends[1:]))


def parts_of_a_step(module: Any, data: Any, steps: int) -> dict[str, float]:
    """Return the CPU seconds of each part of a training step."""
    taken: dict[str, list[float]] = defaultdict(list)
    module.log_mean = lambda *_: None
    optimizer = module.optimizer([g for g in module.parameter_groups() if g["params"]])
    average, trainer = WeightAverage(), argparse.Namespace(global_step=0)
    average.on_fit_start(trainer, module)

    def lap(name: str, start: float) -> float:
        now = time.process_time()
        taken[name].append(now - start)
        return now

    module.train()
    while len(taken["data"]) < steps:
        start = time.process_time()
        for batch in data.train_dataloader():
            start = lap("data", start)
            loss = module.loss(batch)
            start = lap("forward, with the factors of the graph", start)
            loss.backward()
            start = lap("backward", start)
            torch.nn.utils.clip_grad_norm_(module.parameters(), module.options.clip)
            optimizer.step()
            optimizer.zero_grad()
            trainer.global_step += 1
            average.on_train_batch_end(trainer, module)
            start = lap("clipping, optimizer, average", start)
            module.loss(batch).backward()
            start = lap("forward and backward of the same batch", start)
            module.zero_grad()
            start = time.process_time()
    return {name: statistics.median(times) for name, times in taken.items()}


def measured(folder: Path, cache: Path | None, steps: int) -> dict[str, float]:
    """Return the CPU seconds of the parts of a step, and of a step in Lightning, on the labelled meshes of a folder."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as run:
        data = DataOptions(folder, features=FEATURES, augment="RandomMirror()", cache=cache or Path(run), n_jobs=1)
        given = {"data": data, "geometry": GeometryOptions(), "model": {}, "optim": OptimOptions(lr=3e-3)}
        training = begin("segmentation", given, seed=1)
        loaded = training.load(Path(run))
        print(f"{loaded.train[0].num_nodes * loaded.batch_size} vertices in a batch", file=sys.stderr)
        found = parts_of_a_step(training.module, loaded, steps)
        del training.module.log_mean
        clock = Clock()
        epochs = -(-steps // max(1, len(loaded.train) // loaded.batch_size))
        training.module.configure_callbacks = lambda: [clock]
        trainer = {"max_epochs": epochs, "accelerator": "cpu"}
        fit(training.module, loaded, Path(run), training.description, trainer=trainer)
        return found | {"step in Lightning": clock.step()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder of prepared meshes")
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    for name, seconds in measured(options.data, options.cache, options.steps).items():
        print(f"{name:<42} {1e3 * seconds:7.1f} ms")


if __name__ == "__main__":
    main()
