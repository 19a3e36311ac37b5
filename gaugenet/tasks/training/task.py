"""The Lightning module of all tasks: loss, optimizer and metrics over whatever has a label."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from gaugenet.tasks.mesh.linear_cross_entropy import Comparison, linear_cross_entropy
from gaugenet.tasks.mesh.losses import IGNORE, graph_shares, mean_over_graphs, smoothed_nll, soft_nll
from gaugenet.tasks.mesh.outputs import Items, item_graph, log_probabilities, vertex_graph, vertex_scores
from gaugenet.tasks.training.options import OptimOptions, TaskError
from gaugenet.tasks.training.schedule import learning_rate_factor


class GaugeTask(LightningModule):
    """Trains a network `model(x, graph) -> (N, classes)` to label the faces, the vertices or the whole of meshes.

    The batch is a `GaugeGraph` (or a PyG batch of several) with `x`, and `y` with one class an item, `-1` where it
    has none. The loss is the mean over meshes of the mean over their items, so that it does not depend on how a batch
    is spread over processes. All random numbers of a step follow from the seed, the step and the process: a training
    that was killed and resumed meets the same ones.

    Args:
        model: the network.
        items: what has a label.
        options: optimizer, schedule, smoothing.
        seed: seed of dropout; the seed of augmentation and order is the data module's.
    """

    monitor = "val_accuracy"
    """Metric that decides which weights are best."""

    def __init__(
        self, model: nn.Module, *, items: Items = "face", options: OptimOptions | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        self.model = model
        self.items: Items = items
        self.options = options or OptimOptions()
        self.seed = seed
        self._loss_of_epoch: Tensor | None = None

    # --- training -----------------------------------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        self._loss_of_epoch = None

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Seeded in every step: data loaders draw from the global numbers too, and after a resume they are made again.
        sequence = np.random.SeedSequence([self.seed, self.current_epoch, batch_idx, self.global_rank])
        torch.manual_seed(int(sequence.generate_state(1)[0]))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        at_vertices = self.options.loss_on == "vertices" and self.items == "face"
        result = (self._compared_at_vertices if at_vertices else self._compared)(batch, self.options.smoothing)
        total = result.loss.detach()
        self._loss_of_epoch = total if self._loss_of_epoch is None else self._loss_of_epoch + total
        self._log("train_loss", total, _num_graphs(batch))
        self._log("train_accuracy", _share(result.correct, batch.y), len(batch.y))
        return result.loss

    def on_train_epoch_end(self) -> None:
        if self._loss_of_epoch is not None and not torch.isfinite(self._loss_of_epoch):
            raise TaskError(
                f"The loss is no longer finite in epoch {self.current_epoch}: "
                "lower --optim.lr, or clip with --optim.clip."
            )
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"], sync_dist=True)

    # --- validation ---------------------------------------------------------------------------------------------

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        result = self._compared(batch, 0.0)
        self._log("val_loss", result.loss, _num_graphs(batch))
        labelled = int((batch.y != IGNORE).sum())
        if labelled:
            self._log("val_accuracy", _share(result.correct, batch.y), labelled)

    def _compared(self, batch: Any, smoothing: float) -> Comparison:
        """The loss, and which items are labelled correctly."""
        if self.items == "vertex" and hasattr(self.model, "hidden") and hasattr(self.model, "classifier"):
            return self._loss_of_classifier(batch, smoothing)
        _, log_prob = self._scored(batch)
        values = smoothed_nll(log_prob, batch.y, smoothing=smoothing)
        loss = (values * self._shares(batch, values.dtype)).sum()
        return Comparison(loss, log_prob.detach().argmax(dim=1) == batch.y)

    def _compared_at_vertices(self, batch: Any, smoothing: float) -> Comparison:
        """The same for faces, with the loss at their vertices."""
        scores, log_prob = self._scored(batch)
        return Comparison(self._vertex_loss(scores, batch, smoothing), log_prob.detach().argmax(dim=1) == batch.y)

    def _scored(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Scores at the vertices, and log-probabilities of the items."""
        scores = vertex_scores(self.model, batch)
        log_prob = log_probabilities(scores, batch, self.items, corners=self.options.corners)
        self._check_labels(log_prob, batch)
        return scores, log_prob

    def _loss_of_classifier(self, batch: Any, smoothing: float) -> Comparison:
        """The same without storing the scores, of which there may be thousands a vertex."""
        model: Any = self.model
        hidden, last = model.hidden(batch.x, batch), model.classifier
        self._check_labels(hidden, batch)
        shares = self._shares(batch, torch.promote_types(hidden.dtype, torch.float32))
        return linear_cross_entropy(hidden, last.weight, last.bias, batch.y, shares, smoothing=smoothing)

    def _check_labels(self, rows: Tensor, batch: Any) -> None:
        if len(rows) != len(batch.y):
            raise TaskError(f"Expected one label for each of {len(rows)} items ({self.items}), got {len(batch.y)}.")

    def _shares(self, batch: Any, dtype: torch.dtype) -> Float[Tensor, "items"]:
        """What each item counts in the loss; nothing without a label."""
        return graph_shares((batch.y != IGNORE).to(dtype), item_graph(batch, self.items), _num_graphs(batch))

    def _vertex_loss(self, scores: Tensor, batch: Any, s: float) -> Tensor:
        """Cross entropy at each vertex against the shares of the classes around it, smoothed by s."""
        target = batch.y_soft.to(scores.dtype)
        labelled = target.sum(dim=1, keepdim=True)
        target = (1 - s) * target + s * labelled / scores.shape[1]
        values = soft_nll(torch.log_softmax(scores, dim=1), target)
        return mean_over_graphs(values, vertex_graph(batch), _num_graphs(batch), weight=labelled[:, 0])

    def _log(self, name: str, value: Tensor, batch_size: int) -> None:
        self.log(name, value, on_step=False, on_epoch=True, batch_size=batch_size, sync_dist=True)

    # --- optimizer ----------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        options = self.options
        matrices = [p for p in self.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in self.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": options.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=options.lr)
        total = int(self.trainer.estimated_stepping_batches)

        def factor(step: int) -> float:
            return learning_rate_factor(step, total, schedule=options.schedule, warmup=options.warmup)

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _num_graphs(batch: Any) -> int:
    return int(getattr(batch, "num_graphs", 1))


def _share(correct: Bool[Tensor, "items"], target: Int[Tensor, "items"]) -> Float[Tensor, ""]:
    """Of the labelled items."""
    labelled = target != IGNORE
    return (correct & labelled).sum() / labelled.sum().clamp(min=1)
