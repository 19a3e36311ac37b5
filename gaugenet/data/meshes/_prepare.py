"""From labelled meshes to gauge graphs: in parallel, through a cache, as a data set for PyG's loaders."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from torch.utils.data import Dataset

from gaugenet.data.fields.on_graph import attach_inputs
from gaugenet.data.meshes.cache import GraphCache
from gaugenet.data.meshes.features import mesh_of
from gaugenet.data.meshes.input_features import InputFeatures
from gaugenet.data.meshes.labels import face_to_vertex_distribution, hard_labels
from gaugenet.data.meshes.resampled import resampled
from gaugenet.data.meshes.sample import MeshDataset, MeshSample
from gaugenet.data.meshes.usable import Repair, usable_mesh
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.options import NeighborhoodKeywords, NeighborhoodOptions
from gaugenet.groups import StructureGroup

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")
Progress = Callable[..., Iterable[GaugeGraph]]

_LEVELS = 3
"""Levels of a graph, where the options name no number: what `MeshUNet` needs by default."""


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
    **neighborhoods: Unpack[NeighborhoodKeywords],
) -> list[GaugeGraph]:
    """Return the graphs of all meshes with their levels, intrinsic features and targets (see `add_targets`), in order.

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
        **neighborhoods: fields of `NeighborhoodOptions`, with 3 levels and 16 neighbours by default; `frames` by name.

    Raises:
        MeshError: If a mesh cannot be prepared; the message names its file.
        TypeError: If `frames` is an array, or any other argument has a `repr` that is not its whole value.
    """
    cache = GraphCache(cache_dir) if cache_dir is not None else None
    classes = samples.num_classes if num_classes is None and isinstance(samples, MeshDataset) else num_classes
    neighborhoods.setdefault("levels", _LEVELS)
    options = NeighborhoodOptions(**neighborhoods)
    recipe = Recipe(group, features, options, repair, cache, dtype)
    results = in_parallel([partial(_prepare_sample, samples, k, recipe, classes) for k in range(len(samples))], n_jobs)
    return list(results if progress is None else progress(results, total=len(samples)))


class PreparationKeywords(NeighborhoodKeywords, total=False):
    """The options of `prepare_meshes`."""

    repair: Repair
    cache_dir: str | Path | None
    n_jobs: int
    progress: Progress | None
    num_classes: int | None
    dtype: torch.dtype


def in_parallel(jobs: Sequence[Callable[[], T]], n_jobs: int) -> Iterator[T]:
    """Yield the results of all jobs in order: the one place where meshes are prepared side by side."""
    from joblib import Parallel, delayed

    run = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    results: Iterator[T] = run(delayed(job)() for job in jobs)
    return results


@dataclass(frozen=True)
class Recipe:
    """How a mesh becomes a graph.

    Attributes:
        group: the structure group.
        features: their intrinsic values are computed.
        options: the neighbourhoods; `frames` by name, since an array fits one mesh only.
        repair: which repairs are allowed.
        cache: where graphs are looked up and stored; `None` computes every time.
        dtype: of the floating-point tensors.
        resample: where a mesh is far denser or coarser than `options` say, build the graph of another one, see
            `resampled`.

    Raises:
        TypeError: If an option is an array.
    """

    group: StructureGroup
    features: InputFeatures
    options: NeighborhoodOptions
    repair: Repair = "lossless"
    cache: GraphCache | None = None
    dtype: torch.dtype = torch.float32
    resample: bool = False

    def __post_init__(self) -> None:
        for name, value in self.neighborhoods.items():
            if not isinstance(value, str | int | float | None):
                raise TypeError(f"Expected text or a number for `{name}`, got {type(value)}: arrays fit one mesh only.")

    @property
    def neighborhoods(self) -> dict[str, Any]:
        """The options by name, without those that a subclass adds: what the key of a cache is made of."""
        options = self.options.sized()
        return {field.name: getattr(options, field.name) for field in fields(NeighborhoodOptions)}


def prepared_graph(mesh: TriangleMesh, recipe: Recipe, *, name: object) -> GaugeGraph:
    """Return the graph of one mesh: levels, intrinsic features, `vertex_map`, `face_map` and `repairs`.

    See `prepare_meshes`. The graph of a resampled mesh also holds `given_face`, `given_vertex_map` and `given_face_map`
    of the (repaired) mesh that it was made of, and the places of its vertices, `given_corner` and `given_weight`.

    Args:
        mesh: the surface.
        recipe: how it becomes a graph.
        name: what error messages call the mesh.

    Raises:
        MeshError: If the mesh is unusable, and the permitted repair does not help.
    """
    cache, neighborhoods = recipe.cache, recipe.neighborhoods
    if cache is None:
        return _build(mesh, recipe, name)
    resample = ("resampled",) if recipe.resample else ()
    key = cache.key(mesh, recipe.group, recipe.features.cached, recipe.dtype, recipe.repair, neighborhoods, *resample)
    return cache.graph(key, lambda: _build(mesh, recipe, name))


def _build(mesh: TriangleMesh, recipe: Recipe, name: object) -> GaugeGraph:
    try:
        usable = usable_mesh(mesh, recipe.group, recipe.repair)
        other = resampled(usable.mesh, recipe.options.sized(), name) if recipe.resample else None
        surface = usable.mesh if other is None else other.mesh
        graph = gauge_graph_of(surface, recipe.group, recipe.options)
    except ValueError as error:
        raise MeshError(f"{name}: {error}") from error
    graph = recipe.features.prepare(graph, surface).astype(recipe.dtype)
    _require_finite(graph, name)
    maps = {"vertex_map": usable.vertex_map, "face_map": usable.face_map}
    if other is not None:
        maps |= {f"given_{key}": value for key, value in maps.items()}
        maps |= {"vertex_map": usable.vertex_map[other.vertex_map], "face_map": usable.face_map[other.face_map]}
        maps |= {"given_face": usable.mesh.faces.T, "given_corner": other.corner, "given_weight": other.weight}
    for key, value in maps.items():
        graph[key] = torch.from_numpy(np.ascontiguousarray(value))
    graph.repairs = "; ".join(usable.repairs)
    return graph


def _require_finite(graph: GaugeGraph, name: object) -> None:
    bad = [k for k, v in graph.to_dict().items() if isinstance(v, torch.Tensor) and not bool(v.isfinite().all())]
    if bad:
        raise MeshError(f"{name}: {', '.join(bad)} of the graph hold values that are not finite in its precision.")


def gauge_graph_of(mesh: TriangleMesh, group: StructureGroup, options: NeighborhoodOptions) -> GaugeGraph:
    """Build all levels in float64: the one place where data sets ask for geometry."""
    from gaugenet.geometry.mesh._hierarchy import mesh_hierarchy

    return mesh_hierarchy(mesh, group, options, dtype=torch.float64)


def _prepare_sample(samples: Sequence[MeshSample], index: int, recipe: Recipe, num_classes: int | None) -> GaugeGraph:
    sample = samples[index]
    graph = prepared_graph(sample.mesh, recipe, name=sample.path or sample.name)
    attach_inputs(graph, sample, recipe.features.field_specs)
    return add_targets(graph, sample, num_classes)


def add_targets(graph: GaugeGraph, sample: MeshSample, num_classes: int | None = None) -> GaugeGraph:
    """Return a new graph with `name` and the sample's labels as training targets, mapped over repairs.

    - labels of faces: `face_y` `(F,)` as given, `y_soft` `(V, C)` their shares of the area around each vertex
      (float32), `y` `(V,)` the largest of them;
    - labels of vertices: `y` `(V,)`;
    - a label of the shape: `y` `(1,)`.

    Raises:
        ValueError: If the sample has labels of faces, and `num_classes` is `None`.
    """
    out = copy.copy(graph)
    out.name = sample.name
    labels = labels_on(graph, sample)
    if sample.face_labels is not None and labels is not None:
        soft = soft_labels(graph, labels, num_classes)
        out.face_y, out.y_soft, out.y = labels, soft, torch.from_numpy(hard_labels(soft.numpy()))
    elif labels is not None:
        out.y = labels
    return out


def labels_on(graph: GaugeGraph, sample: MeshSample) -> Int[torch.Tensor, "items"] | None:
    """Return the labels of a sample on the faces or vertices of its (repaired) graph, or that of its shape."""
    if sample.face_labels is not None:
        return torch.from_numpy(_mapped(sample.face_labels, graph, "face_map"))
    if sample.vertex_labels is not None:
        return torch.from_numpy(_mapped(sample.vertex_labels, graph, "vertex_map"))
    return None if sample.label is None else torch.tensor([sample.label])


def soft_labels(graph: GaugeGraph, face_labels: Int[torch.Tensor, "faces"], num_classes: int | None) -> torch.Tensor:
    """Return the shares `(V, C)` of the classes in the area around each vertex, float32.

    Raises:
        ValueError: If `num_classes` is `None`.
    """
    if num_classes is None:
        raise ValueError("Expected `num_classes` for a sample with labels of faces, got None.")
    shares = face_to_vertex_distribution(mesh_of(graph), face_labels.numpy(), num_classes)
    return torch.from_numpy(shares.astype(np.float32))


def _mapped(labels: Int[ndarray, "n"], graph: GaugeGraph, name: str) -> Int[ndarray, "n"]:
    return labels[graph[name].numpy()] if name in graph else labels


class GaugeDataset(Dataset[GaugeGraph]):
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
        **preparation: Unpack[PreparationKeywords],
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
