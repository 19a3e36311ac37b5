"""Small pictures: the maps of an evaluation have up to thirty panels, which take half a second each in full size."""

from __future__ import annotations

from functools import partial

import pytest

from gaugenet.tasks.regression import pictures
from gaugenet.viz.field_pictures import render_field_maps


@pytest.fixture(autouse=True)
def small_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "render_field_maps", partial(render_field_maps, tile=90))
