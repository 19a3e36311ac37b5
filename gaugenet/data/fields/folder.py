"""Folders of meshes with fields in the mesh files or next to them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from gaugenet.data.meshes.folder import all_splits, is_split_at_random
from gaugenet.data.meshes.folds import Grouping
from gaugenet.data.meshes.sample import DataError, MeshDataset, MeshSample, existing_folder
from gaugenet.geometry.mesh.mesh import TriangleMesh


class FieldMeshFolder(MeshDataset):
    """Meshes with fields in `ROOT/train`, `ROOT/val` or `ROOT/test`, or in `ROOT` with a random split.

    Fields are in the mesh files (properties of PLY, arrays of VTK) or next to them: `NAME.FIELD.npy`, `NAME.npz`,
    `NAME.h5`, and, for values of whole meshes, a row of `fields.csv`.

    Args:
        root: the folder.
        split: `"train"`, `"val"` or `"test"`.
        fractions: fractions of train, val and test in a folder without subfolders.
        seed: seed of the random split, which is the same on every machine.
        group: meshes that stay together in a random split, see `gaugenet.data.group_names`.

    Attributes:
        pool: the meshes of train/ and val/, or all meshes of a folder that is split at random.

    Raises:
        DataError: If a folder is missing, the split is empty, or two meshes have the same name.

    Example:
        >>> from gaugenet.data import FieldMeshFolder
        >>> from gaugenet.datasets import bodies
        >>> FieldMeshFolder(bodies(), "test")[0].name
        'bear_0'
    """

    label_kind = "shape"
    class_names = ()

    def __init__(
        self,
        root: str | Path,
        split: Literal["train", "val", "test"] = "train",
        *,
        fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
        seed: int = 0,
        group: Grouping | None = None,
    ) -> None:
        if split not in ("train", "val", "test"):
            raise ValueError(f"Expected `split` 'train', 'val' or 'test', got {split!r}.")
        self.root = existing_folder(
            root, "pass the folder that holds train/, val/ and test/ or the meshes.", groups=True
        )
        everything = all_splits(self.root, fractions, seed, group)
        parts = everything if is_split_at_random(self.root) else {"train", "val"} & everything.keys()
        self.pool = tuple(sorted(path for name in parts for path in everything[name]))
        self.paths = everything.get(split, ())
        if not self.paths:
            counts = {name: len(paths) for name, paths in everything.items()}
            raise DataError(
                f"The split {split!r} of {self.root} is empty: found {counts or 'no meshes'}; "
                f"put meshes into {self.root / split}, or change the `fractions` of a random split."
            )
        twice = [name for name, count in Counter(path.stem for path in self.paths).items() if count > 1]
        if twice:
            raise DataError(
                f"{self.root}: several mesh files of the split {split!r} have the name {twice[0]!r}, but fields are "
                "found by the name of the mesh: keep one of them, or rename the others."
            )

    def read(self, path: Path) -> MeshSample:
        return MeshSample(path.stem, TriangleMesh.load(path), path=path)

    def __repr__(self) -> str:
        return f"FieldMeshFolder({len(self)} meshes of {str(self.root)!r})"
