"""Theorems about CAD meshes: both directions of an edge are one geodesic, whichever of equally short ones it is."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gaugenet.geometry import TriangleMesh
from gaugenet.geometry.mesh import halfedge, log_map
from gaugenet.groups import SO2
from tests.geometry.mesh import cad
from tests.geometry.mesh.surfaces import rough_terrain, torus

SHAPES = {
    f"{build.__name__}-{times}": (build, times)
    for build in (cad.box, cad.l_shape, cad.plate, cad.gear, cad.slivers)
    for times in range(3)
}


def graph_of(mesh, **options):
    options = {"mean_neighbors": 16, "dtype": torch.float64, **options}
    return mesh.gauge_graph(SO2(), **options)


def mismatch(graph) -> float:
    """Largest entry of `T_pq T_qp - 1`, and of `log_qp + T_qp log_pq` over the distance."""
    q, p = graph.edge_index
    key, reverse = p * graph.num_nodes + q, q * graph.num_nodes + p
    order = torch.argsort(key)
    back = order[torch.searchsorted(key[order], reverse)]
    assert bool((key[back] == reverse).all())  # neighbours of each other
    there, here = graph.transporter[back], graph.transporter
    loop = (here @ there - torch.eye(2, dtype=here.dtype)).abs().max()
    arrived = (there @ graph.log_map[..., None])[..., 0] + graph.log_map[back]
    return float(torch.maximum(loop, (arrived.norm(dim=1) / graph.log_map.norm(dim=1)).max()))


@pytest.mark.parametrize("name", SHAPES)
def test_transport_there_and_back_is_the_identity(name):
    build, times = SHAPES[name]
    assert mismatch(graph_of(cad.subdivided(build(), times), frames="random", seed=0)) < 1e-6


@pytest.mark.parametrize("mesh", [torus(40, 16), torus(40, 16, 0.3)])
def test_organic_meshes_are_no_exception(mesh):
    assert mismatch(graph_of(mesh)) < 1e-6


ROUNDINGS = {
    "float32": lambda x, rng: x.astype(np.float32),
    "1e-9": lambda x, rng: x + 1e-9 * rng.normal(size=x.shape),
    "1e-11": lambda x, rng: x + 1e-11 * rng.normal(size=x.shape),
}


def rounded(mesh: TriangleMesh, name: str) -> TriangleMesh:
    """The mesh in another pose, its coordinates as files hold them: flat faces are flat up to rounding only."""
    turned = mesh.vertices @ Rotation.random(random_state=1).as_matrix().T
    return TriangleMesh(ROUNDINGS[name](turned, np.random.default_rng(0)), mesh.faces)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", SHAPES)
def test_rounded_coordinates_are_no_exception(name, rounding):
    build, times = SHAPES[name]
    assert mismatch(graph_of(rounded(cad.subdivided(build(), times), rounding))) < 1e-6


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_searches_from_both_ends_disagree(rounding, monkeypatch):
    """The control: each direction as the search from its target finds it."""
    monkeypatch.setattr(log_map, "make_reciprocal", lambda _, __, neighbor, *rest: np.ones(len(neighbor), dtype=bool))
    assert mismatch(graph_of(rounded(cad.subdivided(cad.plate(), 2), rounding))) > 1e-2


def test_nearest_neighbors_share_their_geodesics():
    """Lists that are cut hold edges in one direction only, which stay; the others are reciprocal."""
    mesh = rounded(cad.subdivided(cad.plate(), 2), "float32")
    whole, cut = graph_of(mesh), graph_of(mesh, max_neighbors=8)
    assert bool((torch.bincount(cut.edge_index[1]) == torch.bincount(whole.edge_index[1]).clamp(max=8)).all())
    q, p = cut.edge_index
    both = torch.isin(q * mesh.num_vertices + p, p * mesh.num_vertices + q)
    assert 0.3 < both.double().mean() < 1
    assert mismatch(cut.edge_subgraph(both)) < 1e-6


def lopsided(build) -> TriangleMesh:
    """The shape, sheared and stretched by little: no symmetry is left, nearly equal paths are."""
    shear = np.eye(3) + 1e-3 * np.array([[0, 3, 1], [0, 0, 2], [0, 0, 5]])
    mesh = build()
    x = mesh.vertices @ shear.T
    return TriangleMesh(x + 1e-3 * np.abs(x) @ np.array([[1, 0, 2], [0, 2, 0], [0, 0, 3]]), mesh.faces)


@pytest.mark.parametrize("build", [cad.l_shape, cad.plate, cad.gear, rough_terrain, lambda: lopsided(cad.box)])
def test_the_numbering_does_not_decide_between_equally_short_paths(build):
    mesh = cad.subdivided(build(), 1)
    rng = np.random.default_rng(0)
    to = rng.permutation(mesh.num_vertices)
    faces = np.roll(to[mesh.faces][rng.permutation(mesh.num_faces)], 1, axis=1)
    plain = graph_of(mesh, frames="random", seed=0)
    other = graph_of(TriangleMesh(mesh.vertices[np.argsort(to)], faces), frames=plain.frame[np.argsort(to)])
    q, p = torch.from_numpy(to)[plain.edge_index]
    size = mesh.num_vertices
    order, other_order = torch.argsort(p * size + q), torch.argsort(other.edge_index[1] * size + other.edge_index[0])
    torch.testing.assert_close(torch.stack([q, p])[:, order], other.edge_index[:, other_order])
    for name in ("log_map", "transporter", "weight"):
        torch.testing.assert_close(plain[name][order], other[name][other_order], rtol=0, atol=1e-6)


def test_without_marks_the_numbering_decides(monkeypatch):
    """The control: searches start at the first halfedge, and the first of equally short paths that they find stays."""
    monkeypatch.setattr(halfedge, "component_marks", lambda mesh: np.zeros(mesh.num_vertices))
    with pytest.raises(AssertionError):
        test_the_numbering_does_not_decide_between_equally_short_paths(cad.plate)
