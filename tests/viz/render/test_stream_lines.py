"""Line-integral convolution: smooth along the field and rough across it, over the edges of faces, of either sign."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from gaugenet.geometry import TriangleMesh
from gaugenet.viz import Texels, line_integral_convolution


@pytest.fixture(scope="module")
def square():
    """An uneven mesh of the unit square."""
    points = np.random.default_rng(0).random((200, 2))
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9)), -1).reshape(-1, 2)
    border = grid[(grid.min(1) == 0) | (grid.max(1) == 1)]
    from scipy.spatial import Delaunay

    flat = np.concatenate([border, 0.03 + 0.94 * points])
    faces = Delaunay(flat).simplices
    return TriangleMesh(np.pad(flat, ((0, 0), (0, 1))), faces)


@pytest.fixture(scope="module")
def ball():
    found = trimesh.creation.icosphere(subdivisions=3)
    return TriangleMesh(found.vertices, found.faces)


def places(texels: Texels) -> np.ndarray:
    face, weights = texels.centers()
    return np.einsum("tc,tcd->td", weights, texels.mesh.vertices[texels.mesh.faces[face]])


def correlation(texels: Texels, values: np.ndarray, shift: np.ndarray) -> float:
    """Correlation of texels with those at a distance, both away from the border."""
    at = places(texels)
    inner = np.flatnonzero((at[:, :2] > 0.15).all(1) & (at[:, :2] < 0.85).all(1))
    other = cKDTree(at).query(at[inner] + shift)[1]
    return float(np.corrcoef(values[inner], values[other])[0, 1])


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0])
def test_it_is_smooth_along_the_field_and_rough_across_it(square, angle):
    texels = Texels.of(square, 60_000)
    along, across = np.array([np.cos(angle), np.sin(angle), 0]), np.array([-np.sin(angle), np.cos(angle), 0])
    values = line_integral_convolution(texels, np.tile(along, (square.num_vertices, 1)))
    far = 4 * texels.side
    assert correlation(texels, values, far * along) > 0.5
    assert abs(correlation(texels, values, far * across)) < 0.1
    noise = line_integral_convolution(texels, np.tile(along, (square.num_vertices, 1)), length=0.5)
    assert abs(correlation(texels, noise, far * along)) < 0.1, "control: hardly blurred"


def test_the_sign_the_size_and_normal_parts_of_the_field_do_not_matter(ball):
    texels, east = Texels.of(ball, 30_000), np.cross([0.0, 0.0, 1.0], ball.vertices)
    values = line_integral_convolution(texels, east)
    # Not all to the last digit: a point on the border of two texels may be counted to either.
    assert np.quantile(np.abs(line_integral_convolution(texels, -7 * east) - values), 0.99) < 1e-3
    on_faces = np.cross([0.0, 0.0, 1.0], ball.vertices[ball.faces].mean(1))
    raised = on_faces + 3 * ball.face_normals
    lines = line_integral_convolution(texels, on_faces)
    assert np.quantile(np.abs(line_integral_convolution(texels, raised) - lines), 0.99) < 1e-3
    north = np.cross(ball.vertices, east)
    assert abs(np.corrcoef(line_integral_convolution(texels, north), values)[0, 1]) < 0.3, "control: another field"


def test_there_is_no_seam_between_faces(ball):
    """Texels that follow each other along the field agree across edges as well as inside of faces."""
    texels, east = Texels.of(ball, 60_000), np.cross([0.0, 0.0, 1.0], ball.vertices)
    at, (face, _) = places(texels), texels.centers()
    low = np.flatnonzero(np.abs(at[:, 2]) < 0.8)
    along = np.cross([0.0, 0.0, 1.0], at[low])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    other = cKDTree(at).query(at[low] + 3 * texels.side * along)[1]
    same = face[low] == face[other]

    def agreement(values: np.ndarray, chosen: np.ndarray) -> float:
        return float(np.corrcoef(values[low[chosen]], values[other[chosen]])[0, 1])

    values = line_integral_convolution(texels, east)
    inside, over = agreement(values, same), agreement(values, ~same)
    assert inside > 0.5
    assert over > inside - 0.06
    torn = TriangleMesh(ball.vertices[ball.faces].reshape(-1, 3), np.arange(3 * ball.num_faces).reshape(-1, 3))
    apart = line_integral_convolution(Texels.of(torn, 60_000), east[ball.faces].reshape(-1, 3))
    assert agreement(apart, ~same) < 0.2, "control: faces that do not know each other"


def test_texels_are_equal_parts_that_cover_every_face(square):
    texels = Texels.of(square, 5000)
    face, weights = texels.centers()
    np.testing.assert_array_equal(texels.at(face, weights), np.arange(len(face)))
    assert len(face) == pytest.approx(5000, rel=0.1)
    size = square.face_areas / texels.divisions**2
    large = texels.divisions > 4
    assert size[large].max() / size[large].min() < 1.7
    drawn = np.random.default_rng(1).dirichlet(np.ones(3), size=200_000)
    one = np.full(len(drawn), int(texels.divisions.argmax()))
    counts = np.bincount(texels.at(one, drawn) - texels.start[one[0]], minlength=texels.divisions.max() ** 2)
    assert counts.std() < 1.2 * np.sqrt(counts.mean()), "equally often: of equal area"
    corners = np.eye(3)[[0, 1, 2]]
    assert (texels.at(np.array([5, 5, 5]), corners) < texels.start[6]).all()


def test_where_there_is_no_direction_there_are_no_streaks(ball):
    texels = Texels.of(ball, 5000)
    assert (line_integral_convolution(texels, np.zeros((ball.num_vertices, 3))) == 0.5).all()
    half = np.where(ball.vertices[:, 2:] > 0.2, np.nan, np.cross([0.0, 0.0, 1.0], ball.vertices))
    values = line_integral_convolution(texels, half)
    assert np.isfinite(values).all()
    assert (values[places(texels)[:, 2] > 0.5] == 0.5).all()
    assert values[places(texels)[:, 2] < -0.2].std() > 0.1
    into = np.where(above_the_equator(ball), 1.0, -1.0)[:, None] * np.array([[0.0, 0.0, -1.0]])
    assert np.isfinite(line_integral_convolution(texels, into)).all(), "field that meets itself at the equator"
    with pytest.raises(ValueError, match=r"\(7, 3\)"):
        line_integral_convolution(texels, np.zeros((7, 3)))


def above_the_equator(ball: TriangleMesh) -> np.ndarray:
    """Which faces lie above the equator: their field points down, the other up."""
    return ball.vertices[ball.faces].mean(axis=1)[:, 2] > 0
