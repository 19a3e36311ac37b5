"""Other meshes of the same surfaces, as further training data: a network then sees more than one triangulation."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from gaugenet._validation import positive
from gaugenet.data.meshes.cache import GraphCache, Values
from gaugenet.data.meshes.sample import MeshDataset, MeshSample
from gaugenet.data.meshes.usable import Repair, usable_mesh
from gaugenet.geometry.mesh.closest import closest_points
from gaugenet.geometry.mesh.decimate import decimate
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.refine import even_spacing, refine, subdivide
from gaugenet.groups import StructureGroup

logger = logging.getLogger(__name__)

_DENSER = 2.5  # how much shorter the edges of the mesh are that is decimated to an even one


class Remeshing(ABC):
    """A rule that makes another mesh of nearly the same surface.

    A subclass implements `remeshed`; its `repr` is the constructor call.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import Decimation
        >>> from gaugenet.geometry import Icosphere, TriangleMesh
        >>> sphere = Icosphere(3)
        >>> mesh = TriangleMesh(sphere.pos, sphere.face.T)
        >>> mesh.num_vertices, Decimation(0.5).remeshed(mesh, np.random.default_rng(0)).num_vertices
        (642, 321)
    """

    @abstractmethod
    def remeshed(self, mesh: TriangleMesh, rng: np.random.Generator) -> TriangleMesh:
        """Return the other mesh.

        Args:
            mesh: a mesh that `require_usable` accepts.
            rng: random numbers.

        Raises:
            MeshError: If the mesh does not allow it, such as a decimation of a surface that is not orientable.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


class Subdivision(Remeshing):
    """Every triangle is cut into four, at the middle of its edges: the same polyhedron.

    Args:
        times: how often; 4 to that power times the faces.
    """

    def __init__(self, times: int = 1) -> None:
        self.times = _checked("times", positive("times", times), 1, 4)

    def remeshed(self, mesh: TriangleMesh, rng: np.random.Generator) -> TriangleMesh:
        for _ in range(self.times):
            mesh = subdivide(mesh)
        return mesh


class Decimation(Remeshing):
    """Fewer vertices for the same shape, by quadric errors, see `gaugenet.geometry.mesh.decimate`.

    Args:
        share: vertices of the new mesh over those of the old one, below 1.
    """

    def __init__(self, share: float = 0.5) -> None:
        self.share = _checked("share", share, 0.01, 1.0)

    def remeshed(self, mesh: TriangleMesh, rng: np.random.Generator) -> TriangleMesh:
        return decimate(mesh, max(4, round(self.share * mesh.num_vertices))).mesh


class IsotropicRemeshing(Remeshing):
    """Evenly spaced vertices, most of them new.

    Args:
        share: vertices of the new mesh over those of the old one.
    """

    def __init__(self, share: float = 1.0) -> None:
        self.share = _checked("share", share, 0.01, 4.0)

    def remeshed(self, mesh: TriangleMesh, rng: np.random.Generator) -> TriangleMesh:
        return _even(mesh, max(4, round(self.share * mesh.num_vertices)))


class AnisotropicRemeshing(Remeshing):
    """Vertices that are denser along a random axis than across it.

    Args:
        ratio: of the two spacings.
    """

    def __init__(self, ratio: float = 3.0) -> None:
        self.ratio = _checked("ratio", ratio, 1.0, 20.0)

    def remeshed(self, mesh: TriangleMesh, rng: np.random.Generator) -> TriangleMesh:
        axis = rng.standard_normal(3)
        axis /= np.linalg.norm(axis)
        stretch = np.eye(3) + (self.ratio - 1) * np.outer(axis, axis)
        found = _even(TriangleMesh(mesh.vertices @ stretch, mesh.faces), mesh.num_vertices)
        return TriangleMesh(found.vertices @ np.linalg.inv(stretch), found.faces)


class VertexNoise(Remeshing):
    """Normal noise on the positions of the vertices.

    Args:
        size: standard deviation of a coordinate over the mean length of an edge.
    """

    def __init__(self, size: float = 0.01) -> None:
        self.size = _checked("size", size, 0.0, 1.0)

    def remeshed(self, mesh: TriangleMesh, rng: np.random.Generator) -> TriangleMesh:
        size = self.size * mesh.edge_lengths.mean()
        return TriangleMesh(mesh.vertices + size * rng.standard_normal(mesh.vertices.shape), mesh.faces)


