"""A polygon has the class that most of its area speaks for, in the order of the file."""

from __future__ import annotations

import numpy as np

from gaugenet.geometry import TriangleMesh
from gaugenet.tasks.mesh.prediction import _of_polygons

FILE = "v 0 0 0\nv 2 0 0\nv 2 1 0\nv 0 9 0\nv 9 0 0\nf 2 5 3\nf 1 2 3 4\n"


def test_classes_of_polygons_are_means_over_their_area(tmp_path):
    (tmp_path / "mesh.obj").write_text(FILE)
    mesh = TriangleMesh.load(tmp_path / "mesh.obj")
    assert mesh.polygon_of_face.tolist() == [0, 1, 1]
    small, large = np.argsort(mesh.face_areas[1:]) + 1
    probabilities = np.full((3, 2), [0.1, 0.9])
    probabilities[small], probabilities[large] = [1, 0], [0.4, 0.6]
    assert mesh.face_areas[large] > 5 * mesh.face_areas[small]
    assert _of_polygons(mesh, probabilities).tolist() == [1, 1]
    probabilities[large] = [0.6, 0.4]
    assert _of_polygons(mesh, probabilities).tolist() == [1, 0], "control"
    probabilities[1:] = np.nan
    assert _of_polygons(mesh, probabilities).tolist() == [1, -1]


def test_triangles_have_no_classes_of_polygons():
    mesh = TriangleMesh(np.eye(3), [[0, 1, 2]])
    assert _of_polygons(mesh, np.ones((1, 2))) is None
