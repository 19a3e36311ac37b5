"""Theorems about logarithmic maps: closed forms, exact distances, completeness, convergence."""

import numpy as np
import potpourri3d
import pytest
import torch

from gaugenet.geometry import MeshError, TriangleMesh
from gaugenet.geometry.mesh.halfedge import HalfedgeSurface
from gaugenet.geometry.mesh.log_map import local_log_maps
from gaugenet.groups import SO2
from tests.geometry.mesh.comparison import compare, degrees_between, rms, true_frames
from tests.geometry.mesh.surfaces import (
    Saddle,
    Sphere,
    Torus,
    exact_distances,
    rough_terrain,
    saddle,
    sphere,
    square,
    torus,
)

SURFACES = {
    "sphere": (lambda jitter: sphere(16, 0.8 * jitter), Sphere()),
    "torus": (lambda jitter: torus(80, 32, jitter), Torus()),
    "saddle": (lambda jitter: saddle(50, jitter), Saddle()),
}


def graph_of(mesh, **options):
    return mesh.gauge_graph(SO2(), **{"mean_neighbors": 33, "dtype": torch.float64, **options})


def inner_vertices(mesh, count=200):
    inner = np.flatnonzero((np.abs(mesh.vertices[:, :2]) < 0.8).all(1) | ~mesh.boundary_vertices.any())
    return np.random.default_rng(0).choice(inner, count, replace=False)


def test_icosphere_of_2500_vertices_within_the_stated_bounds():
    mesh = sphere(16)
    errors = compare(graph_of(mesh, frames="random", seed=0), Sphere(), np.arange(0, mesh.num_vertices, 5))
    assert np.abs(errors.distance).mean() < 1e-3
    assert np.abs(errors.angle).mean() < 0.01
    assert np.abs(errors.transport).mean() < 0.01
    assert np.abs(errors.transport).max() < 0.05


@pytest.mark.parametrize("jitter", [0.0, 0.3])
@pytest.mark.parametrize("name", SURFACES)
def test_log_map_no_worse_than_the_affine_heat_method(name, jitter):
    """The oracle's own error and ours, at the same points, both against the geodesic equation."""
    build, surface = SURFACES[name]
    mesh = build(jitter)
    graph = graph_of(mesh)
    targets = inner_vertices(mesh, 25)
    solver = potpourri3d.MeshVectorHeatSolver(mesh.vertices, mesh.faces)
    axes = true_frames(surface, mesh.vertices, np.stack(solver.get_tangent_frames()[:2], axis=-1))
    theirs = []
    for p in targets:
        q = graph.edge_index[0][graph.edge_index[1] == p].numpy()
        velocity = surface.log(mesh.vertices[np.full(len(q), p)], mesh.vertices[q])
        wrong = solver.compute_log_map(int(p), strategy="AffineLocal")[q] - velocity @ axes[p]
        theirs.append(np.linalg.norm(wrong, axis=1) / float(graph.radius))
    ours = compare(graph, surface, targets).vector
    assert rms(ours) < rms(np.concatenate(theirs))


@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_errors_fall_with_the_square_of_the_edge_length(jitter):
    coarse, fine = (
        compare(graph_of(mesh), Torus(), inner_vertices(mesh, 150))
        for mesh in (torus(40, 16, jitter), torus(120, 48, jitter))
    )
    for name in ("vector", "angle", "transport", "distance"):
        ratio = rms(getattr(coarse, name)) / rms(getattr(fine, name))
        assert ratio > 0.7 * 3**2, name


@pytest.mark.parametrize("stretch, limit", [(1.0, 0.9), (5.0, 1.5), (30.0, 3.0)])
@pytest.mark.parametrize("seed", range(2))
def test_distances_are_exact_and_nobody_is_missed(seed, stretch, limit):
    """Rough terrain, full of saddles and boundary shadows, drawn out to needles: against exhaustive unfolding."""
    mesh = rough_terrain(seed=seed)
    mesh = TriangleMesh(mesh.vertices * [stretch, 1, 1], mesh.faces)
    exact = exact_distances(mesh, limit)
    maps = local_log_maps(HalfedgeSurface.from_mesh(mesh), limit)
    found = np.full_like(exact, np.inf)
    found[maps.target, maps.source] = maps.distance
    expected = np.where((exact < limit) & ~np.eye(len(exact), dtype=bool), exact, np.inf)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    straight = np.linalg.norm(mesh.vertices[maps.target] - mesh.vertices[maps.source], axis=1)
    assert np.abs(straight - maps.distance).max() > 0.05  # the control: this terrain is not flat


@pytest.mark.parametrize("stretch", [1.0, 300.0])
def test_a_flat_surface_is_its_own_log_map(stretch):
    """Slivers, boundaries and right-angled corners included: log_p(q) = q - p, transport is the identity."""
    mesh = square(14, 0.4, stretch=stretch)
    frame = np.tile(np.eye(3)[:, :2], (mesh.num_vertices, 1, 1))
    graph = graph_of(mesh, frames=frame, mean_neighbors=None, radius=0.6 * stretch**0.5)
    q, p = graph.edge_index
    torch.testing.assert_close(graph.log_map, (graph.pos[q] - graph.pos[p])[:, :2], rtol=0, atol=1e-7)
    identity = torch.eye(2, dtype=torch.float64).expand(len(q), 2, 2)
    torch.testing.assert_close(graph.transporter, identity, rtol=0, atol=1e-7)
    distance = torch.cdist(graph.pos, graph.pos)
    assert len(q) == int((distance < graph.radius).sum()) - graph.num_nodes


