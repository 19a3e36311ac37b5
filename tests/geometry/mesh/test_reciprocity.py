"""Theorems about CAD meshes: both directions of an edge are one geodesic, whichever of equally short ones it is."""

import numpy as np
import pytest
import torch

from gaugenet.geometry import TriangleMesh
from gaugenet.geometry.mesh import halfedge
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


def test_without_marks_the_directions_disagree(monkeypatch):
    """The control: where nothing decides between equally short paths, the first that is found does."""
    monkeypatch.setattr(halfedge, "vertex_marks", lambda mesh: np.zeros(mesh.num_vertices))
    assert mismatch(graph_of(cad.subdivided(cad.box(), 1))) > 1e-2


@pytest.mark.parametrize("build", [cad.box, cad.l_shape, cad.plate, cad.gear, rough_terrain])
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
