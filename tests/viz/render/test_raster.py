from __future__ import annotations

import numpy as np
import pytest
import trimesh

from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.viz.render.raster import corner_normals, rasterize, vertex_openness

SQUARE = np.array([[2.0, 3.0, 0.0], [12.0, 3.0, 0.0], [12.0, 9.0, 0.0], [2.0, 9.0, 0.0]])
TWO = np.array([[0, 1, 2], [0, 2, 3]])


def test_a_rectangle_covers_its_pixels_once() -> None:
    seen = rasterize(SQUARE + [0.25, 0.25, 0], TWO, 16, 20)
    expected = np.zeros((16, 20), dtype=bool)
    expected[3:9, 2:12] = True  # those whose centres lie inside
    np.testing.assert_array_equal(seen.face >= 0, expected)
    assert set(np.unique(seen.face)) == {-1, 0, 1}


def test_barycentric_weights_reproduce_the_pixel_centres() -> None:
    corners = np.array([[1.3, 2.1, 0.3], [17.2, 5.5, 1.7], [6.4, 14.9, -0.4]])
    seen = rasterize(corners, np.array([[0, 1, 2]]), 16, 20)
    rows, columns = np.nonzero(seen.face == 0)
    v, w = seen.bary[rows, columns].T
    points = (1 - v - w)[:, None] * corners[0] + v[:, None] * corners[1] + w[:, None] * corners[2]
    np.testing.assert_allclose(points[:, 0], columns + 0.5, atol=1e-5)
    np.testing.assert_allclose(points[:, 1], rows + 0.5, atol=1e-5)
    np.testing.assert_allclose(points[:, 2], seen.depth[rows, columns], atol=1e-5)
    a, b, c = corners[:, :2]
    area = 0.5 * abs(np.cross(np.append(b - a, 0), np.append(c - a, 0))[2])
    assert len(rows) == pytest.approx(area, rel=0.05)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_face_is_seen_in_whatever_order_and_orientation(order: tuple[int, int]) -> None:
    pixels = np.concatenate([SQUARE, SQUARE + [0, 0, 1.0]])
    quads = [TWO, TWO[:, ::-1] + 4]
    seen = rasterize(pixels, np.concatenate([quads[k] for k in order]), 16, 20)
    np.testing.assert_array_equal(seen.depth[3:9, 2:12], 1.0)


def test_faces_off_the_picture_or_without_area_are_no_trouble() -> None:
    pixels = np.array([[-5.0, -5, 0], [-1, -5, 0], [-1, -1, 0], [3, 3, 0], [3, 3, 0], [9, 9, 0]])
    assert (rasterize(pixels, np.array([[0, 1, 2], [3, 4, 5]]), 8, 8).face == -1).all()


def test_convex_bodies_see_the_whole_sky() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    openness = vertex_openness(ball.vertices * 7 + 100, ball.faces, ball.vertex_normals)
    assert openness.min() > 0.97


def test_the_inside_of_a_ball_sees_no_sky() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    assert vertex_openness(ball.vertices, ball.faces, -ball.vertex_normals).max() < 0.05


def test_the_neck_between_two_balls_lies_in_shadow() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    pair = np.concatenate([ball.vertices - [1.02, 0, 0], ball.vertices + [1.02, 0, 0]])
    faces = np.concatenate([ball.faces, ball.faces + len(ball.vertices)])
    normals = np.concatenate([ball.vertex_normals] * 2)
    openness = vertex_openness(pair, faces, normals)
    inner, outer = np.abs(pair[:, 0]) < 0.15, np.abs(pair[:, 0]) > 1.9
    assert openness[inner].mean() < 0.35
    assert openness[outer].mean() > 0.95


def test_a_ball_is_shaded_round_and_a_box_keeps_its_edges() -> None:
    ball = TriangleMesh(*_arrays(trimesh.creation.icosphere(subdivisions=3)))
    normals = corner_normals(ball.faces, ball.face_normals, ball.corner_angles)
    np.testing.assert_allclose((normals * ball.vertices[ball.faces]).sum(-1), 1, atol=2e-3)
    box = TriangleMesh(*_arrays(trimesh.creation.box()))
    normals = corner_normals(box.faces, box.face_normals, box.corner_angles)
    np.testing.assert_allclose(normals, np.repeat(box.face_normals[:, None], 3, axis=1), atol=1e-12)
    rounded = corner_normals(box.faces, box.face_normals, box.corner_angles, crease=120)
    assert np.abs(rounded - normals).max() > 0.3


def _arrays(mesh: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    return mesh.vertices, mesh.faces
