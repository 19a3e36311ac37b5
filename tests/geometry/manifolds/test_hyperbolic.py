"""Hyperbolic space: precision far out, coordinates, and the group ax + b."""

from __future__ import annotations

import mpmath
import pytest
import torch

from gaugenet.geometry import GStructure, Hyperbolic, ManifoldError
from gaugenet.groups import Trivial
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
PLANE = Hyperbolic(2)


def far_pairs(radius: float, distance: float = 0.1, dim: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points at a distance from the origin, tangent vectors there, and where these lead."""
    space, g = Hyperbolic(dim), torch.Generator().manual_seed(0)
    origin = torch.zeros(20, dim, dtype=torch.float64)
    origin[:, -1] = 1
    direction, v = torch.randn(2, 20, dim, generator=g, dtype=torch.float64)
    p = space.exp(origin, radius * direction / direction.norm(dim=-1, keepdim=True))
    v = distance * p[:, -1:] * v / v.norm(dim=-1, keepdim=True)
    return p, v, space.exp(p, v)


@pytest.mark.parametrize("radius", [0.0, 5.0, 10.0])
def test_distances_far_out_are_exact(radius):
    """Against fifty digits."""
    p, _, q = far_pairs(radius)
    with mpmath.workdps(50):
        exact = []
        for a, b in zip(p.tolist(), q.tolist(), strict=True):
            (x, y), (u, w) = ([mpmath.mpf(c) for c in point] for point in (a, b))
            exact.append(float(mpmath.acosh(1 + ((x - u) ** 2 + (y - w) ** 2) / (2 * y * w))))
    # the points themselves are rounded: half a unit in the last place of a coordinate, seen at height y
    rounding = float((p.abs().amax(-1) / p[:, -1]).max()) * 2.3e-16 / 0.1
    assert relative(PLANE.distance(p, q), torch.tensor(exact, dtype=torch.float64)) < EXACT
    assert relative(PLANE.distance(p, q), torch.full((20,), 0.1, dtype=torch.float64)) < EXACT + 4 * rounding


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_log_and_transport_far_out(dim):
    space = Hyperbolic(dim)
    p, v, q = far_pairs(10.0, 1.0, dim)
    assert relative(space.log(p, q), v) < 1e-8  # q is rounded, see above
    u = space.frame_at(q)[..., 0]
    there = space.transport(p, q, u)
    assert relative(space.inner(p, there, there), torch.ones(20, dtype=torch.float64)) < EXACT
    assert relative(space.transport(q, p, there), u) < EXACT


def test_control_the_hyperboloid_formula_loses_what_is_small():
    p, _, q = far_pairs(10.0)
    a, b = PLANE.to_hyperboloid(p), PLANE.to_hyperboloid(q)
    naive = torch.acosh((a[:, 0] * b[:, 0] - (a[:, 1:] * b[:, 1:]).sum(-1)).clamp(min=1))
    assert relative(naive, torch.full((20,), 0.1, dtype=torch.float64)) > 1e-9


@pytest.mark.parametrize("dim", [2, 3])
def test_coordinates_convert_into_each_other(dim):
    space = Hyperbolic(dim)
    p = space.random_points(50, generator=torch.Generator().manual_seed(0))
    assert relative(space.from_ball(space.to_ball(p)), p) < EXACT
    assert relative(space.from_hyperboloid(space.to_hyperboloid(p)), p) < EXACT
    x = space.to_hyperboloid(p)
    assert relative(x[:, 0] ** 2 - (x[:, 1:] ** 2).sum(-1), torch.ones(50, dtype=torch.float64)) < EXACT
    ball = space.to_ball(p)
    assert bool((ball.norm(dim=-1) < 1).all())
    gap = (ball[:25] - ball[25:]).square().sum(-1)
    scale = (1 - ball[:25].square().sum(-1)) * (1 - ball[25:].square().sum(-1))
    assert relative(torch.acosh(1 + 2 * gap / scale), space.distance(p[:25], p[25:])) < 1e-10


def horocyclic(points: torch.Tensor):
    structure = GStructure(Trivial(2), PLANE.frame_at, "trivial")
    return PLANE.gauge_graph(points, radius=0.7, structure=structure, dtype=torch.float64)


def test_horocyclic_frames_see_the_same_after_ax_plus_b_and_not_after_a_rotation():
    points = PLANE.random_points(100, generator=torch.Generator().manual_seed(0))
    graph = horocyclic(points)
    moved = horocyclic(PLANE.affine(3.0, -2.0)(points))
    assert torch.equal(moved.edge_index, graph.edge_index)
    assert relative(moved.log_map, graph.log_map) < EXACT
    rotation = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    rotated = horocyclic(PLANE.rotate(rotation, points))
    assert torch.equal(rotated.edge_index, graph.edge_index)
    assert relative(rotated.log_map, graph.log_map) > 0.1


def test_levi_civita_on_horocyclic_frames_is_refused():
    points = PLANE.random_points(50, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ManifoldError, match="Levi-Civita is not compatible with this Trivial-structure"):
        PLANE.gauge_graph(points, radius=0.7, structure=GStructure(Trivial(2), PLANE.frame_at))
