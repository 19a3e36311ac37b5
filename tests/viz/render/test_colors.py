from __future__ import annotations

import numpy as np
import pytest

from gaugenet.viz.render.colors import (
    RIGHT,
    UNLABELLED,
    WRONG,
    ColorScale,
    color_ramp,
    label_colors,
    linear_to_srgb,
    oklab_to_srgb,
    palette,
    srgb_to_linear,
    srgb_to_oklab,
    to_hex,
)

# Dichromatic vision (Machado, Oliveira and Fernandes 2009, severity 1), acting on linear light.
DICHROMATS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def seen_by(colors: np.ndarray, eye: str | None) -> np.ndarray:
    light = srgb_to_linear(colors / 255)
    if eye is not None:
        light = np.clip(light @ np.array(DICHROMATS[eye]).T, 0, 1)
    return srgb_to_oklab(linear_to_srgb(light))


def smallest_difference(colors: np.ndarray, eye: str | None) -> float:
    lab = seen_by(colors, eye)
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return float(distance[np.triu_indices(len(lab), 1)].min())


@pytest.mark.parametrize(
    ("eye", "count", "bound"),
    [(None, 8, 0.12), (None, 20, 0.06), ("protanopia", 8, 0.045), ("deuteranopia", 8, 0.045)],
)
def test_classes_can_be_told_apart(eye: str | None, count: int, bound: float) -> None:
    assert smallest_difference(palette(count), eye) > bound


def test_the_measure_notices_confusable_colors() -> None:
    confusable = np.array([[200, 60, 40], [110, 105, 40]])
    assert smallest_difference(confusable, None) > 0.12
    assert smallest_difference(confusable, "deuteranopia") < 0.12


@pytest.mark.parametrize("eye", [None, "protanopia", "deuteranopia"])
def test_wrong_stands_out_from_right(eye: str | None) -> None:
    assert smallest_difference(np.array([RIGHT, WRONG, UNLABELLED]), eye) > 0.12


def test_a_class_keeps_its_color_whatever_the_number_of_classes() -> None:
    many = palette(300)
    for count in (0, 1, 8, 20, 21, 150):
        np.testing.assert_array_equal(palette(count), many[:count])
    assert len(np.unique(palette(60), axis=0)) == 60


def test_negative_labels_are_grey_and_others_follow_the_palette() -> None:
    colors = label_colors(np.array([2, -1, 0, -7]))
    np.testing.assert_array_equal(colors[[1, 3]], [UNLABELLED, UNLABELLED])
    np.testing.assert_array_equal(colors[[2, 0]], palette(3)[[0, 2]])
    assert label_colors(np.array([], dtype=int)).shape == (0, 3)


def test_oklab_is_inverted() -> None:
    colors = np.random.default_rng(0).random((200, 3))
    np.testing.assert_allclose(oklab_to_srgb(srgb_to_oklab(colors)), colors, atol=1e-6)


@pytest.mark.parametrize("name", ["viridis", "cividis"])
def test_ramps_rise_in_lightness_as_those_of_matplotlib(name: str) -> None:
    from matplotlib import colormaps

    lightness = srgb_to_oklab(color_ramp(name) / 255)[:, 0]
    assert (np.diff(lightness) > -5e-3).all()  # steps of one byte
    assert lightness[-1] - lightness[0] > 0.5
    theirs = 255 * colormaps[name](np.arange(256))[:, :3]
    assert np.abs(color_ramp(name) - theirs).max() < 13  # between the stops that are kept
    assert np.abs(color_ramp(name) - 255 * colormaps["plasma"](np.arange(256))[:, :3]).max() > 60, "control"


def test_the_diverging_ramp_is_lightest_in_the_middle() -> None:
    both = srgb_to_oklab(color_ramp("diverging") / 255)[:, 0]
    assert abs(int(both.argmax()) - 127) < 8


def test_limits_of_fields() -> None:
    scale = ColorScale.of(np.linspace(0, 1, 1001))
    assert (scale.low, scale.high, scale.colormap) == (pytest.approx(0.01), pytest.approx(0.99), "viridis")
    scale = ColorScale.of(np.linspace(-3, 1, 1001))
    assert scale.low == -scale.high
    assert scale.colormap == "diverging"
    spiked = np.concatenate([np.linspace(0, 1, 1000), [1e9, np.nan, np.inf]])
    assert ColorScale.of(spiked).high < 1.1
    for value, limits in ((7.0, (6.5, 7.5)), (np.nan, (0.0, 1.0))):
        scale = ColorScale.of(np.full(10, value))
        assert (scale.low, scale.high) == limits
    own = ColorScale.of(spiked, limits=(-2, 5), colormap="cividis")
    assert (own.low, own.high, own.colormap) == (-2, 5, "cividis")


@pytest.mark.parametrize("options", [{"limits": (1, 1)}, {"limits": (0, np.inf)}, {"colormap": "jet"}])
def test_limits_in_the_wrong_order_and_unknown_color_maps_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=r"limits|jet"):
        ColorScale.of(np.arange(4.0), **options)


def test_scalars_outside_the_limits_are_clipped_and_undefined_ones_grey() -> None:
    colors = ColorScale(0.0, 1.0, "viridis").colors(np.array([-5.0, 0.0, 1.0, 9.0, np.nan, np.inf]))
    np.testing.assert_array_equal(colors[0], colors[1])
    np.testing.assert_array_equal(colors[2], colors[3])
    np.testing.assert_array_equal(colors[4:], [UNLABELLED, UNLABELLED])


def test_hex_and_bad_counts() -> None:
    assert to_hex((1, 254, 16)) == "#01fe10"
    with pytest.raises(ValueError, match="-1"):
        palette(-1)