class Holes(Remeshing):
    """Holes with free borders, around random points of the surface.

    Of each connected part of the mesh, the largest piece that is left stays.

    Args:
        count: number of holes.
        radius: of each, over the square root of the area of the mesh.
    """

    def __init__(self, count: int = 3, radius: float = 0.05) -> None:
        self.count = _checked("count", positive("count", count), 1, 1000)
        self.radius = _checked("radius", radius, 0.0, 1.0)

    def remeshed(self, mesh: TriangleMesh, rng: np.random.Generator) -> TriangleMesh:
        share = mesh.face_areas / mesh.area
        centers = mesh.vertices[mesh.faces].mean(axis=1)
        middle = centers[rng.choice(mesh.num_faces, self.count, p=share)]
        away = np.linalg.norm(centers[:, None] - middle, axis=2).min(axis=1) > self.radius * np.sqrt(mesh.area)
        return _largest_parts(mesh, away)


class Cut(Remeshing):
    """The part of a surface on one side of a plane; the rest, such as a limb, is cut off.

    Of each connected part of the mesh, the largest piece on this side stays.

    Args:
        share: of the area that is cut off.
    """

    def __init__(self, share: float = 0.08) -> None:
        self.share = _checked("share", share, 0.0, 0.9)

    def remeshed(self, mesh: TriangleMesh, rng: np.random.Generator) -> TriangleMesh:
        height = mesh.vertices[mesh.faces].mean(axis=1) @ rng.standard_normal(3)
        order = np.argsort(height)
        kept = np.zeros(mesh.num_faces, dtype=bool)
        kept[order[np.cumsum(mesh.face_areas[order]) <= (1 - self.share) * mesh.area]] = True
        return _largest_parts(mesh, kept)


