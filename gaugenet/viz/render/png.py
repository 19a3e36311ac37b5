"""Pictures of meshes as PNG: prediction, truth and error of each mesh in a row, or many meshes on one sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.viz.render import sheet
from gaugenet.viz.render.camera import rotated
from gaugenet.viz.render.colors import RIGHT, SURFACE, UNLABELLED, WRONG, ColorScale, label_colors, palette, to_hex
from gaugenet.viz.render.mesh_field import Site, common_scales
from gaugenet.viz.render.mesh_view import MeshView, class_names_for
from gaugenet.viz.render.sheet import INK, Theme, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TITLES = {"prediction": "Prediction", "truth": "Truth", "error": "Error", "colors": "", "surface": ""}
_MOST_NAMED = 24


def render_meshes(
    path: str | Path,
    views: Sequence[MeshView],
    *,
    panels: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    title: str | None = None,
    columns: int | None = None,
    tile: int | tuple[int, int] = 400,
    azimuth: float = 25.0,
    elevation: float = 12.0,
    smooth: bool = True,
    theme: Theme = "light",
    step: int = 0,
) -> None:
    """Draw meshes into one PNG with captions, color bars and a legend, without OpenGL and without a display.

    With several panels, the panels of a mesh stand side by side, and `columns` meshes (by default 1) in a row. With
    one panel, the meshes form a grid that is about square unless `columns` is given.

    Args:
        path: the PNG; written completely or not at all.
        views: at least one mesh.
        panels: some of "prediction", "truth", "error", names of fields, "scalar" (the first field), "colors" and
            "surface" (plain); by default all that the first mesh has. The place of a panel that a mesh lacks is empty.
        class_names: names for the legend, label 0 first.
        title: heading.
        columns: meshes in a row.
        tile: pixels of each panel, its side or (width, height).
        azimuth: degrees that the viewer stands to the right of the front.
        elevation: degrees above the horizon.
        smooth: interpolate the shading; otherwise every facet is visible.
        theme: "light" or "dark" paper.
        step: time step of the fields, counted from the end if negative.

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
    names, scales = class_names_for(views, class_names), common_scales([view.fields for view in views])
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
        key_width=56 + 9 * min(max(len(name) for name in [*names, " " * 8]), 20),
        num_bars=sum(panel in scales for panel in panels),
    )
    canvas = sheet.blank(layout.canvas_height, layout.canvas_width, theme)
    for index, view in enumerate(views):
        for panel, picture in _pictures(
            view, panels, scales, layout, azimuth=azimuth, elevation=elevation, smooth=smooth, step=step
        ):
            sheet.lay(canvas, picture, *layout.corner(index, panel))
    figure = sheet.figure_of(canvas)
    _write_captions(figure, layout, views, theme)
    _write_legend(figure, layout, names, theme)
    _write_bars(figure, layout, views, scales, theme)
    sheet.save(figure, path)


def panels_of(view: MeshView) -> list[str]:
    """Return the panels that a mesh has; the plain surface when there is nothing else."""
    values = {
        "prediction": view.prediction,
        "truth": view.truth,
        "error": view.error,
        **view.fields,
        "colors": view.colors,
    }
    panels: list[str] = [name for name, value in values.items() if value is not None]
    return panels or ["surface"]


