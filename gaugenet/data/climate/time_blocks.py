"""Splits by blocks of time, so that one weather situation is never in both parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.data.meshes.sample import DataError


@dataclass(frozen=True)
class TimeSplit:
    """Indices of the time steps of each part, and a description of the split."""

    train: Int[ndarray, "train"]
    val: Int[ndarray, "val"]
    dropped: Int[ndarray, "dropped"]
    summary: str


def split_by_blocks(
    hours: Float[ndarray, "steps"], *, val_fraction: float = 0.2, block_hours: float = 240.0, gap_hours: float = 72.0
) -> TimeSplit:
    """Split time steps into training and validation by blocks of time, with a gap between the parts.

    A random split of consecutive weather leaks, since neighbours in time are similar. The time axis is cut into blocks
    of about `block_hours`. Every n-th block is for validation. Training steps less than `gap_hours` from such a block
    are dropped. Steps of the same date, such as the runs of an ensemble, are always in the same part.

    Args:
        hours: `(N,)` times in hours, in any order.
        val_fraction: fraction of the blocks for validation, in (0, 1).
        block_hours: length of a block in hours.
        gap_hours: least time between the parts in hours.

    Raises:
        DataError: If steps have no time, or a part would be empty.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import split_by_blocks
        >>> hours = np.arange(0.0, 960.0, 6.0)
        >>> split = split_by_blocks(hours, val_fraction=0.25, block_hours=120, gap_hours=24)
        >>> len(split.val)  # of 160 steps
        40
        >>> bool(abs(hours[split.train][:, None] - hours[split.val]).min() >= 24)
        True
    """
    hours = np.asarray(hours, dtype=np.float64)
    if not np.isfinite(hours).all():
        raise DataError("Expected a time for every step to split by blocks of time: name validation files instead.")
    if not 0 < val_fraction < 1:
        raise DataError(f"Expected `val_fraction` in (0, 1), got {val_fraction}.")
    start, length = hours.min(), max(np.ptp(hours), 1e-9)
    blocks = max(round(length / block_hours), round(1 / val_fraction), 2)
    block = np.minimum(((hours - start) / length * blocks).astype(np.int64), blocks - 1)
    every = max(2, round(1 / val_fraction))
    chosen = np.arange(every // 2, blocks, every)
    is_val = np.isin(block, chosen)
    edges = start + length / blocks * np.stack([chosen, chosen + 1], axis=1)
    outside = np.maximum(edges[:, 0] - hours[:, None], hours[:, None] - edges[:, 1]).min(axis=1)
    dropped = ~is_val & (outside < gap_hours)
    train = ~is_val & ~dropped
    if not train.any() or not is_val.any():
        raise DataError(
            f"{len(hours)} steps over {length:.0f} h leave no steps for one of the parts with blocks of "
            f"{length / blocks:.0f} h and gaps of {gap_hours:.0f} h: take a smaller gap (--data.gap_hours), "
            "shorter blocks (--data.block_hours), or name validation files (--val)."
        )
    summary = (
        f"{int(train.sum())} steps to train, {int(is_val.sum())} to validate: {len(chosen)} of {blocks} blocks of "
        f"{length / blocks:.0f} h; {int(dropped.sum())} steps less than {gap_hours:.0f} h from them are left out."
    )
    return TimeSplit(np.flatnonzero(train), np.flatnonzero(is_val), np.flatnonzero(dropped), summary)


def check_apart(train: Float[ndarray, "train"], val: Float[ndarray, "val"], *, gap_hours: float) -> str:
    """Return a description of the time between two sets of files.

    Raises:
        DataError: If a validation step is less than `gap_hours` from a training step.
    """
    train, val = np.sort(train[np.isfinite(train)]), np.sort(val[np.isfinite(val)])
    if not len(train) or not len(val):
        return "The files name no times: whether training and validation are apart is not known."
    position = np.searchsorted(train, val)
    before = np.abs(val - train[np.maximum(position - 1, 0)])
    after = np.abs(train[np.minimum(position, len(train) - 1)] - val)
    apart = float(np.minimum(before, after).min())
    if apart < gap_hours:
        near = int((np.minimum(before, after) < gap_hours).sum())
        raise DataError(
            f"{near} of {len(val)} validation steps are less than {gap_hours:.0f} h from a training step (the nearest "
            f"{apart:.1f} h): scores would be too good. Split by time, or allow it with a "
            "smaller gap (--data.gap_hours)."
        )
    return f"Training and validation files are {apart:.0f} h apart."
