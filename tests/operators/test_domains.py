"""Operators on every kind of domain: the same calls, accurate, in the frames of the domain and in its layouts."""

from __future__ import annotations

import gc
import math
import weakref

import pytest
import torch

from gaugenet.geometry import Grid, HEALPix, Icosphere, LatLonSphere, PointCloud, ReducedGaussian, SpherePoints
from gaugenet.groups import O2, SO2, Cyclic, FieldType
from gaugenet.kernels import DifferentialSpace
from gaugenet.operators import (
    apply_operator,
    as_matrix,
    covariant_derivative,
    curl,
    divergence,
    eth,
    gradient,
    hessian,
    laplacian,
    operator_graph,
)
from tests.geometry.mesh import surfaces
from tests.tolerances import relative


def positions(domain) -> torch.Tensor:
    return torch.from_numpy(domain.vertices) if hasattr(domain, "vertices") else domain.pos


def scattered(n: int) -> SpherePoints:
    k = torch.arange(n, dtype=torch.float64) + 0.5  # a Fibonacci lattice
    z, angle = 1 - 2 * k / n, k * math.pi * (1 + math.sqrt(5))
    rho = (1 - z * z).sqrt()
    return SpherePoints(torch.stack([rho * angle.cos(), rho * angle.sin(), z], 1))


SPHERES = {
    "icosphere": (Icosphere(4), Icosphere(2)),
    "planar icosphere": (Icosphere(4, projection="planar"), Icosphere(2, projection="planar")),
    "mesh": (surfaces.sphere(16, jitter=0.2), surfaces.sphere(4, jitter=0.2)),
    "lat-lon": (LatLonSphere.regular(37, 72), LatLonSphere.regular(10, 18)),
    "HEALPix": (HEALPix(16), HEALPix(4)),
    "reduced Gaussian": (ReducedGaussian("O24"), ReducedGaussian("O6")),
    "points of the sphere": (scattered(2500), scattered(160)),
    "graph": (
        Icosphere(4).gauge_graph(O2(), connection="levi_civita", mean_neighbors=20),
        Icosphere(2).gauge_graph(O2(), connection="levi_civita", mean_neighbors=20),
    ),
}


def test_integers_have_no_derivatives():
    """They would be multiplied by weights that are rounded to integers: the gradient of an image of bytes was zero."""
    sphere, grid = Icosphere(1), Grid((5, 5))
    field, image = torch.arange(42)[:, None], torch.arange(25, dtype=torch.uint8).view(1, 1, 5, 5)
    scalars = FieldType(SO2(), "1x0")
    space = DifferentialSpace(scalars, scalars)
    calls = [
        lambda: gradient(image, grid),
        lambda: laplacian(field, sphere),
        lambda: eth(field, sphere),
        lambda: covariant_derivative(field, sphere, scalars),
        lambda: as_matrix(laplacian, sphere)(field),
        lambda: apply_operator(space, torch.ones(2), field, sphere),
        lambda: apply_operator(space, torch.ones(2), image, Grid((5, 5), group=SO2())),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"floating-point numbers, got torch\.(int64|uint8)"):
            call()
    assert laplacian(field.to(torch.complex128), sphere).dtype == torch.complex128


