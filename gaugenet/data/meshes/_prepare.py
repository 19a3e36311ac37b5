"""Conversion of labelled meshes to gauge graphs: in parallel, with a cache, as a data set for PyG's loaders."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from torch.utils.data import Dataset

from gaugenet.data.fields.on_graph import attach_inputs
from gaugenet.data.meshes.cache import GraphCache, graph_values
from gaugenet.data.meshes.features import InputFeature, mesh_of
from gaugenet.data.meshes.input_features import InputFeatures, name_in_cache
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
"""Default number of levels of a graph, for `MeshUNet`."""


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

    The graph of a broken mesh is the graph of the repaired mesh. `graph.vertex_map` and `graph.face_map` are the
    original vertex and face of each vertex and face, and `graph.repairs` describes the repairs (empty if none).

    The work is done by one `joblib.Parallel`, with threads or another `joblib.parallel_config(backend=...)` such as
    Dask or Ray. `x` is not assembled yet: apply `features`, after augmentation if any.

    Args:
        samples: a `MeshDataset`, whose meshes are read by the workers, or any sequence of samples.
        group: the structure group.
        features: the input features; intrinsic ones are computed here.
        repair: allowed repairs, see `usable_mesh`.
        cache_dir: folder of a `GraphCache`; `None` for no cache. Labels are not cached.
        n_jobs: number of workers; -1 uses all cores.
        progress: wrapper of the iteration such as `tqdm.tqdm`, called as `progress(iterator, total=count)`.
        num_classes: number of classes for soft targets from face labels, by default from the `MeshDataset`.
        dtype: type of the floating-point tensors; geometry and features are computed in float64.
        **neighborhoods: fields of `NeighborhoodOptions`, with 3 levels and 16 neighbours by default; `frames` by name.

    Raises:
        MeshError: If a mesh cannot be prepared; the message names its file.
        TypeError: If `frames` is an array, or the `repr` of another argument is not its complete value.

    Example:
        >>> from gaugenet.data import HeatKernelSignature, InputFeatures, LabelledMeshFolder, prepare_meshes
        >>> from gaugenet.datasets import bodies
        >>> from gaugenet.groups import SO2
        >>> samples = LabelledMeshFolder(bodies(), "test")
        >>> samples.paths = samples.paths[:1]
        >>> (graph,) = prepare_meshes(samples, SO2(), InputFeatures([HeatKernelSignature()]), levels=1, n_jobs=1)
        >>> graph.y_soft.shape == (graph.num_nodes, 8)  # fractions of the classes around each vertex
        True
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
    """Yield the results of all jobs in order: used wherever meshes are prepared in parallel."""
    from joblib import Parallel, delayed

    run = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    results: Iterator[T] = run(delayed(job)() for job in jobs)
    return results


@dataclass(frozen=True)
class Recipe:
    """The options of the conversion of a mesh to a graph.

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
        """Options by name for the key of a cache, without options of subclasses."""
        options = self.options.sized()
        return {field.name: getattr(options, field.name) for field in fields(NeighborhoodOptions)}


def prepared_graph(mesh: TriangleMesh, recipe: Recipe, *, name: object) -> GaugeGraph:
    """Return the graph of one mesh: levels, intrinsic features, `vertex_map`, `face_map` and `repairs`.

    See `prepare_meshes`. The graph of a resampled mesh also holds `given_face`, `given_vertex_map` and `given_face_map`
    of the (repaired) mesh that it was made of, and the places of its vertices, `given_corner` and `given_weight`.

    Args:
        mesh: the surface.
        recipe: the options.
        name: name of the mesh in error messages.

    Raises:
        MeshError: If the mesh is unusable after the allowed repairs.
    """
    cache = recipe.cache
    resample = ("resampled",) if recipe.resample else ()
    key = ""
    values = surface = None
    if cache is not None:
        key = cache.key(mesh, recipe.group, recipe.dtype, recipe.repair, recipe.neighborhoods, *resample)
        values = cache.get(key)
    if values is None:
        values, surface = _build(mesh, recipe, name)
        if cache is not None:
            cache.put(cache.part_key(key, _SURFACE), surface.values)
            cache.put(key, values)
    graph = cast(GaugeGraph, GaugeGraph.from_dict(values))

    @functools.cache
    def source() -> _Surface:
        return surface or _stored_surface(mesh, graph, key, recipe, name)

    def computed(feature: InputFeature) -> dict[str, Any]:
        x = feature.compute_with(source().graph, source().mesh, cache).to(recipe.dtype)
        _require_finite({feature.key: x}, name)
        return {"x": x.clone()}

    found = {}
    for feature in recipe.features.intrinsic:
        build = partial(computed, feature)
        found[feature.key] = build() if cache is None else cache.part(key, name_in_cache(feature), build)
    for feature_key, part in found.items():
        graph[feature_key] = part["x"]
    return graph


_SURFACE = "surface"  # name in a cache; a change of `_Surface` changes the format version


@dataclass(frozen=True)
class _Surface:
    """What intrinsic features are computed from, in float64.

    Attributes:
        graph: the graph as it is stored, in float64, but with the exact `_EXACT` tensors; without features.
        mesh: its surface.
    """

    graph: GaugeGraph
    mesh: TriangleMesh

    @classmethod
    def of(cls, graph: GaugeGraph, exact: dict[str, Any], mesh: TriangleMesh | None = None) -> _Surface:
        """Return the surface of a graph, given its exact tensors, and its mesh where that is at hand."""
        out = graph.astype(torch.float64)
        for key in _EXACT:
            out[key] = exact[key]
        return cls(out, mesh_of(out) if mesh is None else mesh)

    @property
    def values(self) -> dict[str, Any]:
        """Return the exact tensors for a cache."""
        return {key: self.graph[key].clone() for key in _EXACT}


