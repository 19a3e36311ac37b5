"""Maps of the globe as PNG with color bars and, of the Earth, coastlines: Mollweide and orthographic projections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.viz.coastlines import coastline_segments
from gaugenet.viz.projections import MapProjection, pixels_of_sphere, sphere_of_pixels
from gaugenet.viz.render import sheet
from gaugenet.viz.render.colors import Colormap, ColorScale, label_colors, palette, to_hex
from gaugenet.viz.render.sheet import INK, Theme, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARGIN, _HEAD, _CAPTION, _BAR, _LEGEND = 24, 56, 34, 30, 44
_COAST = "#1b2230"


@dataclass(frozen=True, kw_only=True)
class SpherePanel:
    """One map: a scalar field in colors, labels over it, and outlines of other labels.

    Attributes:
        name: caption.
        scalar: `(n,)` field at the points, `None` for plain paper.
        unit: unit of the field, written next to its color bar.
        limits: values of the first and last color; by default those of `ColorScale.of`.
        colormap: `"viridis"`, `"cividis"` or `"diverging"`; by default as in `ColorScale.of`.
        labels: `(n,)` classes painted over the field; classes 0 and below are not painted.
        outline: `(n,)` classes for which only the border is drawn, such as the truth.
    """

    name: str
    scalar: Any = None
    unit: str = ""
    limits: tuple[float, float] | None = None
    colormap: Colormap | None = None
    labels: Any = None
    outline: Any = None

    def scale(self) -> ColorScale | None:
        """Return the color scale of the field; `None` without a field."""
        if self.scalar is None:
            return None
        return ColorScale.of(np.asarray(self.scalar), limits=self.limits, colormap=self.colormap)


def draw_spheres(
    path: str | Path,
    panels: Sequence[SpherePanel],
    nearest: Callable[[Float[ndarray, "pixels 3"]], ndarray],
    *,
    projection: MapProjection = "mollweide",
    center: tuple[float, float] = (0.0, 0.0),
    width: int = 900,
    columns: int = 1,
    class_names: Sequence[str] | None = None,
    title: str | None = None,
    theme: Theme = "light",
    coastlines: bool = False,
) -> None:
    """Draw maps of fields that are given at points of the sphere.

    Args:
        path: the PNG to write; it is never left incomplete.
        panels: the maps.
        nearest: function that returns the index of the nearest point of unit vectors, e.g. `nearest_point(points)`.
        projection: `mollweide`, the whole globe with equal areas; `orthographic`, a half as seen from far away.
        center: latitude (orthographic only) and longitude of the middle, in degrees.
        width: pixels of each map.
        columns: maps in a row.
        class_names: legend, class 0 first.
        title: heading.
        theme: "light" or "dark" paper.
        coastlines: also draw the coastlines of the Earth.

    Raises:
        ValueError: If there are no panels, or the projection or the theme is unknown.
    """
    if not panels:
        raise ValueError("Expected at least one panel, got none.")
    sheet.check_theme(theme)
    height = width // 2 if projection == "mollweide" else width
    inside, points = sphere_of_pixels(width, height, projection=projection, center=center)
    index = nearest(points)
    layout = _Layout(panels, min(columns, len(panels)), width, height, bool(title))
    canvas = sheet.blank(layout.tall, layout.wide, theme)
    for k, panel in enumerate(panels):
        left, top = layout.corner(k)
        canvas[top : top + height, left : left + width][inside] = _colors(panel, index, inside, points) / 255
    figure = sheet.figure_of(canvas)
    if coastlines:
        _draw_coast(figure, layout, projection, center)
    _write(figure, layout, title, class_names, theme)
    sheet.save(figure, path)


@dataclass(frozen=True)
class _Layout:
    """Positions of all parts, in pixels from the upper left corner."""

    panels: Sequence[SpherePanel]
    columns: int
    width: int
    height: int
    titled: bool

    @property
    def head(self) -> int:
        return _HEAD if self.titled else 0

    @property
    def block(self) -> int:
        """Return the height of a map with its caption and, if any map has one, its color bar."""
        return self.height + _CAPTION + (_BAR if any(panel.scalar is not None for panel in self.panels) else 0)

    @property
    def wide(self) -> int:
        return self.columns * (self.width + _MARGIN) + _MARGIN

    @property
    def tall(self) -> int:
        return self.head + -(-len(self.panels) // self.columns) * self.block + _LEGEND + _MARGIN

    def corner(self, index: int) -> tuple[int, int]:
        """Return the left and top edge of a map."""
        row, column = divmod(index, self.columns)
        return _MARGIN + column * (self.width + _MARGIN), self.head + row * self.block + _MARGIN


def nearest_point(points: Float[ndarray, "n 3"]) -> Callable[[Float[ndarray, "pixels 3"]], ndarray]:
    """Return a function that finds the nearest of these points, for `draw_spheres`."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.asarray(points))
    return lambda pixels: tree.query(pixels)[1]


