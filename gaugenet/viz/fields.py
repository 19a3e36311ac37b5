"""draw_fields: scalars and tangent fields on a surface, as a PNG or as an interactive page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaugenet.viz.render.camera import Direction
from gaugenet.viz.render.html import write_viewer
from gaugenet.viz.render.mesh_field import MeshField
from gaugenet.viz.render.mesh_view import MeshView
from gaugenet.viz.render.png import render_meshes
from gaugenet.viz.render.sheet import Theme


def draw_fields(
    path: str | Path,
    surface: Any,
    fields: Mapping[str, MeshField],
    *,
    title: str = "",
    frames: Any = None,
    lines: Any = None,
    step: int = 0,
    tile: int | tuple[int, int] = 480,
    up: Direction = "auto",
    azimuth: float = 25.0,
    elevation: float = 12.0,
    theme: Theme = "light",
) -> None:
    """Draw fields on a surface with color bars: vectors as arrows, stream lines or both.

    A `.png` shows the fields side by side at one time step. An `.html` is one page that opens offline, with a menu of
    the fields, and a slider where there are time steps.

    Args:
        path: the file to write; it is never left incomplete.
        surface: a mesh, an `Icosphere`, or a grid of the sphere such as `HEALPix`; see `MeshView.of`.
        fields: fields by name, at least one.
        title: heading.
        frames: `(V, 3, 2)` tangent frames for fields of two components.
        lines: `(n, 2, 3)` segments in space over the surface, such as `coastline_segments()`.
        step: time step of a PNG, counted from the end if negative.
        tile: pixels of each field in a PNG, its side or (width, height).
        up: direction that points up, as in `MeshView`.
        azimuth: degrees that the viewer stands to the right of the front.
        elevation: degrees above the horizon.
        theme: "light" or "dark" paper.

    Raises:
        ValueError: If there is no field, if a field does not fit, or if the file name has another ending.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.viz import MeshField, draw_fields
        >>> sphere = Icosphere(3)
        >>> east = torch.linalg.cross(torch.tensor([[0.0, 0.0, 1.0]]).to(sphere.pos), sphere.pos)
        >>> wind = MeshField(20 * east, unit="m/s", drawn="both")
        >>> draw_fields("wind.png", sphere, {"wind": wind}, up="z", tile=120)
    """
    if not fields:
        raise ValueError("Expected at least one field to draw, got none.")
    ending = Path(path).suffix.lower()
    if ending not in (".png", ".html"):
        raise ValueError(f"Expected a file that ends in .png or .html, got {str(path)!r}.")
    name = (title or Path(path).stem) if ending == ".html" else ""
    view = MeshView.of(surface, name, fields=fields, frames=frames, lines=lines, up=up)
    look: dict[str, Any] = {"azimuth": azimuth, "elevation": elevation, "theme": theme}
    if ending == ".html":
        write_viewer(path, [view], title=title or "gaugenet", **look)
    else:
        render_meshes(path, [view], panels=list(view.fields), title=title or None, tile=tile, step=step, **look)
