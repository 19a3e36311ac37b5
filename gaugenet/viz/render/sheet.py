"""A sheet of pixels with text and color swatches on it, written as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet.files import atomic_path
from gaugenet.viz.render.colors import ColorScale, color_ramp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Theme = Literal["light", "dark"]
_PAPER = {"light": (248, 249, 251), "dark": (16, 19, 25)}
INK = {"light": ("#1b2230", "#66707f"), "dark": ("#edf0f5", "#98a2b1")}
"""Colors of strong and weak words."""
_DPI = 100
_BAR = 12  # height of a color bar


def check_theme(theme: str) -> None:
    """Raise `ValueError` for an unknown theme."""
    if theme not in _PAPER:
        raise ValueError(f'Expected `theme` "light" or "dark", got {theme!r}.')


def blank(tall: int, wide: int, theme: Theme) -> Float[ndarray, "tall wide 3"]:
    """Return an empty sheet, sRGB in [0, 1].

    Raises:
        ValueError: If the theme is unknown.
    """
    check_theme(theme)
    return np.tile(np.array(_PAPER[theme]) / 255, (tall, wide, 1))


def lay(canvas: Float[ndarray, "tall wide 3"], picture: Float[ndarray, "height width 4"], left: int, top: int) -> None:
    """Draw a picture with an alpha channel onto the canvas, its upper left corner at `(left, top)`."""
    height, width, _ = picture.shape
    part = canvas[top : top + height, left : left + width]
    part += picture[..., 3:] * (picture[..., :3] - part)


def figure_of(canvas: Float[ndarray, "tall wide 3"]) -> Figure:
    """Return a figure that shows these pixels and nothing else."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tall, wide, _ = canvas.shape
    # The little extra keeps the product with the resolution from being rounded down to a pixel less.
    figure = Figure(figsize=((wide + 0.01) / _DPI, (tall + 0.01) / _DPI), dpi=_DPI)
    FigureCanvasAgg(figure)
    figure.figimage(np.round(canvas * 255).astype(np.uint8), resize=False)
    return figure


def write(figure: Figure, x: float, y: float, words: str, *, size: float, color: str, **style: Any) -> None:
    """Write text at a position in pixels from the upper left corner, `size` pixels tall."""
    wide, tall = figure.get_size_inches() * _DPI
    figure.text(x / wide, 1 - y / tall, literal(words), fontsize=size * 72 / _DPI, color=color, va="center", **style)


def literal(words: str) -> str:
    """Escape text so that matplotlib does not read it as a formula: file names may contain dollars."""
    return words.replace("$", r"\$")


def swatch(figure: Figure, x: float, y: float, color: str) -> None:
    """Draw a rounded square of 16 pixels, its left side at `x` and its middle at height `y`."""
    from matplotlib.patches import FancyBboxPatch

    tall = figure.get_size_inches()[1] * _DPI
    patch = FancyBboxPatch(
        (x + 3, tall - y - 5),
        10,
        10,
        boxstyle="round,pad=3,rounding_size=4",
        transform=None,
        facecolor=color,
        linewidth=0,
    )
    figure.add_artist(patch)


def color_bar(
    figure: Figure, x: float, y: float, width: int, scale: ColorScale, label: str = "", *, unit: str = "", theme: Theme
) -> None:
    """Draw a bar of colors with its middle at pixels `(x, y)`: limits left and right, a label above, a unit behind."""
    strong, weak = INK[theme]
    tall = figure.get_size_inches()[1] * _DPI
    ramp = np.broadcast_to(color_ramp(scale.colormap, steps=width), (_BAR, width, 3))
    figure.figimage(ramp, xo=round(x - width / 2), yo=round(tall - y - _BAR / 2), origin="lower")
    write(figure, x - width / 2 - 7, y, f"{scale.low:.4g}", size=13, color=weak, ha="right")
    write(figure, x + width / 2 + 7, y, f"{scale.high:.4g} {unit}", size=13, color=weak)
    if label:
        write(figure, x, y - 18, label, size=14, color=strong, ha="center")


def save(figure: Figure, path: str | Path, *, dpi: int = _DPI) -> None:
    """Write a PNG, completely or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)
