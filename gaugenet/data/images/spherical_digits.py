"""MNIST on the sphere: a digit on one hemisphere, upright or rotated in space."""

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
    """A projection of digits to the vertices of an icosphere, as in spherical MNIST :cite:`cohen2018spherical`.

    The projection is stereographic from the south pole. The circle inscribed in the image is the equator, the middle of
    the image is the north pole, and the digit is seen from outside. The southern hemisphere is 0. Brightness is
    interpolated bilinearly. A rotated digit is sampled at the rotated vertices, so it is interpolated only once.

    Args:
        sphere: the icosphere at whose vertices the digits are sampled.
        rotated: whether each digit is rotated by its own rotation, uniform in SO(3).
        seed: seed of the rotations.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import Digits, SphericalDigits
        >>> from gaugenet.geometry import Icosphere
        >>> digits = Digits(np.full((2, 28, 28), 255, np.uint8), np.array([3, 7]))
        >>> SphericalDigits(Icosphere(2), rotated=True)(digits).images.shape  # (N, 5n + 1, 2n), n = 4
        (2, 21, 8)
    """

    sphere: Icosphere
    rotated: bool = False
    seed: int = 0

    def __call__(self, digits: Digits) -> Digits:
        """Return uint8 images `(N, 5n + 1, 2n)` in the chart layout of the icosphere, with the labels."""
        rotations = random_rotations(len(digits), self.seed) if self.rotated else np.eye(3)[None]
        parts = [self._project(digits.images[k : k + 500], rotations[k : k + 500]) for k in range(0, len(digits), 500)]
        return Digits(np.concatenate(parts) if parts else self._project(digits.images, rotations), digits.labels)

    def resampled(self, digits: Digits) -> _RotatingDigits:
        """Return digits that are rotated differently each time they are read, by PyTorch's random state."""
        return _RotatingDigits(digits.images, digits.labels, self.sphere)

    anew = renamed_attribute("anew", "resampled")

    def _project(self, images: ndarray, rotations: Float[ndarray, "n 3 3"]) -> ndarray:
        if not self.rotated:
            rotations = np.eye(3)[None]
        values = on_hemisphere(torch.from_numpy(images).float(), self.sphere.pos @ torch.from_numpy(rotations))
        return self.sphere.to_charts(values.round().clamp(0, 255)).to(torch.uint8).numpy()


@dataclass(frozen=True)
class _RotatingDigits(Digits):
    """Flat digits that indexing projects to the sphere; see `SphericalDigits.resampled`."""

    sphere: Icosphere

    def __getitem__(self, index: slice | Int[ndarray, "chosen"]) -> Digits:
        seed = int(torch.randint(2**31, ()))
        return SphericalDigits(self.sphere, rotated=True, seed=seed)(super().__getitem__(index))


def on_hemisphere(
    images: Float[Tensor, "n size size"], points: Float[Tensor, "#n points 3"]
) -> Float[Tensor, "n points"]:
    """Return the images at unit vectors, projected from the south pole to the northern hemisphere; 0 in the south."""
    plane = points[..., :2] / (1 + points[..., 2:]).clamp(min=1e-9)
    position = (plane * plane.new_tensor([1.0, -1.0])).to(images.dtype)  # row numbers increase downwards
    grid = position[:, :, None].expand(len(images), -1, -1, -1)
    values = grid_sample(images[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return values[:, 0, :, 0] * (points[..., 2] >= 0)


def random_rotations(count: int, seed: int) -> Float[ndarray, "count 3 3"]:
    """Return rotation matrices, uniform in SO(3)."""
    from scipy.spatial.transform import Rotation

    if not count:
        return np.empty((0, 3, 3))
    return typed_array(Rotation.random(count, random_state=np.random.RandomState(seed)).as_matrix())
