"""Coastlines: through capes and straits, not along borders or lines that close polygons; on maps where asked for."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.viz import SpherePanel, coastline_segments, draw_spheres, nearest_point
from gaugenet.viz.projections import outward, pixels_of_sphere, sphere_of_pixels
from tests.viz.test_sphere_map import read_png

ON_THE_COAST = {
    "Tarifa": (36.0, -5.6),
    "Cape Agulhas": (-34.8, 20.0),
    "Kanyakumari": (8.1, 77.5),
    "Cape Horn": (-55.9, -67.3),
    "Dover": (51.1, 1.3),
    "San Francisco": (37.8, -122.5),
    "Cape York": (-10.7, 142.5),
    "Honshu": (35.0, 138.9),
    "Cape Farewell": (60.0, -43.9),
}
OFF_THE_COAST = {
    "Sahara": (23.0, 10.0),
    "border of Canada": (49.0, -102.0),
    "border of Kazakhstan": (54.0, 70.0),
    "Pacific": (0.0, -140.0),
    "south pole": (-89.0, 60.0),
    "date line in Chukotka": (67.0, 180.0),
    "date line in Antarctica": (-87.0, 180.0),
}


def distance(place: tuple[float, float]) -> float:
    """Degrees to the coast."""
    point = outward(*np.radians(place))
    return float(np.degrees(2 * np.arcsin(np.linalg.norm(coastline_segments(1.0) - point, axis=2).min() / 2)))


@pytest.mark.parametrize("name", ON_THE_COAST)
def test_it_passes_through_capes(name):
    assert distance(ON_THE_COAST[name]) < 0.9


@pytest.mark.parametrize("name", OFF_THE_COAST)
def test_it_leaves_out_borders_and_lines_that_close_polygons(name):
    assert distance(OFF_THE_COAST[name]) > 0.9


def test_segments_are_short_and_lie_on_the_globe():
    segments = coastline_segments(1.5)
    np.testing.assert_allclose(np.linalg.norm(segments, axis=2), 1.5)
    assert np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).max() < 1.5 * np.radians(1.0)
    starts, ends = ({tuple(p) for p in np.round(segments[:, k], 6)} for k in (0, 1))
    assert len(starts - ends) < 0.05 * len(starts), "polylines: nearly all are continued"


@pytest.mark.parametrize(("projection", "center"), [("mollweide", (0.0, 50.0)), ("orthographic", (40.0, -70.0))])
def test_points_are_drawn_where_their_pixels_look(projection, center):
    size = (301, 301 if projection == "orthographic" else 151)
    inside, points = sphere_of_pixels(*size, projection=projection, center=center)
    row, column = np.nonzero(inside)
    found = pixels_of_sphere(points, *size, projection=projection, center=center)
    # matplotlib solves the equation of the Mollweide projection to about 1e-3.
    np.testing.assert_allclose(found, np.stack([column, row], -1) + 0.5, atol=0.1)
    if projection == "orthographic":
        assert np.isnan(pixels_of_sphere(-points, *size, projection=projection, center=center)).all()


@pytest.mark.parametrize("projection", ["mollweide", "orthographic"])
def test_maps_show_coasts_where_asked_for(tmp_path, projection):
    points = np.random.default_rng(0).normal(size=(500, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    panels = [SpherePanel(name="a", scalar=points[:, 2]), SpherePanel(name="b")]
    options = {"projection": projection, "width": 500, "columns": 2}
    for name, coastlines in (("coast", True), ("bare", False)):
        draw_spheres(tmp_path / f"{name}.png", panels, nearest_point(points), coastlines=coastlines, **options)
    changed = np.abs(read_png(tmp_path / "coast.png") - read_png(tmp_path / "bare.png")).max(-1) > 25
    height = 500 if projection == "orthographic" else 250
    place = pixels_of_sphere(coastline_segments(1.0)[:, 0], 500, height, projection=projection)
    place = place[np.isfinite(place).all(1)].astype(int)
    for left in (24, 24 + 500 + 24):
        part = changed[24 : 24 + height, left : left + 500]
        assert part[place[:, 1].clip(0, height - 1), place[:, 0].clip(0, 499)].mean() > 0.7
        assert part.mean() < 0.2, "control: most of the map is as without coasts"


def test_a_map_has_a_bar_with_its_own_limits(tmp_path):
    from gaugenet.viz.render.colors import color_ramp

    points = np.eye(3)
    panels = [SpherePanel(name="a", scalar=np.arange(3.0), unit="K", limits=(0, 9), colormap="cividis")]
    draw_spheres(tmp_path / "a.png", panels, nearest_point(points), width=300)
    picture = read_png(tmp_path / "a.png")
    ramp = color_ramp("cividis", steps=100).astype(int)
    row = next(row for row in picture[-110:] if (row == ramp[50]).all(-1).any())
    start = int(np.flatnonzero((row == ramp[50]).all(-1))[0]) - 50
    np.testing.assert_array_equal(row[start : start + 100], ramp)
