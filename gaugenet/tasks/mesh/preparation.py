"""Labelled meshes as graphs for a network, with maps back to the original meshes. Errors name all unusable meshes."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet.data import DataError, GraphCache, InputFeatures, MeshDataset, MeshSample
from gaugenet.data.fields.on_graph import attach_inputs, attach_targets
from gaugenet.data.fields.spec import FieldSpec
from gaugenet.data.meshes._prepare import Recipe, in_parallel, labels_on, prepared_graph, soft_labels
from gaugenet.data.meshes.features import mesh_of
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.groups import group_from_name
from gaugenet.tasks.mesh.data_options import GeometryOptions, Repair
from gaugenet.tasks.mesh.outputs import Items
from gaugenet.tasks.training.progress import progress

logger = logging.getLogger(__name__)

ITEMS: dict[str, Items] = {"faces": "face", "vertices": "vertex", "shape": "mesh"}
_MAPS = ("vertex_map", "face_map", "repairs")
_GIVEN = ("given_face", "given_corner", "given_weight", "given_vertex_map", "given_face_map")


@dataclass(frozen=True)
class Preparation:
    """How meshes become graphs.

    Attributes:
        features: inputs of the network.
        geometry: options of the gauge graph.
        repair: which repairs are allowed.
        cache: folder of prepared meshes, or `None`.
        n_jobs: threads; -1 uses all cores.
        soft_labels: also keep the shares of the classes around each vertex, as `y_soft`.
        targets: fields that the graphs hold as targets.
        resample: whether the network works on another mesh where the given one is far denser or coarser than the
            training meshes, see `gaugenet.data.meshes.resampled`.
    """

    features: InputFeatures
    geometry: GeometryOptions = field(default_factory=GeometryOptions)
    repair: Repair = "lossless"
    cache: Path | None = None
    n_jobs: int = -1
    soft_labels: bool = False
    targets: tuple[FieldSpec, ...] = ()
    resample: bool = False

    def recipe(self) -> Recipe:
        """Return the recipe from which `gaugenet.data` builds one graph."""
        cache = GraphCache(self.cache) if self.cache is not None else None
        group = group_from_name(self.geometry.group)
        return Recipe(group, self.features, self.geometry, self.repair, cache, resample=self.resample)


@dataclass(frozen=True)
class GivenMesh:
    """The (repaired) mesh before it was resampled for a graph.

    Attributes:
        face: its faces.
        corner: for each of its vertices three points of the graph.
        weight: barycentric coordinates in their triangle.
        vertex_map, face_map: for each of its vertices and faces the index in the sample.
    """

    face: Int[Tensor, "3 faces"]
    corner: Int[Tensor, "vertices 3"]
    weight: Float[Tensor, "vertices 3"]
    vertex_map: Int[ndarray, "vertices"]
    face_map: Int[ndarray, "faces"]

    def interpolated(self, values: Float[Tensor, "points channels"]) -> Float[Tensor, "vertices channels"]:
        """Return the values of the points of the graph at the vertices of the mesh."""
        out = self.weight[:, :1].to(values) * values[self.corner[:, 0]]
        for k in (1, 2):
            out += self.weight[:, k : k + 1].to(values) * values[self.corner[:, k]]
        return out


@dataclass(frozen=True)
class Prepared:
    """A mesh prepared for a network, and the mesh that it was made from.

    Attributes:
        sample: the labelled mesh as it was read.
        graph: gauge graph of the mesh, repaired where necessary, with `y` (where there are labels) and with the
            features that do not depend on the pose; `x` is not assembled yet.
        vertex_map, face_map: for each vertex and face of the graph its source in `sample.mesh`.
        repairs: descriptions of the repairs; empty if there were none.
        given: the repaired mesh if the graph is of a resampled mesh, else `None`.
    """

    sample: MeshSample
    graph: GaugeGraph
    vertex_map: Int[ndarray, "vertices"]
    face_map: Int[ndarray, "faces"]
    repairs: str = ""
    given: GivenMesh | None = None

    @property
    def surface(self) -> TriangleMesh:
        """The repaired mesh, whose faces have the rows that `on_original` takes."""
        if self.given is None:
            return mesh_of(self.graph)
        return TriangleMesh(self.sample.mesh.vertices[self.given.vertex_map], self.given.face.T)

    def on_original(self, values: Float[ndarray, "items channels"], items: Items) -> Float[ndarray, "old channels"]:
        """Transfer values from the faces or vertices of the repaired mesh to the original mesh.

        Copies of one vertex are averaged. A dropped face or vertex takes the value of the nearest one that was
        kept, or NaN if it has no finite position.
        """
        if items == "mesh" or not self.repairs:
            return values
        mesh = self.sample.mesh
        maps = self.given or self
        index, count = (maps.face_map, mesh.num_faces) if items == "face" else (maps.vertex_map, mesh.num_vertices)
        total = np.zeros((count, values.shape[1]))
        np.add.at(total, index, values)
        copies = np.bincount(index, minlength=count)
        out = total / np.maximum(copies, 1)[:, None]
        lost = copies == 0
        if lost.any():
            positions = mesh.vertices[mesh.faces].mean(axis=1) if items == "face" else mesh.vertices
            out[lost] = _nearest(positions, out, lost)
        return out


def prepare_mesh(sample: MeshSample, how: Preparation, *, num_classes: int | None = None) -> Prepared:
    """Return the graph of one labelled mesh with its targets.

    Raises:
        MeshError: If the mesh is unusable, and the permitted repairs do not help; the message names the file.
    """
    return _prepare(sample, how, how.recipe(), num_classes)


def _prepare(sample: MeshSample, how: Preparation, recipe: Recipe, num_classes: int | None) -> Prepared:
    graph = prepared_graph(sample.mesh, recipe, name=sample.path or sample.name)
    attach_inputs(graph, sample, recipe.features.field_specs)
    attach_targets(graph, sample, how.targets)
    if (labels := labels_on(graph, sample)) is not None:
        graph.y = labels
        if how.soft_labels and sample.face_labels is not None:
            graph.y_soft = soft_labels(graph, labels, num_classes)
    vertex_map, face_map, repairs = (graph[name] for name in _MAPS)
    given = None
    if "given_face" in graph:
        face, corner, weight, *maps = (graph[name] for name in _GIVEN)
        given = GivenMesh(face, corner, weight, *(index.numpy() for index in maps))
    for name in (*_MAPS, *(_GIVEN if given else ())):
        del graph[name]
    return Prepared(sample, graph, vertex_map.numpy(), face_map.numpy(), repairs, given)


def prepare_all(
    samples: Sequence[MeshSample], how: Preparation, *, description: str = "preparing meshes"
) -> list[Prepared]:
    """Return all graphs of a data set, in its order, prepared in parallel.

    The work goes through one `joblib.Parallel`, as threads unless `joblib.parallel_config(backend=...)` says otherwise,
    so that Dask or Ray can spread it.

    Raises:
        DataError: If meshes are unusable; the message names all of them.
    """
    if isinstance(samples, MeshDataset):
        num_classes = samples.num_classes
    else:
        num_classes = 1 + max(
            (int(s.face_labels.max(initial=0)) for s in samples if s.face_labels is not None), default=0
        )
    results = prepare_each(
        [partial(samples.__getitem__, index) for index in range(len(samples))],
        how,
        num_classes=num_classes,
        description=description,
    )
    problems = [result for result in results if isinstance(result, str)]
    if problems:
        shown = "\n".join(problems[:10]) + ("\n..." if len(problems) > 10 else "")
        raise DataError(f"{len(problems)} of {len(results)} meshes cannot be used:\n{shown}")
    prepared = [result for result in results if isinstance(result, Prepared)]
    _report_repairs(prepared)
    return prepared


def prepare_each(
    readers: Sequence[Callable[[], MeshSample]],
    how: Preparation,
    *,
    num_classes: int | None = None,
    description: str = "preparing meshes",
) -> list[Prepared | str]:
    """Return for each reader of a mesh its graph, or the reason why there is none."""
    recipe = how.recipe()
    jobs = [partial(_prepare_or_explain, reader, how, recipe, num_classes) for reader in readers]
    results = in_parallel(jobs, how.n_jobs)
    done = []
    with progress(len(readers), description) as bar:
        for result in results:
            done.append(result)
            bar.advance()
    return done


def _prepare_or_explain(
    read: Callable[[], MeshSample], how: Preparation, recipe: Recipe, num_classes: int | None
) -> Prepared | str:
    try:
        return _prepare(read(), how, recipe, num_classes)
    except (ValueError, OSError) as error:
        return str(error)


def _report_repairs(prepared: Sequence[Prepared]) -> None:
    kinds = Counter(action.split(":")[0] for p in prepared if p.repairs for action in p.repairs.split("; "))
    count = sum(bool(p.repairs) for p in prepared)
    if count:
        what = ", ".join(f"{kind} in {n}" for kind, n in kinds.items())
        logger.info(
            "%d of %d meshes were repaired before use (%s); labels were transferred.", count, len(prepared), what
        )


def _nearest(positions: ndarray, values: ndarray, lost: ndarray) -> ndarray:
    from scipy.spatial import cKDTree

    finite = np.isfinite(positions).all(axis=1)
    found_rows = np.flatnonzero(~lost & finite)
    found = np.full((int(lost.sum()), values.shape[1]), np.nan)
    reachable = finite[lost]
    if len(found_rows) and reachable.any():
        _, nearest = cKDTree(positions[found_rows]).query(positions[lost][reachable])
        found[reachable] = values[found_rows[nearest]]
    return found
