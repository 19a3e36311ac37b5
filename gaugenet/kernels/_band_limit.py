"""Band limits for kernels on pixels: which angular frequencies a ring of the pixel grid can hold."""

from __future__ import annotations

from dataclasses import dataclass

from gaugenet._validation import positive
from gaugenet.kernels.radial import GaussianRings

_SIGMA = 0.6
"""Width of a ring in pixels: neighbouring rings overlap by a half, so that no pixel falls between two."""


@dataclass(frozen=True)
class BandLimit:
    """Rings of a pixel grid and their highest angular frequencies; pass both to `HarmonicSpace`.

    Attributes:
        radius: half the width of the kernel in pixels, what offsets are divided by; pixels beyond belong to no kernel.
        rings: Gaussian rings at 1, 2, ... pixels (the centre has its own weight), in units of `radius`.
        max_frequency: of each ring.
    """

    radius: float
    rings: GaussianRings
    max_frequency: tuple[int, ...]


def band_limit(kernel_size: int) -> BandLimit:
    """Rings at 1, 2, ... pixels with frequencies up to 2 r at r pixels, and up to 2 on the outermost.

    A ring of radius r pixels crosses about 2 pi r pixels. Frequencies above half of that, pi r, cannot be told from
    lower ones there (aliasing): such a kernel is sampled as a *different* function in every orientation, and the layer
    is equivariant on paper only. At 2 r, less than 10 % of a sampled harmonic lies in the span of lower frequencies;
    at 2 r + 3 more than half does, on r = 1 and 2 pixels. The outermost ring is cut by the border of the kernel, half
    of its Gaussian is missing, and 2 is customary there. Rings and widths as in :cite:`weiler2018learning` and
    :cite:`weiler2019general` (who count the centre as a ring of frequency 0).

    Args:
        kernel_size: width of the kernel in pixels, odd and at least 3.

    Raises:
        ValueError: an even width has no centre pixel; width 1 has no ring (use `EquivariantLinear`).
    """
    size = positive("kernel_size", kernel_size)
    if size % 2 == 0 or size < 3:
        raise ValueError(
            f"Expected an odd `kernel_size` of at least 3, got {size}: kernels rotate about the centre of a pixel, "
            "which an even size does not have, and size 1 has no rings (use `EquivariantLinear`)."
        )
    pixels = range(1, size // 2 + 1)
    limits = tuple(2 * r if r < size // 2 else 2 for r in pixels)
    radius = size / 2
    return BandLimit(radius, GaussianRings([r / radius for r in pixels], _SIGMA / radius), limits)
