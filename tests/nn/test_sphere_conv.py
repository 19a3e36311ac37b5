"""Convolutions on grids of the sphere: gauges, symmetries of the grids, and the same answer on all of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gaugenet.geometry import HEALPix, Icosphere, LatLonSphere, ReducedGaussian, Regridder, SphereDomain
from gaugenet.groups import SO2, FieldType
from gaugenet.nn import GaugeConv, use_engine
from gaugenet.testing import assert_gauge_equivariant
from tests.geometry.sphere.grids import GRIDS, rotation_about
from tests.tolerances import TOL, relative

IN, OUT = FieldType(SO2(), "1x0 + 1x1"), FieldType(SO2(), "2x0 + 3x1")
Z = torch.tensor([0.0, 0, 1], dtype=torch.float64)


def layer() -> GaugeConv:
    torch.manual_seed(0)
    return GaugeConv(IN, OUT).double()


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_random_gauges_change_nothing_and_engines_agree(grid):
    conv, x = layer(), torch.randn(grid.num_nodes, IN.size, dtype=torch.float64)
    assert_gauge_equivariant(conv, grid.gauge_graph())
    y = conv(x, grid)
    with use_engine("reference"):
        assert relative(conv(x, grid), y) < TOL[torch.float64]


def rotated(field_type: FieldType, grid: SphereDomain, x: Tensor, matrix: Tensor) -> Tensor:
    """The field rotated by a matrix that maps the grid to itself, or to the nearest points."""
    origin = torch.from_numpy(grid.cells.locate((grid.pos @ matrix).numpy()))
    turned = grid.frame.mT @ matrix @ grid.frame[origin]
    return field_type.transform(turned, x[origin])


SYMMETRIES = [
    (HEALPix(8), 90, 45),
    (HEALPix(6, order="ring"), 180, 60),
    (LatLonSphere.regular(19, 36), 10, 5),
    (LatLonSphere.regular(18, 30, poles=False), 12, 6),
    (ReducedGaussian("O12"), 90, 45),
]


@pytest.mark.parametrize(("grid", "degrees", "between"), SYMMETRIES, ids=lambda value: str(value))
def test_rotations_of_the_grid_rotate_the_output(grid, degrees, between):
    conv, x = layer(), torch.randn(grid.num_nodes, IN.size, dtype=torch.float64)
    for angle, exact in ((degrees, True), (between, False)):
        matrix = rotation_about(Z, math.radians(angle))
        found, expected = conv(rotated(IN, grid, x, matrix), grid), rotated(OUT, grid, conv(x, grid), matrix)
        assert relative(found, expected) < 1e-10 if exact else relative(found, expected) > 1e-2


def smooth(grid: SphereDomain | Icosphere) -> Tensor:
    """A scalar and a tangent vector, polynomials in space."""
    x, y, z = grid.pos.T
    vector = torch.stack([y * z, -(x**2), x + 0.3 * z], 1)
    return torch.cat([(x * y + z**3)[:, None], torch.einsum("ndi,nd->ni", grid.frame, vector)], 1)


def output(grid: SphereDomain | Icosphere) -> Tensor:
    options = {"connection": "levi_civita"} if isinstance(grid, Icosphere) else {}
    with torch.no_grad():
        return layer()(smooth(grid), grid.gauge_graph(SO2(), radius=0.5, **options))


def difference(grid: SphereDomain, sphere: Icosphere) -> float:
    """Relative root mean square difference of outputs on a grid and on an icosphere."""
    seen = Regridder(sphere, grid, method="linear")(output(sphere), OUT)
    expected = output(grid)
    return float((seen - expected).norm() / expected.norm())


@pytest.mark.parametrize(
    "make", [HEALPix, lambda n: ReducedGaussian(3 * n // 2), lambda n: LatLonSphere.regular(3 * n, 6 * n)]
)
def test_the_same_weights_give_the_same_output_as_on_the_icosphere(make):
    coarse, fine = difference(make(8), Icosphere(3)), difference(make(16), Icosphere(4))
    assert coarse < 0.05
    assert fine < 0.6 * coarse
    grid = make(8)
    wrong = smooth(grid).clone()
    wrong[:, 1] *= -1  # control: vectors of another handedness
    conv = layer()
    graph = grid.gauge_graph(radius=0.5)
    assert relative(conv(wrong, graph), conv(smooth(grid), graph)) > 0.1
