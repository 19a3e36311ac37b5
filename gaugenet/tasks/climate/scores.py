"""Scores of rare classes by area, from histograms instead of stored fields, and scores of objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from gaugenet.data.climate.latlon import EARTH_RADIUS
from gaugenet.data.meshes.sample import IGNORE_LABEL

_BINS = 1 << 14
_LIMIT = 20.0


class AreaHistogram:
    """A histogram of true and false area over the log-odds of a class, from which scores at any threshold follow.

    Log-odds are counted in 16,384 bins between -20 and 20, so thresholds are exact to 0.25 % of the odds.
    """

    def __init__(self) -> None:
        self.true, self.false = np.zeros(_BINS), np.zeros(_BINS)

    def add(self, probability: Float[ndarray, "n"], truth: Bool[ndarray, "n"], area: Float[ndarray, "n"]) -> None:
        """Count points with their areas."""
        p = np.clip(probability.astype(np.float64), 1e-12, 1 - 1e-9)
        bins = (np.log(p / (1 - p)) + _LIMIT) / (2 * _LIMIT) * _BINS
        bins = np.clip(bins.astype(np.int64), 0, _BINS - 1)
        self.true += np.bincount(bins[truth], area[truth], minlength=_BINS)
        self.false += np.bincount(bins[~truth], area[~truth], minlength=_BINS)

    @property
    def centers(self) -> Float[ndarray, "bins"]:
        """The log-odds in the middle of each bin."""
        return ((np.arange(_BINS) + 0.5) / _BINS * 2 - 1) * _LIMIT

    def curves(self) -> tuple[ndarray, ndarray, ndarray]:
        """Return true and false area above each bin's lower edge, from the highest bin down, and these thresholds."""
        edges = (np.arange(_BINS)[::-1] / _BINS * 2 - 1) * _LIMIT
        return np.cumsum(self.true[::-1]), np.cumsum(self.false[::-1]), 1 / (1 + np.exp(-edges))

    def average_precision(self) -> float:
        """Sum over thresholds of (step in recall) x precision; NaN where nothing is true."""
        true, false, _ = self.curves()
        if true[-1] <= 0:
            return float("nan")
        precision = true / np.maximum(true + false, 1e-300)
        return float((np.diff(true, prepend=0.0) * precision).sum() / true[-1])

    def best_threshold(self) -> float:
        """Return the threshold with the largest intersection over union; 0.5 where nothing is true."""
        true, false, thresholds = self.curves()
        return float(thresholds[(true / (true[-1] + false)).argmax()]) if true[-1] > 0 else 0.5

    def calibration_error(self) -> float:
        """Return the area by which probabilities miss frequencies, over the true area; NaN where nothing is true.

        They are compared in ten intervals of probability, as in the expected calibration error.
        """
        p, total = 1 / (1 + np.exp(-self.centers)), self.true.sum()
        missed = np.bincount((p * 10).astype(int), self.true - p * (self.true + self.false))
        return float(np.abs(missed).sum() / total) if total > 0 else float("nan")

    def at(self, threshold: float) -> dict[str, float | None]:
        """Return IoU, recall and precision of the points that reach the threshold."""
        true, false, thresholds = self.curves()
        k = min(int(np.searchsorted(-thresholds, -threshold, side="right")) - 1, _BINS - 1)
        hit, wrong, all_ = (float(true[k]), float(false[k]), float(true[-1])) if k >= 0 else (0.0, 0.0, float(true[-1]))
        return {
            "iou": hit / (all_ + wrong) if all_ + wrong > 0 else None,
            "recall": hit / all_ if all_ > 0 else None,
            "precision": hit / (hit + wrong) if hit + wrong > 0 else None,
        }


@dataclass
class _ObjectCounts:
    """Numbers of objects that were found, missed, and predicted wrongly."""

    hits: int = 0
    misses: int = 0
    false_alarms: int = 0

    def add(self, other: _ObjectCounts) -> None:
        self.hits += other.hits
        self.misses += other.misses
        self.false_alarms += other.false_alarms

    def as_dict(self) -> dict[str, Any]:
        found, all_ = self.hits + self.misses, self.hits + self.false_alarms
        return {
            "hits": self.hits,
            "misses": self.misses,
            "false_alarms": self.false_alarms,
            "hit_rate": self.hits / found if found else None,
            "false_alarm_ratio": self.false_alarms / all_ if all_ else None,
        }


def match_objects(
    predicted: Float[ndarray, "predicted 3"], truth: Float[ndarray, "truth 3"], *, within_km: float = 300.0
) -> _ObjectCounts:
    """Match centres on the sphere one to one: as many as possible within the distance, then as near as possible."""
    if not len(predicted) or not len(truth):
        return _ObjectCounts(0, len(truth), len(predicted))
    from scipy.optimize import linear_sum_assignment

    distance = EARTH_RADIUS * np.arccos(np.clip(predicted @ truth.T, -1, 1))
    pairs = linear_sum_assignment(np.where(distance <= within_km, distance, 1e6))
    hits = int((distance[pairs] <= within_km).sum())
    return _ObjectCounts(hits, len(truth) - hits, len(predicted) - hits)


