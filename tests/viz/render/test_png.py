from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.viz import MeshView, palette, render_meshes
from gaugenet.viz.render.camera import rotated
from gaugenet.viz.render.png import panels_of
from gaugenet.viz.render.shading import Model, shade


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(float)


def nearest(pixels: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Index of the color of the same tint, whatever the light on it."""

    def tint(color: np.ndarray) -> np.ndarray:
        color = np.asarray(color, dtype=float) + 1e-6
        return color / np.linalg.norm(color, axis=-1, keepdims=True)

    return (tint(pixels.reshape(-1, 1, 3)) @ tint(colors).T).reshape(len(pixels.reshape(-1, 3)), -1).argmax(-1)


def ball(view: str, sphere: trimesh.Trimesh) -> np.ndarray:
    """A white ball seen from the front, on nothing."""
    model = Model.of(TriangleMesh(sphere.vertices, sphere.faces))
    shaded = shade(model, np.eye(3), up=np.eye(3)[1], width=120, height=120)
    white = np.ones((len(sphere.faces), 3, 3))
    return shaded.paint(white, crisp=view == "crisp")


def test_a_ball_fills_a_disk_and_is_lit_from_above_left(sphere: trimesh.Trimesh) -> None:
    picture = ball("crisp", sphere)
    assert picture.shape == (120, 120, 4)
    assert picture.min() >= 0
    assert picture.max() <= 1
    radius = np.hypot(*(np.mgrid[:120, :120] - 59.5))
    assert (picture[radius < 45, 3] > 0.999).all()
    assert (picture[radius > 59, 3] < 0.4).all()  # nothing but shadow
    brightness = picture[..., :3].mean(-1)
    assert brightness[40, 40] > brightness[80, 80] + 0.1


def test_edges_are_antialiased(sphere: trimesh.Trimesh) -> None:
    rim = ball("crisp", sphere)[20, :, 3]
    assert ((rim > 0.2) & (rim < 0.95)).sum() >= 2


def test_the_shadow_lies_below_whatever_direction_is_up(sphere: trimesh.Trimesh, tmp_path: Path) -> None:
    pictures = []
    for up, front in (("y", "z"), ((1, 1, 0.3), (0.2, -0.1, 1))):
        view = MeshView(name="a", vertices=sphere.vertices, faces=sphere.faces, up=up, front=front)
        shaded = shade(
            Model.of(view.mesh), rotated(view.orientation, 25, 12), up=view.orientation[1], width=90, height=90
        )
        pictures.append(shaded.shadow)
    assert pictures[0][-25:].max() > 0.1 > pictures[0][:30].max()
    np.testing.assert_allclose(pictures[0], pictures[1], atol=0.05)
    from_below = shade(Model.of(view.mesh), np.eye(3), up=np.eye(3)[1], width=90, height=90)
    assert from_below.shadow.max() == 0


def test_colors_of_classes_stand_where_the_faces_are(halves: MeshView, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    render_meshes(path, [halves], panels=["prediction", "truth"], azimuth=0, elevation=0, tile=200)
    picture = read(path)
    middle = picture.shape[1] // 2
    colors = palette(2)
    row = 28 + 26 + 100
    for left, classes in ((middle - 200, (0, 1)), (middle, (1, 0))):
        patch = picture[row - 20 : row + 20]
        assert (nearest(patch[:, left + 50 : left + 90], colors) == classes[0]).mean() > 0.99
        assert (nearest(patch[:, left + 110 : left + 150], colors) == classes[1]).mean() > 0.99


def test_from_behind_left_and_right_change_places(halves: MeshView, tmp_path: Path) -> None:
    render_meshes(tmp_path / "a.png", [halves], panels=["prediction"], azimuth=180, elevation=0, tile=200)
    picture = read(tmp_path / "a.png")
    middle, row = picture.shape[1] // 2, 28 + 100
    assert (nearest(picture[row - 20 : row + 20, middle - 50 : middle - 10], palette(2)) == 1).mean() > 0.99


def test_labels_on_vertices_are_not_blended(sphere: trimesh.Trimesh) -> None:
    model = Model.of(TriangleMesh(sphere.vertices, sphere.faces))
    shaded = shade(model, np.eye(3), up=np.eye(3)[1], width=90, height=90, samples=1)
    corners = np.zeros((320, 3, 3))
    corners[:, 0] = [1, 0, 0]
    corners[:, 1:] = [0, 0, 1]
    crisp, mixed = (shaded.paint(corners, crisp=c)[shaded.hit] for c in (True, False))

    def purple(pixels: np.ndarray) -> float:
        return ((pixels[:, 0] > 0.35) & (pixels[:, 2] > 0.35)).mean()

    assert purple(crisp) < 0.05 < 0.3 < purple(mixed)


def test_size_of_a_sheet(halves: MeshView, tmp_path: Path) -> None:
    plain = MeshView(name="no labels", vertices=halves.vertices, faces=halves.faces)
    render_meshes(tmp_path / "a.png", [plain] * 5, columns=3, tile=(160, 120), title="Five")
    height, width, _ = read(tmp_path / "a.png").shape
    assert width == 3 * 160 + 2 * 28
    assert 2 * 120 < height < 2 * 120 + 220


def test_what_can_be_shown(halves: MeshView) -> None:
    plain = MeshView(name="a", vertices=halves.vertices, faces=halves.faces)
    assert panels_of(plain) == ["surface"]
    assert panels_of(halves) == ["prediction", "truth", "error"]
    field = MeshView(name="a", vertices=halves.vertices, faces=halves.faces, scalar=halves.vertices[:, 0])
    assert panels_of(field) == ["value"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_panel_at_once_with_odd_names(halves: MeshView, tmp_path: Path, theme: str) -> None:
    view = MeshView(
        name="a $x^2$ name <with> signs that is much longer than there is room for in a caption of this width.obj",
        vertices=halves.vertices,
        faces=halves.faces,
        prediction=halves.prediction,
        truth=halves.truth,
        scalar=np.where(halves.vertices[:, 0] > 0.5, np.nan, halves.vertices[:, 1]),
    )
    panels = ["prediction", "truth", "error", "scalar", "surface"]
    plain = MeshView(name="plain", vertices=halves.vertices, faces=halves.faces)
    render_meshes(
        tmp_path / "a.png", [view, plain], panels=panels, class_names=["$a_", "b"], tile=100, theme=theme, smooth=False
    )
    corner = read(tmp_path / "a.png")[0, 0].mean()
    assert corner > 200 if theme == "light" else corner < 60


def test_bad_requests(halves: MeshView, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(ValueError, match="at least one"):
        render_meshes(path, [])
    with pytest.raises(ValueError, match="wireframe"):
        render_meshes(path, [halves], panels=["wireframe"])
    with pytest.raises(ValueError, match="sepia"):
        render_meshes(path, [halves], theme="sepia")
    with pytest.raises(ValueError, match="1 classes"):
        render_meshes(path, [halves], class_names=["one"])
    assert not path.exists()
