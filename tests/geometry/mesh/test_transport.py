"""Theorems about Levi-Civita transporters: holonomy, inverses, the gauge."""

import numpy as np
import pytest
import torch

from gaugenet.geometry import TriangleMesh
from gaugenet.groups import O2, SO2
from tests.geometry.mesh.surfaces import Torus, mobius, rough_terrain, saddle, sphere, torus


def transporters(graph):
    """Dense table of transporters, `(V, V, 2, 2)`, [p, q] from q to p, zero where there is no edge."""
    table = torch.zeros(graph.num_nodes, graph.num_nodes, 2, 2, dtype=graph.transporter.dtype)
    table[graph.edge_index[1], graph.edge_index[0]] = graph.transporter
    return table


def holonomies(mesh, graph):
    """Angle by which a vector rotates once counter-clockwise around each face."""
    g, (a, b, c) = transporters(graph), mesh.faces.T
    loop = g[a, c] @ g[c, b] @ g[b, a]
    return torch.atan2(loop[:, 1, 0], loop[:, 0, 0]).numpy()


@pytest.mark.parametrize("mesh, characteristic", [(sphere(4), 2), (torus(30, 12, 0.2), 0)])
def test_holonomies_add_up_to_the_euler_characteristic(mesh, characteristic):
    """Gauss-Bonnet, exactly, in any frames: the angle defects are shared out to the faces and none is lost."""
    graph = mesh.gauge_graph(SO2(), neighborhood="one_ring", frames="random", seed=3, dtype=torch.float64)
    assert np.isclose(holonomies(mesh, graph).sum(), 2 * np.pi * characteristic)
    control = graph.clone()
    control.transporter = control.transporter.transpose(1, 2)
    if characteristic:
        assert not np.isclose(holonomies(mesh, control).sum(), 2 * np.pi * characteristic)


def test_holonomy_of_a_geodesic_triangle_is_its_area_on_the_unit_sphere():
    mesh = sphere(9)
    graph = mesh.gauge_graph(SO2(), mean_neighbors=33, frames="random", seed=0, dtype=torch.float64)
    g, x = transporters(graph), mesh.vertices
    rng, checked = np.random.default_rng(0), 0
    for p in rng.choice(mesh.num_vertices, 200):
        q, r = rng.choice(graph.edge_index[0][graph.edge_index[1] == p].numpy(), 2, replace=False)
        if not g[q, r].any():
            continue
        loop = g[p, r] @ g[r, q] @ g[q, p]
        volume = np.linalg.det(x[[p, q, r]])
        spread = 1 + x[p] @ x[q] + x[q] @ x[r] + x[r] @ x[p]
        area = 2 * np.arctan2(volume, spread)
        assert abs(np.arctan2(loop[1, 0], loop[0, 0]) - area) < 4e-3 + 0.01 * abs(area)
        checked += 1
    assert checked > 50


@pytest.mark.parametrize("build", [lambda: torus(40, 16, 0.3), lambda: saddle(20, 0.3), mobius])
@pytest.mark.parametrize("neighborhood", ["geodesic", "one_ring"])
def test_transport_back_is_the_inverse(build, neighborhood):
    mean = {"mean_neighbors": 20} if neighborhood == "geodesic" else {}
    graph = build().gauge_graph(O2(), neighborhood=neighborhood, frames="random", seed=0, dtype=torch.float64, **mean)
    g, (q, p) = transporters(graph), graph.edge_index
    identity = torch.eye(2, dtype=torch.float64).expand(len(q), 2, 2)
    error = (g[p, q] @ g[q, p] - identity).abs().amax((1, 2))
    assert error.quantile(0.99) < 1e-9  # two equally short ways may differ
    assert (error < 1e-6).double().mean() > 0.995
    if neighborhood == "one_ring":
        assert error.max() < 1e-9


