"""Convolutions on manifolds: gauges, isometries, homogeneous spaces, and the integral that the sum stands for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gaugenet.geometry import (
    EmbeddedTorus,
    Euclidean,
    GStructure,
    Hyperbolic,
    Manifold,
    MobiusStrip,
    ProjectiveSpace,
    Rotations,
    Sphere,
)
from gaugenet.groups import O2, O3, SO2, SO3, FieldType, Reflection, StructureGroup, Trivial
from gaugenet.nn import GaugeConv
from gaugenet.testing import assert_gauge_equivariant
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]


def some(manifold: Manifold, size: int, seed: int = 0) -> torch.Tensor:
    return manifold.random_points(size, generator=torch.Generator().manual_seed(seed))


CASES: list[tuple[Manifold, StructureGroup, str, float]] = [
    (Sphere(2), SO2(), "2x0 + 2x1 + 1x2", 0.5),
    (Sphere(2), O2(), "2x0 + 1x0- + 2x1", 0.5),
    (Hyperbolic(2), SO2(), "2x0 + 2x1", 0.8),
    (Hyperbolic(3), SO3(), "2x0 + 2x1", 1.2),
    (Sphere(3), SO3(), "2x0 + 2x1", 0.8),
    (Euclidean(3), SO3(), "2x0 + 2x1", 0.6),
    (MobiusStrip(4.0), Reflection(), "2x0 + 1x0- + 1xregular", 0.5),
    (ProjectiveSpace(2), O2(), "2x0 + 2x1", 0.5),
]


def layer(group: StructureGroup, spec: str) -> GaugeConv:
    return GaugeConv(FieldType(group, spec), FieldType(group, spec)).double()


@pytest.mark.parametrize(("manifold", "group", "spec", "radius"), CASES, ids=[f"{c[0]!r}-{c[1]}" for c in CASES])
def test_convolutions_do_not_depend_on_frames_nor_move_under_isometries(manifold, group, spec, radius):
    points = some(manifold, 80)
    graph = manifold.gauge_graph(points, group, radius=radius, dtype=torch.float64)
    assert graph.edge_index.shape[1] > 100
    conv = layer(group, spec)
    assert_gauge_equivariant(conv, graph)

    scalars = GaugeConv(FieldType(group, "2x0"), conv.in_type).double()
    back = GaugeConv(conv.in_type, FieldType(group, "2x0")).double()
    x = torch.randn(80, 2, dtype=torch.float64)
    move = manifold.random_isometry(torch.Generator().manual_seed(3))
    moved = manifold.gauge_graph(move(points), group, radius=radius, dtype=torch.float64)
    expected = back(scalars(x, graph), graph)
    assert relative(back(scalars(x, moved), moved), expected) < 1e-11  # distances at the radius are rounded
    assert relative(back(scalars(x.flip(0), moved), moved), expected) > 1e-2


@pytest.mark.parametrize(
    ("dim", "group", "vectors"), [(2, SO2(), "2x1"), (2, O2(), "2x1"), (3, SO3(), "2x1"), (3, O3(), "2x1o")]
)
def test_boosts_up_to_rapidity_four(dim, group, vectors):
    """Points out to distance six of the origin, boosted to distance ten, with a rotation in between."""
    plane = Hyperbolic(dim)
    g = torch.Generator().manual_seed(0)
    origin = torch.tensor([0.0] * (dim - 1) + [1.0], dtype=torch.float64).expand(60, dim)
    direction = torch.randn(60, dim, generator=g, dtype=torch.float64)
    direction = direction / direction.norm(dim=-1, keepdim=True)
    centre = plane.exp(origin[:3], 6 * direction[:3]).repeat_interleave(20, 0)
    points = plane.exp(centre, centre[:, -1:] * direction * torch.rand(60, 1, generator=g, dtype=torch.float64))
    first, second = (
        GaugeConv(FieldType(group, a), FieldType(group, b)).double() for a, b in [("2x0", vectors), (vectors, "2x0")]
    )
    x = torch.randn(60, 2, dtype=torch.float64)

    def run(p: torch.Tensor) -> torch.Tensor:
        graph = plane.gauge_graph(p, group, radius=0.8, dtype=torch.float64)
        assert graph.edge_index.shape[1] > 150
        return second(first(x, graph), graph)

    expected = run(points)
    rotation = torch.eye(dim, dtype=torch.float64)
    rotation[:2, :2] = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    for rapidity in (-4.0, 4.0):
        boosted = plane.rotate(rotation, plane.affine(math.exp(rapidity))(points))
        assert relative(run(boosted), expected) < 1e-10


def test_convolution_on_a_surface_of_revolution_turns_with_it():
    torus, group = EmbeddedTorus(2.0, 1.0, steps=2), SO2()
    points = some(torus, 30)
    conv = GaugeConv(FieldType(group, "1x0"), FieldType(group, "1x0")).double()
    x = torch.randn(30, 1, dtype=torch.float64)
    rotation = torch.tensor([1.0, 0.0], dtype=torch.float64)
    graphs = [torus.gauge_graph(p, group, radius=1.0, dtype=torch.float64) for p in (points, points + rotation)]
    assert relative(conv(x, graphs[1]), conv(x, graphs[0])) < 1e-9


# --- homogeneous spaces -------------------------------------------------------------------------------------------


def test_shared_kernels_on_the_half_plane_are_a_convolution_of_the_group_ax_plus_b():
    """sum over q of w K(log_e(p^-1 q)) f(q), with the group's own product: frames and connection say nothing else."""
    plane = Hyperbolic(2)
    points = some(plane, 70)
    structure = GStructure(Trivial(2), plane.frame_at, "trivial")
    graph = plane.gauge_graph(points, radius=0.9, structure=structure, dtype=torch.float64)
    fields = FieldType(Trivial(2), "3x0")
    conv = GaugeConv(fields, fields, self_interaction=False, bias=False).double()
    x = torch.randn(70, 3, dtype=torch.float64)
    identity = torch.tensor([0.0, 1.0], dtype=torch.float64)
    p, q = points[:, None], points[None]
    quotient = torch.cat([(q - p)[..., :1], q[..., 1:].expand(70, 70, 1)], -1) / p[..., 1:]  # p^-1 q
    v = plane.log(identity, quotient) / 0.9
    kernel = conv.kernels.evaluate(conv.weight, v)
    weight = torch.zeros(70, 70, dtype=torch.float64)
    weight[graph.edge_index[1], graph.edge_index[0]] = graph.weight
    assert relative(conv(x, graph), torch.einsum("pq,pqoi,qi->po", weight, kernel, x)) < EXACT


