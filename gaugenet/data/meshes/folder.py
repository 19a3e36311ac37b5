"""Folders of meshes with a label for every vertex or face: the layout for your own data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from gaugenet.data.meshes.classes import ClassTable
from gaugenet.data.meshes.folds import Grouping, grouped_by, split_fractions
from gaugenet.data.meshes.labels import read_labels, read_ply_labels
from gaugenet.data.meshes.sample import DataError, LabelKind, MeshDataset, MeshSample, existing_folder, mesh_files
from gaugenet.geometry.mesh.mesh import TriangleMesh

_SPLITS = ("train", "val", "test")


class LabelledMeshFolder(MeshDataset):
    """Meshes of `ROOT/train`, `ROOT/val` or `ROOT/test` with labels next to them.

    The labels of `NAME.obj` (or another format) are `NAME.npy` or `NAME.txt` with one integer per vertex or face, or
    the property `label` of the vertices or faces of `NAME.ply`. Their number decides between vertices and faces; a PLY
    file with both needs `labels`. `ROOT/classes.txt` has one class name per line, numbered from 0, or their numbers.
    Without this file the classes are 0 .. the largest label of all splits. The label -1 is ignored.

    A folder of meshes without these subfolders is split at random.

    Args:
        root: the folder.
        split: `"train"`, `"val"` or `"test"`.
        labels: `"vertices"`, `"faces"`, or `"auto"` to decide by the number of labels.
        fractions: fractions of train, val and test in a folder without subfolders.
        seed: seed of the random split, which is the same on every machine.
        group: meshes that stay together in a random split, see `group_names`.
        label_property: name of the property in PLY files.
        trained: the classes of a trained network, whose numbers are used if there is no `classes.txt`.

    Attributes:
        pool: the meshes of train/ and val/, or all meshes of a folder that is split at random.

    Raises:
        DataError: If a folder or label file is missing, two label files of a mesh differ,
            a mesh is there in two formats, the split is empty, the number of labels does not match the
            mesh, or a class is unknown or negative.

    Example:
        >>> from gaugenet.data import LabelledMeshFolder
        >>> from gaugenet.datasets import bodies
        >>> samples = LabelledMeshFolder(bodies(), "test")
        >>> samples.label_kind, len(samples.class_names)
        ('faces', 8)
        >>> samples[0].face_labels.shape == (samples[0].mesh.num_faces,)
        True
    """

    def __init__(
        self,
        root: str | Path,
        split: Literal["train", "val", "test"] = "train",
        *,
        labels: Literal["auto", "vertices", "faces"] = "auto",
        fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
        seed: int = 0,
        group: Grouping | None = None,
        label_property: str = "label",
        trained: ClassTable | None = None,
    ) -> None:
        if split not in _SPLITS:
            raise ValueError(f"Expected `split` 'train', 'val' or 'test', got {split!r}.")
        if labels not in ("auto", "vertices", "faces"):
            raise ValueError(f"Expected `labels` 'auto', 'vertices' or 'faces', got {labels!r}.")
        self.root = existing_folder(
            root, "pass the folder that holds train/, val/ and test/ or the meshes.", groups=True
        )
        self.split = split
        self._asked, self._property, self._trained = labels, label_property, trained
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
        self.classes = self._class_table([path for paths in everything.values() for path in paths])
        self.class_names = self.classes.names
        self.label_kind = self._kind_of(self.paths[0], TriangleMesh.load(self.paths[0]))[0]

    @property
    def class_values(self) -> tuple[int, ...]:
        return self.classes.values

    def read(self, path: Path) -> MeshSample:
        mesh = TriangleMesh.load(path)
        kind, raw, where = self._kind_of(path, mesh)
        if kind != self.label_kind:
            raise DataError(
                f"{where} labels {kind}, but {self.paths[0].name} labels {self.label_kind}: "
                "label the vertices of all meshes, or the faces of all meshes."
            )
        labels = self.classes.encode(raw, where)
        if kind == "vertices":
            return MeshSample(path.stem, mesh, vertex_labels=labels, path=path)
        return MeshSample(path.stem, mesh, face_labels=labels, path=path)

    def _kind_of(self, path: Path, mesh: TriangleMesh) -> tuple[LabelKind, Int[ndarray, "n"], Path]:
        """Return whether a mesh has labels of vertices or faces, the labels, and their file."""
        where, found = _raw_labels(path, self._property)
        if "faces" in found:
            found["faces"] = _of_triangles(found["faces"], mesh)
        counts = {"vertices": mesh.num_vertices, "faces": mesh.num_faces}
        candidates: list[LabelKind] = ["vertices", "faces"] if self._asked == "auto" else [self._asked]
        fitting = [kind for kind in candidates if kind in found and len(found[kind]) == counts[kind]]
        if not fitting:
            given = " and ".join(sorted({str(len(a)) for a in found.values()}))
            raise DataError(
                f"{where} has {given} labels, but {path} has {counts['vertices']} vertices and {counts['faces']} "
                f"faces (labels={self._asked!r}): give one label per vertex or per face."
            )
        if len(fitting) > 1:
            raise DataError(
                f"{where}: labels could belong to the {counts['vertices']} vertices or to the {counts['faces']} faces: "
                "pass labels='vertices' or labels='faces' (--data.labels)."
            )
        return fitting[0], found[fitting[0]], where

    def _class_table(self, everything: list[Path]) -> ClassTable:
        table = ClassTable.read_in(self.root, self._trained)
        if table is not None:
            return table
        raw = [array for path in everything for array in _raw_labels(path, self._property)[1].values()]
        return ClassTable.from_labels(raw, f"the labels in {self.root}")


def _of_triangles(labels: Int[ndarray, "n"], mesh: TriangleMesh) -> Int[ndarray, "n"]:
    """Return labels of the triangles, from labels of triangles or of the polygons of the file."""
    polygon = mesh.polygon_of_face
    cut = len(polygon) > 0 and len(labels) == polygon[-1] + 1 < len(polygon)
    return labels[polygon] if cut else labels


def _raw_labels(path: Path, name: str) -> tuple[Path, dict[str, Int[ndarray, "n"]]]:
    """Return the file of the labels of a mesh, and its labels for vertices, faces or both."""
    beside = [file for file in (path.with_suffix(".npy"), path.with_suffix(".txt")) if file.is_file()]
    if beside:
        labels = read_labels(beside[0])
        if len(beside) > 1 and not np.array_equal(labels, read_labels(beside[1])):
            raise DataError(
                f"{beside[0]} and {beside[1].name} hold different labels of {path.name}: remove one of them."
            )
        return beside[0], {"vertices": labels, "faces": labels}
    inside = read_ply_labels(path, name) if path.suffix.lower() == ".ply" else {}
    if not inside:
        raise DataError(
            f"{path} has no labels: expected {path.stem}.npy or {path.stem}.txt next to it, "
            f"or a PLY property `{name}` of its vertices or faces."
        )
    return path, inside


def _named_once(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return mesh files; raise `DataError` if two have one name, and so one label file: they are one mesh."""
    seen: dict[str, Path] = {}
    for path in paths:
        other = seen.setdefault(path.stem, path) if path.parent.is_dir() else path  # not the groups of an HDF5 file
        if other is not path:
            raise DataError(
                f"{path.parent}: several mesh files have the name {path.stem!r}: keep {other.name} or {path.name}."
            )
    return paths


