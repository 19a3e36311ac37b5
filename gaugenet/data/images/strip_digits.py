"""MNIST on a Möbius strip: digits shifted along it, which return mirrored after one turn."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gaugenet.data.images.digits import Digits
from gaugenet.geometry.grids.strip import shift_strip
from gaugenet.groups import FieldType, Reflection


@dataclass(frozen=True)
class StripDigits:
    """Shifted digits on a Möbius strip as long as the images are wide :cite:`weiler2021coordinate` (Sec. 5).

    A shift by an integer number of pixels is an isometry, so nothing is interpolated. Pixels that pass the cut return
    upside down.

    Args:
        shift: number of pixels by which all digits are shifted, or `"random"`: a different number for each digit,
            uniform in twice the length of the strip, the period of shifts.
        seed: seed of the random shifts.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import Digits, StripDigits
        >>> digits = Digits(np.random.default_rng(0).integers(0, 256, (4, 28, 28), np.uint8), np.arange(4))
        >>> once = StripDigits(shift=28)(digits)
        >>> bool((once.images == digits.images[:, ::-1]).all())  # upside down after one turn
        True
    """

    shift: int | str = "random"
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.shift, str) and self.shift != "random":
            raise ValueError(f"Expected `shift` to be a number of pixels or 'random', got {self.shift!r}.")

    def __call__(self, digits: Digits) -> Digits:
        """Return the shifted images `(N, height, width)` with the labels of the digits."""
        images, scalars = torch.from_numpy(digits.images)[:, None], FieldType(Reflection(), "1x0")
        if isinstance(self.shift, int):
            return Digits(shift_strip(images, self.shift, scalars)[:, 0].numpy(), digits.labels)
        generator = torch.Generator().manual_seed(self.seed)
        shifts = torch.randint(2 * images.shape[-1], (len(images),), generator=generator)
        moved = images.clone()
        for shift in shifts.unique().tolist():
            moved[shifts == shift] = shift_strip(images[shifts == shift], shift, scalars)
        return Digits(moved[:, 0].numpy(), digits.labels)


__all__ = ["StripDigits"]