def test_shared_kernels_on_rotations_are_a_convolution_of_the_group():
    """Logarithms in left-invariant frames are those of p^-1 q at the identity; in other frames they are not."""
    space = Rotations()
    points = some(space, 50)
    structure = GStructure(Trivial(3), space.frame_at, "trivial")
    graph = space.gauge_graph(points, radius=1.5, structure=structure, dtype=torch.float64)
    source, target = graph.edge_index
    m = points.unflatten(-1, (3, 3))
    quotient = (m[target].mT @ m[source]).flatten(1)
    identity = torch.eye(3, dtype=torch.float64).flatten().expand_as(quotient)
    generators = space.frame_at(identity)
    expected = (generators.mT @ space.log(identity, quotient).unsqueeze(-1)).squeeze(-1) / 2
    assert relative(graph.log_map, expected) < EXACT
    other = Manifold.frame_at(space, points)
    free = space.gauge_graph(points, radius=1.5, structure=GStructure(O3(), other), dtype=torch.float64)
    assert relative(free.log_map, expected) > 0.1


# --- the integral -------------------------------------------------------------------------------------------------


def quadrature(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Gauss-Legendre in the height times equal angles: points of S^2 and the areas that they stand for."""
    z, w = np.polynomial.legendre.leggauss(n)
    angle = 2 * np.pi * np.arange(2 * n) / (2 * n)
    ring = np.sqrt(1 - z**2)
    shifted = angle + np.arange(n)[:, None]  # no two rings in line
    x = np.stack(
        [ring[:, None] * np.cos(shifted), ring[:, None] * np.sin(shifted), np.repeat(z[:, None], 2 * n, 1)], -1
    )
    return torch.from_numpy(x.reshape(-1, 3)), torch.from_numpy(np.repeat(w * np.pi / n, 2 * n))


def test_sums_converge_to_the_integral():
    """Funk-Hecke: convolving x_3 (degree one) with K(distance) multiplies it by 2 pi int K(t) cos(t) sin(t) dt.

    The order is 3/2 in the long run (measured from n = 16 to 64: 1.5 to 1.8), unsteadily: kernels end with a jump.
    """
    radius, group = 0.8, SO2()
    conv = GaugeConv(FieldType(group, "1x0"), FieldType(group, "1x0"), self_interaction=False, bias=False).double()
    t = torch.linspace(0, radius, 20001, dtype=torch.float64)
    v = torch.stack([t / radius, torch.zeros_like(t)], -1)
    k = conv.kernels.evaluate(conv.weight.detach(), v)[:, 0, 0]
    factor = 2 * math.pi * torch.trapezoid(k * torch.cos(t) * torch.sin(t), t)
    errors = []
    for n in (8, 16, 32):
        points, area = quadrature(n)
        graph = Sphere(2).gauge_graph(points, group, radius=radius, mass=area, check=False, dtype=torch.float64)
        source, target = graph.edge_index
        whole = area.index_add(0, target, area[source])
        out = conv(points[:, 2:], graph)[:, 0] * whole
        errors.append(float((out - factor * points[:, 2]).detach().square().mean().sqrt() / factor.abs()))
    assert errors[-1] < 0.02
    assert math.log2(errors[0] / errors[-1]) / 2 > 1.4
