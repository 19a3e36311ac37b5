"""The Lightning module of a regression: the loss of all targets together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from gaugenet.data.fields.spec import FieldSpec
from gaugenet.tasks.mesh.outputs import Items, item_graph
from gaugenet.tasks.regression.losses import field_loss
from gaugenet.tasks.regression.options import RegressionLoss
from gaugenet.tasks.regression.outputs import item_areas, predicted_fields, true_fields
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.options import OptimOptions


class RegressionModule(TrainingModule):
    """A module that trains a network `model(x, graph) -> (N, channels)` to predict fields.

    The batch is a `GaugeGraph` (or a PyG batch of several) with `x` and the targets in coordinates of space. Errors are
    in units of each target's scale, so that targets of different units have the same influence.

    Args:
        model: the network, whose outputs have the type that `out_type` gives.
        targets: the fitted targets.
        loss: the loss.
        options: optimizer and schedule.
        seed: seed of dropout; the data module has the seed of augmentation and order.
    """

    monitor = "val_loss"
    mode = "min"
    shown = (("loss", "train_loss", "{:.4f}"), ("val", "val_loss", "{:.4f}"))

    def __init__(
        self,
        model: nn.Module,
        *,
        targets: Sequence[FieldSpec],
        loss: RegressionLoss | None = None,
        options: OptimOptions | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(model, options=options, seed=seed)
        self.targets = tuple(targets)
        self.how = loss or RegressionLoss()
        self.weights = self.how.weights_of(self.targets)

    def loss(self, batch: Any) -> Tensor:
        total = self._compared(batch, "train")
        self.log_mean("train_loss", total.detach(), _num_graphs(batch))
        return total

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log_mean("val_loss", self._compared(batch, "val"), _num_graphs(batch))

    def _compared(self, batch: Any, part: str) -> Tensor:
        """Return the weighted mean of the losses of all targets."""
        predictions = predicted_fields(self.model(batch.x, batch), batch, self.targets, normalized=True)
        truths = true_fields(batch, self.targets)
        losses = {}
        for spec in self.targets:
            truth, weight = truths[spec.name]
            losses[spec.name] = self._loss_of(spec, predictions[spec.name], truth, weight, batch)
            if len(self.targets) > 1:
                self.log_mean(f"{part}_{spec.name}_loss", losses[spec.name].detach(), _num_graphs(batch))
        total: Tensor = sum(self.weights[name] * value for name, value in losses.items())  # type: ignore[assignment]
        return total / sum(self.weights.values())

    def _loss_of(self, spec: FieldSpec, prediction: Tensor, truth: Tensor, weight: Tensor, batch: Any) -> Tensor:
        items: Items = spec.on  # type: ignore[assignment]
        if self.how.area_weighted:
            weight = weight * item_areas(batch, spec)
        scale, mean = spec.scale or 1.0, spec.mean or 0.0
        if self.how.kind == "relative":  # to the target itself, and not to its deviation from the mean
            prediction, mean = prediction + mean / scale, 0.0
        truth = ((truth - mean) / scale).to(prediction.dtype)  # in float64, before it is rounded
        index, count = item_graph(batch, items), _num_graphs(batch)
        kind, delta = self.how.kind, self.how.delta
        return field_loss(prediction, truth, weight.to(truth.dtype), index, count, kind=kind, delta=delta)


def _num_graphs(batch: Any) -> int:
    return int(getattr(batch, "num_graphs", 1))
