"""Input features that are equivariant themselves: scalars, tangent vectors and order-2 fields of a surface."""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gaugenet._pyg import BaseTransform
from gaugenet._typing import typed_array, typed_tensor
from gaugenet._validation import positive_number
from gaugenet.data.meshes.curvature_measures import shape_measure
from gaugenet.data.meshes.laplacian import angle_defects, frame_sides, shape_operator, vertex_gradient
from gaugenet.data.meshes.smoothing import disk_means
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.mesh.mesh import TriangleMesh

if TYPE_CHECKING:
    from gaugenet.data.meshes.cache import GraphCache

FEATURE_PREFIX = "feature_"


class InputFeature(BaseTransform):
    """One equivariant field on the vertices, as a PyG transform that stores it in the graph under `key`.

    A subclass says which irreps of O(2) it consists of (`fields`) and computes it (`compute`). Under a gauge
    transformation `g` its value must become `rho(g)` times the old one; for subgroups of O(2) the same values
    are fields of the restricted representations. All features are free of units: scaling the mesh does not change them.

    Attributes:
        fields: pairs (label of an irrep of O(2), multiplicity); `"0-"` changes sign when a frame is reflected.
        intrinsic: whether the value is invariant under rotations of the surface in space. Intrinsic features are
            computed once and cached. The others are cheap and computed whenever `InputFeatures` is applied, so that
            augmentation may rotate the mesh in between.
        odd: labels of the fields that change sign with the normal of the surface.
    """

    fields: tuple[tuple[str, int], ...]
    intrinsic: ClassVar[bool] = True
    odd: ClassVar[frozenset[str]] = frozenset({"0-"})

    @abstractmethod
    def compute(self, graph: GaugeGraph) -> Float[Tensor, "vertices size"]:
        """Return the field: blocks in the order of `fields`, and in each block components before copies."""

    def compute_on(self, graph: GaugeGraph, mesh: TriangleMesh | None) -> Float[Tensor, "vertices size"]:
        """Return the field, given the surface of the graph; only a `SurfaceFeature` asks for it."""
        return self.compute(graph)

    def compute_with(
        self, graph: GaugeGraph, mesh: TriangleMesh, cache: GraphCache | None
    ) -> Float[Tensor, "vertices size"]:
        """Return the field. A feature may look up what it is computed from in a cache, such as a spectrum."""
        return self.compute_on(graph, mesh)

    @property
    def key(self) -> str:
        """Return the name of the value in a graph; it differs for every set of parameters."""
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        return f"{FEATURE_PREFIX}{name}_{hashlib.sha256(repr(self).encode()).hexdigest()[:10]}"

    def value(self, graph: GaugeGraph, mesh: TriangleMesh | None = None) -> Float[Tensor, "vertices size"]:
        """Return the stored value if the graph has one, else compute it."""
        return graph[self.key] if self.key in graph else self.compute_on(graph, mesh)

    def forward(self, graph: GaugeGraph) -> GaugeGraph:
        graph[self.key] = self.compute(graph)
        return graph

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class SurfaceFeature(InputFeature):
    """A feature computed from the surface itself. A subclass writes `compute_mesh`; several features share one mesh."""

    @abstractmethod
    def compute_mesh(self, graph: GaugeGraph, mesh: TriangleMesh) -> Float[Tensor, "vertices size"]:
        """Return the field, as in `compute`, given the surface of the graph."""

    def compute(self, graph: GaugeGraph) -> Float[Tensor, "vertices size"]:
        return self.compute_mesh(graph, mesh_of(graph))

    def compute_on(self, graph: GaugeGraph, mesh: TriangleMesh | None) -> Float[Tensor, "vertices size"]:
        return self.compute_mesh(graph, mesh_of(graph) if mesh is None else mesh)


def mesh_of(graph: GaugeGraph) -> TriangleMesh:
    """Return the surface that a graph was made from.

    Raises:
        ValueError: If the graph has no faces, or several graphs are batched.
    """
    if graph.get("face") is None:
        raise ValueError("Expected a graph with `face`: features need the surface, so keep `graph.face`.")
    if graph.get("batch") is not None:
        raise ValueError("Expected the graph of one mesh, got a batch: apply feature transforms before batching.")
    return TriangleMesh(graph.pos, graph.face.T)


def _squashed(x: Float[ndarray, "*fields dim"]) -> Float[ndarray, "*fields dim"]:
    """Apply `asinh` to the length of each vector and keep its direction: reduces the heavy tails, equivariantly."""
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return typed_array(np.where(length > 1e-12, np.arcsinh(length) / np.maximum(length, 1e-12), 1.0) * x)


