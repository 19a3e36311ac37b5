"""Band limits for kernels on pixels: the angular frequencies that a ring of pixels can resolve."""

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
        radius: half the width of the kernel in pixels, by which offsets are divided; pixels beyond it are not used.
        rings: Gaussian rings at 1, 2, ... pixels (the centre has its own weight), in units of `radius`.
        max_frequency: highest angular frequency of each ring.

    Example:
        >>> from gaugenet.kernels import band_limit
        >>> limit = band_limit(7)
        >>> limit.radius, limit.rings.count, limit.max_frequency
        (3.5, 3, (2, 4, 2))
    """

    radius: float
    rings: GaussianRings
    max_frequency: tuple[int, ...]


def band_limit(kernel_size: int) -> BandLimit:
    """Return rings at 1, 2, ... pixels with frequencies up to 2 r at r pixels, and up to 2 on the outermost.

    A ring of radius r pixels crosses about 2 pi r pixels. Frequencies above half of that, pi r, cannot be distinguished
    from lower ones there (aliasing): such a kernel is sampled as a *different* function in every orientation, and the
    layer is equivariant in theory only. At 2 r, less than 10 % of a sampled harmonic lies in the span of lower
    frequencies; at 2 r + 3 more than half does, for r = 1 and 2 pixels. The border of the kernel cuts off half of the
    outermost Gaussian, and 2 is customary there. Rings and widths are the same as in :cite:`weiler2018learning` and
    :cite:`weiler2019general` (where the centre counts as a ring of frequency 0).

    Args:
        kernel_size: width of the kernel in pixels, odd and at least 3.

    Raises:
        ValueError: If the width is even, so that there is no centre pixel, or 1, so that there is no ring.

    Example:
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.kernels import HarmonicSpace, band_limit
        >>> limit = band_limit(5)
        >>> limit.max_frequency
        (2, 2)
        >>> regular = FieldType(SO2(), "1xfourier(2)")
        >>> HarmonicSpace(regular, regular, rings=limit.rings, max_frequency=limit.max_frequency)
        HarmonicSpace(1xfourier(2) -> 1xfourier(2), SO(2), rings=2, max_frequency=(2, 2))
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
