"""Fields on surfaces as pictures: arrows along the vectors, stream lines, bars of color, truth next to prediction."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from matplotlib import image

from gaugenet.geometry import HEALPix, Icosphere, TriangleMesh
from gaugenet.viz import ColorScale, MeshField, MeshView, coastline_segments, draw_fields, field_pictures
from gaugenet.viz.field_pictures import FieldMap, render_field_maps
from gaugenet.viz.render.colors import color_ramp
from gaugenet.viz.render.painter import Anchors, Painter, spread_points


@pytest.fixture(scope="module")
def sphere():
    found = trimesh.creation.icosphere(subdivisions=3)
    return TriangleMesh(found.vertices, found.faces)


@pytest.fixture(scope="module")
def east(sphere):
    return np.cross([0.0, 0.0, 1.0], sphere.vertices)


def anchors(mesh: TriangleMesh, field: MeshField) -> Anchors:
    return Anchors.of(mesh, field.on(mesh, "v", name="v"), ColorScale(0.0, 1.0, "viridis"))


def test_points_are_spread(sphere):
    kept = sphere.vertices[spread_points(sphere.vertices, 0.4)]
    gaps = np.linalg.norm(kept[:, None] - kept, axis=-1) + 9 * np.eye(len(kept))
    assert gaps.min() > 0.4
    assert np.linalg.norm(sphere.vertices[:, None] - kept, axis=-1).min(axis=1).max() <= 0.4


def test_a_dart_points_along_its_vector_and_is_as_long(sphere, east):
    found = anchors(sphere, MeshField(east, spacing=0.2, longest=2.0))
    corners = found.darts(east)[0].reshape(len(found.at), -1, 3)
    along = corners[:, -1] - corners[:, :2].mean(axis=1)
    np.testing.assert_allclose(along, 0.5 * 1.15 * 0.2 * east[found.at], atol=1e-12)
    assert (np.linalg.norm(corners, axis=-1) > 1.0).all(), "outside of the sphere, where they are seen"


def test_darts_of_other_directions_stand_above_the_surface_and_missing_ones_vanish(sphere):
    up = sphere.face_normals * 3
    up[0] = np.nan
    found = anchors(sphere, MeshField(up, spacing=0.3))
    corners = found.darts(up)[0].reshape(len(found.at), -1, 3)
    assert (np.linalg.norm(corners, axis=-1) > 0.99).all()
    length = np.linalg.norm(corners[:, -1] - corners[:, :2].mean(axis=1), axis=-1)
    assert length[found.at == 0] == 0
    np.testing.assert_allclose(length[found.at > 0], 1.15 * 0.3)


def test_a_painted_field_has_the_colors_of_its_scale_and_its_step(sphere):
    values = np.stack([np.full(sphere.num_vertices, 0.25), np.full(sphere.num_vertices, 0.75)])
    view = MeshView.of(sphere, fields={"u": MeshField(values, limits=(0, 1))})
    painter, scale = Painter(view, np.eye(3), 60, 60), ColorScale(0.0, 1.0, "viridis")
    lights = []
    for step, level in ((0, 64), (1, 191)):
        pixel = painter.paint_field(view.fields["u"], scale, step=step)[30, 30, :3]
        expected = color_ramp()[level] / 255
        lights.append(pixel)
        assert np.corrcoef(pixel, expected)[0, 1] > 0.9
    assert np.abs(lights[0] - lights[1]).max() > 0.2, "control: another step"


@pytest.mark.parametrize("drawn", ["arrows", "lines"])
def test_the_direction_of_a_field_is_seen(sphere, east, drawn):
    """Both fields have the same sizes, and so the same colors."""
    north = np.cross(sphere.vertices, east)
    view = MeshView.of(sphere, fields={"e": MeshField(east, drawn=drawn), "n": MeshField(north, drawn=drawn)})
    painter, scale = Painter(view, np.eye(3)[[1, 2, 0]], 160, 160), ColorScale(0.0, 1.0, "viridis")
    one, two = (painter.paint_field(view.fields[name], scale)[40:120, 40:120, :3].mean(-1) for name in ("e", "n"))
    across = [
        np.abs(np.diff(picture, axis=1)).mean() / np.abs(np.diff(picture, axis=0)).mean() for picture in (one, two)
    ]
    assert across[0] < 0.8, "smoother from left to right, along the field"
    assert across[1] > 1.25


def test_one_call_draws_tangent_fields_on_any_surface(tmp_path, sphere, east):
    for k, surface in enumerate((sphere, Icosphere(2), HEALPix(4))):
        points = np.asarray(MeshView.of(surface).vertices)
        fields = {
            "wind": MeshField(np.cross([0.0, 0, 1], points), unit="m/s", drawn="both"),
            "z": MeshField(points[:, 2]),
        }
        draw_fields(tmp_path / f"{k}.png", surface, fields, title="Winds", tile=160, up="z", lines=coastline_segments())
        assert image.imread(tmp_path / f"{k}.png").shape[1] == 420
    draw_fields(tmp_path / "page.html", sphere, {"wind": MeshField(east)})
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_color_bars_are_drawn_below(tmp_path, sphere):
    field = MeshField(sphere.vertices[:, 0], unit="m", limits=(-1, 1), colormap="cividis")
    draw_fields(tmp_path / "a.png", sphere, {"x": field}, tile=200)
    picture = np.round(255 * image.imread(tmp_path / "a.png")[..., :3]).astype(int)
    ramp = color_ramp("cividis", steps=140).astype(int)
    rows = [row for row in picture[-60:] if (row == ramp[70]).all(-1).any()]
    assert rows, "the middle of the bar"
    middle = int(np.flatnonzero((rows[0] == ramp[70]).all(-1))[0])
    np.testing.assert_array_equal(rows[0][middle - 70 : middle + 70], ramp)


def test_what_cannot_be_drawn_is_refused(tmp_path, sphere, east):
    for arguments, words in (
        ((tmp_path / "a.gif", sphere, {"u": MeshField(east)}), "gif"),
        ((tmp_path / "a.png", sphere, {}), "at least one field"),
        ((tmp_path / "a.png", sphere, {"u": MeshField(east[:5])}), r"\(5, 3\)"),
        ((tmp_path / "a.png", "sphere", {"u": MeshField(east)}), "str"),
    ):
        with pytest.raises(ValueError, match=words):
            draw_fields(*arguments)
    assert not list(tmp_path.iterdir())


def test_truth_prediction_and_error_share_the_scale_of_the_truth(sphere, east, tmp_path):
    view = MeshView.of(sphere, "globe")
    one = FieldMap(view, "wind", "m/s", 3 * east, 2 * east, -east)
    truth, prediction, error = one.fields().values()
    assert truth.limits == prediction.limits == (0, pytest.approx(3, rel=0.02))
    assert truth.longest == error.longest == truth.limits[1]
    assert error.limits == (0, pytest.approx(1, rel=0.02))
    maps = {"same.png": east, "off.png": -east}
    for name, prediction in maps.items():
        render_field_maps(
            tmp_path / name, [FieldMap(view, "wind", "m/s", east, prediction, prediction - east)], tile=120
        )
    same, off = (image.imread(tmp_path / name) for name in maps)
    assert same.shape == off.shape
    assert np.abs(same - off).max() > 0.2, "the error is seen"
    with pytest.raises(ValueError, match="at least one map"):
        render_field_maps(tmp_path / "none.png", [])


def test_the_error_of_a_vector_is_not_called_the_error_of_its_size(sphere, east, tmp_path, monkeypatch):
    """A turned vector has the right size, and an error."""
    bars = []
    monkeypatch.setattr(field_pictures, "_color_bar", lambda figure, axes, scale, label: bars.append(label))
    view = MeshView.of(sphere, "globe")
    maps = [FieldMap(view, "u", "m/s", east, -east), FieldMap(view, "p", "Pa", east[:, 0], east[:, 1])]
    render_field_maps(tmp_path / "a.png", maps, tile=60)
    assert bars == ["|u| [m/s]", "|error of u| [m/s]", "p [Pa]", "error of p [Pa]"]
