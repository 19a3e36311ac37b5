"""Calibrated probabilities of rare classes, and their thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import expit, logit

from gaugenet.tasks.climate.scores import AreaHistogram

_PRIOR = 1e-3
"""How firmly slopes are held at 1 and shifts at 0, in nats per unit of true area; it matters for separable data."""


@dataclass(frozen=True)
class Calibration:
    r"""Maps of probabilities to calibrated ones, a slope and a shift of the log-odds of each class, and thresholds.

    :math:`\hat p_k = \sigma(\mathrm{scale}_k\,\mathrm{logit}(p_k) + \mathrm{shift}_k)` for the classes except class 0
    (:cite:`platt1999probabilistic`). Where they sum to more than 1 they are divided by the sum; class 0 has the rest.

    Attributes:
        scale, shift: of each class; those of class 0 have no meaning.
        threshold: of the calibrated probability of each class, with the largest intersection over union.
    """

    scale: Float[ndarray, "classes"]
    shift: Float[ndarray, "classes"]
    threshold: Float[ndarray, "classes"]

    @classmethod
    def fit(cls, histograms: Sequence[AreaHistogram]) -> Calibration:
        """Fit one histogram of uncalibrated probabilities for each class, by the likelihood a unit of area."""
        fitted = np.array([(1.0, 0.0, 0.5), *(_fit(histogram) for histogram in histograms[1:])])
        return cls(*fitted.T)

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, Any], classes: int) -> Calibration:
        """Read what `as_metrics` returned; probabilities do not change and thresholds are 0.5 where it is missing."""
        start = {"scale": 1.0, "shift": 0.0, "threshold": 0.5}
        return cls(*(np.array([metrics.get(f"val_{n}_{k}", v) for k in range(classes)]) for n, v in start.items()))

    def as_metrics(self) -> dict[str, float]:
        """Return numbers by name: `val_scale_1`, `val_shift_1`, `val_threshold_1`, ..."""
        columns = {"scale": self.scale, "shift": self.shift, "threshold": self.threshold}
        return {f"val_{name}_{k}": float(v[k]) for name, v in columns.items() for k in range(1, len(v))}

    def __call__(self, probability: Float[ndarray, "classes *n"]) -> Float[ndarray, "classes *n"]:
        """Return calibrated probabilities."""
        if (self.scale[1:] == 1).all() and (self.shift[1:] == 0).all():
            return probability
        shape = (-1, *[1] * (probability.ndim - 1))
        scale, shift = (v[1:].astype(probability.dtype).reshape(shape) for v in (self.scale, self.shift))
        p = np.clip(probability[1:], 1e-12, 1 - 1e-6)
        p = expit(scale * logit(p) + shift)
        p = p / np.maximum(1, p.sum(axis=0))
        return np.concatenate([np.maximum(0, 1 - p.sum(axis=0, keepdims=True)), p])


def _fit(histogram: AreaHistogram) -> tuple[float, float, float]:
    """Return slope, shift and threshold; those that change nothing unless there is true and false area."""
    from scipy.optimize import minimize

    if not (histogram.true.sum() > 0 and histogram.false.sum() > 0):
        return 1.0, 0.0, 0.5
    z, true, both = histogram.centers, histogram.true, histogram.true + histogram.false
    used = both > 0
    z, true, both = z[used], true[used] / true.sum(), both[used] / true.sum()

    def loss(x: ndarray) -> tuple[float, ndarray]:
        slope, shift = math.exp(x[0]), x[1]
        u = slope * z + shift
        wrong = both * expit(u) - true
        value = (both * np.logaddexp(0, u) - true * u).sum() + _PRIOR * (x @ x)
        return float(value), np.array([slope * (wrong @ z), wrong.sum()]) + 2 * _PRIOR * x

    slope, shift = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-3, 3), (-20, 20)]).x
    slope = math.exp(slope)
    best = histogram.best_threshold()
    return slope, float(shift), float(expit(slope * logit(best) + shift))
