"""TriangleMesh: vertices and faces, their topology, areas and normals."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array

if TYPE_CHECKING:
    import torch

    from gaugenet.geometry.gauge_graph import GaugeGraph
    from gaugenet.geometry.mesh.options import FrameChoice, LengthUnit, Neighborhood
    from gaugenet.geometry.mesh.source_log_map import LogMap
    from gaugenet.groups.group import StructureGroup

logger = logging.getLogger(__name__)


class MeshError(ValueError):
    """The error of an invalid mesh; the message gives the problem, its places and a remedy."""


class TriangleMesh:
    """A triangulated surface in R^3: vertex positions and triples of vertex indices, never reordered.

    Args:
        vertices: `(V, 3)` array or tensor of real numbers, in any length unit; copied as float64.
        faces: `(F, 3)` array or tensor of vertex indices, counter-clockwise seen from outside; copied as int64.

    Raises:
        MeshError: If shapes are wrong, vertices are complex, or faces are not integers or out of range. For other
            problems see `inspect_mesh`; functions that need a valid mesh refuse them.

    Example:
        >>> from gaugenet.geometry import TriangleMesh
        >>> square = TriangleMesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
        >>> square.area, len(square.edges), int(square.boundary_vertices.sum())
        (1.0, 5, 4)
    """

    def __init__(self, vertices: Any, faces: Any) -> None:
        self.vertices = _as_vertices(vertices)
        self.faces = _as_faces(faces, len(self.vertices))

    @cached_property
    def polygon_of_face(self) -> Int[ndarray, "faces"]:
        """The polygon of the file for each face, counted from 0; the index of the face without a file."""
        return np.arange(self.num_faces)

    @classmethod
    def load(cls, path: str | Path, *, repair: bool = False) -> TriangleMesh:
        """Read a mesh file. Vertices and polygons keep the order of the file, which labels need.

        Polygons of OBJ, OFF and PLY files are cut into triangles in order; `polygon_of_face` is the polygon of each
        triangle. Texture coordinates, normals and materials do not split vertices. STL files contain separate
        triangles, so equal positions are merged to one vertex, in the order of the file. Other formats are read by
        trimesh.

        Args:
            path: the file.
            repair: whether to return the mesh of `repair_mesh` and log the repairs. Vertices and faces may then differ
                from the file: call `repair_mesh` to transfer labels.

        Raises:
            FileNotFoundError: If the file does not exist.
            MeshError: If the file is truncated, empty, not a mesh, or a point cloud, or has no face after repair.
        """
        from gaugenet.geometry.mesh.io import read_mesh
        from gaugenet.geometry.mesh.repair import repair_mesh

        mesh = read_mesh(path)
        if not repair:
            return mesh
        result = repair_mesh(mesh)
        if not result.mesh.num_faces:
            raise MeshError(f"{path}: no face is left after repair ({'; '.join(map(str, result.actions))}).")
        if result.actions or result.non_orientable:
            logger.warning("%s was repaired: %s.", path, "; ".join(str(result).splitlines()))
        return result.mesh

    def __repr__(self) -> str:
        return f"TriangleMesh(vertices={self.num_vertices}, faces={self.num_faces})"

    @property
    def num_vertices(self) -> int:
        return len(self.vertices)

    @property
    def num_faces(self) -> int:
        return len(self.faces)

    # --- topology -------------------------------------------------------------------------------------------

    @cached_property
    def halfedges(self) -> Int[ndarray, "3F 2"]:
        """Halfedge `3 f + k` runs from corner `k` of face `f` to corner `k + 1`."""
        return np.stack([self.faces, np.roll(self.faces, -1, axis=1)], axis=-1).reshape(-1, 2)

    @cached_property
    def _edge_table(self) -> tuple[ndarray, ndarray, ndarray]:
        # One integer key per edge: sorting these is several times faster than np.unique on rows.
        lower, upper = self.halfedges.min(axis=1), self.halfedges.max(axis=1)
        key = lower * self.num_vertices + upper
        order = np.argsort(key)
        key = key[order]
        first = np.ones(len(key), dtype=bool)
        first[1:] = key[1:] != key[:-1]
        of_halfedge = np.empty(len(key), dtype=np.int64)
        of_halfedge[order] = np.cumsum(first) - 1
        edges = np.stack(np.divmod(key[first], max(self.num_vertices, 1)), axis=-1)
        return edges, of_halfedge, order

    @property
    def edges(self) -> Int[ndarray, "edges 2"]:
        """Undirected edges, smaller vertex first, in lexicographic order."""
        return self._edge_table[0]

    @property
    def halfedge_to_edge(self) -> Int[ndarray, "3F"]:
        return self._edge_table[1]

    @property
    def halfedges_by_edge(self) -> Int[ndarray, "3F"]:
        """Halfedges grouped by the edge they lie on, in the order of `edges`."""
        return self._edge_table[2]

    @cached_property
    def edge_face_count(self) -> Int[ndarray, "edges"]:
        """Number of faces at each edge: 1 on the boundary, 2 inside, more at non-manifold edges."""
        return np.bincount(self.halfedge_to_edge, minlength=len(self.edges))

    @cached_property
    def boundary_vertices(self) -> Bool[ndarray, "vertices"]:
        mask = np.zeros(self.num_vertices, dtype=bool)
        mask[self.edges[self.edge_face_count == 1].reshape(-1)] = True
        return mask

    @cached_property
    def vertex_components(self) -> Int[ndarray, "vertices"]:
        """Label of the connected component of each vertex; an isolated vertex is its own component."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        i, j = self.edges.T
        graph = coo_array((np.ones(len(i)), (i, j)), shape=(self.num_vertices,) * 2)
        return typed_array(connected_components(graph, directed=False)[1])

    # --- measures -------------------------------------------------------------------------------------------

    @cached_property
    def _face_cross(self) -> Float[ndarray, "faces 3"]:
        a, b, c = self.vertices[self.faces].swapaxes(0, 1)
        return np.cross(b - a, c - a)

    @cached_property
    def face_areas(self) -> Float[ndarray, "faces"]:
        return typed_array(0.5 * np.linalg.norm(self._face_cross, axis=-1))

    @property
    def area(self) -> float:
        return float(self.face_areas.sum())

    @cached_property
    def vertex_areas(self) -> Float[ndarray, "vertices"]:
        """Area of the barycentric dual cell of each vertex: a third of the area of its faces."""
        share = np.repeat(self.face_areas / 3, 3)
        areas = np.bincount(self.faces.reshape(-1), weights=share, minlength=self.num_vertices)
        return areas.astype(np.float64)  # counts of nothing are integers

    @cached_property
    def face_normals(self) -> Float[ndarray, "faces 3"]:
        """Unit normals, zero on faces without area."""
        return _normalized(self._face_cross)

    @cached_property
    def vertex_normals(self) -> Float[ndarray, "vertices 3"]:
        """Angle-weighted unit normals; the z axis at isolated vertices, so every vertex has a frame."""
        weighted = (self.corner_angles[..., None] * self.face_normals[:, None]).reshape(-1, 3)
        normals = np.stack(
            [
                np.bincount(self.faces.reshape(-1), weights=weighted[:, k], minlength=self.num_vertices)
                for k in range(3)
            ],
            axis=-1,
        )
        normals = _normalized(normals.astype(np.float64))  # counts of nothing are integers
        normals[np.linalg.norm(normals, axis=-1) == 0] = (0.0, 0.0, 1.0)
        return normals

    @cached_property
    def corner_angles(self) -> Float[ndarray, "faces 3"]:
        """Interior angle of each face at each of its corners, in radians."""
        corners = self.vertices[self.faces]
        ahead = np.roll(corners, -1, axis=1) - corners
        behind = np.roll(corners, 1, axis=1) - corners
        sine = np.linalg.norm(np.cross(ahead, behind), axis=-1)
        return typed_array(np.arctan2(sine, (ahead * behind).sum(-1)))

    @cached_property
    def edge_lengths(self) -> Float[ndarray, "edges"]:
        i, j = self.edges.T
        return typed_array(np.linalg.norm(self.vertices[i] - self.vertices[j], axis=-1))

    # --- logarithmic map ----------------------------------------------------------------------------------------

    def log_map(
        self,
        source: int,
        *,
        method: Literal["exact", "vector_heat"] = "exact",
        radius: float | None = None,
        frames: Any = "first_edge",
        seed: int | None = None,
    ) -> LogMap:
        """Return the logarithmic map of one vertex of an oriented mesh, and the transport to it.

        Args:
            source: the vertex.
            method: `"exact"` follows all straight paths within the radius, as `gauge_graph` does. `"vector_heat"`
                diffuses tangent vectors over the whole component :cite:`sharp2019vector`, for distant vertices and for
                comparison; for many sources see `VectorHeat`, which caches factorizations.
            radius: largest distance; optional for `"vector_heat"`.
            frames: see `gauge_graph`.
            seed: seed of random frames.

        Raises:
            MeshError: If `gauge_graph` refuses the mesh, the source has no faces, or the radius is too large for exact
                paths.
            ValueError: If the source is not a vertex, the method is unknown, or exact paths have no radius.
        """
        from gaugenet.geometry.mesh.source_log_map import source_log_map

        return source_log_map(self, source, method=method, radius=radius, frames=frames, seed=seed)

    # --- gauge graph --------------------------------------------------------------------------------------------

    def gauge_graph(
        self,
        group: StructureGroup,
        *,
        neighborhood: Neighborhood = "geodesic",
        radius: float | None = None,
        mean_neighbors: float | None = None,
        max_neighbors: int | None = None,
        lengths: LengthUnit = "metric",
        frames: FrameChoice = "first_edge",
        seed: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> GaugeGraph:
        """Return the neighbourhoods of all vertices, with logarithmic maps and Levi-Civita transporters.

        Args:
            group: structure group, `SO2()` on oriented surfaces, `O2()` on any surface; other groups only if they
                contain every transporter (a flat surface with parallel frames).
            neighborhood: all vertices within a geodesic radius, or the neighbours along edges.
            radius: geodesic radius, in the units of the mesh.
            mean_neighbors: instead of `radius`: mean number of neighbours,
                `pi radius^2 = mean_neighbors * area / vertices`.
            max_neighbors: keep only this many nearest neighbours of each vertex (for uneven meshes).
            lengths: logarithmic maps and radius in the units of the mesh (`"metric"`), or relative to the mean distance
                of the neighbours of each vertex (`"local"`). The latter is a conformal change of metric that makes
                kernels independent of the density of the mesh.
            frames: `"first_edge"`, `"random"`, `"principal"` or an array `(V, 3, 2)`, see `frame_field`.
            seed: seed of random frames.
            dtype: type of the result (float32 by default); it is computed in float64.

        Raises:
            MeshError: If the mesh has NaN coordinates, degenerate faces, non-manifold edges or vertices or inconsistent
                orientation, is not orientable under SO(2), or has transporters outside `group`.
            ValueError: If options contradict each other or are not positive, or `frames` are invalid.
        """
        import torch

        from gaugenet.geometry.mesh.graph import mesh_gauge_graph
        from gaugenet.geometry.mesh.options import NeighborhoodOptions

        options = NeighborhoodOptions(
            neighborhood=neighborhood,
            radius=radius,
            mean_neighbors=mean_neighbors,
            max_neighbors=max_neighbors,
            lengths=lengths,
            frames=frames,
            seed=seed,
        )
        return mesh_gauge_graph(self, group, options, dtype=dtype or torch.float32)


def _normalized(v: ndarray) -> ndarray:
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    return typed_array(np.divide(v, length, out=np.zeros_like(v), where=length > 0))


def _as_array(values: Any) -> ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.double() if values.is_floating_point() else values).numpy()  # NumPy has no bfloat16
    return np.asarray(values)


