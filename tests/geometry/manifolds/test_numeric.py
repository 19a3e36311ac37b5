"""Manifolds from a function: against closed forms of the sphere, the hyperbolic plane and the torus of revolution."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch

from gaugenet.geometry.manifolds import geodesics
from gaugenet.geometry.manifolds._numbers import batched
from gaugenet.geometry.manifolds.atlas import from_charts
from gaugenet.geometry.manifolds.hyperbolic import Hyperbolic
from gaugenet.geometry.manifolds.manifold import ManifoldError, push_forward
from gaugenet.geometry.manifolds.numeric import ChartManifold, from_embedding, from_metric
from gaugenet.geometry.manifolds.sphere import Sphere
from gaugenet.groups import SO2
from tests.tolerances import TOL, relative

GEODESIC = 1e-9
"""Relative error of integrated geodesics of length about one."""


def ball(p: torch.Tensor) -> torch.Tensor:
    """The unit sphere in longitude and latitude."""
    return torch.stack([torch.cos(p[1]) * torch.cos(p[0]), torch.cos(p[1]) * torch.sin(p[0]), torch.sin(p[1])])


def torus(p: torch.Tensor) -> torch.Tensor:
    ring = 2 + torch.cos(p[1])
    return torch.stack([ring * torch.cos(p[0]), ring * torch.sin(p[0]), torch.sin(p[1])])


def half_plane(p: torch.Tensor) -> torch.Tensor:
    return torch.eye(2, dtype=p.dtype) / p[1] ** 2


SPHERE, TORUS, PLANE = from_embedding(ball, dim=2), from_embedding(torus, dim=2), from_metric(half_plane, dim=2)


def random(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_integrator_has_order_eight():
    def rigid_body(y: torch.Tensor) -> torch.Tensor:
        a, b, c = y.unbind(-1)
        return 2 * torch.stack([b * c, -2 * a * c, a * b], -1)

    start = torch.tensor([[1.0, 0.5, -0.3]], dtype=torch.float64)
    exact = geodesics.integrate(rigid_body, start, 200)
    coarse, fine = ((geodesics.integrate(rigid_body, start, n) - exact).abs().max().item() for n in (8, 16))
    assert math.log2(coarse / fine) == pytest.approx(8, abs=0.7)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_small_systems_are_solved(d):
    a, b = random(9, d, d) + 2 * torch.eye(d), random(9, d, 3, seed=1)
    assert relative(geodesics.solve(a, b), torch.linalg.solve(a, b)) < 1e-13


def test_sphere():
    """Great circles away from the poles, where longitude and latitude end."""
    p = torch.stack([6 * random(40), random(40, seed=1) - 0.5], -1)
    v = 0.5 * torch.randn(40, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    exact = Sphere(2)
    x, along = push_forward(SPHERE.immersion, p, v)
    q = SPHERE.exp(p, v)
    keep = q[:, 1].abs() < 1.2
    p, v, q, x, along = p[keep], v[keep], q[keep], x[keep], along[keep]
    assert keep.sum() > 25
    assert relative(SPHERE.immersion(q), exact.exp(x, along)) < GEODESIC
    assert relative(SPHERE.log(p, q), v) < GEODESIC
    w = random(len(p), 2, seed=3)
    moved = push_forward(SPHERE.immersion, p, SPHERE.transport(p, q, w))[1]
    assert relative(moved, exact.transport(x, *push_forward(SPHERE.immersion, q, w))) < GEODESIC


def test_hyperbolic_plane():
    exact = Hyperbolic(2)
    p = exact.random_points(20, generator=torch.Generator().manual_seed(0))
    v = p[:, 1:] * (2 * random(20, 2) - 1)
    q, w = exact.exp(p, v), random(20, 2, seed=1)
    assert relative(PLANE.exp(p, v), q) < 1e-8
    assert relative(PLANE.log(p, q), v) < 1e-8
    assert relative(PLANE.transport(p, q, w), exact.transport(p, q, w)) < 1e-8


def test_torus_of_revolution():
    """Clairaut's relation, rotations about the axis, and the circles that are geodesics by symmetry."""
    p, v = 6 * random(20, 2), random(20, 2, seed=1) - 0.5
    moving = from_embedding(torus, dim=2, steps=8)  # these geodesics are up to 1.5 long
    velocity = -moving.log(moving.exp(p, v), p)
    momentum = (2 + torch.cos(p[:, 1])) ** 2 * v[:, 0]
    q = moving.exp(p, v)
    assert relative((2 + torch.cos(q[:, 1])) ** 2 * velocity[:, 0], momentum) < GEODESIC
    rotation = torch.tensor([0.7, 0.0], dtype=torch.float64)
    assert relative(moving.exp(p + rotation, v), q + rotation) < TOL[torch.float64]
    outer = torch.zeros(1, 2, dtype=torch.float64)
    step = torch.tensor([[0.4, 0.0]], dtype=torch.float64)
    assert relative(moving.log(outer, outer + step), step) < GEODESIC
    assert moving.distance(outer, outer + step).item() == pytest.approx(3 * 0.4, rel=GEODESIC)
    assert relative(moving.transport(outer, outer + step, step), step) < GEODESIC


