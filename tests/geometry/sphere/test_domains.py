"""Grids of the sphere: published positions and numbers, exact areas and quadrature, transport across poles."""

from __future__ import annotations

import cdshealpix.nested
import cdshealpix.ring
import numpy as np
import pytest
import torch
from numpy.polynomial.legendre import leggauss
from scipy.spatial import SphericalVoronoi
from scipy.special import sph_harm_y

from gaugenet.geometry import HEALPix, LatLonSphere, ReducedGaussian, SpherePoints
from gaugenet.groups import O2, SO2, Cyclic
from tests.geometry.sphere.grids import GRIDS, scattered

ORACLES = {"nested": cdshealpix.nested, "ring": cdshealpix.ring}


@pytest.mark.parametrize(("nside", "order"), [(1, "nested"), (16, "nested"), (1, "ring"), (7, "ring"), (16, "ring")])
def test_healpix_centres_and_pixels_of_points_are_the_published_ones(nside, order):
    sphere, number = HEALPix(nside, order=order), np.arange(12 * nside**2)
    depth = int(np.log2(nside)) if order == "nested" else nside
    lon, lat = ORACLES[order].healpix_to_lonlat(number, depth)
    np.testing.assert_allclose(sphere.lat, lat.deg, rtol=0, atol=1e-12)
    np.testing.assert_allclose((sphere.lon - lon.deg + 180) % 360 - 180, 0, rtol=0, atol=1e-12)
    thrown = SpherePoints(scattered(5000))
    degrees = (torch.deg2rad(a).numpy() for a in (thrown.lon, thrown.lat))
    from astropy import units
    from astropy.coordinates import Latitude, Longitude

    lon, lat = (kind(a * units.rad) for kind, a in zip((Longitude, Latitude), degrees))
    found = ORACLES[order].lonlat_to_healpix(lon, lat, depth)
    assert (sphere.cells.locate(thrown.pos.numpy()) == found.astype(int)).all()
    assert (sphere.cells.locate(sphere.pos.numpy()) == number).all()


def test_healpix_neighbours_are_the_published_ones():
    sphere = HEALPix(8)
    published = cdshealpix.nested.neighbours(np.arange(768), 3)  # S SE E SW itself NE W NW N
    order = [3, 6, 7, 8, 5, 2, 1, 0]
    np.testing.assert_array_equal(sphere.neighbors, published[:, order])
    assert int((sphere.neighbors < 0).sum()) == 24
    ring = HEALPix(8, order="ring")
    number = sphere.indices("ring")
    expected = torch.where(sphere.neighbors < 0, -1, number[sphere.neighbors])
    assert torch.equal(ring.neighbors[number], expected)


