"""Levels of a mesh for pooling: coarser and coarser gauge graphs on nested vertices, and the edges between levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from gaugenet.geometry.mesh.graph import (
    FramedSurface,
    check_structure,
    finest_log_maps,
    framed_surface,
    in_frames,
    in_lengths,
    longest_edge,
    numpy_dtype,
)
from gaugenet.geometry.mesh.log_map import LocalLogMaps, local_log_maps, one_ring
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.geometry.mesh.options import FrameChoice, LengthUnit, Neighborhood, NeighborhoodOptions
from gaugenet.geometry.mesh.refine import even_spacing
from gaugenet.geometry.mesh.sampling import farthest_points
from gaugenet.geometry.mesh.transport import transporters
from gaugenet.geometry.mesh.units import positions, require_range
from gaugenet.groups.group import StructureGroup

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph

_POOL_RADIUS = 1.0  # times the spacing of the coarse points
_UNPOOL_NEIGHBORS = 3


def hierarchy(
    mesh: TriangleMesh,
    group: StructureGroup,
    *,
    levels: int = 3,
    ratio: float = 4,
    neighborhood: Neighborhood = "geodesic",
    radius: float | None = None,
    mean_neighbors: float | None = None,
    max_neighbors: int | None = None,
    lengths: LengthUnit = "metric",
    frames: FrameChoice = "first_edge",
    seed: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> GaugeGraph:
    """Return the gauge graph of a mesh together with coarser levels (see `GaugeGraph`).

    Every level is a subset of the finer level's points, chosen by farthest-point sampling, with the same frames. Every
    component keeps at least one point at every level. Log maps and transporters between coarse points,
    and between levels, run along geodesics of the full mesh.

    - *Pooling*: a coarse point averages the finer points within about the coarse spacing, itself included, weighted
      by area times `1 - (distance / radius)^2`.
    - *Unpooling*: a fine point interpolates its three nearest coarse points, weighted by inverse squared distance,
      so that a coarse point itself keeps its value.

    Args:
        mesh: see `TriangleMesh.gauge_graph`.
        group: the structure group.
        levels: number of levels, including the finest.
        ratio: factor by which the number of points falls from level to level.
        neighborhood: neighbours on the finest level: `"geodesic"`, or along edges (`"one_ring"`). Coarser levels are
            geodesic.
        radius: geodesic radius of the finest level, in the units of the mesh; coarser levels have the same mean number
            of neighbours.
        mean_neighbors: mean number of neighbours of a point at every level, instead of `radius`. The radius grows
            accordingly. 16 if neither is given.
        max_neighbors: keep only this many nearest neighbours.
        lengths: as in `TriangleMesh.gauge_graph`.
        frames: as in `TriangleMesh.gauge_graph`.
        seed: as in `TriangleMesh.gauge_graph`.
        dtype: as in `TriangleMesh.gauge_graph`.

    Raises:
        MeshError: If the mesh is unusable, as in `TriangleMesh.gauge_graph`.
        ValueError: As in `TriangleMesh.gauge_graph`, or if `levels` is below 1 or `ratio` is not above 1.

    Example:
        >>> from gaugenet import TriangleMesh, datasets
        >>> from gaugenet.geometry import hierarchy
        >>> from gaugenet.groups import SO2
        >>> mesh = TriangleMesh.load(datasets.bodies() / "test" / "cat_0.ply")
        >>> graph = hierarchy(mesh, SO2(), levels=3, mean_neighbors=16)
        >>> graph.level(1).num_nodes < graph.num_nodes / 3
        True
    """
    options = NeighborhoodOptions(
        neighborhood=neighborhood,
        radius=radius,
        mean_neighbors=mean_neighbors,
        max_neighbors=max_neighbors,
        lengths=lengths,
        frames=frames,
        seed=seed,
        levels=levels,
        ratio=ratio,
    )
    return mesh_hierarchy(mesh, group, options, dtype=dtype)


def mesh_hierarchy(
    mesh: TriangleMesh, group: StructureGroup, options: NeighborhoodOptions, *, dtype: torch.dtype = torch.float32
) -> GaugeGraph:
    """Return all levels of `options`, see `hierarchy`."""
    from gaugenet.geometry.gauge_graph import GaugeGraph

    options = options.sized()
    framed = framed_surface(mesh, group, options.frames, options.seed)
    search_radius = options.radius_on(mesh)
    maps = finest_log_maps(framed, options)
    graph = GaugeGraph(structure=group.name, face=torch.from_numpy(mesh.faces.T.copy()))
    everyone = np.arange(mesh.num_vertices)
    finer = _Points(everyone, everyone, mesh.vertex_areas)
    pos = positions(mesh, dtype)
    along_edges = options.neighborhood == "one_ring"
    finest = (one_ring(framed.surface), longest_edge(mesh)) if along_edges else (maps, search_radius)
    _store(graph, "", _level_tensors(framed, pos, finer, *finest, options.lengths, dtype))
    if options.levels > 1:
        points = options.points_on(mesh)
        samples = farthest_points(mesh, maps, int(np.ceil(points / options.ratio)))
        components = int(np.isinf(samples.cover).sum())
        for level in range(1, options.levels):
            count = max(int(np.ceil(points / options.ratio**level)), components)
            chosen = np.sort(samples.order[:count])
            cover = samples.cover[min(count, len(samples.order))] if count else 0.0
            finer = _add_level(graph, level, framed, finer, chosen, float(cover), options, pos)
    require_range(graph.to_dict(), mesh)
    return graph


@dataclass(frozen=True)
class _Points:
    """The points of a level: their vertices, the row of each vertex (-1 elsewhere), and their masses."""

    vertex: ndarray
    row: ndarray
    mass: ndarray


def _add_level(
    graph: GaugeGraph,
    level: int,
    framed: FramedSurface,
    finer: _Points,
    chosen: ndarray,
    cover: float,
    options: NeighborhoodOptions,
    pos: Tensor,
) -> _Points:
    """Store one coarser level. One search from its points to the finer ones serves its graph and both transfers.

    `pos` holds all vertices in the precision of the graph.
    """
    dtype = pos.dtype
    prefix = f"l{level}_"
    num = len(chosen)
    sizes = options.coarse_on(framed.mesh, level, max(int(np.count_nonzero(framed.surface.area[chosen])), 1))
    spacing = even_spacing(sizes.cell)
    wanted = np.zeros(framed.mesh.num_vertices, dtype=bool)
    wanted[finer.vertex] = True
    row = np.full(framed.mesh.num_vertices, -1)
    row[chosen] = np.arange(num)
    least = cover * (1 + 1e-6)
    widest = max(sizes.radius, 1.5 * spacing, least)
    around = _nobody(chosen)
    if widest:
        around = local_log_maps(
            framed.surface, widest, targets=chosen, wanted=wanted,
            max_neighbors=sizes.crowd, counted=row >= 0, least=least,
        )  # fmt: skip
    with_self = around.with_self()
    nearest = with_self.nearest_targets(_UNPOOL_NEIGHBORS, framed.surface.mark)
    mass = _shared_mass(nearest.nearest_targets(1, framed.surface.mark), finer, row)
    points = _Points(chosen, row, mass)

    among = around.select((row[around.source] >= 0) & (around.distance < sizes.radius)).nearest(
        sizes.max_neighbors, framed.surface.mark
    )
    graph[f"{prefix}node_index"] = torch.from_numpy(finer.row[chosen])
    _store(graph, prefix, _level_tensors(framed, pos, points, among, sizes.radius, options.lengths, dtype))
    graph[f"{prefix}batch"] = torch.zeros(num, dtype=torch.long)
    radius = _POOL_RADIUS * spacing
    close = with_self.select(with_self.distance < max(radius, np.finfo(float).tiny))
    _store(graph, f"{prefix}pool_", _pool_tensors(framed, close, radius, finer, points, dtype))
    _store(graph, f"{prefix}unpool_", _unpool_tensors(framed, nearest, finer, points, dtype))
    for name in ("transporter", "pool_transporter"):
        check_structure(framed.group, graph[prefix + name])
    return points


def _level_tensors(
    framed: FramedSurface,
    pos: Tensor,
    points: _Points,
    maps: LocalLogMaps,
    radius: float,
    lengths: LengthUnit,
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    edges = in_frames(framed, maps, dtype, row=points.row, mass=points.mass)
    edges["log_map"], radius = in_lengths(lengths, edges["log_map"], edges["edge_index"][1], radius)
    check_structure(framed.group, edges["transporter"])
    return {
        "pos": pos[torch.from_numpy(points.vertex)],
        "frame": torch.from_numpy(framed.frame[points.vertex]).to(dtype),
        "mass": torch.from_numpy(points.mass).to(dtype),
        "radius": torch.tensor([radius], dtype=dtype),
        **edges,
    }


def _pool_tensors(
    framed: FramedSurface, maps: LocalLogMaps, radius: float, finer: _Points, points: _Points, dtype: torch.dtype
) -> dict[str, Tensor]:
    source, target = finer.row[maps.source], points.row[maps.target]
    window = 1 - (maps.distance / radius) ** 2 if radius else np.ones_like(maps.distance)
    weight = _normalised(finer.mass[source] * window, target, len(points.vertex))
    return {
        "index": torch.from_numpy(np.stack([source, target])),
        "transporter": torch.from_numpy(transporters(maps, framed.planar, numpy_dtype(dtype))),
        "weight": torch.from_numpy(weight).to(dtype),
    }


def _unpool_tensors(
    framed: FramedSurface, maps: LocalLogMaps, finer: _Points, points: _Points, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return the edges of `maps` (fine -> coarse) reversed, sorted by fine point."""
    fine, coarse = finer.row[maps.source], points.row[maps.target]
    order = np.lexsort((maps.distance, fine))
    fine, coarse = fine[order], coarse[order]
    closest = np.full(len(finer.vertex), np.inf)
    np.minimum.at(closest, fine, maps.distance[order])
    own = maps.distance[order] == 0
    inverse = np.where(closest[fine] == 0, own, (closest[fine] / np.where(own, 1, maps.distance[order])) ** 2)
    keep = inverse > 0
    order, fine, coarse = order[keep], fine[keep], coarse[keep]
    back = np.swapaxes(transporters(maps, framed.planar, numpy_dtype(dtype))[order], 1, 2).copy()
    return {
        "index": torch.from_numpy(np.stack([coarse, fine])),
        "transporter": torch.from_numpy(back),
        "weight": torch.from_numpy(_normalised(inverse[keep], fine, len(finer.vertex))).to(dtype),
    }


def _shared_mass(nearest: LocalLogMaps, finer: _Points, row: ndarray) -> ndarray:
    """Return the masses of coarse points: each finer point's area goes to its nearest one, so that no area is lost."""
    fine, coarse = finer.row[nearest.source], row[nearest.target]
    return np.bincount(coarse, weights=finer.mass[fine], minlength=int((row >= 0).sum()))


def _normalised(weight: ndarray, index: ndarray, size: int) -> ndarray:
    """Return weights that sum to one at each index, equal ones where all vanish (isolated vertices have no area)."""
    total = np.bincount(index, weights=weight, minlength=size)
    count = np.bincount(index, minlength=size)
    empty = total[index] <= 0
    return np.where(empty, 1 / np.maximum(count[index], 1), weight / np.where(empty, 1, total[index]))


def _nobody(targets: ndarray) -> LocalLogMaps:
    """Return log maps without any neighbour, for meshes without area."""
    none = np.zeros(0)
    return LocalLogMaps(
        np.zeros(len(targets) + 1, int), targets, none.astype(np.int32), none, none, none, none.astype(np.int8)
    )


def _store(graph: GaugeGraph, prefix: str, tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        graph[prefix + name] = tensor
