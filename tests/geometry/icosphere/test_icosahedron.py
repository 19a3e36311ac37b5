"""The icosphere: every vertex, its charts, its areas and frames, its rotations, and the two gauge graphs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gaugenet.geometry import Icosphere, TriangleMesh, icosahedral_rotations
from gaugenet.geometry.icosphere._charts import neighbors, rotations
from gaugenet.geometry.icosphere.vectors import east_north, from_chart_frames, to_chart_frames, to_frame, to_space
from gaugenet.groups import O2, SO2, Cyclic, Dihedral, Reflection
from tests.tolerances import TOL

EXACT = TOL[torch.float64]


@pytest.mark.parametrize("projection", ["recursive", "planar"])
@pytest.mark.parametrize("level", range(5))
def test_vertices_make_a_closed_sphere(level, projection):
    sphere = Icosphere(level, projection=projection)
    count = 10 * 4**level + 2
    assert sphere.num_vertices == sphere.num_nodes == count == len(sphere.pos)
    assert torch.allclose(sphere.pos.norm(dim=1), torch.ones(count, dtype=torch.float64), atol=EXACT)
    edges = {tuple(e) for tri in sphere.face.T.tolist() for e in zip(tri, tri[1:] + tri[:1])}
    assert {(b, a) for a, b in edges} == edges
    assert len(edges) == 2 * (3 * count - 6)
    assert sphere.mass.sum().item() == pytest.approx(4 * math.pi, abs=1e-12)
    a, b, c = sphere.pos[sphere.face]
    assert (torch.linalg.cross(b - a, c - a) * (a + b + c)).sum(-1).min() > 0, "counter-clockwise from outside"


@pytest.mark.parametrize("level", range(5))
def test_neighbours_are_the_edges_counter_clockwise(level):
    sphere = Icosphere(level)
    table = neighbors(level)
    faces = {tuple(np.roll(tri, k)) for tri in sphere.face.T.tolist() for k in range(3)}
    corners = set(sphere.corners.tolist())
    for p, row in enumerate(table.tolist()):
        around = [q for q in row if q >= 0]
        assert len(around) == (5 if p in corners else 6)
        assert all((p, a, b) in faces for a, b in zip(around, around[1:] + around[:1]))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_holonomy_is_trivial_around_triangles_and_one_step_around_corners(level):
    """Transport rotates directions: around a face nothing is left, around a corner one step of 60 degrees."""
    sphere = Icosphere(level)
    table, rotation = neighbors(level), rotations(level)
    corners = set(sphere.corners.tolist())

    def step(a: int, b: int) -> int:
        """The rotate from the frame at b to the frame at a."""
        return int(rotation[a, list(table[a]).index(b)])

    for a, b, c in sphere.face.T.tolist():
        if not corners & {a, b, c}:
            assert (step(a, b) + step(b, c) + step(c, a)) % 6 == 0
    for p in sorted(corners) if level > 1 else []:
        ring = [q for q in table[p].tolist() if q >= 0]
        total = sum(step(a, b) for a, b in zip(ring, ring[1:] + ring[:1]))
        assert total % 6 in (1, 5), "a sector of 60 degrees is missing"


def test_areas_of_the_two_projections():
    for projection, ratio in (("recursive", 1.30), ("planar", 1.96)):
        sphere = Icosphere(6, projection=projection)
        hexagons = sphere.mass[~torch.isin(torch.arange(sphere.num_vertices), sphere.corners)]
        assert (hexagons.max() / hexagons.min()).item() == pytest.approx(ratio, rel=0.03)


def test_levels_are_nested_and_layouts_invert_each_other():
    sphere = Icosphere(3)
    assert torch.equal(sphere.pos[sphere.coarse_vertices], sphere.coarser().pos)
    assert torch.equal(Icosphere(2).finer().pos, sphere.pos)
    x = torch.randn(2, 3, sphere.num_vertices)
    charts = sphere.to_charts(x)
    assert charts.shape[-2:] == sphere.chart_shape == (41, 16)
    assert torch.equal(sphere.from_charts(charts), x)
    assert torch.equal(charts[..., 2 * 8 + 3, 5], x[..., (2 * 8 + 3) * 16 + 5]), "row 3, column 5 of chart 2"


def test_poles_and_coordinates():
    sphere = Icosphere(2)
    assert sphere.latitude[-2:].tolist() == pytest.approx([math.pi / 2, -math.pi / 2])
    assert sphere.longitude[0].item() == pytest.approx(0)
    assert sphere.latitude[0].item() == pytest.approx(-math.atan(0.5))


# --- rotations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1, 3])
def test_rotations_are_a_group_of_sixty_that_moves_vertices_onto_vertices(level):
    sphere = Icosphere(level)
    symmetries = icosahedral_rotations(sphere)
    matrices = torch.stack([r.matrix for r in symmetries])
    assert len(symmetries) == 60
    assert torch.allclose(matrices[0], torch.eye(3, dtype=torch.float64), atol=EXACT)
    assert (torch.linalg.det(matrices) - 1).abs().max() < EXACT
    products = torch.einsum("aij,bjk->abik", matrices, matrices).flatten(0, 1)
    distance = (products[:, None] - matrices).abs().amax((-2, -1))
    assert distance.amin(1).max() < EXACT, "closed under products"
    assert torch.pdist(matrices.flatten(1)).min() > 0.1, "all different"
    for r in symmetries:
        assert torch.equal(r.permutation.sort().values, torch.arange(sphere.num_vertices))
        assert (sphere.pos @ r.matrix.T - sphere.pos[r.permutation]).abs().max() < EXACT


def test_rotations_turn_the_frames_by_their_elements():
    sphere = Icosphere(3)
    inside = ~torch.isin(torch.arange(sphere.num_vertices), sphere.corners)
    rotated = 0
    for r in icosahedral_rotations(sphere):
        image = sphere.frame[r.permutation] @ r.elements
        assert (r.matrix @ sphere.frame - image)[inside].abs().max() < EXACT
        rotated += int((r.matrix @ sphere.frame - sphere.frame[r.permutation])[inside].abs().max() > 0.1)
    assert rotated == 55, "control: without the elements only the five rotations about the poles hold"


# --- gauge graphs -------------------------------------------------------------------------------------------------


def test_hexagonal_graph_lies_in_its_group_and_has_exact_directions():
    sphere = Icosphere(3)
    graph = sphere.gauge_graph(Cyclic(6))
    assert bool(Cyclic(6).contains(graph.transporter).all())
    assert graph.structure == "C_6"
    angle = torch.atan2(graph.log_map[:, 1], graph.log_map[:, 0]) / (math.pi / 3)
    assert (angle - angle.round()).abs().max() < EXACT
    assert (graph.log_map.norm(dim=1) - sphere.spacing).abs().max() < EXACT
    total = torch.zeros(sphere.num_vertices, dtype=torch.float64).index_add(0, graph.edge_index[1], graph.weight)
    expected = torch.full_like(total, 6 / 7)
    expected[sphere.corners] = 5 / 6
    assert (total - expected).abs().max() < EXACT


def test_geodesic_graph_agrees_with_the_mesh():
    """Closed-form great circles against paths on the polyhedron, in the same frames: they differ by its flatness."""
    sphere = Icosphere(3)
    graph = sphere.gauge_graph(SO2(), connection="levi_civita")
    mesh = TriangleMesh(sphere.pos.numpy(), sphere.face.T.numpy())
    other = mesh.gauge_graph(SO2(), neighborhood="one_ring", dtype=torch.float64)

    def key(g):
        return g.edge_index[0] + g.edge_index[1] * sphere.num_vertices

    order, match = key(graph).argsort(), key(other).argsort()
    assert torch.equal(key(graph)[order], key(other)[match])
    p, q = graph.edge_index[1], graph.edge_index[0]
    change = graph.frame.mT @ other.frame.double()  # at every vertex, from the mesh's frames to ours
    log_map = (change[other.edge_index[1]] @ other.log_map[..., None])[..., 0]
    assert (graph.log_map[order] - log_map[match]).abs().max() < 0.02 * sphere.spacing
    moved = change[p] @ other.transporter[match][order.argsort()] @ change[q].mT
    assert (graph.transporter - moved).abs().max() < 5e-3


@pytest.mark.parametrize("options", [{}, {"radius": 0.4}, {"mean_neighbors": 20}])
def test_levi_civita_transport_is_orthogonal_and_inverse_along_reversed_edges(options):
    sphere = Icosphere(2)
    graph = sphere.gauge_graph(SO2(), connection="levi_civita", **options)
    g = graph.transporter
    assert bool(SO2().contains(g, atol=EXACT).all())
    forward = {(q, p): k for k, (q, p) in enumerate(graph.edge_index.T.tolist())}
    back = torch.tensor([forward[p, q] for q, p in graph.edge_index.T.tolist()])
    assert (g @ g[back] - torch.eye(2, dtype=g.dtype)).abs().max() < EXACT
    rotated = -(g @ graph.log_map[back][..., None])[..., 0]
    assert (rotated - graph.log_map).abs().max() < EXACT, "the geodesic comes back the way it went"
    if "mean_neighbors" in options:
        assert len(g) / sphere.num_vertices == pytest.approx(20, rel=0.25)


def test_wrong_groups_and_arguments_are_refused_by_name():
    sphere = Icosphere(1)
    for group in (Cyclic(4), Reflection(), Cyclic(3)):
        with pytest.raises(ValueError, match="rotations by 60 degrees"):
            sphere.gauge_graph(group)
    with pytest.raises(ValueError, match="with all rotations"):
        sphere.gauge_graph(Dihedral(6), connection="levi_civita")
    for group in (Dihedral(6), SO2(), O2(), Cyclic(12)):
        assert sphere.gauge_graph(group).structure == "C_6"
    with pytest.raises(ValueError, match="`level`"):
        Icosphere(-1)
    with pytest.raises(ValueError, match="`level`"):
        Icosphere(2.0)
    with pytest.raises(ValueError, match="projection"):
        Icosphere(2, projection="mercator")
    with pytest.raises(ValueError, match="stride"):
        Icosphere(0, stride=2)


# --- tangent vectors ----------------------------------------------------------------------------------------------


def solid_rotation(pos: torch.Tensor) -> torch.Tensor:
    """A smooth tangent field, (3, V), that vanishes at no pole."""
    axis = torch.tensor([1.0, 0.3, -0.4], dtype=pos.dtype)
    return torch.linalg.cross(axis.expand_as(pos), pos).T


def test_tangent_vectors_survive_the_chart_frames():
    sphere = Icosphere(4)
    v = solid_rotation(sphere.pos)
    coefficients = to_chart_frames(v, sphere)
    assert coefficients.shape == (2, sphere.num_vertices)
    assert coefficients[:, sphere.corners].abs().max() == 0
    back = from_chart_frames(coefficients, sphere)
    inside = ~torch.isin(torch.arange(sphere.num_vertices), sphere.corners)
    assert (back - v)[:, inside].abs().max() < EXACT
    assert (back - v)[:, sphere.corners].abs().max() < 0.01, "corners: the mean of their neighbours"
    assert (v - 0)[:, sphere.corners].norm(dim=0).min() > 0.1, "control: there is wind at the corners"


def test_east_and_north_at_the_poles_and_elsewhere():
    sphere = Icosphere(3)
    frame = east_north(sphere.longitude, sphere.latitude)
    assert (frame.mT @ frame - torch.eye(2, dtype=frame.dtype)).abs().max() < EXACT
    assert (sphere.pos[:, None] @ frame).abs().max() < EXACT, "tangent"
    v = solid_rotation(sphere.pos)
    assert (to_space(to_frame(v, frame), frame) - v).abs().max() < EXACT
    zonal = torch.stack([torch.cos(sphere.latitude), torch.zeros_like(sphere.latitude)])
    rotating = torch.linalg.cross(torch.tensor([0.0, 0, 1], dtype=v.dtype).expand_as(sphere.pos), sphere.pos).T
    assert (to_space(zonal, frame) - rotating).abs().max() < EXACT, "west wind is rotation about the axis"
