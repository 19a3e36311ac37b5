"""Painter: a lit mesh in the colors of labels or fields, with arrows, stream lines and segments over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.viz.render.colors import ColorScale
from gaugenet.viz.render.mesh_field import Site, SurfaceField
from gaugenet.viz.render.mesh_view import MeshView
from gaugenet.viz.render.stream_lines import Texels, line_integral_convolution
from gaugenet.viz.render.triangles import Triangles

if TYPE_CHECKING:
    from gaugenet.viz.render.shading import Shading

_Marks = tuple[Float[ndarray, "vertices 3"], Int[ndarray, "faces 3"]]

INK = (22, 26, 34)
"""Color of arrows and of lines over a surface."""
# A dart in units of its length: tail, two notches, two wings, tip; (along, across).
_DART = np.array([[0, 0.045], [0, -0.045], [0.55, 0.045], [0.55, -0.045], [0.5, 0.19], [0.5, -0.19], [1.0, 0.0]])
_DART_FACES = np.array([[0, 1, 3], [0, 3, 2], [4, 5, 6]])
_DARK, _LIGHT = 0.35, 1.25


@dataclass(frozen=True, eq=False)
class Anchors:
    """Where the arrows of a field stand.

    Attributes:
        at: indices of vertices or faces.
        points: positions.
        normals: unit normals.
        length: of an arrow whose vector has the size `longest`.
        longest: size of a vector.
    """

    at: Int[ndarray, "arrows"]
    points: Float[ndarray, "arrows 3"]
    normals: Float[ndarray, "arrows 3"]
    length: float
    longest: float

    @classmethod
    def of(cls, mesh: TriangleMesh, field: SurfaceField, scale: ColorScale) -> Anchors:
        """Spread anchors over a mesh."""
        spacing = field.options.spacing or float(np.linalg.norm(np.ptp(mesh.vertices, axis=0))) / 18
        if field.site == "vertex":
            places, normals = mesh.vertices, mesh.vertex_normals
        else:
            places, normals = mesh.vertices[mesh.faces].mean(axis=1), mesh.face_normals
        at = spread_points(places, spacing)
        return cls(at, places[at], normals[at], 1.15 * spacing, field.options.longest or max(scale.high, 1e-300))

    def darts(self, vectors: Float[ndarray, "n 3"]) -> _Marks:
        """Return flat arrows of the vectors of a field, a little above the surface: vertices and faces.

        Vectors that are not finite get no length.
        """
        chosen = np.nan_to_num(vectors[self.at], nan=0.0, posinf=0.0, neginf=0.0)
        size = np.linalg.norm(chosen, axis=1)
        scale = self.length * np.minimum(size / self.longest, 1.0)
        along = chosen / np.maximum(size, 1e-300)[:, None]
        across = np.cross(self.normals, along)
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-300)
        # An arrow stands on its middle, and high enough for its lower end to stay above the surface.
        steep = np.abs((self.normals * along).sum(axis=1))
        middle = self.points + (0.06 * self.length + 0.5 * steep * scale)[:, None] * self.normals
        x, y = _DART.T
        corners = (x - 0.5)[None, :, None] * along[:, None] + y[None, :, None] * across[:, None]
        vertices = middle[:, None] + scale[:, None, None] * corners
        faces = _DART_FACES + len(_DART) * np.arange(len(self.at))[:, None, None]
        return vertices.reshape(-1, 3), faces.reshape(-1, 3)


def spread_points(points: Float[ndarray, "n 3"], spacing: float) -> Int[ndarray, "kept"]:
    """Return indices of points that are no closer to one another than `spacing`, a maximal set of them."""
    from scipy.spatial import cKDTree

    free, kept = np.ones(len(points), dtype=bool), []
    tree = cKDTree(points)
    for index in range(len(points)):
        if free[index]:
            kept.append(index)
            free[tree.query_ball_point(points[index], spacing)] = False
    return np.array(kept)


class Painter:
    """A mesh seen from one side, painted in different ways: its light is computed once for all that has no arrows.

    Args:
        view: the mesh; its `lines` are drawn over it.
        rotation: rows right, up, towards the viewer (`gaugenet.viz.render.camera`).
        width: pixels.
        height: pixels.
        smooth: round shading; otherwise facets are seen.
    """

    def __init__(
        self, view: MeshView, rotation: Float[ndarray, "3 3"], width: int, height: int, *, smooth: bool = True
    ) -> None:
        self.view, self.rotation, self.size, self.smooth = view, rotation, (width, height), smooth
        self._lines = [] if view.lines is None or not len(view.lines) else [_ribbons(view.mesh, view.lines)]

    @cached_property
    def _without_arrows(self) -> tuple[Shading, Float[ndarray, "more 3 3"]]:
        return self._shaded(self._lines)

    def paint(
        self, colors: UInt8[ndarray, "n 3"], site: Site, *, crisp: bool = False
    ) -> Float[ndarray, "height width 4"]:
        """Return a picture in straight-alpha sRGB, in [0, 1].

        Args:
            colors: of vertices or faces.
            site: which of them.
            crisp: each point takes the color of its nearest corner (labels) instead of the mixed one (fields).
        """
        return self._painted(*self._without_arrows, colors, site, crisp=crisp)

    def paint_field(self, field: SurfaceField, scale: ColorScale, *, step: int = 0) -> Float[ndarray, "height width 4"]:
        """Return a picture of one time step of a field: colors, and arrows or stream lines of vectors.

        Args:
            field: one of the fields of the view.
            scale: the colors.
            step: time step, counted from the end if negative.
        """
        step = field.step(step)
        lit = self._without_arrows
        if field.vectors is not None and field.has_arrows:
            lit = self._shaded([*self._lines, Anchors.of(self.view.mesh, field, scale).darts(field.vectors[step])])
        factor = None
        if field.vectors is not None and field.has_lines:
            texels = Texels.of(self.view.mesh)
            streaks = line_integral_convolution(texels, field.vectors[step])
            face, weights = lit[0].face, lit[0].weights
            own = face < self.view.mesh.num_faces
            factor = np.ones(len(face))
            factor[own] = _DARK + (_LIGHT - _DARK) * streaks[texels.at(face[own], weights[own])]
        return self._painted(*lit, scale.colors(field.sizes[step]), field.site, factor=factor)

    def _shaded(self, marks: Sequence[_Marks]) -> tuple[Shading, Float[ndarray, "more 3 3"]]:
        """Light the mesh and its marks together, so that each hides what lies behind it; colors of the marks."""
        from gaugenet.viz.render.shading import Model, shade

        mesh = self.view.mesh
        over = Triangles.joined(
            [Triangles.of(mesh.vertices, mesh.faces, INK)]
            + [Triangles.of(v, np.concatenate([f, f[:, ::-1]]), INK) for v, f in marks]  # seen from both sides
        )
        width, height = self.size
        shaded = shade(
            Model.of(TriangleMesh(over.vertices, over.faces)),
            self.rotation,
            up=self.view.orientation[1],
            width=width,
            height=height,
            smooth=self.smooth,
        )
        return shaded, over.colors[over.faces[mesh.num_faces :]] / 255

    def _painted(
        self,
        shaded: Shading,
        marks: Float[ndarray, "more 3 3"],
        colors: UInt8[ndarray, "n 3"],
        site: Site,
        *,
        crisp: bool = False,
        factor: Float[ndarray, "hits"] | None = None,
    ) -> Float[ndarray, "height width 4"]:
        from gaugenet.viz.render.shading import corner_values

        corners = corner_values(colors / 255, self.view.faces, on_faces=site == "face")
        picture = shaded.paint(np.concatenate([corners, marks]), crisp=crisp, factor=factor)
        return typed_array(np.clip(picture, 0, 1))


def _ribbons(mesh: TriangleMesh, lines: Float[ndarray, "n 2 3"]) -> _Marks:
    """Return a flat band along each segment, tangent to the surface and a little above it."""
    from scipy.spatial import cKDTree

    width = 0.0016 * float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    normals = mesh.vertex_normals[cKDTree(mesh.vertices).query(lines.reshape(-1, 3))[1]].reshape(-1, 2, 3)
    side = np.cross(normals, (lines[:, 1] - lines[:, 0])[:, None])
    side *= width / np.maximum(np.linalg.norm(side, axis=2, keepdims=True), 1e-300)
    raised = lines + 0.5 * width * normals
    vertices = np.stack([raised[:, 0] - side[:, 0], raised[:, 1] - side[:, 1], raised[:, 1] + side[:, 1],
                         raised[:, 0] + side[:, 0]], axis=1)  # fmt: skip
    faces = np.array([[0, 1, 2], [0, 2, 3]]) + 4 * np.arange(len(lines))[:, None, None]
    return vertices.reshape(-1, 3), faces.reshape(-1, 3)
