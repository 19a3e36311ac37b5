"""Engines: several ways to compute one convolution. The domain chooses; the answer is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from gaugenet.geometry.grids.grid import Grid
from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.nn.engines import charts as charts_engine
from gaugenet.nn.engines import graph as graph_engine
from gaugenet.nn.engines import grid as grid_engine
from gaugenet.nn.engines import reference as reference_engine
from gaugenet.nn.engines.prepared import Domain, PreparedGraph, derived, membership

Engine = Callable[..., Tensor]

_ENGINES: dict[str, Engine] = {"graph": graph_engine.convolve, "reference": reference_engine.convolve}
_LATTICES: dict[type, ModuleType] = {Grid: grid_engine, Icosphere: charts_engine}
"""Engines of spaces whose points all see one stencil: modules with `check(field_type, x, domain)` and
`convolve(layer, x, domain)`, which computes the whole layer from `layer.sampled(stencil)`."""

_forced: ContextVar[str | None] = ContextVar("gaugenet_engine", default=None)


def select(domain: Domain) -> Engine:
    """The engine that computes convolutions on a domain."""
    if isinstance(domain, PreparedGraph):
        return graph_engine.convolve
    return _ENGINES[_forced.get() or "graph"]


def lattice_engine(domain: Any) -> ModuleType | None:
    """The engine of a space whose points all see one stencil, `None` for others."""
    return next((engine for kind, engine in _LATTICES.items() if isinstance(domain, kind)), None)


def forced() -> str | None:
    """The engine of graphs that `use_engine` forces; none in compiled code, which cannot ask."""
    return None if torch.compiler.is_compiling() else _forced.get()


def lattice_convolution(lattice: ModuleType) -> Engine:
    """The whole layer on such a space: `lattice.convolve`, or edge by edge if an engine of graphs is forced."""
    name = forced()
    if name is None:
        return lattice.convolve
    if not hasattr(lattice, "by_edges"):
        kind = next(kind.__name__ for kind, engine in _LATTICES.items() if engine is lattice)
        raise ValueError(f"The engine {name!r} computes on graphs: pass the `gauge_graph(...)` of the {kind}.")
    return lattice.by_edges


@contextmanager
def use_engine(name: str) -> Iterator[None]:
    """Force an engine of graphs inside the context, in a test for example.

    Grids are then seen as their gauge graphs, image by image; a space that cannot be says so.
    """
    if name not in _ENGINES:
        raise ValueError(f"Unknown engine {name!r}: expected one of {', '.join(_ENGINES)}.")
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


__all__ = [
    "Domain",
    "PreparedGraph",
    "derived",
    "forced",
    "lattice_convolution",
    "lattice_engine",
    "membership",
    "select",
    "use_engine",
]
