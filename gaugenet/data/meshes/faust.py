"""FAUST registrations: human bodies with corresponding vertices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np

from gaugenet.data.meshes.sample import DataError, MeshDataset, MeshSample, existing_folder, mesh_files
from gaugenet.geometry.mesh.mesh import TriangleMesh

_POSES = 10  # per person: registration NNN shows person NNN // 10 in pose NNN % 10


class FaustRegistrations(MeshDataset):
    """Registrations `tr_reg_NNN.ply` of MPI-FAUST :cite:`bogo2014faust`; the target of a vertex is its index.

    The usual protocol trains on 0..79 (8 people) and tests on 80..99 (2 others) by exact-vertex accuracy.

    Args:
        root: the folder of the registrations, or a folder above it (`training/registrations`, `faust`).
        split: `"train"`, `"val"` or `"test"`.
        val_people: number of the eight training people (the last ones) in `"val"`.

    Raises:
        DataError: If files are missing or the split is empty. When a mesh is read: if its number of vertices differs.
    """

    label_kind = "vertices"

    def __init__(
        self, root: str | Path, split: Literal["train", "val", "test"] = "train", *, val_people: int = 0
    ) -> None:
        if not 0 <= val_people < 8:
            raise ValueError(f"Expected `val_people` of the 8 training people from 0 to 7, got {val_people}.")
        self.root = existing_folder(root, "unpack MPI-FAUST there, or pass its folder.")
        self.split = split
        first_val = 80 - _POSES * val_people
        ranges = {"train": range(first_val), "val": range(first_val, 80), "test": range(80, 100)}
        if split not in ranges:
            raise ValueError(f"Expected `split` 'train', 'val' or 'test', got {split!r}.")
        if split == "val" and val_people == 0:
            raise DataError("The protocol has no validation part: hold out people with val_people=1.")
        files = _registrations(self.root)
        self.paths = tuple(files[i] for i in ranges[split] if i in files)
        if len(self.paths) != len(ranges[split]):
            missing = [i for i in ranges[split] if i not in files]
            raise DataError(f"{self.root}: registrations {missing} of the split {split!r} are missing.")
        self._num_vertices = TriangleMesh.load(files[min(files)]).num_vertices
        self.class_names = tuple(map(str, range(self._num_vertices)))

    def read(self, path: Path) -> MeshSample:
        mesh = TriangleMesh.load(path)
        if mesh.num_vertices != self._num_vertices:
            raise DataError(
                f"{path} has {mesh.num_vertices} vertices, the first registration {self._num_vertices}: "
                "registrations have corresponding vertices, so use the files `tr_reg_*.ply`."
            )
        return MeshSample(path.stem, mesh, vertex_labels=np.arange(mesh.num_vertices), path=path)


def _registrations(root: Path) -> dict[int, Path]:
    """Return the files of all registrations by number, in `root` or in the usual folders below it."""
    below = ("", "training/registrations", "MPI-FAUST/training/registrations", "faust")
    for folder in (root / name for name in below):
        if folder.is_dir():
            matches = ((re.fullmatch(r"tr_reg_(\d{3})", path.stem), path) for path in mesh_files(folder))
            found = {int(match[1]): path for match, path in matches if match}
            if found:
                return found
    raise DataError(f"{root}: no tr_reg_NNN.ply in this folder or in training/registrations/.")
