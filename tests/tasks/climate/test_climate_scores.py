"""Scores and losses of rare classes: against sums over all thresholds, scipy's pictures, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaugenet.data.climate.latlon import EARTH_RADIUS, LatLonGrid, sphere_points
from gaugenet.data.climate.sampling import GridLocations
from gaugenet.tasks.climate.losses import climate_loss
from gaugenet.tasks.climate.options import ClimateData, ClimateLoss
from gaugenet.tasks.climate.scores import (
    AreaHistogram,
    ClimateScores,
    labels_at,
    match_objects,
    object_centers,
)
from gaugenet.tasks.training.label_loss import class_weights
from gaugenet.tasks.training.options import TaskError


def average_precision(score: np.ndarray, truth: np.ndarray, area: np.ndarray) -> float:
    """Sum of precision times step in recall over all distinct scores, one after the other."""
    total, before = 0.0, 0.0
    for threshold in np.unique(score)[::-1]:
        chosen = score >= threshold
        hit = area[chosen & truth].sum()
        recall = hit / area[truth].sum()
        total += (recall - before) * hit / area[chosen].sum()
        before = recall
    return total


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_average_precision_and_iou_by_area(seed):
    draw = np.random.default_rng(seed)
    truth, area = draw.random(600) < 0.1, draw.random(600)
    score = 1 / (1 + np.exp(-(draw.normal(size=600) + 2.0 * truth)))
    histogram = AreaHistogram()
    for part in np.array_split(np.arange(600), 3):
        histogram.add(score[part], truth[part], area[part])
    assert histogram.average_precision() == pytest.approx(average_precision(score, truth, area), abs=2e-3)
    assert abs(histogram.average_precision() - average_precision(score, truth, np.ones(600))) > 2e-3, "control"
    for threshold in (0.3, 0.8):
        found, hit = score >= threshold, area[truth & (score >= threshold)].sum()
        at = histogram.at(threshold)
        assert at["iou"] == pytest.approx(hit / area[truth | found].sum(), abs=5e-3)
        assert at["recall"] == pytest.approx(hit / area[truth].sum(), abs=5e-3)
        assert at["precision"] == pytest.approx(hit / area[found].sum(), abs=5e-3)
    ious = [area[truth & (score >= t)].sum() / area[truth | (score >= t)].sum() for t in score]
    assert histogram.at(histogram.best_threshold())["iou"] == pytest.approx(max(ious), abs=5e-3)


def test_a_histogram_without_truth():
    histogram = AreaHistogram()
    histogram.add(np.array([0.2, 0.7]), np.array([False, False]), np.ones(2))
    assert np.isnan(histogram.average_precision())
    assert histogram.best_threshold() == 0.5
    assert histogram.at(0.99)["precision"] is None


def disc(points: np.ndarray, lat: float, lon: float, km: float) -> np.ndarray:
    return points @ sphere_points(np.array(lat), np.array(lon)) > np.cos(km / EARTH_RADIUS)


LOCATIONS = GridLocations(LatLonGrid.regular(90, 180))
POINTS, AREA = LOCATIONS.points.reshape(-1, 3), LOCATIONS.area.reshape(-1)


@pytest.mark.parametrize(("lat", "lon"), [(20.0, 100.0), (10.0, 359.5), (89.0, 30.0), (-88.0, 200.0)])
def test_an_object_is_one_across_the_date_line_and_the_poles(lat, lon):
    centers = object_centers(disc(POINTS, lat, lon, 600), LOCATIONS.edges, POINTS, AREA)
    assert len(centers) == 1
    assert centers[0] @ sphere_points(np.array(lat), np.array(lon)) > np.cos(60 / EARTH_RADIUS)


def test_small_objects_and_those_in_ignored_areas_are_left_out():
    mask = disc(POINTS, 20, 40, 500) | disc(POINTS, -30, 200, 500)
    mask[np.flatnonzero(disc(POINTS, 85, 0, 60))[:1]] = True
    assert len(object_centers(mask, LOCATIONS.edges, POINTS, AREA)) == 2
    assert len(object_centers(mask, LOCATIONS.edges, POINTS, AREA, least_km=0)) == 3
    ignored = disc(POINTS, 20, 42, 700)
    assert len(object_centers(mask, LOCATIONS.edges, POINTS, AREA, ignored=ignored)) == 1


def test_objects_are_matched_one_to_one():
    def at(*degrees: float) -> np.ndarray:
        return sphere_points(np.zeros(len(degrees)), np.array(degrees))

    found = match_objects(at(0.0, 1.0, 50.0), at(0.5, 3.0, 90.0))  # 1 degree is 111 km
    assert (found.hits, found.misses, found.false_alarms) == (2, 1, 1)
    assert match_objects(at(0.0, 1.0), at(0.5)).false_alarms == 1, "one truth is found once"
    assert match_objects(at(0.0), at(2.8)).hits == 0
    assert match_objects(at(0.0), at(2.8), within_km=320).hits == 1
    none = match_objects(at(), at(1.0))
    assert (none.hits, none.misses) == (0, 1)


def test_labels_are_the_most_probable_classes_that_reach_their_thresholds():
    probability = np.array([[0.6, 0.9, 0.1, 0.1], [0.3, 0.05, 0.3, 0.5], [0.1, 0.05, 0.6, 0.4]])
    np.testing.assert_array_equal(labels_at(probability, np.array([0.5, 0.25, 0.25])), [1, 0, 2, 1])
    np.testing.assert_array_equal(labels_at(probability, np.array([0.5, 0.5, 0.5])), [0, 0, 2, 1])
    low = labels_at(probability, np.array([0.5, 0.45, 0.05]))
    np.testing.assert_array_equal(low, [2, 2, 2, 1], "a low threshold takes nothing from a more probable class")


def test_scores_of_a_perfect_and_of_a_shifted_prediction():
    truth = np.where(disc(POINTS, 20, 40, 800), 1, 0)
    truth[disc(POINTS, -40, 0, 500)] = -1
    for shift, hits in ((0, 1), (2, 1), (20, 0)):
        found = disc(POINTS, 20, 40 + shift, 800)
        accumulator = ClimateScores(["calm", "storm"], POINTS, AREA, LOCATIONS.edges, np.array([0.5, 0.5]))
        wrong = found | disc(POINTS, -40, 0, 300)  # on ignored ground: neither area nor object counts
        accumulator.add(np.stack([1.0 - wrong, wrong]) * 0.98 + 0.01, truth)
        storm = accumulator.result()["classes"]["storm"]
        known = truth >= 0
        both, either = (AREA[known & f].sum() for f in (found & (truth == 1), found | (truth == 1)))
        assert storm["iou"] == pytest.approx(both / either)
        assert storm["objects"]["hits"] == hits
        assert storm["objects"]["false_alarms"] == 1 - hits
    with pytest.raises(ValueError, match="labels missing"):
        ClimateScores(["a", "b"], POINTS, AREA, LOCATIONS.edges, np.ones(2)).result()


# --- losses ----------------------------------------------------------------------------------------------------------


def batch(seed: int = 0):
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 50, generator=draw, dtype=torch.float64).float()
    target = torch.randint(0, 3, (2, 50), generator=draw)
    target[0, :7] = -1
    return logits, target, torch.rand(50, generator=draw)


def test_cross_entropy_is_that_of_torch():
    logits, target, area = batch()
    weight = torch.tensor([0.5, 2.0, 3.0])
    ours = climate_loss(logits, target, area, weight, ClimateLoss("cross_entropy"))
    theirs = torch.nn.functional.cross_entropy(logits, target, weight=weight, ignore_index=-1, reduction="none")
    known = (target >= 0) * area * weight[target.clamp(min=0)]
    torch.testing.assert_close(ours, (theirs * area).sum() / known.sum())
    plain = climate_loss(logits, target, torch.ones(50), weight, ClimateLoss("cross_entropy"))
    torch.testing.assert_close(plain, torch.nn.functional.cross_entropy(logits, target, weight, ignore_index=-1))


def test_focal_loss_without_focus_is_cross_entropy_and_with_it_forgets_the_easy():
    logits, target, area = batch()
    ones = torch.ones(3)
    plain, none, focal = (
        climate_loss(logits, target, area, ones, ClimateLoss(terms, focus=focus))
        for terms, focus in (("cross_entropy", 2.0), ("focal", 0.0), ("focal", 2.0))
    )
    torch.testing.assert_close(plain, none)
    assert focal < 0.8 * plain


@pytest.mark.parametrize("terms", ["dice", "jaccard"])
def test_overlap_losses_are_zero_at_the_truth_and_one_far_from_it(terms):
    _, target, area = batch()
    right = torch.nn.functional.one_hot(target.clamp(min=0), 3).movedim(-1, 1) * 60.0
    options = ClimateLoss(terms)
    assert climate_loss(right, target, area, torch.ones(3), options) < 5e-3
    assert climate_loss(-right, target, area, torch.ones(3), options) > 0.6


def test_dice_and_jaccard_are_the_areas_of_hard_labels():
    _, target, area = batch()
    other = torch.randint(0, 3, target.shape, generator=torch.Generator().manual_seed(5))
    logits = torch.nn.functional.one_hot(other, 3).movedim(-1, 1) * 60.0
    known = (target >= 0) * area
    dice, iou = [], []
    for k in (1, 2):
        both = (known * (target == k) * (other == k)).sum()
        sizes = (known * (target == k)).sum() + (known * (other == k)).sum()
        dice.append(1 - 2 * both / sizes)
        iou.append(1 - both / (sizes - both))
    for terms, expected in (("dice", dice), ("jaccard", iou)):
        found = climate_loss(logits, target, area, torch.ones(3), ClimateLoss(terms))
        assert found.item() == pytest.approx(float(sum(expected)) / 2, abs=5e-3)


def test_what_is_ignored_has_no_gradient():
    logits, target, area = batch()
    logits.requires_grad_()
    climate_loss(logits, target, area, torch.ones(3), ClimateLoss("cross_entropy + focal + dice + jaccard")).backward()
    assert (logits.grad[0, :, :7] == 0).all()
    assert (logits.grad[0, :, 7:] != 0).all()


def test_class_weights_between_areas_and_classes():
    share = torch.tensor([0.9, 0.09, 0.01])
    counts, classes = (class_weights(ClimateLoss(balance=b), share, share) for b in (0.0, 1.0))
    torch.testing.assert_close(counts, torch.ones(3).double())
    torch.testing.assert_close(classes * share, torch.full((3,), 1 / 3).double())


def test_options_are_checked():
    with pytest.raises(TaskError, match=r"loss\.terms"):
        ClimateLoss("hinge")
    with pytest.raises(TaskError, match=r"data\.level"):
        ClimateData(level=0)
    data = ClimateData(["a.nc"], level=4, rotate=False)
    assert ClimateData.from_dict(data.as_dict()) == ClimateData(level=4, rotate=False)
