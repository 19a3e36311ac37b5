"""The Lightning module of climate-pattern segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from gaugenet.data.climate.sampling import Interpolation
from gaugenet.geometry import Icosphere
from gaugenet.tasks.climate.calibration import Calibration
from gaugenet.tasks.climate.inputs import SphereInputs
from gaugenet.tasks.climate.losses import climate_loss
from gaugenet.tasks.climate.options import ClimateLoss
from gaugenet.tasks.climate.scores import AreaHistogram
from gaugenet.tasks.mesh.losses import IGNORE
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.options import OptimOptions

AP = "val_ap"


@dataclass(frozen=True)
class Readout:
    """The interpolation from the vertices to the locations of a file, and the areas of the locations."""

    back: Interpolation
    area: Float[ndarray, "locations"]

    @classmethod
    def of(cls, inputs: SphereInputs) -> Readout:
        return cls(inputs.back(), np.ascontiguousarray(inputs.locations.area).reshape(-1))


class ClimateModule(TrainingModule):
    """A module that trains a network `model(x, sphere) -> (B, classes, V)` to label the vertices of an icosphere.

    Validation logs, over the rare classes, the mean average precision `val_ap` and the mean intersection over union
    `val_iou` at the best threshold of each class. It also logs the `Calibration` of each class with its threshold
    (`val_scale_1`, `val_shift_1`, `val_threshold_1`, ...). All scores are by area, at the locations of the labels. At
    the vertices the scores, and above all the thresholds, would differ, because interpolation smooths the
    probabilities between the vertices.

    Args:
        model: the network.
        sphere: the icosphere, second argument of the network; the areas `mass` of its vertices weight the loss.
        validated: how outputs at the vertices are interpolated and scored at the locations of the validation files.
        class_weight: `(K,)` weights of the classes in the loss.
        loss, options: see the classes.
        seed: seed of dropout.
    """

    monitor = AP
    shown = (("loss", "train_loss", "{:.3f}"), ("val AP", AP, "{:.3f}"), ("val IoU", "val_iou", "{:.3f}"))
    area: Tensor
    class_weight: Tensor

    def __init__(
        self,
        model: nn.Module,
        *,
        sphere: Icosphere,
        class_weight: Float[Tensor, "classes"],
        validated: Readout | None = None,
        loss: ClimateLoss | None = None,
        options: OptimOptions | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(model, options=options, seed=seed)
        self.sphere, self.validated = sphere, validated
        self.terms = loss or ClimateLoss()
        self.register_buffer("area", self.sphere.mass.float(), persistent=False)
        self.register_buffer("class_weight", class_weight.float(), persistent=False)
        self._histograms: list[AreaHistogram] = []

    def loss(self, batch: Any) -> Tensor:
        loss = self._loss_of(batch)
        self.log_mean("train_loss", loss.detach(), len(batch["x"]))
        return loss

    def on_validation_epoch_start(self) -> None:
        self._histograms = [AreaHistogram() for _ in self.class_weight]

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self.model(batch["x"], self.sphere).float()
        self.log_mean("val_loss", self._loss_of(batch, logits), len(batch["x"]))
        if self.validated is not None:
            for probability, label in zip(torch.softmax(logits, dim=1).cpu().numpy(), batch["truth"].cpu().numpy()):
                found, known = self.validated.back.fields(probability), label != IGNORE
                for k, histogram in enumerate(self._histograms):
                    histogram.add(found[k][known], label[known] == k, self.validated.area[known])

    def on_validation_epoch_end(self) -> None:
        scores: list[tuple[float, float]] = []
        for k, histogram in enumerate(self._histograms):
            if k == 0:
                continue
            self._sum_over_processes(histogram)
            iou = histogram.at(histogram.best_threshold())["iou"]
            if histogram.true.sum() > 0 and iou is not None:
                scores.append((histogram.average_precision(), iou))
        for name, values in zip((AP, "val_iou"), zip(*scores)):
            self.log(name, sum(values) / len(values))
        for name, value in Calibration.fit(self._histograms).as_metrics().items():
            self.log(name, value)

    def _sum_over_processes(self, histogram: AreaHistogram) -> None:
        if self.trainer.world_size > 1:
            parts = torch.from_numpy(np.stack([histogram.true, histogram.false]))
            gathered: Any = self.all_gather(parts)
            histogram.true, histogram.false = gathered.sum(dim=0).cpu().numpy()

    def _loss_of(self, batch: Any, logits: Tensor | None = None) -> Tensor:
        logits = self.model(batch["x"], self.sphere) if logits is None else logits
        return climate_loss(logits, batch["y"], self.area, self.class_weight, self.terms)
