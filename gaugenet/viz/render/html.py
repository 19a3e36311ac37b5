"""One HTML page that shows labelled meshes, rotated with the mouse: no server, no network, no other file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import logging
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.files import atomic_path
from gaugenet.viz.render.colors import RIGHT, SURFACE, UNLABELLED, WRONG, color_ramp, palette, to_hex
from gaugenet.viz.render.mesh_view import MeshView, class_names_for, scalar_limits
from gaugenet.viz.render.sheet import Theme, check_theme

_log = logging.getLogger(__name__)
_LARGE = 60e6  # bytes beyond which a browser takes seconds to open the page


def write_viewer(
    path: str | Path,
    views: Sequence[MeshView],
    *,
    title: str = "gaugenet",
    subtitle: str | None = None,
    class_names: Sequence[str] | None = None,
    theme: Theme = "light",
    smooth: bool = True,
    azimuth: float = 25.0,
    elevation: float = 12.0,
) -> None:
    """Write a page that shows prediction, truth and error of each mesh side by side, with one camera for all three.

    Everything is inside the page: geometry as base64 (positions in 16 bits a coordinate), a small WebGL 2 renderer,
    and a content security policy that forbids every network request and every script but the page's own. A mesh
    without labels is drawn plainly; scalar fields, colours and tangent frames are shown where given.

    Args:
        path: the HTML file to write; complete or absent, its folder made when missing.
        views: the meshes, in the order of the list.
        title: heading of the page.
        subtitle: a line below it, such as the model and the split.
        class_names: names for the legend, label 0 first.
        theme: background at first, "light" or "dark"; a button changes it.
        smooth: round shading at first; a button changes it.
        azimuth: degrees that the viewer stands to the right of the front at first.
        elevation: degrees above the horizon at first.

    Raises:
        ValueError: no meshes, an unknown theme, or a label without a name.
    """
    if not views:
        raise ValueError("Expected at least one mesh in `views`, got none.")
    check_theme(theme)
    scene = _scene(views, class_names_for(views, class_names))
    scene |= {"title": title, "subtitle": subtitle or "", "theme": theme, "smooth": smooth}
    scene |= {"yaw": float(azimuth), "pitch": float(elevation)}
    page = _page(scene, title)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    if len(page) > _LARGE:
        _log.warning("%s holds %.0f MB: browsers open it slowly. Show fewer meshes.", path, len(page) / 1e6)


def _page(scene: dict[str, Any], title: str) -> str:
    """The template with the title, the data and a policy that allows exactly its own script and style."""
    template = resources.files("gaugenet.viz").joinpath("viewer.html").read_text(encoding="utf-8")
    policy = (
        "default-src 'none'; connect-src 'none'; img-src data: blob:; base-uri 'none'; form-action 'none'; "
        f"script-src '{_digest(template, 'script')}'; style-src '{_digest(template, 'style')}'"
    )
    fields = {"{{policy}}": policy, "{{title}}": html.escape(title), "{{scene}}": _inert_json(scene)}
    return re.sub(r"\{\{(?:policy|title|scene)\}\}", lambda match: fields[match[0]], template)


def _digest(template: str, tag: str) -> str:
    """Hash by which a content security policy names the one inline script (or style) of the template."""
    match = re.search(rf"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
    if match is None:  # the template is part of the package
        raise RuntimeError(f"viewer.html has no <{tag}> element: reinstall gaugenet.")
    return "sha256-" + base64.b64encode(hashlib.sha256(match[1].encode("utf-8")).digest()).decode("ascii")


def _inert_json(scene: dict[str, Any]) -> str:
    """JSON that cannot end the element it stands in, whatever names the meshes have."""
    text = json.dumps(scene, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _scene(views: Sequence[MeshView], names: list[str]) -> dict[str, Any]:
    fields = [view.scalar for view in views if view.scalar is not None]
    low, high, diverging = scalar_limits(np.concatenate(fields)) if fields else (0.0, 1.0, False)
    return {
        "classes": [{"name": n, "color": to_hex(c)} for n, c in zip(names, palette(len(names)))],
        "colors": {
            "unlabelled": to_hex(UNLABELLED),
            "surface": to_hex(SURFACE),
            "right": to_hex(RIGHT),
            "wrong": to_hex(WRONG),
        },
        "limits": [low, high],
        "ramp": [to_hex(color) for color in color_ramp(diverging=diverging, steps=64)],
        "meshes": [_mesh(view, len(names), (low, high)) for view in views],
    }


def _mesh(view: MeshView, num_classes: int, limits: tuple[float, float]) -> dict[str, Any]:
    from gaugenet.viz.render.raster import vertex_openness

    mesh = view.mesh
    low, extent = mesh.vertices.min(axis=0), np.ptp(mesh.vertices, axis=0)
    grid = np.divide(mesh.vertices - low, extent, out=np.zeros_like(mesh.vertices), where=extent > 0)
    openness = vertex_openness(mesh.vertices, mesh.faces, mesh.vertex_normals)
    packed: dict[str, Any] = {
        "name": view.name,
        "low": low.tolist(),
        "extent": extent.tolist(),
        "vertices": _packed(np.round(grid * 65535), "uint16"),
        "faces": _packed(mesh.faces, _smallest(mesh.num_vertices)),
        "openness": _packed(np.round(openness * 255), "uint8"),
        "base": view.orientation.reshape(-1).tolist(),
        "site": view.label_site,
        "accuracy": view.accuracy,
    }
    for kind, labels in (("prediction", view.prediction), ("truth", view.truth)):
        if labels is not None:
            shown = np.where(labels < 0, num_classes, labels)
            packed[kind] = _packed(shown, _smallest(num_classes + 1))
    if view.scalar is not None:
        packed["scalar"] = _packed(_levels(view.scalar, limits), "uint16")
        packed["scalarSite"], packed["scalarName"] = view.scalar_site, view.scalar_name
    if view.colors is not None:
        packed["colors"] = _packed(view.colors, "uint8")
    if view.frames is not None:
        packed["frames"] = _packed(np.round(np.clip(_unit_columns(view.frames), -1, 1) * 127), "int8")
    return packed


def _packed(values: ndarray, dtype: str) -> dict[str, str]:
    data = np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<"))
    return {"type": dtype, "data": base64.b64encode(data.tobytes()).decode("ascii")}


def _smallest(count: int) -> str:
    """The smallest unsigned type that holds `count` different values."""
    return "uint8" if count <= 256 else "uint16" if count <= 65536 else "uint32"


def _levels(values: Float[ndarray, "n"], limits: tuple[float, float]) -> ndarray:
    """A field in 65535 steps between the limits; 65535 itself marks values that are not finite."""
    low, high = limits
    finite = np.isfinite(values)
    unit = np.clip((np.where(finite, values, low) - low) / (high - low), 0, 1)
    return np.where(finite, np.round(unit * 65534), 65535)


def _unit_columns(frames: Float[ndarray, "vertices 3 2"]) -> Float[ndarray, "vertices 3 2"]:
    length = np.linalg.norm(frames, axis=1, keepdims=True)
    return typed_array(np.divide(frames, length, out=np.zeros_like(frames), where=length > 0))
