"""Gauge graphs of an icosphere: with its flat hexagonal structure, or with the geometry of the sphere."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.geometry.icosphere import _charts
from gaugenet.geometry.manifolds.sphere import Sphere
from gaugenet.geometry.mesh.transport import neighborhood_weights
from gaugenet.groups.families.cyclic import Cyclic
from gaugenet.groups.group import StructureGroup, check_group

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph
    from gaugenet.geometry.icosphere.icosphere import Icosphere

RADIUS = 2.0
"""Radius of the hexagonal neighbourhoods in spacings, so that a kernel of one ring is largest at the six neighbours."""


def check_structure(group: StructureGroup) -> None:
    """Raise `ValueError` unless the hexagonal transport, steps of 60 degrees, lies in the group."""
    check_group(group)
    if group.d != 2 or not bool(group.contains(Cyclic(6).elements()).all()):
        raise ValueError(
            f"Expected a group with the rotations by 60 degrees, by which transport on the icosahedron acts, got "
            f"{group.name}: use C_6, D_6, SO(2), O(2) or another group that contains them."
        )


def check_rotations(group: StructureGroup) -> None:
    """Raise `ValueError` unless Levi-Civita transport on the sphere, rotations by any angle, lies in the group."""
    check_group(group)
    if group.d != 2 or group.order is not None:
        raise ValueError(
            "Expected a group with all rotations, by which Levi-Civita transport on the sphere acts, got "
            f"{group.name}: use SO(2) or O(2), or the hexagonal connection of an `Icosphere`."
        )


def hexagonal_graph(sphere: Icosphere, group: StructureGroup, dtype: torch.dtype) -> GaugeGraph:
    """Return the graph with neighbours at exact positions in the hexagonal lattice of the chart frames, in C_6.

    The transporter between a corner and a neighbour is the mean over all six steps, stored as six edges with a sixth of
    the weight. Only this mean does not depend on the side of the missing sector.
    """
    from gaugenet.geometry.gauge_graph import GaugeGraph

    check_structure(group)
    edges = _hexagonal_edges(sphere.level, sphere.neighborhood)
    order = np.argsort(edges.target, kind="stable")
    edges = edges.select(order)
    rotations = Cyclic(6).elements()
    offsets = torch.from_numpy(_charts.CELLS[edges.cell]).double() @ rotations[[0, 2], :, 0]
    return GaugeGraph(
        **_points(sphere, dtype),
        edge_index=torch.from_numpy(np.stack([edges.source, edges.target])),
        log_map=(sphere.spacing * offsets).to(dtype),
        transporter=rotations[edges.rotation].to(dtype),
        weight=torch.from_numpy(edges.share).to(dtype),
        radius=torch.tensor([RADIUS * sphere.spacing], dtype=dtype),
        structure="C_6",
    )


def _hexagonal_edges(level: int, rings: int) -> _charts.ChartLinks:
    """Return all edges, with their weights as `share`."""
    links = _charts.links(level, rings)
    is_corner = np.zeros(_charts.num_vertices(level), dtype=bool)
    is_corner[_charts.corners(level)] = True
    cells = 1 + _charts.NUM_CELLS[rings]
    to_corner = is_corner[links.target]
    links = dataclasses.replace(links, share=links.share / np.where(to_corner, 1 + (cells - 1) * 5 // 6, cells))
    plain, inward = links.select(~to_corner), _seen_from_all_sides(links.select(to_corner))
    merged = _joined([plain, inward])
    from_corner = is_corner[merged.source]
    return _joined([merged.select(~from_corner), _with_all_rotations(merged.select(from_corner))])


def _seen_from_all_sides(links: _charts.ChartLinks) -> _charts.ChartLinks:
    """Return each link into a corner as six links in all directions, with a sixth of the weight."""
    steps = np.tile(np.arange(6), len(links.target))
    repeated = links.select(np.repeat(np.arange(len(links.target)), 6))
    cell, rotation = _charts.rotated_cell(repeated.cell, steps), (repeated.rotation + steps) % 6
    return dataclasses.replace(repeated, cell=cell, rotation=rotation, share=repeated.share / 6)


def _with_all_rotations(links: _charts.ChartLinks) -> _charts.ChartLinks:
    """Return each link out of a corner as six links with all transporters, with a sixth of the weight."""
    steps = np.tile(np.arange(6), len(links.target))
    repeated = links.select(np.repeat(np.arange(len(links.target)), 6))
    return dataclasses.replace(repeated, rotation=(repeated.rotation + steps) % 6, share=repeated.share / 6)


def _joined(parts: list[_charts.ChartLinks]) -> _charts.ChartLinks:
    columns = zip(*(dataclasses.astuple(part) for part in parts), strict=True)
    return _charts.ChartLinks(*(np.concatenate(column) for column in columns))


def geodesic_levels(
    sphere: Icosphere,
    group: StructureGroup,
    radius: float | None,
    mean_neighbors: float | None,
    levels: int,
    dtype: torch.dtype,
) -> GaugeGraph:
    """Return the `geodesic_graph` with the graphs of coarser icospheres as its levels."""
    from gaugenet.geometry.sphere.levels import with_levels

    if positive("levels", levels) > sphere.level + 1:
        raise ValueError(f"Expected `levels` of at most {sphere.level + 1} for an icosphere of level {sphere.level}.")
    spheres, graphs = [sphere.coarser(level) if level else sphere for level in range(levels)], []
    for level, coarse in enumerate(spheres):
        wide = None if radius is None else radius * 2**level
        try:
            graphs.append(geodesic_graph(coarse, group, wide, mean_neighbors, dtype))
        except ValueError as error:
            if not level:
                raise
            raise ValueError(f"On level {level}, {coarse}: {error} Use fewer `levels` or a smaller radius.") from error
    if levels == 1:
        return graphs[0]
    return with_levels(spheres, graphs, [None] * (levels - 1), nearest=2)  # the ends of the edge that a vertex halves


def geodesic_graph(
    sphere: Icosphere,
    group: StructureGroup,
    radius: float | None,
    mean_neighbors: float | None,
    dtype: torch.dtype,
) -> GaugeGraph:
    """Return the graph with logarithmic maps and Levi-Civita transport along great circles, in the same frames."""
    from gaugenet.geometry.gauge_graph import GaugeGraph

    check_rotations(group)
    if radius is not None and mean_neighbors is not None:
        raise ValueError("Expected at most one of `radius` (radians) and `mean_neighbors`, got both.")
    if radius is None and mean_neighbors is not None:
        radius = 2 * math.sqrt(mean_neighbors / sphere.num_vertices)
    source, target = _one_ring(sphere.level) if radius is None else _within(sphere.pos.numpy(), radius)
    p, q = sphere.pos[target], sphere.pos[source]
    frame = sphere.frame
    unit_sphere = Sphere()
    log_map = (frame[target].mT @ unit_sphere.log(p, q)[..., None])[..., 0]
    carried = unit_sphere.transport(p[:, None], q[:, None], frame[source].mT).mT
    transporter = frame[target].mT @ carried
    indptr = np.searchsorted(target, np.arange(sphere.num_vertices + 1))
    mass = sphere.mass.numpy()
    search_radius = radius if radius is not None else float(torch.linalg.vector_norm(log_map, dim=-1).max()) * 1.25
    return GaugeGraph(
        **_points(sphere, dtype),
        edge_index=torch.from_numpy(np.stack([source, target])),
        log_map=log_map.to(dtype),
        transporter=transporter.to(dtype),
        weight=torch.from_numpy(neighborhood_weights(indptr, source, mass, mass)).to(dtype),
        radius=torch.tensor([search_radius], dtype=dtype),
        structure="SO(2)",
    )


def _one_ring(level: int) -> tuple[ndarray, ndarray]:
    table = _charts.neighbors(level)
    target, direction = np.nonzero(table >= 0)
    return table[target, direction], target


def _within(pos: ndarray, radius: float) -> tuple[ndarray, ndarray]:
    """Return all pairs with a distance of at most `radius` on the sphere."""
    if not 0 < radius < math.pi / 2:
        raise ValueError(f"Expected `radius` between 0 and pi / 2 radians, got {radius}.")
    from scipy.spatial import cKDTree

    pairs = cKDTree(pos).query_pairs(2 * math.sin(radius / 2), output_type="ndarray")
    source, target = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.lexsort((source, target))
    return source[order], target[order]


def _points(sphere: Icosphere, dtype: torch.dtype) -> dict[str, Tensor]:
    return {
        "pos": sphere.pos.to(dtype),
        "frame": sphere.frame.to(dtype),
        "mass": sphere.mass.to(dtype),
        "face": sphere.face,
    }
