"""MeshSample: a mesh with its labels; MeshDataset: the base class of readers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, overload

from jaxtyping import Int
from numpy import ndarray

from gaugenet.geometry.mesh._hdf5 import HDF5_SUFFIXES, hdf5_meshes
from gaugenet.geometry.mesh.mesh import TriangleMesh

IGNORE_LABEL = -1
"""Label of vertices and faces that losses and metrics ignore."""

LabelKind = Literal["vertices", "faces", "shape"]


class DataError(ValueError):
    """The error of an invalid data set; the message gives the file, the position and a remedy."""


@dataclass(frozen=True)
class MeshSample:
    """One mesh with the labels of its data set; missing labels are `None`.

    Attributes:
        name: unique name in the data set, the same in every run, usable as a file name apart from `/`.
        mesh: the surface, with vertices and faces in the order of the file.
        vertex_labels: `(V,)` int64 class of each vertex, `IGNORE_LABEL` where unknown.
        face_labels: `(F,)` int64 class of each face, `IGNORE_LABEL` where unknown.
        label: class of the whole shape.
        path: the file of the mesh.
        fields: arrays by name, used instead of fields in files, see `gaugenet.data.FieldSpec`.

    Raises:
        DataError: If the number of labels does not match the mesh.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import MeshSample
        >>> from gaugenet.geometry import TriangleMesh
        >>> triangle = TriangleMesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
        >>> MeshSample("triangle", triangle, face_labels=np.array([4])).face_labels
        array([4])
    """

    name: str
    mesh: TriangleMesh
    vertex_labels: Int[ndarray, "vertices"] | None = None
    face_labels: Int[ndarray, "faces"] | None = None
    label: int | None = None
    path: Path | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for labels, count, what in (
            (self.vertex_labels, self.mesh.num_vertices, "vertices"),
            (self.face_labels, self.mesh.num_faces, "faces"),
        ):
            if labels is not None and labels.shape != (count,):
                raise DataError(
                    f"{self.path or self.name}: expected one label for each of the {count} {what}, "
                    f"got labels of shape {labels.shape}."
                )


class MeshDataset(ABC, Sequence[MeshSample]):
    """A sequence of `MeshSample`s in a fixed order; a mesh is read when it is indexed.

    Attributes:
        label_kind: kind of the labels: `"vertices"`, `"faces"` or `"shape"`.
        class_names: name of each class; labels are indices into it.
        paths: the mesh files, sorted.
    """

    label_kind: LabelKind
    class_names: tuple[str, ...]
    paths: tuple[Path, ...]

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def class_values(self) -> tuple[int, ...]:
        """The number of each class in the files, in the order of `class_names`."""
        return tuple(range(self.num_classes))

    @property
    def names(self) -> list[str]:
        """The names of all samples, in order."""
        return [self.name_of(path) for path in self.paths]

    def name_of(self, path: Path) -> str:
        """Return the name of the sample in the file `path`."""
        return path.stem

    def label_of(self, path: Path) -> int | None:
        """Return the class of a shape if it is known without reading the file, else `None`."""
        return None

    @abstractmethod
    def read(self, path: Path) -> MeshSample:
        """Read the sample of one mesh file.

        Raises:
            DataError: If its labels are invalid; the message gives the file.
            MeshError: If its mesh is invalid; the message gives the file.
        """

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> MeshSample: ...

    @overload
    def __getitem__(self, index: slice) -> list[MeshSample]: ...

    def __getitem__(self, index: int | slice) -> MeshSample | list[MeshSample]:
        if isinstance(index, slice):
            return [self.read(path) for path in self.paths[index]]
        return self.read(self.paths[index])

    def __iter__(self) -> Iterator[MeshSample]:
        return (self.read(path) for path in self.paths)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} meshes, {self.num_classes} classes, labels of {self.label_kind})"


class ChosenMeshes(MeshDataset):
    """Some meshes of a data set, from any of its splits.

    Args:
        source: a reader of the data set.
        paths: the chosen meshes.
        pool: all meshes of the data set; if two have the same name, their names start with the folder.
    """

    def __init__(self, source: MeshDataset, paths: Sequence[Path], pool: Sequence[Path]) -> None:
        self.source, self.paths = source, tuple(paths)
        self.label_kind, self.class_names = source.label_kind, source.class_names
        count = Counter(map(source.name_of, pool))
        self._shared = {name for name, number in count.items() if number > 1}

    @property
    def class_values(self) -> tuple[int, ...]:
        return self.source.class_values

    def name_of(self, path: Path) -> str:
        name = self.source.name_of(path)
        return f"{path.parent.name}/{name}" if name in self._shared else name

    def label_of(self, path: Path) -> int | None:
        return self.source.label_of(path)

    def read(self, path: Path) -> MeshSample:
        return replace(self.source.read(path), name=self.name_of(path))


def mesh_files(folder: Path) -> tuple[Path, ...]:
    """Return all mesh files directly in `folder`, sorted by name.

    An HDF5 file whose groups are meshes counts as a folder of them, and so does a folder of such files without any
    other mesh files.
    """
    if folder.is_file():
        return hdf5_meshes(folder) if folder.suffix.lower() in HDF5_SUFFIXES else ()
    files = sorted(p for p in folder.iterdir() if p.is_file())
    found = tuple(p for p in files if p.suffix.lower() in MESH_SUFFIXES)
    if found:
        return found
    return tuple(mesh for p in files if p.suffix.lower() in HDF5_SUFFIXES for mesh in hdf5_meshes(p))


MESH_SUFFIXES = frozenset({".ply", ".obj", ".off", ".stl", ".glb", ".gltf", ".vtk", ".vtp", ".vtu"})


def existing_folder(root: str | Path, remedy: str, *, groups: bool = False) -> Path:
    """Return `root` as a path: a folder, or, if `groups`, an HDF5 file whose groups are meshes.

    Raises:
        DataError: If the folder does not exist; the message contains the remedy.
    """
    folder = Path(root)
    if not folder.is_dir() and not (groups and folder.is_file() and folder.suffix.lower() in HDF5_SUFFIXES):
        raise DataError(f"No folder {folder}: {remedy}")
    return folder
