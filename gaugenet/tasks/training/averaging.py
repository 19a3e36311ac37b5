"""An exponential moving average of the weights, as a Lightning callback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage(Callback):
    r"""A callback that updates :math:`\bar w \leftarrow d \bar w + (1 - d) w` after each step and validates with it.

    The decay grows as `min(decay, (1 + n) / (10 + n))`, so that the average of a short training forgets the
    initialization. The average is part of the checkpoint, next to the current weights, so a resumed training continues
    it exactly. (Lightning's `EMAWeightAveraging` keeps the decay fixed and exchanges the two in the checkpoint, so it
    cannot continue trainings of this class.)

    Args:
        decay: final decay `d` per optimizer step, in `[0, 1)`.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"Expected `decay` in [0, 1), got {decay}.")
        self.decay = decay
        self.updates = 0
        self.average: dict[str, Tensor] = {}
        self._last_step = 0
        self._swapped = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        current = dict(pl_module.named_parameters())
        if self.average.keys() != current.keys():
            self.average = {name: p.detach().clone() for name, p in current.items()}
        self.average = {name: value.to(current[name].device) for name, value in self.average.items()}
        self._last_step = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if trainer.global_step == self._last_step:
            return
        self._last_step = trainer.global_step
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current = [p.detach() for p in pl_module.parameters()]
        get_ema_multi_avg_fn(decay)(list(self.average.values()), current, self.updates)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.average and not trainer.sanity_checking:
            self._swap(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._swapped:
            self._swap(pl_module)

    @contextmanager
    def applied(self, pl_module: LightningModule) -> Iterator[None]:
        """Use the averaged weights in the module within the block."""
        self._swap(pl_module)
        try:
            yield
        finally:
            self._swap(pl_module)

    def _swap(self, pl_module: LightningModule) -> None:
        for name, parameter in pl_module.named_parameters():
            self.average[name], parameter.data = parameter.data, self.average[name]
        self._swapped = not self._swapped

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "average": self.average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.updates = state_dict["updates"]
        self.average = state_dict["average"]
