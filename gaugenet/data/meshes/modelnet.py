"""ModelNetPoints: points on the surfaces of meshes in the layout of ModelNet, for the classification of shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
import trimesh
from torch.utils.data import Dataset
from torch_geometric.data import Data

from gaugenet._validation import not_negative, positive
from gaugenet.data.meshes.sample import DataError, existing_folder, mesh_files
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh

_SPLITS = ("train", "test")


class ModelNetPoints(Dataset[Data]):
    r"""Clouds of points on the meshes `ROOT/CLASS/{train,test}/*.off`, as in ModelNet :cite:`wu2015shapenets`.

    Points are uniform on the surface, by area. Their mean is the origin, and the farthest point has distance 1. A mesh
    may have holes and faces of any orientation; all file formats of `TriangleMesh.load` are read. Files are read and
    sampled on first use, and the clouds are kept in memory.

    Args:
        root: folder of the classes.
        split: `"train"` or `"test"`.
        num_points: number of points P of a cloud, at least 2.
        seed: seed of the points. A mesh has the same points whichever other files there are.

    Attributes:
        class_names: names of the classes, sorted; a label is an index into it.
        paths: the files.

    Returns:
        Each item is a PyG `Data` with `pos (P, 3)` float32, `y (1,)` int64 and `name`.

    Raises:
        ValueError: If an argument is invalid.
        DataError: If there are no classes or no meshes; for an item, if the file is not a mesh, or has no area.

    Example:
        >>> from pathlib import Path
        >>> from gaugenet.data import ModelNetPoints
        >>> for part in ("train", "test"):
        ...     folder = Path("shapes") / "tetrahedron" / part
        ...     folder.mkdir(parents=True)
        ...     faces = "3 0 2 1\n3 0 1 3\n3 1 2 3\n3 0 3 2\n"
        ...     text = "OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n" + faces
        ...     _ = (folder / "corner.off").write_text(text)
        >>> ModelNetPoints("shapes", "train", num_points=64)[0].pos.shape
        torch.Size([64, 3])
    """

    def __init__(
        self, root: str | Path, split: Literal["train", "test"] = "train", *, num_points: int = 1024, seed: int = 0
    ) -> None:
        if split not in _SPLITS:
            raise ValueError(f"Expected `split` 'train' or 'test', got {split!r}.")
        if positive("num_points", num_points) < 2:
            raise ValueError("Expected `num_points` of at least 2, got 1: a single point has no size.")
        not_negative("seed", seed)
        self.root = existing_folder(root, "unpack the archive of the data set there, or pass its folder.")
        self.num_points, self.seed = num_points, seed
        folders = {path.name: path for path in sorted(self.root.iterdir()) if any((path / s).is_dir() for s in _SPLITS)}
        self.class_names = tuple(folders)
        parts = [folder / split for folder in folders.values()]
        try:
            self.paths = tuple(file for part in parts if part.is_dir() for file in sorted(mesh_files(part)))
        except MeshError as error:  # an HDF5 file that cannot be read
            raise DataError(str(error)) from error
        if not self.paths:
            raise DataError(f"{self.root}: no meshes in CLASS/{split}/: expected one folder per class.")
        self._clouds: dict[int, Data] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Data:
        index = range(len(self))[index]
        if index not in self._clouds:
            self._clouds[index] = self._cloud(self.paths[index])
        return self._clouds[index].clone()

    def _cloud(self, path: Path) -> Data:
        relative = path.relative_to(self.root)
        seed = np.random.SeedSequence([self.seed, *relative.as_posix().encode()]).generate_state(1)[0]
        try:
            mesh = TriangleMesh.load(path)
        except MeshError as error:
            raise DataError(str(error)) from error
        surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        if not np.isfinite(surface.area) or surface.area <= 0:
            raise DataError(f"{path}: the area of the surface is {surface.area}: remove the file or repair it.")
        points, _ = trimesh.sample.sample_surface(surface, self.num_points, seed=int(seed))
        points = np.asarray(points) - np.mean(points, axis=0)
        pos = torch.tensor(points / np.linalg.norm(points, axis=1).max(), dtype=torch.float32)
        label = self.class_names.index(relative.parts[0])
        return Data(pos=pos, y=torch.tensor([label]), name=relative.with_suffix("").as_posix())


__all__ = ["ModelNetPoints"]
