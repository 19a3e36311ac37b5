"""`gaugenet view` of one mesh draws frames, discs and kernels, as a page and as a picture, and says what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from torch import nn

from gaugenet import FieldType, GaugeConv
from gaugenet.cli import main
from gaugenet.geometry import TriangleMesh
from gaugenet.groups import SO2, Cyclic
from gaugenet.tasks.mesh.surface_pictures import DrawOptions, draw_on_mesh, layer_to_draw
from gaugenet.viz import MeshView
from tests.geometry.mesh.surfaces import mobius


@pytest.fixture(scope="module")
def ball(tmp_path_factory):
    """162 vertices; vertices 0 and 1 are far from each other."""
    path = tmp_path_factory.mktemp("meshes") / "ball.ply"
    trimesh.creation.icosphere(subdivisions=2).export(path)
    return path


@pytest.fixture(scope="module")
def strip(tmp_path_factory):
    mesh, path = mobius(20, 4), tmp_path_factory.mktemp("meshes") / "strip.ply"
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path)
    return path


def view_of(path) -> MeshView:
    mesh = TriangleMesh.load(path)
    return MeshView(name="mesh", vertices=mesh.vertices, faces=mesh.faces)


def colors(part) -> set[tuple[int, ...]]:
    return set(map(tuple, part.colors.tolist()))


# --- files ------------------------------------------------------------------------------------------------------------


def test_all_of_it_as_a_page_and_as_a_picture(ball, tmp_path, capsys):
    page, picture = tmp_path / "page.html", tmp_path / "picture.png"
    wanted = ["--frames", "--group", "SO(2)", "--at", "3", "9", "--disc", "40", "--kernel", "0", "80", "--carry"]
    assert main(["view", str(ball), *wanted, "--radius", "0.4", "--out", str(page), "--png", str(picture)]) == 0
    assert capsys.readouterr().out.split() == [str(page), str(picture)]
    assert '"colors":{"type":"uint8"' in page.read_text(encoding="utf-8")
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    red, blue = pixels[..., 0] - pixels[..., 2] > 80, pixels[..., 2] - pixels[..., 0] > 80
    assert red.sum() > 100
    assert blue.sum() > 100


def test_the_ending_says_what_is_written(ball, tmp_path, capsys):
    assert main(["view", str(ball), "--out", str(tmp_path / "plain.png")]) == 0
    assert Image.open(tmp_path / "plain.png").size[0] > 100
    assert main(["view", str(ball), "--out", str(tmp_path / "plain.jpg")]) == 1
    assert "ends in .html or .png" in capsys.readouterr().err


def test_of_a_climate_run_the_page_and_the_map_of_its_evaluation(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text('{"task": "climate"}', encoding="utf-8")
    page, picture = tmp_path / "page.html", tmp_path / "picture.png"
    assert main(["view", str(run), "--out", str(page)]) == 1
    assert "was not evaluated yet" in capsys.readouterr().err
    (run / "globe.html").write_text("globe", encoding="utf-8")
    (run / "map.png").write_bytes(b"map")
    assert main(["view", str(run), "--out", str(picture)]) == 0
    assert (picture.read_bytes(), page.exists()) == (b"map", False)
    assert main(["view", str(run), "--out", str(page), "--png", str(picture), "--overwrite"]) == 0
    assert page.read_text(encoding="utf-8") == "globe"


# --- what is drawn ----------------------------------------------------------------------------------------------------


def test_each_option_adds_its_own(ball):
    view = view_of(ball)
    bare = len(draw_on_mesh(view, DrawOptions()).parts)
    assert bare == 1
    for drawn in (
        DrawOptions(frames="random", count=3),
        DrawOptions(discs=[5]),
        DrawOptions(kernels=[5]),
        DrawOptions(at=[1, 2]),
        DrawOptions(group="C_4", count=3),
    ):
        assert len(draw_on_mesh(view, drawn).parts) > bare
    arrows = [len(draw_on_mesh(view, DrawOptions(frames=f, at=[7])).parts) for f in ("first_edge", "cross4")]
    assert arrows[0] < arrows[1]  # the other directions of the cross


def test_carried_kernels_are_seen_from_the_first_frame(ball):
    view = view_of(ball)
    own, transported = (
        draw_on_mesh(view, DrawOptions(kernels=[0, 1], transport=transport)) for transport in (False, True)
    )
    kernels = [[p for p in picture.parts[1:] if len(colors(p)) > 8] for picture in (own, transported)]
    first, second = (np.abs(a.colors.astype(int) - b.colors).max() for a, b in zip(*kernels))
    assert first < 5  # of 255: equally short paths are chosen anew
    assert second > 50
    assert len(transported.parts) == len(own.parts) + 1  # the way


def test_the_layer_of_a_run(ball, monkeypatch):
    group = SO2()
    layers = [GaugeConv(FieldType(group, a), FieldType(group, b)) for a, b in (("1x0", "1x1"), ("1x1", "2x0"))]
    network = nn.Sequential(*layers, nn.Linear(2, 2))
    monkeypatch.setattr("gaugenet.tasks.training.run.load_run", lambda run: (network, None))
    assert layer_to_draw(DrawOptions(kernels=[], run="x")) is layers[0]
    assert layer_to_draw(DrawOptions(kernels=[], run="x", layer="1")) is layers[1]
    with pytest.raises(ValueError, match="no layer '2': choose one of 0, 1"):
        layer_to_draw(DrawOptions(kernels=[], run="x", layer="2"))
    with pytest.raises(ValueError, match=r"group SO\(2\): --group C_4"):
        layer_to_draw(DrawOptions(kernels=[], run="x", group="C_4"))


def test_random_weights_are_those_of_the_seed():
    one, same, other = (layer_to_draw(DrawOptions(kernels=[], seed=seed)).weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert layer_to_draw(DrawOptions(kernels=[], frames="cross6")).in_type.group == Cyclic(6)
    assert str(layer_to_draw(DrawOptions(kernels=[], group="C_4", fields="2x0->1x1")).in_type) == "2x0"


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--disc 162", "from 0 to 161, got 162"),
        ("--kernel -1", "from 0 to 161, got -1"),
        ("--frames --at 3 900", "from 0 to 161, got 900"),
        ("--frames curly", "one of first_edge, random, principal or crossN"),
        ("--frames cross0", "crossN such as cross4, got 'cross0'"),
        ("--frames --count 0", "at least one frame"),
        ("--frames --group SO(5)", "Unknown structure group 'SO(5)'"),
        ("--frames --group SO(3)", "needs a structure group acting on R^2"),
        ("--frames --group Trivial", "transporters lie outside Trivial"),
        ("--frames principal --group C_4", "transporters lie outside C_4"),
        ("--frames cross4 --group C_2", "C_2"),
        ("--disc 3 --radius -1", "positive `radius`"),
        ("--kernel 3 --fields 1x0", '"INPUT -> OUTPUT"'),
        ("--kernel 3 --fields 1x0->1xq", "q"),
        ("--kernel 3 --entry 0 7", "within the 2 x 1 matrix"),
        ("--kernel 3 --layer up", "Expected --run RUN in addition to --layer up"),
        ("--transport --fields 1x0->1x1", "Expected --kernel in addition to --transport and --fields"),
        ("--frames --radius 1", "Expected --disc or --kernel in addition to --radius"),
        ("--kernel 3 --run nowhere", "No run folder at nowhere"),
    ],
)
def test_mistakes_are_named(options, message, ball, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["view", str(ball), "--out", str(out), *options.split()]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_mesh_refuses_what_its_surface_cannot_have(strip, tmp_path, capsys):
    out = str(tmp_path / "page.html")
    assert main(["view", str(strip), "--kernel", "5", "--out", out]) == 1
    assert "admits no SO(2)-structure: use O(2)" in capsys.readouterr().err
    assert main(["view", str(strip), "--kernel", "5", "--group", "O(2)", "--out", out]) == 0


def test_a_folder_is_no_mesh(ball, tmp_path, capsys):
    assert main(["view", str(ball.parent), "--disc", "3", "--out", str(tmp_path / "page.html")]) == 1
    assert "is a folder: name a file" in capsys.readouterr().err
