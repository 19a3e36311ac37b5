"""glTF files: what trimesh would pass over without a word is refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from gaugenet.geometry.mesh.mesh import MeshError

_DRACO = "KHR_draco_mesh_compression"
_HARMLESS = ("KHR_materials_", "KHR_texture_", "EXT_texture_", "KHR_lights_", "KHR_xmp", "KHR_mesh_quantization")
"""Extensions that leave positions and faces as they are, or are read."""
_FANS = 6


def check_gltf(content: bytes) -> None:
    """Refuse a glTF file whose surface trimesh would not read, or would read wrongly.

    Raises:
        MeshError: If it is compressed and the decoder is missing, needs an unknown extension, has triangle fans, or has
            positions in a form that is not read; or if it is not a glTF file.
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
    """The accessors of positions and of indices."""
    for primitive in (p for mesh in description.get("meshes", ()) for p in mesh["primitives"]):
        for index in (primitive["attributes"].get("POSITION"), primitive.get("indices")):
            if index is not None:
                yield description["accessors"][index]


def _description(content: bytes) -> dict[str, Any]:
    """The JSON part of a file, text or binary."""
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
    """The description of a binary file: the first of its chunks, each a length, a kind, and so many bytes."""
    at, first = 12, b""
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "little")
        if at + 8 + length > len(content):  # readers take as much memory as a length says
            raise MeshError(
                f"it is truncated: a chunk of {length:,} bytes is announced, {len(content) - at - 8:,} follow."
            )
        first = first or content[at + 8 : at + 8 + length]
        at += 8 + length
    return first
