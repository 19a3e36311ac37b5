"""SurfacePicture: frames, geodesic discs and transported kernels on a surface, as PNG and as a page to turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from gaugenet.files import atomic_path
from gaugenet.geometry import CrossField, GStructure
from gaugenet.groups import StructureGroup
from gaugenet.viz.camera import Direction, turned
from gaugenet.viz.colors import color_ramp, linear_to_srgb, oklab_to_srgb, srgb_to_linear, srgb_to_oklab
from gaugenet.viz.drawable import Drawable, Frames, drawable
from gaugenet.viz.mesh_view import MeshView
from gaugenet.viz.sheets import Camera, Domain, Place
from gaugenet.viz.triangles import Flat, Triangles, arrow, clipped, ribbon

if TYPE_CHECKING:
    from typing_extensions import Self

Color = tuple[int, int, int]
Kernel = Any
"""A function of `v (n, 2)` to `(n,)`, with |v| <= 1; a `GaugeConv`."""

SURFACE: Color = (222, 226, 232)
FIRST, SECOND, THIRD = (226, 84, 36), (38, 104, 196), (38, 150, 96)
RIM, INK, DISC = (58, 66, 82), (38, 46, 62), (250, 244, 222)
LIFT, LAYER = 0.004, 0.0011
"""How high above the surface the lowest layer is drawn, and each further one, in sizes of the surface."""


class Picture:
    """Triangles that have been collected, and how they are seen."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.parts: list[Triangles] = []

    def view(self, name: str = "picture") -> MeshView:
        """All that was drawn so far, for `render_meshes` and `write_viewer`."""
        drawn = Triangles.joined(self.parts)
        return MeshView(
            name=name,
            vertices=drawn.vertices,
            faces=drawn.faces,
            colors=_exposed(drawn.colors, self.camera.exposure),
            up=self.camera.up,
            front=None if self.camera.front == "auto" else self.camera.front,
        )

    def save(
        self,
        path: str | Path,
        *,
        size: tuple[int, int] = (840, 640),
        title: str = "",
        azimuth: float | None = None,
        elevation: float | None = None,
        theme: Literal["light", "dark"] = "light",
        palette: bool = False,
    ) -> None:
        """Write a picture (`.png`) or a page that is turned with the mouse and needs no network (`.html`).

        Args:
            path: the file; complete or absent.
            size: pixels of a PNG.
            title: of a page.
            azimuth, elevation: degrees that the viewer stands to the right of the front and above the horizon.
            theme: paper.
            palette: at most 256 colours in a PNG, a third of the size.

        Raises:
            ValueError: another ending, an unknown theme.
        """
        from gaugenet.viz.html import write_viewer
        from gaugenet.viz.png import PAPER

        ending = Path(path).suffix.lower()
        azimuth = self.camera.azimuth if azimuth is None else azimuth
        elevation = self.camera.elevation if elevation is None else elevation
        if theme not in PAPER:
            raise ValueError(f'Expected `theme` "light" or "dark", got {theme!r}.')
        if ending == ".html":
            view = self.view(title or Path(path).stem)
            write_viewer(path, [view], title=title or "gaugenet", theme=theme, azimuth=azimuth, elevation=elevation)
        elif ending == ".png":
            pixels = self._pixels(size, azimuth, elevation, np.array(PAPER[theme]) / 255)
            _write_png(path, pixels, palette=palette)
        else:
            raise ValueError(f"Expected a file that ends in .png or .html, got {str(path)!r}.")

    def _pixels(
        self, size: tuple[int, int], azimuth: float, elevation: float, paper: ndarray
    ) -> UInt8[ndarray, "height width 3"]:
        from gaugenet.viz.shading import Model, corner_values, expose

        view = self.view()
        rotation = turned(view.orientation, azimuth, elevation)
        exposure = expose(Model.of(view.mesh), rotation, up=view.orientation[1], width=size[0], height=size[1])
        corners = corner_values(view.colors / 255, view.faces, on_faces=False)
        image = exposure.paint(corners, crisp=False)
        mixed = paper + image[..., 3:] * (image[..., :3] - paper)
        return np.round(255 * np.clip(mixed, 0, 1)).astype(np.uint8)


