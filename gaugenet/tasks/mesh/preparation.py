"""Labelled meshes as graphs for a network, each with the way back to the mesh as it was given; all bad ones named."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet import data
from gaugenet.data import DataError, InputFeatures, MeshDataset, MeshSample
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.groups import group_from_name
from gaugenet.tasks.mesh.data_options import GeometryOptions, Repair
from gaugenet.tasks.mesh.outputs import Items
from gaugenet.tasks.training.progress import progress

logger = logging.getLogger(__name__)

ITEMS: dict[str, Items] = {"faces": "face", "vertices": "vertex", "shape": "mesh"}
_LABELS = ("name", "repairs", "vertex_map", "face_map", "face_y", "y", "y_soft")


@dataclass(frozen=True)
class Preparation:
    """How meshes become graphs.

    Attributes:
        features: what the network sees.
        geometry: options of the gauge graph.
        repair: which repairs are allowed.
        cache: folder of prepared meshes, or none.
        n_jobs: threads; -1 uses all cores.
        soft_labels: also keep the shares of the classes around each vertex, as `y_soft`.
    """

    features: InputFeatures
    geometry: GeometryOptions = field(default_factory=GeometryOptions)
    repair: Repair = "lossless"
    cache: Path | None = None
    n_jobs: int = -1
    soft_labels: bool = False


@dataclass(frozen=True)
class Prepared:
    """A mesh ready for a network, and the mesh that it was made of.

    Attributes:
        sample: the labelled mesh as it was read.
        graph: gauge graph of the mesh, repaired where need was, with `y` (where there are labels) and with the
            features that do not depend on the pose; `x` is not assembled yet.
        vertex_map, face_map: for each vertex and face of the graph the one of `sample.mesh` it comes from.
        repairs: what was repaired, in words; empty for a mesh that was fine.
    """

    sample: MeshSample
    graph: GaugeGraph
    vertex_map: Int[ndarray, "vertices"]
    face_map: Int[ndarray, "faces"]
    repairs: str = ""

    def on_original(self, values: Float[ndarray, "items channels"], items: Items) -> Float[ndarray, "old channels"]:
        """Values on the graph's faces or vertices, transferred to those of the original mesh.

        Copies of one vertex are averaged. What the repair dropped takes the values of the nearest face or vertex that
        was kept, and NaN where it has no finite place.
        """
        if items == "mesh" or not self.repairs:
            return values
        mesh = self.sample.mesh
        index, count = (self.face_map, mesh.num_faces) if items == "face" else (self.vertex_map, mesh.num_vertices)
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
    """The graph of one labelled mesh (see `gaugenet.data.prepare_meshes`).

    Raises:
        MeshError: the mesh is unusable, and the repairs that are allowed do not help; the message names the file.
    """
    [graph] = data.prepare_meshes(
        [sample],
        group_from_name(how.geometry.group),
        how.features,
        repair=how.repair,
        cache_dir=how.cache,
        n_jobs=1,
        num_classes=num_classes,
        seed=0 if how.geometry.frames == "random" else None,
        **{name: value for name, value in asdict(how.geometry).items() if name != "group"},
    )
    held = {name: graph[name] for name in _LABELS if name in graph}
    for name in held:
        del graph[name]
    if (labels := held.get("face_y", held.get("y"))) is not None:
        graph.y = labels
    if how.soft_labels and "y_soft" in held:
        graph.y_soft = held["y_soft"]
    return Prepared(sample, graph, held["vertex_map"].numpy(), held["face_map"].numpy(), held["repairs"])


def prepare_all(
    samples: Sequence[MeshSample], how: Preparation, *, description: str = "preparing meshes"
) -> list[Prepared]:
    """All graphs of a data set, in its order, prepared in parallel.

    The work goes through one `joblib.Parallel`, as threads unless `joblib.parallel_config(backend=...)` says otherwise,
    so that Dask or Ray can spread it.

    Raises:
        DataError: one or several meshes are unusable; every one of them is named.
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
    """For each reader of a mesh its graph, or the reason why there is none."""
    from joblib import Parallel, delayed

    results = Parallel(n_jobs=how.n_jobs, prefer="threads", return_as="generator")(
        delayed(_prepare_or_explain)(reader, how, num_classes) for reader in readers
    )
    done = []
    with progress(len(readers), description) as bar:
        for result in results:
            done.append(result)
            bar.advance()
    return done


def _prepare_or_explain(read: Callable[[], MeshSample], how: Preparation, num_classes: int | None) -> Prepared | str:
    try:
        return prepare_mesh(read(), how, num_classes=num_classes)
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
