"""The Lightning module of labels on meshes: loss and metrics over whatever has a label."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gaugenet.tasks.mesh.linear_cross_entropy import Comparison, linear_cross_entropy
from gaugenet.tasks.mesh.losses import IGNORE, graph_shares, mean_over_graphs, smoothed_nll, soft_nll
from gaugenet.tasks.mesh.outputs import Items, item_graph, log_probabilities, vertex_graph, vertex_scores
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.options import OptimOptions, TaskError


class MeshLabelModule(TrainingModule):
    """Trains a network `model(x, graph) -> (N, classes)` to label the faces, the vertices or the whole of meshes.

    The batch is a `GaugeGraph` (or a PyG batch of several) with `x`, and `y` with one class an item, `-1` where it
    has none. The loss is the mean over meshes of the mean over their items, so that it does not depend on how a batch
    is spread over processes.

    Args:
        model: the network.
        items: what has a label.
        options: optimizer, schedule, smoothing.
        seed: seed of dropout; the seed of augmentation and order is the data module's.
    """

    monitor = "val_accuracy"
    shown = (
        ("loss", "train_loss", "{:.3f}"),
        ("train", "train_accuracy", "{:.1%}"),
        ("val", "val_accuracy", "{:.1%}"),
    )

    def __init__(
        self, model: nn.Module, *, items: Items = "face", options: OptimOptions | None = None, seed: int = 0
    ) -> None:
        super().__init__(model, options=options, seed=seed)
        self.items: Items = items

    def loss(self, batch: Any) -> Tensor:
        at_vertices = self.options.loss_on == "vertices" and self.items == "face"
        result = (self._compared_at_vertices if at_vertices else self._compared)(batch, self.options.smoothing)
        self.log_mean("train_loss", result.loss.detach(), _num_graphs(batch))
        self.log_mean("train_accuracy", _share(result.correct, batch.y), len(batch.y))
        return result.loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        result = self._compared(batch, 0.0)
        self.log_mean("val_loss", result.loss, _num_graphs(batch))
        labelled = int((batch.y != IGNORE).sum())
        if labelled:
            self.log_mean("val_accuracy", _share(result.correct, batch.y), labelled)

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


def _num_graphs(batch: Any) -> int:
    return int(getattr(batch, "num_graphs", 1))


def _share(correct: Bool[Tensor, "items"], target: Int[Tensor, "items"]) -> Float[Tensor, ""]:
    """Of the labelled items."""
    labelled = target != IGNORE
    return (correct & labelled).sum() / labelled.sum().clamp(min=1)
