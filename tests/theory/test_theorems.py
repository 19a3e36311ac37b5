"""What the theory of coordinate independent CNNs states, checked against closed forms: holonomy, groups, self-edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gaugenet.geometry import EmbeddedTorus, GStructure, Hyperbolic, Manifold, ManifoldError, Sphere
from gaugenet.groups import O2, SO2, FieldType, Trivial
from gaugenet.groups.representations.planar import rotation
from gaugenet.nn import GaugeConv
from tests.nn.graphs import synthetic_graph
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]
GROUP = SO2()


# --- curvature ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_transporters_around_a_sphere_octant_are_a_right_angle_in_any_frames(seed):
    graph = Sphere(2).gauge_graph(torch.eye(3, dtype=torch.float64), GROUP, radius=1.6, dtype=torch.float64)
    rotations = 2 * math.pi * torch.rand(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    graph = graph.gauge_transform(rotation(rotations))
    transporter = {(int(q), int(p)): g for (q, p), g in zip(graph.edge_index.T, graph.transporter, strict=True)}
    around = transporter[2, 0] @ transporter[1, 2] @ transporter[0, 1]
    right = rotation(torch.tensor(math.pi / 2, dtype=torch.float64))
    assert (around - right).abs().max() < EXACT
    assert (
        transporter[1, 0] @ transporter[2, 1] @ transporter[0, 2] - right
    ).abs().max() > 1  # the other way round: minus a right angle


def holonomy(manifold: Manifold, corners: torch.Tensor) -> float:
    """The angle by which the closed polygon of geodesics rotates vectors at its first corner."""
    p = corners[0]
    e = manifold.frame_at(p[None])[0]
    v = e[:, 0]
    for start, end in zip(corners, torch.roll(corners, -1, 0), strict=True):
        v = manifold.transport(end, start, v)
    return math.atan2(manifold.inner(p, e[:, 1], v).item(), manifold.inner(p, e[:, 0], v).item())


@pytest.mark.parametrize(
    ("manifold", "point", "curvature"),
    [
        (Sphere(2, radius=2.0), (0.0, 0.0, 2.0), 1 / 4),
        (Hyperbolic(2), (0.3, 1.7), -1.0),
        (EmbeddedTorus(2.0, 1.0), (0.4, 0.0), 1 / 3),
        pytest.param(EmbeddedTorus(2.0, 1.0), (0.4, math.pi), -1.0, marks=pytest.mark.long),
        pytest.param(EmbeddedTorus(2.0, 1.0), (0.4, math.pi / 2), 0.0, marks=pytest.mark.long),
    ],
    ids=["sphere", "hyperbolic", "outside of a torus", "inside of a torus", "top of a torus"],
)
def test_small_loops_turn_by_curvature_times_area(manifold, point, curvature):
    """Squares about the point: the angle over the area misses the curvature there by O(h^2), of either sign."""
    p = torch.tensor(point, dtype=torch.float64)
    e = manifold.frame_at(p[None])[0]
    square = torch.tensor([[1.0, 1], [-1, 1], [-1, -1], [1, -1]], dtype=torch.float64)
    errors = []
    for h in (0.2, 0.1, 0.05):
        corners = manifold.exp(p.expand(4, -1), h * square @ e.T)
        errors.append(abs(holonomy(manifold, corners) / (2 * h) ** 2 - curvature))
    assert errors[0] < 0.05
    assert errors[1] < errors[0] / 3.6
    assert errors[2] < errors[1] / 3.6


def test_levi_civita_transport_of_a_frame_field_is_no_e_structure():
    """Refused on the sphere, where it rotates frames; their trivial connection is another one."""
    points = Sphere(2).random_points(200, generator=torch.Generator().manual_seed(0))
    points = points[points[:, 2].abs() < 0.8]

    def polar(p: torch.Tensor) -> torch.Tensor:
        east = torch.stack([-p[:, 1], p[:, 0], torch.zeros_like(p[:, 0])], -1)
        east = east / east.norm(dim=-1, keepdim=True)
        return torch.stack([east, torch.linalg.cross(p, east)], -1)

    poles = torch.tensor([[0.0, 0, 1], [0, 0, -1]], dtype=torch.float64)
    with pytest.raises(ManifoldError, match="Levi-Civita is not compatible with this Trivial-structure"):
        Sphere(2).gauge_graph(points, radius=0.4, structure=GStructure(Trivial(), polar, singular_points=poles))
    trivial = GStructure(Trivial(), polar, "trivial", singular_points=poles)
    rotating = GStructure(GROUP, polar, singular_points=poles)
    keep, rotated = (
        Sphere(2).gauge_graph(points, radius=0.4, structure=s, dtype=torch.float64) for s in (trivial, rotating)
    )
    assert relative(keep.log_map, rotated.log_map) < EXACT
    assert (keep.transporter - rotated.transporter).abs().max() > 0.1


# --- homogeneous spaces: the sphere is SO(3) / SO(2) --------------------------------------------------------------


def euler_angles(g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """g = R_z(alpha) R_y(beta) R_z(gamma)."""
    beta = torch.atan2(torch.linalg.vector_norm(g[..., :2, 2], dim=-1), g[..., 2, 2])
    return torch.atan2(g[..., 1, 2], g[..., 0, 2]), beta, torch.atan2(g[..., 2, 1], -g[..., 2, 0])


def from_euler_angles(alpha: torch.Tensor, beta: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    def about(angle: torch.Tensor, i: int, j: int) -> torch.Tensor:
        out = torch.eye(3, dtype=torch.float64).repeat(*angle.shape, 1, 1)
        out[..., i, i] = out[..., j, j] = torch.cos(angle)
        out[..., j, i], out[..., i, j] = torch.sin(angle), -torch.sin(angle)
        return out

    return about(alpha, 0, 1) @ about(beta, 2, 0) @ about(gamma, 0, 1)


def kernel_on_the_group(conv: GaugeConv, g: torch.Tensor, radius: float, sign: float = 1.0) -> torch.Tensor:
    """K lifted to SO(3): g e_z lies at the angles (beta, alpha), the frame g e_x, g e_y comes back rotated."""
    alpha, beta, gamma = euler_angles(g)
    v = beta[..., None] * torch.stack([torch.cos(alpha), torch.sin(alpha)], -1)
    rho = conv.in_type.representation()(rotation(sign * (alpha + gamma)))
    return conv.kernels.evaluate(conv.weight.detach(), v / radius) @ rho


def random_rotations(count: int) -> torch.Tensor:
    q = torch.linalg.qr(torch.randn(count, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q
    return q * torch.linalg.det(q)[:, None, None]


def plain(spec_in: str, spec_out: str) -> GaugeConv:
    torch.manual_seed(0)
    fields = FieldType(GROUP, spec_in), FieldType(GROUP, spec_out)
    return GaugeConv(*fields, self_interaction=False, bias=False).double()


def test_shared_kernels_on_the_sphere_are_a_convolution_of_its_rotations():
    """sum over h of w K(g^-1 h) f(h), with products of rotations alone: no logarithm, no transport, no frame field."""
    g, radius, conv = random_rotations(80), 0.9, plain("2x0 + 2x1 + 1x2", "1x0 + 2x1 + 1x3")
    graph = Sphere(2).gauge_graph(g[:, :, 2], GROUP, radius=radius, dtype=torch.float64)
    graph = graph.gauge_transform(g[:, :, :2].mT @ graph.frame)
    assert relative(graph.frame, g[:, :, :2]) < EXACT
    source, target = graph.edge_index
    x = torch.randn(80, conv.in_type.size, dtype=torch.float64)

    def on_the_group(sign: float) -> torch.Tensor:
        kernel = kernel_on_the_group(conv, g[target].mT @ g[source], radius, sign)
        terms = graph.weight[:, None] * torch.einsum("eoi,ei->eo", kernel, x[source])
        return torch.zeros(80, conv.out_type.size, dtype=torch.float64).index_add(0, target, terms)

    assert relative(conv(x, graph), on_the_group(1.0)) < EXACT
    assert relative(conv(x, graph), on_the_group(-1.0)) > 0.1  # features transported the wrong way


def test_sums_over_points_converge_to_the_integral_over_the_group():
    """With order 3/2, as sums do whose kernel ends with a jump; without transport nothing converges.

    Vector fields; the integral is Gauss-Legendre times equal angles on SO(3).
    """
    radius, conv = 0.9, plain("1x1", "1x0 + 1x1")

    def field(g: torch.Tensor) -> torch.Tensor:
        x, y, z = g[..., 2].unbind(-1)
        ambient = torch.stack([y * z + 0.5, x - z, x * y], -1)
        return (g[..., :2].mT @ ambient[..., None])[..., 0]

    t, w = np.polynomial.legendre.leggauss(24)
    beta, weight = torch.from_numpy(radius * (t + 1) / 2), torch.from_numpy(radius * w / 2)
    alpha = 2 * math.pi * torch.arange(48, dtype=torch.float64) / 48
    beta, alpha = (a.flatten() for a in torch.meshgrid(beta, alpha, indexing="ij"))
    u = from_euler_angles(alpha, beta, torch.linspace(0, 5, len(beta), dtype=torch.float64))  # any gamma will do
    kernel = kernel_on_the_group(conv, u, radius)
    measure = weight.repeat_interleave(48) * 2 * math.pi / 48 * torch.sin(beta)

    errors, without = [], []
    for n in (8, 16, 32):
        points, area = rings(n)
        graph = Sphere(2).gauge_graph(points, GROUP, radius=radius, mass=area, check=False, dtype=torch.float64)
        g = torch.cat([graph.frame, points[..., None]], -1)
        some = torch.linspace(0, len(points) - 1, 60).long()
        integral = torch.einsum("u,uoi,pui->po", measure, kernel, field(g[some, None] @ u))
        source, target = graph.edge_index
        whole = area.index_add(0, target, area[source])[some, None]
        errors.append(rms(conv(field(g), graph)[some].detach() * whole - integral) / rms(integral))
        graph.transporter = torch.eye(2, dtype=torch.float64).expand_as(graph.transporter)
        without.append(rms(conv(field(g), graph)[some].detach() * whole - integral) / rms(integral))
    assert errors[-1] < 0.02
    assert math.log2(errors[0] / errors[-1]) / 2 > 1.3
    assert min(without) > 0.1


def rings(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of S^2, Gauss-Legendre in the height times 2 n angles, and the areas that they stand for."""
    z, w = np.polynomial.legendre.leggauss(n)
    angle = np.pi * np.arange(2 * n) / n + np.arange(n)[:, None]  # no two rings in line
    ring = np.sqrt(1 - z**2)[:, None]
    points = np.stack([ring * np.cos(angle), ring * np.sin(angle), np.repeat(z[:, None], 2 * n, 1)], -1)
    return torch.from_numpy(points.reshape(-1, 3)), torch.from_numpy(np.repeat(w * np.pi / n, 2 * n))


