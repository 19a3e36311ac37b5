"""Happi20Files: the npz files of HAPPI20 on an icosphere, as the UGSCNN benchmark distributes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.climate.dataset import ClimateFrame, FrameSequence
from gaugenet.data.climate.sampling import PointLocations
from gaugenet.data.climate.variables import CLIMATENET_CLASSES, ClimateVariables
from gaugenet.data.meshes.sample import DataError
from gaugenet.files import read_npy, read_npz

# fmt: off
_UNITS: dict[str, str | None] = {
    "TMQ": "kg m-2", "U850": "m s-1", "V850": "m s-1", "UBOT": "m s-1", "VBOT": "m s-1", "QREFHT": "kg kg-1",
    "PS": "Pa", "PSL": "Pa", "T200": "K", "T500": "K", "PRECT": "m s-1", "TS": "K", "TREFHT": "K",
    "Z1000": "m", "Z200": "m", "ZBOT": "m",
}
# fmt: on
_CHANNELS = tuple(_UNITS)
_PAIRS = (("U850", "V850"), ("UBOT", "VBOT"))
_LARGEST = 1e19
"""Values of at least this size are fill values, as in NetCDF files."""
_NAME = re.compile(r"(\d{4})-(\d{2})-(\d{2})-(\d{2})(?:-(\d+))?")


class Happi20Files(FrameSequence):
    """Frames `data-YYYY-MM-DD-SS-R.npz` (SS: the 3-hour step of the day, R: the run), in the order of time.

    Each holds `data` of shape (16, V) and `labels`, one-hot of shape (3, V): background, tropical cyclone, atmospheric
    river. The files do not contain the positions of the vertices. For the channels see :cite:`jiang2019spherical` and
    Mudigonda et al. 2017.

    Args:
        root: folder of the npz files.
        vertices: `.npy` of shape (V, 3), or `.npz` with such an array `V`: the vertices of the mesh on which the files
            were made, in their order; the file `vertices.npy` or `vertices.npz` in the folder by default.

    Raises:
        DataError: If there are no files or no vertices. When a frame is read: if its arrays have the wrong shape,
            labels are not one-hot, or values are not finite.
    """

    def __init__(self, root: str | Path, *, vertices: str | Path | None = None) -> None:
        root = Path(root)
        self.paths = tuple(sorted(p for p in root.glob("*.npz") if p.name != "vertices.npz"))
        if not self.paths:
            raise DataError(f"No npz files in {root}.")
        self.locations = PointLocations(_vertices(root, vertices))
        scalars = tuple(c for c in _CHANNELS if all(c not in pair for pair in _PAIRS))
        classes = CLIMATENET_CLASSES
        self.variables = ClimateVariables(scalars, _PAIRS, "labels", dict(_UNITS), classes, tuple(range(len(classes))))
        order = sorted(range(len(self.paths)), key=lambda k: (np.nan_to_num(_hour(self.paths[k])), self.paths[k].name))
        self.steps = [self.paths[k] for k in order]

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.variables.classes

    @property
    def hours(self) -> Float[ndarray, "steps"]:
        """Hours since 1970, from the names of the files; the same for all runs."""
        return np.array([_hour(path) for path in self.steps])

    def subset(self, index: Int[ndarray, "n"] | Sequence[int]) -> Happi20Files:
        """Return the same files with only some of the steps."""
        other = object.__new__(Happi20Files)
        other.__dict__ = dict(self.__dict__)
        other.steps = [self.steps[int(i)] for i in index]
        return other

    def __len__(self) -> int:
        return len(self.steps)

    def read(self, index: int) -> ClimateFrame:
        """Read the frame `index`."""
        path = self.steps[index]
        try:
            data, labels = read_npz(path, "data", "labels")
        except (OSError, ValueError) as error:
            raise DataError(f"{path} holds no `data` and `labels` ({error}).") from error
        count = self.locations.shape[0]
        expected = (len(_CHANNELS), count), (len(CLIMATENET_CLASSES), count)
        if (data.shape, labels.shape) != expected:
            raise DataError(
                f"{path}: expected `data` {expected[0]} and `labels` {expected[1]} for the {count} given vertices, got "
                f"{data.shape} and {labels.shape}."
            )
        if data.dtype.kind not in "iuf" or labels.dtype.kind not in "iufb":
            raise DataError(f"{path}: expected numbers in `data` and `labels`, got {data.dtype} and {labels.dtype}.")
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(axis=0) == 1).all()):
            raise DataError(f"{path}: expected one-hot `labels`.")
        if not (np.abs(data) < _LARGEST).all():
            channel = int(np.argwhere(~(np.abs(data) < _LARGEST))[0, 0])
            raise DataError(f"{path}: {_CHANNELS[channel]!r} has values that are not finite.")
        row = {name: data[k].astype(np.float32) for k, name in enumerate(_CHANNELS)}
        scalars = np.stack([row[name] for name in self.variables.scalars])
        vectors = np.stack([[row[u], row[v]] for u, v in _PAIRS])
        return ClimateFrame(scalars, vectors, labels.argmax(axis=0).astype(np.int64), path, 0)


def _vertices(root: Path, given: str | Path | None) -> Float[ndarray, "vertices 3"]:
    candidates = [Path(given)] if given is not None else [root / "vertices.npy", root / "vertices.npz"]
    path = next((p for p in candidates if p.is_file()), None)
    if path is None:
        raise DataError(
            f"No {candidates[0]}: the npz files do not contain the positions of their vertices. Save the vertices of "
            "the mesh on which they were made, e.g. "
            '`np.save("vertices.npy", pickle.load(open("icosphere_5.pkl", "rb"))["V"])`.'
        )
    try:
        points = np.asarray(read_npz(path, "V")[0] if path.suffix == ".npz" else read_npy(path))
        points = points.astype(np.float64)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} holds no vertices ({error}).") from error
    if points.ndim != 2 or points.shape[1] != 3 or not np.allclose(np.linalg.norm(points, axis=1), 1, atol=1e-3):
        raise DataError(f"{path}: expected unit vectors of shape (V, 3), got shape {points.shape}.")
    return typed_array(points / np.linalg.norm(points, axis=1, keepdims=True))


def _hour(path: Path) -> float:
    match = _NAME.search(path.name)
    if match is None:
        return float("nan")
    year, month, day, step = (int(match[k]) for k in range(1, 5))
    return (datetime(year, month, day) - datetime(1970, 1, 1)).total_seconds() / 3600 + 3.0 * step
