"""Folders of meshes whose fields stand in the mesh files or next to them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from gaugenet.data.meshes.folder import all_splits
from gaugenet.data.meshes.folds import Grouping
from gaugenet.data.meshes.sample import DataError, MeshDataset, MeshSample, existing_folder
from gaugenet.geometry.mesh.mesh import TriangleMesh


class FieldMeshFolder(MeshDataset):
    """Meshes of `ROOT/train`, `ROOT/val` or `ROOT/test`, or of `ROOT` split at random, without labels.

    Their fields stand in the mesh files (properties of PLY, arrays of VTK) or next to them: `NAME.FIELD.npy`,
    `NAME.npz`, `NAME.h5`, and for values of whole meshes a row of `fields.csv`.

    Args:
        root: the folder.
        split: `"train"`, `"val"` or `"test"`.
        fractions: of train, val and test in a folder without subfolders.
        seed: of the random split; the same on every machine.
        group: meshes that stay together in a random split, see `gaugenet.data.group_names`.

    Raises:
        DataError: missing folders, an empty split, two meshes of one name.
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
        self.root = existing_folder(root, "pass the folder that holds train/, val/ and test/ or the meshes.")
        everything = all_splits(self.root, fractions, seed, group)
        self.paths = everything.get(split, ())
        if not self.paths:
            counts = {name: len(paths) for name, paths in everything.items()}
            raise DataError(
                f"The split {split!r} of {self.root} is empty: found {counts or 'no meshes'}; "
                f"put meshes into {self.root / split}, or change `fractions` if the folder is split at random."
            )
        twice = [name for name, count in Counter(path.stem for path in self.paths).items() if count > 1]
        if twice:
            raise DataError(
                f"{self.root}: several mesh files of the split {split!r} have the name {twice[0]!r}, and fields belong "
                "to a mesh by its name: keep one of them, or rename the others."
            )

    def read(self, path: Path) -> MeshSample:
        return MeshSample(path.stem, TriangleMesh.load(path), path=path)

    def __repr__(self) -> str:
        return f"FieldMeshFolder({len(self)} meshes of {str(self.root)!r})"
