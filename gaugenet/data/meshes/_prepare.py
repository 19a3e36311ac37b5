"""From labelled meshes to gauge graphs: in parallel, through a cache, as a data set for PyG's loaders."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from torch.utils.data import Dataset

from gaugenet.data.meshes.cache import GraphCache
from gaugenet.data.meshes.features import mesh_of
from gaugenet.data.meshes.input_features import InputFeatures
from gaugenet.data.meshes.labels import face_to_vertex_distribution, hard_labels
from gaugenet.data.meshes.sample import MeshDataset, MeshSample
from gaugenet.data.meshes.usable import Repair, usable_mesh
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.groups import StructureGroup

Progress = Callable[..., Iterable]


def prepare_meshes(
    samples: Sequence[MeshSample],
    group: StructureGroup,
    features: InputFeatures,
    *,
    repair: Repair = "lossless",
    cache_dir: str | Path | None = None,
    n_jobs: int = -1,
    progress: Progress | None = None,
    num_classes: int | None = None,
    dtype: torch.dtype = torch.float32,
    **geometry: str | float | None,
) -> list[GaugeGraph]:
    """Graphs of all meshes with their levels, intrinsic features and targets (see `add_targets`), in order.

    Where a mesh had to be repaired, the graph is that of the repaired mesh; `graph.vertex_map` and `graph.face_map`
    name the original vertex and face of each of its own, and `graph.repairs` says in words what was done (empty:
    nothing).

    The work goes through one `joblib.Parallel`, as threads unless `joblib.parallel_config(backend=...)` says otherwise,
    so that Dask or Ray can spread it. `x` is not assembled yet: apply `features` (after augmentation, if any).

    Args:
        samples: a `MeshDataset`, whose meshes are read in the workers, or any sequence of samples.
        group: the structure group.
        features: what the network will see; its intrinsic features are computed here.
        repair: which repairs are allowed, see `usable_mesh`.
        cache_dir: folder of a `GraphCache`; `None` keeps nothing. Labels are not cached.
        n_jobs: workers; -1 takes all cores.
        progress: wraps the iteration, called as `progress(iterator, total=count)`; `tqdm.tqdm` fits.
        num_classes: by default that of the `MeshDataset`; needed to make soft targets from face labels.
        dtype: of the floating-point tensors; geometry and features are computed in float64.
        **geometry: arguments of `gaugenet.geometry.hierarchy`: `levels`, `ratio`, `mean_neighbors`, `max_neighbors`,
            `frames` (by name), `seed`.

    Raises:
        MeshError: a mesh that cannot be prepared, naming its file.
        TypeError: `frames` given as an array, or any other argument whose `repr` is not its whole value.
    """
    from joblib import Parallel, delayed

    for name, value in geometry.items():
        if not isinstance(value, str | int | float | None):
            raise TypeError(f"Expected text or a number for `{name}`, got {type(value)}: arrays fit one mesh only.")
    cache = GraphCache(cache_dir) if cache_dir is not None else None
    classes = samples.num_classes if num_classes is None and isinstance(samples, MeshDataset) else num_classes
    job = _Job(samples, group, features, cache, classes, dtype, repair, dict(sorted(geometry.items())))
    results = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
        delayed(job)(index) for index in range(len(samples))
    )
    return list(results if progress is None else progress(results, total=len(samples)))


def add_targets(graph: GaugeGraph, sample: MeshSample, num_classes: int | None = None) -> GaugeGraph:
    """A new graph with `name` and the sample's labels as training targets, transferred through repairs.

    - labels of faces: `face_y` `(F,)` as given, `y_soft` `(V, C)` their shares of the area around each vertex
    (float32),
      `y` `(V,)` the largest of them;
    - labels of vertices: `y` `(V,)`;
    - a label of the shape: `y` `(1,)`.
    """
    out = copy.copy(graph)
    out.name = sample.name
    if sample.face_labels is not None:
        if num_classes is None:
            raise ValueError("Expected `num_classes` for a sample with labels of faces, got None.")
        labels = _transferred(sample.face_labels, graph, "face_map")
        soft = face_to_vertex_distribution(mesh_of(graph), labels, num_classes).astype(np.float32)
        out.face_y = torch.from_numpy(labels)
        out.y_soft = torch.from_numpy(soft)
        out.y = torch.from_numpy(hard_labels(soft))
    elif sample.vertex_labels is not None:
        out.y = torch.from_numpy(_transferred(sample.vertex_labels, graph, "vertex_map"))
    elif sample.label is not None:
        out.y = torch.tensor([sample.label])
    return out


def _transferred(labels: Int[ndarray, "n"], graph: GaugeGraph, name: str) -> Int[ndarray, "n"]:
    return labels[graph[name].numpy()] if name in graph else labels


class GaugeDataset(Dataset):
    """Prepared graphs held in memory, for `torch_geometric.loader.DataLoader`.

    Args:
        samples, group, features, **preparation: as in `prepare_meshes`.
        transform: applied whenever a graph is asked for; `None` assembles the features. With augmentation, say the
            whole order: `Compose([RandomRotation(), features])`.
    """

    def __init__(
        self,
        samples: Sequence[MeshSample],
        group: StructureGroup,
        features: InputFeatures,
        *,
        transform: Callable[[GaugeGraph], GaugeGraph] | None = None,
        **preparation: Any,
    ) -> None:
        self.graphs = prepare_meshes(samples, group, features, **preparation)
        self.features = features
        self.transform = features if transform is None else transform
        self.in_type = features.in_type(group)

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, index: int) -> GaugeGraph:
        return self.transform(self.graphs[index])

    def __repr__(self) -> str:
        return f"GaugeDataset({len(self)} graphs, {self.in_type}, transform={self.transform!r})"


class _Job:
    """The preparation of one sample, in whichever worker."""

    def __init__(self, samples, group, features, cache, num_classes, dtype, repair, geometry) -> None:
        self.samples, self.group, self.features, self.cache = samples, group, features, cache
        self.num_classes, self.dtype, self.repair, self.geometry = num_classes, dtype, repair, geometry

    def __call__(self, index: int) -> GaugeGraph:
        sample = self.samples[index]
        if self.cache is None:
            graph = self._build(sample)
        else:
            key = self.cache.key(sample.mesh, self.group, self.features, self.dtype, self.repair, self.geometry)
            graph = self.cache.graph(key, lambda: self._build(sample))
        return add_targets(graph, sample, self.num_classes)

    def _build(self, sample: MeshSample) -> GaugeGraph:
        try:
            usable = usable_mesh(sample.mesh, self.group, self.repair)
            graph = gauge_graph_of(usable.mesh, self.group, self.geometry)
        except ValueError as error:
            raise MeshError(f"{sample.path or sample.name}: {error}") from error
        graph = self.features.prepare(graph).astype(self.dtype)
        graph.vertex_map = torch.from_numpy(usable.vertex_map)
        graph.face_map = torch.from_numpy(usable.face_map)
        graph.repairs = "; ".join(usable.repairs)
        return graph


def gauge_graph_of(mesh: TriangleMesh, group: StructureGroup, geometry: dict[str, Any]) -> GaugeGraph:
    """The one place where data sets ask for geometry."""
    from gaugenet.geometry.mesh._hierarchy import hierarchy

    return hierarchy(mesh, group, dtype=torch.float64, **geometry)
