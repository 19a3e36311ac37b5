"""Gauge graphs of meshes: conventions, options, refusals."""

import numpy as np
import pytest
import torch

from gaugenet.geometry import MeshError, TriangleMesh
from gaugenet.geometry.gauge_graph import is_sorted_by_target
from gaugenet.groups import O2, SO2, Cyclic, Dihedral, Reflection, Trivial
from tests.geometry.mesh.surfaces import mobius, rough_terrain, saddle, sphere, square, torus


def flat_frames(mesh, angle=0.0):
    c, s = np.cos(angle), np.sin(angle)
    angle = np.zeros(mesh.num_vertices) + angle
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, s, 0 * c], 1), np.stack([-s, c, 0 * c], 1)], axis=2)


@pytest.mark.parametrize("neighborhood", ["geodesic", "one_ring"])
@pytest.mark.parametrize("build", [lambda: torus(40, 16, 0.3), lambda: saddle(15, 0.3)])
def test_conventions(build, neighborhood):
    mesh = build()
    options = {"mean_neighbors": 20} if neighborhood == "geodesic" else {}
    graph = mesh.gauge_graph(SO2(), neighborhood=neighborhood, **options)
    q, p = graph.edge_index
    assert is_sorted_by_target(graph.edge_index)
    assert bool((q != p).all())
    assert graph.structure == "SO(2)"
    assert graph.radius.shape == (1,)
    assert graph.log_map.dtype == graph.transporter.dtype == graph.weight.dtype == torch.float32
    assert graph.face.shape == (3, mesh.num_faces)
    assert graph.mass.sum().item() == pytest.approx(mesh.area, rel=1e-5)
    assert SO2().contains(graph.transporter).all()
    assert (graph.log_map.norm(dim=1) <= graph.radius * 1.00001).all()
    ambient = (graph.frame[p] @ graph.log_map[..., None])[..., 0]
    assert torch.cosine_similarity(ambient, graph.pos[q] - graph.pos[p]).mean() > 0.95
    own = torch.zeros(mesh.num_vertices).index_add(0, p, graph.mass[q]) + graph.mass
    torch.testing.assert_close(graph.weight, graph.mass[q] / own[p])


def test_one_ring_is_the_edges_in_both_directions():
    for mesh in (saddle(12, 0.3), mobius()):
        graph = mesh.gauge_graph(O2(), neighborhood="one_ring", dtype=torch.float64)
        q, p = graph.edge_index.numpy()
        expected = np.concatenate([mesh.edges, mesh.edges[:, ::-1]])
        assert set(map(tuple, expected.tolist())) == set(zip(q.tolist(), p.tolist()))
        assert len(q) == len(expected)
        length = np.linalg.norm(mesh.vertices[q] - mesh.vertices[p], axis=1)
        np.testing.assert_allclose(graph.log_map.norm(dim=1), length)
        assert graph.radius.item() == pytest.approx(length.max())


def test_one_ring_agrees_with_geodesics_where_edges_are_geodesics():
    mesh = sphere(8)
    ring = mesh.gauge_graph(SO2(), neighborhood="one_ring", frames="random", seed=0, dtype=torch.float64)
    disk = mesh.gauge_graph(SO2(), mean_neighbors=12, frames="random", seed=0, dtype=torch.float64)
    position = {pair: i for i, pair in enumerate(zip(*disk.edge_index.tolist()))}
    index = torch.tensor([position[pair] for pair in zip(*ring.edge_index.tolist())])
    torch.testing.assert_close(ring.log_map, disk.log_map[index], rtol=0, atol=1e-10)
    torch.testing.assert_close(ring.transporter, disk.transporter[index], rtol=0, atol=1e-10)


@pytest.mark.parametrize("mean, tolerance", [(8, 0.2), (33, 0.05)])  # small disks feel the lattice
def test_mean_neighbors_holds_on_average(mean, tolerance):
    mesh = sphere(20, 0.2)
    graph = mesh.gauge_graph(SO2(), mean_neighbors=mean)
    assert graph.edge_index.shape[1] / mesh.num_vertices == pytest.approx(mean, rel=tolerance)


def test_max_neighbors_keeps_the_nearest():
    mesh = torus(40, 16, 0.3)
    everyone = mesh.gauge_graph(SO2(), mean_neighbors=20, dtype=torch.float64)
    nearest = mesh.gauge_graph(SO2(), mean_neighbors=20, max_neighbors=7, dtype=torch.float64)
    for p in range(0, mesh.num_vertices, 17):
        wanted = everyone.log_map[everyone.edge_index[1] == p].norm(dim=1).sort().values[:7]
        torch.testing.assert_close(nearest.log_map[nearest.edge_index[1] == p].norm(dim=1).sort().values, wanted)


