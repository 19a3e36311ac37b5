"""The Lightning module of labels on meshes: loss and metrics over the labelled items."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gaugenet.tasks.mesh.linear_cross_entropy import Comparison, linear_cross_entropy
from gaugenet.tasks.mesh.losses import IGNORE, graph_shares, label_loss
from gaugenet.tasks.mesh.metrics import MAX_CONFUSION_CLASSES, ClassScores
from gaugenet.tasks.mesh.outputs import Items, item_graph, log_probabilities, vertex_graph, vertex_scores
from gaugenet.tasks.training.loss_options import LossOptions
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.options import OptimOptions, TaskError

IOU = "val_iou"
_PLAIN = LossOptions()


class MeshLabelModule(TrainingModule):
    """A module that trains a network `model(x, graph) -> (N, classes)` to label faces, vertices or whole meshes.

    The batch is a `GaugeGraph` (or a PyG batch of several) with `x`, and `y` with the class of each item, `-1` where
    it has none. The loss is the mean over meshes of the mean over their items, so it does not depend on how a batch is
    distributed over processes.

    Validation logs `val_accuracy`, and for at most 256 classes `val_iou`, the mean intersection over union of the
    classes that occur. Where the loss balances the classes, `val_iou` decides which weights are best.

    Args:
        model: the network.
        items: the items that have labels.
        options: optimizer, schedule, smoothing.
        loss: terms of the loss.
        class_weight: weights of the classes in the loss, by default 1; may be set until the training starts.
        num_classes: number of classes; without it `val_accuracy` decides which weights are best.
        seed: seed of dropout; the data module has the seed of augmentation and order.
    """

    monitor = "val_accuracy"
    shown = (
        ("loss", "train_loss", "{:.3f}"),
        ("train", "train_accuracy", "{:.1%}"),
        ("val", "val_accuracy", "{:.1%}"),
        ("val IoU", IOU, "{:.1%}"),
    )
    class_weight: Tensor | None

    def __init__(
        self,
        model: nn.Module,
        *,
        items: Items = "face",
        options: OptimOptions | None = None,
        loss: LossOptions | None = None,
        class_weight: Float[Tensor, "classes"] | None = None,
        num_classes: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(model, options=options, seed=seed)
        self.items: Items = items
        self.terms = loss or _PLAIN
        self.register_buffer("class_weight", class_weight, persistent=False)
        if self.terms.balances_classes and num_classes is not None and num_classes <= MAX_CONFUSION_CLASSES:
            self.monitor = IOU
        self._confusion: Tensor | None = None
        self._class_scores: ClassScores | None = None

    def loss(self, batch: Any) -> Tensor:
        at_vertices = self.options.loss_on == "vertices" and self.items == "face"
        result = (self._compared_at_vertices if at_vertices else self._compared)(batch, self.options.smoothing)
        self.log_mean("train_loss", result.loss.detach(), _num_graphs(batch))
        self.log_mean("train_accuracy", _share(result.correct, batch.y), len(batch.y))
        return result.loss

    def on_validation_epoch_start(self) -> None:
        self._confusion = None

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        result = self._compared(batch, 0.0)
        self.log_mean("val_loss", result.loss, _num_graphs(batch))
        labelled = int((batch.y != IGNORE).sum())
        if labelled:
            self.log_mean("val_accuracy", _share(result.correct, batch.y), labelled)

    def on_validation_epoch_end(self) -> None:
        counts = self._confusion
        if counts is None:
            return
        if self.trainer.world_size > 1:
            gathered: Any = self.all_gather(counts)
            counts = gathered.sum(dim=0)
        self._class_scores = ClassScores.of(counts.cpu().numpy())
        self.log(IOU, self._class_scores.mean_iou)

    def class_scores(self) -> list[dict[str, float | None]]:
        return [] if self._class_scores is None else self._class_scores.rows()

    def _compared(self, batch: Any, smoothing: float) -> Comparison:
        """Return the loss, and which items are labelled correctly."""
        if self._is_fused():
            return self._loss_of_classifier(batch, smoothing)
        _, log_prob = self._scored(batch)
        graph = item_graph(batch, self.items)
        predicted = log_prob.detach().argmax(dim=1)
        if not self.training:
            self._count(batch.y, predicted, log_prob.shape[1])
        return Comparison(self._loss_of(log_prob, batch.y, graph, batch, smoothing), predicted == batch.y)

    def _compared_at_vertices(self, batch: Any, smoothing: float) -> Comparison:
        """Return the same for faces, with the loss at their vertices, against the shares of the classes around each."""
        scores, log_prob = self._scored(batch)
        at_vertices, target = torch.log_softmax(scores, dim=1), batch.y_soft.to(scores.dtype)
        loss = self._loss_of(at_vertices, target, vertex_graph(batch), batch, smoothing)
        return Comparison(loss, log_prob.detach().argmax(dim=1) == batch.y)

    def _loss_of(self, log_prob: Tensor, target: Tensor, graph: Tensor, batch: Any, smoothing: float) -> Tensor:
        weight, count = self.class_weight, _num_graphs(batch)
        return label_loss(log_prob, target, graph, count, options=self.terms, class_weight=weight, smoothing=smoothing)

    def _scored(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Return the scores at the vertices, and the log-probabilities of the items."""
        scores = vertex_scores(self.model, batch)
        log_prob = log_probabilities(scores, batch, self.items, corners=self.options.corners)
        self._check_labels(log_prob, batch)
        return scores, log_prob

    def _is_fused(self) -> bool:
        """Return whether the loss is computed without the scores: in training, and if there are too many of them."""
        model: Any = self.model
        if self.items != "vertex" or self.terms.parsed_terms != _PLAIN.parsed_terms or not hasattr(model, "hidden"):
            return False
        last = getattr(model, "classifier", None)
        return last is not None and (self.training or len(last.weight) > MAX_CONFUSION_CLASSES)

    def _loss_of_classifier(self, batch: Any, smoothing: float) -> Comparison:
        """Return the same without storing the scores, since there may be thousands at each vertex."""
        model: Any = self.model
        hidden, last = model.hidden(batch.x, batch), model.classifier
        self._check_labels(hidden, batch)
        shares = self._shares(batch, torch.promote_types(hidden.dtype, torch.float32))
        return linear_cross_entropy(hidden, last.weight, last.bias, batch.y, shares, smoothing=smoothing)

    def _check_labels(self, rows: Tensor, batch: Any) -> None:
        if len(rows) != len(batch.y):
            raise TaskError(f"Expected one label for each of {len(rows)} items ({self.items}), got {len(batch.y)}.")

    def _shares(self, batch: Any, dtype: torch.dtype) -> Float[Tensor, "items"]:
        """Return the weight of each item in the loss, including its class weight; 0 without a label."""
        share = graph_shares((batch.y != IGNORE).to(dtype), item_graph(batch, self.items), _num_graphs(batch))
        return share if self.class_weight is None else share * self.class_weight.to(dtype)[batch.y.clamp(min=0)]

    def _count(self, truth: Tensor, predicted: Tensor, classes: int) -> None:
        """Add to the confusion matrix of the validation part."""
        if classes > MAX_CONFUSION_CLASSES:
            return
        known = truth != IGNORE
        counts = torch.bincount(truth[known] * classes + predicted[known], minlength=classes**2).view(classes, classes)
        self._confusion = counts if self._confusion is None else self._confusion + counts


def _num_graphs(batch: Any) -> int:
    return int(getattr(batch, "num_graphs", 1))


def _share(correct: Bool[Tensor, "items"], target: Int[Tensor, "items"]) -> Float[Tensor, ""]:
    """Return the share of correct items among the labelled ones."""
    labelled = target != IGNORE
    return (correct & labelled).sum() / labelled.sum().clamp(min=1)
