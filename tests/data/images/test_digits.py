"""Rotated MNIST: no digit in two parts, each rotated by its own angle, the same on every call."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from gaugenet.data import DataError, read_mnist, rotated_mnist
from gaugenet.data.images.digits import rotate_images


def blob(distance: float = 4.0) -> np.ndarray:
    """A smooth spot to the right of the middle, `(28, 28)` uint8."""
    y, x = np.mgrid[:28, :28] - 13.5
    return (250 * np.exp(-((x - distance) ** 2 + y**2) / 12)).round().astype(np.uint8)


@pytest.fixture
def mnist(tmp_path):
    """`mnist.npz` with 60 + 20 digits: number i is a spot at a distance of its own, of class i modulo 10."""
    images = np.stack([blob(2 + 0.05 * i) for i in range(80)])
    labels = np.arange(80, dtype=np.uint8) % 10
    parts = {"x_train": images[:60], "y_train": labels[:60], "x_test": images[60:], "y_test": labels[60:]}
    np.savez(tmp_path / "mnist.npz", **parts)
    return tmp_path


def folder(images: np.ndarray) -> np.ndarray:
    """The centre of each image, x to the right and y up, as complex numbers."""
    y, x = np.mgrid[:28, :28] - 13.5
    return (images * (x - 1j * y)).sum((1, 2)) / images.sum((1, 2))


def number(images: np.ndarray) -> np.ndarray:
    """Which of the digits of `mnist` each image is, whatever its angle."""
    return ((np.abs(folder(images)) - 2) / 0.05).round().astype(int)


def test_right_angles_move_pixels():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    rotated = rotate_images(images, np.array([0, np.pi / 2, np.pi]))
    for k in range(3):
        np.testing.assert_array_equal(rotated[k], np.rot90(images[k], k))


def test_other_angles_turn_counter_clockwise():
    angles = np.linspace(-3, 3, 25)
    images = np.repeat(blob()[None], 25, 0)
    np.testing.assert_allclose(np.angle(folder(rotate_images(images, angles))), angles, atol=2e-3)
    assert np.abs(np.angle(folder(rotate_images(images, -angles))) - angles).max() > 1, "control"


def test_parts_share_no_digit_and_labels_go_with_images(mnist):
    data = rotated_mnist(mnist, train=30, test=40, val=10)
    parts = [data.train, data.test, data.val]
    assert [len(part) for part in parts] == [30, 40, 10]
    numbers = [number(part.images) for part in parts]
    assert sorted(np.concatenate(numbers)) == list(range(80)), "each digit once"
    assert list(numbers[0]) != sorted(numbers[0]), "shuffled"
    for part, found in zip(parts, numbers):
        np.testing.assert_array_equal(found % 10, part.labels)


def test_a_seed_is_one_draw(mnist):
    data = rotated_mnist(mnist, train=30, test=40, val=10)
    same = rotated_mnist(mnist / "mnist.npz", train=30, test=50, val=0)
    np.testing.assert_array_equal(same.train.images, data.train.images)
    np.testing.assert_array_equal(same.test.images[:40], data.test.images)
    other = rotated_mnist(mnist, train=30, test=40, val=10, seed=1)
    assert list(number(other.train.images)) != list(number(data.train.images))


def test_angles_are_uniform(mnist):
    rotate = folder(rotated_mnist(mnist, train=80, test=0, val=0).train.images)
    rotate /= np.abs(rotate)
    for harmonic in (1, 2, 4):
        assert abs((rotate**harmonic).mean()) < 3 / np.sqrt(80)
    still = folder(np.concatenate([part.images for part in read_mnist(mnist)]))
    assert abs((still / np.abs(still)).mean()) > 0.99, "control"


def test_the_cache_is_read_and_a_broken_one_made_anew(mnist, tmp_path, caplog):
    cache = tmp_path / "cache"
    first = rotated_mnist(mnist, train=5, test=5, val=0, cache=cache)
    (cached,) = cache.iterdir()
    stamp = cached.stat().st_mtime_ns
    again = rotated_mnist(mnist, train=5, test=5, val=0, cache=cache)
    assert cached.stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(again.test.images, first.test.images)
    rotated_mnist(mnist, train=5, test=5, val=0, seed=1, cache=cache)
    assert len(list(cache.iterdir())) == 2, "another seed is another file"
    cached.write_bytes(cached.read_bytes()[:500])
    with caplog.at_level(logging.WARNING):
        mended = rotated_mnist(mnist, train=5, test=5, val=0, cache=cache)
    assert "is written again" in caplog.text
    np.testing.assert_array_equal(mended.test.images, first.test.images)
    assert cached.stat().st_size > 500


def test_what_does_not_fit_is_refused(mnist, tmp_path, monkeypatch):
    monkeypatch.delenv("GAUGENET_DATA", raising=False)
    with pytest.raises(DataError, match="GAUGENET_DATA"):
        read_mnist()
    monkeypatch.setenv("GAUGENET_DATA", str(mnist))
    assert len(read_mnist()[0]) == 60
    with pytest.raises(DataError, match=r"No file .*elsewhere"):
        read_mnist(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="at most 80"):
        rotated_mnist(mnist, train=81, test=0, val=0)
    with pytest.raises(DataError, match="no negative"):
        rotated_mnist(mnist, train=20, test=-3, val=0)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DataError, match="expected the arrays x_train"):
        read_mnist(tmp_path / "text.npz")
    two = np.stack([blob(), blob()])
    np.savez(tmp_path / "other.npz", x_train=two)
    with pytest.raises(DataError, match="y_train"):
        read_mnist(tmp_path / "other.npz")
    wrong = {"x_train": two / 255, "y_train": np.zeros(2), "x_test": two, "y_test": np.zeros(2)}
    np.savez(tmp_path / "float.npz", **wrong)
    with pytest.raises(DataError, match="uint8 images"):
        read_mnist(tmp_path / "float.npz")
