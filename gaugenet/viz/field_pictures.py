"""Pictures of predicted fields: parity plots, error histograms, and maps of truth, prediction and error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.viz.render import sheet
from gaugenet.viz.render.camera import rotated
from gaugenet.viz.render.colors import color_ramp, scalar_colors
from gaugenet.viz.render.mesh_view import MeshView, scalar_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _WEAK = sheet.INK["light"]
_COLOR = "#2f6fb3"
_DPI = 150
_MOST_POINTS = 20_000
_ACROSS = 3
_Map = TypeVar("_Map")


@dataclass(frozen=True, eq=False)
class Parity:
    """Values of one quantity: true and predicted.

    Attributes:
        label: name and unit.
        truth: values of scalars, or sizes of vectors and tensors.
        prediction: the same.
        error: sizes of the differences, of vectors as vectors.
        title: what to write above, such as a score.
    """

    label: str
    truth: Float[ndarray, "n"]
    prediction: Float[ndarray, "n"]
    error: Float[ndarray, "n"]
    title: str = ""


@dataclass(frozen=True, eq=False)
class FieldMap:
    """A scalar field on a mesh, as it is true and as it is predicted.

    Attributes:
        view: the mesh.
        label: name and unit.
        truth: values on vertices or faces, NaN where they are missing.
        prediction: the same.
        error: sizes of the differences.
    """

    view: MeshView
    label: str
    truth: Float[ndarray, "n"]
    prediction: Float[ndarray, "n"]
    error: Float[ndarray, "n"]


def plot_parity(path: str | Path, quantities: Sequence[Parity], *, title: str | None = None) -> None:
    """Draw predictions over true values, one panel a quantity, with the line on which both are equal.

    Raises:
        ValueError: If there is nothing to draw.
    """
    figure, axes = _panels(quantities, title)
    for axis, one in zip(axes, quantities):
        some = np.unique(np.linspace(0, len(one.truth) - 1, min(len(one.truth), _MOST_POINTS)).astype(int))
        both = np.concatenate([one.truth[some], one.prediction[some]])
        low, high = float(both.min()), float(both.max())
        axis.scatter(
            one.truth[some], one.prediction[some], s=5, color=_COLOR, alpha=0.35, linewidths=0, rasterized=True
        )
        axis.plot([low, high], [low, high], color=_INK, linewidth=1)
        axis.set_aspect("equal", adjustable="datalim")
        axis.set_xlabel(sheet.literal(f"true {one.label}"), color=_WEAK)
        axis.set_ylabel(sheet.literal(f"predicted {one.label}"), color=_WEAK)
        axis.set_title(sheet.literal(one.title), fontsize=11, color=_INK)
    sheet.save(figure, path, dpi=_DPI)


def plot_error_histogram(path: str | Path, quantities: Sequence[Parity], *, title: str | None = None) -> None:
    """Draw how often errors of each size occur, with the median and the 95th percentile.

    Raises:
        ValueError: If there is nothing to draw.
    """
    figure, axes = _panels(quantities, title)
    for axis, one in zip(axes, quantities):
        axis.hist(one.error, bins=60, color=_COLOR, alpha=0.8)
        for share, style in ((0.5, "-"), (0.95, "--")):
            value = float(np.quantile(one.error, share))
            axis.axvline(value, color=_INK, linestyle=style, linewidth=1, label=f"{100 * share:.0f} %: {value:.3g}")
        axis.set_xlabel(sheet.literal(f"error of {one.label}"), color=_WEAK)
        axis.set_ylabel("items", color=_WEAK)
        axis.legend(frameon=False, fontsize=9)
    sheet.save(figure, path, dpi=_DPI)


def _panels(quantities: Sequence[Parity], title: str | None) -> tuple[Figure, list[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not quantities or not all(len(one.truth) for one in quantities):
        raise ValueError("Expected at least one quantity with values to draw, got none.")
    across = min(len(quantities), _ACROSS)
    down = -(-len(quantities) // across)
    figure = Figure(figsize=(4.8 * across, 4.4 * down), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(down, across, squeeze=False).ravel())
    for spare in axes[len(quantities) :]:
        spare.set_axis_off()
    axes = axes[: len(quantities)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(colors=_WEAK)
    if title:
        figure.suptitle(sheet.literal(title), color=_INK, fontsize=13, fontweight="bold")
    return figure, axes


def render_field_maps(
    path: str | Path,
    maps: Sequence[FieldMap],
    *,
    title: str | None = None,
    tile: int = 360,
    azimuth: float = 25.0,
    elevation: float = 12.0,
) -> None:
    """Draw truth, prediction and error of fields side by side, one row a map, with colour bars.

    Truth and prediction share their colours, which leave out the outermost 1 % on each side; errors have a bar of their
    own from 0. Missing values are grey.

    Args:
        path: the PNG to write; complete or absent.
        maps: at least one.
        title: heading.
        tile: pixels of each picture.
        azimuth: degrees that the viewer stands to the right of the front.
        elevation: degrees above the horizon.

    Raises:
        ValueError: If there is nothing to draw.
    """

    def draw_row(figure: Figure, row: Sequence[Axes], one: FieldMap) -> None:
        _draw_row(figure, row, one, tile, rotated(one.view.orientation, azimuth, elevation))

    draw_rows(path, maps, draw_row, tile, title)


def draw_rows(
    path: str | Path,
    maps: Sequence[_Map],
    draw_row: Callable[[Figure, Sequence[Axes], _Map], None],
    tile: int,
    title: str | None,
) -> None:
    """Write a sheet with a row of truth, prediction and error for each map.

    Raises:
        ValueError: If there is nothing to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not maps:
        raise ValueError("Expected at least one map to draw, got none.")
    side = tile / 100
    figure = Figure(figsize=(3 * side + 2.6, len(maps) * (side + 0.35) + 0.6), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(maps), 3, squeeze=False)
    for row, one in zip(grid, maps):
        draw_row(figure, row, one)
    for axis, heading in zip(grid[0], ("Truth", "Prediction", "Error")):
        axis.set_title(heading, color=_WEAK, fontsize=11)
    if title:
        figure.suptitle(sheet.literal(title), color=_INK, fontsize=13, fontweight="bold")
    sheet.save(figure, path, dpi=100)


