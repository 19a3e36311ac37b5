"""SHREC-11 shape classification in the layout of MeshCNN: one folder per class."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from gaugenet.data.meshes.sample import DataError, MeshDataset, MeshSample, existing_folder, mesh_files
from gaugenet.geometry.mesh.mesh import TriangleMesh

_PARTS = ("train", "val", "test")


class ShrecClassification(MeshDataset):
    """Meshes of `ROOT/CLASS/{train,test}/*.obj` (or `ROOT/CLASS/*.obj`), split at random.

    The protocols "split-10" and "split-16" draw 10 or 16 of the 20 meshes of a class for training
    :cite:`hanocka2019meshcnn`. The others are the test part. The division into folders is not used. Splits of one seed
    are the same on every machine, and nested: the 10 meshes are among the 16.

    Args:
        root: folder of the classes.
        split: `"train"`, `"val"` or `"test"`.
        train_per_class: number of training meshes per class, including `val_per_class`.
        val_per_class: number of these meshes per class in `"val"`.
        seed: seed of the random split.

    Attributes:
        pool: all meshes of all classes.

    Raises:
        DataError: If there are no classes, or a class has too few meshes.
    """

    label_kind = "shape"

    def __init__(
        self,
        root: str | Path,
        split: Literal["train", "val", "test"] = "train",
        *,
        train_per_class: int = 10,
        val_per_class: int = 0,
        seed: int = 0,
    ) -> None:
        if split not in _PARTS:
            raise ValueError(f"Expected `split` 'train', 'val' or 'test', got {split!r}.")
        if not 0 <= val_per_class < train_per_class:
            raise ValueError(
                f"Expected 0 <= `val_per_class` < `train_per_class`, got {val_per_class} and {train_per_class}."
            )
        self.root = existing_folder(root, "unpack the archive of the data set there, or pass its folder.")
        self.split = split
        pooled = {folder.name: _pool(folder) for folder in sorted(self.root.iterdir()) if folder.is_dir()}
        pooled = {name: paths for name, paths in pooled.items() if paths}
        if not pooled:
            raise DataError(f"{self.root}: no meshes in CLASS/train/ or CLASS/: expected one folder per class.")
        if pooled.keys() <= set(_PARTS):
            raise DataError(
                f"{self.root} holds parts, not classes ({', '.join(pooled)}): expected one folder per class, "
                "CLASS/*.obj or CLASS/train/*.obj. Labels of faces or vertices are a segmentation."
            )
        self.class_names = tuple(pooled)
        self.pool = tuple(path for paths in pooled.values() for path in paths)
        cuts = {
            "train": (val_per_class, train_per_class),
            "val": (0, val_per_class),
            "test": (train_per_class, None),
        }
        self.paths = tuple(
            path for name, paths in pooled.items() for path in self._draw(name, paths, slice(*cuts[split]), seed)
        )

    def name_of(self, path: Path) -> str:
        return f"{self._class_of(path)}/{path.stem}"

    def read(self, path: Path) -> MeshSample:
        return MeshSample(self.name_of(path), TriangleMesh.load(path), label=self.label_of(path), path=path)

    def label_of(self, path: Path) -> int:
        return self.class_names.index(self._class_of(path))

    def _class_of(self, path: Path) -> str:
        return path.relative_to(self.root).parts[0]

    def _draw(self, name: str, paths: list[Path], part: slice, seed: int) -> list[Path]:
        index = self.class_names.index(name)
        shuffled = np.random.default_rng([seed, index]).permutation(len(paths))
        drawn = sorted(paths[i] for i in shuffled[part])
        if not drawn:
            raise DataError(
                f"{self.root / name} has {len(paths)} meshes, none of which is left for the split {self.split!r} "
                f"with {part.start}..{part.stop} drawn: lower `train_per_class` or raise `val_per_class`."
            )
        return drawn


def _pool(folder: Path) -> list[Path]:
    """Return all meshes of a class, in an order that does not depend on their folders."""
    candidates = [folder, *(folder / part for part in _PARTS)]
    found = [path for candidate in candidates if candidate.is_dir() for path in mesh_files(candidate)]
    return sorted(found, key=lambda path: (path.stem, str(path)))
