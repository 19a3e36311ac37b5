"""Splits by blocks of time: fields of one weather situation never stand on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.data.meshes.sample import DataError


@dataclass(frozen=True)
class TimeSplit:
    """Indices of the time steps of each part, and what was done, in words."""

    train: Int[ndarray, "train"]
    val: Int[ndarray, "val"]
    dropped: Int[ndarray, "dropped"]
    summary: str


def split_by_blocks(
    hours: Float[ndarray, "steps"], *, val_fraction: float = 0.2, block_hours: float = 240.0, gap_hours: float = 72.0
) -> TimeSplit:
    """Whole blocks of time for validation, and a gap around each that belongs to neither part.

    A random split of consecutive weather leaks: neighbours in time look the same. The time axis is cut into blocks of
    about `block_hours`; every n-th block validates; training steps less than `gap_hours` from one of them are dropped.
    Runs of an ensemble share the clock, so that steps of the same date are always on the same side.

    Args:
        hours: `(N,)` times in hours, in any order.
        val_fraction: share of the blocks that validate, in (0, 1).
        block_hours: length of a block.
        gap_hours: time between the parts.

    Raises:
        DataError: steps without time, or so few of them that a part stays empty.
    """
    hours = np.asarray(hours, dtype=np.float64)
    if not np.isfinite(hours).all():
        raise DataError("Expected a time for every step, to split by blocks of time: name validation files instead.")
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
    """What lies between the times of two sets of files, in words.

    Raises:
        DataError: a validation step less than `gap_hours` from a training step.
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