def test_isometries_change_positions_only():
    mesh = rough_terrain()
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    rotation *= np.linalg.det(rotation)
    moved = TriangleMesh(mesh.vertices @ rotation.T - 3.0, mesh.faces)
    one, two = (m.gauge_graph(SO2(), radius=0.8, dtype=torch.float64) for m in (mesh, moved))
    for name in ("edge_index", "log_map", "transporter", "weight", "mass"):
        torch.testing.assert_close(one[name], two[name], rtol=0, atol=1e-9)


def test_units_scale_with_the_mesh():
    mesh = torus(40, 16, 0.3)
    one = mesh.gauge_graph(SO2(), mean_neighbors=20, dtype=torch.float64)
    two = TriangleMesh(1000 * mesh.vertices, mesh.faces).gauge_graph(SO2(), mean_neighbors=20, dtype=torch.float64)
    assert torch.equal(one.edge_index, two.edge_index)
    torch.testing.assert_close(1000 * one.log_map, two.log_map)
    torch.testing.assert_close(one.transporter, two.transporter, rtol=0, atol=1e-9)


def test_a_radius_that_reaches_nothing_is_named(caplog):
    """A radius in metres on a mesh in millimetres gave a graph without edges, without a word."""
    mesh = torus(12, 8, 0)
    shortest = mesh.edge_lengths.min()
    assert mesh.gauge_graph(SO2(), radius=1.1 * shortest).num_edges
    assert not caplog.records  # control: one edge is enough
    assert not mesh.gauge_graph(SO2(), radius=0.9 * shortest).num_edges
    assert "units of the mesh" in caplog.text


def test_parts_and_isolated_vertices():
    one, two = torus(30, 12), sphere(5)
    vertices = np.concatenate([one.vertices, two.vertices + 0.001, [[9.0, 9.0, 9.0]]])
    mesh = TriangleMesh(vertices, np.concatenate([one.faces, two.faces + one.num_vertices]))
    graph = mesh.gauge_graph(SO2(), radius=0.4, dtype=torch.float64)
    q, p = graph.edge_index
    component = torch.from_numpy(mesh.vertex_components)
    assert bool((component[q] == component[p]).all())
    assert int((p == mesh.num_vertices - 1).sum()) == 0
    alone = one.gauge_graph(SO2(), radius=0.4, dtype=torch.float64)
    keep = p < one.num_vertices
    assert torch.equal(graph.log_map[keep], alone.log_map)


def test_only_isolated_vertices_and_one_triangle():
    empty = TriangleMesh(np.eye(3), [[0, 1, 2]]).gauge_graph(SO2(), radius=0.1)
    assert empty.edge_index.shape == (2, 0)
    assert empty.log_map.shape == (0, 2)
    assert empty.transporter.shape == (0, 2, 2)
    for neighborhood in ({"neighborhood": "one_ring"}, {"radius": 1.0}):
        points = TriangleMesh(np.eye(3), np.zeros((0, 3), dtype=int)).gauge_graph(SO2(), **neighborhood)
        assert points.edge_index.shape == (2, 0)
        assert points.frame.shape == (3, 3, 2)


def test_so2_is_refused_on_a_mobius_strip_and_o2_works():
    with pytest.raises(MeshError, match=r"(?i)non-orientable.*O\(2\)"):
        mobius().gauge_graph(SO2(), mean_neighbors=8)
    graph = mobius().gauge_graph(O2(), mean_neighbors=8)
    assert O2().contains(graph.transporter).all()
    assert not SO2().contains(graph.transporter).all()


def test_inconsistent_orientation_is_refused_with_the_repair():
    mesh = torus(30, 12)
    faces = mesh.faces.copy()
    faces[7] = faces[7, ::-1]
    with pytest.raises(MeshError, match=r"(?i)inconsistent orientation.*repair"):
        TriangleMesh(mesh.vertices, faces).gauge_graph(SO2(), mean_neighbors=8)


@pytest.mark.parametrize("group", [Trivial(), Cyclic(4), Dihedral(6), Reflection()])
def test_finite_groups_need_a_flat_connection(group):
    with pytest.raises(ValueError, match="transporters lie outside"):
        torus(30, 12).gauge_graph(group, mean_neighbors=8)
    mesh = square(10, 0.3)
    graph = mesh.gauge_graph(group, mean_neighbors=8, frames=flat_frames(mesh), dtype=torch.float64)
    assert group.contains(graph.transporter).all()
    with pytest.raises(ValueError, match="transporters lie outside"):
        mesh.gauge_graph(group, mean_neighbors=8, frames="random", seed=0)


