"""The page in a real browser: what it draws, what it asks of the network, and how it answers to the mouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from gaugenet.viz import MeshView, palette, write_viewer
from gaugenet.viz.render.colors import RIGHT, SURFACE, WRONG
from tests.viz.render.browser import Browser, Page
from tests.viz.render.test_html import NASTY
from tests.viz.render.test_png import nearest

Open = Callable[..., Page]
STILL = "#spin=0&yaw=0&pitch=0"


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    pages: list[Page] = []

    def opened(views: list[MeshView], fragment: str = STILL, *, size=(1200, 700), before="", **options: Any) -> Page:
        path = tmp_path / f"page {len(pages)}.html"
        write_viewer(path, views, **options)
        page = browser.open(path, fragment, size=size, before=before)
        page.frames(3)
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()


def box(page: Page, selector: str) -> tuple[float, float, float, float]:
    """Left, top, width and height on the screen."""
    return tuple(
        page.evaluate(
            f"(() => {{ const r = document.querySelector('{selector}').getBoundingClientRect();"
            "return [r.left, r.top, r.width, r.height]; })()"
        )
    )


def panel_halves(page: Page, panel: int, panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels left and right of the middle of one panel."""
    left, top, width, height = box(page, "#canvas")
    picture = page.screenshot().astype(float)
    x, y = int(left + width * (panel + 0.5) / panels), int(top + height / 2)
    return picture[y - 20 : y + 20, x - 80 : x - 30], picture[y - 20 : y + 20, x + 30 : x + 80]


def classes_seen(page: Page, panel: int, panels: int = 3) -> list[int | None]:
    """The class at the left and the right of a panel, None where the colors are mixed."""
    table = np.concatenate([palette(2), [WRONG, RIGHT]])
    seen: list[int | None] = []
    for patch in panel_halves(page, panel, panels):
        counts = np.bincount(nearest(patch, table), minlength=4)
        seen.append(int(counts.argmax()) if counts.max() > 0.97 * counts.sum() else None)
    return seen


def test_three_panels_show_their_colors_without_error_or_network(show: Open, halves: MeshView) -> None:
    page = show([halves], class_names=["left part", "right part"], title="Two halves")
    assert [classes_seen(page, k) for k in range(3)] == [[0, 1], [1, 0], [2, 2]]
    assert page.problems() == []
    assert page.requests() == []
    text = page.evaluate("document.body.innerText")
    for words in (
        "Two halves",
        "left part",
        "right part",
        "Prediction",
        "Truth",
        "Error",
        "wrong 100.0 %",
        "320 faces",
    ):
        assert words in text
    assert page.evaluate("document.title") == "Two halves"


def test_a_wrong_script_would_be_noticed(show: Open, halves: MeshView) -> None:
    broken = "addEventListener('DOMContentLoaded', () => { undefinedFunction(); });"
    assert any("undefinedFunction" in words for words in show([halves], before=broken).problems())


def test_the_policy_stops_requests_and_foreign_scripts(show: Open, halves: MeshView) -> None:
    page = show([halves])
    page.evaluate("fetch('https://example.org/').catch(() => 0); undefined")
    page.evaluate("foreign = document.createElement('script'); foreign.textContent = 'window.ran = 1'")
    page.evaluate("document.body.append(foreign)")
    assert page.evaluate("window.ran") is None
    refused = " ".join(page.problems())
    assert "connect-src" in refused
    assert "script-src" in refused


def test_names_stay_text(show: Open, halves: MeshView) -> None:
    view = MeshView(
        name=NASTY, vertices=halves.vertices, faces=halves.faces, prediction=halves.prediction, scalar_name=NASTY
    )
    page = show([view, view], title=NASTY, subtitle=NASTY, class_names=[NASTY, NASTY])
    assert page.problems() == []
    assert page.evaluate("document.documentElement.dataset.hacked") is None
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.evaluate("document.querySelector('#legend button span').textContent") == NASTY


def test_the_mouse_turns_all_panels_together(show: Open, halves: MeshView) -> None:
    page = show([halves])
    left, top, _, height = box(page, "#canvas")
    start = (left + 100, top + height / 2)
    page.drag(start, (start[0] + 400, start[1]))  # 180 degrees at 0.45 a pixel
    assert abs(float(page.evaluate("canvas.dataset.yaw"))) == pytest.approx(180, abs=2)
    assert [classes_seen(page, k) for k in range(3)] == [[1, 0], [0, 1], [2, 2]]
    page.drag(start, (start[0], start[1] + 100))
    assert float(page.evaluate("canvas.dataset.pitch")) == pytest.approx(45, abs=2)
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=start[0], y=start[1])
    page.press("0")
    assert page.evaluate("canvas.dataset.yaw") == "25.00"


