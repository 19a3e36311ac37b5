"""Theorem: a renumbered mesh is the same mesh, to the levels of a hierarchy and to a network with pooling."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gaugenet.data import HeatKernelSignature, InputFeatures
from gaugenet.geometry import TriangleMesh
from gaugenet.geometry.mesh import _hierarchy
from gaugenet.geometry.mesh._hierarchy import hierarchy
from gaugenet.geometry.mesh.sampling import FarthestPoints
from gaugenet.groups import SO2
from gaugenet.models import MeshUNet

BODIES = sorted((Path(__file__).parents[3] / "meshes" / "bodies" / "test").glob("*.ply"))[::7]


def renumbered(mesh: TriangleMesh, seed: int) -> tuple[TriangleMesh, np.ndarray]:
    """The same mesh with vertices, faces and corners in another order, and the new number of each vertex."""
    rng = np.random.default_rng(seed)
    to = rng.permutation(mesh.num_vertices)
    faces = np.roll(to[mesh.faces][rng.permutation(mesh.num_faces)], 1, axis=1)
    return TriangleMesh(mesh.vertices[np.argsort(to)], faces), to


def logits(mesh: TriangleMesh) -> torch.Tensor:
    features = InputFeatures([HeatKernelSignature()])
    graph = hierarchy(mesh, SO2(), levels=3, mean_neighbors=16, max_neighbors=64, dtype=torch.float64)
    graph = features(features.prepare(graph, mesh).astype(torch.float32))
    torch.manual_seed(0)
    network = MeshUNet(features.in_type(SO2()), 8).eval()
    with torch.no_grad():
        return network(graph.x, graph)


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_a_network_with_levels_does_not_notice_the_numbering(path):
    mesh = TriangleMesh.load(path)
    plain = logits(mesh)
    for seed in range(2):
        other, to = renumbered(mesh, seed)
        moved = logits(other)[torch.from_numpy(to)]
        assert (moved - plain).abs().max() < 1e-4 * plain.abs().max()
        assert (moved.argmax(1) != plain.argmax(1)).double().mean() <= 1e-3


def test_levels_that_start_at_the_first_vertex_are_noticed(monkeypatch):
    """The control."""
    mesh = TriangleMesh.load(BODIES[0])

    def from_the_first(mesh, maps, count):
        order = np.random.default_rng(0).permutation(mesh.num_vertices)[:count]
        return FarthestPoints(order, np.full(count + 1, 0.2 * np.sqrt(mesh.area)))

    monkeypatch.setattr(_hierarchy, "farthest_points", from_the_first)
    other, to = renumbered(mesh, 0)
    assert (logits(other)[torch.from_numpy(to)] - logits(mesh)).abs().max() > 1e-3
