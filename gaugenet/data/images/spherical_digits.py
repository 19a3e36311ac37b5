"""MNIST on the sphere: a digit on one hemisphere, upright or rotated by a rotation of space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import grid_sample

from gaugenet._deprecation import renamed_attribute
from gaugenet._typing import typed_array
from gaugenet.data.images.digits import Digits
from gaugenet.geometry.icosphere.icosphere import Icosphere


@dataclass(frozen=True)
class SphericalDigits:
    """Projects digits to the vertices of an icosphere, as in spherical MNIST (:cite:`cohen2018spherical`).

    The projection is stereographic from the south pole: the circle inscribed in the image is the equator, the middle
    of the image the north pole, and the digit is read from outside. Beyond the equator there is nothing. Brightness is
    bilinear between pixels. A rotation rotates the digit, not its samples: the image is read where the rotated vertices
    fall, so that no digit is interpolated twice.

    Args:
        sphere: where the digits are sampled.
        rotated: rotate each digit by a rotation of its own, uniform in SO(3); else none is rotated.
        seed: of the rotations.
    """

    sphere: Icosphere
    rotated: bool = False
    seed: int = 0

    def __call__(self, digits: Digits) -> Digits:
        """Images `(N, 5n + 1, 2n)` in the chart layout of the icosphere, uint8, with the labels of the digits."""
        rotations = random_rotations(len(digits), self.seed) if self.rotated else np.eye(3)[None]
        parts = [self._project(digits.images[k : k + 500], rotations[k : k + 500]) for k in range(0, len(digits), 500)]
        return Digits(np.concatenate(parts) if parts else self._project(digits.images, rotations), digits.labels)

    def resampled(self, digits: Digits) -> _RotatingDigits:
        """Digits that are rotated by other rotations each time they are read, from PyTorch's random state."""
        return _RotatingDigits(digits.images, digits.labels, self.sphere)

    anew = renamed_attribute("anew", "resampled")

    def _project(self, images: ndarray, rotations: Float[ndarray, "n 3 3"]) -> ndarray:
        if not self.rotated:
            rotations = np.eye(3)[None]
        values = on_hemisphere(torch.from_numpy(images).float(), self.sphere.pos @ torch.from_numpy(rotations))
        return self.sphere.to_charts(values.round().clamp(0, 255)).to(torch.uint8).numpy()


@dataclass(frozen=True)
class _RotatingDigits(Digits):
    """Flat digits that come out of `[...]` on the sphere, see `SphericalDigits.resampled`."""

    sphere: Icosphere

    def __getitem__(self, index: slice | Int[ndarray, "chosen"]) -> Digits:
        seed = int(torch.randint(2**31, ()))
        return SphericalDigits(self.sphere, rotated=True, seed=seed)(super().__getitem__(index))


def on_hemisphere(
    images: Float[Tensor, "n size size"], points: Float[Tensor, "#n points 3"]
) -> Float[Tensor, "n points"]:
    """The images, projected from the south pole to the northern hemisphere, at unit vectors; 0 in the south."""
    plane = points[..., :2] / (1 + points[..., 2:]).clamp(min=1e-9)
    position = (plane * plane.new_tensor([1.0, -1.0])).to(images.dtype)  # rows count downwards
    grid = position[:, :, None].expand(len(images), -1, -1, -1)
    values = grid_sample(images[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return values[:, 0, :, 0] * (points[..., 2] >= 0)


def random_rotations(count: int, seed: int) -> Float[ndarray, "count 3 3"]:
    """Rotation matrices, uniform in SO(3)."""
    from scipy.spatial.transform import Rotation

    if not count:
        return np.empty((0, 3, 3))
    return typed_array(Rotation.random(count, random_state=np.random.RandomState(seed)).as_matrix())
