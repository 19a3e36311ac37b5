"""MeshView: a mesh with what is to be shown on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.viz.render.camera import Direction, base_orientation

Site = Literal["face", "vertex"]


@dataclass(eq=False, kw_only=True)
class MeshView:
    """A mesh, and labels, a scalar field or frames to draw on it. Arrays may be numpy arrays or tensors.

    Args:
        name: what the mesh is called in captions.
        vertices: `(V, 3)` positions.
        faces: `(F, 3)` vertex indices.
        prediction: `(F,)` or `(V,)` integer labels; negative means unlabelled.
        truth: labels on the same site as `prediction`.
        scalar: `(V,)` or `(F,)` real field; values that are not finite are drawn grey.
        scalar_name: what the field is called.
        frames: `(V, 3, 2)` tangent frames, the columns being the frame vectors.
        colors: `(V, 3)` colours, sRGB bytes, drawn as they are.
        labels_on: `"face"` or `"vertex"`: where the labels are; without it their count decides, which fails only
            on a mesh with as many faces as vertices.
        up: direction that points up in pictures: `"auto"` (y, or z where the mesh is thin along y), `"x"`, `"y"`,
            `"z"`, `"-x"` ..., three numbers, `"pca"` (the longest extent), or `"standing"`: a guess at how a mesh in
            an arbitrary orientation stands on the ground.
        front: direction that faces the viewer at first, an axis or three numbers; by default the broad side.

    Raises:
        ValueError: counts that do not fit the mesh, coordinates that are not finite, a mesh without faces.
    """

    name: str
    vertices: Any
    faces: Any
    prediction: Any = None
    truth: Any = None
    scalar: Any = None
    scalar_name: str = "value"
    frames: Any = None
    colors: Any = None
    labels_on: Site | None = None
    up: Direction = "auto"
    front: Direction | None = None

    def __post_init__(self) -> None:
        self.mesh = _checked_mesh(self.name, self.vertices, self.faces)
        self.vertices, self.faces = self.mesh.vertices, self.mesh.faces
        self.prediction = self._labels("prediction", self.prediction)
        self.truth = self._labels("truth", self.truth)
        self.scalar = self._scalar(self.scalar)
        self.frames = self._frames(self.frames)
        self.colors = self._colors(self.colors)
        self.orientation = base_orientation(self.mesh, self.up, self.front)
        if self.prediction is not None and self.truth is not None and len(self.prediction) != len(self.truth):
            raise ValueError(
                f"{self.name}: `prediction` has {len(self.prediction)} labels and `truth` {len(self.truth)}; "
                "give both per face or both per vertex."
            )

    @property
    def error(self) -> Int[ndarray, "n"] | None:
        """1 where the prediction is wrong, 0 where it is right, -1 where the truth is unlabelled."""
        if self.prediction is None or self.truth is None:
            return None
        return np.where(self.truth < 0, -1, (self.prediction != self.truth).astype(np.int64))

    @property
    def accuracy(self) -> float | None:
        """Share of the labelled faces (or vertices) that are predicted right; None without labels."""
        error = self.error
        if error is None or not (error >= 0).any():
            return None
        return float(np.mean(error[error >= 0] == 0))

    @property
    def highest_label(self) -> int:
        """The largest label on this mesh, -1 without labels."""
        labels = [values for values in (self.prediction, self.truth) if values is not None]
        return max((int(values.max(initial=-1)) for values in labels), default=-1)

    @property
    def label_site(self) -> Site:
        """Whether the labels run over the faces or the vertices."""
        labels = self.truth if self.prediction is None else self.prediction
        return self.labels_on or self._site_by_count(labels)

    @property
    def scalar_site(self) -> Site:
        """Whether the scalar field runs over the faces or the vertices (the vertices where both fit)."""
        return "vertex" if self.scalar is None or len(self.scalar) == self.mesh.num_vertices else "face"

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

    def _scalar(self, values: Any) -> Float[ndarray, "n"] | None:
        if values is None:
            return None
        sites = {"face": self.mesh.num_faces, "vertex": self.mesh.num_vertices}
        return self._checked_count("scalar", as_array(values).astype(np.float64), sites)

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
    """The names of all classes: those given, or `class 0`, `class 1` ... up to the highest label.

    Raises:
        ValueError: a label has no name.
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


def scalar_limits(values: Float[ndarray, "n"]) -> tuple[float, float, bool]:
    """Colour limits `(low, high, diverging)`: symmetric about zero where the field has both signs.

    The limits leave out the outermost 1 % on each side, so that a few spikes (curvature at slivers) do not rotate
    the rest of the mesh into one colour.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0, False
    low, high = (float(q) for q in np.quantile(finite, [0.01, 0.99]))
    diverging = low < 0 < high
    if diverging:
        low, high = -max(-low, high), max(-low, high)
    return (low, high, diverging) if high > low else (low - 0.5, low + 0.5, False)


def as_array(values: Any) -> ndarray:
    """A numpy array of an array, a list or a tensor on any device."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


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
