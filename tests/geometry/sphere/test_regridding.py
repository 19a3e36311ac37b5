"""Overlaps of cells of any kind are exact; constants and integrals are kept; vectors pass the poles."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.overlap import overlap_areas as areas_of_rectangles
from gaugenet.data.climate.overlap import voronoi_cells
from gaugenet.geometry import HEALPix, Icosphere, LatLonSphere, ReducedGaussian, Regridder, SphereDomain, SpherePoints
from gaugenet.geometry.sphere.overlap import overlap_areas
from gaugenet.groups import SO2, FieldType
from tests.geometry.sphere.grids import GRIDS, scattered

VECTORS = FieldType(SO2(), "1x1")
METHODS = ["conservative", "linear", "nearest"]


@pytest.mark.parametrize(("a", "b"), itertools.combinations_with_replacement(GRIDS, 2))
def test_overlaps_sum_to_the_areas_of_both_grids(a, b):
    first, second = GRIDS[a], GRIDS[b]
    areas = overlap_areas(first.cells, second.cells)
    np.testing.assert_allclose(areas.sum(axis=1), first.area, rtol=0, atol=3e-13)
    np.testing.assert_allclose(areas.sum(axis=0), second.area, rtol=0, atol=3e-13)
    assert areas.data.min() > 0
    if a == b:
        np.testing.assert_allclose(areas.diagonal(), first.area, rtol=0, atol=3e-13)


@pytest.mark.parametrize("seed", [None, 1])
def test_overlaps_equal_those_of_the_algorithm_for_rectangles(seed):
    sphere, grid = Icosphere(3), LatLonGrid.regular(24, 48)
    turned = sphere.pos.numpy() if seed is None else sphere.pos.numpy() @ Rotation.random(random_state=seed).as_matrix()
    expected = areas_of_rectangles(*voronoi_cells(turned), grid)
    found = overlap_areas(SpherePoints(turned).cells, LatLonSphere(grid.lat, grid.lon).cells)
    assert abs(found - expected).max() < 1e-13


@pytest.mark.parametrize(("a", "b"), [("nested", "ring"), ("nested", "scattered"), ("octahedral", "nested")])
def test_overlaps_agree_with_points_thrown_at_random(a, b):
    first, second = GRIDS[a].cells, GRIDS[b].cells
    thrown = scattered(400_000).numpy()
    counts = np.zeros((first.count, second.count))
    np.add.at(counts, (first.locate(thrown), second.locate(thrown)), 1)
    expected = overlap_areas(first, second).toarray() / (4 * np.pi) * len(thrown)
    often = expected > 20
    deviation = (counts - expected)[often] / np.sqrt(expected[often])
    assert np.abs(deviation).max() < 6
    assert 0.9 < deviation.std() < 1.1
    assert (counts[expected < 1e-9] == 0).all()


def test_nested_grids_overlap_by_whole_pixels():
    fine, coarse = HEALPix(16), HEALPix(4)
    areas = overlap_areas(fine.cells, coarse.cells).tocoo()
    assert areas.nnz == fine.num_nodes
    assert (areas.col == areas.row // 16).all()
    np.testing.assert_allclose(areas.data, 4 * np.pi / fine.num_nodes, rtol=1e-10)


def grid_of(name: str) -> SphereDomain | Icosphere:
    return Icosphere(3) if name == "icosphere" else GRIDS[name]


@pytest.mark.parametrize(
    ("a", "b"), [("poles", "nested"), ("octahedral", "icosphere"), ("icosphere", "ring"), ("scattered", "poles")]
)
def test_constants_and_integrals_are_kept(a, b):
    source, target = grid_of(a), grid_of(b)
    areas = [Regridder(s, s)._from.cells().area for s in (source, target)]
    x = torch.randn(len(source.pos), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 1
    for method in METHODS:
        regrid = Regridder(source, target, method=method)
        assert float((regrid(torch.ones_like(x)) - 1).abs().max()) < 1e-12
        before, after = (torch.from_numpy(s) @ y for s, y in zip(areas, (x, regrid(x))))
        error = float(((after - before) / before).abs().max())
        assert error < 1e-12 if method == "conservative" else error > 1e-5, method


def solid_rotation(grid, axis: torch.Tensor) -> torch.Tensor:
    return torch.einsum("ndi,nd->ni", grid.frame, torch.linalg.cross(axis.expand_as(grid.pos), grid.pos))


def errors(a, b, method: str, axis: torch.Tensor, field_type: FieldType | None) -> tuple[float, float]:
    """Largest errors of a solid-body rotation everywhere and within 10 degrees of the poles."""
    error = (Regridder(a, b, method=method)(solid_rotation(a, axis), field_type) - solid_rotation(b, axis)).norm(dim=1)
    return float(error.max()), float(error[b.pos[:, 2].abs() > np.cos(np.radians(10))].max())


@pytest.mark.parametrize("method", ["conservative", "linear"])
@pytest.mark.parametrize("axis", [[0.0, 0, 1], [1.0, 0, 0], [0.3, -0.8, 0.5]])
def test_solid_body_rotation_stays_one_at_the_poles(method, axis):
    axis = torch.nn.functional.normalize(torch.tensor(axis, dtype=torch.float64), dim=0)
    pairs = [
        [(LatLonSphere.regular(18 * k + 1, 36 * k), HEALPix(8 * k)) for k in (1, 2)],
        [(HEALPix(8 * k), LatLonSphere.regular(18 * k + 1, 36 * k)) for k in (1, 2)],
        [(ReducedGaussian(12 * k), Icosphere(2 + k)) for k in (1, 2)],
    ]
    for coarse, fine in pairs:
        (every, polar), (every_fine, polar_fine) = (errors(*p, method, axis, VECTORS) for p in (coarse, fine))
        assert every < (0.08 if method == "conservative" else 0.02)
        assert every_fine < (0.75 * every if method == "conservative" else 0.02)
        assert polar < 0.07
        assert polar_fine < 0.05
    mixed = errors(*pairs[1][1], method, axis, None)[1]
    assert mixed > 0.3 or axis[2] == 1  # control: components as scalars, right for the axis of the grid alone


def test_winds_keep_the_layout_of_either_grid():
    source, target = LatLonSphere.regular(37, 72), ReducedGaussian("O24")
    axis = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    u, v = source.to_lonlat(solid_rotation(source, axis))
    there = Regridder(source, target).winds(u, v)
    assert there[0].shape == (1, target.num_nodes)
    back = Regridder(target, source).winds(*there)
    assert back[0].shape == (1, 37, 72)
    assert float((back[0] - u).abs().max()) < 0.05


def test_gradients_and_precisions():
    regrid = Regridder(HEALPix(2), HEALPix(4))
    for field_type in (None, FieldType(SO2(), "1x0 + 1x1")):
        x = torch.randn(48, 3, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda y, t=field_type: regrid(y, t), x)
        assert regrid(x.float(), field_type).dtype == torch.float32


def test_polygons_that_leave_gaps_are_refused():
    corners = Icosphere(2).pos[Icosphere(2).face.T]
    centers = torch.nn.functional.normalize(corners.sum(1))
    assert Regridder(SpherePoints(centers, corners=corners), HEALPix(4)).matrix.shape == (192, 320)
    with pytest.raises(ValueError, match="partition the sphere"):
        Regridder(SpherePoints(centers[1:], corners=corners[1:]), HEALPix(4)).matrix  # noqa: B018


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="'conservative', 'linear' or 'nearest'"):
        Regridder(HEALPix(2), HEALPix(2), method="cubic")
    with pytest.raises(ValueError, match="SphereDomain such as HEALPix"):
        Regridder(HEALPix(2), "O32")
    with pytest.raises(ValueError, match="one row per source point"):
        Regridder(HEALPix(2), HEALPix(4))(torch.ones(47))
    with pytest.raises(ValueError, match="east and north"):
        Regridder(HEALPix(2), Icosphere(1)).winds(torch.ones(48), torch.ones(48))
