"""Pictures of meshes as PNG: prediction, truth and error of each mesh in a row, or many meshes on one sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.viz.render import sheet
from gaugenet.viz.render.camera import rotated
from gaugenet.viz.render.colors import (
    RIGHT,
    SURFACE,
    UNLABELLED,
    WRONG,
    color_ramp,
    label_colors,
    palette,
    scalar_colors,
    to_hex,
)
from gaugenet.viz.render.mesh_view import MeshView, class_names_for, scalar_limits
from gaugenet.viz.render.sheet import INK, Theme, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Panel = Literal["prediction", "truth", "error", "scalar", "colors", "surface"]

_TITLES = {"prediction": "Prediction", "truth": "Truth", "error": "Error", "colors": "", "surface": ""}
_MOST_NAMED = 24


def render_meshes(
    path: str | Path,
    views: Sequence[MeshView],
    *,
    panels: Sequence[Panel] | None = None,
    class_names: Sequence[str] | None = None,
    title: str | None = None,
    columns: int | None = None,
    tile: int | tuple[int, int] = 400,
    azimuth: float = 25.0,
    elevation: float = 12.0,
    smooth: bool = True,
    theme: Theme = "light",
) -> None:
    """Draw meshes into one PNG with captions and a legend, without OpenGL and without a display.

    With several panels, the panels of a mesh stand side by side, and `columns` meshes (by default 1) in a row. With
    one panel, the meshes form a grid that is about square unless `columns` is given.

    Args:
        path: the PNG; written completely or not at all.
        views: at least one mesh.
        panels: some of "prediction", "truth", "error", "scalar", "colors" and "surface" (plain); by default all that
            the first mesh has. Where a mesh lacks a panel, its place stays empty.
        class_names: names for the legend, label 0 first.
        title: heading.
        columns: meshes in a row.
        tile: pixels of each panel, its side or (width, height).
        azimuth: degrees that the viewer stands to the right of the front.
        elevation: degrees above the horizon.
        smooth: interpolate the shading; otherwise every facet is visible.
        theme: "light" or "dark" paper.

    Raises:
        ValueError: If there are no meshes, a panel or the theme is unknown, or a label has no name.

    Example:
        >>> from gaugenet.datasets import bodies
        >>> from gaugenet.geometry import TriangleMesh
        >>> from gaugenet.viz import MeshView, render_meshes
        >>> mesh = TriangleMesh.load(bodies() / "test" / "deer_0.ply")
        >>> view = MeshView(name="deer", vertices=mesh.vertices, faces=mesh.faces, scalar=mesh.vertices[:, 1])
        >>> render_meshes("deer.png", [view], tile=120)
    """
    panels = _checked_panels(views, panels)
    names = class_names_for(views, class_names)
    per_row = columns or _default_columns(len(views), len(panels))
    width, height = (tile, tile) if isinstance(tile, int) else tile
    layout = _Layout(
        views=len(views),
        panels=panels,
        per_row=min(per_row, len(views)),
        width=width,
        height=height,
        title=title,
        num_keys=_num_keys(panels, names),
        key_width=56 + 9 * min(max([len(name) for name in names] + [16 if "scalar" in panels else 8]), 20),
    )
    canvas = sheet.blank(layout.canvas_height, layout.canvas_width, theme)
    limits = _common_limits(views)
    for index, view in enumerate(views):
        for panel, picture in _pictures(
            view, panels, limits, layout, azimuth=azimuth, elevation=elevation, smooth=smooth
        ):
            sheet.lay(canvas, picture, *layout.corner(index, panel))
    figure = sheet.figure_of(canvas)
    _write_captions(figure, layout, views, theme)
    _write_legend(figure, layout, names, limits, theme)
    sheet.save(figure, path)


def panels_of(view: MeshView) -> list[Panel]:
    """Return the panels that a mesh has; the plain surface when there is nothing else."""
    values = {
        "prediction": view.prediction,
        "truth": view.truth,
        "error": view.error,
        "scalar": view.scalar,
        "colors": view.colors,
    }
    panels: list[Panel] = [name for name, value in values.items() if value is not None]
    return panels or ["surface"]


@dataclass(frozen=True)
class _Layout:
    """Positions of panels, captions and legend, in pixels from the upper left corner."""

    views: int
    panels: Sequence[Panel]
    per_row: int
    width: int
    height: int
    title: str | None
    num_keys: int
    key_width: int

    margin = 28
    caption = 40
    key_height = 26

    @property
    def head(self) -> int:
        return self.margin + (44 if self.title else 0) + (26 if len(self.panels) > 1 else 0)

    @property
    def gap(self) -> int:
        return self.margin if self.per_row > 1 and len(self.panels) > 1 else 0

    @property
    def rows(self) -> int:
        return -(-self.views // self.per_row)

    @property
    def block_width(self) -> int:
        return self.width * len(self.panels)

    @property
    def canvas_width(self) -> int:
        inner = self.per_row * self.block_width + (self.per_row - 1) * self.gap
        return max(inner + 2 * self.margin, 420)

    @property
    def keys_per_row(self) -> int:
        return max(1, (self.canvas_width - 2 * self.margin) // self.key_width)

    @property
    def legend_top(self) -> int:
        return self.head + self.rows * (self.height + self.caption)

    @property
    def canvas_height(self) -> int:
        keys = -(-self.num_keys // self.keys_per_row) * self.key_height
        return self.legend_top + (keys + self.margin // 2 if keys else 0) + self.margin // 2

    def corner(self, index: int, panel: Panel) -> tuple[int, int]:
        """Return (left, top) of one panel of one mesh."""
        row, column = divmod(index, self.per_row)
        inner = self.per_row * self.block_width + (self.per_row - 1) * self.gap
        left = (self.canvas_width - inner) // 2 + column * (self.block_width + self.gap)
        return left + self.panels.index(panel) * self.width, self.head + row * (self.height + self.caption)


def _checked_panels(views: Sequence[MeshView], panels: Sequence[Panel] | None) -> list[Panel]:
    if not views:
        raise ValueError("Expected at least one mesh in `views`, got none.")
    if panels is None:
        return panels_of(views[0])
    known = (*_TITLES, "scalar")
    unknown = [panel for panel in panels if panel not in known]
    if unknown or not panels:
        raise ValueError(f"Expected `panels` of {', '.join(known)}, got {list(panels)}.")
    return list(panels)


def _default_columns(num_views: int, num_panels: int) -> int:
    if num_panels > 1:
        return 1 if num_views <= 4 else 2
    return max(1, round(math.sqrt(num_views * 1.6)))


def _num_keys(panels: Sequence[Panel], names: list[str]) -> int:
    keys = len(names) if {"prediction", "truth"} & set(panels) and len(names) <= _MOST_NAMED else 0
    return keys + (2 if "error" in panels else 0) + (2 if "scalar" in panels else 0)


def _common_limits(views: Sequence[MeshView]) -> tuple[float, float, bool]:
    fields = [view.scalar for view in views if view.scalar is not None]
    return scalar_limits(np.concatenate(fields)) if fields else (0.0, 1.0, False)


def _pictures(
    view: MeshView,
    panels: Sequence[Panel],
    limits: tuple[float, float, bool],
    layout: _Layout,
    *,
    azimuth: float,
    elevation: float,
    smooth: bool,
) -> list[tuple[Panel, Float[ndarray, "height width 4"]]]:
    from gaugenet.viz.render.shading import Model, corner_values, shade

    rotation = rotated(view.orientation, azimuth, elevation)
    shaded = shade(
        Model.of(view.mesh), rotation, up=view.orientation[1], width=layout.width, height=layout.height, smooth=smooth
    )
    pictures = []
    for panel in panels:
        colors = _panel_colors(view, panel, limits)
        if colors is None:
            continue
        site = {"scalar": view.scalar_site, "colors": "vertex", "surface": "face"}.get(panel, view.label_site)
        corners = corner_values(colors / 255, view.faces, on_faces=site == "face")
        pictures.append((panel, shaded.paint(corners, crisp=panel not in ("scalar", "colors"))))
    return pictures


def _panel_colors(view: MeshView, panel: Panel, limits: tuple[float, float, bool]) -> ndarray | None:
    if panel == "surface":
        return np.tile(np.array(SURFACE, dtype=np.uint8), (len(view.faces), 1))
    if panel == "colors":
        return None if view.colors is None else typed_array(view.colors)
    if panel == "scalar":
        low, high, diverging = limits
        return None if view.scalar is None else scalar_colors(view.scalar, (low, high), diverging=diverging)
    if panel == "error":
        table = np.array([RIGHT, WRONG, UNLABELLED], dtype=np.uint8)
        return None if view.error is None else table[view.error]
    labels = view.prediction if panel == "prediction" else view.truth
    return None if labels is None else label_colors(labels)


def _write_captions(figure: Figure, layout: _Layout, views: Sequence[MeshView], theme: Theme) -> None:
    strong, weak = INK[theme]
    if layout.title:
        write(figure, layout.margin, layout.margin + 14, layout.title, size=22, color=strong, weight="bold")
    if len(layout.panels) > 1:
        for k in range(layout.per_row):
            for panel in layout.panels:
                left, top = layout.corner(k, panel)
                heading = _TITLES.get(panel, views[0].scalar_name)
                center = left + layout.width / 2
                write(figure, center, top - 12, heading, size=15, color=weak, ha="center", weight="bold")
    for index, view in enumerate(views):
        left, top = layout.corner(index, layout.panels[0])
        right = "" if view.accuracy is None else f"   {100 * view.accuracy:.1f} %"
        room = int(layout.block_width / 8) - len(right)
        words = _shortened(view.name, room) + right
        center, below = left + layout.block_width / 2, top + layout.height + 16
        write(figure, center, below, words, size=13.5, color=weak, ha="center")


def _shortened(name: str, room: int) -> str:
    return name if len(name) <= room else name[: max(room // 2 - 1, 1)] + "…" + name[-max(room // 2 - 1, 1) :]


def _write_legend(
    figure: Figure, layout: _Layout, names: list[str], limits: tuple[float, float, bool], theme: Theme
) -> None:
    keys: list[tuple[str, str]] = []
    if {"prediction", "truth"} & set(layout.panels) and len(names) <= _MOST_NAMED:
        keys += [(to_hex(color), name) for color, name in zip(palette(len(names)), names)]
    if "error" in layout.panels:
        keys += [(to_hex(RIGHT), "right"), (to_hex(WRONG), "wrong")]
    if "scalar" in layout.panels:
        low, high, diverging = limits
        ramp = color_ramp(diverging=diverging)
        keys += [(to_hex(ramp[0]), f"{low:.3g} or less"), (to_hex(ramp[-1]), f"{high:.3g} or more")]
    across = min(layout.keys_per_row, max(len(keys), 1))
    start = (layout.canvas_width - across * layout.key_width) / 2
    for k, (color, name) in enumerate(keys):
        row, column = divmod(k, across)
        x = start + column * layout.key_width
        y = layout.legend_top + 10 + row * layout.key_height
        sheet.swatch(figure, x, y, color)
        write(figure, x + 26, y, _shortened(name, 20), size=14, color=INK[theme][0])