def test_paths_bend_around_a_reflex_corner():
    """An L-shape: what lies behind the corner is reached through it, in the direction of the corner."""
    full = square(9)
    centre = full.vertices[full.faces].mean(1)
    mesh = TriangleMesh(full.vertices, full.faces[~((centre[:, 0] > 0) & (centre[:, 1] > 0))])
    frame = np.tile(np.eye(3)[:, :2], (mesh.num_vertices, 1, 1))
    graph = graph_of(mesh, frames=frame, mean_neighbors=None, radius=1.4)
    q, p = graph.edge_index
    a, b = graph.pos[p][:, :2], graph.pos[q][:, :2]
    cut = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    hidden = (a[:, 0] > 0) & (b[:, 1] > 0) & (cut > 1e-9)  # counter-clockwise past the corner, through the cut
    assert hidden.sum() > 10
    length = a.norm(dim=1) + b.norm(dim=1)
    torch.testing.assert_close(graph.log_map[hidden].norm(dim=1), length[hidden])
    torch.testing.assert_close((graph.log_map / length[:, None])[hidden], (-a / a.norm(dim=1)[:, None])[hidden])


def test_the_way_there_and_the_way_back_are_one_geodesic():
    mesh = torus(60, 24, 0.3)
    graph = graph_of(mesh, frames="random", seed=1)
    q, p = graph.edge_index
    key, reverse = p * mesh.num_vertices + q, q * mesh.num_vertices + p
    order = torch.argsort(key)
    back = order[torch.searchsorted(key[order], reverse)]
    assert bool((key[back] == reverse).all())  # neighbours of each other
    arrived = -(graph.transporter[back] @ graph.log_map[..., None])[..., 0]
    rotated = np.abs(degrees_between(arrived.numpy(), graph.log_map[back].numpy()))
    assert rotated.max() < np.degrees(1e-6)


@pytest.mark.parametrize("build", [lambda: torus(40, 16, 0.3), rough_terrain])
def test_order_of_vertices_and_faces_does_not_matter(build):
    mesh = build()
    rng = np.random.default_rng(0)
    to = rng.permutation(mesh.num_vertices)  # new number of each vertex
    vertices = np.empty_like(mesh.vertices)
    vertices[to] = mesh.vertices
    faces = np.roll(to[mesh.faces][rng.permutation(mesh.num_faces)], 1, axis=1)
    plain = graph_of(mesh, frames="principal")
    other = graph_of(TriangleMesh(vertices, faces), frames=plain.frame[np.argsort(to)])
    q, p = torch.from_numpy(to)[plain.edge_index]
    size = mesh.num_vertices
    order, other_order = torch.argsort(p * size + q), torch.argsort(other.edge_index[1] * size + other.edge_index[0])
    torch.testing.assert_close(torch.stack([q, p])[:, order], other.edge_index[:, other_order])
    for name in ("log_map", "transporter", "weight"):
        torch.testing.assert_close(plain[name][order], other[name][other_order], rtol=0, atol=1e-6)


def test_subsets_of_targets_and_neighbours_agree_with_the_whole():
    surface = HalfedgeSurface.from_mesh(torus(40, 16, 0.3))
    whole = local_log_maps(surface, 0.4)
    wanted = np.arange(surface.num_base) % 3 == 0
    part = local_log_maps(surface, 0.4, targets=np.arange(5, 50), wanted=wanted)
    keep = whole.select(wanted[whole.source] & (whole.target >= 5) & (whole.target < 50))
    for name in ("source", "target"):
        np.testing.assert_array_equal(getattr(part, name), getattr(keep, name))
    np.testing.assert_allclose(part.distance, keep.distance, rtol=1e-12)
    for name in ("angle", "transport"):  # up to full rotations
        np.testing.assert_allclose(np.exp(1j * getattr(part, name)), np.exp(1j * getattr(keep, name)), atol=1e-10)


def test_one_thread_and_many_agree():
    surface = HalfedgeSurface.from_mesh(torus(100, 40))
    one, many = (local_log_maps(surface, 0.2, num_threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.source, many.source)
    np.testing.assert_array_equal(one.transport, many.transport)


def test_too_large_a_radius_is_an_error_not_a_hang():
    surface = HalfedgeSurface.from_mesh(torus(40, 16))
    with pytest.raises(MeshError, match=r"vertex 0 .* more than 500 windows.*smaller `radius`"):
        local_log_maps(surface, 3.0, max_windows=500)


def test_the_whole_surface_may_be_the_neighbourhood():
    """The cut locus is behind the horizon: every vertex is found once, no farther than half a great circle."""
    mesh = sphere(4)
    maps = local_log_maps(HalfedgeSurface.from_mesh(mesh), 4.0)
    assert (np.diff(maps.indptr) == mesh.num_vertices - 1).all()
    cosine = (mesh.vertices[maps.target] * mesh.vertices[maps.source]).sum(1)
    assert np.abs(maps.distance - np.arccos(np.clip(cosine, -1, 1))).max() < 0.05