def _sphere_radius(mesh: TriangleMesh) -> float:
    """Return the radius of the sphere of equal area, the unit of length of curvature features; 1 without area."""
    return float(np.sqrt(mesh.area / (4 * np.pi))) or 1.0


class Positions(InputFeature):
    """Coordinates as three scalars: invariant under changes of frame, not under rotations of the mesh.

    Args:
        normalize: subtract the centre of area and divide by the square root of the area. Otherwise coordinates enter
            as they are, in the units of the mesh.
    """

    fields = (("0", 3),)
    intrinsic = False

    def __init__(self, *, normalize: bool = True) -> None:
        self.normalize = normalize

    def compute(self, graph: GaugeGraph) -> Float[Tensor, "vertices 3"]:
        if not self.normalize:
            return typed_tensor(graph.pos.clone())
        area = graph.mass.sum().clamp_min(torch.finfo(graph.pos.dtype).tiny)
        centre = (graph.mass[:, None] * graph.pos).sum(0) / area
        return typed_tensor((graph.pos - centre) / area.sqrt())

    def __repr__(self) -> str:
        return f"Positions(normalize={self.normalize})"


class Normals(InputFeature):
    """Ambient components of the unit normal: three scalars that change sign where a frame is reflected (`0-`)."""

    fields = (("0-", 3),)
    intrinsic = False

    def compute(self, graph: GaugeGraph) -> Float[Tensor, "vertices 3"]:
        return typed_tensor(torch.linalg.cross(graph.frame[..., 0], graph.frame[..., 1]))


class TangentAxes(InputFeature):
    """The three ambient axes projected into the tangent plane: the gradients of the coordinates, three vectors."""

    fields = (("1", 3),)
    intrinsic = False

    def compute(self, graph: GaugeGraph) -> Float[Tensor, "vertices 6"]:
        return typed_tensor(graph.frame.mT.flatten(1))


class _CurvatureFeature(SurfaceFeature):
    """Base of the curvature features: their averages and whether they are squashed."""

    def __init__(self, *, radius: float | None = None, squash: bool = True) -> None:
        if radius is not None:
            positive_number("radius", radius)
        self.radius = radius
        self.squash = squash

    def bending(
        self, graph: GaugeGraph, mesh: TriangleMesh
    ) -> tuple[Float[ndarray, "vertices"], Float[ndarray, "vertices 2"]]:
        """Return half the trace of the shape operator, and the order-2 field of the rest, relative to the sphere."""
        frame = _as_array(graph.frame)
        if self.radius is None:
            s = shape_operator(mesh, frame)
            mean = 0.5 * np.trace(s, axis1=-2, axis2=-1)
        else:
            side = frame_sides(mesh, frame)
            measure = shape_measure(mesh, side)
            both = np.concatenate([0.5 * np.trace(measure, axis1=1, axis2=2)[:, None], measure.reshape(-1, 9)], axis=1)
            means = disk_means(mesh, both, self.radius * np.sqrt(mesh.area), side=side)
            mean, s = means[:, 0], np.einsum("vxa,vxy,vyb->vab", frame, means[:, 1:].reshape(-1, 3, 3), frame)
        field = np.stack([s[:, 0, 1], -0.5 * (s[:, 0, 0] - s[:, 1, 1])], axis=-1)
        return typed_array(mean * _sphere_radius(mesh)), typed_array(field * _sphere_radius(mesh))

    def gauss(self, mesh: TriangleMesh) -> Float[ndarray, "vertices"]:
        """Return angle defects over areas, relative to the sphere of equal area."""
        defect = angle_defects(mesh) * _sphere_radius(mesh) ** 2
        if self.radius is not None:
            return typed_array(disk_means(mesh, defect[:, None], self.radius * np.sqrt(mesh.area))[:, 0])
        area = mesh.vertex_areas
        return typed_array(np.divide(defect, area, out=np.zeros_like(area), where=area > 0))

    def __repr__(self) -> str:
        radius = "" if self.radius is None else f"radius={self.radius}, "
        return f"{type(self).__name__}({radius}squash={self.squash})"


class Curvatures(_CurvatureFeature):
    """Gaussian curvature (`0`) and mean curvature (`0-`, follows the normal) relative to the sphere of equal area.

    Gaussian curvature is the angle defect over the dual cell, mean curvature half the trace of the shape operator;
    both are 1 on a sphere seen from outside. At a single vertex they depend on the triangles there: a `radius` makes
    them properties of the surface.

    Args:
        radius: average over a geodesic disc of this radius, relative to the square root of the area (see
            `disk_means`). `None`: the faces at each vertex only.
        squash: apply `asinh`, as the curvature at a sharp tip is hundreds of times the typical one.
    """

    fields = (("0", 1), ("0-", 1))

    def compute_mesh(self, graph: GaugeGraph, mesh: TriangleMesh) -> Float[Tensor, "vertices 2"]:
        both = np.stack([self.gauss(mesh), self.bending(graph, mesh)[0]], axis=-1)
        return typed_tensor(_as_tensor(np.arcsinh(both) if self.squash else both, graph))


