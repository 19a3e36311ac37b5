"""Maps of the whole globe as PNG: Mollweide and orthographic projections, without coastlines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.viz.render import sheet
from gaugenet.viz.render.colors import label_colors, palette, scalar_colors, to_hex
from gaugenet.viz.render.sheet import INK, Theme, write

MapProjection = Literal["mollweide", "orthographic"]
_MARGIN, _HEAD, _CAPTION, _LEGEND = 24, 56, 34, 44


@dataclass(frozen=True, kw_only=True)
class SpherePanel:
    """One map: a scalar field in colours, labels over it, outlines of other labels.

    Attributes:
        name: caption.
        scalar: `(n,)` field at the points, `None` for plain paper.
        limits: range of the colours; the 1 % and 99 % quantiles by default.
        labels: `(n,)` classes painted over the field; 0 and negative ones are not painted.
        outline: `(n,)` classes of which only the border is drawn, such as the truth.
    """

    name: str
    scalar: Any = None
    limits: tuple[float, float] | None = None
    labels: Any = None
    outline: Any = None


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
) -> None:
    """Draw maps of fields that are given at points of the sphere.

    Args:
        path: the PNG to write; complete or absent.
        panels: the maps.
        nearest: gives for unit vectors the index of the nearest point, e.g. `nearest_point(points)`.
        projection: `mollweide`, the whole globe with equal areas; `orthographic`, a half as seen from far away.
        center: latitude (orthographic only) and longitude of the middle, in degrees.
        width: pixels of each map.
        columns: maps in a row.
        class_names: legend, class 0 first.
        title: heading.
        theme: "light" or "dark" paper.

    Raises:
        ValueError: no panels, an unknown projection or theme.
    """
    if not panels:
        raise ValueError("Expected at least one panel, got none.")
    sheet.check_theme(theme)
    height = width // 2 if projection == "mollweide" else width
    inside, points = sphere_of_pixels(width, height, projection=projection, center=center)
    index = nearest(points)
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    tall = (_HEAD if title else 0) + rows * (height + _CAPTION) + _LEGEND + _MARGIN
    canvas = sheet.blank(tall, columns * (width + _MARGIN) + _MARGIN, theme)
    corners = []
    for k, panel in enumerate(panels):
        row, column = divmod(k, columns)
        top, left = (_HEAD if title else 0) + row * (height + _CAPTION) + _MARGIN, _MARGIN + column * (width + _MARGIN)
        part = canvas[top : top + height, left : left + width]
        part[inside] = _colors(panel, index, inside, points, projection) / 255
        corners.append((left + width / 2, top + height + _CAPTION / 2 - 4))
    _save(path, canvas, panels, corners, title, class_names, theme)


def sphere_of_pixels(
    width: int, height: int, *, projection: MapProjection = "mollweide", center: tuple[float, float] = (0.0, 0.0)
) -> tuple[Bool[ndarray, "height width"], Float[ndarray, "inside 3"]]:
    """Return which pixels show the globe, and the unit vectors that they show.

    Raises:
        ValueError: an unknown projection.
    """
    from matplotlib.projections.geo import MollweideAxes

    x, y = np.meshgrid((np.arange(width) + 0.5) / width * 2 - 1, 1 - (np.arange(height) + 0.5) / height * 2)
    inside = x**2 + y**2 < 1
    x, y = x[inside], y[inside]
    lat0, lon0 = np.radians(center)
    if projection == "mollweide":
        plane = np.sqrt(2) * np.stack([2 * x, y], axis=-1)  # the ellipse of a globe of radius 1
        lon, lat = MollweideAxes.MollweideTransform(1).inverted().transform(plane).T
        return inside, _outward(lat, lon + lon0)
    if projection != "orthographic":
        raise ValueError(f"Expected `projection` to be 'mollweide' or 'orthographic', got {projection!r}.")
    outward = _outward(lat0, lon0)
    east = np.array([-np.sin(lon0), np.cos(lon0), 0.0])
    north = np.cross(outward, east)
    depth = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    return inside, x[:, None] * east + y[:, None] * north + depth[:, None] * outward


def _outward(lat: Float[ndarray, "*n"], lon: Float[ndarray, "*n"]) -> Float[ndarray, "*n 3"]:
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def nearest_point(points: Float[ndarray, "n 3"]) -> Callable[[Float[ndarray, "pixels 3"]], ndarray]:
    """The function that finds the nearest of these points, for `draw_spheres`."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.asarray(points))
    return lambda pixels: tree.query(pixels)[1]


def _colors(panel: SpherePanel, index: ndarray, inside: ndarray, points: ndarray, projection: str) -> ndarray:
    """Return sRGB of the pixels inside the globe."""
    if panel.scalar is None:
        colors = np.full((len(index), 3), 225.0)
    else:
        scalar = np.asarray(panel.scalar, dtype=np.float64)
        low, high = panel.limits or tuple(np.nanquantile(scalar, [0.01, 0.99]))
        high = high if high > low else low + 1.0
        colors = scalar_colors(scalar[index], (low, high), diverging=low < 0 < high).astype(np.float64)
        colors = 0.75 * colors + 0.25 * 255
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
    """Pixels between which a multiple of `step` degrees is passed."""
    return _border(np.floor(values / step).astype(np.int64), inside)


def _border(values: ndarray, inside: ndarray) -> ndarray:
    """Pixels whose right or lower neighbour inside has another value."""
    full = np.zeros(inside.shape, dtype=np.int64)
    full[inside] = values
    differs = np.zeros(inside.shape, dtype=bool)
    differs[:, :-1] |= (full[:, :-1] != full[:, 1:]) & inside[:, :-1] & inside[:, 1:]
    differs[:-1] |= (full[:-1] != full[1:]) & inside[:-1] & inside[1:]
    return typed_array(differs[inside])


def _save(
    path: str | Path,
    canvas: ndarray,
    panels: Sequence[SpherePanel],
    corners: list[tuple[float, float]],
    title: str | None,
    class_names: Sequence[str] | None,
    theme: Theme,
) -> None:
    figure, tall = sheet.figure_of(canvas), len(canvas)
    strong, weak = INK[theme]
    if title:
        write(figure, _MARGIN, _HEAD / 2 + 8, title, size=22, color=strong, weight="bold")
    for panel, (x, y) in zip(panels, corners):
        write(figure, x, y, panel.name, size=15, color=weak, ha="center")
    x = float(_MARGIN)
    for color, name in zip(palette(len(class_names or ())), class_names or ()):
        if name == (class_names or [""])[0]:
            continue  # the background is not painted
        sheet.swatch(figure, x, tall - _LEGEND / 2 - 4, to_hex(color))
        write(figure, x + 24, tall - _LEGEND / 2 - 4, name, size=15, color=strong)
        x += 60 + 9 * len(name)
    if any(panel.outline is not None for panel in panels):
        write(figure, x, tall - _LEGEND / 2 - 4, "□  outline: truth", size=15, color=strong)
    sheet.save(figure, path)
