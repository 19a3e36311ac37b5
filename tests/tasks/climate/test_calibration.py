"""Calibration of rare classes: known curves are found and undone, labels stay those of the best threshold."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.tasks.climate.calibration import Calibration
from gaugenet.tasks.climate.scores import AreaHistogram


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def histogram_of(probability: np.ndarray, truth: np.ndarray, area: np.ndarray | None = None) -> AreaHistogram:
    histogram = AreaHistogram()
    histogram.add(probability, truth, np.ones(len(truth)) if area is None else area)
    return histogram


def drawn(scale: float, shift: float, count: int = 200_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and truths whose log-odds are another line of theirs."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-2, 2, count)
    return sigmoid(z), rng.random(count) < sigmoid(scale * z + shift)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.5, -1.0), (1.8, 0.7)])
def test_a_known_curve_is_found_and_undone(scale, shift):
    probability, truth = drawn(scale, shift)
    histogram = histogram_of(probability, truth)
    found = Calibration.fit([AreaHistogram(), histogram])
    assert found.scale[1] == pytest.approx(scale, rel=0.04)
    assert found.shift[1] == pytest.approx(shift, abs=0.06)
    better = found(np.stack([1 - probability, probability]))[1]
    assert histogram_of(better, truth).calibration_error() < 0.02
    if (scale, shift) != (1.0, 0.0):
        assert histogram.calibration_error() > 0.2


def test_areas_count():
    """A truth of twice the area counts twice, as if it were there twice."""
    probability, truth = drawn(0.6, -0.5, count=20_000)
    area = np.where(np.arange(len(truth)) % 3 == 0, 2.0, 1.0)
    twice = np.concatenate([probability, probability[area == 2]]), np.concatenate([truth, truth[area == 2]])
    by_area = Calibration.fit([AreaHistogram(), histogram_of(probability, truth, area)])
    assert by_area.as_metrics() == pytest.approx(Calibration.fit([AreaHistogram(), histogram_of(*twice)]).as_metrics())


def test_the_threshold_is_the_best_one_in_the_new_units():
    """The labels are those of the best threshold before; for probabilities that are frequencies it is J / (1 + J)."""
    probability, truth = drawn(0.7, -0.4)
    before = histogram_of(probability, truth)
    found = Calibration.fit([AreaHistogram(), before])
    better = found(np.stack([1 - probability, probability]))[1]
    np.testing.assert_array_equal(better >= found.threshold[1], probability >= before.best_threshold())
    best = before.at(before.best_threshold())["iou"]
    assert found.threshold[1] == pytest.approx(best / (1 + best), abs=0.02)


def test_probabilities_stay_a_distribution():
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=50).T.astype(np.float32)
    strong = Calibration(np.array([1.0, 2.0, 0.5, 1.0]), np.array([0.0, 3.0, 2.0, 1.0]), np.full(4, 0.5))
    found = strong(p)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-5)
    assert (found >= 0).all()
    alone = sigmoid(np.log(p[1:] / (1 - p[1:])) * strong.scale[1:, None] + strong.shift[1:, None])
    np.testing.assert_allclose(found[1:], alone / np.maximum(1, alone.sum(axis=0)), rtol=1e-4)
    same = Calibration.of_metrics({}, 4)
    assert same(p) is p
    assert Calibration.of_metrics(strong.as_metrics(), 4)(p) == pytest.approx(found)


@pytest.mark.parametrize("truth", ["none", "all", "separable"])
def test_too_little_data_gives_finite_curves(truth):
    probability, _ = drawn(1.0, 0.0, count=1000)
    labels = {"none": probability < 0, "all": probability > 0, "separable": probability > 0.9}[truth]
    found = Calibration.fit([AreaHistogram(), histogram_of(probability, labels)])
    assert np.isfinite([*found.as_metrics().values()]).all()
    assert 0 < found.threshold[1] < 1
    if truth != "separable":
        assert found.as_metrics() == {"val_scale_1": 1.0, "val_shift_1": 0.0, "val_threshold_1": 0.5}
