"""Logarithmic maps and parallel transport to all vertices within a geodesic radius, for all vertices at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from gaugenet.geometry.mesh._crowd import WINDOWS, Crowd, crowd_reach
from gaugenet.geometry.mesh._nearest import first_of_each
from gaugenet.geometry.mesh._paths import CROWDED, NO_ROOM, NO_ROWS, local_geodesics
from gaugenet.geometry.mesh._reciprocity import make_reciprocal
from gaugenet.geometry.mesh._tables import Found, new_found, new_search, with_more_room, with_more_rows
from gaugenet.geometry.mesh.halfedge import HalfedgeArrays, HalfedgeSurface
from gaugenet.geometry.mesh.marks import quantized
from gaugenet.geometry.mesh.mesh import MeshError

S = TypeVar("S")
T = TypeVar("T")

_MAX_WINDOWS = 1_000_000
_CHUNK = 2048


@dataclass(frozen=True)
class LocalLogMaps:
    """Polar coordinates of neighbours, and the transport of vectors from them, before any choice of frames.

    Attributes:
        indptr: `(S + 1,)`, the pairs of target `targets[i]` are `indptr[i]:indptr[i + 1]`.
        targets: `(S,)`, the points at the centres of the neighbourhoods.
        source: `(E,)`, the neighbours.
        distance: `(E,)`, geodesic distance on the polyhedron, in the units of the mesh.
        angle: `(E,)`, direction at the target toward the neighbour: polar angle from the target's reference direction.
        transport: `(E,)`, a vector at the neighbour at polar angle `a` arrives at the target at polar angle `a +
            transport`.
        sign: `(E,)`, 1, or -1 where the path reverses the local orientation (a vector at polar angle `a` arrives at
            `-a + transport`).
    """

    indptr: Int[ndarray, "targets_plus_one"]
    targets: Int[ndarray, "targets"]
    source: Int[ndarray, "edges"]
    distance: Float[ndarray, "edges"]
    angle: Float[ndarray, "edges"]
    transport: Float[ndarray, "edges"]
    sign: Int[ndarray, "edges"]

    @property
    def target(self) -> Int[ndarray, "edges"]:
        """Return the target of each pair; pairs are sorted by it if the targets are."""
        return np.repeat(self.targets, np.diff(self.indptr))

    def select(self, keep: ndarray) -> LocalLogMaps:
        """Return only the pairs of a mask, or at sorted positions."""
        return self._with_pairs(np.flatnonzero(keep) if keep.dtype == bool else keep)

    def nearest(self, count: int | None, mark: Float[ndarray, "vertices"]) -> LocalLogMaps:
        """Return only the `count` nearest neighbours of each target; ties go to the lower mark."""
        if count is None or not len(self.source) or np.diff(self.indptr).max() <= count:
            return self
        return self.select(_ranks(self.target, self.distance, mark[self.source]) < count)

    def nearest_targets(self, count: int, mark: Float[ndarray, "vertices"]) -> LocalLogMaps:
        """Return only pairs whose target is one of the `count` nearest to the source; ties go to the lower mark."""
        if not len(self.source):
            return self
        value = quantized(self.distance, float(self.distance.max(initial=0.0)))
        return self.select(first_of_each(self.source, value, mark[self.target], len(mark), count))

    def with_self(self) -> LocalLogMaps:
        """Return log maps in which every target is also its own first neighbour, at distance zero."""
        size = len(self.source)
        pairs = np.insert(np.arange(size), self.indptr[:-1], -1)
        own = pairs < 0
        indptr = self.indptr + np.arange(len(self.indptr))
        source = np.append(self.source, 0)[pairs]
        source[own] = self.targets
        distance, angle, transport = (np.append(a, 0.0)[pairs] for a in (self.distance, self.angle, self.transport))
        sign = np.append(self.sign, np.int8(1))[pairs]
        return LocalLogMaps(indptr, self.targets, source, distance, angle, transport, sign)

    def without(self, *names: str) -> LocalLogMaps:
        """Return log maps without some columns, whose memory is free once no one else holds them."""
        return replace(self, **{name: np.zeros(0) for name in names})

    def _with_pairs(self, pairs: ndarray) -> LocalLogMaps:
        arrays = (self.source, self.distance, self.angle, self.transport, self.sign)
        return LocalLogMaps(np.searchsorted(pairs, self.indptr), self.targets, *(a[pairs] for a in arrays))


def _ranks(group: ndarray, value: ndarray, mark: ndarray) -> Int[ndarray, "n"]:
    """Return the rank of each value within its group; among equal values the lower mark is first."""
    order = np.lexsort((mark, quantized(value, float(value.max(initial=0.0))), group))
    sorted_group = group[order]
    start = np.flatnonzero(np.concatenate([[True], sorted_group[1:] != sorted_group[:-1]]))
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(start, np.diff(np.append(start, len(group))))
    return rank


def local_log_maps(
    surface: HalfedgeSurface,
    radius: float,
    *,
    targets: Int[ndarray, "targets"] | None = None,
    wanted: Bool[ndarray, "vertices"] | None = None,
    max_neighbors: int | None = None,
    counted: Bool[ndarray, "vertices"] | None = None,
    least: float = 0.0,
    max_windows: int = _MAX_WINDOWS,
    num_threads: int | None = None,
) -> LocalLogMaps:
    """Return log maps from exact polyhedral geodesics between every target and every vertex closer than `radius`.

    The path is unfolded face by face, which yields distance, direction and transport in one pass. Polar angles are
    interior angles, rescaled to a full rotation at interior vertices and unchanged on the boundary. Two targets
    that are neighbours of each other share one geodesic (see `_reciprocity`).

    Args:
        surface: intrinsic geometry of the mesh.
        radius: geodesic radius, in the units of the mesh.
        targets: the points whose neighbours are sought, all vertices by default.
        wanted: mask of the vertices that count as neighbours, all by default.
        max_neighbors: keep only this many nearest neighbours.
        counted: mask of vertices. If given, keep all neighbours at least up to the distance of the `max_neighbors`-th
            nearest vertex of this mask.
        least: with `counted`, keep all neighbours at least this far.
        max_windows: largest number of windows for one point.
        num_threads: threads to use; by default as many as numba is configured for.

    Raises:
        MeshError: If a neighbourhood needs more than `max_windows` windows.
    """
    everyone = np.arange(surface.num_base, dtype=np.int32)
    targets = everyone if targets is None else np.ascontiguousarray(targets, dtype=np.int32)
    wanted = np.ones(surface.num_base, dtype=bool) if wanted is None else np.ascontiguousarray(wanted, dtype=bool)
    mesh_arrays = surface.mesh_arrays
    bound = min(max_neighbors or len(everyone), max(len(everyone), 1))
    windows = WINDOWS * max(bound, 64) if max_neighbors else max_windows
    crowd = Crowd(wanted if counted is None else counted, bound, float(least), windows)
    kept = bound if max_neighbors and counted is None else 0

    def solve(chunk: ndarray) -> tuple[Found, ndarray]:
        return _search_around(mesh_arrays, chunk, float(radius), wanted, kept, crowd, max_windows)

    counts, cut = np.zeros(len(targets), dtype=np.int64), np.zeros(len(targets), dtype=bool)
    columns: list[ndarray] = [np.empty(0, dtype=kind) for kind in (np.int32, np.int8, float, float, float)]
    bent, arrival = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    done, size = 0, 0
    for found, shortened in in_threads(solve, chunked(targets), num_threads):
        path = found.geodesic
        counts[done : done + len(shortened)], cut[done : done + len(shortened)] = found.paths, shortened
        done, end = done + len(shortened), size + len(path)
        for column, values in zip(columns, (*found.neighbor.T, *path.T[:3]), strict=True):
            _make_room(column, end)
            column[size:end] = values
        around = np.flatnonzero(path[:, 3] != path[:, 1])  # a boundary; all others arrive as they leave
        bent.append(size + around)
        arrival.append(path[around, 3])
        size = end
    source, sign, distance, angle, transport = (column[:size] for column in columns)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    maps = LocalLogMaps(indptr, targets, source, distance, angle, transport, sign)
    keep = make_reciprocal(maps, np.concatenate(bent), np.concatenate(arrival), wanted, surface.mark, cut)
    return maps if keep.all() else maps.select(keep)


def _search_around(
    t: HalfedgeArrays,
    sources: ndarray,
    radius: float,
    wanted: ndarray,
    max_neighbors: int,
    crowd: Crowd,
    max_windows: int,
) -> tuple[Found, ndarray]:
    """Return the paths from some sources to all wanted vertices; and whether each source has more within the radius.

    A search that opens as many windows as the crowd allows starts again with a shorter limit.
    """
    search, found = new_search(len(t.first)), new_found(len(sources))
    cut = np.zeros(len(sources), dtype=bool)
    usual = len(sources), radius, min(max_windows, crowd.windows)
    stop, limit, windows = usual
    while True:
        why = local_geodesics(t, search, found, sources, stop, limit, wanted, max_neighbors, windows)
        at = int(found.size[0])
        if why == NO_ROOM:
            search = with_more_room(search)
        elif why == NO_ROWS:
            found = with_more_rows(found)
        elif why == CROWDED and windows < max_windows:
            stop, limit, windows = at + 1, crowd_reach(t, sources[at], radius, crowd), max_windows
        elif why == CROWDED:
            raise MeshError(
                f"The neighbourhood of vertex {sources[at]} within the radius {radius:g} needs more than {max_windows} "
                "windows: the radius holds too many vertices; pass a smaller `radius` (or `mean_neighbors`), or remesh "
                "the surface more evenly."
            )
        else:
            cut[at - 1 : at] = limit < radius
            if at == len(sources):
                break
            stop, limit, windows = usual
    cut |= found.paths == max_neighbors
    rows = int(found.size[1])
    return found._replace(neighbor=found.neighbor[:rows].copy(), geodesic=found.geodesic[:rows].copy()), cut


def _make_room(column: ndarray, size: int) -> None:
    """Enlarge a column in place to at least `size` entries: the system moves large ones without a second copy."""
    if size > len(column):
        column.resize(max(size, len(column) * 9 // 8), refcheck=False)


def one_ring(surface: HalfedgeSurface) -> LocalLogMaps:
    """Return the neighbours along edges, at the length and the polar angle of the edge."""
    shape, twin, origin = surface.shape, surface.twin, surface.origin
    halfedge = np.arange(len(twin))
    head = origin[halfedge // 3 * 3 + (halfedge + 1) % 3]
    angle_back = np.where(twin >= 0, shape[twin, 3], surface.total_angle[head])
    open_ends = np.flatnonzero(twin < 0)  # boundary edges are also seen from the other end
    target = np.concatenate([origin, head[open_ends]])
    source = np.concatenate([head, origin[open_ends]])
    leave = np.concatenate([shape[:, 3], surface.total_angle[head[open_ends]]])
    back = np.concatenate([angle_back, shape[open_ends, 3]])
    length = np.concatenate([shape[:, 2], shape[open_ends, 2]])
    keep = np.flatnonzero(target < surface.num_base)
    order = keep[np.lexsort((leave[keep], target[keep]))]
    target, source, leave, back, length = (a[order] for a in (target, source, leave, back, length))
    angle = surface.scale[target] * (leave - surface.reference[target])
    angle_back = surface.scale[source] * (back - surface.reference[source])
    num = surface.num_base
    return LocalLogMaps(
        indptr=np.searchsorted(target, np.arange(num + 1)),
        targets=np.arange(num, dtype=np.int32),
        source=(source % num).astype(np.int32) if num else source,
        distance=length,
        angle=angle,
        transport=angle + np.pi - angle_back,
        sign=np.where(source < num, 1, -1).astype(np.int8),
    )


def chunked(targets: ndarray) -> list[ndarray]:
    """Return pieces small enough to share between threads and to hold in float64; at least one."""
    return [targets[i : i + _CHUNK] for i in range(0, max(len(targets), 1), _CHUNK)]


def in_threads(function: Callable[[S], T], items: Sequence[S], num_threads: int | None = None) -> Iterator[T]:
    """Return results in order, from threads: compiled code releases the interpreter's lock and shares the tables."""
    if num_threads is None:
        import numba

        num_threads = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    if num_threads <= 1 or len(items) <= 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(min(num_threads, len(items))) as pool:
        yield from pool.map(function, items)
