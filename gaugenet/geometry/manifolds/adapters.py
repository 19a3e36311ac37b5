"""Manifolds of other libraries: whatever has logarithms and transport."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from gaugenet.geometry.manifolds.manifold import Manifold

_GEOOPT = ("logmap", "expmap", "transp", "inner", "proju")


class FromObject(Manifold):
    """Another library's manifold; see `from_object`."""

    def __init__(
        self, wrapped: Any, dim: int, calls: dict[str, Callable[..., Tensor]], injectivity_radius: float
    ) -> None:
        self.wrapped, self.dim, self._calls = wrapped, dim, calls
        self.injectivity_radius = float(injectivity_radius)

    def log(self, p: Tensor, q: Tensor) -> Tensor:
        return self._calls["log"](p, q)

    def exp(self, p: Tensor, v: Tensor) -> Tensor:
        return self._calls["exp"](p, v)

    def transport(self, p: Tensor, q: Tensor, v: Tensor) -> Tensor:
        return self._calls["transport"](p, q, v)

    def inner(self, p: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self._calls["inner"](p, u, v)

    def to_tangent(self, p: Tensor, v: Tensor) -> Tensor:
        return self._calls["to_tangent"](p, v)

    def __repr__(self) -> str:
        return f"from_object({type(self.wrapped).__name__})"


def from_object(manifold: Any, *, dim: int | None = None, injectivity_radius: float = math.inf) -> Manifold:
    """A manifold of geoopt or geomstats, or anything with the same methods.

    Its own claims are verified when a graph is built: geoopt's `Sphere.transp` for one is a projection, not parallel
    transport, and is refused there.

    Args:
        manifold: with geoopt's `logmap, expmap, transp, inner, proju`, or geomstats' `to_tangent` and a `metric` with
            `log, exp, parallel_transport, inner_product` (on the PyTorch backend).
        dim: dimension of the tangent spaces; geoopt does not say.
        injectivity_radius: see `Manifold`.

    Raises:
        ValueError: methods are missing or not written (geoopt's `CanonicalStiefel` has no `logmap`), or `dim` is.
    """
    _refuse_unwritten(manifold)
    calls = _geoopt(manifold) or _geomstats(manifold)
    if calls is None:
        raise ValueError(
            f"Expected an object with `logmap, expmap, transp, inner, proju` (geoopt) or with `to_tangent` and a "
            f"`metric` (geomstats), got {type(manifold).__name__}: subclass `Manifold` instead, five methods suffice."
        )
    dim = getattr(manifold, "dim", None) if dim is None else dim
    if not isinstance(dim, int):
        raise ValueError(f"Expected `dim`: {type(manifold).__name__} does not say what its dimension is.")
    return FromObject(manifold, dim, calls, injectivity_radius)


def _refuse_unwritten(m: Any) -> None:
    """Refuse methods that geoopt declares for every manifold and leaves to raise `NotImplementedError` on some."""
    unwritten = [name for name in _GEOOPT if getattr(type(m), name, None) is not None and _is_declaration(m, name)]
    if unwritten:
        raise ValueError(
            f"Expected a manifold with {', '.join(f'`{name}`' for name in _GEOOPT)}: {type(m).__name__} of geoopt "
            f"declares {', '.join(f'`{name}`' for name in unwritten)} and does not implement it, so neighbours have no "
            "coordinates. Take another manifold, or subclass `Manifold` with a `log` of your own."
        )


def _is_declaration(m: Any, name: str) -> bool:
    """Whether a method is the one of geoopt's base class, which raises `NotImplementedError`."""
    bases = [base for base in type(m).__mro__ if base.__module__ == "geoopt.manifolds.base" and name in vars(base)]
    return any(getattr(type(m), name) is vars(base)[name] for base in bases)


def _geoopt(m: Any) -> dict[str, Callable[..., Tensor]] | None:
    if not all(hasattr(m, name) for name in _GEOOPT):
        return None
    return {
        "log": m.logmap,
        "exp": m.expmap,
        "transport": lambda p, q, v: m.transp(q, p, v),
        "inner": lambda p, u, v: m.inner(p, u, v, keepdim=True).squeeze(-1),
        "to_tangent": m.proju,
    }


def _geomstats(m: Any) -> dict[str, Callable[..., Tensor]] | None:
    metric: Any = getattr(m, "metric", None)
    needed = ("log", "exp", "parallel_transport", "inner_product")
    if not hasattr(m, "to_tangent") or not all(hasattr(metric, name) for name in needed):
        return None
    return {
        "log": lambda p, q: metric.log(point=q, base_point=p),
        "exp": lambda p, v: metric.exp(tangent_vec=v, base_point=p),
        "transport": lambda p, q, v: metric.parallel_transport(v, base_point=q, end_point=p),
        "inner": lambda p, u, v: metric.inner_product(u, v, base_point=p),
        "to_tangent": lambda p, v: m.to_tangent(v, base_point=p),
    }


__all__ = ["from_object"]
