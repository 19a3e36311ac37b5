"""The parts of a set of molecules: for training, for validation, and the rest for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gaugenet.data import DataError, MoleculeSet, random_parts, read_indices, read_molecules
from gaugenet.tasks.molecules.options import MoleculeData
from gaugenet.tasks.training.options import TaskError

Split = Literal["train", "val", "test", "all"]


@dataclass(frozen=True)
class Parts:
    """Positions of molecules in a set.

    Attributes:
        train: for training.
        val: for validation.
        count: number of molecules of the set.
    """

    train: list[int]
    val: list[int]
    count: int

    @property
    def test(self) -> list[int]:
        """All molecules that are in neither part."""
        used = {*self.train, *self.val}
        return [k for k in range(self.count) if k not in used]


def open_molecules(data: MoleculeData) -> MoleculeSet:
    """Read the molecules of the options.

    Raises:
        TaskError: If no path is given.
        DataError: If they cannot be read.
    """
    if data.path is None:
        raise TaskError("No data: pass a file or a folder of molecules with --data PATH.")
    found = read_molecules(data.path, limit=data.limit or None)
    if data.energy_unit:
        found.energy_unit = data.energy_unit
    return found


def split_molecules(data: MoleculeData, count: int) -> Parts:
    """Return the parts that the options ask for.

    Raises:
        DataError: If they are larger than the set, or overlap.
    """
    if data.train_indices is None:
        train = data.train_size or max(1, round(0.8 * count))
        val = data.val_size or min(round(0.1 * count), count - train)
        one, two = random_parts(count, [train, val], seed=data.split_seed)
        return Parts(one, two, count)
    chosen = read_indices(data.train_indices, count)
    held_out = read_indices(data.val_indices, count) if data.val_indices else []
    if both := set(chosen) & set(held_out):
        raise DataError(f"{len(both)} molecules are for training and for validation, e.g. {min(both)}.")
    return Parts(chosen, held_out, count)


def described_parts(data: MoleculeData, parts: Parts, molecules: MoleculeSet) -> dict[str, Any]:
    """Return what a run stores, so that an evaluation finds the same parts: indices only if they came from files."""
    listed = {"train": parts.train, "val": parts.val} if data.train_indices is not None else None
    return {"count": parts.count, "fingerprint": _fingerprint(molecules), "indices": listed}


def part_of_run(stored: Mapping[str, Any], data: MoleculeData, molecules: MoleculeSet, split: Split) -> list[int]:
    """Return the positions of a part of the data that a run was trained on.

    Args:
        stored: of `described_parts`.
        data: the options of the training.
        molecules: the data.
        split: the part; `all` may be asked of any data.

    Raises:
        TaskError: If the data are others than in training, or the part is empty.
    """
    count = len(molecules)
    if split == "all":
        return list(range(count))
    if stored["count"] != count or stored["fingerprint"] != _fingerprint(molecules):
        raise TaskError(
            f"The run was trained on {stored['count']} molecules of another file: use --split all, or --indices FILE."
        )
    listed = stored["indices"]
    parts = Parts(listed["train"], listed["val"], count) if listed else split_molecules(data, count)
    found: list[int] = getattr(parts, split)
    if not found:
        raise TaskError(f"The part {split!r} is empty: choose another one with --split.")
    return found


def _fingerprint(molecules: MoleculeSet) -> str:
    ends = [molecules[0], molecules[len(molecules) - 1]]
    content = b"".join(one.species.tobytes() + one.pos.tobytes() for one in ends)
    return hashlib.sha256(content).hexdigest()[:16]


__all__ = ["Parts", "Split", "described_parts", "open_molecules", "part_of_run", "split_molecules"]