def test_coordinates_that_repeat_are_one_point():
    p, rotations = 6 * random(10, 2), 2 * math.pi * torch.tensor([1.0, -1.0], dtype=torch.float64)
    q, w = p + 0.2 * random(10, 2, seed=1), random(10, 2, seed=2)
    assert relative(TORUS.log(p, q + rotations), TORUS.log(p, q)) < GEODESIC
    assert relative(TORUS.transport(p, q + rotations, w), TORUS.transport(p, q, w)) < GEODESIC
    assert TORUS.gap(p, p + rotations).max() < TOL[torch.float64] * 10


def test_derivatives():
    """Of exp, log and transport, in all arguments, and with respect to parameters of the user's function."""
    space = from_embedding(torus, dim=2, steps=2)
    p, q, v = (x.requires_grad_() for x in (random(1, 2), random(1, 2) + 0.2, random(1, 2, seed=3)))
    check = partial(torch.autograd.gradcheck, rtol=1e-4, atol=1e-6, fast_mode=True)
    assert check(space.exp, (p, v))
    assert check(space.log, (p, q))
    assert check(space.transport, (p, q, v))


def test_points_in_float32():
    """Geodesics are found as for float64, and every result has the precision of the points."""
    sphere, plane = from_embedding(ball, dim=2, steps=2), from_metric(half_plane, dim=2, steps=2)
    for space in (sphere, plane, from_charts([half_plane], {}, dim=2, steps=2)):
        p = 0.6 * torch.rand(50, space.ambient_dim, generator=torch.Generator().manual_seed(0)) + 0.2
        q, w = p + 0.3 * p.flip(0), p.flip(1)
        if space.ambient_dim > space.dim:
            p[:, 0], q[:, 0], w[:, 0] = 0, 0, 0  # the chart
        for method, arguments in ((space.log, (p, q)), (space.distance, (p, q)), (space.transport, (p, q, w))):
            found, expected = method(*arguments), method(*(x.double() for x in arguments))
            assert (found.dtype, expected.dtype) == (torch.float32, torch.float64)
            assert 0 < relative(found, expected) < TOL[torch.float32]
    assert relative(plane.exp(p[:, 1:], plane.log(p[:, 1:], q[:, 1:])), q[:, 1:]) < TOL[torch.float32]


def test_derivative_of_a_distance_with_respect_to_the_metric():
    scale = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    space = from_embedding(lambda p: scale * ball(p), dim=2, steps=3)
    p, q = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[0.3, 0.2]], dtype=torch.float64)
    (slope,) = torch.autograd.grad(space.distance(p, q).sum(), scale)
    assert slope.item() == pytest.approx(space.distance(p, q).item() / 1.5, rel=1e-9)


def test_graph_on_an_embedding():
    p = 2 * math.pi * random(60, 2)
    space = from_embedding(torus, dim=2, steps=2)
    graph = space.gauge_graph(p, SO2(), radius=1.0, dtype=torch.float64)
    source, target = graph.edge_index
    chord = (TORUS.immersion(p[source]) - TORUS.immersion(p[target])).norm(dim=-1)
    length = graph.log_map.norm(dim=-1)
    assert len(source) > 100
    assert bool((length >= chord).all())
    assert bool((length < 1.1 * chord).all())


