"""Pictures of predicted fields: parity plots, error histograms, and maps of truth, prediction and error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet.viz.render import sheet
from gaugenet.viz.render.camera import rotated
from gaugenet.viz.render.colors import ColorScale, color_ramp
from gaugenet.viz.render.mesh_field import MeshField, SurfaceField, common_scales
from gaugenet.viz.render.mesh_view import MeshView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _WEAK = sheet.INK["light"]
_COLOR = "#2f6fb3"
_DPI = 150
_MOST_POINTS = 20_000
_ACROSS = 3


@dataclass(frozen=True, eq=False)
class Parity:
    """Values of one quantity: true and predicted.

    Attributes:
        label: name and unit.
        truth: values of scalars, or sizes of vectors and tensors.
        prediction: the same.
        error: sizes of the differences; for vectors, sizes of the vector differences.
        title: text above the panel, such as a score.
        error_label: name and unit of the error; by default made from `label`.
    """

    label: str
    truth: Float[ndarray, "n"]
    prediction: Float[ndarray, "n"]
    error: Float[ndarray, "n"]
    title: str = ""
    error_label: str = ""


@dataclass(frozen=True, eq=False)
class FieldMap:
    """A true and a predicted field on a mesh: scalars `(n,)`, or vectors in space `(n, 3)`.

    Attributes:
        view: the mesh.
        name: name of the quantity.
        unit: unit of its values.
        truth: values on vertices or faces, NaN where they are missing; in time steps as in `MeshField`.
        prediction: the same.
        error: differences of vectors, or sizes of differences; by default computed from these predictions.
        times: names of the time steps.
    """

    view: MeshView
    name: str
    unit: str
    truth: Float[ndarray, "*times n *3"]
    prediction: Float[ndarray, "*times n *3"]
    error: Float[ndarray, "*times n *3"] | None = None
    times: Sequence[str] | None = None

    def fields(self) -> dict[str, MeshField]:
        """Return truth, prediction and error as fields to draw.

        Truth and prediction share one color scale; the colors of the error begin at 0. All arrows have the same scale.
        """
        truth = self._on_mesh("truth", self.truth)
        scale = common_scales([{"truth": truth}])["truth"]
        error = self.prediction - self.truth if self.error is None else self.error
        sizes = self._on_mesh("error", error)
        largest = ColorScale.of(np.abs(sizes.sizes)).high
        error = np.abs(error) if sizes.vectors is None else error
        parts = {"truth": self.truth, "prediction": self.prediction, "error": error}
        limits = {"error": (0.0, largest if largest > 0 else 1.0)}
        return {
            f"{self.name}, {part}": MeshField(
                values,
                unit=self.unit,
                limits=limits.get(part, (scale.low, scale.high)),
                times=self.times,
                longest=scale.high if truth.vectors is not None else None,
            )
            for part, values in parts.items()
        }

    def _on_mesh(self, part: str, values: ndarray) -> SurfaceField:
        field = MeshField(values, times=self.times)
        return field.on(self.view.mesh, f"{self.view.name}, {part}", name=self.name)


def plot_parity(path: str | Path, quantities: Sequence[Parity], *, title: str | None = None) -> None:
    """Draw predictions over true values, one panel per quantity, with the line on which both are equal.

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
        axis.set_xlabel(sheet.literal(one.error_label or f"error of {one.label}"), color=_WEAK)
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
    """Draw truth, prediction and error of fields side by side, one row per map: colors with bars, vectors as arrows.

    Truth and prediction share one color scale, which leaves out the outermost 1 % on each side. Errors have their own
    color bar, from 0. The arrows of all three have the same scale. Missing values are grey.

    Args:
        path: the PNG to write; it is never left incomplete.
        maps: at least one.
        title: heading.
        tile: pixels of each picture.
        azimuth: degrees that the viewer stands to the right of the front.
        elevation: degrees above the horizon.

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
        _draw_row(figure, row, one, tile, rotated(one.view.orientation, azimuth, elevation))
    for axis, heading in zip(grid[0], ("Truth", "Prediction", "Error")):
        axis.set_title(heading, color=_WEAK, fontsize=11)
    if title:
        figure.suptitle(sheet.literal(title), color=_INK, fontsize=13, fontweight="bold")
    sheet.save(figure, path, dpi=100)


def _draw_row(figure: Figure, row: Sequence[Axes], one: FieldMap, tile: int, rotation: ndarray) -> None:
    from gaugenet.viz.render.painter import Painter

    view, painter = one.view, Painter(one.view, rotation, tile, tile)
    fields = {name: field.on(view.mesh, view.name, name=name) for name, field in one.fields().items()}
    scales = common_scales([fields])
    for axis, (name, field) in zip(row, fields.items()):
        axis.imshow(painter.paint_field(field, scales[name]), interpolation="antialiased")
        axis.set_axis_off()
    row[0].text(0, 0.5, sheet.literal(view.name), transform=row[0].transAxes, rotation=90, va="center", color=_WEAK)
    truth, _, error = fields.values()
    _color_bar(figure, row[:2], scales[truth.name], replace(truth, name=one.name).label)
    _color_bar(figure, row[2:], scales[error.name], replace(error, name=f"error of {one.name}").label)


def _color_bar(figure: Figure, axes: Sequence[Axes], scale: ColorScale, label: str) -> None:
    """Draw the colors of a scale next to some axes."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    colors = ListedColormap(color_ramp(scale.colormap) / 255)
    bar = figure.colorbar(
        ScalarMappable(Normalize(scale.low, scale.high), colors), ax=list(axes), fraction=0.05, pad=0.02
    )
    bar.set_label(sheet.literal(label), color=_WEAK)
    bar.ax.tick_params(colors=_WEAK)
    bar.outline.set_visible(False)
