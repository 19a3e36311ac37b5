"""From labelled meshes to graphs with features: repaired where allowed, in parallel, with a way back."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.data import IGNORE_LABEL, DataError, InputFeatures, MeshDataset, MeshSample
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.hierarchy import hierarchy
from gaugenet.geometry.mesh import MeshError, TriangleMesh
from gaugenet.geometry.repair import repair_mesh
from gaugenet.groups import group_from_name
from gaugenet.tasks.data_options import GeometryOptions, Repair
from gaugenet.tasks.outputs import Items
from gaugenet.tasks.progress import progress

logger = logging.getLogger(__name__)

ITEMS: dict[str, Items] = {"faces": "face", "vertices": "vertex", "shape": "mesh"}


@dataclass(frozen=True)
class Prepared:
    """A mesh ready for a network, and the mesh that it was made of.

    Attributes:
        sample: the labelled mesh as it was read.
        graph: gauge graph of the mesh, repaired where need was, with `y` and with the features that do not depend
            on the pose; `x` is not assembled yet.
        vertex_map, face_map: for each vertex and face of the graph the one of `sample.mesh` it comes from.
        repairs: what was repaired, in words; empty for a mesh that was fine.
    """

    sample: MeshSample
    graph: GaugeGraph
    vertex_map: Int[ndarray, "vertices"]
    face_map: Int[ndarray, "faces"]
    repairs: tuple[str, ...] = ()

    def on_original(self, values: Float[ndarray, "items channels"], items: Items) -> Float[ndarray, "old channels"]:
        """Values on the graph's faces or vertices, carried to those of the original mesh.

        Copies of one vertex are averaged. What the repair dropped takes the values of the nearest face or vertex that
        was kept, and NaN where it has no finite place.
        """
        if items == "mesh":
            return values
        mesh = self.sample.mesh
        index, count = (self.face_map, mesh.num_faces) if items == "face" else (self.vertex_map, mesh.num_vertices)
        total = np.zeros((count, values.shape[1]))
        np.add.at(total, index, values)
        copies = np.bincount(index, minlength=count)
        out = total / np.maximum(copies, 1)[:, None]
        lost = copies == 0
        if lost.any():
            places = mesh.vertices[mesh.faces].mean(axis=1) if items == "face" else mesh.vertices
            out[lost] = _nearest(places, out, lost)
        return out


def prepare(
    sample: MeshSample, features: InputFeatures, geometry: GeometryOptions, *, repair: Repair = "lossless"
) -> Prepared:
    """The graph of one labelled mesh.

    Raises:
        MeshError: the mesh is unusable, and `repair` does not allow what would help; the message names the file.
    """
    name = sample.path or sample.name
    try:
        mesh, vertex_map, face_map, repairs = _usable(sample.mesh, geometry, repair)
        graph = hierarchy(
            mesh,
            group_from_name(geometry.group),
            levels=geometry.levels,
            ratio=geometry.ratio,
            mean_neighbors=geometry.mean_neighbors,
            max_neighbors=geometry.max_neighbors,
            frames=geometry.frames,
            seed=0 if geometry.frames == "random" else None,
        )
    except ValueError as error:
        raise MeshError(f"{name}: {error}") from error
    graph = features.prepare(graph)
    graph.y = torch.from_numpy(np.ascontiguousarray(_labels(sample, vertex_map, face_map)))
    return Prepared(sample, graph, vertex_map, face_map, repairs)


def prepare_all(
    dataset: MeshDataset | Sequence[MeshSample],
    features: InputFeatures,
    geometry: GeometryOptions,
    *,
    repair: Repair = "lossless",
    n_jobs: int = -1,
    description: str = "preparing meshes",
) -> list[Prepared]:
    """All graphs of a data set, in its order, prepared in parallel.

    The work goes through one `joblib.Parallel`, as threads unless `joblib.parallel_config(backend=...)` says otherwise,
    so that Dask or Ray can spread it.

    Raises:
        DataError: one or several meshes are unusable; every one of them is named.
    """
    jobs: Iterable[Callable[[], MeshSample]]
    if isinstance(dataset, MeshDataset):
        jobs = [_Read(dataset, path) for path in dataset.paths]
    else:
        jobs = [_Given(sample) for sample in dataset]
    done = _parallel(jobs, features, geometry, repair, n_jobs, description)
    problems = [result for result in done if isinstance(result, str)]
    if problems:
        shown = "\n".join(problems[:10]) + ("\n..." if len(problems) > 10 else "")
        raise DataError(f"{len(problems)} of {len(done)} meshes cannot be used:\n{shown}")
    prepared = [result for result in done if isinstance(result, Prepared)]
    _report_repairs(prepared)
    return prepared


def _parallel(
    jobs: Iterable[Any], features: InputFeatures, geometry: GeometryOptions, repair: Repair, n_jobs: int, text: str
) -> list[Prepared | str]:
    from joblib import Parallel, delayed

    jobs = list(jobs)
    results = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
        delayed(_prepare_or_explain)(job, features, geometry, repair) for job in jobs
    )
    done = []
    with progress(len(jobs), text) as bar:
        for result in results:
            done.append(result)
            bar.advance()
    return done


@dataclass(frozen=True)
class _Read:
    dataset: MeshDataset
    path: Path

    def __call__(self) -> MeshSample:
        return self.dataset.read(self.path)


@dataclass(frozen=True)
class _Given:
    sample: MeshSample

    def __call__(self) -> MeshSample:
        return self.sample


def _prepare_or_explain(
    read: Callable[[], MeshSample], features: InputFeatures, geometry: GeometryOptions, repair: Repair
) -> Prepared | str:
    try:
        return prepare(read(), features, geometry, repair=repair)
    except (ValueError, OSError) as error:
        return str(error)


def _usable(
    mesh: TriangleMesh, geometry: GeometryOptions, repair: Repair
) -> tuple[TriangleMesh, ndarray, ndarray, tuple[str, ...]]:
    """The mesh itself, or what a permitted repair makes of it; vertex and face map; what was done."""
    from gaugenet.geometry.defects import require_usable

    everything = np.arange(mesh.num_vertices), np.arange(mesh.num_faces)
    try:
        require_usable(mesh, oriented=group_from_name(geometry.group).orientation_preserving)
        return (mesh, *everything, ())
    except MeshError:
        if repair == "never":
            raise
        result = repair_mesh(mesh)
        if repair == "lossless" and len(result.face_map) < mesh.num_faces:
            raise
        require_usable(result.mesh, oriented=group_from_name(geometry.group).orientation_preserving)
        return result.mesh, result.vertex_map, result.face_map, tuple(str(action) for action in result.actions)


def _labels(sample: MeshSample, vertex_map: ndarray, face_map: ndarray) -> Int[ndarray, "items"]:
    if sample.face_labels is not None:
        return sample.face_labels[face_map]
    if sample.vertex_labels is not None:
        return sample.vertex_labels[vertex_map]
    return np.array([IGNORE_LABEL if sample.label is None else sample.label])


def _report_repairs(prepared: Sequence[Prepared]) -> None:
    kinds = Counter(action.split(":")[0] for p in prepared for action in p.repairs)
    count = sum(bool(p.repairs) for p in prepared)
    if count:
        what = ", ".join(f"{kind} in {n}" for kind, n in kinds.items())
        logger.info(
            "%d of %d meshes were repaired before use (%s); labels were carried over.", count, len(prepared), what
        )


def _nearest(places: ndarray, values: ndarray, lost: ndarray) -> ndarray:
    from scipy.spatial import cKDTree

    finite = np.isfinite(places).all(axis=1)
    kept = np.flatnonzero(~lost & finite)
    found = np.full((int(lost.sum()), values.shape[1]), np.nan)
    reachable = finite[lost]
    if len(kept) and reachable.any():
        _, nearest = cKDTree(places[kept]).query(places[lost][reachable])
        found[reachable] = values[kept[nearest]]
    return found