class SurfacePicture(Picture):
    """A picture of a surface, to which frames, discs, kernels and curves are added::

        from gaugenet.geometry import MobiusStrip
        from gaugenet.viz import SurfacePicture

        picture = SurfacePicture(MobiusStrip(4.0, 1.2))
        picture.frames(picture.spread(30))
        picture.save("frames.png")
        picture.save("frames.html")

    What is drawn follows geodesics: an arrow is the geodesic that starts with a frame vector, a disc is the image of a
    disc in the tangent plane under `exp` (so that its grid is log coordinates), a kernel is drawn at every point as a
    function of the logarithm in the frame of that point: as the convolution sees it.

    Points are rows of coordinates on a manifold, numbers of vertices on a mesh. Frames are `None` (those that the
    library chooses), a tensor `(N, D, 2)`, a function of points, a `GStructure`; on meshes also a name ("first_edge",
    "random", "principal"), a `CrossField`, or an array over all vertices.

    Args:
        surface: a `Manifold` of dimension 2, a `TriangleMesh`, an `Icosphere`, a `CrossField`. A manifold without
            `exp` is drawn by its logarithms, linear on the triangles of the picture.
        place: where the points of a manifold are in space, `(N, D)` to `(N, 3)` or `(N, 2)`, if that is not known
            (see `gaugenet.viz.sheets`) or to be seen otherwise.
        domain: ranges of both chart coordinates.
        color: of the surface.
        up, front: directions in space that point up and to the viewer, as in `MeshView`.

    Raises:
        ValueError: no surface; a manifold for which `place` or `domain` is needed; points or frames of wrong shape.
    """

    def __init__(
        self,
        surface: Any,
        *,
        place: Place | None = None,
        domain: Domain | None = None,
        color: Color = SURFACE,
        up: Direction | None = None,
        front: Direction | None = None,
    ) -> None:
        self.surface: Drawable = drawable(surface, place=place, domain=domain)
        self._waiting: list[tuple[Tensor, Tensor, Flat, Color, float]] = []
        camera = self.surface.camera
        super().__init__(replace(camera, up=up or camera.up, front=front or camera.front))
        mesh = self.surface.mesh
        self.parts.append(Triangles.of(mesh.vertices, mesh.faces, color))

    def spread(self, count: int) -> Tensor:
        """`count` points of the surface, far from each other and from its edge."""
        return self.surface.spread(count)

    def transported(self, points: Any, frame: Any = None) -> Float[Tensor, "points D 2"]:
        """A frame at the first point, by default the library's, carried from each point to the next one."""
        points = self.surface.checked(points)
        return self.surface.transported(points, self.surface.frames_at(points[:1], frame)[0])

    # --- what can be added --------------------------------------------------------------------------------------------

    def frames(
        self,
        points: Any = 40,
        frames: Frames = None,
        *,
        group: StructureGroup | None = None,
        length: float | None = None,
        width: float = 0.075,
    ) -> Self:
        """Draw frames as pairs of arrows along the surface, the first vector orange, the second blue.

        Args:
            points: where; a number for so many points far from each other.
            frames: see the class.
            group: also draw, fainter, the other frames of the G-structure: for a finite group one for each of its
                elements, for SO(2) and O(2) the circle that their vectors reach. Default: the group of a `GStructure`
                or `CrossField`; none otherwise.
            length: of the arrows, in the units of the frames; by default two fifths of the way to the nearest point.
            width: of the arrows, in lengths.
        """
        points = self._points(points)
        group = _group_of(frames) if group is None else group
        frames = self.surface.frames_at(points, frames)
        length = length or self._length(points, frames)
        for p, frame in zip(points, frames):
            self._orbit(p, frame, group, length, width)
            self._axes(p, frame, length, 0.5 * width)
        return self._draped()

    def arrow(
        self, points: Any, frames: Frames, v: tuple[float, float], *, width: float = 0.05, color: Color = INK
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
        return self._draped()

    def disc(self, points: Any, radius: float, frames: Frames = None, *, color: Color = DISC, rings: int = 3) -> Self:
        """Draw geodesic discs with their log coordinates: circles of equal distance and geodesics from the centre.

        Args:
            points: centres.
            radius: geodesic radius.
            frames: the axes from which directions are counted; see the class.
            color: of the disc.
            rings: number of circles, the rim included.
        """
        radius = _positive("radius", radius)
        points = self._points(points)
        frames = self.surface.frames_at(points, frames)
        thin, pale = 0.008 * radius, _faded(RIM, 0.45)
        for p, frame, patch in zip(points, frames, self.surface.patches(points, frames, radius)):
            self._drape(patch.vertices, patch.faces, np.array(color), layer=2)
            for k in range(1, rings + 1):
                self._ribbon(p, frame, _circle(radius * k / rings), thin, RIM if k == rings else pale, 3)
            for angle in np.radians(np.arange(0, 360, 30)):
                ray = np.linspace(0.04, 1, 12)[:, None] * radius * np.array([np.cos(angle), np.sin(angle)])
                self._ribbon(p, frame, ray, thin, pale, 3)
            self._axes(p, frame, 0.62 * radius, 0.045)
        return self._draped()

    def kernel(
        self,
        points: Any,
        kernel: Kernel,
        radius: float,
        frames: Frames = None,
        *,
        entry: tuple[int, int] | None = None,
        axes: bool = True,
    ) -> Self:
        """Draw a kernel at every point, carried there by the frames: blue negative, red positive.

        Args:
            points: centres.
            kernel: a `GaugeConv`, trained or not, of which one entry of the matrix K(v) is drawn; or a function of
                `v (n, 2)`, |v| <= 1, in the frame, to numbers `(n,)`.
            radius: geodesic radius of the neighbourhoods.
            frames: see the class; kernels look the same from all of them.
            entry: row (output) and column (input) of K(v); by default the one that varies most with the direction.
            axes: also draw the frames.
        """
        radius = _positive("radius", radius)
        evaluate = kernel_function(kernel, entry)
        points = self._points(points)
        frames = self.surface.frames_at(points, frames)
        patches = self.surface.patches(points, frames, radius)
        values = [evaluate(patch.coordinates / radius) for patch in patches]
        strongest = max((float(np.abs(v).max(initial=0.0)) for v in values), default=0.0) or 1.0
        for p, frame, patch, value in zip(points, frames, patches, values):
            self._drape(patch.vertices, patch.faces, kernel_colors(value / strongest), layer=2)
            self._ribbon(p, frame, _circle(radius), 0.016 * radius, RIM, 3)
            if axes:
                self._axes(p, frame, 0.6 * radius, 0.055)
        return self._draped()

    def curve(self, points: Any, *, width: float | None = None, color: Color = INK) -> Self:
        """Draw geodesics from each point to the next, below discs, kernels and arrows.

        Args:
            points: at least two.
            width: in space.
            color: of the line.
        """
        points = self._points(points)
        width = width or 0.016 * self.surface.size
        frames = self.surface.frames_at(points, None)
        for p, frame, q, stretch in zip(points, frames, points[1:], self._stretch(points, frames)):
            line = np.linspace(0, 1, 24)[:, None] * self.surface.log(p, frame, q)
            self._ribbon(p, frame, line, width / 2 / stretch, color, 0)
        return self._draped()

    # --- how --------------------------------------------------------------------------------------------------------

    def _points(self, points: Any) -> Tensor:
        if isinstance(points, int):
            return self.surface.spread(points)
        return self.surface.checked(points)

    def _length(self, points: Tensor, frames: Tensor) -> float:
        """Two fifths of the usual distance between neighbours, in the units of the frames."""
        from scipy.spatial import cKDTree

        at, stretch = self.surface.place(points), np.median(self._stretch(points, frames))
        apart = np.median(cKDTree(at).query(at, k=2)[0][:, 1]) if len(at) > 1 else 0.75 * self.surface.size
        return float(0.4 * apart / stretch)

    def _stretch(self, points: Tensor, frames: Tensor) -> Float[ndarray, "points"]:
        """How long in space short vectors of unit length are."""
        step = 1e-3 * self.surface.size
        v = step * np.concatenate([[[0.0, 0.0]], np.eye(2), -np.eye(2)])
        found = []
        for positions, level in self.surface.exp(points, frames, [v] * len(points)):
            length = np.linalg.norm(positions[1:] - positions[0], axis=1)[level[1:] >= 0]
            found.append(length.mean() / step if len(length) and length.mean() > 0 else 1.0)
        return np.array(found)

    def _orbit(self, p: Tensor, frame: Tensor, group: StructureGroup | None, length: float, width: float) -> None:
        """The other frames of the G-structure."""
        if group is None or group.order == 1:
            return
        if group.order is None:
            self._ribbon(p, frame, _circle(length), 0.2 * width * length, _faded(INK, 0.5), 2)
            others = [] if group.orientation_preserving else [torch.diag(torch.tensor([1.0, -1.0]))]
        else:
            others = list(group.elements())
        for g in others:
            for k, (color, share) in enumerate(((FIRST, 0.92), (SECOND, 0.72))):
                tip = np.asarray(g, dtype=np.float64)[:, k]
                if np.abs(tip - np.eye(2)[k]).max() > 1e-9:
                    self._arrow(p, frame, share * length * tip, 0.26 * width * length, _faded(color, 0.42), 4 + 0.4 * k)

    def _axes(self, p: Tensor, frame: Tensor, length: float, width: float) -> None:
        """Both vectors of a frame; `width` is that of half an arrow, in lengths."""
        for k, color in enumerate((FIRST, SECOND)):
            self._arrow(p, frame, length * np.eye(2)[k], width * length, color, layer=6)

    def _arrow(self, p: Tensor, frame: Tensor, tip: ndarray, half_width: float, color: Color, layer: float) -> None:
        self._waiting.append((p, frame, arrow(tip, half_width, grow=0.45 * half_width), (255, 255, 255), layer - 1))
        self._waiting.append((p, frame, arrow(tip, half_width), color, layer))

    def _ribbon(self, p: Tensor, frame: Tensor, line: ndarray, half_width: float, color: Color, layer: float) -> None:
        closed = bool(np.linalg.norm(line[0] - line[-1]) < 1e-9)
        flat = ribbon(line[:-1] if closed else line, half_width, closed=closed)
        self._waiting.append((p, frame, flat, color, layer))

    def _draped(self) -> Self:
        """Carry all that waits from the tangent planes to the surface: many geodesics at once."""
        if not self._waiting:
            return self
        points, frames = (torch.stack([entry[k] for entry in self._waiting]) for k in (0, 1))
        ends = self.surface.exp(points, frames, [flat.points for _, _, flat, _, _ in self._waiting])
        for (_, _, flat, color, layer), (positions, level) in zip(self._waiting, ends):
            faces, positions, ridge = clipped(flat.faces, level, positions, flat.ridge)
            self._drape(positions, faces, np.array(color), layer + 0.9 * ridge)
        self._waiting.clear()
        return self

    def _drape(self, positions: ndarray, faces: ndarray, color: ndarray, layer: float | ndarray) -> None:
        """Put triangles that lie on the surface above it, on both sides if both are seen."""
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


def kernel_function(
    kernel: Kernel, entry: tuple[int, int] | None = None
) -> Callable[[Float[ndarray, "n d"]], Float[ndarray, "n"]]:
    """One entry of a kernel as a function of v, |v| <= 1.

    Raises:
        ValueError: no kernel; an entry that it does not have.
    """
    from gaugenet.nn import GaugeConv

    if isinstance(kernel, GaugeConv):
        space, weight = kernel.kernels, kernel.group_weights[0].detach().double().cpu()
        rows, columns = space.out_type.size, space.in_type.size
        row, column = _telling_entry(kernel) if entry is None else entry
        if not (0 <= row < rows and 0 <= column < columns):
            raise ValueError(f"Expected `entry` within the {rows} x {columns} matrix of this kernel, got {entry}.")
        return lambda v: space.evaluate(weight, torch.from_numpy(v))[:, row, column].numpy()
    if not callable(kernel):
        raise ValueError(f"Expected `kernel` to be a GaugeConv or a function of v (n, 2), got {type(kernel).__name__}.")
    if entry is not None:
        raise ValueError("Expected `entry` only with a GaugeConv: a function gives one number at every v.")

    def evaluate(v: ndarray) -> ndarray:
        values = np.asarray(torch.as_tensor(kernel(torch.from_numpy(v))).detach().double())
        if values.shape != (len(v),):
            raise ValueError(f"Expected `kernel` to map (n, {v.shape[1]}) to (n,), got shape {values.shape}.")
        return values

    return evaluate


def _telling_entry(conv: Any) -> tuple[int, int]:
    """The entry of the kernel that varies most with the direction."""
    d = conv.kernels.group.d
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(400, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    weight = conv.group_weights[0].detach().double().cpu()
    spread = sum(
        conv.kernels.evaluate(weight, torch.from_numpy(r * directions)).std(0, unbiased=False)
        for r in (0.25, 0.5, 0.75)
    )
    best = int(spread.argmax())
    return divmod(best, spread.shape[1])


def kernel_colors(values: Float[ndarray, "n"]) -> UInt8[ndarray, "n 3"]:
    """Colours of values between -1 and 1."""
    ramp = color_ramp(diverging=True)
    return ramp[np.round((np.clip(values, -1, 1) + 1) / 2 * 255).astype(int)]


def _group_of(frames: Frames) -> StructureGroup | None:
    from gaugenet.groups import Cyclic

    if isinstance(frames, GStructure):
        return frames.group
    return Cyclic(frames.n) if isinstance(frames, CrossField) else None


def _circle(radius: float) -> Float[ndarray, "73 2"]:
    angle = np.linspace(0, 2 * np.pi, 97)
    return radius * np.stack([np.cos(angle), np.sin(angle)], -1)


def _faded(color: Color, share: float, paper: Color = (246, 247, 249)) -> Color:
    """`share` of a colour, mixed with paper."""
    lab = srgb_to_oklab(np.array([color, paper]) / 255)
    mixed = oklab_to_srgb((share * lab[0] + (1 - share) * lab[1])[None])[0]
    return tuple(round(float(255 * c)) for c in mixed)  # type: ignore[return-value]


def _exposed(colors: UInt8[ndarray, "n 3"], share: float) -> UInt8[ndarray, "n 3"]:
    """Darker: the light on meshes is brighter than one where it falls at right angles."""
    return np.round(255 * linear_to_srgb(share * srgb_to_linear(colors / 255))).astype(np.uint8)


def _own_normals(positions: ndarray, faces: ndarray) -> Float[ndarray, "n 3"]:
    a, b, c = positions[faces].swapaxes(0, 1)
    cross = np.cross(b - a, c - a)
    total = np.zeros_like(positions)
    for k in range(3):
        np.add.at(total, faces[:, k], cross)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-300)


def _positive(name: str, value: float) -> float:
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"Expected a positive `{name}`, got {value}.")
    return float(value)


def _write_png(path: str | Path, pixels: UInt8[ndarray, "height width 3"], *, palette: bool) -> None:
    from PIL import Image

    image = Image.fromarray(pixels)
    if palette:
        image = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG", optimize=True)
