"""The Lightning module of forecasts."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.tasks.forecast.options import ForecastLoss
from gaugenet.tasks.forecast.stepper import ForecastStepper
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.options import OptimOptions

RMSE, PERSISTENCE = "val_rmse", "val_persistence"


class ForecastModule(TrainingModule):
    """A module that trains a stepper on roll-outs; the loss is the mean over all steps of a roll-out.

    Gradients flow through all steps. Errors are in units of the typical change in one step and weighted by area.
    Validation logs `val_rmse`, the root mean square error of a roll-out over its steps and channels (the mean over the
    roll-outs), and `val_persistence`, the same error of the forecast that nothing changes.

    Args:
        stepper: the step in time; its network is trained and saved.
        weights: factor of each field (scalars, then vectors) in the loss.
        loss, options: see the classes.
        seed: seed of dropout.
    """

    monitor, mode = RMSE, "min"
    shown = (
        ("loss", "train_loss", "{:.3f}"),
        ("val RMSE", RMSE, "{:.3f}"),
        ("persistence", PERSISTENCE, "{:.3f}"),
    )
    weight: Tensor

    def __init__(
        self,
        stepper: ForecastStepper,
        *,
        weights: list[float],
        loss: ForecastLoss | None = None,
        options: OptimOptions | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(stepper.network, options=options, seed=seed)
        self.stepper, self.terms = stepper, loss or ForecastLoss()
        self.register_buffer("weight", channel_weights(stepper, weights), persistent=False)

    def loss(self, batch: Any) -> Tensor:
        loss = self._errors(batch).mean()
        self.log_mean("train_loss", loss.detach(), len(batch["states"]))
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        states, count = batch["states"], len(batch["states"])
        squares = [self._squares(found - truth) for found, truth in self._pairs(batch)]
        kept = [self._squares(states[:, 0] - truth) for truth in states[:, 1:].unbind(1)]
        self.log_mean(RMSE, torch.stack(squares).mean(0).sqrt().mean(), count)
        self.log_mean(PERSISTENCE, torch.stack(kept).mean(0).sqrt().mean(), count)

    def _pairs(self, batch: Any) -> Any:
        states = batch["states"]
        return zip(self.stepper.roll_out(states[:, 0], batch["conditions"], batch["side"]), states[:, 1:].unbind(1))

    def _errors(self, batch: Any) -> Float[Tensor, "steps batch"]:
        size = self._squares if self.terms.kind == "l2" else self._absolutes
        return torch.stack([size(found - truth) for found, truth in self._pairs(batch)])

    def _squares(self, error: Float[Tensor, "batch channels vertices"]) -> Float[Tensor, "batch"]:
        scaled = error.float() / self.stepper.scale[:, None]
        return (scaled.square() * self.weight).sum((1, 2))

    def _absolutes(self, error: Float[Tensor, "batch channels vertices"]) -> Float[Tensor, "batch"]:
        scaled = error.float() / self.stepper.scale[:, None]
        count = self.stepper.layout.scalars
        vectors = scaled[:, count:].unflatten(1, (2, -1)).square().sum(1)
        lengths = (vectors + 1e-12).sqrt()  # the root has no derivative at zero
        weight = torch.cat([self.weight[:count], 2 * self.weight[count : count + lengths.shape[1]]])
        return (torch.cat([scaled[:, :count].abs(), lengths], 1) * weight).sum((1, 2))


def channel_weights(stepper: ForecastStepper, weights: list[float]) -> Float[Tensor, "channels vertices"]:
    """Return weights of the errors that sum to one: the given weights of the fields, times the areas of the vertices.

    Vectors have weight 0 at the corners of the icosphere, where they have no coefficients.
    """
    sphere, layout = stepper.sphere, stepper.layout
    area = sphere.mass.float().expand(layout.channels, -1).clone()
    area[layout.scalars :, sphere.corners] = 0
    factors = torch.tensor(layout.spread([*weights[: layout.scalars], *(w / 2 for w in weights[layout.scalars :])]))
    return factors[:, None] / factors.sum() * area / area.sum(1, keepdim=True)
