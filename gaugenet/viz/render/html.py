"""A viewer of labelled meshes as one HTML page: without a server, a network or other files."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import logging
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.files import atomic_path
from gaugenet.viz.render.colors import RIGHT, SURFACE, UNLABELLED, WRONG, ColorScale, color_ramp, palette, to_hex
from gaugenet.viz.render.mesh_field import common_scales
from gaugenet.viz.render.mesh_view import MeshView, class_names_for, label_headline
from gaugenet.viz.render.packing import pack_fields, packed_array
from gaugenet.viz.render.sheet import Theme, check_theme

_log = logging.getLogger(__name__)
_SCRIPTS = ("data", "shaders", "renderer", "state", "page", "hands")
"""The parts of the page's script, in order; they share one scope."""
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
    """Write a page that shows prediction, truth and error of each mesh side by side, with one shared camera.

    Everything is inside the page: geometry as base64 (positions with 16 bits per coordinate), a small WebGL 2 renderer,
    and a content security policy that forbids every network request and every script but the page's own. A mesh
    without labels is drawn plainly; colors and tangent frames are shown if given. A menu chooses among the fields
    of a mesh, each with its color bar. A slider and a play button step through time. Values of fields have 16 bits, or
    8 bits in fields of more than 8 million values.

    Args:
        path: the HTML file to write; it is never left incomplete. Its folder is created if missing.
        views: the meshes, in the order of the list.
        title: heading of the page.
        subtitle: a line below it, such as the model and the split.
        class_names: names for the legend, label 0 first.
        theme: initial background, "light" or "dark"; a button changes it.
        smooth: initially use smooth shading; a button changes it.
        azimuth: initial degrees that the viewer stands to the right of the front.
        elevation: initial degrees above the horizon.

    Raises:
        ValueError: If there are no meshes, the theme is unknown, or a label has no name.
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
        _log.warning(
            "%s holds %.0f MB: browsers open it slowly. Show fewer meshes or time steps.", path, len(page) / 1e6
        )


def _page(scene: dict[str, Any], title: str) -> str:
    """Return the template with style, scripts, title, data and a policy that allows only its own script and style."""
    folder = resources.files("gaugenet.viz").joinpath("viewer")
    style = folder.joinpath("style.css").read_text(encoding="utf-8")
    parts = [folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    script = "\n".join(['"use strict";', "(() => {", *parts, "})();"])
    policy = (
        "default-src 'none'; connect-src 'none'; img-src data: blob:; base-uri 'none'; form-action 'none'; "
        f"script-src '{_digest(script)}'; style-src '{_digest(style)}'"
    )
    fields = {"policy": policy, "title": html.escape(title), "scene": _inert_json(scene)}
    fields |= {"style": style, "script": script}
    template = folder.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(policy|title|scene|style|script)\}\}", lambda match: fields[match[1]], template)


def _digest(text: str) -> str:
    """Return the hash by which a content security policy identifies an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _inert_json(scene: dict[str, Any]) -> str:
    """Return JSON that cannot end its HTML element, whatever names the meshes have."""
    text = json.dumps(scene, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _scene(views: Sequence[MeshView], names: list[str]) -> dict[str, Any]:
    scales = common_scales([view.fields for view in views])
    return {
        "classes": [{"name": n, "color": to_hex(c)} for n, c in zip(names, palette(len(names)))],
        "colors": {
            "unlabelled": to_hex(UNLABELLED),
            "surface": to_hex(SURFACE),
            "right": to_hex(RIGHT),
            "wrong": to_hex(WRONG),
        },
        "scales": {
            name: {
                "low": scale.low,
                "high": scale.high,
                "ramp": [to_hex(c) for c in color_ramp(scale.colormap, steps=64)],
            }
            for name, scale in scales.items()
        },
        "scores": label_headline(views, names),
        "meshes": [_mesh(view, len(names), scales) for view in views],
    }


def _mesh(view: MeshView, num_classes: int, scales: Mapping[str, ColorScale]) -> dict[str, Any]:
    from gaugenet.viz.render.raster import vertex_openness

    mesh = view.mesh
    low, extent = mesh.vertices.min(axis=0), np.ptp(mesh.vertices, axis=0)
    openness = vertex_openness(mesh.vertices, mesh.faces, mesh.vertex_normals)
    packed: dict[str, Any] = {
        "name": view.name,
        "low": low.tolist(),
        "extent": extent.tolist(),
        "vertices": packed_array(np.round(_in_box(mesh.vertices, low, extent) * 65535), "uint16"),
        "faces": packed_array(mesh.faces, _smallest(mesh.num_vertices)),
        "openness": packed_array(np.round(openness * 255), "uint8"),
        "base": view.orientation.reshape(-1).tolist(),
        "site": view.label_site,
        "accuracy": view.accuracy,
        "meanIou": view.mean_iou,
        "fields": pack_fields(view, scales),
    }
    for kind, labels in (("prediction", view.prediction), ("truth", view.truth)):
        if labels is not None:
            codes = np.where(labels < 0, num_classes, labels)
            packed[kind] = packed_array(codes, _smallest(num_classes + 1))
    if view.colors is not None:
        packed["colors"] = packed_array(view.colors, "uint8")
    if view.frames is not None:
        packed["frames"] = packed_array(np.round(np.clip(_unit_columns(view.frames), -1, 1) * 127), "int8")
    if view.lines is not None:
        # Lines may be slightly above the surface: half of the range is the box of the mesh.
        packed["lines"] = packed_array(
            np.round(np.clip(_in_box(view.lines, low, extent) - 0.5, -1, 1) * 32767), "int16"
        )
    return packed


def _in_box(points: Float[ndarray, "*n 3"], low: ndarray, extent: ndarray) -> Float[ndarray, "*n 3"]:
    """Return positions relative to a box, from 0 to 1 inside."""
    return typed_array(np.divide(points - low, extent, out=np.zeros_like(points), where=extent > 0))


def _smallest(count: int) -> str:
    """Return the smallest unsigned type that holds `count` different values."""
    return "uint8" if count <= 256 else "uint16" if count <= 65536 else "uint32"


def _unit_columns(frames: Float[ndarray, "vertices 3 2"]) -> Float[ndarray, "vertices 3 2"]:
    length = np.linalg.norm(frames, axis=1, keepdims=True)
    return typed_array(np.divide(frames, length, out=np.zeros_like(frames), where=length > 0))
