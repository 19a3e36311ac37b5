"""Labels transported between edges, faces and vertices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gaugenet.data import (
    DataError,
    face_to_vertex_distribution,
    hard_labels,
    majority_of_edges,
    meshcnn_edges,
    one_hot,
    vertex_to_face,
)
from gaugenet.data.meshes.labels import read_labels
from gaugenet.geometry.mesh.mesh import TriangleMesh
from tests.data.meshes.helpers import icosphere


def edges_by_walking(faces) -> list[list[int]]:
    """The definition: walk the faces, give every edge a number when first seen."""
    number: dict[tuple[int, int], int] = {}
    return [
        [number.setdefault(tuple(sorted((int(f[k]), int(f[(k + 1) % 3])))), len(number)) for k in range(3)]
        for f in faces
    ]


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_edge_order_is_that_of_walking_the_faces(seed):
    rng = np.random.default_rng(seed)
    mesh = icosphere(1)
    faces = np.stack([np.roll(f, rng.integers(3)) for f in rng.permutation(mesh.faces)])
    assert meshcnn_edges(TriangleMesh(mesh.vertices, faces)).tolist() == edges_by_walking(faces)


def test_lexicographic_edge_order_is_another_one():
    mesh = icosphere(1)
    assert mesh.halfedge_to_edge.reshape(-1, 3).tolist() != edges_by_walking(mesh.faces)


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ((1, 1, 2), 1),
        ((1, 2, 2), 2),
        ((2, 1, 2), 2),
        ((3, 3, 3), 3),
        ((5, 3, 4), 3),
        ((-1, 4, 2), 2),
        ((-1, -1, 2), 2),
        ((-1, -1, -1), -1),
    ],
)
def test_majority(edges, expected):
    assert majority_of_edges(np.array(edges), np.array([[0, 1, 2]])).tolist() == [expected]


def test_majority_of_random_labels_is_the_mode(rng):
    from scipy.stats import mode

    labels = rng.integers(0, 4, size=(500, 3))
    ours = majority_of_edges(labels.reshape(-1), np.arange(1500).reshape(-1, 3))
    np.testing.assert_array_equal(ours, mode(labels, axis=1).mode)


def test_vertex_distribution_is_the_share_of_area(rng):
    mesh = icosphere(1)
    labels = rng.integers(0, 3, mesh.num_faces)
    soft = face_to_vertex_distribution(mesh, labels, 3)
    for v in range(mesh.num_vertices):
        around = (mesh.faces == v).any(axis=1)
        expected = [mesh.face_areas[around & (labels == c)].sum() for c in range(3)]
        np.testing.assert_allclose(soft[v], np.array(expected) / np.sum(expected), atol=1e-8)


def test_constant_labels_survive_the_way_to_vertices_and_back():
    mesh = icosphere(1)
    soft = face_to_vertex_distribution(mesh, np.full(mesh.num_faces, 2), 4)
    back = vertex_to_face(torch.from_numpy(soft), torch.from_numpy(mesh.faces.T))
    assert back.argmax(dim=1).eq(2).all()
    assert torch.allclose(back.sum(dim=1), torch.ones(mesh.num_faces, dtype=back.dtype))


def test_ignored_faces_have_no_share_and_vertices_among_them_no_label():
    mesh = icosphere(1)
    labels = np.full(mesh.num_faces, -1)
    labels[0] = 1
    soft = face_to_vertex_distribution(mesh, labels, 2)
    hard = hard_labels(soft)
    assert set(np.flatnonzero(hard == 1)) == set(mesh.faces[0])
    assert (hard == -1).sum() == mesh.num_vertices - 3
    np.testing.assert_allclose(soft[mesh.faces[0]], [[0, 1]] * 3)


def test_faces_without_area_still_label_their_vertices():
    mesh = TriangleMesh(np.zeros((3, 3)), [[0, 1, 2]])
    np.testing.assert_allclose(face_to_vertex_distribution(mesh, np.array([1]), 2), [[0, 1]] * 3)


def test_one_hot_and_back():
    labels = np.array([2, -1, 0])
    rows = one_hot(labels, 3)
    assert rows.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert hard_labels(rows).tolist() == labels.tolist()


def test_vertex_to_face_tells_about_a_transposed_face_tensor():
    with pytest.raises(ValueError, match=r"face\.T"):
        vertex_to_face(torch.zeros(4, 2), torch.zeros(5, 3, dtype=torch.long))


@pytest.mark.parametrize("content", ["", "1\n2.5\n", "head\narm\n"])
def test_broken_text_labels_name_the_file(tmp_path, content):
    path = tmp_path / "broken.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=r"broken\.txt"):
        read_labels(path)


def test_broken_npy_labels_name_the_file(tmp_path):
    path = tmp_path / "broken.npy"
    np.save(path, np.arange(100))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"broken\.npy"):
        read_labels(path)
    np.save(path, np.zeros((4, 4)))
    with pytest.raises(DataError, match=r"\(4, 4\)"):
        read_labels(path)
    np.save(path, np.array([0.0, np.nan, 1.0]))
    with pytest.raises(DataError, match="position 1"):
        read_labels(path)
