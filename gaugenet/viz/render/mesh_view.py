"""MeshView: a mesh with the labels, fields or frames to draw on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.geometry.sphere.domain import SphereDomain
from gaugenet.viz.render.camera import Direction, base_orientation
from gaugenet.viz.render.mesh_field import MeshField, Site, SurfaceField, as_array

if TYPE_CHECKING:
    from typing_extensions import Self

_TAKEN = ("prediction", "truth", "error", "scalar", "colors", "surface")


@dataclass(eq=False, kw_only=True)
class MeshView:
    """A mesh, and labels, fields or frames to draw on it. Arrays may be numpy arrays or tensors.

    Args:
        name: name of the mesh in captions.
        vertices: `(V, 3)` positions.
        faces: `(F, 3)` vertex indices.
        prediction: `(F,)` or `(V,)` integer labels; negative means unlabelled.
        truth: labels on the same site as `prediction`.
        scalar: `(V,)` or `(F,)` real field, a shorthand for `fields={scalar_name: MeshField(scalar)}`.
        scalar_name: name of the field.
        fields: scalars and vectors by name, see `MeshField`; afterwards as `SurfaceField`, the scalar first.
        frames: `(V, 3, 2)` tangent frames, the columns being the frame vectors.
        colors: `(V, 3)` colors as sRGB bytes, drawn unchanged.
        lines: `(n, 2, 3)` segments in space drawn over the surface, such as `coastline_segments()`.
        labels_on: `"face"` or `"vertex"`: where the labels are. By default their count decides, which fails only
            on a mesh with as many faces as vertices.
        up: direction that points up in pictures: `"auto"` (y, or z where the mesh is thin along y), `"x"`, `"y"`,
            `"z"`, `"-x"` ..., three numbers, `"pca"` (the longest extent), or `"standing"`: an estimate of how a mesh
            in an arbitrary orientation stands on the ground.
        front: direction that initially faces the viewer, an axis or three numbers; by default the broad side.

    Raises:
        ValueError: If counts do not fit the mesh, coordinates are not finite, the mesh has no faces, or a field has the
            name of another panel ("prediction", "truth", "error", "scalar", "colors", "surface").
    """

    name: str
    vertices: Any
    faces: Any
    prediction: Any = None
    truth: Any = None
    scalar: Any = None
    scalar_name: str = "value"
    fields: Mapping[str, Any] = field(default_factory=dict)
    frames: Any = None
    colors: Any = None
    lines: Any = None
    labels_on: Site | None = None
    up: Direction = "auto"
    front: Direction | None = None

    def __post_init__(self) -> None:
        self.mesh = _checked_mesh(self.name, self.vertices, self.faces)
        self.vertices, self.faces = self.mesh.vertices, self.mesh.faces
        self.prediction = self._labels("prediction", self.prediction)
        self.truth = self._labels("truth", self.truth)
        self.frames = self._frames(self.frames)
        self.colors = self._colors(self.colors)
        self.lines = self._lines(self.lines)
        given = {} if self.scalar is None else {self.scalar_name: MeshField(self.scalar)}
        self.fields = {name: self._field(name, values) for name, values in {**given, **self.fields}.items()}
        self.orientation = base_orientation(self.mesh, self.up, self.front)
        if self.prediction is not None and self.truth is not None and len(self.prediction) != len(self.truth):
            raise ValueError(
                f"{self.name}: `prediction` has {len(self.prediction)} labels and `truth` {len(self.truth)}; "
                "give both per face or both per vertex."
            )

    @classmethod
    def of(cls, surface: Any, name: str = "", **shown: Any) -> Self:
        """Return a view of a mesh, an icosphere or a grid of the sphere.

        Args:
            surface: a `TriangleMesh`, an `Icosphere`, a `SphereDomain` such as `HEALPix`, or anything else with `pos`
                and `face`.
            name: name of the mesh in captions.
            shown: the other arguments of `MeshView`.

        Raises:
            ValueError: If there are no triangles to draw, or as in `MeshView`.
        """
        mesh = surface_mesh(surface)
        return cls(name=name, vertices=mesh.vertices, faces=mesh.faces, **shown)

    @property
    def error(self) -> Int[ndarray, "n"] | None:
        """Return 1 where the prediction is wrong, 0 where it is right, -1 where the truth is unlabelled."""
        if self.prediction is None or self.truth is None:
            return None
        return np.where(self.truth < 0, -1, (self.prediction != self.truth).astype(np.int64))

    @property
    def accuracy(self) -> float | None:
        """Return the share of labelled faces (or vertices) with the right prediction; `None` without labels."""
        error = self.error
        if error is None or not (error >= 0).any():
            return None
        return float(np.mean(error[error >= 0] == 0))

    @property
    def mean_iou(self) -> float | None:
        """Return the mean intersection over union of the predicted or true classes; `None` without both labels."""
        return _mean_iou(_overlaps([self], self.highest_label + 1))

    @property
    def highest_label(self) -> int:
        """Return the largest label on this mesh, -1 without labels."""
        labels = [values for values in (self.prediction, self.truth) if values is not None]
        return max((int(values.max(initial=-1)) for values in labels), default=-1)

    @property
    def label_site(self) -> Site:
        """Return whether the labels are on the faces or the vertices."""
        labels = self.truth if self.prediction is None else self.prediction
        return self.labels_on or self._site_by_count(labels)

    def _site_by_count(self, values: ndarray | None) -> Site:
        return "face" if values is None or len(values) == self.mesh.num_faces else "vertex"

    def _checked_count(self, what: str, values: ndarray, sites: dict[str, int]) -> ndarray:
        if values.ndim == 1 and len(values) in sites.values():
            return values
        expected = " or ".join(f"{count} (one per {site})" for site, count in sites.items())
        raise ValueError(
            f"{self.name}: `{what}` has shape {values.shape}, but this mesh needs {expected} values, "
            "in the order of the mesh: are these labels of another mesh?"
        )

    def _labels(self, what: str, values: Any) -> Int[ndarray, "n"] | None:
        if values is None:
            return None
        sites = {"face": self.mesh.num_faces, "vertex": self.mesh.num_vertices}
        if self.labels_on is not None:
            sites = {self.labels_on: sites[self.labels_on]}
        array = self._checked_count(what, as_array(values), sites)
        if len(set(sites.values())) < len(sites):
            raise ValueError(
                f"{self.name}: the mesh has {self.mesh.num_faces} faces and as many vertices, so `{what}` "
                'could belong to either: say labels_on="face" or labels_on="vertex".'
            )
        if not np.issubdtype(array.dtype, np.integer):
            raise ValueError(f"{self.name}: `{what}` must hold integer labels, got {array.dtype}.")
        return array.astype(np.int64)

    def _field(self, name: str, values: MeshField) -> SurfaceField:
        if name in _TAKEN:
            raise ValueError(f"{self.name}: a field cannot be called {name!r}, as a panel of its own is: rename it.")
        return values.on(self.mesh, f"{self.name}, {name}", name=name, frames=self.frames)

    def _lines(self, values: Any) -> Float[ndarray, "n 2 3"] | None:
        if values is None:
            return None
        array = as_array(values).astype(np.float64)
        if array.ndim != 3 or array.shape[1:] != (2, 3) or not np.isfinite(array).all():
            raise ValueError(f"{self.name}: expected `lines` as finite segments of shape (n, 2, 3), got {array.shape}.")
        return array

    def _frames(self, values: Any) -> Float[ndarray, "vertices 3 2"] | None:
        if values is None:
            return None
        array = as_array(values).astype(np.float64)
        if array.shape != (self.mesh.num_vertices, 3, 2):
            expected = (self.mesh.num_vertices, 3, 2)
            raise ValueError(f"{self.name}: expected `frames` of shape {expected}, got {array.shape}.")
        return array

    def _colors(self, values: Any) -> UInt8[ndarray, "vertices 3"] | None:
        if values is None:
            return None
        array = as_array(values)
        if array.shape != (self.mesh.num_vertices, 3) or not np.issubdtype(array.dtype, np.integer):
            expected = (self.mesh.num_vertices, 3)
            raise ValueError(
                f"{self.name}: expected `colors` as bytes of shape {expected}, got {array.dtype} of shape "
                f"{array.shape}."
            )
        if array.min(initial=0) < 0 or array.max(initial=0) > 255:
            raise ValueError(f"{self.name}: expected `colors` from 0 to 255, got {array.min()} to {array.max()}.")
        return array.astype(np.uint8)


def class_names_for(views: Sequence[MeshView], class_names: Sequence[str] | None) -> list[str]:
    """Return the names of all classes: the given names, or `class 0`, `class 1` ... up to the highest label.

    Raises:
        ValueError: If a label has no name.
    """
    highest, view = max(((v.highest_label, v.name) for v in views), default=(-1, ""))
    if class_names is None:
        return [f"class {k}" for k in range(highest + 1)]
    if highest >= len(class_names):
        raise ValueError(
            f"{view} has label {highest}, but `class_names` names {len(class_names)} classes (labels 0 to "
            f"{len(class_names) - 1}): name {highest + 1} classes or let the labels start at 0."
        )
    return [str(name) for name in class_names]


def label_headline(views: Sequence[MeshView], names: Sequence[str]) -> str:
    """Return the scores of all meshes as text, with the class that a high accuracy may hide; empty without labels."""
    scored = [view.accuracy for view in views if view.accuracy is not None]
    overlaps = _overlaps(views, len(names))
    mean = _mean_iou(overlaps)
    if not scored or mean is None:
        return ""
    iou = {name: i / u for name, (i, u) in zip(names, overlaps) if u > 0}
    lowest = min(iou, key=lambda name: iou[name])
    words = [f"mean accuracy {100 * np.mean(scored):.1f} %", f"mean IoU {100 * mean:.1f} %"]
    if len(iou) > 1:
        words.append(f"lowest IoU {100 * iou[lowest]:.1f} % ({lowest})")
    return " · ".join(words)


def _overlaps(views: Sequence[MeshView], num_classes: int) -> Int[ndarray, "classes 2"]:
    """Return intersection and union of prediction and truth of each class, over all labelled items."""
    counts = np.zeros((num_classes, 2), dtype=np.int64)
    for view in views:
        if view.prediction is None or view.truth is None:
            continue
        known = view.truth >= 0
        truth, found = view.truth[known], view.prediction[known]
        both = np.bincount(truth[truth == found], minlength=num_classes)
        of_each = [np.bincount(labels[labels >= 0], minlength=num_classes) for labels in (truth, found)]
        counts += np.stack([both, sum(of_each) - both], axis=1)
    return counts


def _mean_iou(overlaps: Int[ndarray, "classes 2"]) -> float | None:
    known = overlaps[overlaps[:, 1] > 0]
    return float((known[:, 0] / known[:, 1]).mean()) if len(known) else None


def surface_mesh(surface: Any) -> TriangleMesh:
    """Return the triangles of a surface.

    Args:
        surface: a `TriangleMesh`; an `Icosphere` or anything else with `pos` and `face`; a grid of the sphere such as
            `HEALPix`, whose points become the corners of their Delaunay triangles.

    Raises:
        ValueError: If it is none of these.
    """
    if isinstance(surface, TriangleMesh):
        return surface
    if getattr(surface, "face", None) is not None and getattr(surface, "pos", None) is not None:
        return TriangleMesh(surface.pos, as_array(surface.face).T)
    if isinstance(surface, SphereDomain):
        return _delaunay(surface.pos.numpy())
    raise ValueError(
        f"Expected a mesh, an icosphere or a grid of the sphere to draw on, got {type(surface).__name__}; see "
        "`SurfacePicture` for other surfaces."
    )


def _delaunay(points: Float[ndarray, "n 3"]) -> TriangleMesh:
    """Return the Delaunay triangles of points of the unit sphere, which are the faces of their convex hull."""
    from scipy.spatial import ConvexHull

    faces = ConvexHull(points).simplices
    a, b, c = points[faces].swapaxes(0, 1)
    inward = (np.cross(b - a, c - a) * (a + b + c)).sum(1) < 0
    return TriangleMesh(points, np.where(inward[:, None], faces[:, ::-1], faces))


def _checked_mesh(name: str, vertices: Any, faces: Any) -> TriangleMesh:
    mesh = TriangleMesh(vertices, faces)
    if mesh.num_faces == 0:
        raise ValueError(f"{name}: the mesh has no faces, so there is nothing to draw.")
    bad: Bool[ndarray, "vertices"] = ~np.isfinite(mesh.vertices).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{name}: {int(bad.sum())} of {len(bad)} vertices have coordinates that are not finite, "
            f"the first is vertex {int(np.flatnonzero(bad)[0])}: repair the mesh first."
        )
    return mesh
