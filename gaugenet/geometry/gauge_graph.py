"""GaugeGraph: the geometry of a space that layers use."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet._caching import TensorCache
from gaugenet._pyg import Data
from gaugenet._typing import typed_tensor

T = TypeVar("T")

_GEOMETRY = ("edge_index", "log_map", "transporter", "weight", "radius", "batch")
_LEVEL_GEOMETRY = ("pos", "frame", "mass", "radius", "edge_index", "log_map", "transporter", "weight", "batch")
_POOL_GEOMETRY = ("index", "transporter", "weight")


class GaugeGraph(Data):
    r"""Neighbourhoods of a manifold seen from reference frames: where neighbours lie and how features transform.

    Edges run source `q` -> target `p` (`edge_index[0] = q`, `edge_index[1] = p`) and are sorted by target.

    Attributes:
        edge_index: `(2, E)`, int64.
        log_map: `(E, d)`, coordinates, in the frame at `p`, of the tangent vector at `p` along the geodesic to `q`;
            its length is the geodesic distance, in the units of the mesh.
        transporter: `(E, d, d)`, coefficients of a vector at `q` (frame at `q`) -> coefficients at `p` (frame at `p`).
        weight: `(E,)`, quadrature weights (area of `q`'s dual cell over the area of `p`'s neighbourhood).
        frame: `(N, D, d)`, columns are the frame vectors in ambient coordinates.
        pos: `(N, D)`, points.
        mass: `(N,)`, area of the dual cell of each point, in squared units of the mesh.
        radius: `(1,)`, geodesic radius of the neighbourhoods; `(B,)` in a batch, one for each graph.
        structure: name of the structure group, e.g. `"SO(2)"`, which contains all transporters.
        face: `(3, F)`, optional.

    Coarser levels `l = 1, 2, ...` of a hierarchy are stored in the same graph under the prefix `l{l}_` (see `level`,
    `pool`, `unpool`). Their points are a subset of the points of the finer level, with the same frames.

    A gauge transformation `g_p` (:cite:`weiler2021coordinate`, Sec. 2-4) maps `frame -> frame g_p^-1`,
    `log_map -> g_p log_map` and `transporter -> g_p transporter g_q^-1`, see `gauge_transform`.

    After this class has been imported, a file of `torch.save(graph, path)` can be read by
    `torch.load(path, weights_only=True)`, which runs no code.

    Example:
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import SO2
        >>> graph = Icosphere(1).gauge_graph(SO2(), connection="levi_civita")
        >>> graph.num_nodes, graph.log_map.shape, graph.transporter.shape
        (42, torch.Size([240, 2]), torch.Size([240, 2, 2]))
        >>> graph.gauge_transform(SO2().random_element(42)).log_map.norm(dim=1).allclose(graph.log_map.norm(dim=1))
        True
    """

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        level, name = split_level(key)
        if level == 0:
            return super().__inc__(key, value, *args, **kwargs)
        if name == "edge_index":
            return self.level_size(level)
        if name == "node_index":
            return self.level_size(level - 1)
        if name == "pool_index":
            return torch.tensor([[self.level_size(level - 1)], [self.level_size(level)]])
        if name == "unpool_index":
            return torch.tensor([[self.level_size(level)], [self.level_size(level - 1)]])
        return 1 if name == "batch" else 0

    def __cat_dim__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        level, name = split_level(key)
        if level == 0:
            return super().__cat_dim__(key, value, *args, **kwargs)
        return 1 if name in ("edge_index", "pool_index", "unpool_index") else 0

    # --- the interface to layers, see `Domain` --------------------------------------------------------------------

    def gauge_graph(self) -> GaugeGraph:
        """Return this graph."""
        return self

    @property
    def structures(self) -> frozenset[str]:
        """Names of the structure groups: one, or one for each graph of a batch."""
        return frozenset([self.structure] if isinstance(self.structure, str) else self.structure)

    def areas(self, x: Tensor) -> Float[Tensor, "vertices"]:
        """Return `mass`, the area of the dual cell of each point."""
        return typed_tensor(self.mass)

    def membership(self) -> tuple[Int[Tensor, "vertices"], int]:
        """Return the graph of a batch that each point belongs to, and the number of graphs."""
        batch = self.get("batch")
        if batch is None:
            return torch.zeros(self.num_nodes or 0, dtype=torch.int64, device=self.mass.device), self.radius.numel()
        return batch, self.radius.numel()

    def derived(
        self, key: str, build: Callable[[GaugeGraph], T], sources: Callable[[GaugeGraph], list[Tensor]] | None = None
    ) -> T:
        """Return `build(self)`, cached while `sources(self)` (default: `geometry_tensors`) do not change."""
        tensors = self.geometry_tensors() if sources is None else sources(self)
        return self.cached(key, tensors, lambda: build(self))

    # --- levels -------------------------------------------------------------------------------------------------

    @property
    def num_levels(self) -> int:
        """Number of levels of the hierarchy, including the finest."""
        level = 1
        while f"l{level}_pos" in self:
            level += 1
        return level

    def level_size(self, level: int) -> int:
        """Return the number of points of a level; level 0 is this graph."""
        return int(self.num_nodes) if level == 0 else int(self[f"l{level}_pos"].shape[0])

    def level(self, level: int) -> GaugeGraph:
        """Return the gauge graph of one level (level 0 is this graph), the same object on every call."""
        if level == 0:
            return self
        if not 0 < level < self.num_levels:
            raise ValueError(
                f"Expected `level` below {self.num_levels}, got {level}: build the graph with more levels "
                "(`hierarchy(mesh, group, levels=...)`)."
            )

        def build() -> GaugeGraph:
            view = GaugeGraph(structure=self.structure)
            for name in _LEVEL_GEOMETRY:
                key = f"l{level}_{name}"
                if key in self:
                    view[name] = self[key]
            return view

        return self.cached(("level", level), [self[f"l{level}_{n}"] for n in ("log_map", "transporter")], build)

    def pool(self, level: int) -> dict[str, Tensor]:
        """Return the edges that transport features from level `level - 1` to `level`.

        They are `index (2, P)` (fine, coarse), `transporter (P, d, d)` (fine frame -> coarse frame), and `weight (P,)`,
        which sums to one at every coarse point.
        """
        return {name: self[f"l{level}_pool_{name}"] for name in _POOL_GEOMETRY}

    def unpool(self, level: int) -> dict[str, Tensor]:
        """Return the edges that transport features from level `level` back to `level - 1`.

        They are `index (2, U)` (coarse, fine), `transporter (U, d, d)` (coarse frame -> fine frame), and `weight (U,)`,
        which sums to one at every fine point.
        """
        return {name: self[f"l{level}_unpool_{name}"] for name in _POOL_GEOMETRY}

    # --- gauge --------------------------------------------------------------------------------------------------

    def gauge_transform(self, g: Float[Tensor, "vertices d d"]) -> GaugeGraph:
        """Return a new graph with the frames `frame g^-1`: the same space, seen from other frames.

        Args:
            g: one group element per point, `(N, d, d)`. That it lies in the structure group is not checked, so that
                tests can use other elements as negative controls.

        Raises:
            ValueError: If `g` has another shape.
        """
        d = self.log_map.shape[-1]
        if g.shape != (self.num_nodes, d, d):
            raise ValueError(f"Expected `g` of shape ({self.num_nodes}, {d}, {d}), got {tuple(g.shape)}.")
        out: GaugeGraph = self.clone()
        g = g.to(self.log_map)
        _transform_level(out, "", g, g)
        for level in range(1, self.num_levels):
            coarse = g[self[f"l{level}_node_index"]]
            _transform_level(out, f"l{level}_", coarse, g)
            g = coarse
        return out

    # --- precision and caching ----------------------------------------------------------------------------------

    def astype(self, dtype: torch.dtype) -> GaugeGraph:
        """Return a new graph with all floating-point tensors cast to `dtype`; indices are not changed."""
        out: GaugeGraph = self.clone().apply(lambda t: t.to(dtype) if t.is_floating_point() else t)
        return out

    def edge_radius(self) -> Float[Tensor, "edges"]:
        """Return the neighbourhood radius of the graph of each edge; the graphs of a batch have their own radii."""
        num_edges = self.edge_index.shape[1]
        if self.radius.numel() == 1:
            return typed_tensor(self.radius.reshape(1).expand(num_edges))
        return typed_tensor(self.radius[self.batch[self.edge_index[1]]])

    def cached(self, key: Hashable, sources: list[Tensor], build: Callable[[], T]) -> T:
        """Return `build()`, computed once while the tensors in `sources` are the same; see `TensorCache`."""
        cache: TensorCache = self.__dict__.setdefault("_geometry_cache", TensorCache())
        return cache.get(key, sources, build)

    def cached_values(self) -> dict[Hashable, Any]:
        """Return all values in the cache, by key."""
        cache: TensorCache | None = self.__dict__.get("_geometry_cache")
        return {} if cache is None else cache.values()

    def geometry_tensors(self) -> list[Tensor]:
        """Return the tensors of the geometry, the default `sources` of `cached`."""
        return [self[name] for name in _GEOMETRY if name in self and self[name] is not None]

    def __reduce__(self) -> tuple[Callable[..., GaugeGraph], tuple[type[GaugeGraph], dict[str, Any]]]:
        """Pickle names and values only, so that files need no other class; the cache is not stored."""
        return _from_values, (type(self), self.to_dict())

    def __copy__(self) -> GaugeGraph:
        out: GaugeGraph = super().__copy__()
        out.__dict__.pop("_geometry_cache", None)
        return out

    def __deepcopy__(self, memo: dict[int, Any]) -> GaugeGraph:
        cache = self.__dict__.pop("_geometry_cache", None)
        try:
            out: GaugeGraph = super().__deepcopy__(memo)
            return out
        finally:
            if cache is not None:
                self.__dict__["_geometry_cache"] = cache


def split_level(key: str) -> tuple[int, str]:
    """Split `"l2_pool_index"` into `(2, "pool_index")`; keys of the finest level give `(0, key)`."""
    head, _, name = key.partition("_")
    if head[:1] == "l" and head[1:].isdigit():
        return int(head[1:]), name
    return 0, key


def _transform_level(graph: GaugeGraph, prefix: str, g: Tensor, finer: Tensor) -> None:
    """Gauge transform one level in place, by `g` at its points and `finer` at the points of the finer level."""
    source, target = graph[f"{prefix}edge_index"]
    inverse = torch.linalg.inv(g)
    graph[f"{prefix}frame"] = graph[f"{prefix}frame"] @ inverse
    graph[f"{prefix}log_map"] = _apply(g[target], graph[f"{prefix}log_map"])
    graph[f"{prefix}transporter"] = g[target] @ graph[f"{prefix}transporter"] @ inverse[source]
    for name, g_target, g_source in (("pool", g, finer), ("unpool", finer, g)):
        if prefix and f"{prefix}{name}_index" in graph:
            source, target = graph[f"{prefix}{name}_index"]
            key = f"{prefix}{name}_transporter"
            graph[key] = g_target[target] @ graph[key] @ torch.linalg.inv(g_source)[source]


def _apply(g: Tensor, v: Tensor) -> Tensor:
    return (g @ v.unsqueeze(-1)).squeeze(-1)


def is_sorted_by_target(edge_index: Int[Tensor, "2 edges"]) -> bool:
    """Return whether the targets do not decrease, as every engine expects."""
    target = edge_index[1]
    return bool((target[1:] >= target[:-1]).all())


def _from_values(kind: type[GaugeGraph], values: dict[str, Any]) -> GaugeGraph:
    """Return the graph that was stored."""
    graph: GaugeGraph = kind.from_dict(values)
    return graph


torch.serialization.add_safe_globals([GaugeGraph, _from_values])
"""So `torch.load(..., weights_only=True)` reads graphs: tensors and plain values, no code."""