def test_dragging_right_brings_the_left_side_to_the_front(show: Open, sphere: trimesh.Trimesh) -> None:
    front = np.where(sphere.triangles_center[:, 0] < 0, 0, 1)  # 0 at the left
    page = show([MeshView(name="a", vertices=sphere.vertices, faces=sphere.faces, prediction=front)])
    left, top, *_ = box(page, "#canvas")
    page.drag((left + 100, top + 200), (left + 300, top + 200))
    assert classes_seen(page, 0, 1) == [0, 0]


def test_the_wheel_zooms_and_the_right_button_moves(show: Open, halves: MeshView) -> None:
    page = show([halves])
    left, top, width, height = box(page, "#canvas")

    def covered() -> tuple[float, float]:
        picture = page.screenshot().astype(int)[
            int(top) + 60 : int(top + height) - 40, int(left) : int(left + width / 3)
        ]
        colored = np.ptp(picture, axis=-1) > 60
        return colored.mean(), np.nonzero(colored)[1].mean()

    area, middle = covered()
    page.wheel((left + 200, top + 200), 400)
    smaller, _ = covered()
    assert smaller < 0.5 * area
    page.drag((left + 150, top + 150), (left + 210, top + 150), button="right")
    assert covered()[1] == pytest.approx(middle + 60, abs=8)
    assert page.evaluate("canvas.dataset.yaw") == "0.00"


def test_it_turns_by_itself_until_touched(show: Open, halves: MeshView) -> None:
    page = show([halves], "#yaw=0")
    first = float(page.evaluate("canvas.dataset.yaw"))
    page.wait_for(f"Math.abs(canvas.dataset.yaw - {first}) > 1")
    left, top, *_ = box(page, "#canvas")
    page.drag((left + 100, top + 100), (left + 101, top + 100))
    stopped = page.evaluate("canvas.dataset.yaw")
    page.frames(5)
    assert page.evaluate("canvas.dataset.yaw") == stopped


def test_keys(show: Open, halves: MeshView) -> None:
    page = show([halves, halves])
    page.evaluate("canvas.focus()")
    page.press("ArrowRight")
    assert float(page.evaluate("canvas.dataset.yaw")) != 0
    page.press("]")
    assert page.evaluate("canvas.dataset.mesh") == "1"
    before = page.screenshot().astype(int)
    page.press("w")
    assert np.abs(page.screenshot() - before).max() > 60  # dark edges
    assert page.evaluate("document.getElementById('wire').getAttribute('aria-pressed')") == "true"
    page.press("d")
    assert page.screenshot()[5, 5].mean() < 60
    assert page.problems() == []


def test_the_list_chooses_meshes_and_sorts_them_by_accuracy(show: Open, halves: MeshView) -> None:
    good = MeshView(
        name="good one", vertices=halves.vertices, faces=halves.faces, prediction=halves.truth, truth=halves.truth
    )
    page = show([good, halves], class_names=["a", "b"])
    names = "[...document.querySelectorAll('#list .name')].map((n) => n.textContent).join()"
    assert page.evaluate(names) == "good one,halves"
    assert classes_seen(page, 2) == [3, 3]
    page.evaluate("document.getElementById('sort').click()")
    assert page.evaluate(names) == "halves,good one"
    page.evaluate("document.querySelector('#list button').click()")
    page.frames(3)
    assert classes_seen(page, 2) == [2, 2]
    assert page.evaluate("document.getElementById('place').textContent") == "2 of 2"
    assert "mean accuracy 50.0 %" in page.evaluate("document.getElementById('subtitle').textContent")


def test_pointing_names_the_class(show: Open, halves: MeshView) -> None:
    page = show([halves], class_names=["west", "east"])
    left, top, width, height = box(page, "#canvas")
    for x, words in ((-40, "predicted west · true east"), (40, "predicted east · true west")):
        page.call("Input.dispatchMouseEvent", type="mouseMoved", x=left + width / 6 + x, y=top + height / 2)
        page.frames(2)
        assert words in page.evaluate("document.getElementById('tip').innerText")


def test_a_legend_entry_shows_its_class_alone(show: Open, halves: MeshView) -> None:
    page = show([halves])
    page.evaluate("document.querySelector('#legend button').click()")
    page.frames(2)
    assert classes_seen(page, 0)[0] == 0
    right = panel_halves(page, 0, 3)[1]
    assert np.ptp(right.mean(axis=(0, 1))) < 40  # grey


