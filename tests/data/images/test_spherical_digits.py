"""Digits on the sphere: the projection, rotations, and a network that does not see those of the icosahedron."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gaugenet.data import Digits, SphericalDigits
from gaugenet.data.images.spherical_digits import on_hemisphere, random_rotations
from gaugenet.geometry import Icosphere, icosahedral_rotations
from gaugenet.models import IcosahedralCNN
from tests.tolerances import TOL, relative

SPHERE = Icosphere(3)


def digits(count: int = 3) -> Digits:
    random = np.random.default_rng(0)
    return Digits(random.integers(0, 256, (count, 28, 28)).astype(np.uint8), np.arange(count) % 10)


def direction(u: float, v: float) -> torch.Tensor:
    """Where the point (u, v) of the plane z = 0 is seen on the unit sphere from the south pole."""
    r = math.hypot(u, v)
    colatitude, longitude = 2 * math.atan(r), math.atan2(v, u)
    return torch.tensor([
        math.sin(colatitude) * math.cos(longitude), math.sin(colatitude) * math.sin(longitude), math.cos(colatitude)
    ], dtype=torch.float64)  # fmt: skip


@pytest.mark.parametrize("row, column", [(13, 14), (5, 14), (20, 7), (13, 27)])
def test_pixels_are_found_where_the_stereographic_projection_puts_them(row, column):
    image = torch.zeros(1, 28, 28)
    image[0, row, column] = 1
    u, v = (column + 0.5 - 14) / 14, (14 - row - 0.5) / 14
    here, mirrored = direction(u, v), direction(-u, v)
    values = on_hemisphere(image, torch.stack([here, mirrored])[None])[0]
    assert values[0] == pytest.approx(1, abs=1e-4)
    assert values[1] == pytest.approx(0, abs=1e-4)


def test_nothing_is_in_the_south():
    values = on_hemisphere(torch.ones(1, 28, 28), SPHERE.pos[None])[0]
    z = SPHERE.pos[:, 2]
    assert (values[z < 0] == 0).all()
    torch.testing.assert_close(values[z > 0.1], torch.ones_like(values[z > 0.1]))


def test_turned_digits_are_read_at_turned_vertices():
    source = digits()
    rotated_digits = SphericalDigits(SPHERE, rotated=True, seed=5)(source)
    for k, rotation in enumerate(random_rotations(3, 5)):
        points = torch.from_numpy(SPHERE.pos.numpy() @ rotation)
        expected = on_hemisphere(torch.from_numpy(source.images[k : k + 1]).float(), points[None])[0]
        found = torch.from_numpy(rotated_digits.images[k]).flatten()[: SPHERE.num_vertices]
        assert (found - expected).abs().max() <= 0.51
    other = SphericalDigits(SPHERE, rotated=True, seed=6)(source)
    assert (other.images != rotated_digits.images).any(), "control: another seed turns otherwise"
    np.testing.assert_array_equal(rotated_digits.labels, source.labels)


def test_rotations_are_uniform_rotations():
    rotations = random_rotations(4000, 0)
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), np.eye(3)[None].repeat(4000, 0), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-12)
    assert np.abs(rotations.mean(0)).max() < 0.05
    np.testing.assert_allclose((rotations**2).mean(0), 1 / 3, atol=0.03)


def test_no_digits_and_many():
    empty = SphericalDigits(SPHERE, rotated=True)(digits(0))
    assert empty.images.shape == (0, *SPHERE.chart_shape)
    assert len(SphericalDigits(Icosphere(0))(digits(501))) == 501


def test_digits_read_anew_are_turned_anew():
    source = digits(4)
    rotating = SphericalDigits(SPHERE).resampled(source)
    assert len(rotating) == 4
    torch.manual_seed(3)
    first, second = rotating[np.array([2, 0])], rotating[np.array([2, 0])]
    assert (first.images != second.images).any()
    np.testing.assert_array_equal(first.labels, [2, 0])
    torch.manual_seed(3)
    np.testing.assert_array_equal(rotating[np.array([2, 0])].images, first.images)
    torch.manual_seed(3)
    seed = int(torch.randint(2**31, ()))
    expected = SphericalDigits(SPHERE, rotated=True, seed=seed)(source[np.array([2, 0])])
    np.testing.assert_array_equal(expected.images, first.images)


@pytest.mark.parametrize("stem_stride", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_network_does_not_see_rotations_of_the_icosahedron(dtype, stem_stride):
    torch.manual_seed(0)
    sphere = Icosphere(2)
    model = IcosahedralCNN("2x0", 5, width=2, levels=2, stem_stride=stem_stride).to(dtype)
    x = torch.randn(2, 2, sphere.num_vertices, dtype=dtype)
    expected = model(x)
    assert expected.shape == (2, 5)
    for rotation in icosahedral_rotations(sphere)[1::13]:
        moved = rotation.apply(model.in_type, x)
        assert relative(model(moved), expected) < TOL[dtype]
    shuffled = model(x[..., torch.randperm(sphere.num_vertices)])
    assert relative(shuffled, expected) > 1e-3, "control: a permutation that is no rotation"


def test_network_refuses_coarse_spheres_and_single_signals():
    model = IcosahedralCNN("1x0", 5, width=1, levels=3)
    with pytest.raises(ValueError, match="level 2 or more"):
        model(torch.zeros(1, 1, 42))
    with pytest.raises(ValueError, match=r"x\[None\]"):
        model(torch.zeros(162, 1))
    with pytest.raises(ValueError, match="level 3 or more"):
        IcosahedralCNN("1x0", 5, width=1, levels=3, stem_stride=2)(torch.zeros(1, 1, 162))
    with pytest.raises(ValueError, match="`stem_stride` 1 or 2, got 3"):
        IcosahedralCNN("1x0", 5, stem_stride=3)
