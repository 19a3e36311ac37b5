"""Colors of classes and of scalar fields: one palette for every picture of the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from gaugenet._typing import typed_array

# Chosen so that no two of the first eight come close for normal, protanopic or deuteranopic eyes (the tests measure
# it in OKLab), and that all differ from the background greys when shaded.
# fmt: off
_TABLE = (
    "3f7fd6", "f59a3e", "3dbd9f", "d9527e", "f8d93b", "8f5417", "d9a3fa", "1d4f5c", "7b35a8", "a5e695",
    "8a8250", "7cc4f5", "e55516", "1a4fb8", "f7b795", "2c9c55", "5a5f8f", "a01f3f", "c3c46a", "6f7df0",
)
# fmt: on

UNLABELLED = (163, 170, 180)
SURFACE = (196, 204, 214)
RIGHT = (205, 211, 218)
WRONG = (222, 45, 60)

Colormap = Literal["viridis", "cividis", "diverging"]

# Every 17th of the 256 colors of matplotlib's viridis and cividis, whose lightness rises evenly.
# fmt: off
_STOPS: dict[Colormap, tuple[str, ...]] = {
    "viridis": (
        "440154", "481a6c", "472f7d", "414487", "39568c", "31688e", "2a788e", "23888e", "1f988b", "22a884", "35b779",
        "54c568", "7ad151", "a5db36", "d2e21b", "fde725",
    ),
    "cividis": (
        "00224e", "002e6c", "1e3a6f", "35456c", "47516c", "575d6d", "666970", "757575", "848279", "948e77", "a59c74",
        "b7a96e", "c8b866", "dbc75a", "eed649", "fee838",
    ),
    "diverging": ("2457b8", "6f9fe0", "e9ebee", "ee9a72", "b82a3c"),
}
# fmt: on
COLORMAPS = tuple(_STOPS)


def palette(num_classes: int) -> UInt8[ndarray, "classes 3"]:
    """Return the sRGB colors of classes `0 .. num_classes - 1`; class `k` has the same color for every `num_classes`.

    The first twenty are chosen by hand. The others go round the hue circle of OKLab by the golden angle, at four
    lightnesses in turn, so that there are colors for any number of classes.

    Raises:
        ValueError: If the number is negative.

    Example:
        >>> from gaugenet.viz import palette
        >>> palette(3)
        array([[ 63, 127, 214],
               [245, 154,  62],
               [ 61, 189, 159]], dtype=uint8)
    """
    if num_classes < 0:
        raise ValueError(f"Expected `num_classes` of 0 or more, got {num_classes}.")
    table = np.array([_from_hex(code) for code in _TABLE], dtype=np.uint8)
    if num_classes <= len(table):
        return table[:num_classes]
    return np.concatenate([table, _golden_colors(np.arange(len(table), num_classes))])


def label_colors(labels: Int[ndarray, "n"], num_classes: int | None = None) -> UInt8[ndarray, "n 3"]:
    """Return the colors of labels; negative labels mean unlabelled and are grey.

    Example:
        >>> import numpy as np
        >>> from gaugenet.viz import label_colors
        >>> label_colors(np.array([0, 1, 0, -1])).shape
        (4, 3)
    """
    labels = np.asarray(labels)
    highest = int(labels.max(initial=-1))
    colors = palette(max(highest + 1, num_classes or 0))
    return np.concatenate([colors, np.array([UNLABELLED], dtype=np.uint8)])[np.where(labels < 0, -1, labels)]


def color_ramp(colormap: Colormap = "viridis", *, steps: int = 256) -> UInt8[ndarray, "steps 3"]:
    """Return the colors of a color map in order: of rising lightness, or (diverging) lightest in the middle.

    Raises:
        ValueError: If there is no color map of this name.
    """
    if colormap not in _STOPS:
        raise ValueError(f"Expected `colormap` of {', '.join(COLORMAPS)}, got {colormap!r}.")
    lab = srgb_to_oklab(np.array([_from_hex(code) for code in _STOPS[colormap]]) / 255)
    at = np.linspace(0, len(lab) - 1, steps)
    mixed = np.stack([np.interp(at, np.arange(len(lab)), lab[:, k]) for k in range(3)], axis=-1)
    return _to_bytes(oklab_to_srgb(mixed))


@dataclass(frozen=True)
class ColorScale:
    """The colors of a scalar field.

    Attributes:
        low: value of the first color, and of all below.
        high: value of the last color, and of all above.
        colormap: name of the color map.
    """

    low: float
    high: float
    colormap: Colormap

    @classmethod
    def of(
        cls,
        values: Float[ndarray, "*n"],
        *,
        limits: tuple[float, float] | None = None,
        colormap: Colormap | None = None,
    ) -> ColorScale:
        """Return a scale for some values: diverging and symmetric about zero where they have both signs.

        Args:
            values: of a field; those that are not finite do not count.
            limits: lowest and highest value. By default they leave out the outermost 1 % on each side, so that a few
                spikes (curvature at slivers) do not turn the rest of the field into one color.
            colormap: name of a color map; by default `viridis`, and `diverging` where the limits have both signs.

        Raises:
            ValueError: If the limits are not two numbers in rising order, or there is no such color map.
        """
        low, high = _own_limits(values, colormap) if limits is None else limits
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(f"Expected `limits` of two numbers in rising order, got {limits}.")
        colormap = colormap or ("diverging" if low < 0 < high else "viridis")
        if colormap not in _STOPS:
            raise ValueError(f"Expected `colormap` of {', '.join(COLORMAPS)}, got {colormap!r}.")
        return cls(float(low), float(high), colormap)

    def colors(self, values: Float[ndarray, "n"]) -> UInt8[ndarray, "n 3"]:
        """Return the colors of values; those that are not finite are grey."""
        levels = self.levels(values, 256)
        ramp = np.concatenate([color_ramp(self.colormap), np.array([UNLABELLED], dtype=np.uint8)])
        return typed_array(ramp[levels])

    def levels(self, values: Float[ndarray, "*n"], count: int) -> Int[ndarray, "*n"]:
        """Return values in `count` equal steps from `low` to `high`; `count` itself marks those that are not finite."""
        values = np.asarray(values, dtype=np.float64)
        finite = np.isfinite(values)
        unit = np.clip((np.where(finite, values, self.low) - self.low) / (self.high - self.low), 0, 1)
        return np.where(finite, np.round(unit * (count - 1)), count).astype(np.int64)


def _own_limits(values: Float[ndarray, "*n"], colormap: Colormap | None) -> tuple[float, float]:
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = (float(q) for q in np.quantile(finite, [0.01, 0.99]))
    if low < 0 < high or (colormap == "diverging" and (low, high) != (0, 0)):
        low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def to_hex(color: UInt8[ndarray, "3"] | tuple[int, int, int]) -> str:
    """Return `#rrggbb`."""
    return "#" + "".join(f"{int(channel):02x}" for channel in color)


def srgb_to_linear(color: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    """Return light intensities of sRGB values in [0, 1] (IEC 61966-2-1)."""
    return np.where(color <= 0.04045, color / 12.92, ((np.maximum(color, 0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    """Return the inverse of `srgb_to_linear`, clipped to [0, 1]."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