def object_centers(
    mask: Bool[ndarray, "n"],
    edges: Int[ndarray, "2 edges"],
    points: Float[ndarray, "n 3"],
    area: Float[ndarray, "n"],
    *,
    ignored: Bool[ndarray, "n"] | None = None,
    least_km: float = 100.0,
) -> Float[ndarray, "objects 3"]:
    """Return area-weighted centres of the connected components of a mask.

    Args:
        mask: the points of the objects.
        edges: pairs of neighbouring points.
        points: unit vectors.
        area: areas on the unit sphere.
        ignored: leave out components that lie mostly in this mask.
        least_km: leave out components with less area than a disc of this radius.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    inside = edges[:, mask[edges].all(axis=0)]
    ones = np.ones(inside.shape[1], dtype=np.int8)
    _, name = connected_components(coo_array((ones, (inside[0], inside[1])), shape=(len(mask), len(mask))), False)
    names, member = np.unique(name[mask], return_inverse=True)
    weight = area[mask]
    size = np.bincount(member, weight, minlength=len(names))
    keep = size >= np.pi * (least_km / EARTH_RADIUS) ** 2
    if ignored is not None:
        keep &= np.bincount(member, weight * ignored[mask], minlength=len(names)) < 0.5 * size
    sums = [np.bincount(member, weight * points[mask, k], minlength=len(names)) for k in range(3)]
    center: ndarray = np.stack(sums, axis=1)[keep]
    return np.asarray(center / np.linalg.norm(center, axis=1, keepdims=True))


def labels_at(probability: Float[ndarray, "classes *n"], thresholds: Float[ndarray, "classes"]) -> Int[ndarray, "*n"]:
    """Return the most probable of the classes whose probability reaches their threshold, class 0 where none does.

    The threshold of class 0 has no meaning. A class that the network cannot distinguish has a low threshold, but does
    not replace classes that are more probable.
    """
    shape = (-1, *[1] * (probability.ndim - 1))
    above = probability[1:] >= np.asarray(thresholds, dtype=probability.dtype)[1:].reshape(shape)
    return np.where(above.any(axis=0), np.where(above, probability[1:], -1).argmax(axis=0) + 1, 0)


class ClimateScores:
    """Scores that are collected frame by frame.

    Args:
        classes: names, the background first.
        points, area, edges: of the locations where the labels are.
        thresholds: of each class, for IoU, recall, precision and objects.
        within_km: distance within which an object counts as found.
    """

    def __init__(
        self,
        classes: list[str],
        points: Float[ndarray, "n 3"],
        area: Float[ndarray, "n"],
        edges: Int[ndarray, "2 edges"],
        thresholds: Float[ndarray, "classes"],
        *,
        within_km: float = 300.0,
    ) -> None:
        self.classes, self.points, self.area, self.edges = classes, points, area, edges
        self.thresholds, self.within_km = thresholds, within_km
        self.histograms = [AreaHistogram() for _ in classes]
        self.objects = [_ObjectCounts() for _ in classes]
        self.confusion = np.zeros((len(classes), len(classes)))
        self.frames = 0

    def add(self, probability: Float[ndarray, "classes n"], label: Int[ndarray, "n"]) -> None:
        """Add one frame, without places whose label is `IGNORE_LABEL`."""
        known = label != IGNORE_LABEL
        found = labels_at(probability, self.thresholds)
        flat = label[known] * len(self.classes) + found[known]
        self.confusion += np.bincount(flat, self.area[known], minlength=self.confusion.size).reshape(
            self.confusion.shape
        )
        for k, histogram in enumerate(self.histograms):
            histogram.add(probability[k][known], label[known] == k, self.area[known])
            if k > 0:
                self.objects[k].add(self._count_objects(found == k, label == k, ~known))
        self.frames += 1

    def _count_objects(self, found: ndarray, truth: ndarray, ignored: ndarray) -> _ObjectCounts:
        where = self.edges, self.points, self.area
        predicted = object_centers(found, *where, ignored=ignored)
        return match_objects(predicted, object_centers(truth, *where), within_km=self.within_km)

    def result(self) -> dict[str, Any]:
        """Return plain numbers for JSON; IoU, recall and precision belong to the labels at the thresholds.

        Raises:
            ValueError: If no labelled frame was added.
        """
        if self.confusion.sum() == 0:
            raise ValueError("Expected labelled frames to score, got none: are the labels missing?")
        hit, truth, found = np.diag(self.confusion), self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        classes: dict[str, Any] = {}
        for k, name in enumerate(self.classes):
            classes[name] = {
                "ap": _number(self.histograms[k].average_precision()),
                "iou": _ratio(hit[k], truth[k] + found[k] - hit[k]),
                "recall": _ratio(hit[k], truth[k]),
                "precision": _ratio(hit[k], found[k]),
                "area_share": float(truth[k] / truth.sum()),
            }
            if k > 0:
                best = self.histograms[k].best_threshold()
                classes[name] |= {
                    "threshold": float(self.thresholds[k]),
                    "best_iou": self.histograms[k].at(best)["iou"],
                    "best_threshold": best,
                    "calibration_error": _number(self.histograms[k].calibration_error()),
                    "objects": self.objects[k].as_dict(),
                }
        rare = [c for c in self.classes[1:] if classes[c]["ap"] is not None]
        means = {m: float(np.mean([classes[c][m] for c in rare])) if rare else None for m in ("ap", "iou")}
        return {"frames": self.frames, "mean_ap": means["ap"], "mean_iou": means["iou"], "within_km": self.within_km,
                "classes": classes, "confusion": (self.confusion / self.confusion.sum()).tolist()}  # fmt: skip


def _ratio(a: float, b: float) -> float | None:
    return float(a / b) if b > 0 else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
