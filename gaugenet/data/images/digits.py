"""MNIST digits, and rotated MNIST with 12,000 training and 50,000 test digits at random angles."""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray

from gaugenet.data.meshes.sample import DataError
from gaugenet.files import write_npz

logger = logging.getLogger(__name__)

_MNIST_FILE = "mnist.npz"
_PARTS = ("x_train", "y_train", "x_test", "y_test")
_VERSION = 1
"""Part of the name of a cache file: increase it if the same seed gives other images."""


@dataclass(frozen=True)
class Digits:
    """Grey images of digits with their classes.

    Attributes:
        images: `(N, 28, 28)` uint8, 0 is background.
        labels: `(N,)` int64, 0 to 9.

    Example:
        >>> import numpy as np
        >>> from gaugenet.data import Digits
        >>> digits = Digits(np.zeros((10, 28, 28), np.uint8), np.arange(10))
        >>> len(digits[:3])
        3
    """

    images: UInt8[ndarray, "digits height width"]
    labels: Int[ndarray, "digits"]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | Int[ndarray, "chosen"]) -> Digits:
        return Digits(self.images[index], self.labels[index])


@dataclass(frozen=True)
class RotatedDigits:
    """Training, test and validation part of rotated MNIST."""

    train: Digits
    test: Digits
    val: Digits


def read_mnist(path: str | Path | None = None) -> tuple[Digits, Digits]:
    """Return the 60,000 training and the 10,000 test digits of `mnist.npz`.

    Args:
        path: the file or its folder; by default the folder in the environment variable `GAUGENET_DATA`.

    Raises:
        DataError: If the file is missing, or does not contain the arrays `x_train`, `y_train`, `x_test` and `y_test` of
            Keras' `mnist.npz`.
    """
    file = _mnist_file(path)
    try:
        with np.load(file) as content:
            x_train, y_train, x_test, y_test = (content[part] for part in _PARTS)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{file}: expected the arrays {', '.join(_PARTS)} of mnist.npz ({error}).") from error
    return _checked(file, x_train, y_train), _checked(file, x_test, y_test)


def rotated_mnist(
    path: str | Path | None = None,
    *,
    train: int = 12_000,
    test: int = 50_000,
    val: int = 2_000,
    seed: int = 0,
    cache: str | Path | None = None,
) -> RotatedDigits:
    """Return rotated MNIST, made from MNIST by the protocol of :cite:`larochelle2007empirical`.

    All 70,000 digits are shuffled. The first `train`, the next `test` and the next `val` digits are taken, so no digit
    is in two parts. Each is rotated once, counter-clockwise about the middle of its 28 x 28 pixels, by an angle uniform
    in [0, 2 pi): cubic splines, zeros outside, rounded and clipped to uint8. The published set is another random draw,
    so errors can be compared, but single images cannot. It has no validation part; here the validation part comes from
    the 8,000 digits that the other parts do not use.

    Args:
        path: see `read_mnist`.
        train: number of digits of the training part.
        test: number of digits of the test part.
        val: number of digits of the validation part.
        seed: seed of the shuffle and the angles.
        cache: folder where the result is cached; `None` for no cache.

    Raises:
        DataError: If `read_mnist` fails, or the parts need more digits than there are.
    """
    counts = (train, test, val)
    if cache is None:
        return _split(_make(path, sum(counts), seed), counts)
    source = _mnist_file(path)
    cache_file = Path(cache) / _cache_name(source, *counts, seed)
    digits = _read_cache(cache_file)
    if digits is None:
        digits = _make(source, sum(counts), seed)
        write_npz(cache_file, {"images": digits.images, "labels": digits.labels.astype(np.uint8)})
    return _split(digits, counts)


def _make(path: str | Path | None, count: int, seed: int) -> Digits:
    first, second = read_mnist(path)
    images = np.concatenate([first.images, second.images])
    labels = np.concatenate([first.labels, second.labels])
    if count > len(labels):
        raise DataError(
            f"Expected at most {len(labels)} digits in all parts together, got {count}: MNIST has no more digits."
        )
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(labels))[:count]
    angles = random.uniform(0, 2 * np.pi, len(labels))[:count]
    return Digits(rotate_images(images[chosen], angles), labels[chosen])


def _split(digits: Digits, counts: tuple[int, int, int]) -> RotatedDigits:
    if min(counts) < 0:
        raise DataError(f"Expected no negative number of digits, got {counts}.")
    train, test, val = counts
    return RotatedDigits(digits[:train], digits[train : train + test], digits[train + test :][:val])


def rotate_images(images: UInt8[ndarray, "n height width"], angles: ndarray) -> UInt8[ndarray, "n height width"]:
    """Rotate each image counter-clockwise about its middle by its angle (radians), by cubic splines; 0 outside."""
    from scipy.ndimage import affine_transform

    middle = (np.array(images.shape[1:]) - 1) / 2
    out = np.empty_like(images)
    for k, (c, s) in enumerate(zip(np.cos(angles), np.sin(angles))):
        back = np.array([[c, s], [-s, c]])  # row numbers increase downwards
        rotated = affine_transform(
            images[k].astype(np.float64), back, middle - back @ middle, order=3, mode="grid-constant"
        )
        out[k] = rotated.round().clip(0, 255)
    return out


def _mnist_file(path: str | Path | None) -> Path:
    named = path or os.environ.get("GAUGENET_DATA")
    if not named:
        raise DataError(
            f"No path given for {_MNIST_FILE}: pass the path of the file or of its folder, or set the environment "
            "variable GAUGENET_DATA to that folder."
        )
    file = Path(named) / _MNIST_FILE if Path(named).is_dir() else Path(named)
    if not file.is_file():
        raise DataError(
            f"No file {file}: expected {_MNIST_FILE} as Keras distributes it, 70,000 digits in four arrays."
        )
    return file


def _checked(file: Path, images: ndarray, labels: ndarray) -> Digits:
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1] != images.shape[2]:
        raise DataError(f"{file}: expected uint8 images (N, 28, 28), got {images.dtype} of shape {images.shape}.")
    if labels.shape != (len(images),) or not len(labels) or labels.min() < 0 or labels.max() > 9:
        raise DataError(f"{file}: expected one label 0 ... 9 for each of {len(images)} images, got {labels.shape}.")
    return Digits(images, labels.astype(np.int64))


def _cache_name(source: Path, *parameters: int) -> str:
    """Return a name from the digits of the source, the parameters and the version of the procedure."""
    digest = hashlib.sha256(source.read_bytes() + repr((_VERSION, parameters)).encode())
    return f"rotated_mnist-{digest.hexdigest()[:16]}.npz"


def _read_cache(path: Path) -> Digits | None:
    if not path.is_file():
        return None
    try:
        with np.load(path) as content:
            return _checked(path, content["images"], content["labels"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        logger.warning("%s is truncated or not a cache file, and is written again (%s).", path, error)
        return None