# OKLab (B. Ottosson, "A perceptual color space for image processing", 2020).
_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def srgb_to_oklab(color: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    """Return OKLab coordinates (lightness, green-red, blue-yellow): equal distances look about equally different."""
    return typed_array(np.cbrt(srgb_to_linear(color) @ _RGB_TO_LMS.T) @ _LMS_TO_LAB.T)


def oklab_to_srgb(lab: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    """Return the inverse of `srgb_to_oklab`, clipped to the sRGB gamut."""
    return linear_to_srgb((lab @ np.linalg.inv(_LMS_TO_LAB).T) ** 3 @ np.linalg.inv(_RGB_TO_LMS).T)


def _golden_colors(index: Int[ndarray, "n"]) -> UInt8[ndarray, "n 3"]:
    hue = index * np.pi * (3 - 5**0.5)
    lightness = np.array([0.72, 0.56, 0.82, 0.64])[index % 4]
    chroma = np.array([0.11, 0.13, 0.09, 0.12])[index % 4]
    return _to_bytes(oklab_to_srgb(np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)))


def _from_hex(code: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(code))


def _to_bytes(color: Float[ndarray, "n 3"]) -> UInt8[ndarray, "n 3"]:
    return typed_array(np.round(np.clip(color, 0, 1) * 255).astype(np.uint8))
