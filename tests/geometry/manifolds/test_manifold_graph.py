"""From a manifold to a gauge graph: what it holds, what it refuses and why, and theory that it must reproduce."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gaugenet.geometry.gauge_graph import is_sorted_by_target
from gaugenet.geometry.manifolds.euclidean import Euclidean, Minkowski, PuncturedPlane
from gaugenet.geometry.manifolds.manifold import Manifold, ManifoldError
from gaugenet.geometry.manifolds.sphere import Sphere
from gaugenet.geometry.manifolds.structure import GStructure
from gaugenet.groups import O2, SO2, Cyclic, Reflection, Trivial
from tests.tolerances import TOL, relative

EXACT = TOL[torch.float64]


def some(manifold: Manifold, size: int, seed: int = 0) -> torch.Tensor:
    return manifold.random_points(size, generator=torch.Generator().manual_seed(seed))


def polar_frames(p: torch.Tensor) -> torch.Tensor:
    """Frames of S^2 that point south and east."""
    east = torch.stack([-p[:, 1], p[:, 0], torch.zeros(len(p), dtype=p.dtype)], -1)
    east = east / east.norm(dim=-1, keepdim=True)
    return torch.stack([torch.linalg.cross(east, p), east], -1)


POLES = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], dtype=torch.float64)


# --- what a graph holds -------------------------------------------------------------------------------------------


def test_neighbors_are_those_within_the_radius():
    sphere, radius = Sphere(2), 0.4
    points = some(sphere, 300)
    graph = sphere.gauge_graph(points, SO2(), radius=radius, dtype=torch.float64)
    assert is_sorted_by_target(graph.edge_index)
    angle = torch.arccos((points @ points.T).clamp(-1, 1))
    expected = (angle <= radius) & ~torch.eye(300, dtype=torch.bool)
    assert {tuple(e) for e in graph.edge_index.T.tolist()} == {(q, p) for p, q in expected.nonzero().tolist()}
    source, target = graph.edge_index
    assert relative(graph.log_map.norm(dim=-1), angle[target, source]) < 1e-7  # arccos loses half of the digits


def test_log_maps_and_transporters_are_coefficients_in_the_frames():
    sphere = Sphere(2)
    points = some(sphere, 200)
    graph = sphere.gauge_graph(points, SO2(), radius=0.5, dtype=torch.float64)
    source, target = graph.edge_index
    vectors = torch.einsum("edi,ei->ed", graph.frame[target], graph.log_map)
    assert relative(sphere.exp(points[target], vectors), points[source]) < EXACT
    for i in range(2):
        moved = sphere.transport(points[target], points[source], graph.frame[source][..., i])
        assert relative(torch.einsum("edi,ei->ed", graph.frame[target], graph.transporter[..., i]), moved) < EXACT


def test_frames_of_the_sphere_are_counter_clockwise_from_outside():
    points = some(Sphere(2), 100)
    frame = Sphere(2).gauge_graph(points, SO2(), radius=0.5, dtype=torch.float64).frame
    assert relative(torch.linalg.cross(frame[..., 0], frame[..., 1]), points) < EXACT


def test_weights_are_shares_of_the_neighborhood():
    sphere = Sphere(2)
    points, mass = some(sphere, 150), torch.rand(150, dtype=torch.float64) + 0.5
    graph = sphere.gauge_graph(points, SO2(), radius=0.5, mass=mass, dtype=torch.float64)
    source, target = graph.edge_index
    whole = mass.clone().index_add_(0, target, mass[source])
    assert relative(graph.weight, mass[source] / whole[target]) < EXACT
    assert torch.equal(graph.mass, mass)


def test_default_mass_is_a_density_estimate():
    sphere = Sphere(2)
    graph = sphere.gauge_graph(some(sphere, 4000), SO2(), radius=0.3, dtype=torch.float64)
    assert graph.mass.sum().item() == pytest.approx(4 * math.pi, rel=0.05)


def test_max_neighbors_keeps_the_nearest():
    sphere = Sphere(2)
    points = some(sphere, 200)
    full = sphere.gauge_graph(points, SO2(), radius=0.6, dtype=torch.float64)
    few = sphere.gauge_graph(points, SO2(), radius=0.6, max_neighbors=5, dtype=torch.float64)
    for p in range(0, 200, 20):
        lengths = full.log_map[full.edge_index[1] == p].norm(dim=-1).sort().values[:5]
        assert torch.allclose(few.log_map[few.edge_index[1] == p].norm(dim=-1).sort().values, lengths)


def test_gradients_flow_to_the_points():
    sphere = Sphere(2)
    points = some(sphere, 60).requires_grad_()
    graph = sphere.gauge_graph(points, SO2(), radius=0.8, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(graph.log_map.norm(dim=-1).sum(), points)
    source, target = graph.edge_index
    expected = torch.zeros_like(points)
    for e in range(len(source)):
        toward = -sphere.log(points[target[e]], points[source[e]])
        expected[target[e]] += (toward / toward.norm()).detach()
        back = -sphere.log(points[source[e]], points[target[e]])
        expected[source[e]] += (back / back.norm()).detach()
    assert relative(sphere.to_tangent(points, gradient), expected) < 1e-10


def test_one_point_and_far_points_have_no_edges():
    graph = Euclidean(2).gauge_graph(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), Trivial(), radius=1.0)
    assert graph.edge_index.shape == (2, 0)
    assert graph.transporter.shape == (0, 2, 2)
    assert graph.num_nodes == 2


class Tree(Euclidean):
    """The plane without an embedding, so that all pairs are measured."""

    def embed(self, p):
        return None


def test_measuring_all_pairs_finds_the_same_neighbors():
    points = some(Euclidean(2), 400)
    one, other = (m.gauge_graph(points, Trivial(), radius=0.2) for m in (Euclidean(2), Tree(2)))
    assert torch.equal(one.edge_index, other.edge_index)


# --- what is refused ----------------------------------------------------------------------------------------------


class Projected(Sphere):
    """Transport as some libraries have it: a projection."""

    def transport(self, p, q, v):
        return self.to_tangent(p, v)


class Twisted(Sphere):
    """Transport that keeps lengths, and rotates vectors on the way."""

    def transport(self, p, q, v):
        moved, angle = super().transport(p, q, v), 0.1
        return math.cos(angle) * moved + math.sin(angle) * torch.linalg.cross(p, moved)


class Stretched(Sphere):
    def exp(self, p, v):
        return super().exp(p, 1.01 * v)


class NotFinite(Sphere):
    def log(self, p, q):
        return super().log(p, q) / 0.0


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Projected(), "does not preserve inner products.*may be a projection"),
        (Twisted(), "there and back"),
        (Stretched(), "exp\\(p, log\\(p, q\\)\\) is not q"),
        (NotFinite(), "not finite"),
    ],
)
def test_spaces_that_contradict_themselves_are_refused(space, message):
    points = some(Sphere(2), 200)
    with pytest.raises(ManifoldError, match=message):
        space.gauge_graph(points, SO2(), radius=0.3)


def test_control_without_checks_a_projection_passes():
    graph = Projected().gauge_graph(some(Sphere(2), 200), SO2(), radius=0.001, check=False)
    assert graph.num_nodes == 200


def test_radius_beyond_the_injectivity_radius_is_refused():
    with pytest.raises(ManifoldError, match=r"injectivity radius 3\.142"):
        Sphere(2).gauge_graph(some(Sphere(2), 20), SO2(), radius=3.2)
    with pytest.raises(ManifoldError, match="injectivity radius"):
        PuncturedPlane().gauge_graph(torch.tensor([[0.1, 0.0], [0.2, 0.0]]), SO2(), radius=0.15)


def test_points_off_the_manifold_are_refused():
    points = some(Sphere(2), 100)
    points[7] *= 1.2
    with pytest.raises(ManifoldError, match="point 7"):
        Sphere(2).gauge_graph(points, SO2(), radius=0.7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"radius": -1.0}, "positive `radius`"),
        ({"radius": 0.1, "max_neighbors": 0}, "positive `max_neighbors`"),
        ({"radius": 0.1, "mass": torch.ones(3)}, "`mass` of shape"),
        ({"radius": 0.1, "structure": GStructure(O2())}, "to equal `structure.group`"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        Sphere(2).gauge_graph(some(Sphere(2), 20), SO2(), **arguments)


def test_points_and_groups_are_checked():
    with pytest.raises(ValueError, match="shape \\(N, D\\)"):
        Sphere(2).gauge_graph(torch.zeros(3), SO2(), radius=0.1)
    with pytest.raises(ValueError, match="finite `points`"):
        Euclidean(2).gauge_graph(torch.full((2, 2), torch.nan), Trivial(), radius=0.1)
    with pytest.raises(ValueError, match="acting on R\\^3"):
        Sphere(3).gauge_graph(some(Sphere(3), 9), SO2(), radius=0.1)
    with pytest.raises(ValueError, match="StructureGroup"):
        Sphere(2).gauge_graph(some(Sphere(2), 9), "SO(2)", radius=0.1)


# --- structures and their obstructions ----------------------------------------------------------------------------


@pytest.mark.parametrize("group", [Trivial(), Cyclic(4), Reflection()])
def test_no_combed_structure_on_the_sphere(group):
    with pytest.raises(ManifoldError, match="Euler characteristic 2"):
        Sphere(2).gauge_graph(some(Sphere(2), 50), group, radius=0.3)


def test_frames_of_the_sphere_off_its_poles():
    points = some(Sphere(2), 300)
    structure = GStructure(Trivial(), polar_frames, "trivial", singular_points=POLES)
    graph = Sphere(2).gauge_graph(points, radius=0.3, structure=structure, dtype=torch.float64)
    assert relative(graph.frame, polar_frames(points)) < EXACT
    assert torch.equal(graph.transporter, torch.eye(2, dtype=torch.float64).expand_as(graph.transporter))
    with pytest.raises(ManifoldError, match="singular point 1"):
        Sphere(2).gauge_graph(torch.cat([points, POLES[1:]]), radius=0.3, structure=structure)


def test_levi_civita_on_a_frame_field_is_refused():
    structure = GStructure(Trivial(), polar_frames, singular_points=POLES)
    with pytest.raises(ManifoldError, match="Levi-Civita is not compatible with this Trivial-structure"):
        Sphere(2).gauge_graph(some(Sphere(2), 300), radius=0.3, structure=structure)


def test_levi_civita_on_parallel_frames_is_not_refused():
    graph = Euclidean(3).gauge_graph(some(Euclidean(3), 100), Trivial(3), radius=0.4)
    assert torch.equal(graph.transporter, torch.eye(3).expand_as(graph.transporter))


def test_connections_are_checked():
    def skewed(p, q):
        return torch.tensor([[1.0, 0.1], [0.0, 1.0]]).expand(len(p), 2, 2)

    with pytest.raises(ManifoldError, match="lie outside SO\\(2\\)"):
        Sphere(2).gauge_graph(some(Sphere(2), 90), radius=0.3, structure=GStructure(SO2(), None, skewed))
    with pytest.raises(ValueError, match="`connection`"):
        GStructure(SO2(), connection="parallel")
    with pytest.raises(ValueError, match="Expected a finite group"):
        GStructure(SO2(), connection="nearest")
    with pytest.raises(ValueError, match="Expected `frames` with connection='trivial'"):
        GStructure(Trivial(), connection="trivial")


def test_nearest_connection_of_a_cross_field():
    """Polar crosses on the plane: Levi-Civita rotates them by the polar angle, C_4 at most half a step less."""
    structure = GStructure(Cyclic(4), PuncturedPlane.polar_frames, "nearest")
    plane = PuncturedPlane()
    graph = plane.gauge_graph(some(plane, 200), radius=0.5, structure=structure, dtype=torch.float64)
    assert bool(Cyclic(4).contains(graph.transporter).all())
    exact = plane.gauge_graph(
        some(plane, 200), radius=0.5, structure=GStructure(SO2(), plane.polar_frames), dtype=torch.float64
    )
    between = exact.transporter.mT @ graph.transporter
    assert torch.arccos(between[:, 0, 0].clamp(-1, 1)).max() <= math.pi / 4 + 1e-9


def test_log_polar_neighborhoods_grow_with_the_distance():
    plane = PuncturedPlane()
    structure = GStructure(Trivial(), plane.log_polar_frames, "trivial")
    points = some(plane, 300)
    graph = plane.gauge_graph(points, radius=0.3, structure=structure, dtype=torch.float64)
    distance = (points[:, None] - points).norm(dim=-1)
    expected = (distance <= 0.3 * points.norm(dim=-1)[:, None]) & ~torch.eye(300, dtype=torch.bool)
    assert graph.edge_index.shape[1] == int(expected.sum())
    larger = plane.gauge_graph(5 * points, radius=0.3, structure=structure, dtype=torch.float64)
    assert torch.equal(graph.edge_index, larger.edge_index)
    assert relative(larger.log_map, graph.log_map) < EXACT


def test_orthonormal_frames_are_demanded_of_orthogonal_groups():
    plane = PuncturedPlane()
    with pytest.raises(ManifoldError, match="not orthonormal"):
        plane.gauge_graph(2 * some(plane, 50), radius=0.3, structure=GStructure(SO2(), plane.log_polar_frames))


def test_frames_of_space_time_have_its_signature():
    space = Minkowski(3)
    graph = space.gauge_graph(some(space, 100), Trivial(3), radius=0.5, dtype=torch.float64)
    e = graph.frame[0]
    assert torch.equal(e.T @ torch.diag(space.signature) @ e, torch.diag(torch.tensor([1.0, -1, -1]).double()))


# --- curvature ----------------------------------------------------------------------------------------------------


def around(manifold: Manifold, corners: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """A vector at the first corner transported along the closed polygon of geodesics."""
    for start, end in zip(corners, torch.roll(corners, -1, 0), strict=True):
        v = manifold.transport(end, start, v)
    return v


def test_holonomy_of_a_sphere_octant_is_a_right_angle():
    corners = torch.eye(3, dtype=torch.float64)
    v = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    rotated = around(Sphere(2), corners, v)
    angle = torch.atan2((torch.linalg.cross(v, rotated) * corners[0]).sum(), (v * rotated).sum())
    assert abs(angle.item() - math.pi / 2) < EXACT
    assert relative(around(Euclidean(3), corners, v), v) < EXACT


def test_small_loops_turn_by_curvature_times_area():
    """The deviation falls with the fourth power of the size: relative to the area with the square."""
    errors = []
    for h in (0.2, 0.1, 0.05):
        base = torch.tensor([0.0, 0.0, 2.0], dtype=torch.float64)
        sphere = Sphere(2, radius=2.0)
        offsets = h * torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=torch.float64)
        corners = sphere.exp(base.expand(3, 3), offsets)
        v = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
        rotated = around(sphere, corners, v)
        angle = torch.atan2(rotated[1], rotated[0]).item()
        errors.append(abs(angle / (h * h / 2 / 4) - 1))
    rates = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert (np.abs(rates - 2) < 0.05).all()
