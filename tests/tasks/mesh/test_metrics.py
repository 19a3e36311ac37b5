"""Scores against counting by hand and against torchmetrics."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_jaccard_index,
    multiclass_precision,
    multiclass_recall,
)

from gaugenet.tasks.mesh.losses import IGNORE
from gaugenet.tasks.mesh.metrics import MAX_CONFUSION_CLASSES, ClassScores, MetricAccumulator, confusion_matrix


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200)
    truth[:10] = IGNORE
    return truth, rng.integers(0, 4, 200)


def test_confusion_matrix_and_iou_agree_with_torchmetrics(labels):
    truth, prediction = labels
    theirs = multiclass_confusion_matrix(torch.tensor(prediction), torch.tensor(truth), 4, ignore_index=IGNORE)
    assert np.array_equal(confusion_matrix(truth, prediction, 4), theirs.numpy())
    accumulator = MetricAccumulator(4)
    accumulator.add("all", truth, prediction)
    iou = multiclass_jaccard_index(torch.tensor(prediction), torch.tensor(truth), 4, ignore_index=IGNORE)
    assert accumulator.scores().mean_iou == pytest.approx(float(iou), abs=1e-6)


def test_scores_of_each_class_agree_with_torchmetrics(labels):
    truth, prediction = labels
    classes = ClassScores.of(confusion_matrix(truth, prediction, 4))
    known = truth != IGNORE
    given = torch.tensor(prediction[known]), torch.tensor(truth[known]), 4
    for name, theirs in (
        ("iou", multiclass_jaccard_index(*given, average="none")),
        ("recall", multiclass_recall(*given, average="none")),
        ("precision", multiclass_precision(*given, average="none")),
    ):
        np.testing.assert_allclose(getattr(classes, name), theirs.numpy(), rtol=1e-6)
    assert np.abs(classes.recall - classes.precision).max() > 1e-3, "control"
    assert [row["accuracy"] for row in classes.rows()] == pytest.approx(classes.recall.tolist())


def test_mean_over_items_and_mean_over_meshes():
    accumulator = MetricAccumulator(2)
    accumulator.add("small", [0, 1], [0, 0], areas=np.array([3.0, 1.0]))
    accumulator.add("large", [1] * 8, [1] * 8, areas=np.full(8, 0.5e6))
    scores = accumulator.scores()
    assert (scores.accuracy, scores.mesh_accuracy, scores.area_accuracy) == (0.9, 0.75, 7 / 8)
    assert scores.class_accuracy == [1.0, 8 / 9]
    assert scores.class_iou == [0.5, 8 / 9]
    assert scores.per_mesh == [("small", 0.5, 2), ("large", 1.0, 8)]


def test_a_mesh_in_another_unit_does_not_outweigh_the_others():
    """Accuracy by area: 3/4 of one mesh and all of another are 7/8, in metres and in millimetres."""
    found = []
    for unit in (1.0, 1e6):
        accumulator = MetricAccumulator(2)
        accumulator.add("wrong in places", [0, 1], [0, 0], areas=np.array([3.0, 1.0]) * unit)
        accumulator.add("right", [1, IGNORE], [1, 0], areas=np.array([2.0, 2.0]))
        found.append(accumulator.scores().area_accuracy)
    assert found == [pytest.approx(5 / 6)] * 2
    unscaled = (3e6 + 2) / (4e6 + 2)
    assert unscaled != pytest.approx(5 / 6, abs=0.05), "control: without scaling one mesh decides"


def test_a_class_that_never_occurs_counts_in_no_mean_and_json_has_no_nan():
    accumulator = MetricAccumulator(3)
    accumulator.add("a", [0, 1], [0, 1])
    accumulator.add("unlabelled", [IGNORE], [2])
    values = accumulator.scores().as_dict(["x", "y", "z"])
    assert values["mean_iou"] == 1.0
    assert values["classes"]["z"] == dict.fromkeys(("accuracy", "iou", "recall", "precision"), None) | {"items": 0}
    assert values["meshes"][1]["accuracy"] is None
    json.dumps(values, allow_nan=False)


def test_a_class_for_every_vertex_needs_no_matrix():
    accumulator = MetricAccumulator(MAX_CONFUSION_CLASSES + 1)
    accumulator.add("a", np.arange(MAX_CONFUSION_CLASSES + 1), np.arange(MAX_CONFUSION_CLASSES + 1))
    scores = accumulator.scores()
    assert scores.confusion is None
    assert scores.accuracy == 1.0
    assert scores.as_dict([""] * (MAX_CONFUSION_CLASSES + 1))["classes"] == {}


def test_impossible_labels_are_refused():
    with pytest.raises(ValueError, match=r"labels 0 \.\. 1 in `truth`"):
        confusion_matrix([2], [0], 2)
    with pytest.raises(ValueError, match="as many predictions"):
        confusion_matrix([1], [0, 0], 2)
    with pytest.raises(ValueError, match="at least one labelled item"):
        MetricAccumulator(2).scores()
