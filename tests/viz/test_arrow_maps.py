"""Arrows on meshes: spread over the surface, along the vectors, tangent to it; a picture of them is written."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from matplotlib import image

from gaugenet.geometry import TriangleMesh
from gaugenet.viz import MeshView
from gaugenet.viz.arrow_maps import ArrowMap, darts, render_arrow_maps, spread_vertices


@pytest.fixture(scope="module")
def sphere():
    found = trimesh.creation.icosphere(subdivisions=3)
    return TriangleMesh(found.vertices, found.faces)


@pytest.fixture(scope="module")
def east(sphere):
    return np.cross([0.0, 0.0, 1.0], sphere.vertices)


def test_vertices_are_spread(sphere):
    kept = sphere.vertices[spread_vertices(sphere, 0.4)]
    gaps = np.linalg.norm(kept[:, None] - kept, axis=-1) + 9 * np.eye(len(kept))
    assert gaps.min() > 0.4
    assert np.linalg.norm(sphere.vertices[:, None] - kept, axis=-1).min(axis=1).max() <= 0.4


def test_a_dart_points_along_its_vector_and_is_as_long(sphere, east):
    at = spread_vertices(sphere, 0.4)
    corners = darts(sphere, east, at=at, length=0.2, longest=1.0).vertices.reshape(len(at), -1, 3)
    along = corners[:, -1] - corners[:, :2].mean(axis=1)
    np.testing.assert_allclose(along, 0.2 * east[at], atol=1e-12)
    assert (np.linalg.norm(corners, axis=-1) > 1.0).all(), "outside of the sphere, where they are seen"


def test_a_picture_shows_truth_prediction_and_error(sphere, east, tmp_path):
    view = MeshView(name="globe", vertices=sphere.vertices, faces=sphere.faces)
    render_arrow_maps(tmp_path / "same.png", [ArrowMap(view, "wind", "m/s", east, east)], tile=120)
    render_arrow_maps(tmp_path / "off.png", [ArrowMap(view, "wind", "m/s", east, -east)], tile=120)
    same, off = (image.imread(tmp_path / name) for name in ("same.png", "off.png"))
    assert same.shape == off.shape
    assert np.abs(same - off).max() > 0.2, "the error is seen"


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one map"):
        render_arrow_maps(tmp_path / "none.png", [])
