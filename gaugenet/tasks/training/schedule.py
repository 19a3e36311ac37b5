"""Learning-rate schedules as functions of the step alone, so that a resumed training has the same rates."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["one_cycle", "cosine", "constant", "halving"]


def learning_rate_factor(step: int, total: int, *, schedule: Schedule = "one_cycle", warmup: float = 0.1) -> float:
    r"""Return the factor in `(0, 1]` that multiplies the learning rate at a step.

    - `"one_cycle"` rises along half a cosine from 1/25 to 1 during the warm-up, and falls along another to 1/10000
      (:cite:`smith2019super`);
    - `"cosine"` rises linearly from 0 and falls along half a cosine to 0;
    - `"constant"` only warms up;
    - `"halving"` has no warm-up and halves the rate after every fifth of the training.

    Args:
        step: optimizer steps taken so far.
        total: optimizer steps of the whole training.
        schedule: shape of the curve.
        warmup: share of the training in which the rate rises, in `[0, 1)`.
    """
    if schedule == "halving":
        return 0.5 ** (5 * step // max(1, total))
    rise = warmup * total
    if step < rise:
        progress = (step + 1) / (rise + 1)
        if schedule == "one_cycle":
            return _half_cosine(1 / 25, 1.0, progress)
        return progress
    progress = min(1.0, (step - rise) / max(1.0, total - rise))
    if schedule == "constant":
        return 1.0
    return _half_cosine(1.0, 1e-4 if schedule == "one_cycle" else 0.0, progress)


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + 0.5 * (start - end) * (1.0 + math.cos(math.pi * progress))
