"""Maps of the globe: projections against their defining equations, and pictures that show what is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.viz import SpherePanel, draw_spheres, nearest_point
from gaugenet.viz.render.colors import palette
from gaugenet.viz.sphere_map import sphere_of_pixels


def read_png(path) -> np.ndarray:
    from matplotlib.image import imread

    return np.round(imread(path)[..., :3] * 255).astype(int)


def test_mollweide_keeps_areas():
    inside, points = sphere_of_pixels(400, 200)
    assert inside.mean() == pytest.approx(np.pi / 4, abs=0.01)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    draw = np.random.default_rng(0)
    for _ in range(20):
        axis, height = draw.normal(size=3), draw.uniform(-0.9, 0.9)
        share = (points @ axis / np.linalg.norm(axis) > height).mean()
        assert share == pytest.approx((1 - height) / 2, abs=0.01)
    _, other = sphere_of_pixels(400, 400, projection="orthographic")
    assert (other[:, 0] > 0).all(), "control: orthographic shows a half, not all"


def test_meridians_are_equally_spaced_on_the_equator_and_parallels_are_level():
    inside, points = sphere_of_pixels(361, 181, center=(0.0, 30.0))
    lon = np.full(inside.shape, np.nan)
    lon[inside] = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    row = (lon[90, 10:350] - 30 + 180) % 360 - 180
    np.testing.assert_allclose(row, (np.arange(10, 350) - 180) / 180.5 * 180, atol=1e-6)
    z = np.full(inside.shape, np.nan)
    z[inside] = points[:, 2]
    assert np.nanmax(np.nanmax(z[1:-1], axis=1) - np.nanmin(z[1:-1], axis=1)) < 1e-12


def test_orthographic_looks_at_its_center_from_afar():
    inside, points = sphere_of_pixels(101, 101, projection="orthographic", center=(40.0, -70.0))
    outward = np.array([np.cos(np.radians(40)) * np.cos(np.radians(-70)), 0, np.sin(np.radians(40))])
    outward[1] = np.cos(np.radians(40)) * np.sin(np.radians(-70))
    full = np.full((*inside.shape, 3), np.nan)
    full[inside] = points
    np.testing.assert_allclose(full[50, 50], outward, atol=1e-12)
    assert (points @ outward > 0).all()
    assert full[10, 50, 2] > full[90, 50, 2], "north is up"
    lon = np.degrees(np.arctan2(full[50, :, 1], full[50, :, 0]))
    assert lon[60] > lon[40], "east is right"


def points_of_a_sphere(count: int = 4000) -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize("projection", ["mollweide", "orthographic"])
def test_labels_are_painted_in_their_colors_and_the_truth_is_outlined(tmp_path, projection):
    points = points_of_a_sphere()
    labels = np.where(points[:, 0] > 0.8, 1, 0)
    panels = [
        SpherePanel(name="a $ name", scalar=points[:, 2], labels=labels),
        SpherePanel(name="truth", outline=labels),
        SpherePanel(name="bare"),
    ]
    options = {"projection": projection, "width": 240, "columns": 3, "class_names": ["calm", "storm"], "title": "T"}
    draw_spheres(tmp_path / "map.png", panels, nearest_point(points), **options)
    picture = read_png(tmp_path / "map.png")
    third = picture.shape[1] // 3

    def near(color: tuple[int, ...], part: np.ndarray) -> int:
        return int((np.abs(part[60:-60] - np.array(color)).sum(axis=-1) < 90).sum())

    storm = tuple(palette(2)[1])
    parts = [picture[:, k * third : (k + 1) * third] for k in range(3)]
    assert near(storm, parts[0]) > 500
    assert near(storm, parts[1]) == near(storm, parts[2]) == 0
    assert near((20, 20, 20), parts[1]) > 50 > 5 > near((20, 20, 20), parts[2])


def test_what_cannot_be_drawn_is_refused(tmp_path):
    nearest = nearest_point(points_of_a_sphere(10))
    with pytest.raises(ValueError, match="at least one panel"):
        draw_spheres(tmp_path / "a.png", [], nearest)
    with pytest.raises(ValueError, match="theme"):
        draw_spheres(tmp_path / "a.png", [SpherePanel(name="a")], nearest, theme="blue")
    with pytest.raises(ValueError, match="projection"):
        draw_spheres(tmp_path / "a.png", [SpherePanel(name="a")], nearest, projection="mercator")
    assert not list(tmp_path.iterdir())