def _colors(panel: SpherePanel, index: ndarray, inside: ndarray, points: ndarray) -> ndarray:
    """Return sRGB of the pixels inside the globe."""
    scale = panel.scale()
    if scale is None:
        colors = np.full((len(index), 3), 225.0)
    else:
        colors = scale.colors(np.asarray(panel.scalar)[index]).astype(np.float64)
    lat, lon = np.degrees(np.arcsin(points[:, 2])), np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    colors[_lines(lat, 30.0, inside) | _lines(lon, 60.0, inside)] *= 0.86
    if panel.labels is not None:
        shown = np.asarray(panel.labels)[index]
        colors = np.where((shown > 0)[:, None], 0.15 * colors + 0.85 * label_colors(shown), colors)
    if panel.outline is not None:
        truth = np.asarray(panel.outline)[index]
        colors[_border(truth, inside)] = (20, 20, 20)
    return colors


def _lines(values: ndarray, step: float, inside: ndarray) -> ndarray:
    """Return a mask of the pixels at which a multiple of `step` degrees is crossed."""
    return _border(np.floor(values / step).astype(np.int64), inside)


def _border(values: ndarray, inside: ndarray) -> ndarray:
    """Return a mask of the pixels whose right or lower neighbour inside has another value."""
    full = np.zeros(inside.shape, dtype=np.int64)
    full[inside] = values
    differs = np.zeros(inside.shape, dtype=bool)
    differs[:, :-1] |= (full[:, :-1] != full[:, 1:]) & inside[:, :-1] & inside[:, 1:]
    differs[:-1] |= (full[:-1] != full[1:]) & inside[:-1] & inside[1:]
    return typed_array(differs[inside])


def _draw_coast(figure: Figure, layout: _Layout, projection: MapProjection, center: tuple[float, float]) -> None:
    from matplotlib.collections import LineCollection

    segments = coastline_segments(radius=1.0)
    size = layout.width, layout.height
    ends = pixels_of_sphere(segments.reshape(-1, 3), *size, projection=projection, center=center).reshape(-1, 2, 2)
    whole = np.isfinite(ends).all(axis=(1, 2))
    # A segment that leaves the map on one side and returns on the other is left out: at most one degree of coast.
    whole &= np.abs(np.nan_to_num(ends[:, 1] - ends[:, 0])).max(axis=1) < layout.width / 4
    for k in range(len(layout.panels)):
        left, top = layout.corner(k)
        shown = np.stack([left + ends[whole, :, 0], layout.tall - top - ends[whole, :, 1]], axis=-1)
        figure.add_artist(LineCollection(list(shown), transform=None, colors=_COAST, linewidths=0.6, alpha=0.75))


def _write(figure: Figure, layout: _Layout, title: str | None, class_names: Sequence[str] | None, theme: Theme) -> None:
    strong, weak = INK[theme]
    if title:
        write(figure, _MARGIN, _HEAD / 2 + 8, title, size=22, color=strong, weight="bold")
    for k, panel in enumerate(layout.panels):
        left, top = layout.corner(k)
        x, y = left + layout.width / 2, top + layout.height + _CAPTION / 2 - 4
        write(figure, x, y, panel.name, size=15, color=weak, ha="center")
        scale = panel.scale()
        if scale is not None:
            bar = max(60, layout.width // 3)
            sheet.color_bar(figure, x, y + _BAR - 4, bar, scale, "", unit=panel.unit, theme=theme)
    x, y = float(_MARGIN), layout.tall - _LEGEND / 2 - 4
    for color, name in list(zip(palette(len(class_names or ())), class_names or ()))[
        1:
    ]:  # the background is not painted
        sheet.swatch(figure, x, y, to_hex(color))
        write(figure, x + 24, y, name, size=15, color=strong)
        x += 60 + 9 * len(name)
    if any(panel.outline is not None for panel in layout.panels):
        write(figure, x, y, "□  outline: truth", size=15, color=strong)