def test_frames_change_coefficients_and_nothing_else():
    """Graphs in two frame fields differ by the gauge transformation between the fields."""
    mesh = rough_terrain()
    one, two = (mesh.gauge_graph(SO2(), radius=0.8, frames="random", seed=seed, dtype=torch.float64) for seed in (0, 1))
    change = two.frame.transpose(1, 2) @ one.frame
    moved = one.gauge_transform(change)
    for name in ("frame", "log_map", "transporter", "weight"):
        torch.testing.assert_close(moved[name], two[name], rtol=0, atol=1e-9)
    assert (one.log_map - two.log_map).abs().max() > 0.1


def test_reflected_frames_under_o2():
    mesh = torus(40, 16)
    plain = mesh.gauge_graph(O2(), mean_neighbors=12, dtype=torch.float64)
    change = O2().random_element(mesh.num_vertices, generator=torch.Generator().manual_seed(0))
    assert (torch.linalg.det(change) < 0).any()
    frames = plain.frame @ torch.linalg.inv(change)
    other = mesh.gauge_graph(O2(), mean_neighbors=12, frames=frames, dtype=torch.float64)
    moved = plain.gauge_transform(change)
    for name in ("log_map", "transporter"):
        torch.testing.assert_close(moved[name], other[name], rtol=0, atol=1e-6)


def test_tangents_of_geodesics_stay_tangent_and_length_is_kept():
    """On a torus, the unit vector along a meridian circle, transported along the circle, remains along it."""
    mesh = torus(80, 32)
    graph = mesh.gauge_graph(SO2(), mean_neighbors=33, dtype=torch.float64)
    x = mesh.vertices
    angle = np.arctan2(x[:, 2], np.hypot(x[:, 0], x[:, 1]) - Torus().major)
    longitude = np.arctan2(x[:, 1], x[:, 0])
    along = np.stack([-np.sin(angle) * np.cos(longitude), -np.sin(angle) * np.sin(longitude), np.cos(angle)], axis=1)
    c = torch.einsum("vdi,vd->vi", graph.frame, torch.from_numpy(along))
    c = c / c.norm(dim=1, keepdim=True)
    q, p = graph.edge_index
    same = torch.from_numpy(np.abs(np.angle(np.exp(1j * (longitude[q] - longitude[p])))) < 1e-9)
    transported = (graph.transporter @ c[q][..., None])[..., 0]
    assert same.sum() > 1000
    assert (transported - c[p])[same].abs().max() < 5e-3
    assert (transported - c[p])[~same].abs().max() > 5e-2  # the control: elsewhere the meridians rotate


def test_on_a_mobius_strip_some_transporters_reverse_orientation():
    """In any choice of local orientations: the product of signs around the strip is -1."""
    n, width = 40, 6
    graph = mobius(n, width).gauge_graph(O2(), mean_neighbors=12, dtype=torch.float64)
    sign = torch.linalg.det(transporters(graph))
    once_around = [i * width + width // 2 for i in range(n)] + [width - 1 - width // 2]
    product = 1.0
    for q, p in zip(once_around, once_around[1:] + once_around[:1]):
        product *= sign[p, q].item()
    assert np.isclose(product, -1)


def test_faces_turned_against_each_other_are_no_obstacle_to_o2():
    """The same surface with half of its faces rotated: the same distances; signs where local orientations differ."""
    mesh = sphere(6, 0.2)  # jittered: no two ways are equally short
    rotated = mesh.faces.copy()
    rotated[::2] = rotated[::2, ::-1]
    plain = mesh.gauge_graph(O2(), mean_neighbors=15, dtype=torch.float64)
    mixed = TriangleMesh(mesh.vertices, rotated).gauge_graph(
        O2(), mean_neighbors=15, frames=plain.frame, dtype=torch.float64
    )
    key, other = (torch.argsort(g.edge_index[1] * mesh.num_vertices + g.edge_index[0]) for g in (plain, mixed))
    for name in ("log_map", "transporter"):
        torch.testing.assert_close(plain[name][key], mixed[name][other], rtol=0, atol=1e-7)