def _draw_row(figure: Figure, row: Sequence[Axes], one: FieldMap, tile: int, rotation: ndarray) -> None:
    from gaugenet.viz.render.shading import Model, shade

    low, high, diverging = scalar_limits(one.truth)
    largest = scalar_limits(one.error)[1]
    limits = [(low, high, diverging), (low, high, diverging), (0.0, largest if largest > 0 else 1.0, False)]
    view = one.view
    shaded = shade(Model.of(view.mesh), rotation, up=view.orientation[1], width=tile, height=tile, smooth=True)
    for axis, values, limit in zip(row, (one.truth, one.prediction, one.error), limits):
        axis.imshow(_painted(shaded, view, values, limit), interpolation="antialiased")
        axis.set_axis_off()
    row[0].text(0, 0.5, sheet.literal(view.name), transform=row[0].transAxes, rotation=90, va="center", color=_WEAK)
    color_bar(figure, row[:2], limits[0], one.label)
    color_bar(figure, row[2:], limits[2], f"error of {one.label}")


def _painted(shaded: Any, view: MeshView, values: ndarray, limit: tuple[float, float, bool]) -> ndarray:
    from gaugenet.viz.render.shading import corner_values

    low, high, diverging = limit
    colors = scalar_colors(values, (low, high), diverging=diverging)
    corners = corner_values(colors / 255, view.faces, on_faces=len(values) != len(view.vertices))
    return typed_array(np.clip(shaded.paint(corners, crisp=False), 0, 1))


def color_bar(figure: Figure, axes: Sequence[Axes], limit: tuple[float, float, bool], label: str) -> None:
    """Draw the colors of values from the first to the second limit, diverging or not, next to some axes."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    low, high, diverging = limit
    colors = ListedColormap(color_ramp(diverging=diverging) / 255)
    bar = figure.colorbar(ScalarMappable(Normalize(low, high), colors), ax=list(axes), fraction=0.05, pad=0.02)
    bar.set_label(sheet.literal(label), color=_WEAK)
    bar.ax.tick_params(colors=_WEAK)
    bar.outline.set_visible(False)