@pytest.mark.parametrize("move", [lambda cloud: cloud.pos.mul_(2), lambda cloud: setattr(cloud, "pos", 2 * cloud.pos)])
def test_operators_see_that_points_have_moved(move):
    """The Laplacian of x^2 + y^2 is 4; with the graph of the points before they moved it was 16."""
    cloud = PointCloud(torch.rand(200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    for _ in range(2):
        found = laplacian(cloud.pos.square().sum(1, keepdim=True), cloud)
        assert relative(found, torch.full_like(found, 4.0)) < 1e-9
        move(cloud)


def errors(domain) -> dict[str, float]:
    """Relative errors for a sum of spherical harmonics."""
    x, y, z = positions(domain).T
    f, ambient = (x * y + y * z + z / 2)[:, None], torch.stack([y, x + z, y + 0.5], 1)
    slope = torch.einsum("nda,nd->na", operator_graph(domain).frame, ambient)
    flow = (-6 * (x * y + y * z) - z)[:, None]
    found = gradient(f, domain)
    trace = hessian(f, domain)[:, [0, 3]].sum(1, keepdim=True)
    return {
        "grad": relative(found, slope),
        "lap": relative(laplacian(f, domain), flow),
        "trace of the Hessian": relative(trace, flow),
        "div grad": relative(divergence(found, domain), flow),
        "curl grad": float(curl(found, domain).norm() / flow.norm()),
        "eth": relative(eth(f, domain), slope),
    }


@pytest.mark.parametrize("name", SPHERES)
def test_calculus_on_every_kind_of_sphere(name):
    fine, coarse = (errors(domain) for domain in SPHERES[name])
    assert fine["grad"] < 1e-2
    assert fine["lap"] < 2e-2
    assert max(fine.values()) < 4e-2
    assert all(fine[k] < 0.5 * coarse[k] for k in ("grad", "lap", "trace of the Hessian", "div grad", "eth"))


def test_the_matrix_of_an_icosphere_is_the_function():
    sphere, f = Icosphere(2), torch.randn(162, 3, dtype=torch.float64)
    assert torch.equal(as_matrix(laplacian, sphere)(f), laplacian(f, sphere))
    assert as_matrix(gradient, sphere).to_scipy().shape == (324, 162)


@pytest.mark.parametrize("layout", ["batch", "charts"])
def test_layouts_of_the_icosphere(layout):
    """Batches of vertices and charts give what rows of vertices give, sample by sample."""
    sphere = Icosphere(2)
    rows = torch.randn(2, sphere.num_vertices, 2 * 3, dtype=torch.float64)
    x = rows.mT if layout == "batch" else sphere.to_charts(rows.mT)

    def back(y: torch.Tensor) -> torch.Tensor:
        return (y if layout == "batch" else sphere.from_charts(y)).mT

    fields = FieldType(SO2(), "3x1")
    space = DifferentialSpace(fields, FieldType(SO2(), "1x0 + 1x1"), max_order=2)
    weight = torch.randn(space.num_weights, dtype=torch.float64)
    for operator in (
        gradient,
        divergence,
        lambda f, domain: covariant_derivative(f, domain, fields),
        lambda f, domain: apply_operator(space, weight, f, domain),
    ):
        assert relative(back(operator(x, sphere)), torch.stack([operator(f, sphere) for f in rows])) < 1e-12


def test_vectors_are_in_the_frames_of_the_charts():
    sphere = Icosphere(3)
    graph = operator_graph(Icosphere(3))
    assert graph is operator_graph(sphere)
    assert torch.equal(graph.frame, sphere.frame)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_point_clouds_are_exact_on_polynomials(d):
    torch.manual_seed(d)
    cloud = PointCloud(torch.rand(200, d, dtype=torch.float64))
    f = cloud.pos.square().sum(1, keepdim=True) + cloud.pos[:, :1] ** 3
    first = torch.nn.functional.pad(3 * cloud.pos[:, :1] ** 2, (0, d - 1))
    assert relative(gradient(f, cloud), 2 * cloud.pos + first) < 1e-8
    assert relative(laplacian(f, cloud), 2 * d + 6 * cloud.pos[:, :1]) < 1e-7


def test_operators_of_a_space_on_pixels():
    """The Laplacian of a `DifferentialSpace` is the Laplacian, on grids too."""
    grid = Grid((12, 10), boundary="periodic")
    space = DifferentialSpace(FieldType(O2(), "1x0"), FieldType(O2(), "1x0"), max_order=2)
    assert [operator.name for operator in space.operators] == ["identity", "laplacian"]
    f = torch.randn(2, 1, 12, 10, dtype=torch.float64)
    weight = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert relative(apply_operator(space, weight, f, grid), laplacian(f, grid)) < 1e-12
    better = apply_operator(space, weight, f, grid, accuracy=4)
    assert relative(better, laplacian(f, grid, accuracy=4)) < 1e-12
    assert relative(better, laplacian(f, grid)) > 1e-2


def test_graphs_of_meshes_are_kept_as_long_as_the_mesh():
    mesh = surfaces.sphere(4)
    graph = operator_graph(mesh)
    assert operator_graph(mesh) is graph
    assert operator_graph(surfaces.sphere(4)) is not graph
    alive = weakref.ref(graph)
    del mesh, graph
    gc.collect()
    assert alive() is None


def test_what_does_not_fit_a_domain():
    sphere, f = Icosphere(2), torch.randn(1, 2, 162)
    with pytest.raises(ValueError, match=r"\(162, 2 C\), \(B, 2 C, 162\) or \(B, 2 C, 21, 8\).*got \(1, 2, 161\)"):
        divergence(f[..., 1:], sphere)
    with pytest.raises(ValueError, match="`accuracy`"):
        laplacian(f, sphere, accuracy=4)
    with pytest.raises(ValueError, match="not a subgroup"):
        covariant_derivative(torch.randn(162, 6), sphere, FieldType(Cyclic(6), "1xregular"))
    with pytest.raises(ValueError, match=r"Expected a domain, e\.g\. a GaugeGraph.*got str"):
        laplacian(f, "sphere")
    space = DifferentialSpace(FieldType(O2(), "1x0"), FieldType(O2(), "1x0"))
    with pytest.raises(ValueError, match="`degree`, which is for graphs"):
        apply_operator(space, torch.zeros(2), torch.zeros(1, 1, 8, 8), Grid((8, 8)), degree=2)


def test_an_empty_batch_stays_empty():
    sphere = Icosphere(1)
    none = torch.zeros(0, 4, sphere.num_vertices)
    for f in (none, sphere.to_charts(none)):
        assert gradient(f, sphere).shape == (0, 8, *f.shape[2:])
        assert divergence(f, sphere).shape == (0, 2, *f.shape[2:])
