"""MeshSample: a mesh with its labels; MeshDataset: what every reader of this package offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, overload

from jaxtyping import Int
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import TriangleMesh

IGNORE_LABEL = -1
"""Label of vertices and faces that count neither in the loss nor in a metric."""

LabelKind = Literal["vertices", "faces", "shape"]


class DataError(ValueError):
    """A data set that cannot be used as it is; the message names the file, the place and what to do."""


@dataclass(frozen=True)
class MeshSample:
    """One mesh with the labels that its data set gives; the labels that it does not give are `None`.

    Attributes:
        name: unique within the data set, stable from run to run, usable as a file name apart from `/`.
        mesh: the surface, vertices and faces in the order of the file.
        vertex_labels: `(V,)` int64 class of each vertex, `IGNORE_LABEL` where unknown.
        face_labels: `(F,)` int64 class of each face, `IGNORE_LABEL` where unknown.
        label: class of the whole shape.
        path: the file that the mesh was read from.
        fields: arrays by name, in place of those that stand in the files of the mesh, see `gaugenet.data.FieldSpec`.
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
    """A sequence of `MeshSample`s in a fixed order; meshes are read when asked for.

    Attributes:
        label_kind: which labels every sample has: `"vertices"`, `"faces"` or `"shape"`.
        class_names: one name a class; labels are indices into it.
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
        """The name of the sample that is read from `path`."""
        return path.stem

    def label_of(self, path: Path) -> int | None:
        """The class of a whole mesh, where it is known without reading the file."""
        return None

    @abstractmethod
    def read(self, path: Path) -> MeshSample:
        """The sample of one mesh file. Raises `DataError` or `MeshError` naming the file."""

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
    """Some meshes of a data set, whichever of its splits they come from.

    Args:
        source: a reader of the data set.
        paths: the chosen meshes.
        pool: all meshes that could be chosen; where two of them have one name, the folder stands before it.
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
    """All mesh files directly in `folder`, sorted by name."""
    return tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in MESH_SUFFIXES and p.is_file()))


MESH_SUFFIXES = frozenset({".ply", ".obj", ".off", ".stl", ".glb", ".gltf", ".vtk", ".vtp", ".vtu"})


def existing_folder(root: str | Path, remedy: str) -> Path:
    """`root` as a path. Raises `DataError` with the remedy if there is no such folder."""
    folder = Path(root)
    if not folder.is_dir():
        raise DataError(f"No folder {folder}: {remedy}")
    return folder
