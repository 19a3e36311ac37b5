"""The Lightning module of all tasks: optimizer, schedule, random numbers, and a check that the loss stays finite."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from gaugenet.tasks.training.options import OptimOptions, TaskError
from gaugenet.tasks.training.schedule import learning_rate_factor


class TrainingModule(LightningModule):
    """The base class of modules that train a network.

    A subclass implements `loss`, and `validation_step` if there is something to validate. It logs means with
    `log_mean`. All random numbers of a step follow from the seed, the step and the process. So a training that is
    killed and resumed draws the same numbers.

    Args:
        model: the network.
        options: optimizer, schedule, averaging.
        seed: seed of dropout; the data module has the seed of augmentation and order.

    Example:
        >>> import torch
        >>> from gaugenet.tasks import TrainingModule
        >>> class Regression(TrainingModule):
        ...     def loss(self, batch):
        ...         x, y = batch
        ...         return (self.model(x) - y).square().mean()
        >>> Regression(torch.nn.Linear(3, 1)).loss((torch.ones(8, 3), torch.ones(8, 1))).shape
        torch.Size([])
    """

    monitor: ClassVar[str]
    """Metric that decides which weights are best."""
    mode: ClassVar[str] = "max"
    """Whether the largest (`"max"`) or the smallest (`"min"`) value of `monitor` is best."""
    shown: ClassVar[tuple[tuple[str, str, str], ...]] = (("loss", "train_loss", "{:.3f}"),)
    """What stands next to the progress bar: label, metric and format."""
    remedy: ClassVar[str] = "lower --optim.lr, or clip with --optim.clip."
    """What to do about a loss that is not finite."""

    def __init__(self, model: nn.Module, *, options: OptimOptions | None = None, seed: int = 0) -> None:
        super().__init__()
        self.model = model
        self.options = options or OptimOptions()
        self.seed = seed
        self._loss_of_epoch: Tensor | None = None

    def loss(self, batch: Any) -> Tensor:
        """Return the loss of a batch, which the optimizer minimizes, and log it."""
        raise NotImplementedError(f"{type(self).__name__} has no loss: implement `loss(batch)`.")

    def class_scores(self) -> list[dict[str, float | None]]:
        """Return the scores of each class on the validation part in the last epoch; empty if there are no classes."""
        return []

    def on_train_epoch_start(self) -> None:
        self._loss_of_epoch = None

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # In every step: data loaders also use the global generator, and after a resume they are created again.
        sequence = np.random.SeedSequence([self.seed, self.current_epoch, batch_idx, self.global_rank])
        torch.manual_seed(int(sequence.generate_state(1)[0]))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        total = loss.detach()
        self._loss_of_epoch = total if self._loss_of_epoch is None else self._loss_of_epoch + total
        return loss

    def on_train_epoch_end(self) -> None:
        if self._loss_of_epoch is not None and not torch.isfinite(self._loss_of_epoch):
            raise TaskError(f"The loss is no longer finite in epoch {self.current_epoch + 1}: {self.remedy}")
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"], sync_dist=True)

    def log_mean(self, name: str, value: Tensor, batch_size: int) -> None:
        """Log the mean of a value over the epoch, with each batch weighted by its size."""
        self.log(name, value, on_step=False, on_epoch=True, batch_size=batch_size, sync_dist=True)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups of the optimizer: weight matrices decay, biases and scales do not."""
        trained = [p for p in self.parameters() if p.requires_grad]
        return [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": self.options.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return the optimizer of these parameters, with the largest learning rate."""
        return torch.optim.AdamW(groups, lr=self.options.lr)

    def configure_optimizers(self) -> Any:
        options, total = self.options, int(self.trainer.estimated_stepping_batches)
        optimizer = self.optimizer([g for g in self.parameter_groups() if g["params"]])

        def factor(step: int) -> float:
            return learning_rate_factor(step, total, schedule=options.schedule, warmup=options.warmup)

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
