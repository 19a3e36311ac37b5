"""Regridding: exact areas of overlap, integrals kept, second order, poles and any order of the coordinates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import SphericalVoronoi
from scipy.spatial.transform import Rotation

from gaugenet.data.climate.latlon import LatLonGrid, east_north, lat_lon, sphere_points
from gaugenet.data.climate.overlap import overlap_areas, voronoi_cells
from gaugenet.data.climate.regrid import SphereRegridder, bilinear_interpolation, tangential, to_torch, with_poles
from gaugenet.data.meshes.sample import DataError


def sphere(level: int, seed: int | None = None) -> np.ndarray:
    points = np.array(trimesh.creation.icosphere(subdivisions=level).vertices)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points if seed is None else points @ Rotation.random(random_state=seed).as_matrix().T


def at_pole(points: np.ndarray, location: np.ndarray) -> np.ndarray:
    """The points rotated so that `location` comes to the north pole."""
    return points @ Rotation.align_vectors([[0.0, 0, 1]], [location])[0].as_matrix().T


GRIDS = {
    "with_poles": LatLonGrid.regular(37, 72, poles=True),
    "half_a_step_from_poles": LatLonGrid.regular(36, 60),
    "gaussian": LatLonGrid.gaussian(32, 64),
    "rising_and_shifted": LatLonGrid(np.linspace(-90, 90, 46), np.arange(-180, 180, 4.0) + 0.3),
}


def locations() -> dict[str, np.ndarray]:
    points = sphere(3)
    start, end, _ = voronoi_cells(points)
    return {
        "any": sphere(3, seed=1),
        "vertex_at_pole": at_pole(points, points[0]),
        "edge_through_pole": at_pole(points, start[5] + end[5]),
        "corner_at_pole": at_pole(points, start[5]),
    }


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("location", locations())
def test_overlaps_sum_to_the_areas_of_both_sides(grid, location):
    points = locations()[location]
    areas = overlap_areas(*voronoi_cells(points), grid)
    assert areas.data.min() > 0
    np.testing.assert_allclose(areas.sum(axis=1), SphericalVoronoi(points).calculate_areas(), rtol=2e-11)
    np.testing.assert_allclose(areas.sum(axis=0), grid.area.reshape(-1), rtol=0, atol=1e-13)
    assert areas.sum() == pytest.approx(4 * np.pi, rel=1e-14)


def test_overlaps_agree_with_points_thrown_at_random():
    grid, points = GRIDS["half_a_step_from_poles"], sphere(2, seed=4)
    thrown = np.random.default_rng(0).normal(size=(400_000, 3))
    thrown /= np.linalg.norm(thrown, axis=1, keepdims=True)
    nearest = (thrown @ points.T).argmax(axis=1)
    lat, lon = lat_lon(thrown)
    row = np.minimum(((90 - lat) / 180 * grid.shape[0]).astype(int), grid.shape[0] - 1)
    column = np.round(lon / 360 * grid.shape[1]).astype(int) % grid.shape[1]
    counts = np.zeros((len(points), grid.size))
    np.add.at(counts, (nearest, row * grid.shape[1] + column), 1)
    expected = overlap_areas(*voronoi_cells(points), grid).toarray() / (4 * np.pi) * len(thrown)
    often = expected > 20
    deviation = (counts - expected)[often] / np.sqrt(expected[often])
    assert np.abs(deviation).max() < 6
    assert 0.9 < deviation.std() < 1.1
    assert (counts[expected == 0] == 0).all()


@pytest.fixture(scope="module", params=GRIDS)
def regridder(request) -> SphereRegridder:
    return SphereRegridder(GRIDS[request.param], sphere(3, seed=2))


def test_conservative_regridding_keeps_the_integral_and_bilinear_does_not(regridder):
    field = np.random.default_rng(0).normal(size=regridder.grid.shape) + 1.0
    integral = (field * regridder.grid.area).sum()
    for method, cached in (("conservative", True), ("bilinear", False)):
        there = regridder.to_sphere(field, method=method)
        back = regridder.to_grid(there, method=method)
        errors = [
            (there * regridder.point_area).sum() / integral - 1,
            (back * regridder.grid_area).sum() / integral - 1,
        ]
        assert (np.abs(errors) < 1e-12).all() == cached, method
        assert np.abs(errors).max() < 1e-12 or np.abs(errors).min() > 1e-6


@pytest.mark.parametrize("method", ["bilinear", "conservative", "nearest"])
def test_constants_are_exact(regridder, method):
    there = regridder.to_sphere(np.full(regridder.grid.shape, 3.25), method=method)
    np.testing.assert_allclose(there, 3.25, rtol=1e-13)
    np.testing.assert_allclose(regridder.to_grid(there, method=method), 3.25, rtol=1e-13)


def _errors(method: str, level: int, poles: bool) -> tuple[float, float]:
    """Largest errors of a linear function of x, y, z, there and back alone."""
    grid = LatLonGrid.regular(18 * 2**level + poles, 36 * 2**level, poles=poles)
    made = SphereRegridder(grid, sphere(level + 2, seed=3))
    a = np.array([0.4, -0.7, 0.9])
    there = np.abs(made.to_sphere(grid.points @ a, method=method) - made.points @ a).max()
    return there, np.abs(made.to_grid(made.points @ a, method=method) - grid.points @ a).max()


@pytest.mark.parametrize("poles", [True, False])
def test_linear_functions_are_second_order_and_nearest_is_first(poles):
    coarse, fine = (np.array(_errors("bilinear", level, poles)) for level in (1, 2))
    assert (coarse / fine > 3.2).all()
    assert (fine < 4e-3).all()
    coarse, fine = (np.array(_errors("nearest", level, poles)) for level in (1, 2))
    assert (coarse / fine < 2.8).all()


@pytest.mark.parametrize("poles", [True, False])
def test_vectors_pass_the_poles_and_two_scalars_do_not(poles):
    """The wind of a rigid rotation about a tilted axis blows across both poles."""
    grid = LatLonGrid.regular(72 + poles, 144, poles=poles)
    points = np.concatenate([sphere(4), [[0, 0, 1.0], [0, 0, -1.0]] @ Rotation.from_rotvec([0.01, 0, 0]).as_matrix()])
    made = SphereRegridder(grid, points)
    axis = np.array([1.0, 0.3, 0.2])
    wind = np.cross(axis, grid.points)
    u, v = np.moveaxis(np.einsum("hwk,hwkc->hwc", wind, grid.frames), -1, 0)
    exact = np.cross(axis, made.points)
    assert np.abs(made.vectors_to_sphere(u, v).T - exact).max() < 2e-3
    back = np.stack(made.vectors_to_grid(exact.T), axis=-1)
    assert np.abs(back - np.stack([u, v], axis=-1)).max() < 2e-3
    components = np.einsum("nk,nkc->cn", exact, east_north(*lat_lon(made.points)))
    naive = np.moveaxis(made.to_grid(components), 0, -1)
    assert np.abs(naive - np.stack([u, v], axis=-1)).max() > 0.05


def test_the_order_of_the_coordinates_does_not_matter():
    grid = GRIDS["half_a_step_from_poles"]
    field, points = np.random.default_rng(0).normal(size=grid.shape), sphere(3, seed=5)
    labels = (field > 0.5).astype(np.uint8)
    rotated = LatLonGrid(grid.lat[::-1], np.roll((grid.lon + 180) % 360 - 180, 30))
    assert rotated.lon[0] == -180
    there, other = SphereRegridder(grid, points), SphereRegridder(rotated, points)
    moved = np.roll(field[::-1], 30, axis=1)
    for method in ("bilinear", "conservative", "nearest"):
        np.testing.assert_allclose(
            there.to_sphere(field, method=method), other.to_sphere(moved, method=method), rtol=1e-9, atol=1e-12
        )
    np.testing.assert_array_equal(
        there.labels_to_sphere(labels), other.labels_to_sphere(np.roll(labels[::-1], 30, axis=1))
    )
    assert np.abs(there.to_sphere(field) - other.to_sphere(field)).max() > 1, "control: the order does matter"


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_nearest_cells_and_points(grid):
    made = SphereRegridder(grid, sphere(2, seed=6))
    numbers = np.arange(grid.size).reshape(grid.shape)
    found = made.labels_to_sphere(numbers, method="nearest")
    nearness = made.points @ grid.points.reshape(-1, 3).T
    chosen = nearness[np.arange(len(found)), found]
    # In latitude and longitude, not along great circles: they differ by less than a cell near the poles.
    assert (nearness.max(axis=1) - chosen).max() < 0.2 * np.radians(5) ** 2
    back = made.labels_to_grid(np.arange(len(made.points)), method="nearest")
    np.testing.assert_array_equal(back.reshape(-1), nearness.argmax(axis=0))


def test_majority_takes_the_label_of_the_largest_area_and_makes_up_none():
    grid, points = LatLonGrid.regular(90, 180), sphere(3, seed=7)
    made = SphereRegridder(grid, points)
    cap = np.where(grid.points @ [0.6, 0, 0.8] > np.cos(0.4), 1, 0).astype(np.uint8)
    cap[:, 120:] = 255
    labels = made.labels_to_sphere(cap)
    assert labels.dtype == np.uint8
    assert set(labels) == {0, 1, 255}
    shares = np.stack([made.overlap @ (cap.reshape(-1) == k) for k in (0, 1, 255)], axis=1)
    np.testing.assert_array_equal(labels, np.array([0, 1, 255])[shares.argmax(axis=1)])
    area = made.point_area[labels == 1].sum()
    assert area == pytest.approx(grid.area[cap == 1].sum(), rel=0.03)
    back = made.labels_to_grid(labels)
    assert (back == cap).mean() > 0.95


def test_the_round_trip_error_falls_with_the_square_of_the_spacing():
    grid = LatLonGrid.regular(60, 120)
    field = np.prod(grid.points, axis=-1)[None]
    errors = [SphereRegridder(grid, sphere(level, seed=8)).round_trip(field) for level in (2, 3)]
    assert errors[1].shape == (1,)
    assert 3 < errors[0] / errors[1] < 5


@pytest.mark.parametrize("method", ["bilinear", "conservative", "nearest"])
def test_only_the_way_that_is_asked_for_is_built(method, monkeypatch):
    """The ways back fail when they are touched: the way there does not touch them, the control does."""
    made = SphereRegridder(LatLonGrid.regular(6, 12), sphere(1, seed=2))

    def refuse(*_: object) -> None:
        raise RuntimeError("built")

    monkeypatch.setattr("gaugenet.data.climate.regrid.triangle_interpolation", refuse)
    for name in ("_overlap_by_cell", "_nearest_point"):
        monkeypatch.setattr(SphereRegridder, name, property(refuse))
    assert made.matrix_to_sphere(method).shape == (42, 72)
    assert made.matrix_to_sphere(method) is made.matrix_to_sphere(method)
    with pytest.raises(RuntimeError, match="built"):
        made.matrix_to_grid(method)


def test_sparse_torch_tensors_do_the_same():
    made = SphereRegridder(GRIDS["gaussian"], sphere(2))
    field = np.random.default_rng(0).normal(size=(2, *made.grid.shape))
    matrix = to_torch(made.matrix_to_sphere(), dtype=torch.float64)
    there = (matrix @ torch.from_numpy(field.reshape(2, -1)).T).T
    np.testing.assert_allclose(there.numpy(), made.to_sphere(field), rtol=1e-12, atol=1e-14)


def test_the_stencil_is_the_matrix(regridder):
    field = np.random.default_rng(1).normal(size=(2, *regridder.grid.shape))
    index, weight = bilinear_interpolation(regridder.grid, regridder.points)
    by_stencil = (with_poles(field)[:, index] * weight).sum(axis=-1)
    np.testing.assert_allclose(by_stencil, regridder.to_sphere(field), atol=1e-13)
    assert weight.min() >= 0


def test_tangential_leaves_no_radial_part():
    points = sphere(1)
    vectors = np.random.default_rng(0).normal(size=(2, 3, len(points)))
    flat = tangential(vectors, points)
    np.testing.assert_allclose(np.einsum("bkn,nk->bn", flat, points), 0, atol=1e-14)
    np.testing.assert_allclose(tangential(flat, points), flat, atol=1e-14)


@pytest.mark.parametrize(
    ("lat", "lon", "words"),
    [
        (np.linspace(30, 60, 20), np.arange(0, 360, 5.0), "global grid"),
        (np.linspace(1.57, -1.57, 20), np.arange(0, 360, 5.0), "radians"),
        (np.linspace(-180, 180, 72), np.linspace(-90, 90, 37), "exchanged"),
        (np.array([90, 0, 45, -90.0]), np.arange(0, 360, 5.0), "only rise or only fall"),
        (np.linspace(90, -90, 37), np.linspace(0, 360, 73), "repeats the first"),
        (np.linspace(90, -90, 37), np.linspace(10, 60, 51), "regional"),
        (np.linspace(90, -90, 37), np.arange(360, 0, -5.0), "rising"),
        (np.array([np.nan, 0.0]), np.arange(0, 360, 5.0), "finite"),
    ],
)
def test_other_grids_are_refused_by_name(lat, lon, words):
    with pytest.raises(DataError, match=words):
        LatLonGrid(lat, lon)


def test_wrong_shapes_are_refused():
    made = SphereRegridder(GRIDS["gaussian"], sphere(1))
    with pytest.raises(ValueError, match="values"):
        made.to_sphere(np.zeros((64, 32)))
    with pytest.raises(ValueError, match="values"):
        made.to_grid(np.zeros(7))
    with pytest.raises(ValueError, match="method"):
        made.to_grid(np.zeros(42), method="cubic")
    with pytest.raises(ValueError, match="unit vectors"):
        SphereRegridder(GRIDS["gaussian"], 2 * sphere(1))


def test_points_of_quarter_turns_are_exact():
    np.testing.assert_array_equal(
        sphere_points(np.array([90.0, 0, 0, 0, -90]), np.array([33.0, 0, 90, 180, 5])),
        [[0, 0, 1], [1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, 0, -1]],
    )