def test_a_mesh_without_labels_and_one_with_prediction_only(show: Open, sphere: trimesh.Trimesh) -> None:
    plain = MeshView(name="plain", vertices=sphere.vertices, faces=sphere.faces)
    page = show([plain])
    assert page.problems() == []
    for patch in panel_halves(page, 0, 1):
        assert np.ptp(patch.mean(axis=(0, 1))) < 40
        assert patch.mean() > 0.5 * np.mean(SURFACE)
    assert page.evaluate("document.getElementById('aside').hidden")
    fine = trimesh.creation.icosphere(subdivisions=4)
    right = (fine.vertices[:, 0] > 0).astype(int)  # labels of vertices
    predicted = MeshView(name="a", vertices=fine.vertices, faces=fine.faces, prediction=right)
    page = show([predicted, plain])
    assert page.problems() == []
    assert classes_seen(page, 0, 1) == [0, 1]
    assert "Truth" not in page.evaluate("document.getElementById('captions').innerText")


def test_fields_and_frames(show: Open, sphere: trimesh.Trimesh) -> None:
    normals = sphere.vertices
    first = np.cross([0.1, 0.9, 0.2], normals)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    view = MeshView(
        name="a",
        vertices=sphere.vertices,
        faces=sphere.faces,
        scalar=sphere.vertices[:, 0],
        scalar_name="curvature",
        frames=np.stack([first, np.cross(normals, first)], axis=-1),
    )
    page = show([view])
    assert page.problems() == []
    assert "curvature" in page.evaluate("document.getElementById('captions').innerText")
    negative, positive = (patch.mean(axis=(0, 1)) for patch in panel_halves(page, 0, 1))
    assert negative[2] > negative[0]  # blue below zero, red above
    assert positive[0] > positive[2]
    before = page.screenshot().astype(int)
    page.evaluate("document.getElementById('frames').click()")
    page.frames(2)
    assert (np.abs(page.screenshot() - before).max(axis=-1) > 50).sum() > 500
    assert page.problems() == []


def test_a_hundred_thousand_faces(show: Open) -> None:
    fine = trimesh.creation.icosphere(subdivisions=6)
    right = (fine.triangles_center[:, 0] > 0).astype(int)
    page = show([MeshView(name="fine", vertices=fine.vertices, faces=fine.faces, prediction=right)])
    assert len(fine.faces) == 81920
    assert classes_seen(page, 0, 1) == [0, 1]
    assert page.problems() == []


def test_without_webgl_the_page_says_so(show: Open, halves: MeshView) -> None:
    page = show([halves], before="HTMLCanvasElement.prototype.getContext = () => null;")
    assert page.problems() == []
    assert page.evaluate("document.documentElement.dataset.state") == "no-webgl"
    assert "no WebGL 2" in page.evaluate("document.getElementById('message').innerText")


def test_a_narrow_screen(show: Open, halves: MeshView) -> None:
    page = show([halves, halves], size=(390, 780))
    assert page.problems() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    left, top, width, height = box(page, "#canvas")
    picture = page.screenshot().astype(int)
    for x, y in ((0.25, 0.25), (0.75, 0.25), (0.5, 0.75)):  # two and one, as three balls fit best
        middle = picture[int(top + height * y) + 20, int(left + width * x) - 10 :][:20]
        assert np.ptp(middle, axis=-1).max() > 60
    wide = trimesh.creation.box(extents=[4, 1, 1])
    page = show([MeshView(name="a", vertices=wide.vertices, faces=wide.faces, truth=[0] * 12, prediction=[1] * 12)])
    assert page.evaluate("document.querySelectorAll('.caption')[1].style.top") == "10px"
    page = show(
        [MeshView(name="a", vertices=wide.vertices, faces=wide.faces, truth=[0] * 12, prediction=[1] * 12)],
        size=(500, 900),
    )
    assert float(page.evaluate("parseFloat(document.querySelectorAll('.caption')[1].style.top)")) > 100


def test_colors_are_drawn_as_they_are_and_the_start_view_is_the_given_one(show: Open, sphere: trimesh.Trimesh) -> None:
    left = sphere.vertices[:, :1] < 0
    colors = np.where(left, [200, 30, 30], [30, 30, 200]).astype(np.uint8)
    view = MeshView(name="painted", vertices=sphere.vertices, faces=sphere.faces, colors=colors)
    page = show([view], "#spin=0", azimuth=0.0, elevation=0.0)
    here, there = (patch.reshape(-1, 3).mean(0) for patch in panel_halves(page, 0, 1))
    assert here[0] > 2 * here[2]
    assert there[2] > 2 * there[0]
    assert page.evaluate("document.querySelector('#canvas').dataset.yaw") == "0.00"
    assert page.problems() == []
    rotated = show([view], "#spin=0", azimuth=180.0)
    here, there = (patch.reshape(-1, 3).mean(0) for patch in panel_halves(rotated, 0, 1))
    assert here[2] > 2 * here[0]
    assert there[0] > 2 * there[2]