def test_children_of_nested_pixels_lie_in_their_parent():
    child = HEALPix(8)
    assert (HEALPix(4).cells.locate(child.pos.numpy()) == np.arange(768) // 4).all()


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_areas_are_those_of_the_boundaries_and_cells_hold_their_points(grid):
    np.testing.assert_allclose(grid.cells.area, grid.area, rtol=1e-11)
    assert float(grid.area.sum()) == pytest.approx(4 * np.pi, rel=1e-13)
    assert (grid.cells.locate(grid.pos.numpy()) == np.arange(grid.num_nodes)).all()
    east, north = grid.frame.unbind(-1)
    torch.testing.assert_close(torch.linalg.cross(east, north), grid.pos, rtol=0, atol=1e-14)


def test_areas_of_scattered_points_are_those_of_scipy():
    points = GRIDS["scattered"]
    np.testing.assert_allclose(points.area, SphericalVoronoi(points.pos.numpy()).calculate_areas(), rtol=1e-10)


@pytest.mark.parametrize("name", ["O12", "N32", "F8"])
def test_gaussian_rows_are_gauss_legendre_nodes(name):
    grid = ReducedGaussian(name)
    z, weight = leggauss(2 * grid.n)
    rows = np.sin(np.radians(grid.rows.lat))
    np.testing.assert_allclose(rows, z[::-1], rtol=0, atol=1e-13)
    bands = np.bincount(grid.rows.row, grid.area)
    np.testing.assert_allclose(bands, 2 * np.pi * weight, rtol=0, atol=1e-13)


def integral(grid, degree: int, order: int) -> float:
    theta, phi = np.radians(90 - grid.lat.numpy()), np.radians(grid.lon.numpy())
    return abs(float(grid.integral(torch.from_numpy(sph_harm_y(degree, order, theta, phi).real))))


def test_gaussian_quadrature_is_exact_up_to_its_degree():
    grid = ReducedGaussian("O12")
    assert max(integral(grid, degree, m) for degree in range(1, 48) for m in range(min(degree + 1, 20))) < 1e-13
    assert integral(grid, 48, 0) > 1e-3  # control: one degree more
    assert integral(GRIDS["nested"], 8, 4) > 1e-6  # control: no grid of equal areas is exact


def test_octahedral_and_classic_grids_have_their_numbers_of_points():
    assert ReducedGaussian("O32").num_nodes == 4 * 32 * (32 + 9)
    assert ReducedGaussian(32).num_nodes == ReducedGaussian("O32").num_nodes
    counted = {n: ReducedGaussian(f"N{n}").num_nodes for n in (32, 48, 80, 128)}
    assert counted == {32: 6114, 48: 13280, 80: 35718, 128: 88838}  # as ECMWF lists them
    own = ReducedGaussian(2, counts=[4, 8])
    assert own.num_nodes == 24


@pytest.mark.parametrize("name", ["nested", "octahedral", "poles", "scattered"])
def test_transport_around_triangles_turns_by_their_area(name):
    grid = GRIDS[name]
    graph = grid.gauge_graph(radius=0.3)
    source, target = graph.edge_index

    def transporter(q: int, p: int) -> torch.Tensor:
        return graph.transporter[(source == q) & (target == p)][0]

    generator, checked = np.random.default_rng(0), 0
    for p in torch.nonzero(grid.pos[:, 2] > 0.9).flatten().tolist()[:12]:
        q, r = (int(k) for k in generator.choice(source[target == p], 2, replace=False))
        if not bool(((source == q) & (target == r)).any()):
            continue
        turn = transporter(r, p) @ transporter(q, r) @ transporter(p, q)  # p -> q -> r -> p
        a, b, c = grid.pos[[p, q, r]]
        excess = 2 * torch.atan2(torch.linalg.det(torch.stack([a, b, c])), 1 + a @ b + b @ c + c @ a)
        torch.testing.assert_close(torch.atan2(turn[1, 0], turn[0, 0]), excess, rtol=0, atol=1e-12)
        checked += 1
    assert checked > 1


def test_winds_go_straight_across_corners_of_base_pixels_and_poles():
    """A solid rotation about the axis through an edge is transported along that edge without an error."""
    grid = HEALPix(8)
    graph = grid.gauge_graph()
    q, p = graph.edge_index
    near = ((grid.neighbors < 0).any(1) | (grid.pos[:, 2].abs() > 0.97))[p]
    q, p, transporter = q[near], p[near], graph.transporter[near]
    axis = torch.linalg.cross(grid.pos[q], grid.pos[p])
    at_q, at_p = (torch.einsum("ndi,nd->ni", grid.frame[i], torch.linalg.cross(axis, grid.pos[i])) for i in (q, p))
    moved = torch.einsum("nij,nj->ni", transporter, at_q)
    torch.testing.assert_close(moved, at_p, rtol=0, atol=1e-14)
    assert float((at_q - at_p).abs().max()) > 0.1  # control: components alone


@pytest.mark.parametrize("name", ["poles", "southern_first"])
def test_winds_of_files_pass_the_poles(name):
    grid = GRIDS[name]
    height, width = grid.shape
    axis = torch.tensor([0.3, -0.8, 0.5], dtype=torch.float64)
    wind = torch.linalg.cross(axis.expand_as(grid.pos), grid.pos)
    x = grid.from_space(wind[:, None])
    u, v = grid.to_lonlat(x)
    assert u.shape == (1, height, width)
    torch.testing.assert_close(grid.from_lonlat(u, v), x, rtol=0, atol=1e-14)
    pole = int(grid.pos[:, 2].argmax())
    speed = torch.hypot(u, v)[0, 0 if name == "poles" else -1]
    torch.testing.assert_close(speed, wind[pole].norm().expand(width), rtol=0, atol=1e-14)
    assert float(u[0, 0].std()) > 0.1  # each meridian has its own components
    values = torch.arange(2 * height * width, dtype=torch.float64).reshape(2, height, width)
    torch.testing.assert_close(grid.to_grid(grid.from_grid(values))[:, 1:-1], values[:, 1:-1])
    assert grid.from_grid(values)[0, 0] == values[0, 0].mean()


def test_several_winds_are_fields_of_order_one():
    grid = HEALPix(2)
    u, v = torch.randn(2, 3, 48)
    x = grid.from_lonlat(u, v)
    assert x.shape == (48, 6)
    assert all(torch.equal(a, b) for a, b in zip(grid.to_lonlat(x), (u, v)))
    torch.testing.assert_close(grid.from_space(grid.to_space(x)), x)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_nearest_neighbours_include_ties(grid):
    graph = grid.gauge_graph(O2(), neighbors=6)
    counts = torch.bincount(graph.edge_index[1], minlength=grid.num_nodes)
    assert int(counts.min()) >= 6
    length = graph.log_map.norm(dim=1)
    q, p = graph.edge_index
    exact = torch.atan2(torch.linalg.cross(grid.pos[q], grid.pos[p]).norm(dim=1), (grid.pos[q] * grid.pos[p]).sum(1))
    torch.testing.assert_close(length, exact, rtol=0, atol=1e-12)
    assert grid.gauge_graph(neighbors=6) is grid.gauge_graph(neighbors=6)


def test_triangles_of_an_icosahedral_model_are_cells():
    from gaugenet.geometry import Icosphere

    sphere = Icosphere(3)
    corners = sphere.pos[sphere.face.T]
    centers = torch.nn.functional.normalize(corners.sum(1))
    grid = SpherePoints(centers, corners=corners)
    a, b, c = corners.unbind(1)
    excess = 2 * torch.atan2(torch.linalg.det(corners), 1 + (a * b).sum(1) + (b * c).sum(1) + (c * a).sum(1))
    torch.testing.assert_close(grid.area, excess, rtol=1e-11, atol=0)
    assert (grid.cells.locate(centers.numpy()) == np.arange(len(centers))).all()


def test_given_areas_are_scaled_and_regional_points_are_domains():
    everywhere = SpherePoints(scattered(50), area=torch.full((50,), 7.0))
    assert float(everywhere.area.sum()) == pytest.approx(4 * np.pi)
    cap = scattered(300)
    cap = cap[cap[:, 2] > 0.5]
    part = SpherePoints(cap, area=torch.full((len(cap),), 0.01), regional=True)
    assert float(part.area[0]) == pytest.approx(0.01)
    assert part.gauge_graph(radius=0.5).num_nodes == len(cap)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: HEALPix(0), "positive integer"),
        (lambda: HEALPix(6), "power of two"),
        (lambda: HEALPix(4, order="rings"), "'nested' or 'ring'"),
        (lambda: ReducedGaussian("N33"), "counts=pl"),
        (lambda: ReducedGaussian("X32"), "O32"),
        (lambda: ReducedGaussian(4, counts=[20, 24]), "4 or 8 positive integers"),
        (lambda: LatLonSphere([10, 20, 30], [0, 120, 240]), "global grid"),
        (lambda: LatLonSphere([-45, 45], [0, 120, 240, 360]), "repeats the first"),
        (lambda: SpherePoints(torch.cat([scattered(9), scattered(9)])), "9 pairs with equal positions"),
        (lambda: SpherePoints(scattered(40) * torch.tensor([1, 1, 2.0])), "on a sphere"),
        (lambda: SpherePoints(scattered(40).abs()), "points of one half"),
        (lambda: SpherePoints(scattered(40)[:, :2]), r"\(N, 3\)"),
        (lambda: SpherePoints(scattered(9), regional=True), "Expected `area`"),
        (lambda: SpherePoints(scattered(9), area=torch.zeros(9)), "`mass`|`area`|positive"),
        (lambda: SpherePoints.from_degrees([95.0] * 5, [1.0, 2, 3, 4, 5]), "-90, 90"),
        (lambda: HEALPix(4).gauge_graph(Cyclic(6)), "with all rotations"),
        (lambda: HEALPix(4).gauge_graph(radius=0.1, neighbors=4), "at most one"),
        (lambda: HEALPix(4).gauge_graph(radius=0.01), "no neighbour within"),
        (lambda: HEALPix(4).gauge_graph(radius=4.0), "below pi"),
        (lambda: HEALPix(4).from_lonlat(torch.ones(3), torch.ones(3)), "192"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_grid_is_a_domain():
    from gaugenet.geometry import Domain

    grid = HEALPix(4)
    assert isinstance(grid, Domain)
    assert grid.structures == {"SO(2)"} == grid.gauge_graph(SO2()).structures
    assert grid.membership()[1] == 1
    assert grid.areas(torch.ones(3, dtype=torch.float32)).dtype == torch.float32
