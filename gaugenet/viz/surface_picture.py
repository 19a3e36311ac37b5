"""SurfacePicture: frames, geodesic discs and transported kernels on a surface."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gaugenet._deprecation import renamed_arguments
from gaugenet._typing import typed_array
from gaugenet._validation import positive_number
from gaugenet.geometry import CrossField, GStructure
from gaugenet.groups import StructureGroup
from gaugenet.viz.kernel_entry import Kernel, kernel_function
from gaugenet.viz.render.camera import Direction
from gaugenet.viz.render.palette import DISC, FIRST, INK, RIM, SECOND, SURFACE, Color, faded, kernel_colors
from gaugenet.viz.render.picture import Picture
from gaugenet.viz.render.triangles import Flat, Triangles, arrow, clipped, ribbon, unstretched
from gaugenet.viz.surfaces.drawable import Drawable, FramesLike, drawable
from gaugenet.viz.surfaces.immersions import Immersion
from gaugenet.viz.surfaces.sheets import Chart, Domain

if TYPE_CHECKING:
    from typing_extensions import Self

LIFT, LAYER = 0.004, 0.0011
"""How high above the surface the lowest layer is drawn, and each further one, in sizes of the surface."""


class SurfacePicture(Picture):
    """A picture of a surface, to which frames, discs, kernels and curves are added.

    Everything follows geodesics. An arrow is the geodesic whose initial velocity is a frame vector. A disc is the
    image of a disc in the tangent plane under `exp`, so its grid shows logarithmic coordinates. A kernel is drawn at
    every point as the convolution uses it: as a function of the logarithm in the frame of that point.

    Points are rows of coordinates on a manifold, and vertex indices on a mesh. Frames are `None` (those that the
    library chooses), a tensor `(N, D, 2)`, a function of points, or a `GStructure`. On meshes they are also a name
    ("first_edge", "random", "principal"), a `CrossField`, or an array over all vertices.

    Args:
        surface: a `Manifold` of dimension 2, a `TriangleMesh`, an `Icosphere`, or a `CrossField`. A manifold without
            `exp` is drawn with its logarithms, linear on the triangles of the picture.
        immersion: map from the points of a manifold to space, `(N, D)` to `(N, 3)` or `(N, 2)`; replaces the map that
            the library knows, if any.
        domain: ranges of both chart coordinates.
        chart: map from coordinates `(N, 2)` in the domain to points `(N, D)`; needed where points have other
            coordinates.
        color: of the surface.
        up, front: directions in space that point up and to the viewer, as in `MeshView`.

    Raises:
        ValueError: If `surface` is not a surface, a manifold needs `immersion`, `domain` or `chart`, or points or
            frames have the wrong shape.

    Example:
        >>> from gaugenet.geometry import MobiusStrip
        >>> from gaugenet.viz import SurfacePicture
        >>> picture = SurfacePicture(MobiusStrip(4.0, 1.2))
        >>> picture = picture.frames(picture.spread(30))
        >>> picture.save("frames.html")  # or frames.png
    """

    @renamed_arguments(place="immersion")
    def __init__(
        self,
        surface: Any,
        *,
        immersion: Immersion | None = None,
        domain: Domain | None = None,
        chart: Chart | None = None,
        color: Color = SURFACE,
        up: Direction | None = None,
        front: Direction | None = None,
    ) -> None:
        self.surface: Drawable = drawable(surface, immersion=immersion, domain=domain, chart=chart)
        self._waiting: list[tuple[Tensor, Tensor, Flat, Color, float]] = []
        camera = self.surface.camera
        super().__init__(replace(camera, up=up or camera.up, front=front or camera.front))
        mesh = self.surface.mesh
        self.parts.append(Triangles.of(mesh.vertices, mesh.faces, color))

    def spread(self, count: int) -> Tensor:
        """Return `count` points of the surface, far from each other and from its edge."""
        return self.surface.spread(count)

    def transported(self, points: Any, frame: Any = None) -> Float[Tensor, "points D 2"]:
        """Transport a frame at the first point, by default the library's, from each point to the next one."""
        points = self.surface.checked(points)
        return self.surface.transported(points, self.surface.frames_at(points[:1], frame)[0])

    # --- drawing ------------------------------------------------------------------------------------------------------

    def frames(
        self,
        points: Any = 40,
        frames: FramesLike = None,
        *,
        group: StructureGroup | None = None,
        length: float | None = None,
        width: float = 0.075,
    ) -> Self:
        """Draw frames as pairs of arrows along the surface, the first vector orange, the second blue.

        Args:
            points: where; a number N stands for N points far from each other.
            frames: see the class.
            group: also draw, fainter, the other frames of the G-structure. A finite group has one frame for each of
                its elements; for SO(2) and O(2) it is the circle that the vectors reach. By default the group of a
                `GStructure` or `CrossField`, otherwise none.
            length: of the arrows, in the units of the frames; by default two fifths of the distance to the nearest
                point.
            width: of the arrows, relative to their length.
        """
        points = self._points(points)
        group = _group_of(frames) if group is None else group
        frames = self.surface.frames_at(points, frames)
        length = length or self._length(points, frames)
        for p, frame in zip(points, frames):
            self._orbit(p, frame, group, length, width)
            self._axes(p, frame, length, 0.5 * width)
        return self._flush()

    def arrow(
        self, points: Any, frames: FramesLike, v: tuple[float, float], *, width: float = 0.05, color: Color = INK
    ) -> Self:
        """Draw one tangent vector at every point.

        Args:
            points: where.
            frames: see the class.
            v: its coefficients.
            width: of the arrows, in the units of the frames.
            color: of the arrows.
        """
        points = self._points(points)
        for p, frame in zip(points, self.surface.frames_at(points, frames)):
            self._arrow(p, frame, np.array(v, dtype=np.float64), width / 2, color, layer=6)
        return self._flush()

    def disc(
        self, points: Any, radius: float, frames: FramesLike = None, *, color: Color = DISC, rings: int = 3
    ) -> Self:
        """Draw geodesic discs with their logarithmic coordinates: circles of equal distance, geodesics from the centre.

        Args:
            points: centres.
            radius: geodesic radius.
            frames: the axes from which directions are counted; see the class.
            color: of the disc.
            rings: number of circles, the rim included.
        """
        radius = positive_number("radius", radius)
        points = self._points(points)
        frames = self.surface.frames_at(points, frames)
        thin, pale = 0.008 * radius, faded(RIM, 0.45)
        for n, (p, frame, patch) in enumerate(zip(points, frames, self.surface.patches(points, frames, radius))):
            self._add_triangles(patch.vertices, patch.faces, np.array(color), _stacked(n, len(points)))
            for k in range(1, rings + 1):
                self._ribbon(p, frame, _circle(radius * k / rings), thin, RIM if k == rings else pale, 3)
            for angle in np.radians(np.arange(0, 360, 30)):
                ray = np.linspace(0.04, 1, 12)[:, None] * radius * np.array([np.cos(angle), np.sin(angle)])
                self._ribbon(p, frame, ray, thin, pale, 3)
            self._axes(p, frame, 0.62 * radius, 0.045)
        return self._flush()

    def kernel(
        self,
        points: Any,
        kernel: Kernel,
        radius: float,
        frames: FramesLike = None,
        *,
        entry: tuple[int, int] | None = None,
        axes: bool = True,
    ) -> Self:
        """Draw a kernel at every point, transported there by the frames: blue negative, red positive.

        Args:
            points: centres.
            kernel: a `GaugeConv`, trained or not (one entry of its matrix K(v) is drawn), or a function from
                `v (n, 2)`, |v| <= 1, in the frame, to numbers `(n,)`.
            radius: geodesic radius of the neighbourhoods.
            frames: see the class; the kernel is the same function in each of them.
            entry: row (output) and column (input) of K(v); by default the one that varies most with the direction.
            axes: also draw the frames.
        """
        radius = positive_number("radius", radius)
        evaluate = kernel_function(kernel, entry)
        points = self._points(points)
        frames = self.surface.frames_at(points, frames)
        patches = self.surface.patches(points, frames, radius)
        values = [evaluate(patch.coordinates / radius) for patch in patches]
        strongest = max((float(np.abs(v).max(initial=0.0)) for v in values), default=0.0) or 1.0
        for n, (p, frame, patch, value) in enumerate(zip(points, frames, patches, values)):
            self._add_triangles(patch.vertices, patch.faces, kernel_colors(value / strongest), _stacked(n, len(points)))
            self._ribbon(p, frame, _circle(radius), 0.016 * radius, RIM, 3)
            if axes:
                self._axes(p, frame, 0.6 * radius, 0.055)
        return self._flush()

    def curve(self, points: Any, *, width: float | None = None, color: Color = INK) -> Self:
        """Draw geodesics from each point to the next, below discs, kernels and arrows.

        Args:
            points: at least two.
            width: in space.
            color: of the line.
        """
        width = width or 0.016 * self.surface.size
        for positions, faces, ridge in self.surface.bands(self._points(points), width / 2):
            self._add_triangles(positions, faces, np.array(color), 0.9 * ridge)
        return self

    # --- internals --------------------------------------------------------------------------------------------------

    def _points(self, points: Any) -> Tensor:
        if isinstance(points, int):
            return self.surface.spread(points)
        return self.surface.checked(points)

    def _length(self, points: Tensor, frames: Tensor) -> float:
        """Return two fifths of the typical distance between neighbours, in the units of the frames."""
        from scipy.spatial import cKDTree

        at, stretch = self.surface.immersion(points), np.median(self.surface.stretch(points, frames))
        apart = np.median(cKDTree(at).query(at, k=2)[0][:, 1]) if len(at) > 1 else 0.75 * self.surface.size
        return float(0.4 * apart / stretch)

    def _orbit(self, p: Tensor, frame: Tensor, group: StructureGroup | None, length: float, width: float) -> None:
        """Return the arrows of the other frames of the G-structure."""
        if group is None or group.order == 1:
            return
        if group.order is None:
            self._ribbon(p, frame, _circle(length), 0.2 * width * length, faded(INK, 0.5), 2)
            others = [] if group.orientation_preserving else [torch.diag(torch.tensor([1.0, -1.0]))]
        else:
            others = list(group.elements())
        for g in others:
            for k, (color, share) in enumerate(((FIRST, 0.92), (SECOND, 0.72))):
                tip = np.asarray(g, dtype=np.float64)[:, k]
                if np.abs(tip - np.eye(2)[k]).max() > 1e-9:
                    self._arrow(p, frame, share * length * tip, 0.26 * width * length, faded(color, 0.42), 4 + 0.4 * k)

    def _axes(self, p: Tensor, frame: Tensor, length: float, width: float) -> None:
        """Return the arrows of both vectors of a frame; `width` is half an arrow's width, relative to its length."""
        for k, color in enumerate((FIRST, SECOND)):
            self._arrow(p, frame, length * np.eye(2)[k], width * length, color, layer=6)

    def _arrow(self, p: Tensor, frame: Tensor, tip: ndarray, half_width: float, color: Color, layer: float) -> None:
        self._waiting.append((p, frame, arrow(tip, half_width, grow=0.45 * half_width), (255, 255, 255), layer - 1))
        self._waiting.append((p, frame, arrow(tip, half_width), color, layer))

    def _ribbon(self, p: Tensor, frame: Tensor, line: ndarray, half_width: float, color: Color, layer: float) -> None:
        closed = bool(np.linalg.norm(line[0] - line[-1]) < 1e-9)
        flat = ribbon(line[:-1] if closed else line, half_width, closed=closed)
        self._waiting.append((p, frame, flat, color, layer))

    def _flush(self) -> Self:
        """Map all waiting pieces from their tangent planes to the surface, many geodesics at once."""
        if not self._waiting:
            return self
        points, frames = (torch.stack([entry[k] for entry in self._waiting]) for k in (0, 1))
        ends = self.surface.exp(points, frames, [flat.points for _, _, flat, _, _ in self._waiting])
        for (_, _, flat, color, layer), (positions, level) in zip(self._waiting, ends):
            faces = flat.faces
            if self.surface.in_true_size:
                faces = faces[unstretched(faces, flat.points, positions)]
            faces, positions, ridge = clipped(faces, level, positions, flat.ridge)
            self._add_triangles(positions, faces, np.array(color), layer + 0.9 * ridge)
        self._waiting.clear()
        return self

    def _add_triangles(self, positions: ndarray, faces: ndarray, color: ndarray, layer: float | ndarray) -> None:
        """Add triangles slightly above the surface, on both sides if both are visible."""
        if not len(faces):
            return
        normals = _own_normals(positions, faces)
        sign = np.where((normals * self.surface.normals_near(positions)).sum(1) < 0, -1, 1)
        faces = faces if sign.sum() >= 0 else faces[:, ::-1]
        height = self.surface.size * (LIFT + LAYER * np.broadcast_to(layer, len(positions)))
        lifted = (sign * height)[:, None] * normals
        self.parts.append(Triangles.of(positions + lifted, faces, color))
        if self.surface.two_sided:
            self.parts.append(Triangles.of(positions - lifted, faces[:, ::-1], color))


def _group_of(frames: FramesLike) -> StructureGroup | None:
    from gaugenet.groups import Cyclic

    if isinstance(frames, GStructure):
        return frames.group
    return Cyclic(frames.n) if isinstance(frames, CrossField) else None


def _stacked(n: int, count: int) -> float:
    """Return the layer of each disc: later discs cover earlier ones, and lines cover all discs."""
    return 2 + 0.9 * n / count


def _circle(radius: float) -> Float[ndarray, "73 2"]:
    angle = np.linspace(0, 2 * np.pi, 97)
    return radius * np.stack([np.cos(angle), np.sin(angle)], -1)


def _own_normals(positions: ndarray, faces: ndarray) -> Float[ndarray, "n 3"]:
    a, b, c = positions[faces].swapaxes(0, 1)
    cross = np.cross(b - a, c - a)
    total = np.zeros_like(positions)
    for k in range(3):
        np.add.at(total, faces[:, k], cross)
    return typed_array(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-300))
