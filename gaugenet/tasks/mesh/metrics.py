"""Scores of a labelling: confusion matrix, accuracy and intersection over union, in total, per class and per mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.tasks.mesh.losses import IGNORE

MAX_CONFUSION_CLASSES = 256
"""With more classes than this (say, one for every vertex of a template) no matrix is kept, and no figures a class."""


def confusion_matrix(
    truth: Int[ndarray, "items"], prediction: Int[ndarray, "items"], num_classes: int
) -> Int[ndarray, "classes classes"]:
    """Count how often each class (row) was predicted as each class (column), without items labelled `IGNORE`.

    Raises:
        ValueError: If the lengths differ, or a label is outside `0 .. num_classes - 1`.

    Example:
        >>> import torch
        >>> from gaugenet.tasks import confusion_matrix
        >>> confusion_matrix(torch.tensor([0, 0, 1, -1]), torch.tensor([0, 1, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    truth, prediction = _checked(truth, prediction, num_classes)
    known = truth != IGNORE
    counts = np.bincount(truth[known] * num_classes + prediction[known], minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


@dataclass(frozen=True)
class ClassScores:
    """Scores of each class, NaN where a class never occurs.

    Attributes:
        items: number of labelled items of the class.
        iou: intersection over union.
        recall: share of the items of the class that are found; also called the accuracy of the class.
        precision: share of the items predicted as the class that belong to it; NaN if there are none.
    """

    items: Int[ndarray, "classes"]
    iou: Float[ndarray, "classes"]
    recall: Float[ndarray, "classes"]
    precision: Float[ndarray, "classes"]

    @classmethod
    def of_counts(
        cls, correct: Int[ndarray, "classes"], truth: Int[ndarray, "classes"], predicted: Int[ndarray, "classes"]
    ) -> ClassScores:
        """Compute the scores from the numbers of correct predictions, of items, and of predictions of each class."""
        iou = _ratio(correct.astype(float), truth + predicted - correct)
        iou[truth == 0] = np.nan
        return cls(truth, iou, _ratio(correct.astype(float), truth), _ratio(correct.astype(float), predicted))

    @classmethod
    def of(cls, confusion: Int[ndarray, "classes classes"]) -> ClassScores:
        """Compute the scores from a confusion matrix whose rows are the truth."""
        return cls.of_counts(np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0))

    @property
    def mean_iou(self) -> float:
        """Mean over the classes that occur; NaN if none does."""
        known = self.iou[~np.isnan(self.iou)]
        return float(known.mean()) if len(known) else float("nan")

    def rows(self) -> list[dict[str, float | None]]:
        """Return a dictionary for each class, with plain values for JSON (NaN becomes `None`)."""
        columns = {"accuracy": self.recall, "iou": self.iou, "recall": self.recall, "precision": self.precision}
        return [
            {"items": int(count)} | {name: _number(values[k]) for name, values in columns.items()}
            for k, count in enumerate(self.items)
        ]


@dataclass(frozen=True)
class Scores:
    """Scores of a set of meshes.

    Attributes:
        accuracy: plain mean over all labelled items of all meshes (the "hard face" figure where items are faces).
        mesh_accuracy: mean over meshes of each mesh's accuracy.
        area_accuracy: share of the surface area that is labelled correctly, every mesh scaled to area 1 (so that units
            do not matter); `None` where areas are not given.
        classes: scores of each class.
        mean_iou: mean intersection over union of the classes that occur.
        confusion: `(K, K)`, rows are the truth; `None` for more than `MAX_CONFUSION_CLASSES` classes.
        per_mesh: `(name, accuracy, items)` of each mesh.
    """

    accuracy: float
    mesh_accuracy: float
    area_accuracy: float | None
    classes: ClassScores
    mean_iou: float
    confusion: Int[ndarray, "classes classes"] | None
    per_mesh: list[tuple[str, float, int]]

    @property
    def class_accuracy(self) -> list[float]:
        """Share of the items of each class that are labelled correctly, NaN for a class that never occurs."""
        return list(map(float, self.classes.recall))

    @property
    def class_iou(self) -> list[float]:
        """Intersection over union of each class, NaN for a class that never occurs."""
        return list(map(float, self.classes.iou))

    def as_dict(self, class_names: Sequence[str]) -> dict[str, Any]:
        """The scores as plain numbers, strings and lists, fit for JSON (NaN becomes `None`)."""
        named = class_names if self.confusion is not None else ()
        classes = dict(zip(named, self.classes.rows()))
        return {
            "accuracy": self.accuracy,
            "mesh_accuracy": self.mesh_accuracy,
            "area_accuracy": self.area_accuracy,
            "mean_iou": _number(self.mean_iou),
            "classes": classes,
            "confusion": None if self.confusion is None else self.confusion.tolist(),
            "meshes": [{"name": n, "accuracy": _number(a), "items": k} for n, a, k in self.per_mesh],
        }


class MetricAccumulator:
    """Scores that are collected mesh by mesh; `scores()` returns the result."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self._confusion = (
            np.zeros((num_classes, num_classes), dtype=np.int64) if num_classes <= MAX_CONFUSION_CLASSES else None
        )
        self._truth, self._predicted, self._correct = np.zeros((3, num_classes), dtype=np.int64)
        self._per_mesh: list[tuple[str, float, int]] = []
        self._area_correct = 0.0
        self._area = 0.0

    def add(
        self,
        name: str,
        truth: Int[ndarray, "items"],
        prediction: Int[ndarray, "items"],
        areas: Float[ndarray, "items"] | None = None,
    ) -> None:
        """Count one mesh; `areas` are the items' areas, in any unit, as only their shares count."""
        truth, prediction = _checked(truth, prediction, self.num_classes)
        known = truth != IGNORE
        right = known & (truth == prediction)
        if self._confusion is not None:
            self._confusion += confusion_matrix(truth, prediction, self.num_classes)
        for counts, labels in (
            (self._truth, truth[known]),
            (self._predicted, prediction[known]),
            (self._correct, truth[right]),
        ):
            counts += np.bincount(labels, minlength=self.num_classes)
        total = int(known.sum())
        self._per_mesh.append((name, float(right.sum() / total) if total else float("nan"), total))
        if areas is not None and (whole := float(areas.sum())) > 0:
            self._area_correct += float(areas[right].sum()) / whole
            self._area += float(areas[known].sum()) / whole

    def scores(self) -> Scores:
        """The scores of everything added so far.

        Raises:
            ValueError: nothing labelled was added.
        """
        total = int(self._truth.sum())
        if total == 0:
            raise ValueError("Expected at least one labelled item to score, got none: are the labels missing?")
        classes = ClassScores.of_counts(self._correct, self._truth.copy(), self._predicted)
        return Scores(
            accuracy=float(self._correct.sum() / total),
            mesh_accuracy=float(np.nanmean([a for _, a, _ in self._per_mesh])),
            area_accuracy=self._area_correct / self._area if self._area > 0 else None,
            classes=classes,
            mean_iou=classes.mean_iou,
            confusion=None if self._confusion is None else self._confusion.copy(),
            per_mesh=list(self._per_mesh),
        )


def _checked(truth: Any, prediction: Any, num_classes: int) -> tuple[ndarray, ndarray]:
    truth, prediction = np.asarray(truth).reshape(-1), np.asarray(prediction).reshape(-1)
    if len(truth) != len(prediction):
        raise ValueError(f"Expected as many predictions as labels, got {len(prediction)} and {len(truth)}.")
    known = truth != IGNORE
    for name, labels in (("truth", truth[known]), ("prediction", prediction[known])):
        if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
            raise ValueError(
                f"Expected labels 0 .. {num_classes - 1} in `{name}`, got {labels.min()} .. {labels.max()}."
            )
    return truth, prediction


def _ratio(a: ndarray, b: ndarray) -> ndarray:
    ratio: ndarray = np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0)
    return ratio


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