def test_frames_that_differ_by_quarter_turns_carry_a_c4_structure():
    mesh = square(10, 0.3)
    quarter = np.random.default_rng(0).integers(4, size=mesh.num_vertices) * np.pi / 2
    graph = mesh.gauge_graph(Cyclic(4), mean_neighbors=8, frames=flat_frames(mesh, quarter), dtype=torch.float64)
    assert not Trivial().contains(graph.transporter).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "exactly one of `radius`"),
        ({"radius": 1.0, "mean_neighbors": 8}, "exactly one of `radius`"),
        ({"radius": -1.0}, "positive `radius`, got -1.0"),
        ({"radius": float("nan")}, "positive `radius`"),
        ({"mean_neighbors": 0}, "positive `mean_neighbors`"),
        ({"mean_neighbors": 8, "max_neighbors": -3}, "positive `max_neighbors`"),
        ({"neighborhood": "ring"}, "'geodesic' or 'one_ring', got 'ring'"),
        ({"neighborhood": "one_ring", "radius": 1.0}, "takes no `radius`"),
    ],
)
def test_contradictory_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        torus(30, 12).gauge_graph(SO2(), **options)


def _with_vertex(mesh, index, value):
    vertices = mesh.vertices.copy()
    vertices[index] = value
    return TriangleMesh(vertices, mesh.faces)


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda m: _with_vertex(m, 3, np.nan), "non-finite"),
        (lambda m: _with_vertex(m, 3, np.inf), "non-finite"),
        (lambda m: TriangleMesh(m.vertices, np.concatenate([m.faces, [[0, 0, 1]]])), "degenerate"),
        (lambda m: TriangleMesh(m.vertices, np.concatenate([m.faces, [[0, 1, 200]]])), "non-manifold"),
    ],
)
def test_unfit_meshes_are_refused_not_crashed_on(spoil, message):
    mesh = spoil(torus(30, 12))
    with pytest.raises(MeshError, match=message):
        mesh.gauge_graph(SO2(), mean_neighbors=8)


def test_needles_on_a_curved_surface():
    """Triangles of aspect 50: all results finite, neighbours mutual, transport orthogonal."""
    mesh = torus(240, 12, 0.2)
    graph = mesh.gauge_graph(SO2(), mean_neighbors=30, dtype=torch.float64)
    assert torch.isfinite(graph.log_map).all()
    q, p = graph.edge_index
    pairs = set(zip(q.tolist(), p.tolist()))
    assert all((b, a) in pairs for a, b in pairs)
    gram = graph.transporter.transpose(1, 2) @ graph.transporter
    torch.testing.assert_close(gram, torch.eye(2, dtype=torch.float64).expand_as(gram))


@pytest.mark.parametrize("neighborhood", ["geodesic", "one_ring"])
def test_local_lengths_follow_the_sampling(neighborhood):
    """Mean distance one around every vertex, and blind to the scale of the mesh; directions and transport stay."""
    mesh = with_fine_half(torus(40, 16, 0.3))
    options = {"mean_neighbors": 20} if neighborhood == "geodesic" else {}
    metric, local, scaled = (
        m.gauge_graph(SO2(), neighborhood=neighborhood, lengths=lengths, dtype=torch.float64, **options)
        for m, lengths in (
            (mesh, "metric"),
            (mesh, "local"),
            (TriangleMesh(7 * mesh.vertices, mesh.faces), "local"),
        )
    )
    target = local.edge_index[1]
    distance = local.log_map.norm(dim=1)
    count = torch.bincount(target, minlength=mesh.num_vertices)
    mean = torch.zeros(mesh.num_vertices, dtype=torch.float64).index_add(0, target, distance) / count
    torch.testing.assert_close(mean, torch.ones_like(mean))
    torch.testing.assert_close(scaled.log_map, local.log_map)
    assert torch.equal(local.transporter, metric.transporter)
    assert torch.cosine_similarity(local.log_map, metric.log_map).min() > 1 - 1e-12
    assert local.radius.item() == 1.5
    plain = torch.zeros_like(mean).index_add(0, target, metric.log_map.norm(dim=1)) / count
    assert plain.min() < 0.7 * plain.max(), "control: metric lengths vary over the mesh"


def with_fine_half(mesh):
    """The mesh pulled together, so that vertices crowd on one side of it."""
    v = mesh.vertices.copy()
    v[:, 0] = np.exp(1.5 * v[:, 0])
    return TriangleMesh(v, mesh.faces)


def test_lengths_and_neighborhoods_are_checked():
    mesh = torus(12, 8, 0)
    with pytest.raises(ValueError, match="'metric' or 'local', got 'mean'"):
        mesh.gauge_graph(SO2(), neighborhood="one_ring", lengths="mean")