@dataclass(frozen=True)
class _Layout:
    """Positions of panels, captions and legend, in pixels from the upper left corner."""

    views: int
    panels: Sequence[str]
    per_row: int
    width: int
    height: int
    title: str | None
    num_keys: int
    key_width: int
    num_bars: int

    margin = 28
    caption = 40
    key_height = 26
    bar_width, bar_height = 290, 56

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
    def bars_per_row(self) -> int:
        return max(1, min(self.num_bars, (self.canvas_width - 2 * self.margin) // self.bar_width))

    @property
    def bars_top(self) -> int:
        keys = -(-self.num_keys // self.keys_per_row) * self.key_height
        return self.legend_top + (keys + self.margin // 2 if keys else 0)

    @property
    def canvas_height(self) -> int:
        return self.bars_top + -(-self.num_bars // self.bars_per_row) * self.bar_height + self.margin // 2

    def corner(self, index: int, panel: str) -> tuple[int, int]:
        """Return (left, top) of one panel of one mesh."""
        row, column = divmod(index, self.per_row)
        inner = self.per_row * self.block_width + (self.per_row - 1) * self.gap
        left = (self.canvas_width - inner) // 2 + column * (self.block_width + self.gap)
        return left + self.panels.index(panel) * self.width, self.head + row * (self.height + self.caption)


def _checked_panels(views: Sequence[MeshView], panels: Sequence[str] | None) -> list[str]:
    if not views:
        raise ValueError("Expected at least one mesh in `views`, got none.")
    if panels is None:
        return panels_of(views[0])
    fields = list(dict.fromkeys(name for view in views for name in view.fields))
    panels = [fields[0] if panel == "scalar" and fields else panel for panel in panels]
    known = (*_TITLES, *fields)
    unknown = [panel for panel in panels if panel not in known]
    if unknown or not panels:
        raise ValueError(f"Expected `panels` of {', '.join(known)}, got {panels}.")
    return panels


def _default_columns(num_views: int, num_panels: int) -> int:
    if num_panels > 1:
        return 1 if num_views <= 4 else 2
    return max(1, round(math.sqrt(num_views * 1.6)))


def _num_keys(panels: Sequence[str], names: list[str]) -> int:
    keys = len(names) if {"prediction", "truth"} & set(panels) and len(names) <= _MOST_NAMED else 0
    return keys + (2 if "error" in panels else 0)


def _pictures(
    view: MeshView,
    panels: Sequence[str],
    scales: Mapping[str, ColorScale],
    layout: _Layout,
    *,
    azimuth: float,
    elevation: float,
    smooth: bool,
    step: int,
) -> list[tuple[str, Float[ndarray, "height width 4"]]]:
    from gaugenet.viz.render.painter import Painter

    rotation = rotated(view.orientation, azimuth, elevation)
    painter = Painter(view, rotation, layout.width, layout.height, smooth=smooth)
    pictures = []
    for panel in panels:
        if panel in view.fields:
            picture = painter.paint_field(view.fields[panel], scales[panel], step=step)
        else:
            colors = _panel_colors(view, panel)
            if colors is None:
                continue
            sites: dict[str, Site] = {"colors": "vertex", "surface": "face"}
            picture = painter.paint(colors, sites.get(panel, view.label_site), crisp=panel != "colors")
        pictures.append((panel, picture))
    return pictures


def _panel_colors(view: MeshView, panel: str) -> ndarray | None:
    if panel == "surface":
        return np.tile(np.array(SURFACE, dtype=np.uint8), (len(view.faces), 1))
    if panel == "colors":
        return None if view.colors is None else typed_array(view.colors)
    if panel == "error":
        table = np.array([RIGHT, WRONG, UNLABELLED], dtype=np.uint8)
        return None if view.error is None else table[view.error]
    labels = {"prediction": view.prediction, "truth": view.truth}.get(panel)
    return None if labels is None else label_colors(labels)


def _write_captions(figure: Figure, layout: _Layout, views: Sequence[MeshView], theme: Theme) -> None:
    strong, weak = INK[theme]
    if layout.title:
        write(figure, layout.margin, layout.margin + 14, layout.title, size=22, color=strong, weight="bold")
    if len(layout.panels) > 1:
        for k in range(layout.per_row):
            for panel in layout.panels:
                left, top = layout.corner(k, panel)
                heading = _TITLES.get(panel, panel)
                center = left + layout.width / 2
                write(figure, center, top - 12, heading, size=15, color=weak, ha="center", weight="bold")
    for index, view in enumerate(views):
        left, top = layout.corner(index, layout.panels[0])
        right = "" if view.accuracy is None else f"   {100 * view.accuracy:.1f} %"
        right += "" if view.mean_iou is None else f", mean IoU {100 * view.mean_iou:.1f} %"
        room = int(layout.block_width / 8) - len(right)
        words = _shortened(view.name, room) + right
        center, below = left + layout.block_width / 2, top + layout.height + 16
        write(figure, center, below, words, size=13.5, color=weak, ha="center")


def _shortened(name: str, room: int) -> str:
    return name if len(name) <= room else name[: max(room // 2 - 1, 1)] + "…" + name[-max(room // 2 - 1, 1) :]


def _write_legend(figure: Figure, layout: _Layout, names: list[str], theme: Theme) -> None:
    keys: list[tuple[str, str]] = []
    if {"prediction", "truth"} & set(layout.panels) and len(names) <= _MOST_NAMED:
        keys += [(to_hex(color), name) for color, name in zip(palette(len(names)), names)]
    if "error" in layout.panels:
        keys += [(to_hex(RIGHT), "right"), (to_hex(WRONG), "wrong")]
    across = min(layout.keys_per_row, max(len(keys), 1))
    start = (layout.canvas_width - across * layout.key_width) / 2
    for k, (color, name) in enumerate(keys):
        row, column = divmod(k, across)
        x = start + column * layout.key_width
        y = layout.legend_top + 10 + row * layout.key_height
        sheet.swatch(figure, x, y, color)
        write(figure, x + 26, y, _shortened(name, 20), size=14, color=INK[theme][0])


def _write_bars(
    figure: Figure, layout: _Layout, views: Sequence[MeshView], scales: Mapping[str, ColorScale], theme: Theme
) -> None:
    shown = [panel for panel in layout.panels if panel in scales]
    for k, name in enumerate(shown):
        row, column = divmod(k, layout.bars_per_row)
        x = layout.canvas_width / 2 + (column - (layout.bars_per_row - 1) / 2) * layout.bar_width
        y = layout.bars_top + row * layout.bar_height + 34
        label = next(view.fields[name].label for view in views if name in view.fields)
        sheet.color_bar(figure, x, y, 140, scales[name], _shortened(label, 34), theme=theme)
