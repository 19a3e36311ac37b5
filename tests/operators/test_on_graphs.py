"""Operators on meshes, points and manifolds: accuracy, exactness, identities, independence of frames."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch

from gaugenet.data.meshes.reaction_diffusion import bumpy_sphere
from gaugenet.geometry import GaugeGraph, Icosphere, PointCloud, Sphere
from gaugenet.groups import O2, SO2, SO3, FieldType, Lorentz, Reflection, Trivial
from gaugenet.kernels import DifferentialSpace, jets
from gaugenet.operators import (
    apply_operator,
    as_matrix,
    covariant_derivative,
    curl,
    divergence,
    eth,
    ethbar,
    gradient,
    hessian,
    laplacian,
)
from tests.geometry.mesh import surfaces
from tests.tolerances import relative

LEVELS = (3, 4, 5)


def rms(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative root mean square error."""
    return ((found - expected).square().mean() / expected.square().mean()).sqrt().item()


def tangential(graph: GaugeGraph, ambient: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nda,nd->na", graph.frame, ambient)


@cache
def sphere(level: int) -> GaugeGraph:
    mesh = surfaces.sphere(2**level, jitter=0.2)
    return mesh.gauge_graph(SO2(), mean_neighbors=20, dtype=torch.float64)


@cache
def round_sphere(level: int) -> GaugeGraph:
    """With the logarithmic maps and transporters of the sphere itself."""
    return Icosphere(level).gauge_graph(SO2(), connection="levi_civita", mean_neighbors=20)


@cache
def torus(level: int) -> GaugeGraph:
    n = 5 * 2 ** (level - 1)
    return surfaces.torus(5 * n // 2 // 2 * 2, n, jitter=0.1).gauge_graph(SO2(), mean_neighbors=20, dtype=torch.float64)


def on_sphere(graph: GaugeGraph) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A sum of harmonics, its gradient, its Laplacian, and eth^2 of it."""
    x, y, z = graph.pos.T
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    f, ambient = x * y + y * z + z / 2, torch.stack([y, x + z, y + 0.5], 1)
    second = torch.stack([zero, one, zero, one, zero, one, zero, one, zero], 1).view(-1, 3, 3)
    second = torch.einsum("nda,nde,neb->nab", graph.frame, second, graph.frame)
    eth_squared = torch.stack([second[:, 0, 0] - second[:, 1, 1], 2 * second[:, 0, 1]], 1)
    return f[:, None], tangential(graph, ambient), (-6 * (x * y + y * z) - z)[:, None], eth_squared


def on_torus(graph: GaugeGraph) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """cos u + sin v in angles, its gradient, its Laplacian, and the Gauss curvature."""
    x, y, z = graph.pos.T
    u, rho = torch.atan2(y, x), torch.hypot(x, y)
    v = torch.atan2(z, rho - 1)
    along = torch.stack([-u.sin(), u.cos(), 0 * u], 1)
    around = torch.stack([-v.sin() * u.cos(), -v.sin() * u.sin(), v.cos()], 1)
    ambient = (-u.sin() / rho)[:, None] * along + (v.cos() / 0.4)[:, None] * around
    flow = -u.cos() / rho**2 - v.sin() / 0.16 - v.sin() * v.cos() / (0.4 * rho)
    f, curvature = u.cos() + v.sin(), v.cos() / (0.4 * rho)
    return f[:, None], tangential(graph, ambient), flow[:, None], curvature[:, None]


GOALS = {"gradient": (1.6e-2, 7.4e-3, 3.8e-3), "laplacian": (4e-2, 1.2e-2, 3.6e-3), "eth^2": (5.6e-2, 1.8e-2, 7.1e-3)}


def test_accuracy_on_a_jittered_sphere():
    errors: dict[str, list[float]] = {name: [] for name in GOALS}
    for level in LEVELS:
        f, slope, flow, twice = on_sphere(sphere(level))
        errors["gradient"].append(rms(gradient(f, sphere(level)), slope))
        errors["laplacian"].append(rms(laplacian(f, sphere(level)), flow))
        second = hessian(f, sphere(level)).unflatten(1, (2, 2))
        found = torch.stack([second[:, 0, 0] - second[:, 1, 1], 2 * second[:, 0, 1]], 1)
        errors["eth^2"].append(rms(found, twice))
    for name, goal in GOALS.items():
        assert all(e < g for e, g in zip(errors[name], goal, strict=True)), (name, errors[name])
    order = {name: math.log2(e[0] / e[2]) / 2 for name, e in errors.items()}
    assert order["gradient"] > 0.9
    assert order["laplacian"] > 1.7
    assert order["eth^2"] > 1.2


def test_accuracy_on_a_jittered_torus():
    slopes, flows = [], []
    for level in LEVELS:
        f, slope, flow, _ = on_torus(torus(level))
        slopes.append(rms(gradient(f, torus(level)), slope))
        flows.append(rms(laplacian(f, torus(level)), flow))
    assert slopes[2] < 5e-3
    assert flows[2] < 5e-3
    assert math.log2(slopes[0] / slopes[2]) / 2 > 0.9
    assert math.log2(flows[0] / flows[2]) / 2 > 1.5


def test_the_divergence_of_the_gradient_is_the_laplacian():
    """And the curl of the gradient vanishes, both to discretization error."""
    errors = []
    for level in LEVELS:
        f, _, flow, _ = on_sphere(sphere(level))
        u = gradient(f, sphere(level))
        errors.append(
            (rms(divergence(u, sphere(level)), flow), rms(divergence(u, sphere(level)), laplacian(f, sphere(level))))
        )
        assert curl(u, sphere(level)).square().mean().sqrt() < 5e-3 * flow.square().mean().sqrt()
    assert all(e[0] < goal for e, goal in zip(errors, (6.5e-2, 1.8e-2, 9.3e-3), strict=True))
    assert errors[2][1] < 1e-3


def test_the_commutator_of_eth_is_curvature():
    """[ethbar, eth] f = 2 K m f on the sphere, K = 1, and with its sign on both sides of a torus."""
    for m in (1, 2):
        errors = []
        for level in (3, 4, 5):
            graph = round_sphere(level)
            _, slope, _, _ = on_sphere(graph)
            f = torch.complex(slope[:, :1], slope[:, 1:]) ** m
            commutator = ethbar(eth(f, graph, m), graph, m + 1) - eth(ethbar(f, graph, m), graph, m - 1)
            errors.append(rms(torch.view_as_real(commutator), torch.view_as_real(2 * m * f)))
        assert errors[2] < 0.02
        assert errors[0] / errors[2] > 8
    graph = torus(4)
    _, slope, _, curvature = on_torus(graph)
    f = torch.complex(slope[:, :1], slope[:, 1:])
    commutator = ethbar(eth(f, graph, 1), graph, 2) - eth(ethbar(f, graph, 1), graph, 0)
    assert rms(torch.view_as_real(commutator), torch.view_as_real(2 * curvature * f)) < 0.5
    assert rms(torch.view_as_real(-commutator), torch.view_as_real(2 * curvature * f)) > 1.5


def test_eth_of_real_fields_is_grad_div_and_curl():
    graph = sphere(3)
    f, u, _, _ = on_sphere(graph)
    assert torch.equal(eth(f, graph), gradient(f, graph))
    both = ethbar(u, graph)
    assert relative(both, torch.cat([divergence(u, graph), curl(u, graph)], 1)) < 1e-12
    as_complex = eth(torch.complex(u[:, :1], u[:, 1:]), graph, 1)
    assert relative(eth(u, graph, 1), torch.cat([as_complex.real, as_complex.imag], 1)) < 1e-12
    down = eth(torch.complex(u[:, :1], -u[:, 1:]), graph, -1)  # eth conj = conj ethbar
    assert relative(torch.cat([down.real, -down.imag], 1), both) < 1e-12


@pytest.mark.parametrize(("degree", "neighbors"), [(2, 60), (3, 60), (4, 120)])
def test_heat_does_not_grow_where_neighborhoods_are_cut(degree, neighbors, monkeypatch):
    """No eigenvalue of the Laplacian is positive; they are with weights that decay over the radius, not the reach."""

    def largest() -> float:
        graph = bumpy_sphere(3, 21, radius=3.0, max_neighbors=neighbors).graph
        return np.linalg.eigvals(as_matrix(laplacian, graph, degree=degree).to_scipy().toarray()).real.max()

    assert largest() < 1e-6
    monkeypatch.setattr(jets, "_reach", lambda v, counts: v.new_ones(len(counts)))
    assert largest() > 0.5


@pytest.mark.parametrize("make", [sphere, torus])
def test_results_do_not_depend_on_the_frames(make):
    """Random independent frames at every point; a reflection changes the sign of the curl."""
    graph = make(3)
    f, u, *_ = (on_sphere if make is sphere else on_torus)(graph)
    g = SO2().random_element(graph.num_nodes, generator=torch.Generator().manual_seed(0))
    other = graph.gauge_transform(g)
    u = u + f * torch.stack([-u[:, 1], u[:, 0]], 1)  # not a gradient
    moved = FieldType(SO2(), "1x1").transform(g, u)
    assert relative(gradient(f, other), FieldType(SO2(), "1x1").transform(g, gradient(f, graph))) < 1e-13
    assert relative(laplacian(f, other), laplacian(f, graph)) < 1e-13
    assert relative(divergence(moved, other), divergence(u, graph)) < 1e-13
    assert relative(curl(moved, other), curl(u, graph)) < 1e-13
    tensors = FieldType(SO2(), [(SO2().irrep(1).tensor(SO2().irrep(1)), 1)])
    assert relative(hessian(f, other), tensors.transform(g, hessian(f, graph))) < 1e-13
    assert relative(eth(moved, other, 1), FieldType(SO2(), "1x2").transform(g, eth(u, graph, 1))) < 1e-13
    assert relative(gradient(f, other), gradient(f, graph)) > 0.1
    mirror = torch.diag(torch.tensor([1.0, -1.0])).double().expand(graph.num_nodes, 2, 2)
    seen = graph.gauge_transform(mirror)
    assert relative(curl((mirror @ u[..., None])[..., 0], seen), -curl(u, graph)) < 1e-13


def cubic(x: torch.Tensor) -> torch.Tensor:
    return x[:, 0] ** 3 - 2 * x[:, 0] * x[:, 1] ** 2 + x[:, 1] ** 2 + 3 * x[:, 0] + 1


def test_polynomials_are_exact_on_a_flat_mesh_with_boundary():
    mesh = surfaces.square(21, jitter=0.3)
    graph = mesh.gauge_graph(SO2(), mean_neighbors=30, dtype=torch.float64, frames="random", seed=0)
    p = graph.pos
    x, y = p[:, 0], p[:, 1]
    square = (x**2 - 3 * x * y + 2 * y + 1)[:, None]
    slope = torch.stack([2 * x - 3 * y, 2 - 3 * x, 0 * x], 1)
    assert relative(gradient(square, graph, degree=2), tangential(graph, slope)) < 1e-10
    assert relative(laplacian(square, graph, degree=2), torch.full_like(square, 2.0)) < 1e-10
    inner = torch.from_numpy(np.abs(mesh.vertices[:, :2]).max(1) < 0.7)
    assert relative(laplacian(cubic(p)[:, None], graph)[inner], (2 * x + 2)[inner, None]) < 1e-10
    field = tangential(graph, torch.stack([x * y, x**2 - y, 0 * x], 1))
    assert relative(divergence(field, graph), (y - 1)[:, None]) < 1e-10
    assert relative(curl(field, graph), x[:, None]) < 1e-9


@pytest.mark.parametrize("d", [1, 2, 3])
def test_polynomials_are_exact_on_point_clouds(d):
    x = torch.rand(400, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    graph = PointCloud(x).gauge_graph(Trivial(d), neighbors=(8, 24, 60)[d - 1], dtype=torch.float64)
    shift = torch.arange(1.0, d + 1, dtype=torch.float64)
    f = (x**2).sum(1, keepdim=True) + x @ shift[:, None]
    assert relative(gradient(f, graph), 2 * x + shift) < 1e-9
    assert relative(laplacian(f, graph), torch.full_like(f, 2 * d)) < 1e-9
    second = hessian(f, graph).unflatten(1, (d, d))
    assert relative(second, (2 * torch.eye(d).double()).expand_as(second)) < 1e-9


def test_curl_in_space():
    x = torch.rand(300, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    graph = PointCloud(x).gauge_graph(SO3(), neighbors=40, dtype=torch.float64)
    a, b, c = x.T
    u = torch.stack([b * c, a**2, a * b - c], 1)
    expected = torch.stack([a, torch.zeros_like(a), 2 * a - c], 1)
    assert relative(curl(u, graph), expected) < 1e-9
    assert relative(divergence(u, graph), -torch.ones(300, 1).double()) < 1e-9
    assert relative(curl(gradient(u[:, :1], graph), graph), torch.zeros(300, 3).double() + 1e-9) < 100


def test_manifolds_of_ones_own():
    """The same on points of a `Sphere`, whose frames and transporters come from the manifold."""
    points = Sphere(2).random_points(600, generator=torch.Generator().manual_seed(0))
    graph = Sphere(2).gauge_graph(points, SO2(), radius=0.45)
    x, y, z = graph.pos.T
    f, flow = (x * y + z / 2)[:, None], (-6 * x * y - z)[:, None]
    assert rms(laplacian(f, graph), flow) < 0.06
    assert rms(divergence(gradient(f, graph), graph), flow) < 0.06


def test_channels_matrices_and_gradients():
    graph = sphere(3)
    f, u, _, _ = on_sphere(graph)
    two = torch.cat([f, 3 * f], 1)
    slope = gradient(two, graph).unflatten(1, (2, 2))
    assert relative(slope[:, :, 1], 3 * slope[:, :, 0]) < 1e-12
    assert relative(slope[:, :, 0], gradient(f, graph)) < 1e-12
    matrix = as_matrix(divergence, graph)
    expected = divergence(u, graph)[:, 0]
    assert np.allclose(matrix.to_scipy() @ u.flatten().numpy(), expected.numpy())
    assert torch.allclose(matrix.to_torch() @ u.flatten(), expected)
    u = u.clone().requires_grad_()
    divergence(u, graph).square().sum().backward()
    assert np.allclose(u.grad.flatten(), 2 * matrix.to_scipy().T @ expected.numpy())
    assert torch.equal(as_matrix(laplacian, graph)(f), laplacian(f, graph))
    assert torch.equal(as_matrix(eth, graph, order=1)(u), eth(u, graph, 1))
    assert as_matrix(ethbar, graph).value.shape == as_matrix(eth, graph, order=2).value.shape
    for wrong, options in ((sum, {}), (laplacian, {"order": 1})):
        with pytest.raises(ValueError, match=r"Expected `(operator|order)`"):
            as_matrix(wrong, graph, **options)
    single = laplacian(f.float(), graph)
    assert single.dtype == torch.float32
    assert relative(single.double(), laplacian(f, graph)) < 1e-4


class Heat(torch.nn.Module):
    """One explicit step."""

    def __init__(self, graph: GaugeGraph) -> None:
        super().__init__()
        self.laplacian = as_matrix(laplacian, graph)

    def forward(self, f: torch.Tensor) -> torch.Tensor:
        return f + 1e-3 * self.laplacian(f)


def test_matrices_compile_and_export():
    graph = sphere(3)
    f, step = on_sphere(graph)[0], Heat(graph)
    assert relative(torch.compile(step, fullgraph=True, backend="eager")(f), step(f)) < 1e-12
    assert relative(torch.export.export(step, (f,)).module()(f), step(f)) < 1e-12


def test_covariant_derivative_is_the_gradient_of_scalars_and_holds_the_divergence_of_vectors():
    graph = sphere(3)
    f, u, _, _ = on_sphere(graph)
    fields = FieldType(SO2(), "1x0 + 1x1")
    found = covariant_derivative(torch.cat([f, u], 1), graph, fields)
    assert relative(found[:, :2], gradient(f, graph)) < 1e-12
    nabla = found[:, 2:].unflatten(1, (2, 2))
    assert relative(nabla[:, 0, 0] + nabla[:, 1, 1], divergence(u, graph)[:, 0]) < 1e-12
    assert relative(nabla[:, 0, 1] - nabla[:, 1, 0], curl(u, graph)[:, 0]) < 1e-12


def test_operators_of_a_space_by_their_names():
    graph = sphere(3)
    _, u, _, _ = on_sphere(graph)
    space = DifferentialSpace(FieldType(SO2(), "1x1"), FieldType(SO2(), "1x0 + 1x2"), max_order=1)
    expected = {
        "div": divergence(u, graph),
        "curl": curl(u, graph),
        "eth": eth(u, graph, 1),
    }
    for w, operator in zip(torch.eye(space.num_weights).double(), space.operators, strict=True):
        if operator.name in expected:
            out = apply_operator(space, w, u, graph)
            out = out[:, :1] if operator.target == "0" else out[:, 1:]
            factor = (out * expected[operator.name]).sum() / expected[operator.name].square().sum()
            assert factor > 0
            assert relative(out, factor * expected[operator.name]) < 1e-12


def test_what_cannot_be_differentiated():
    graph = sphere(3)
    f = on_sphere(graph)[0]
    with pytest.raises(ValueError, match=r"`f` of shape \(642, 1 C\)"):
        laplacian(f[1:], graph)
    with pytest.raises(ValueError, match="2 components"):
        divergence(f, graph)
    with pytest.raises(ValueError, match="Expected a domain"):
        laplacian(f, "sphere")
    with pytest.raises(ValueError, match="`accuracy`, which is for finite differences"):
        laplacian(f, graph, accuracy=2)
    with pytest.raises(ValueError, match="at least the order 2"):
        laplacian(f, graph, degree=1)
    with pytest.raises(ValueError, match="complex field"):
        ethbar(f, graph, 0)
    lonely = graph.clone()
    for name in ("log_map", "transporter", "weight"):
        lonely[name] = lonely[name][:0]
    lonely.edge_index = lonely.edge_index[:, :0]
    with pytest.raises(ValueError, match="642 points without edges"):
        gradient(f, lonely)
    line = torch.zeros(20, 2)
    line[:, 0] = torch.arange(20.0)
    with pytest.raises(ValueError, match=r"order 1 are not determined at 20 of 20 points.*larger `radius`"):
        gradient(torch.zeros(20, 1), PointCloud(line).gauge_graph(Trivial(2), radius=2.5))
    events = PointCloud(torch.rand(30, 2)).gauge_graph(Lorentz(2), neighbors=8)
    with pytest.raises(ValueError, match=r"orthonormal frames, got the structure group SO\(1,1\)"):
        laplacian(torch.zeros(30, 1), events)
    mirrored = graph.gauge_transform(
        torch.diag_embed(
            torch.where(
                torch.arange(642)[:, None] % 2 == 0, torch.tensor([1.0, 1.0]), torch.tensor([1.0, -1.0])
            ).double()
        )
    )
    with pytest.raises(ValueError, match="reflections"):
        eth(f, mirrored)
    with pytest.raises(ValueError, match="not a subgroup"):
        covariant_derivative(f, graph, FieldType(Reflection(), "1x0"))
    assert O2().contains(graph.transporter[0])


def test_points_whose_neighbors_do_not_suffice_are_counted(caplog):
    x = torch.rand(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    far = torch.cat([x, torch.tensor([[5.0, 5.0], [5.1, 5.0]]).double()])
    graph = PointCloud(far).gauge_graph(Trivial(2), radius=0.25, dtype=torch.float64)
    with caplog.at_level("WARNING"):
        slope = gradient(far[:, :1], graph)
    assert "order 1 are not determined at 2 of 202 points" in caplog.text
    assert not slope[-2:].any()
    assert relative(slope[:-2, 0], torch.ones(200).double()) < 1e-10
