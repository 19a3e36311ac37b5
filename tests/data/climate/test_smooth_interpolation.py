"""Smooth interpolation: its order on rows and on cells, across the poles, and where points lie badly."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.data import LatLonGrid
from gaugenet.data.climate.sampling import GridLocations, PointLocations
from gaugenet.geometry import HEALPix, Icosphere

EXACT = 1e-12

RNG = np.random.default_rng(0)
TARGETS = np.concatenate([RNG.standard_normal((400, 3)), [[0, 0, 1], [0, 0, -1], [1e-5, 0, 1], [1, 1e-9, 0]]])
TARGETS /= np.linalg.norm(TARGETS, axis=1, keepdims=True)


def smooth_field(points: np.ndarray) -> np.ndarray:
    """A polynomial of degree six, whose waves are about a radian long."""
    x, y, z = np.moveaxis(points, -1, 0)
    return x**6 + 2 * x * y**3 * z - 3 * y**2 * z**4 + x - 0.5 * z


def places(kind: str, size: int):
    if kind == "cells":
        return PointLocations(HEALPix(size).pos.numpy())
    rows = LatLonGrid.gaussian if kind == "gaussian" else LatLonGrid.regular
    poles = {"poles": True} if kind == "poles" else {}
    return GridLocations(rows(3 * size + (kind == "poles"), 6 * size + (kind == "odd"), **poles))


def error(locations, *, smooth: bool) -> float:
    found = locations.interpolation(TARGETS, smooth=smooth)
    return float(np.abs(found.fields(locations.extended(smooth_field(locations.points))) - smooth_field(TARGETS)).max())


@pytest.mark.parametrize(
    ("kind", "order"), [("regular", 5.3), ("gaussian", 5.3), ("poles", 5.3), ("odd", 5.3), ("cells", 2.6)]
)
def test_the_error_falls_with_the_order(kind, order):
    coarse, fine = (error(places(kind, size), smooth=True) for size in (8, 16))
    assert np.log2(coarse / fine) > order, (coarse, fine)
    linear = [error(places(kind, size), smooth=False) for size in (8, 16)]
    assert np.log2(linear[0] / linear[1]) < 2.4, "control: linear interpolation is of second order"
    assert fine < 0.1 * linear[1]


@pytest.mark.parametrize("kind", ["regular", "gaussian", "poles", "odd", "cells"])
def test_constants_and_the_values_at_the_locations_are_exact(kind):
    locations = places(kind, 4)
    found = locations.interpolation(TARGETS, smooth=True)
    np.testing.assert_allclose(found.weight.sum(1), 1, atol=EXACT)
    values = RNG.standard_normal(locations.shape)
    own = locations.points.reshape(-1, 3)
    there = locations.interpolation(own, smooth=True).fields(locations.extended(values))
    single = np.abs(own[:, 2]) < 1 - 1e-12  # a row at a pole has several values at one place
    np.testing.assert_allclose(there[single], values.reshape(-1)[single], atol=1e-7)


@pytest.mark.parametrize("kind", ["regular", "poles", "cells"])
def test_winds_are_smooth_across_the_poles(kind):
    """A rotation about a tilted axis; the control interpolates the components east and north."""
    locations = places(kind, 8)
    wind = np.cross([1.0, 0.5, 2.0], locations.points)
    components = np.moveaxis(np.einsum("...i,...ik->...k", wind, locations.frames), -1, 0)
    near = TARGETS[np.abs(TARGETS[:, 2]) > 0.97]
    found = locations.interpolation(near, smooth=True)
    vectors = found.fields(locations.extended(locations.vectors(components)))
    np.testing.assert_allclose(vectors.T, np.cross([1.0, 0.5, 2.0], near), atol=2e-3)
    plain = np.linalg.norm(found.fields(locations.extended(components)), axis=0)
    assert np.abs(plain - np.linalg.norm(np.cross([1.0, 0.5, 2.0], near), axis=1)).max() > 0.1, "control"


def test_points_in_crowded_rows_fall_back_to_triangles():
    """The cells of a latitude-longitude grid without their rows: near a pole the nearest ones lie in one row."""
    grid = LatLonGrid.regular(24, 48)
    crowded = PointLocations(grid.points.reshape(-1, 3))
    found = crowded.interpolation(TARGETS, smooth=True)
    assert np.abs(found.weight).sum(1).max() < 4
    np.testing.assert_allclose(found.weight.sum(1), 1, atol=EXACT)
    used = (found.weight != 0).sum(1)
    assert (used <= 3).any()
    assert (used > 3).sum() > 200, "control: most places have a smooth interpolation"
    assert error(crowded, smooth=True) <= error(crowded, smooth=False)


def test_few_cells_and_few_rows_are_enough():
    for locations in (PointLocations(Icosphere(0).pos.numpy()), GridLocations(LatLonGrid.regular(3, 4))):
        found = locations.interpolation(TARGETS, smooth=True)
        np.testing.assert_allclose(found.fields(locations.extended(np.ones(locations.shape))), 1, atol=1e-12)
    assert PointLocations(Icosphere(1).pos.numpy()).interpolation(TARGETS[:0], smooth=True).index.shape[0] == 0


def test_the_order_of_the_points_does_not_matter(monkeypatch):
    """Vertices of an icosphere among pixels of HEALPix: of many, the last neighbours are at equal distances."""
    targets = Icosphere(3).pos.numpy()
    ring, nested = HEALPix(8, order="ring"), HEALPix(8)
    values = RNG.standard_normal(768)

    def difference() -> float:
        found = PointLocations(nested.pos.numpy()).interpolation(targets, smooth=True).fields(values)
        other = PointLocations(ring.pos.numpy()).interpolation(targets, smooth=True)
        return float(np.abs(found - other.fields(values[ring.indices("nested").numpy()])).max())

    assert difference() < 1e-6
    monkeypatch.setattr("gaugenet.geometry.sphere.smooth_interpolation._SLACK", 0.0)
    assert difference() > 1e-3, "control: points that drop out at once"
