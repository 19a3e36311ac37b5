"""Picture: colored triangles, saved as a PNG or as a page in which they can be rotated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.files import atomic_path
from gaugenet.viz.render import sheet
from gaugenet.viz.render.camera import rotated
from gaugenet.viz.render.mesh_view import MeshView
from gaugenet.viz.render.palette import exposed
from gaugenet.viz.render.triangles import Triangles
from gaugenet.viz.surfaces.sheets import Camera


class Picture:
    """Collected triangles and the view in which they are shown."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.parts: list[Triangles] = []

    def view(self, name: str = "picture") -> MeshView:
        """Return everything drawn so far, for `render_meshes` and `write_viewer`."""
        drawn = Triangles.joined(self.parts)
        return MeshView(
            name=name,
            vertices=drawn.vertices,
            faces=drawn.faces,
            colors=exposed(drawn.colors, self.camera.exposure),
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
        theme: sheet.Theme = "light",
        palette: bool = False,
    ) -> None:
        """Write a PNG, or an HTML page in which the mouse rotates the picture, and which needs no network.

        Args:
            path: the file, `.png` or `.html`; written completely or not at all.
            size: pixels of a PNG.
            title: of a page.
            azimuth: degrees that the viewer stands to the right of the front.
            elevation: degrees that the viewer stands above the horizon.
            theme: `"light"` or `"dark"` paper.
            palette: limit a PNG to 256 colors, which makes the file about a third as large.

        Raises:
            ValueError: If the ending or the theme is unknown.
        """
        from gaugenet.viz.render.html import write_viewer

        ending = Path(path).suffix.lower()
        azimuth = self.camera.azimuth if azimuth is None else azimuth
        elevation = self.camera.elevation if elevation is None else elevation
        sheet.check_theme(theme)
        if ending == ".html":
            view = self.view(title or Path(path).stem)
            write_viewer(path, [view], title=title or "gaugenet", theme=theme, azimuth=azimuth, elevation=elevation)
        elif ending == ".png":
            _write_png(path, self._pixels(size, azimuth, elevation, theme), palette=palette)
        else:
            raise ValueError(f"Expected a file that ends in .png or .html, got {str(path)!r}.")

    def _pixels(
        self, size: tuple[int, int], azimuth: float, elevation: float, theme: sheet.Theme
    ) -> UInt8[ndarray, "height width 3"]:
        from gaugenet.viz.render.shading import Model, corner_values, shade

        view = self.view()
        rotation = rotated(view.orientation, azimuth, elevation)
        shaded = shade(Model.of(view.mesh), rotation, up=view.orientation[1], width=size[0], height=size[1])
        corners = corner_values(view.colors / 255, view.faces, on_faces=False)
        canvas = sheet.blank(size[1], size[0], theme)
        sheet.lay(canvas, shaded.paint(corners, crisp=False), 0, 0)
        return typed_array(np.round(255 * np.clip(canvas, 0, 1)).astype(np.uint8))


def _write_png(path: str | Path, pixels: UInt8[ndarray, "height width 3"], *, palette: bool) -> None:
    from PIL import Image

    image = Image.fromarray(pixels)
    if palette:
        image = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG", optimize=True)