def _as_vertices(vertices: Any) -> ndarray:
    array = _as_array(vertices)
    if array.ndim != 2 or array.shape[1] != 3:
        raise MeshError(f"Expected `vertices` of shape (V, 3), got {array.shape}.")
    if array.dtype.kind not in "fiu":
        raise MeshError(f"Expected real numbers in `vertices`, got {array.dtype}: pass floating point or integer ones.")
    return np.array(array, dtype=np.float64, order="C")


def _as_faces(faces: Any, num_vertices: int) -> ndarray:
    array = _as_array(faces)
    if array.ndim != 2 or array.shape[1] != 3:
        hint = ": pass `face.T`." if array.ndim == 2 and array.shape[0] == 3 else ": triangulate the mesh first."
        raise MeshError(f"Expected `faces` of shape (F, 3), got {array.shape}{hint}")
    if array.dtype.kind not in "fiu" and array.size:
        raise MeshError(f"Expected integer vertex indices in `faces`, got {array.dtype}.")
    whole = np.issubdtype(array.dtype, np.integer) or np.array_equal(array, np.round(array))
    if not whole:
        raise MeshError(f"Expected integer vertex indices in `faces`, got {array.dtype} with fractions.")
    array = np.array(array, dtype=np.int64, order="C")
    outside = (array < 0) | (array >= num_vertices)
    if outside.any():
        first = int(np.flatnonzero(outside.any(axis=1))[0])
        raise MeshError(
            f"Face {first} is {array[first].tolist()}, but vertex indices run from 0 to {num_vertices - 1}: "
            f"{int(outside.any(axis=1).sum())} of {len(array)} faces point outside."
        )
    return array