def rms(x: torch.Tensor) -> float:
    return x.square().mean().sqrt().item()


# --- self-edges ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("group", "spec"), [(SO2(), "2x0 + 2x1 + 1x2"), (O2(), "2x0 + 1x0- + 2x1")], ids=str)
def test_points_see_themselves_through_intertwiners(group, spec):
    """Not through the kernel at length zero, whose value would depend on the frame's first axis."""
    torch.manual_seed(0)
    fields = FieldType(group, spec)
    conv = GaugeConv(fields, fields).double()
    graph = synthetic_graph(group)
    loops = graph.edge_index[0] == graph.edge_index[1]
    assert bool(loops.any())
    assert graph.log_map[loops].abs().max() == 0
    x = torch.randn(len(graph.frame), fields.size, dtype=torch.float64)
    g = group.random_element(len(x), dtype=torch.float64)
    rotated, moved = graph.gauge_transform(g), fields.transform(g, x)
    assert relative(conv(moved, rotated), fields.transform(g, conv(x, graph))) < EXACT
    own = conv.self_interaction.matrix()
    assert relative(fields.transform(g, x @ own.T), moved @ own.T) < EXACT

    at_its_axis = conv.kernels.evaluate(conv.weight, torch.tensor([0.3, 0.0], dtype=torch.float64))
    naive = x @ at_its_axis.T
    assert relative(moved @ at_its_axis.T, fields.transform(g, naive)) > 0.1