def test_graph_on_a_metric():
    points = Hyperbolic(2).random_points(60, generator=torch.Generator().manual_seed(0))
    own = from_metric(half_plane, dim=2, steps=3).gauge_graph(points, SO2(), radius=0.5, dtype=torch.float64)
    exact = Hyperbolic(2).gauge_graph(points, SO2(), radius=0.5, dtype=torch.float64)
    assert torch.equal(own.edge_index, exact.edge_index)
    assert relative(own.log_map, exact.log_map) < 1e-8  # both have the frames y d/dx, y d/dy
    assert relative(own.transporter, exact.transporter) < 1e-8


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"got shape \(1,\)"):
        from_embedding(lambda p: p[:1], dim=2)
    with pytest.raises(ValueError, match=r"matrix of shape \(2, 2\)"):
        from_metric(lambda p: p, dim=2)
    with pytest.raises(ManifoldError, match="not positive definite"):
        from_metric(lambda p: torch.diag(torch.stack([p[0], p[1]])), dim=2).frame_at(-torch.ones(3, 2).double())
    with pytest.raises(ManifoldError, match="no geodesic was found for 1 of 1"):
        PLANE.log(torch.tensor([[0.0, 1.0]]).double(), torch.tensor([[0.0, -1.0]]).double())
    with pytest.raises(ValueError, match=r"of shape \(\.\.\., 2\)"):
        PLANE.exp(torch.ones(3, 3), torch.ones(3, 3))


@pytest.mark.slow
def test_thirty_thousand_logarithms():
    """A neighbourhood graph of a thousand points needs them; measured 5 s on one idle core."""
    p = 6 * random(30000, 2)
    v = 0.3 * (random(30000, 2, seed=1) - 0.5)
    assert relative(TORUS.log(p, TORUS.exp(p, v)), v) < GEODESIC


def zeros_in_forward_mode(f) -> int:
    """The number of symbolic zeros that PyTorch makes, each of which costs as much as ten operators."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        f()
    return sum(event.count for event in profile.key_averages() if event.key == "aten::_efficientzerotensor")


def test_derivatives_multiply_by_no_symbolic_zeros():
    p, v = random(3, 2), random(3, 2, seed=1)
    space = from_metric(lambda x: torch.diag(2 + 1 / (x * x / 3 - 4) - (1 - x) * 5), dim=2, steps=1)
    assert zeros_in_forward_mode(lambda: geodesics.differential(lambda a, b: space.exp(a, b), p, v)) <= 1  # of p
    surface = from_embedding(lambda x: torch.stack([2 * x[0], x[1] - 1, (x * x).sum()]), dim=2, steps=1)
    assert zeros_in_forward_mode(lambda: geodesics.differential(lambda a, b: surface.exp(a, b), p, v)) <= 1
    assert zeros_in_forward_mode(lambda: geodesics.jacobian(lambda x: 2 * x, p)) > 0  # control


def test_numbers_in_a_formula_are_numbers():
    formulas = [lambda x: 2 * x - 1, lambda x: 1 - x / 3, lambda x: 2.5 / (x + 1) ** 2, lambda x: 3 + x.mul(2).sub(4)]
    x = random(5, 3)
    for f in formulas:
        g = batched(f)
        assert torch.equal(g(x), f(x))
        assert torch.equal(
            geodesics.jacobian(g, x)[1], geodesics.jacobian(f, x)[1].diagonal(dim1=1, dim2=2).diag_embed()
        )
    assert torch.equal(batched(lambda k: k / 2 + 1)(torch.arange(4)), torch.arange(4) / 2 + 1)


def test_an_atlas_solves_for_each_geodesic_once(monkeypatch):
    transitions = {(0, 1): lambda x: x * 2, (1, 0): lambda x: x / 2}
    atlas = from_charts([half_plane, half_plane], transitions, dim=2, steps=3)
    p, q = (torch.cat([torch.arange(4)[:, None] // n % 2, 1 + random(4, 2, seed=n)], -1) for n in (1, 2))
    vectors = torch.cat([torch.zeros(4, 1, 2), random(4, 2, 2, seed=3)], 1)
    log, moved = atlas.log(p, q), torch.stack([atlas.transport(p, q, w) for w in vectors.unbind(-1)], -1)
    solved, shoot = [], ChartManifold._shoot
    monkeypatch.setattr(ChartManifold, "_shoot", lambda *args: solved.append(0) or shoot(*args))
    both = atlas.log_and_transport(p, q, vectors)
    assert len(solved) == 4  # pairs of charts
    assert relative(both[0], log) < GEODESIC
    assert relative(both[1], moved) < GEODESIC
    q[1, 2] = -1.0  # outside of the half plane
    assert torch.isposinf(atlas.log_and_transport(p, q, vectors)[0]).all(-1).tolist() == [False, True, False, False]
