"""Checks of glTF files: content that trimesh would silently skip is an error that names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from gaugenet.geometry.mesh.mesh import MeshError

_DRACO = "KHR_draco_mesh_compression"
_HARMLESS = ("KHR_materials_", "KHR_texture_", "EXT_texture_", "KHR_lights_", "KHR_xmp", "KHR_mesh_quantization")
"""Extensions that do not change positions and faces, or that are read."""
_FANS = 6


def check_gltf(content: bytes) -> None:
    """Raise an error if trimesh would not read the surface of a glTF file, or would read it wrongly.

    Raises:
        MeshError: If the content is not a glTF file, is compressed while the decoder is missing, needs an unknown
            extension, has triangle fans, or stores positions in a form that is not supported.
    """
    description = _description(content)
    try:
        _check_extensions(description)
        for primitive in (p for mesh in description.get("meshes", ()) for p in mesh["primitives"]):
            if primitive.get("mode") == _FANS:
                raise MeshError("it has triangle fans (mode 6), which are not read: save it with plain triangles.")
        for accessor in _used(description):
            if "sparse" in accessor or (accessor.get("normalized") and accessor.get("type") == "VEC3"):
                raise MeshError("it has sparse or normalized positions, which are not read: save it with plain ones.")
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise MeshError(f"its description is not that of a glTF file ({type(error).__name__}: {error}).") from error


def _check_extensions(description: dict[str, Any]) -> None:
    primitives = [p for mesh in description.get("meshes", ()) for p in mesh["primitives"]]
    required = set(description.get("extensionsRequired", ()))
    if _DRACO in required or any(_DRACO in p.get("extensions", ()) for p in primitives):
        if find_spec("DracoPy") is None:
            raise MeshError("it is compressed with Draco: `pip install DracoPy`, or the extra `gaugenet[formats]`.")
        required.discard(_DRACO)
    unknown = sorted(name for name in required if not name.startswith(_HARMLESS))
    if unknown:
        raise MeshError(f"it needs {', '.join(unknown)}, which is not read: save it without.")


def _used(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Iterate over the accessors of positions and of indices."""
    for primitive in (p for mesh in description.get("meshes", ()) for p in mesh["primitives"]):
        for index in (primitive["attributes"].get("POSITION"), primitive.get("indices")):
            if index is not None:
                yield description["accessors"][index]


def _description(content: bytes) -> dict[str, Any]:
    """Return the JSON part of a text or binary file."""
    if content[:4] == b"glTF":
        content = _first_chunk(content)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MeshError(f"its description is not JSON ({error}): it is truncated or not a glTF file.") from error
    if not isinstance(found, dict):
        raise MeshError("its description is not that of a glTF file.")
    return found


def _first_chunk(content: bytes) -> bytes:
    """Return the description of a binary file: the first chunk. A chunk is its length, its kind and its bytes."""
    at, first = 12, b""
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "little")
        if at + 8 + length > len(content):  # readers allocate the declared length
            raise MeshError(
                f"it is truncated: a chunk of {length:,} bytes is announced, {len(content) - at - 8:,} follow."
            )
        first = first or content[at + 8 : at + 8 + length]
        at += 8 + length
    return first