class ShapeOperator(_CurvatureFeature):
    """The shape operator as mean curvature (`0-`) and an order-2 field, relative to the sphere of equal area.

    With `S = H + [[a, b], [b, -a]]` in the frame (see `shape_operator` for its sign) the order-2 field is `(b, -a)`:
    the vector `(a, b)` rotated back by 90 degrees. `(a, b)` itself would change sign under reflections in the wrong
    component, because the normal flips with the frame; rotated, it is the irrep of order 2 of O(2).

    Args:
        radius: as in `Curvatures`; the traceless part is averaged as a tensor in space, and projected.
        squash: apply `asinh` to the mean curvature and to the length of the order-2 field.
    """

    fields = (("0-", 1), ("2", 1))
    odd = frozenset({"0-", "2"})

    def compute_mesh(self, graph: GaugeGraph, mesh: TriangleMesh) -> Float[Tensor, "vertices 3"]:
        mean, field = self.bending(graph, mesh)
        if self.squash:
            mean, field = np.arcsinh(mean), _squashed(field)
        return typed_tensor(_as_tensor(np.concatenate([mean[:, None], field], axis=-1), graph))


class VertexDegree(SurfaceFeature):
    """The degree of a vertex in one-hot form: one scalar for each number of edges from `low` to `high`.

    Fewer or more edges count as `low` or `high`. A property of the triangulation and not of the surface: it tells
    vertices apart on meshes that share one connectivity, such as registrations of a template, and misleads elsewhere.

    Args:
        low: smallest number of edges with its own scalar.
        high: largest number of edges with its own scalar.
    """

    def __init__(self, *, low: int = 4, high: int = 8) -> None:
        if not 0 <= low < high:
            raise ValueError(f"Expected 0 <= `low` < `high`, got {low} and {high}.")
        self.low = low
        self.high = high
        self.fields = (("0", high - low + 1),)

    def compute_mesh(self, graph: GaugeGraph, mesh: TriangleMesh) -> Float[Tensor, "vertices numbers"]:
        count = torch.from_numpy(np.bincount(mesh.edges.ravel(), minlength=len(mesh.vertices))).to(graph.pos.device)
        return torch.nn.functional.one_hot(count.clamp(self.low, self.high) - self.low, self.fields[0][1]).to(graph.pos)

    def __repr__(self) -> str:
        return f"VertexDegree(low={self.low}, high={self.high})"


class TangentGradient(SurfaceFeature):
    """Gradient of a scalar feature, one tangent vector per channel, per length of the square root of the area.

    Args:
        of: an intrinsic feature of scalars, e.g. `HeatKernelSignature()`; for coordinates use `TangentAxes`.
        squash: apply `asinh` to the length of each vector.
    """

    def __init__(self, of: InputFeature, *, squash: bool = True) -> None:
        if not isinstance(of, InputFeature):
            raise ValueError(f"Expected a feature such as `HeatKernelSignature()`, got {of!r}.")
        if not of.intrinsic:
            raise ValueError(f"Expected an intrinsic feature, got {of!r}: for coordinates use `TangentAxes()`.")
        if any(label != "0" for label, _ in of.fields):
            raise ValueError(f"Expected a feature of scalars (0), got {of!r} with fields {of.fields}.")
        self.of = of
        self.squash = squash
        self.fields = (("1", sum(multiplicity for _, multiplicity in of.fields)),)

    def compute_mesh(self, graph: GaugeGraph, mesh: TriangleMesh) -> Float[Tensor, "vertices size"]:
        gradient = vertex_gradient(mesh, _as_array(self.of.value(graph, mesh))) * np.sqrt(mesh.area)
        tangent = np.einsum("vda,vcd->vca", _as_array(graph.frame), gradient)
        if self.squash:
            tangent = _squashed(tangent)
        return typed_tensor(_as_tensor(tangent.swapaxes(1, 2).reshape(mesh.num_vertices, -1), graph))

    def __repr__(self) -> str:
        return f"TangentGradient(of={self.of!r}, squash={self.squash})"


def _as_array(x: Tensor) -> ndarray:
    return x.detach().cpu().numpy().astype(np.float64)


def _as_tensor(x: ndarray, graph: GaugeGraph) -> Any:
    return torch.from_numpy(np.ascontiguousarray(x)).to(graph.pos)
