"""Fields as bytes for the page: levels of color by time step, arrows at some places, stream lines as texels."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.viz.render.colors import ColorScale
from gaugenet.viz.render.mesh_field import SurfaceField
from gaugenet.viz.render.mesh_view import MeshView
from gaugenet.viz.render.painter import Anchors
from gaugenet.viz.render.stream_lines import NUM_TEXELS, Texels, line_integral_convolution

_MOST_FINE_VALUES = 8_000_000
_MOST_TEXELS = 8_000_000


def packed_array(values: ndarray, dtype: str) -> dict[str, str]:
    """Return an array as base64 of little-endian numbers, with the name of their type."""
    data = np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<"))
    return {"type": dtype, "data": base64.b64encode(data.tobytes()).decode("ascii")}


def pack_fields(view: MeshView, scales: Mapping[str, ColorScale]) -> list[dict[str, Any]]:
    """Return the fields of a view for the scene of the page.

    Values are levels between the limits of their scale; the highest number of the type marks missing ones.
    """
    return [_packed_field(view, field, scales[name]) for name, field in view.fields.items()]


def _packed_field(view: MeshView, field: SurfaceField, scale: ColorScale) -> dict[str, Any]:
    dtype, count = ("uint16", 65535) if field.sizes.size <= _MOST_FINE_VALUES else ("uint8", 255)
    packed: dict[str, Any] = {
        "name": field.name,
        "label": field.label,
        "unit": field.options.unit,
        "site": field.site,
        "times": list(field.times),
        "levels": packed_array(scale.levels(field.sizes, count), dtype),
    }
    if field.vectors is not None and field.has_arrows:
        packed["arrows"] = _packed_arrows(view, field, field.vectors, scale)
    if field.vectors is not None and field.has_lines:
        packed["streaks"] = _packed_streaks(view, field.vectors)
    return packed


def _packed_arrows(
    view: MeshView, field: SurfaceField, vectors: Float[ndarray, "times n 3"], scale: ColorScale
) -> dict[str, Any]:
    """Directions in 8 bits a coordinate, lengths in 8 bits."""
    anchors = Anchors.of(view.mesh, field, scale)
    chosen = np.nan_to_num(vectors[:, anchors.at], nan=0.0, posinf=0.0, neginf=0.0)
    size = np.linalg.norm(chosen, axis=2)
    unit = chosen / np.maximum(size, 1e-300)[..., None]
    return {
        "at": packed_array(anchors.at, "uint32"),
        "normals": packed_array(np.round(anchors.normals * 127), "int8"),
        "directions": packed_array(np.round(unit * 127), "int8"),
        "sizes": packed_array(np.round(np.minimum(size / anchors.longest, 1) * 255), "uint8"),
        "length": anchors.length,
    }


def _packed_streaks(view: MeshView, vectors: Float[ndarray, "times n 3"]) -> dict[str, Any]:
    """One byte a texel; fields of many time steps have coarser ones."""
    texels = Texels.of(view.mesh, min(NUM_TEXELS, _MOST_TEXELS // len(vectors)))
    values = typed_array(np.stack([line_integral_convolution(texels, step) for step in vectors]))
    return {
        "divisions": packed_array(texels.divisions, "uint8"),
        "values": packed_array(np.round(values * 255), "uint8"),
    }
