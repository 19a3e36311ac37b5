"""The classes of a data set: their names, and how the numbers in its files map to 0 .. C-1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet.data.meshes.sample import IGNORE_LABEL, DataError

_UNNAMED = 10_000
"""Labels at least as large as this are taken for a mistake unless classes are listed."""


@dataclass(frozen=True)
class ClassTable:
    """Names of the classes and their numbers in the label files.

    Attributes:
        names: name of each class, in the order of the class index.
        values: number of each class in the files, by default `(0, 1, ...)`.
        source: origin of the table, for error messages.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    source: str

    @classmethod
    def read(cls, path: Path) -> ClassTable:
        """Read `classes.txt`, where each line is a name, a number, or a number and a name.

        With names only, the classes are numbered from 0 in the order of the lines.

        Raises:
            DataError: If the file is empty, or lists a class twice or the number `IGNORE_LABEL`.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not text in UTF-8 ({error}).") from error
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if not lines:
            raise DataError(f"{path} is empty: write one class per line.")
        numbered = [re.fullmatch(r"(-?\d+)(?:[\s,:]+(.+))?", line) for line in lines]
        if all(numbered):
            values = tuple(int(match[1]) for match in numbered if match)
            names = tuple(match[2] or match[1] for match in numbered if match)
        else:
            values, names = tuple(range(len(lines))), tuple(lines)
        if len(set(values)) < len(values) or len(set(names)) < len(names):
            raise DataError(f"{path} lists a class twice: {lines}.")
        if IGNORE_LABEL in values:
            raise DataError(f"{path} lists the class {IGNORE_LABEL}, which marks places without a label: renumber it.")
        order = np.argsort(values)
        return cls(tuple(names[i] for i in order), tuple(values[i] for i in order), str(path))

    @classmethod
    def read_in(cls, folder: Path, trained: ClassTable | None = None) -> ClassTable | None:
        """Read `classes.txt` of a data set; without this file, return the classes of a trained network, if given."""
        listing = folder / "classes.txt"
        return cls.read(listing) if listing.is_file() else trained

    @classmethod
    def from_labels(cls, labels: list[ndarray], source: str) -> ClassTable:
        """Return the classes 0 .. max for `labels`, named by their numbers."""
        top = max((int(a.max()) for a in labels if a.size), default=-1)
        if top < 0:
            raise DataError(f"{source}: no labels to take the classes from; add a classes.txt.")
        if top >= _UNNAMED:
            raise DataError(
                f"{source}: the label {top} would make {top + 1:,} classes: number them from 0, or list the numbers "
                "that occur in a classes.txt."
            )
        return cls(tuple(str(i) for i in range(top + 1)), tuple(range(top + 1)), source)

    def shifted(self, offset: int) -> ClassTable:
        """Return the same classes with numbers in the files that are larger by `offset`."""
        return ClassTable(self.names, tuple(v + offset for v in self.values), self.source)

    def decode(self, index: Int[ndarray, "n"]) -> Int[ndarray, "n"]:
        """Return the numbers in the files of class indices 0 .. C-1; negative indices become `IGNORE_LABEL`."""
        values = np.asarray(self.values, dtype=np.int64)
        return np.where(index < 0, IGNORE_LABEL, values[np.maximum(index, 0)])

    def encode(self, labels: Int[ndarray, "n"], where: Path | str) -> Int[ndarray, "n"]:
        """Return the class indices 0 .. C-1 of numbers of a file; `IGNORE_LABEL` is unchanged.

        Raises:
            DataError: If a number is not a class; the message gives the first position.
        """
        values = np.asarray(self.values)
        index = np.searchsorted(values, labels).clip(max=len(values) - 1)
        unknown = (values[index] != labels) & (labels != IGNORE_LABEL)
        if unknown.any():
            first = int(np.flatnonzero(unknown)[0])
            raise DataError(
                f"{where}: label {int(labels[first])} at position {first} is none of the {len(values)} classes "
                f"numbered {values[0]}..{values[-1]} in {self.source} ({int(unknown.sum())} such labels): "
                f"correct the labels, add the class to the list, or mark unknown places with {IGNORE_LABEL}."
            )
        return np.where(labels == IGNORE_LABEL, IGNORE_LABEL, index).astype(np.int64)
