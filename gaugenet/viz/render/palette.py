"""Colors in pictures of surfaces."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.viz.render.colors import color_ramp, linear_to_srgb, oklab_to_srgb, srgb_to_linear, srgb_to_oklab

Color = tuple[int, int, int]

SURFACE: Color = (222, 226, 232)
FIRST, SECOND, THIRD = (226, 84, 36), (38, 104, 196), (38, 150, 96)
RIM, INK, DISC = (58, 66, 82), (38, 46, 62), (250, 244, 222)


def kernel_colors(values: Float[ndarray, "n"]) -> UInt8[ndarray, "n 3"]:
    """Return the colors of values between -1 and 1."""
    ramp = color_ramp("diverging")
    return typed_array(ramp[np.round((np.clip(values, -1, 1) + 1) / 2 * 255).astype(int)])


def faded(color: Color, share: float, paper: Color = (246, 247, 249)) -> Color:
    """Mix `share` of a color with the color of the paper."""
    lab = srgb_to_oklab(np.array([color, paper]) / 255)
    mixed = oklab_to_srgb((share * lab[0] + (1 - share) * lab[1])[None])[0]
    red, green, blue = (round(float(255 * c)) for c in mixed)
    return red, green, blue


def exposed(colors: UInt8[ndarray, "n 3"], share: float) -> UInt8[ndarray, "n 3"]:
    """Darken colors, because the light on meshes is brighter than 1 where it falls at right angles."""
    return np.round(255 * linear_to_srgb(share * srgb_to_linear(colors / 255))).astype(np.uint8)
