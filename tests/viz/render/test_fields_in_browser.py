"""Fields in a real browser: the menu, the time steps, arrows, stream lines, coastlines, and a screen of 420 pixels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import trimesh

from gaugenet.viz import MeshField, MeshView, coastline_segments
from gaugenet.viz.render.colors import color_ramp
from tests.viz.render.test_viewer_in_browser import STILL, Open, box, show  # noqa: F401

TIMES = ["0 h", "6 h", "12 h", "18 h"]
LEVELS = [0.1, 0.9, 0.4, 0.65]


@pytest.fixture
def ball(monkeypatch: pytest.MonkeyPatch) -> MeshView:
    """`heat` is constant in space and changes in time, `steady` does not; `wind` turns from east to north."""
    monkeypatch.setattr("gaugenet.viz.render.packing.NUM_TEXELS", 100_000)
    found = trimesh.creation.icosphere(subdivisions=3)
    north = np.array([0.0, 1.0, 0.0])
    east = np.cross(north, found.vertices)
    wind = np.stack([east, east, np.cross(found.vertices, east), np.cross(found.vertices, east)])
    fields = {
        "heat": MeshField(np.repeat(LEVELS, len(found.vertices)).reshape(4, -1), unit="K", limits=(0, 1), times=TIMES),
        "steady": MeshField(found.vertices[:, 0], colormap="diverging"),
        "wind": MeshField(wind, unit="m/s", limits=(0, 1), drawn="both", times=TIMES),
    }
    return MeshView(name="ball", vertices=found.vertices, faces=found.faces, fields=fields, up="y", front="z")


def middle(page) -> np.ndarray:
    left, top, width, height = box(page, "#canvas")
    return page.screenshot().astype(float)[int(top + height / 2) - 40 :, int(left + width / 2) - 40 :][:80, :80]


def tint(color: np.ndarray) -> np.ndarray:
    return np.asarray(color) / np.linalg.norm(color)


def pointed_at(page) -> str:
    left, top, width, height = box(page, "#canvas")
    for x in (1, 0):  # the pointer has to move
        page.call("Input.dispatchMouseEvent", type="mouseMoved", x=left + width / 2 + x, y=top + height / 2)
        page.frames(3)
    return page.evaluate("document.getElementById('tip').innerText")


def test_the_slider_shows_the_values_of_each_step(show: Open, ball: MeshView) -> None:  # noqa: F811
    page = show([ball])
    assert page.evaluate("document.getElementById('time').max") == "3"
    seen = []
    for step in (0, 2, 1, 3):
        page.evaluate(f"time.value = {step}; time.dispatchEvent(new Event('input'))")
        page.frames(2)
        assert page.evaluate("document.getElementById('when').textContent") == TIMES[step]
        words, value, unit = pointed_at(page).rsplit(" ", 2)
        assert (words.split(" · ")[-1], unit) == ("heat", "K")
        assert float(value) == pytest.approx(LEVELS[step], abs=2e-5)
        seen.append(middle(page).mean(axis=(0, 1)))
        ramp = color_ramp(steps=64)[round(LEVELS[step] * 63)]
        assert tint(seen[-1]) @ tint(ramp) > 0.97
    assert min(np.abs(a - b).max() for a, b in pairwise(seen)) > 20, "control: steps look different"
    assert page.problems() == []


def test_play_and_keys_go_through_the_steps(show: Open, ball: MeshView) -> None:  # noqa: F811
    page = show([ball], STILL + "&step=2")
    page.evaluate("canvas.focus()")
    page.press(".")
    assert page.evaluate("canvas.dataset.step") == "3"
    page.press(".")
    assert page.evaluate("canvas.dataset.step") == "0"
    page.press(",")
    assert page.evaluate("canvas.dataset.step") == "3"
    page.evaluate("document.getElementById('play').click()")
    page.wait_for("canvas.dataset.step === '1'")
    page.press("p")
    stopped = page.evaluate("canvas.dataset.step")
    page.frames(30)
    assert page.evaluate("canvas.dataset.step") == stopped
    assert page.evaluate("document.getElementById('play').getAttribute('aria-pressed')") == "false"


def choose(page, name: str) -> None:
    page.evaluate(f"field.value = '{name}'; field.dispatchEvent(new Event('change'))")
    page.frames(3)


def test_the_menu_chooses_a_field_with_its_own_limits(show: Open, ball: MeshView) -> None:  # noqa: F811
    page = show([ball])
    captions = "document.getElementById('captions').innerText"
    assert "heat [K]" in page.evaluate(captions)
    choose(page, "steady")
    assert "steady" in page.evaluate(captions)
    assert page.evaluate("document.getElementById('times').hidden"), "no steps, no slider"
    picture = middle(page)
    left, right = picture[:, :20].mean(axis=(0, 1)), picture[:, -20:].mean(axis=(0, 1))
    assert left[2] > left[0]
    assert right[0] > right[2]
    choose(page, "*")
    assert page.evaluate("document.querySelectorAll('.caption').length") == 3
    drawn = page.screenshot().astype(int)
    left, top, width, height = box(page, "#canvas")
    for k in range(3):  # every panel is drawn, with stream lines or without
        patch = drawn[int(top + height / 2) - 5 :, int(left + width * (k + 0.5) / 3) - 60 :][:10, :120]
        assert np.ptp(patch, axis=-1).max() > 40
    assert page.problems() == []


def test_truth_and_prediction_are_shown_side_by_side_at_first(show: Open, ball: MeshView) -> None:  # noqa: F811
    mesh, heat = ball.mesh, np.zeros(len(ball.vertices))
    names = ["u, truth", "u, prediction", "v, truth", "v, prediction", "other"]
    view = MeshView.of(mesh, "a", fields={name: MeshField(heat) for name in names})
    page = show([view])
    titles = "[...document.querySelectorAll('.caption b')].map((b) => b.innerText).join()"
    assert page.evaluate(titles) == "u, truth,u, prediction"
    choose(page, "v, *")
    assert page.evaluate(titles) == "v, truth,v, prediction"
    choose(page, "other")
    assert page.evaluate(titles) == "other"
    choose(page, "*")
    assert page.evaluate(titles) == ",".join(names)
    assert page.problems() == []


def test_arrows_and_stream_lines_follow_the_field_and_can_be_hidden(show: Open, ball: MeshView) -> None:  # noqa: F811
    page = show([ball], STILL + "&field=wind")

    def roughness() -> float:
        """Changes from left to right, over those from top to bottom."""
        gray = middle(page).mean(-1)
        return float(np.abs(np.diff(gray, axis=1)).mean() / np.abs(np.diff(gray, axis=0)).mean())

    both = page.screenshot().astype(int)
    page.evaluate("document.getElementById('arrows').click()")
    page.frames(2)
    lines = page.screenshot().astype(int)
    assert (np.abs(both - lines).max(-1) > 60).sum() > 300
    assert roughness() < 0.8, "along the field, to the east"
    page.evaluate("time.value = 2; time.dispatchEvent(new Event('input'))")
    page.frames(2)
    assert roughness() > 1.25, "and to the north"
    page.evaluate("document.getElementById('streaks').click()")
    page.frames(2)
    assert middle(page).mean(-1).std() < 0.5 * lines[300:380, 560:640].mean(-1).std() + 5
    assert page.problems() == []


def test_lines_over_the_surface(show: Open) -> None:  # noqa: F811
    found = trimesh.creation.icosphere(subdivisions=4)
    plain = MeshView(name="a", vertices=found.vertices, faces=found.faces, up="z", front="x")
    coast = MeshView(
        name="a", vertices=found.vertices, faces=found.faces, up="z", front="x", lines=coastline_segments()
    )
    without, with_coast = (show([view]).screenshot().astype(int) for view in (plain, coast))
    dark = (without - with_coast).min(-1) > 70
    assert 500 < dark.sum() < 0.1 * dark.size
    left, top, width, height = 0, 0, dark.shape[1], dark.shape[0]
    middle_row, middle_column = np.nonzero(dark)
    assert abs(middle_column.mean() - (left + width / 2)) < 0.15 * width, "Africa and Europe, in the middle"
    assert abs(middle_row.mean() - (top + height / 2)) < 0.15 * height


def test_a_phone(show: Open, ball: MeshView) -> None:  # noqa: F811
    page = show([ball, ball], STILL + "&field=wind", size=(420, 860), title="A long heading of a page " * 3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    for name in ("smooth", "wire", "arrows", "streaks", "spin", "up", "home", "theme", "field", "play", "time", "next"):
        left, top, width, height = box(page, f"#{name}")
        assert left >= 0, name
        assert left + width <= 420, name
        assert top + height <= 860, name
        assert height >= 16, name
    assert "ball" in page.evaluate("document.getElementById('named').innerText")
    left, top, width, height = box(page, "#canvas")
    assert height > 0.5 * 860
    x, y = left + width / 2, top + height / 2

    def touch(kind: str, *points: tuple[float, float]) -> None:
        page.call(
            "Input.dispatchTouchEvent",
            type=kind,
            touchPoints=[{"x": a, "y": b, "id": k} for k, (a, b) in enumerate(points)],
        )

    touch("touchStart", (x, y))
    touch("touchMove", (x + 40, y))
    touch("touchMove", (x + 100, y))
    touch("touchEnd")
    page.frames(2)
    assert abs(float(page.evaluate("canvas.dataset.yaw"))) > 20, "one finger turns"
    assert page.evaluate("canvas.dataset.zoom") == "1.000"
    touch("touchStart", (x - 30, y), (x + 30, y))
    touch("touchMove", (x - 60, y), (x + 60, y))
    touch("touchMove", (x - 90, y), (x + 90, y))
    touch("touchEnd")
    page.frames(2)
    assert float(page.evaluate("canvas.dataset.zoom")) > 1.5, "two fingers zoom"
    choose(page, "*")
    page.frames(2)
    for k in range(3):
        left, _, width, _ = box(page, f".caption:nth-child({k + 1})")
        assert left >= -1
        assert left + width <= 421
    assert page.problems() == []
