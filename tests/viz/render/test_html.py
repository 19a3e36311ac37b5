from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from gaugenet.viz import MeshField, MeshView, write_viewer

NASTY = "</script><script>document.documentElement.dataset.hacked=1</script><img src=x onerror=alert(1)>&\u2028'\""


def scene_of(page: str) -> dict:
    match = re.search(r'<script type="application/json" id="scene">(.*?)</script>', page, re.DOTALL)
    assert match
    return json.loads(match[1])


def unpack(packed: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["data"]), dtype=np.dtype(packed["type"]).newbyteorder("<"))


def test_importing_the_pictures_loads_no_plotting() -> None:
    script = "import sys, gaugenet.viz; print([m for m in ('matplotlib', 'trimesh') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_geometry_and_labels_survive(halves: MeshView, tmp_path: Path) -> None:
    write_viewer(tmp_path / "a.html", [halves], class_names=["left", "right"])
    packed = scene_of((tmp_path / "a.html").read_text())["meshes"][0]
    grid = unpack(packed["vertices"]).reshape(-1, 3) / 65535
    positions = np.array(packed["low"]) + grid * np.array(packed["extent"])
    np.testing.assert_allclose(positions, halves.vertices, atol=2 / 65535)
    np.testing.assert_array_equal(unpack(packed["faces"]).reshape(-1, 3), halves.faces)
    np.testing.assert_array_equal(unpack(packed["prediction"]), halves.prediction)
    assert packed["accuracy"] == 0.0


def test_unlabelled_and_undefined_values_have_codes_of_their_own(sphere: trimesh.Trimesh, tmp_path: Path) -> None:
    labels = np.full(320, -1)
    labels[:3] = [0, 299, 7]
    field = np.linspace(0, 1, 162)
    field[5] = np.nan
    view = MeshView(name="a", vertices=sphere.vertices, faces=sphere.faces, truth=labels, scalar=field)
    write_viewer(tmp_path / "a.html", [view])
    packed = scene_of((tmp_path / "a.html").read_text())["meshes"][0]
    assert unpack(packed["truth"])[:4].tolist() == [0, 299, 7, 300]
    levels = unpack(packed["fields"][0]["levels"])
    assert np.flatnonzero(levels == 65535).tolist() == [5]


def test_the_page_refers_to_nothing_outside(halves: MeshView, tmp_path: Path) -> None:
    write_viewer(tmp_path / "a.html", [halves])
    page = (tmp_path / "a.html").read_text()
    assert not re.search(r"https?:|//[a-z]+\.|\bsrc=|\bhref=|@import|url\(|fetch\(|XMLHttp|WebSocket|import\(", page)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    for rule in ("default-src 'none'", "connect-src 'none'", "base-uri 'none'", "form-action 'none'"):
        assert rule in policy[1]
    assert "unsafe" not in policy[1]


def test_the_policy_names_the_script_and_the_style_by_their_hashes(halves: MeshView, tmp_path: Path) -> None:
    write_viewer(tmp_path / "a.html", [halves])
    page = (tmp_path / "a.html").read_text()
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in page


def test_names_cannot_become_markup(halves: MeshView, tmp_path: Path) -> None:
    view = MeshView(
        name=NASTY, vertices=halves.vertices, faces=halves.faces, prediction=halves.prediction, scalar_name=NASTY
    )
    write_viewer(tmp_path / "a.html", [view], title=NASTY + "{{scene}}", subtitle=NASTY, class_names=[NASTY, "b"])
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("<script") == 2
    assert page.count("</script") == 2
    assert "<img" not in page
    scene = scene_of(page)
    assert scene["meshes"][0]["name"] == NASTY
    assert scene["classes"][0]["name"] == NASTY
    assert scene["title"] == NASTY + "{{scene}}"


def test_twenty_meshes_of_a_thousand_vertices_stay_small(tmp_path: Path) -> None:
    ring = trimesh.creation.torus(1, 0.4, major_sections=40, minor_sections=25)
    assert len(ring.vertices) == 1000
    labels = np.arange(len(ring.faces)) % 8
    views = [
        MeshView(name=f"{k}", vertices=ring.vertices, faces=ring.faces, prediction=labels, truth=labels)
        for k in range(20)
    ]
    write_viewer(tmp_path / "a.html", views)
    assert (tmp_path / "a.html").stat().st_size < 1e6


def test_bad_requests_leave_no_file(halves: MeshView, tmp_path: Path) -> None:
    for arguments, words in (
        ({"views": []}, "at least one"),
        ({"views": [halves], "class_names": ["a"]}, "label 1"),
        ({"views": [halves], "theme": "pink"}, "pink"),
    ):
        with pytest.raises(ValueError, match=words):
            write_viewer(tmp_path / "a.html", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_large_pages_are_reported(
    halves: MeshView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_viewer(tmp_path / "a.html", [halves])
    assert not caplog.records
    monkeypatch.setattr("gaugenet.viz.render.html._LARGE", 1000.0)
    write_viewer(tmp_path / "a.html", [halves])
    assert "slowly" in caplog.text


def test_time_steps_of_fields_survive(sphere: trimesh.Trimesh, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    heat, wind = draw.normal(size=(5, 162)), draw.normal(size=(2, 320, 3))
    fields = {"heat": MeshField(heat, unit="K", limits=(-4, 4)), "wind": MeshField(wind, times=["now", "then"])}
    view = MeshView(name="a", vertices=sphere.vertices, faces=sphere.faces, fields=fields)
    write_viewer(tmp_path / "a.html", [view])
    scene = scene_of((tmp_path / "a.html").read_text())
    first, second = scene["meshes"][0]["fields"]
    assert (first["label"], first["site"], first["times"]) == ("heat [K]", "vertex", list("01234"))
    levels = unpack(first["levels"]).reshape(5, 162).astype(float)
    np.testing.assert_allclose(-4 + 8 * levels / 65534, heat, atol=8 / 65534)
    assert scene["scales"]["heat"]["low"] == -4
    assert (second["site"], second["times"]) == ("face", ["now", "then"])
    at = unpack(second["arrows"]["at"])
    directions = unpack(second["arrows"]["directions"]).reshape(2, -1, 3) / 127
    expected = wind[:, at] / np.linalg.norm(wind[:, at], axis=2, keepdims=True)
    np.testing.assert_allclose(directions, expected, atol=0.005)


def test_long_roll_outs_take_a_byte_a_value(
    sphere: trimesh.Trimesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gaugenet.viz.render.packing._MOST_FINE_VALUES", 500)
    heat = np.random.default_rng(0).random((4, 162))
    heat[1, 7] = np.nan
    view = MeshView(
        name="a", vertices=sphere.vertices, faces=sphere.faces, fields={"heat": MeshField(heat, limits=(0, 1))}
    )
    write_viewer(tmp_path / "a.html", [view])
    packed = scene_of((tmp_path / "a.html").read_text())["meshes"][0]["fields"][0]["levels"]
    assert packed["type"] == "uint8"
    levels = unpack(packed).reshape(4, 162).astype(float)
    assert np.argwhere(levels == 255).tolist() == [[1, 7]]
    np.testing.assert_allclose(levels[0] / 254, heat[0], atol=1 / 254)
