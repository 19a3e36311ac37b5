"""The layout of the MeshCNN segmentation benchmarks: meshes with a class for every edge."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet.data.meshes.classes import ClassTable
from gaugenet.data.meshes.labels import majority_of_edges, meshcnn_edges, read_labels
from gaugenet.data.meshes.sample import DataError, MeshDataset, MeshSample, existing_folder, mesh_files
from gaugenet.geometry.mesh.mesh import TriangleMesh

Split = Literal["train", "val", "test"]


class MeshCNNSegmentation(MeshDataset):
    """Meshes of `ROOT/train` or `ROOT/test` with the majority of the edge labels in `ROOT/seg` as face labels.

    The layout is the one of the published archives :cite:`hanocka2019meshcnn`: `train/NAME.obj`, `test/NAME.obj`,
    `seg/NAME.eseg` with one class per edge (for the order see `meshcnn_edges`), `sseg/NAME.seseg` with soft edge labels
    (not read), `classes.txt`. Classes are numbered from 0 or from 1. The mean accuracy over all faces is the "hard
    face" metric of the literature.

    The published labels of the test mesh `shrec__15` of the human-body set are wrong; results usually include it.

    Args:
        root: folder of the unpacked archive.
        split: `"train"`, `"val"` or `"test"`. `"val"` is the held-out part of `train/` (or the folder
            `val/`).
        holdout: glob patterns (one or several) of mesh names, e.g. `"scape__*"`, for the meshes of `train/` that are in
            `"val"` and not in `"train"`. Hold out a whole source instead of random meshes, since poses of one sequence
            and scans of one person are more similar to each other than to the test set.
        trained: the classes of a trained network, whose numbers are used if `classes.txt` does not contain numbers.

    Raises:
        DataError: If a folder is missing, the split is empty, or a pattern matches nothing. When a sample is read: if
            its label file is missing, the number of labels differs from the number of edges, or a class is unknown.
    """

    label_kind = "faces"

    def __init__(
        self,
        root: str | Path,
        split: Split = "train",
        *,
        holdout: str | list[str] | None = None,
        trained: ClassTable | None = None,
    ) -> None:
        self._trained = trained
        self.root = existing_folder(root, "unpack the archive of the data set there, or pass its folder.")
        self.split = split
        self.holdout = [holdout] if isinstance(holdout, str) else list(holdout or [])
        self.paths = self._select(split)
        self.classes = self._class_table()
        self.class_names = self.classes.names

    @property
    def class_values(self) -> tuple[int, ...]:
        return self.classes.values

    def read(self, path: Path) -> MeshSample:
        mesh = TriangleMesh.load(path)
        edges = self.edge_labels(path, mesh)
        return MeshSample(path.stem, mesh, face_labels=majority_of_edges(edges, meshcnn_edges(mesh)), path=path)

    def edge_labels(self, path: Path, mesh: TriangleMesh) -> Int[ndarray, "edges"]:
        """Return the class of each edge of a mesh of this set, in the order of `meshcnn_edges`."""
        label_path = self.root / "seg" / f"{path.stem}.eseg"
        if not label_path.is_file():
            raise DataError(f"{path} has no labels: expected the file {label_path}.")
        labels = read_labels(label_path)
        if len(labels) != len(mesh.edges):
            raise DataError(
                f"{label_path} has {len(labels)} labels, but {path} has {len(mesh.edges)} edges: "
                "the labels belong to another version of the mesh."
            )
        return self.classes.encode(labels, label_path)

    def sources(self) -> dict[str, int]:
        """Return the number of meshes from each source, the part of a name before the first `__`."""
        return dict(Counter(source_of(path.stem) for path in self.paths))

    # --- construction ---------------------------------------------------------------------------------------

    def _select(self, split: str) -> tuple[Path, ...]:
        if split not in ("train", "val", "test"):
            raise ValueError(f"Expected `split` 'train', 'val' or 'test', got {split!r}.")
        folder = self.root / ("train" if split == "val" and self.holdout else split)
        if not folder.is_dir():
            raise DataError(f"{self.root} has no folder {split}/: {self._missing(split)}")
        paths = mesh_files(folder)
        if self.holdout and split != "test":
            self._check_patterns(paths)
            paths = tuple(p for p in paths if self._is_held_out(p) == (split == "val"))
        if not paths:
            raise DataError(
                f"The split {split!r} of {self.root} is empty (holdout={self.holdout}): {self._missing(split)}"
            )
        return paths

    def _is_held_out(self, path: Path) -> bool:
        return any(fnmatch(path.stem, pattern) for pattern in self.holdout)

    def _check_patterns(self, paths: tuple[Path, ...]) -> None:
        for pattern in self.holdout:
            if not any(fnmatch(path.stem, pattern) for path in paths):
                sources = sorted({source_of(path.stem) for path in paths})
                raise DataError(
                    f"holdout={pattern!r} matches none of the {len(paths)} training meshes (from {sources})."
                )

    def _missing(self, split: str) -> str:
        if split == "val":
            return "hold out a part of train/ with holdout='PATTERN', e.g. the meshes of one source."
        here = sorted(p.name for p in self.root.iterdir() if p.is_dir())
        return f"expected the MeshCNN layout train/ test/ seg/ classes.txt, found the folders {here}."

    def _class_table(self) -> ClassTable:
        """Return the classes of `classes.txt`; without numbers there, the labels decide whether they start at 1."""
        table = ClassTable.read_in(self.root, self._trained)
        if table is not None and (table is self._trained or table.names == tuple(map(str, table.values))):
            return table
        files = sorted((self.root / "seg").glob("*.eseg"))
        seen = np.unique(np.concatenate([np.unique(read_labels(f)) for f in files])) if files else np.array([])
        seen = seen[seen >= 0]
        if table is None:
            if not seen.size:
                raise DataError(f"{self.root} has neither classes.txt nor label files in seg/.")
            values = range(int(seen.min()), int(seen.max()) + 1)
            return ClassTable(tuple(map(str, values)), tuple(values), f"{self.root}/seg")
        from_one = table.values[0] == 0 and seen.size and seen.min() >= 1 and seen.max() == table.values[-1] + 1
        if self._trained is not None and self._trained.names == table.names and not from_one:
            return self._trained
        return table.shifted(1) if from_one else table


def source_of(name: str) -> str:
    """Return the source in the name of a mesh.

    Example:
        >>> from gaugenet.data import source_of
        >>> source_of("scape__mesh043")
        'scape'
    """
    return name.split("__", maxsplit=1)[0]