def is_split_at_random(root: Path) -> bool:
    """Return whether a folder contains meshes and none of the subfolders of the splits."""
    return not any((root / name).is_dir() for name in _SPLITS)


def all_splits(
    root: Path, fractions: tuple[float, float, float], seed: int, group: Grouping | None
) -> dict[str, tuple[Path, ...]]:
    """Return the mesh files of each split, from the subfolders or by a random split of the folder.

    Raises:
        ValueError: If there are not three fractions.
        DataError: If `group` is given for a folder with subfolders, or a mesh is there in two formats.
    """
    if not is_split_at_random(root):
        if group is not None:
            raise DataError(f"{root} is split into folders: `group` is for folders split at random, and for folds.")
        return {name: _named_once(mesh_files(root / name)) for name in _SPLITS if (root / name).is_dir()}
    if len(fractions) != 3:
        raise ValueError(f"Expected three `fractions` with sum 1, got {fractions}.")
    paths = _named_once(mesh_files(root))
    if not paths:
        return {}
    names = [path.name for path in paths]
    by_name = grouped_by(names, [path.stem for path in paths], group)
    part = split_fractions(names, fractions, group=by_name, seed=seed)
    return {name: tuple(path for path, k in zip(paths, part) if k == index) for index, name in enumerate(_SPLITS)}
