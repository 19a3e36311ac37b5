"""Computes the gauge graph of a mesh: checks, radius, logarithmic maps, frames, structure group."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet.geometry.mesh.frame_field import frame_field, reference_frames, relative_to
from gaugenet.geometry.mesh.halfedge import HalfedgeSurface
from gaugenet.geometry.mesh.log_map import LocalLogMaps, local_log_maps, one_ring
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.geometry.mesh.options import FrameChoice, LengthUnit, NeighborhoodOptions
from gaugenet.geometry.mesh.quality import require_usable
from gaugenet.geometry.mesh.transport import PlanarFrames, log_vectors, neighborhood_weights, transporters
from gaugenet.geometry.mesh.units import positions, require_range
from gaugenet.groups.group import StructureGroup, check_group

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph


logger = logging.getLogger(__name__)

_BLOCK = 65536


@dataclass(frozen=True)
class FramedSurface:
    """A surface with frames, from which log maps and transporters in coordinates are computed.

    Attributes:
        frame: `(V, 3, 2)`, in space.
        planar: the same frames by polar angle.
    """

    mesh: TriangleMesh
    surface: HalfedgeSurface
    group: StructureGroup
    frame: ndarray
    planar: PlanarFrames


def framed_surface(mesh: TriangleMesh, group: StructureGroup, frames: FrameChoice, seed: int | None) -> FramedSurface:
    """Check that the mesh admits the structure, and choose its frames."""
    check_group(group)
    if group.d != 2:
        raise ValueError(f"A surface needs a structure group acting on R^2, got {group.name} on R^{group.d}.")
    if not mesh.num_vertices:
        raise MeshError("The mesh has no vertices: there is nothing to build a graph of.")
    scratch = TriangleMesh(mesh.vertices, mesh.faces)  # its edges, angles and normals are not kept
    require_usable(scratch, oriented=group.orientation_preserving)
    surface = HalfedgeSurface.from_mesh(scratch)
    reflections = not group.orientation_preserving
    frame = frame_field(scratch, surface, frames, seed=seed, reflections=reflections)
    reference = frame if isinstance(frames, str) and frames == "first_edge" else reference_frames(scratch, surface)
    return FramedSurface(mesh, surface, group, frame, relative_to(frame, reference))


def mesh_gauge_graph(
    mesh: TriangleMesh, group: StructureGroup, options: NeighborhoodOptions, *, dtype: torch.dtype = torch.float32
) -> GaugeGraph:
    """Return the finest level of `options`, see `TriangleMesh.gauge_graph`."""
    from gaugenet.geometry.gauge_graph import GaugeGraph

    framed = framed_surface(mesh, group, options.frames, options.seed)
    pos = positions(mesh, dtype)
    if options.neighborhood == "one_ring":
        if options.sized() is options or options.max_neighbors is not None:
            raise ValueError("neighborhood='one_ring' takes no `radius`, `mean_neighbors` or `max_neighbors`.")
        maps, search_radius = one_ring(framed.surface), longest_edge(mesh)
    else:
        maps, search_radius = finest_log_maps(framed, options), options.radius_on(mesh)
    frame, planar, area = framed.frame, framed.planar, framed.surface.area
    del framed  # what is no longer needed of a large surface, and of its log maps, leaves its memory to the results
    edges = {"log_map": torch.from_numpy(log_vectors(maps, planar, numpy_dtype(dtype)))}
    maps = maps.without("distance", "angle")
    edges["transporter"] = torch.from_numpy(transporters(maps, planar, numpy_dtype(dtype)))
    maps = maps.without("transport", "sign")
    edges |= links(maps, np.arange(len(area)), area, dtype)
    check_structure(group, edges["transporter"])
    edges["log_map"], search_radius = in_lengths(
        options.lengths, edges["log_map"], edges["edge_index"][1], search_radius
    )
    mass = torch.from_numpy(area).to(dtype)
    require_range({"pos": pos, "mass": mass, "log_map": edges["log_map"]}, mesh)
    return GaugeGraph(
        pos=pos,
        frame=torch.from_numpy(frame).to(dtype),
        mass=mass,
        face=torch.from_numpy(mesh.faces.T.copy()),
        radius=torch.tensor([search_radius], dtype=dtype),
        structure=group.name,
        **edges,
    )


def finest_log_maps(framed: FramedSurface, options: NeighborhoodOptions) -> LocalLogMaps:
    """Return log maps between all vertices within the radius, at most as many as the options allow."""
    bound = options.max_neighbors_on(framed.mesh)
    radius = options.radius_on(framed.mesh)
    maps = local_log_maps(framed.surface, radius, max_neighbors=bound)
    if len(framed.mesh.faces) and not maps.indptr[-1]:
        logger.warning(
            "No vertex has a neighbour within the radius of %.3g: the longest edge is %.3g. The radius is a length in "
            "the units of the mesh; `mean_neighbors` fits any.",
            radius,
            longest_edge(framed.mesh),
        )
    cut = int((np.diff(maps.indptr) == bound).sum())
    if options.max_neighbors is None and cut:
        logger.info(
            "%d of %d vertices keep only their %d nearest neighbours within the radius, since the tessellation is very "
            "uneven: pass `max_neighbors` to choose the number.", cut, framed.mesh.num_vertices, bound,
        )  # fmt: skip
    return maps


def in_lengths(
    lengths: LengthUnit, log_map: Float[Tensor, "edges 2"], target: Int[Tensor, "edges"], radius: float
) -> tuple[Float[Tensor, "edges 2"], float]:
    """Return log maps and radius in the units of the mesh, or in units of the mean distance of each point's neighbours.

    In a disc of evenly spread neighbours the radius is 3/2 of their mean distance, hence the local radius 1.5.
    """
    if lengths == "metric":
        return log_map, radius
    distance = torch.linalg.vector_norm(log_map, dim=1)
    count = torch.bincount(target)
    mean = distance.new_zeros(len(count)).index_add(0, target, distance) / count.clamp(min=1)
    return log_map / mean[target, None], 1.5


def longest_edge(mesh: TriangleMesh) -> float:
    """Return the length of the longest edge: within this radius is every one-ring."""
    return float(mesh.edge_lengths.max(initial=0.0))


def in_frames(
    framed: FramedSurface, maps: LocalLogMaps, dtype: torch.dtype, *, row: ndarray, mass: ndarray
) -> dict[str, Tensor]:
    """Return `edge_index, log_map, transporter, weight` of log maps.

    Args:
        framed: the surface and its frames.
        maps: log maps in polar angles.
        dtype: precision of the result.
        row: index of each vertex among the points of the graph.
        mass: areas of these points.
    """
    return {
        "log_map": torch.from_numpy(log_vectors(maps, framed.planar, numpy_dtype(dtype))),
        "transporter": torch.from_numpy(transporters(maps, framed.planar, numpy_dtype(dtype))),
        **links(maps, row, mass, dtype),
    }


def links(maps: LocalLogMaps, row: ndarray, mass: ndarray, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return `edge_index` and `weight` of log maps, see `in_frames`."""
    edge_index = np.empty((2, len(maps.source)), dtype=np.int64)
    np.take(row, maps.source, out=edge_index[0], mode="clip")  # "raise" would copy
    targets, indptr = row[maps.targets], maps.indptr
    for i in range(0, len(targets), _BLOCK):  # so that no second copy of all targets is made
        some = indptr[i : i + _BLOCK + 1]
        edge_index[1, some[0] : some[-1]] = np.repeat(targets[i : i + _BLOCK], np.diff(some))
    weight = neighborhood_weights(indptr, edge_index[0], mass[targets], mass, numpy_dtype(dtype))
    return {"edge_index": torch.from_numpy(edge_index), "weight": torch.from_numpy(weight)}


def numpy_dtype(dtype: torch.dtype) -> np.dtype:
    """Return the type of numpy with this name."""
    return torch.zeros(0, dtype=dtype).numpy().dtype


def check_structure(group: StructureGroup, transporter: Tensor) -> None:
    """Raise an error if a transporter is not in the structure group."""
    if group.name in ("SO(2)", "O(2)"):
        return  # rotations and reflections by construction, and orientation has been checked
    outside = ~group.contains(transporter)
    if outside.any():
        raise MeshError(
            f"The Levi-Civita connection has no {group.name}-structure in these frames: {int(outside.sum())} of "
            f"{len(outside)} transporters lie outside {group.name}, since parallel transport on a curved surface "
            "rotates vectors by any angle. Use SO(2) (O(2) on non-orientable surfaces), or on a flat surface pass "
            f"`frames` that are parallel up to {group.name}."
        )
