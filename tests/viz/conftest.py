from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import trimesh

from gaugenet.viz import MeshView
from tests.viz.render.browser import NAMES, Browser, find_browser


@pytest.fixture
def sphere() -> trimesh.Trimesh:
    """320 faces, the plane x = 0 passing through edges."""
    return trimesh.creation.icosphere(subdivisions=2)


@pytest.fixture
def halves(sphere: trimesh.Trimesh) -> MeshView:
    """Predicted 0 at x < 0 and 1 at x > 0; in truth the other way round: wrong everywhere."""
    right = sphere.triangles_center[:, 0] > 0
    return MeshView(
        name="halves",
        vertices=sphere.vertices,
        faces=sphere.faces,
        prediction=np.where(right, 1, 0),
        truth=np.where(right, 0, 1),
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        pytest.skip(f"no browser on the PATH (looked for {', '.join(NAMES)}): install chromium to run these")
    running = Browser(program)
    yield running
    running.close()
