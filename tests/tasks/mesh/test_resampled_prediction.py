"""A network on a working mesh: classes of all faces and vertices of the mesh as it was given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import trimesh

from gaugenet.data import HeatKernelSignature, InputFeatures, MeshSample
from gaugenet.geometry import TriangleMesh
from gaugenet.tasks.mesh.data_options import GeometryOptions
from gaugenet.tasks.mesh.preparation import Preparation, prepare_mesh
from tests.data.meshes.helpers import torus

COARSE = torus(30, 14)
DENSE = TriangleMesh(*trimesh.remesh.subdivide(*trimesh.remesh.subdivide(COARSE.vertices, COARSE.faces)))
HOW = Preparation(
    InputFeatures([HeatKernelSignature(2, num_eigenvectors=8)]),
    GeometryOptions(relative_radius=float(np.sqrt(12 / np.pi / 420)), density=12.0, levels=2),
    n_jobs=1,
    resample=True,
)


def test_a_dense_mesh_has_a_small_graph_and_labels_of_its_own():
    labels = (DENSE.vertices[DENSE.faces].mean(axis=1)[:, 0] > 0).astype(int)
    one = prepare_mesh(MeshSample("ring", DENSE, face_labels=labels), HOW, num_classes=2)
    assert one.given is not None
    assert one.graph.num_nodes < 0.4 * DENSE.num_vertices
    assert len(one.graph.y) == one.graph.face.shape[1]
    side = one.graph.pos[one.graph.face].mean(dim=0)[:, 0] > 0
    assert (one.graph.y.bool() == side).float().mean() > 0.98
    back = one.given.interpolated(one.graph.pos.double()).numpy()
    assert np.abs(back - DENSE.vertices).max() < 0.1
    assert not np.allclose(back[::-1], DENSE.vertices, atol=0.1), "control"
    for items, count in (("vertex", DENSE.num_vertices), ("face", DENSE.num_faces)):
        values = np.arange(count, dtype=float)[:, None]
        assert np.array_equal(one.on_original(values, items), values)
    own = prepare_mesh(MeshSample("ring", DENSE), replace(HOW, resample=False))
    assert own.given is None
    assert own.graph.num_nodes == DENSE.num_vertices


def test_a_repair_and_a_working_mesh_are_both_undone():
    faces = DENSE.faces.copy()
    faces[::7] = faces[::7, ::-1]
    one = prepare_mesh(MeshSample("turned", TriangleMesh(DENSE.vertices, faces)), HOW)
    assert one.repairs
    assert one.given is not None
    back = one.on_original(one.given.interpolated(one.graph.pos.double()).numpy(), "vertex")
    assert np.abs(back - DENSE.vertices).max() < 0.1


def test_the_cache_keeps_the_way_back(tmp_path):
    how = replace(HOW, cache=tmp_path)
    first, second = (prepare_mesh(MeshSample("ring", DENSE), how) for _ in range(2))
    assert first.given is not None
    assert second.given is not None
    values = torch.randn(int(first.graph.num_nodes), 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(first.given.interpolated(values), second.given.interpolated(values))
    assert prepare_mesh(MeshSample("ring", DENSE), replace(how, resample=False)).given is None
