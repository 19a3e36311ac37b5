"""MNIST on a Möbius strip: digits moved along it, that come around the twist as their own mirror images."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gaugenet.data.images.digits import Digits
from gaugenet.geometry.grids.strip import shift_strip
from gaugenet.groups import FieldType, Reflection


@dataclass(frozen=True)
class StripDigits:
    """Digits on a Möbius strip as long as the images are wide (:cite:`weiler2021coordinate`, Sec. 5).

    Nothing is interpolated: a shift by whole pixels is an isometry, and what passes the cut comes back upside down.

    Args:
        shift: the number of pixels that all digits are moved by, or `"random"`: each by its own, uniform in twice the
            length of the strip, after which everything is back in its place.
        seed: of the random shifts.
    """

    shift: int | str = "random"
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.shift, str) and self.shift != "random":
            raise ValueError(f"Expected `shift` to be a number of pixels or 'random', got {self.shift!r}.")

    def __call__(self, digits: Digits) -> Digits:
        """The moved images `(N, height, width)`, with the labels of the digits."""
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
