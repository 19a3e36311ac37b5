"""Predictions for climate files: probabilities on the icosphere and at the locations of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from gaugenet._caching import BoundedCache
from gaugenet._typing import typed_array
from gaugenet.data.climate.dataset import ClimateFrame
from gaugenet.data.climate.sampling import Interpolation
from gaugenet.data.climate.variables import ClimateVariables
from gaugenet.data.normalization import Normalization
from gaugenet.tasks.climate.calibration import Calibration
from gaugenet.tasks.climate.files import Files, inputs_of, open_files
from gaugenet.tasks.climate.inputs import SphereFields, SphereInputs, random_pose
from gaugenet.tasks.climate.options import ClimateData
from gaugenet.tasks.training.options import TaskError, device_of
from gaugenet.tasks.training.run import RunError, Which, load_run

Pose = Float[ndarray, "3 3"] | None
Precision = Literal["float32", "bfloat16"]

_INTERPOLATION_BYTES = 1e9
"""The most memory that cached interpolations of poses may use, in bytes."""

_VERTICES_AT_ONCE = 330_000
"""The largest number of vertices in a batch (eight globes of level 6); a batch has at least one globe."""


class ClimatePredictor:
    """A trained network that labels the time steps of climate files; the run is loaded once.

    Probabilities are calibrated by the validation part of the training, see `Calibration`, or by
    `evaluate_climate(..., calibrate=True)`. `validated` tells whether there was one.

    Args:
        run: folder of the run.
        paths: the files.
        weights: `"best"` or `"last"`.
        tta: number of poses to average over: the unchanged globe, its mirror image, and random rotations of both.
        missing: as in `ClimateData`; by default as in the training.
        device: device of the network; by default a GPU if there is one.
        precision: `bfloat16` for autocast, twice as fast on processors with AMX.

    Raises:
        RunError: If there is no complete run of this task.
        DataError: If files lack the variables of the training.
    """

    def __init__(
        self,
        run: str | Path,
        paths: Sequence[str],
        *,
        weights: Which = "best",
        tta: int = 0,
        missing: str | None = None,
        device: str | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.precision = precision
        self.device = device_of(device)
        model, self.description = load_run(run, weights=weights)
        if self.description.task != "climate":
            raise RunError(f"{run} is a run of {self.description.task}, not of climate.")
        self.model = model.to(self.device)
        metrics = self.description.metrics.get(weights, {})
        self.calibration = Calibration.of_metrics(metrics, len(self.description.classes))
        self.validated = "val_threshold_1" in metrics
        values = self.description.data
        self.data = ClimateData.from_dict(values)
        if missing is not None:
            self.data = replace(self.data, missing=missing)  # type: ignore[arg-type]
        self.normalization = Normalization.from_dict(values["normalization"])
        variables = ClimateVariables.from_dict(values["variables"])
        self.files: Files = open_files(paths, self.data, variables=variables)
        self.inputs: SphereInputs = inputs_of(self.files, self.data)
        self.poses = tta_poses(tta)
        # every step uses all poses in turn, so cached ones are not replaced
        self._backs: BoundedCache[Interpolation] = BoundedCache(max_bytes=_INTERPOLATION_BYTES, replace=False)

    @property
    def classes(self) -> list[str]:
        return self.description.classes

    @property
    def thresholds(self) -> Float[ndarray, "classes"]:
        """Thresholds of the classes, see `Calibration`; 0.5 if the training had no validation part."""
        return self.calibration.threshold

    def fields(self, index: int) -> tuple[ClimateFrame, SphereFields]:
        """Return a frame, and its checked and normalized fields."""
        frame = self.files[index]
        self.normalization.check(frame, self.files.variables, self.inputs.locations.area)
        return frame, SphereFields.of(frame, self.inputs.locations, self.normalization)

    @property
    def at_once(self) -> int:
        """Number of globes for which `together` is fastest."""
        return max(1, _VERTICES_AT_ONCE // int(self.inputs.sphere.num_vertices))

    def on_sphere(self, fields: SphereFields, pose: Pose = None) -> Float[ndarray, "classes vertices"]:
        """Return the probabilities at the vertices; vertex p sees the location `pose @ p` of the globe."""
        return typed_array(self.calibration(self._on_spheres([fields], pose)[0]))

    @torch.inference_mode()
    def _on_spheres(self, spheres: Sequence[SphereFields], pose: Pose) -> Float[ndarray, "spheres classes vertices"]:
        x = torch.stack([self.inputs.read(fields, pose=pose)[0] for fields in spheres])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits = self.model(x.to(self.device), self.inputs.sphere).float()
        return torch.softmax(logits, dim=1).cpu().numpy()

    def at_locations(self, probability: Float[ndarray, "*b vertices"], pose: Pose = None) -> Float[ndarray, "*b cells"]:
        """Interpolate linearly from the vertices to the locations of the file."""
        key = b"" if pose is None else pose.tobytes()
        return self._backs.get(key, lambda: self.inputs.back(pose)).fields(probability)

    def __call__(self, fields: SphereFields, pose: Pose = None) -> Float[ndarray, "classes cells"]:
        """Return the probabilities at the locations of the file, averaged over all poses, each combined with `pose`."""
        return typed_array(self.together([fields], pose)[0])

    def together(self, spheres: Sequence[SphereFields], pose: Pose = None) -> Float[ndarray, "spheres classes cells"]:
        """Return the probabilities of several globes, which is faster; see `at_once` for their number."""
        total: Any = 0.0
        for own in self.poses:
            both = own if pose is None else pose if own is None else pose @ own
            total = total + self.at_locations(self._on_spheres(spheres, both), both)
        return typed_array(np.stack([self.calibration(p) for p in total / len(self.poses)]))


def tta_poses(count: int) -> list[Pose]:
    """Return poses: identity, mirror image, then random rotations and mirror images, always the same ones."""
    if count < 0:
        raise TaskError(f"Expected `tta` of at least 0, got {count}.")
    poses: list[Pose] = [None, np.diag([1.0, 1.0, -1.0])]
    draw = np.random.default_rng(0)
    poses += [random_pose(draw, rotate=True, mirror=True) for _ in range(max(0, count - 2))]
    return poses[: max(1, count)]