_EXACT = ("pos", "frame", "mass")


def _stored_surface(mesh: TriangleMesh, graph: GaugeGraph, key: str, recipe: Recipe, name: object) -> _Surface:
    """Return the surface of a graph from the cache; build it again if its file is gone."""
    exact = recipe.cache.get(recipe.cache.part_key(key, _SURFACE)) if recipe.cache is not None else None
    if exact is None:
        return _build(mesh, recipe, name)[1]
    return _Surface.of(graph, exact)


def _build(mesh: TriangleMesh, recipe: Recipe, name: object) -> tuple[dict[str, Any], _Surface]:
    """Return the values of the graph of a mesh, without features, and what these are computed from."""
    try:
        usable = usable_mesh(mesh, recipe.group, recipe.repair)
        other = resampled(usable.mesh, recipe.options.sized(), name) if recipe.resample else None
        surface = usable.mesh if other is None else other.mesh
        exact = gauge_graph_of(surface, recipe.group, recipe.options)
    except ValueError as error:
        raise MeshError(f"{name}: {error}") from error
    graph = exact.astype(recipe.dtype)
    _require_finite(graph.to_dict(), name)
    maps = {"vertex_map": usable.vertex_map, "face_map": usable.face_map}
    if other is not None:
        maps |= {f"given_{key}": value for key, value in maps.items()}
        maps |= {"vertex_map": usable.vertex_map[other.vertex_map], "face_map": usable.face_map[other.face_map]}
        maps |= {"given_face": usable.mesh.faces.T, "given_corner": other.corner, "given_weight": other.weight}
    for key, value in maps.items():
        graph[key] = torch.from_numpy(np.ascontiguousarray(value))
    graph.repairs = "; ".join(usable.repairs)
    same = bool(np.array_equal(exact.pos.numpy(), surface.vertices))  # not where the origin was moved
    return graph_values(graph), _Surface.of(graph, exact.to_dict(), surface if same else None)


def _require_finite(values: dict[str, Any], name: object) -> None:
    bad = [k for k, v in values.items() if isinstance(v, torch.Tensor) and not bool(v.isfinite().all())]
    if bad:
        raise MeshError(f"{name}: {', '.join(bad)} of the graph are not finite in its precision.")


def gauge_graph_of(mesh: TriangleMesh, group: StructureGroup, options: NeighborhoodOptions) -> GaugeGraph:
    """Build all levels in float64; used wherever data sets need geometry."""
    from gaugenet.geometry.mesh._hierarchy import mesh_hierarchy

    return mesh_hierarchy(mesh, group, options, dtype=torch.float64)


def _prepare_sample(samples: Sequence[MeshSample], index: int, recipe: Recipe, num_classes: int | None) -> GaugeGraph:
    sample = samples[index]
    graph = prepared_graph(sample.mesh, recipe, name=sample.path or sample.name)
    attach_inputs(graph, sample, recipe.features.field_specs)
    return add_targets(graph, sample, num_classes)


def add_targets(graph: GaugeGraph, sample: MeshSample, num_classes: int | None = None) -> GaugeGraph:
    """Return a new graph with `name` and the labels of the sample as targets, transferred to repaired meshes.

    - Labels of faces: `face_y` `(F,)` are the labels, `y_soft` `(V, C)` their fractions of the area around each vertex
      (float32), `y` `(V,)` the class of the largest fraction.
    - Labels of vertices: `y` `(V,)`.
    - A label of the shape: `y` `(1,)`.

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
    """Return the labels of a sample on the faces or vertices of its (repaired) graph, or the label of its shape."""
    if sample.face_labels is not None:
        return torch.from_numpy(_mapped(sample.face_labels, graph, "face_map"))
    if sample.vertex_labels is not None:
        return torch.from_numpy(_mapped(sample.vertex_labels, graph, "vertex_map"))
    return None if sample.label is None else torch.tensor([sample.label])


def soft_labels(graph: GaugeGraph, face_labels: Int[torch.Tensor, "faces"], num_classes: int | None) -> torch.Tensor:
    """Return the fractions `(V, C)` of the classes in the area around each vertex, float32.

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
    """Prepared graphs in memory, for `torch_geometric.loader.DataLoader`.

    Args:
        samples, group, features, **preparation: see `prepare_meshes`.
        transform: applied whenever a graph is indexed; `None` assembles the features. With augmentation, give the
            complete order: `Compose([RandomRotation(), features])`.

    Example:
        >>> from gaugenet.data import GaugeDataset, HeatKernelSignature, InputFeatures, LabelledMeshFolder
        >>> from gaugenet.datasets import bodies
        >>> from gaugenet.groups import SO2
        >>> samples = LabelledMeshFolder(bodies(), "test")
        >>> samples.paths = samples.paths[:1]
        >>> data = GaugeDataset(samples, SO2(), InputFeatures([HeatKernelSignature(8)]), levels=1, n_jobs=1)
        >>> data[0].x.shape == (data[0].num_nodes, 8)
        True
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