class RemeshedMeshes(MeshDataset):
    """A data set together with other meshes of its surfaces, one for each mesh and rule.

    A face takes the label of the closest face, a vertex that of the nearest corner of the closest face. The same
    meshes and rules, in the same order, always give the same result.

    Args:
        source: the labelled meshes.
        rules: the remeshings.
        group: the structure group, as in `usable_mesh`.
        repair: repairs before the remeshing, as in `usable_mesh`.
        cache: of the other meshes, which are made once only; a rule is known by its `repr`. `None` for none.

    Example:
        >>> from gaugenet.data import IsotropicRemeshing, LabelledMeshFolder, RemeshedMeshes
        >>> from gaugenet.datasets import bodies
        >>> from gaugenet.groups import SO2
        >>> samples = LabelledMeshFolder(bodies(), "test")
        >>> both = RemeshedMeshes(samples, [IsotropicRemeshing()], SO2())
        >>> len(samples), len(both), both[16].name
        (16, 32, 'bear_0~1')
    """

    def __init__(
        self,
        source: MeshDataset,
        rules: Sequence[Remeshing],
        group: StructureGroup,
        repair: Repair = "lossless",
        *,
        cache: GraphCache | None = None,
    ) -> None:
        self.source, self.rules, self.group, self.repair, self.cache = source, tuple(rules), group, repair, cache
        self.label_kind, self.class_names = source.label_kind, source.class_names
        self.paths = source.paths * (1 + len(self.rules))

    @property
    def class_values(self) -> tuple[int, ...]:
        return self.source.class_values

    @property
    def names(self) -> list[str]:
        return [self._name(self.source.name_of(path), k // len(self.source)) for k, path in enumerate(self.paths)]

    def name_of(self, path: Path) -> str:
        return self.source.name_of(path)

    def label_of(self, path: Path) -> int | None:
        return self.source.label_of(path)

    def read(self, path: Path) -> MeshSample:
        return self.source.read(path)

    def __getitem__(self, index: int | slice) -> MeshSample | list[MeshSample]:  # type: ignore[override]
        if isinstance(index, slice):
            return [self._at(k) for k in range(*index.indices(len(self)))]
        return self._at(range(len(self))[index])

    def __iter__(self) -> Iterator[MeshSample]:
        return map(self._at, range(len(self)))

    def _at(self, index: int) -> MeshSample:
        number, row = divmod(index, len(self.source))
        sample = self.source[row]
        return sample if number == 0 else self._other(sample, number, row)

    def _other(self, sample: MeshSample, number: int, row: int) -> MeshSample:
        """Return the mesh that a rule makes of a sample, or the sample where the rule does not apply."""
        rule, name = self.rules[number - 1], self._name(sample.name, number)
        if self.cache is None:
            found = self._made(sample.mesh, rule, number, row)
        else:
            key = self.cache.key(sample.mesh, "remeshed", rule, number, row, self.group, self.repair)
            found = self.cache.part(key, "other mesh", lambda: self._made(sample.mesh, rule, number, row))
        if "failure" in found:
            logger.info("%s: %r was left out: %s", sample.name, rule, found["failure"])
            return replace(sample, name=name)
        labels: dict[str, ndarray | None] = {
            "face_labels": None if sample.face_labels is None else sample.face_labels[found["nearest_face"].numpy()],
            "vertex_labels": None if sample.vertex_labels is None else sample.vertex_labels[found["nearest"].numpy()],
        }
        mesh = TriangleMesh(found["vertices"].numpy(), found["faces"].numpy())
        return replace(sample, name=name, mesh=mesh, **labels)  # type: ignore[arg-type]

    def _made(self, given: TriangleMesh, rule: Remeshing, number: int, row: int) -> Values:
        """Return the other mesh, with the nearest given vertex and face of each vertex and face, or the failure."""
        try:
            usable = usable_mesh(given, self.group, self.repair)
            mesh = rule.remeshed(usable.mesh, np.random.default_rng([number, row]))
        except MeshError as error:
            return {"failure": str(error)}
        place = closest_points(usable.mesh, mesh.vertices, mesh.vertex_normals)
        corner = usable.mesh.faces[place.face, place.weight.argmax(axis=1)]
        centers = mesh.vertices[mesh.faces].mean(axis=1)
        face = closest_points(usable.mesh, centers, mesh.face_normals).face
        arrays = {"vertices": mesh.vertices, "faces": mesh.faces}
        arrays |= {"nearest": usable.vertex_map[corner], "nearest_face": usable.face_map[face]}
        return {key: torch.tensor(value) for key, value in arrays.items()}

    def _name(self, name: str, number: int) -> str:
        return f"{name}~{number}" if number else name


def _checked(name: str, value: float, low: float, high: float) -> Any:
    """Return a value between two bounds.

    Raises:
        ValueError: If it is outside.
    """
    if isinstance(value, str) or not low <= value <= high:
        raise ValueError(f"Expected `{name}` from {low:g} to {high:g}, got {value!r}.")
    return value


def _even(mesh: TriangleMesh, count: int) -> TriangleMesh:
    """Return an even mesh: the surface is refined far beyond the number of vertices, and decimated to it."""
    dense = refine(mesh, even_spacing(mesh.area / count) / _DENSER).mesh
    return decimate(dense, count, fidelity=1.0).mesh


def _largest_parts(mesh: TriangleMesh, kept: ndarray) -> TriangleMesh:
    """Return, of each connected part of a mesh, the largest connected piece of the faces that are kept.

    Raises:
        MeshError: If none are left.
    """
    if not kept.any():
        raise MeshError("no face would be left.")
    faces = mesh.faces[kept]
    piece = TriangleMesh(mesh.vertices, faces).vertex_components[faces[:, 0]]
    areas = np.bincount(piece, weights=mesh.face_areas[kept])
    whole = mesh.vertex_components[faces[:, 0]]
    order = np.argsort(areas[piece], kind="stable")
    largest = np.zeros(whole.max() + 1, dtype=piece.dtype)
    largest[whole[order]] = piece[order]  # the last one stays
    used, inside = np.unique(faces[piece == largest[whole]], return_inverse=True)
    return TriangleMesh(mesh.vertices[used], inside.reshape(-1, 3))


__all__ = [
    "AnisotropicRemeshing",
    "Cut",
    "Decimation",
    "Holes",
    "IsotropicRemeshing",
    "RemeshedMeshes",
    "Remeshing",
    "Subdivision",
    "VertexNoise",
]
