"""Learning curves and confusion matrices as PNG."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet.viz.render import sheet
from gaugenet.viz.render.colors import color_ramp, palette, to_hex
from gaugenet.viz.render.mesh_field import as_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPLITS = ("train", "val", "test")
_INK, _WEAK = sheet.INK["light"]
_GRID = "#e4e7ec"
_DPI = 150
_MOST_IN_A_ROW = 4


def plot_learning_curves(
    path: str | Path,
    metrics: str | Path | Sequence[Mapping[str, Any]],
    *,
    title: str | None = None,
) -> None:
    """Draw losses and accuracies over the epochs: one panel for each quantity, one line for each of train/val/test.

    Args:
        path: the PNG; written completely or not at all.
        metrics: the rows, or the CSV file that holds them (Lightning's `CSVLogger` writes one). Columns have names such
            as `train_loss` and `val/accuracy`. Empty, missing and NaN entries are left out. Rows of the same `epoch`
            are averaged; without a column `epoch`, the row number counts as the epoch.
        title: heading.

    Raises:
        FileNotFoundError: If there is no such CSV file.
        ValueError: If no column holds a number.

    Example:
        >>> from gaugenet.viz import plot_learning_curves
        >>> rows = [{"epoch": k, "train_loss": 1 / (k + 1), "val_loss": 2 / (k + 2)} for k in range(5)]
        >>> plot_learning_curves("curves.png", rows)
    """
    rows = _read_rows(metrics) if isinstance(metrics, str | Path) else list(metrics)
    curves = _curves(rows)
    if not curves:
        seen = sorted({key for row in rows for key in row})
        raise ValueError(
            f"Found nothing to draw in {len(rows)} rows with the columns {seen}: expected columns such as "
            "`train_loss` and `val_accuracy` that hold numbers."
        )
    figure, axes = _figure(len(curves))
    for axis, (quantity, lines) in zip(axes, curves.items()):
        _draw_curves(axis, quantity, lines)
    if title:
        figure.suptitle(sheet.literal(title), color=_INK, fontsize=13, fontweight="bold")
    sheet.save(figure, path, dpi=_DPI)


def plot_comparison(
    path: str | Path,
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    columns: Sequence[str],
    *,
    counted: str = "epoch",
    title: str | None = None,
) -> None:
    """Draw the metrics of several trainings: one panel for each column of their rows, one line for each training.

    Args:
        path: the PNG; written completely or not at all.
        runs: rows by name; each row holds `epoch` (or `counted`) and the columns.
        columns: what to draw, on logarithmic axes; columns called `..._error` in percent.
        counted: what the rows count, such as the step of a forecast.
        title: heading.

    Raises:
        ValueError: If there are no rows, or no row has one of the columns.

    Example:
        >>> from gaugenet.viz import plot_comparison
        >>> plain, gauge = ([{"epoch": k, "loss": s / (k + 1)} for k in range(5)] for s in (1.0, 0.5))
        >>> plot_comparison("losses.png", {"plain": plain, "gauge": gauge}, ["loss"])
    """
    figure, axes = _figure(len(columns))
    colors = [to_hex(color) for color in palette(max(3, len(runs)))]
    for axis, column in zip(axes, columns):
        drawn = 0
        for color, (name, rows) in zip(colors, runs.items()):
            points = [(_number(row.get(counted)), _number(row.get(column))) for row in rows]
            points = [(epoch, value) for epoch, value in points if not math.isnan(value)]
            factor = 100 if column.endswith("_error") else 1
            axis.plot([e for e, _ in points], [factor * v for _, v in points], color=color, lw=1.8, label=name)
            drawn += len(points)
        if not drawn:
            raise ValueError(f"Found no numbers called {column!r} in the rows of {list(runs)}.")
        axis.set_yscale("log")
        _finish(axis, column.replace("_", " ") + (" (%)" if column.endswith("_error") else ""), counted)
    if title:
        figure.suptitle(sheet.literal(title), color=_INK, fontsize=13, fontweight="bold")
    sheet.save(figure, path, dpi=_DPI)


def plot_confusion_matrix(
    path: str | Path,
    matrix: Any,
    class_names: Sequence[str] | None = None,
    *,
    title: str | None = None,
) -> None:
    """Draw a confusion matrix: rows are true classes and columns predictions, in percent of the row.

    Args:
        path: the PNG; written completely or not at all.
        matrix: `(C, C)` counts or weights, `matrix[i, j]` of true class i predicted as j.
        class_names: C names, label 0 first.
        title: heading.

    Raises:
        ValueError: If the matrix is not square, an entry is negative or not finite, or the number of names is wrong.

    Example:
        >>> from gaugenet.viz import plot_confusion_matrix
        >>> plot_confusion_matrix("confusion.png", [[8, 2], [1, 9]], ["head", "leg"])
    """
    counts = _checked_matrix(matrix)
    size = len(counts)
    names = [str(name) for name in class_names] if class_names is not None else [str(k) for k in range(size)]
    if len(names) != size:
        raise ValueError(f"Expected {size} `class_names` for a matrix of shape {counts.shape}, got {len(names)}.")
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(100 * counts, total, out=np.full_like(counts, np.nan), where=total > 0)
    side = min(3.2 + 0.5 * size, 24)
    figure, (axis,) = _figure(1, size=(side + 0.6, side))
    _draw_matrix(axis, share, [sheet.literal(name) for name in names])
    accuracy = counts.trace() / counts.sum() if counts.sum() > 0 else math.nan
    heading = f"{title}\n" if title else ""
    axis.set_title(sheet.literal(heading) + f"{100 * accuracy:.1f} % right", color=_INK, fontsize=12, pad=12)
    sheet.save(figure, path, dpi=_DPI)


def _figure(panels: int, *, size: tuple[float, float] | None = None) -> tuple[Any, Sequence[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = math.ceil(panels / _MOST_IN_A_ROW)
    columns = math.ceil(panels / rows)
    figure = Figure(figsize=size or (5.4 * columns, 3.9 * rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes: list[Axes] = list(np.ravel(figure.subplots(rows, columns)))
    for unused in axes[panels:]:
        unused.set_axis_off()
    return figure, axes[:panels]


def _read_rows(path: str | Path) -> list[dict[str, Any]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _split_name(column: str) -> tuple[str, str] | None:
    """Read `train_loss_epoch` as (`loss`, `train`); return `None` for columns that are not of a split."""
    for split in _SPLITS:
        for separator in ("_", "/"):
            if column.startswith(split + separator) and not column.endswith("_step"):
                return column[len(split) + 1 :].removesuffix("_epoch"), split
    return None


def _curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, tuple[ndarray, ndarray]]]:
    """Return `{quantity: {split: (epochs, values)}}`, losses first."""
    gathered: dict[str, dict[str, dict[float, list[float]]]] = {}
    for index, row in enumerate(rows):
        epoch = _number(row.get("epoch"))
        epoch = index if math.isnan(epoch) else epoch
        for column, entry in row.items():
            named, value = _split_name(str(column)), _number(entry)
            if named is None or math.isnan(value):
                continue
            quantity, split = named
            gathered.setdefault(quantity, {}).setdefault(split, {}).setdefault(epoch, []).append(value)
    curves = {
        quantity: {
            split: (np.array(sorted(points)), np.array([np.mean(points[epoch]) for epoch in sorted(points)]))
            for split, points in splits.items()
        }
        for quantity, splits in gathered.items()
    }
    return dict(sorted(curves.items(), key=lambda item: "loss" not in item[0]))


def _draw_curves(axis: Axes, quantity: str, lines: dict[str, tuple[ndarray, ndarray]]) -> None:
    is_loss = "loss" in quantity
    colors = dict(zip(_SPLITS, (to_hex(color) for color in palette(3))))
    drawn = np.concatenate([values for _, values in lines.values()])
    as_percent = not is_loss and drawn.min() >= 0 and drawn.max() <= 1
    for split in sorted(lines, key=_SPLITS.index):
        epochs, values = lines[split]
        values = 100 * values if as_percent else values
        best = values.argmin() if is_loss else values.argmax()
        best_words = f"{values[best]:.1f} %" if as_percent else f"{values[best]:.3g}"
        marker = "o" if len(epochs) < 3 else None
        axis.plot(epochs, values, color=colors[split], lw=2, marker=marker, label=f"{split}  (best {best_words})")
        axis.plot(epochs[best], values[best], "o", ms=5.5, color=colors[split], mec="white", mew=1.2)
    if is_loss and drawn.min() > 0 and drawn.max() > 30 * drawn.min():
        axis.set_yscale("log")
    _finish(axis, quantity.replace("_", " ") + (" (%)" if as_percent else ""))


def _finish(axis: Axes, title: str, counted: str = "epoch") -> None:
    axis.set_title(title, color=_INK, fontsize=12)
    axis.set_xlabel(sheet.literal(counted), color=_WEAK)
    axis.grid(color=_GRID, lw=0.8)
    axis.tick_params(colors=_WEAK, length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    crowded = len(axis.lines) > 6
    beside: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if crowded else {}
    axis.legend(frameon=False, labelcolor=_INK, **beside)


def _checked_matrix(matrix: Any) -> Float[ndarray, "classes classes"]:
    counts = as_array(matrix).astype(np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ValueError(f"Expected a square confusion matrix, got shape {counts.shape}.")
    if not (np.isfinite(counts) & (counts >= 0)).all():
        raise ValueError("Expected counts of 0 or more in the confusion matrix; some are negative or not finite.")
    return counts


def _draw_matrix(axis: Axes, share: Float[ndarray, "classes classes"], names: list[str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    size = len(share)
    shades = ["#f6f8fb", *(to_hex(color) for color in color_ramp()[[150, 90, 30]])]
    axis.imshow(share, cmap=LinearSegmentedColormap.from_list("share", shades), vmin=0, vmax=100)
    if size <= 30:
        for i, j in np.ndindex(size, size):
            words = "" if not share[i, j] > 0 else f"{share[i, j]:.1f}" if share[i, j] >= 0.05 else "·"
            color = "white" if share[i, j] > 35 else _INK if i == j else _WEAK
            axis.text(j, i, words, ha="center", va="center", color=color, fontsize=9)
        axis.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(size), names)
    axis.set_xlabel("predicted", color=_WEAK)
    axis.set_ylabel("true", color=_WEAK)
    axis.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", lw=1.5 if size <= 30 else 0)
    axis.tick_params(which="both", length=0, colors=_INK)
    for spine in axis.spines.values():
        spine.set_visible(False)
