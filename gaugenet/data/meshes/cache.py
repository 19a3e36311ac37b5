"""A folder of prepared meshes: one file each, named by everything that it depends on, never half written."""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

import gaugenet
from gaugenet.files import atomic_path, reason_unread, sweep_temporaries
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.mesh.mesh import TriangleMesh

logger = logging.getLogger(__name__)

FORMAT = "gaugenet prepared mesh"
FORMAT_VERSION = 5
"""Goes into every key: raise it whenever the same mesh and parameters should give other numbers."""

Values = dict[str, Any]
"""Tensors, text and numbers by name."""


class GraphCache:
    """Values computed from meshes, cached in files named by a hash of the mesh and all parameters.

    A file is written under a temporary name and then renamed, so that a process killed at any moment, or several
    processes at once, leave only whole files. A file that is truncated or of another kind is computed again, with a
    warning. Files are read with `torch.load(..., weights_only=True)`: they hold tensors and plain values, no code.

    Args:
        folder: made when missing; it may be deleted at any time, and files of old versions are simply not used.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(self.folder)

    def key(self, mesh: TriangleMesh, *parameters: object) -> str:
        """Hash of vertices, faces, the `repr` of every parameter, the format version and that of the library.

        Two parameters that act differently must not have the same `repr`.
        """
        digest = hashlib.sha256()
        for part in (FORMAT_VERSION, gaugenet.__version__, mesh.num_vertices, mesh.num_faces, *parameters):
            digest.update(repr(part).encode() + b"\0")
        digest.update(mesh.vertices.tobytes())
        digest.update(mesh.faces.tobytes())
        return digest.hexdigest()[:40]

    def path(self, key: str) -> Path:
        """The file of a key, whether or not it exists."""
        return self.folder / f"{key}.pt"

    def get(self, key: str) -> Values | None:
        """The values under a key, `None` if there are none or their file is broken (logged)."""
        path = self.path(key)
        if not path.is_file():
            return None
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
            logger.warning("%s is truncated or foreign and will be computed again (%s).", path, reason_unread(error))
            return None
        if not isinstance(content, dict) or (content.get("format"), content.get("key")) != (FORMAT, key):
            logger.warning("%s is no prepared mesh of this key and will be computed again.", path)
            return None
        values: dict[str, Any] = content["values"]
        return values

    def put(self, key: str, values: Values) -> None:
        """Store values; whoever reads meanwhile sees the old file or the new one, whole."""
        with atomic_path(self.path(key), synchronize=False) as temporary:
            torch.save({"format": FORMAT, "key": key, "values": values}, temporary)

    def graph(self, key: str, build: Callable[[], GaugeGraph]) -> GaugeGraph:
        """The graph under a key, built and stored if it is not there."""
        values = self.get(key)
        if values is None:
            graph = build()
            self.put(key, graph_values(graph))
            return graph
        return cast(GaugeGraph, GaugeGraph.from_dict(values))

    def __repr__(self) -> str:
        return f"GraphCache({str(self.folder)!r})"


def graph_values(graph: GaugeGraph) -> dict[str, Any]:
    """The contents of a graph as plain values, each tensor in memory of its own.

    Raises:
        TypeError: something else than tensors and plain values stands in the graph.
    """
    values: dict[str, Any] = {}
    for key, value in graph.to_dict().items():
        if isinstance(value, Tensor):
            values[key] = value.detach().cpu().clone()  # else a view drags its whole storage into the file
        elif value is None or isinstance(value, str | int | float | bool):
            values[key] = value
        else:
            raise TypeError(f"Expected tensors and plain values in a graph to be cached, got {type(value)} in {key!r}.")
    return values
