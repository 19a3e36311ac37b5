from __future__ import annotations

import numpy as np
import pytest

from gaugenet.viz.render.colors import (
    RIGHT,
    UNLABELLED,
    WRONG,
    color_ramp,
    label_colors,
    linear_to_srgb,
    oklab_to_srgb,
    palette,
    scalar_colors,
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


def test_ramps_rise_in_lightness() -> None:
    lightness = srgb_to_oklab(color_ramp() / 255)[:, 0]
    assert (np.diff(lightness) > -5e-3).all()  # steps of one byte
    assert lightness[-1] - lightness[0] > 0.5
    both = srgb_to_oklab(color_ramp(diverging=True) / 255)[:, 0]
    assert abs(int(both.argmax()) - 127) < 8


def test_scalars_outside_the_limits_are_clipped_and_undefined_ones_grey() -> None:
    colors = scalar_colors(np.array([-5.0, 0.0, 1.0, 9.0, np.nan, np.inf]), (0.0, 1.0), diverging=False)
    np.testing.assert_array_equal(colors[0], colors[1])
    np.testing.assert_array_equal(colors[2], colors[3])
    np.testing.assert_array_equal(colors[4:], [UNLABELLED, UNLABELLED])


def test_hex_and_bad_counts() -> None:
    assert to_hex((1, 254, 16)) == "#01fe10"
    with pytest.raises(ValueError, match="-1"):
        palette(-1)
