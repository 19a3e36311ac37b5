"""Engines: several ways to compute one convolution, with equal results. The domain chooses the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch

from gaugenet.geometry.domain import Domain
from gaugenet.nn.engines import depthwise, full
from gaugenet.nn.engines.charts import ChartsEngine
from gaugenet.nn.engines.graph import GraphEngine, PreparedEngine
from gaugenet.nn.engines.grid import GridEngine
from gaugenet.nn.engines.lattice import LatticeEngine
from gaugenet.nn.engines.prepared import PreparedGraph
from gaugenet.nn.engines.protocol import Convolution, Engine
from gaugenet.nn.engines.reference import ReferenceEngine

_ENGINES: dict[str, Engine[Any]] = {
    "gaugenet.geometry.gauge_graph.GaugeGraph": GraphEngine(),
    "gaugenet.geometry.grids.grid.Grid": GridEngine(),
    "gaugenet.geometry.icosphere.icosphere.Icosphere": ChartsEngine(),
    "gaugenet.geometry.lattice.field.LatticeGaugeField": LatticeEngine(),
    "gaugenet.nn.engines.prepared.PreparedGraph": PreparedEngine(),
}
"""The engine of each type of domain, by its full name, so that no domain is imported here. Every other `Domain` is
computed on its gauge graph."""

_ON_GRAPHS: dict[str, Engine[Any]] = {"graph": GraphEngine(), "reference": ReferenceEngine()}

_forced: ContextVar[str | None] = ContextVar("gaugenet_engine", default=None)


def engine_for(domain: object) -> Engine[Any]:
    """Return the engine that computes on a domain: the engine of its type, or the one that `use_engine` forces.

    Raises:
        ValueError: If `domain` is not a `Domain`.
    """
    engine = _engine_of(domain)
    name = forced()
    return engine if name is None else engine.on_edges(_ON_GRAPHS[name])


def _engine_of(domain: object) -> Engine[Any]:
    for kind in type(domain).__mro__:
        engine = _ENGINES.get(f"{kind.__module__}.{kind.__qualname__}")
        if engine is not None:
            return engine
    if isinstance(domain, Domain):
        return _ENGINES["gaugenet.geometry.gauge_graph.GaugeGraph"]
    raise ValueError(
        "Expected a domain to convolve on (a GaugeGraph, e.g. from `mesh.gauge_graph(...)`, or a Grid), "
        f"got {type(domain).__name__}."
    )


def forced() -> str | None:
    """Return the engine of graphs that `use_engine` forces; none in compiled code, which cannot ask."""
    return None if torch.compiler.is_compiling() else _forced.get()


@contextmanager
def use_engine(name: str) -> Iterator[None]:
    """Force an engine of graphs inside the context, in a test for example.

    Grids are then computed on their gauge graphs, image by image. The operators of `Differential` fit polynomials there
    in the place of finite differences of pixels, so their results differ.

    Args:
        name: `"graph"` or `"reference"`.

    Raises:
        ValueError: If there is no engine of that name; in a layer, if its domain cannot be seen as one graph.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import GaugeConv, use_engine
        >>> conv, graph = GaugeConv(FieldType(SO2(), "3x0"), FieldType(SO2(), "4x1")), Icosphere(1).gauge_graph(SO2())
        >>> x = torch.rand(42, 3)
        >>> with use_engine("reference"):
        ...     expected = conv(x, graph)
        >>> torch.allclose(conv(x, graph), expected, atol=1e-5)
        True
    """
    if name not in _ON_GRAPHS:
        raise ValueError(f"Unknown engine {name!r}: expected one of {', '.join(_ON_GRAPHS)}.")
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


__all__ = ["Convolution", "Engine", "PreparedGraph", "depthwise", "engine_for", "forced", "full", "use_engine"]
