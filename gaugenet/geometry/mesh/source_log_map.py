"""The logarithmic map of one vertex, in frames: exact within a radius, or by diffusion on the whole component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet._validation import positive_number
from gaugenet.geometry.mesh.graph import framed_surface
from gaugenet.geometry.mesh.log_map import local_log_maps
from gaugenet.geometry.mesh.transport import log_vectors, transporters
from gaugenet.geometry.mesh.vector_heat import VectorHeat, checked_sources
from gaugenet.groups.families.so2 import SO2

if TYPE_CHECKING:
    from gaugenet.geometry.mesh.mesh import TriangleMesh

Method = Literal["exact", "vector_heat"]


@dataclass(frozen=True)
class LogMap:
    """The logarithmic map of one vertex.

    Attributes:
        source: the vertex.
        frame: `(3, 2)`, its frame: `frame @ log_map[i]` is a 3D tangent vector.
        vertex: `(n,)`, the other vertices.
        log_map: `(n, 2)`, coefficients of their logarithms, whose lengths are geodesic distances.
        transporter: `(n, 2, 2)`, coefficients in the frame of `vertex[i]` -> coefficients in the frame of the source.

    Example:
        >>> from gaugenet.geometry import Icosphere, TriangleMesh
        >>> sphere = Icosphere(3)
        >>> disc = TriangleMesh(sphere.pos, sphere.face.T).log_map(0, radius=0.5)
        >>> bool((abs(disc.log_map).max() < 0.51) and len(disc.vertex) > 30)
        True
    """

    source: int
    frame: Float[ndarray, "3 2"]
    vertex: Int[ndarray, "n"]
    log_map: Float[ndarray, "n 2"]
    transporter: Float[ndarray, "n 2 2"]

    @property
    def distance(self) -> Float[ndarray, "n"]:
        """Geodesic distances, in the units of the mesh."""
        return typed_array(np.linalg.norm(self.log_map, axis=-1))


def source_log_map(
    mesh: TriangleMesh, source: int, *, method: Method, radius: float | None, frames: Any, seed: int | None
) -> LogMap:
    """Return the logarithmic map of one vertex; see `TriangleMesh.log_map`."""
    if method not in ("exact", "vector_heat"):
        raise ValueError(f"Expected `method` 'exact' or 'vector_heat', got {method!r}.")
    if method == "exact" and radius is None:
        raise ValueError(
            "Expected a `radius` with method='exact': pass one, or method='vector_heat' for all vertices of "
            "the component."
        )
    framed = framed_surface(mesh, SO2(), frames, seed)
    sources = checked_sources(mesh, source)
    if method == "exact":
        limit = positive_number("radius", radius or 0.0)
        maps = local_log_maps(framed.surface, limit, targets=sources)
    else:
        maps = VectorHeat(mesh).maps(sources, radius=radius)
    log_map = log_vectors(maps, framed.planar, np.dtype(np.float64))
    transporter = transporters(maps, framed.planar, np.dtype(np.float64))
    return LogMap(int(sources[0]), framed.frame[sources[0]], maps.source, log_map, transporter)


__all__ = ["LogMap", "Method"]
