"""A folder of prepared meshes: one file each, named by a hash of its inputs, written atomically."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

import gaugenet
from gaugenet.files import UNREADABLE, atomic_path, reason_unread, sweep_temporaries
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.mesh.mesh import TriangleMesh

logger = logging.getLogger(__name__)

FORMAT = "gaugenet prepared mesh"
FORMAT_VERSION = 9
"""Part of every key: increase it if the same mesh and parameters give other numbers."""

Values = dict[str, Any]
"""Tensors, text and numbers by name."""


class GraphCache:
    """A cache of values computed from meshes, in files named by a hash of the mesh and all parameters.

    A file is written under a temporary name and then renamed, so interrupted or concurrent processes do not leave
    incomplete files. The values of a truncated or invalid file are computed again, with a warning. Files are read with
    `torch.load(..., weights_only=True)`: they contain tensors and plain values, no code.

    Args:
        folder: created if missing. It may be deleted at any time. Files of old versions are not used.

    Raises:
        OSError: If the folder cannot be made, or is a file (`NotADirectoryError`).

    Example:
        >>> import torch
        >>> from gaugenet.data import GraphCache
        >>> from gaugenet.geometry import Icosphere, TriangleMesh
        >>> sphere, cache = Icosphere(1), GraphCache("cache")
        >>> key = cache.key(TriangleMesh(sphere.pos, sphere.face.T), "areas")
        >>> cache.get(key) is None
        True
        >>> cache.put(key, {"area": torch.ones(3)})
        >>> cache.get(key)["area"]
        tensor([1., 1., 1.])
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.is_file():
            raise NotADirectoryError(errno.ENOTDIR, "The cache must be a folder, this is a file", str(folder))
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(self.folder)

    def key(self, mesh: TriangleMesh, *parameters: object) -> str:
        """Return the hash of vertices, faces, the `repr` of every parameter, and the versions of format and library.

        Two parameters that act differently must not have the same `repr`.
        """
        digest = hashlib.sha256()
        for part in (FORMAT_VERSION, gaugenet.__version__, mesh.num_vertices, mesh.num_faces, *parameters):
            digest.update(repr(part).encode() + b"\0")
        digest.update(mesh.vertices.tobytes())
        digest.update(mesh.faces.tobytes())
        return digest.hexdigest()[:40]

    def path(self, key: str) -> Path:
        """Return the path of the file of a key, whether or not it exists."""
        return self.folder / f"{key}.pt"

    def get(self, key: str) -> Values | None:
        """Return the values of a key; `None` if there are none or the file is invalid (logged)."""
        path = self.path(key)
        if not path.is_file():
            return None
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except UNREADABLE as error:
            logger.warning("%s is truncated or invalid, and is computed again (%s).", path, reason_unread(error))
            return None
        if not isinstance(content, dict) or (content.get("format"), content.get("key")) != (FORMAT, key):
            logger.warning("%s is not a prepared mesh of this key, and is computed again.", path)
            return None
        values: dict[str, Any] = content["values"]
        return values

    def put(self, key: str, values: Values) -> None:
        """Store values; a concurrent reader sees the complete old or new file."""
        with atomic_path(self.path(key), synchronize=False) as temporary:
            torch.save({"format": FORMAT, "key": key, "values": values}, temporary)

    def graph(self, key: str, build: Callable[[], GaugeGraph]) -> GaugeGraph:
        """Return the graph of a key; build and store it if it is missing."""
        values = self.get(key)
        if values is None:
            graph = build()
            self.put(key, graph_values(graph))
            return graph
        return cast(GaugeGraph, GaugeGraph.from_dict(values))

    def part(self, key: str, name: object, build: Callable[[], Values]) -> Values:
        """Return a named part of what belongs to a key, in a file of its own; build and store it if it is missing.

        So what is expensive to compute (geometry, spectra) is not computed again when another part is asked for.

        Args:
            key: see `key`.
            name: name and all parameters of the part, by its `repr`.
            build: returns tensors and plain values by name.
        """
        own = self.part_key(key, name)
        values = self.get(own)
        if values is None:
            values = build()
            self.put(own, values)
        return values

    def part_key(self, key: str, name: object) -> str:
        """Return the key of a named part, see `part`."""
        return hashlib.sha256(f"{key}\0{name!r}".encode()).hexdigest()[:40]

    def __repr__(self) -> str:
        return f"GraphCache({str(self.folder)!r})"


def graph_values(graph: GaugeGraph) -> dict[str, Any]:
    """Return the contents of a graph as plain values, each tensor with its own memory.

    Raises:
        TypeError: If the graph contains anything but tensors and plain values.
    """
    values: dict[str, Any] = {}
    for key, value in graph.to_dict().items():
        if isinstance(value, Tensor):
            values[key] = value.detach().cpu().clone()  # a view would save its whole storage
        elif value is None or isinstance(value, str | int | float | bool):
            values[key] = value
        else:
            raise TypeError(f"Expected tensors and plain values in a graph to be cached, got {type(value)} in {key!r}.")
    return values
