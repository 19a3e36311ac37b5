"""Manifolds of other libraries that have logarithms and transport."""

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
    """Return a manifold of geoopt or geomstats, or an object with the same methods, as a `Manifold`.

    Its methods are verified when a graph is built. For example, `Sphere.transp` of geoopt is a projection and not
    parallel transport, so it is rejected.

    Args:
        manifold: an object with geoopt's `logmap, expmap, transp, inner, proju`, or with geomstats' `to_tangent` and a
            `metric` with `log, exp, parallel_transport, inner_product` (on the PyTorch backend).
        dim: dimension of the tangent spaces; required for geoopt.
        injectivity_radius: see `Manifold`.

    Raises:
        ValueError: If `dim` is missing, or a method is missing or not implemented (geoopt's `CanonicalStiefel` has no
            `logmap`).

    Example:
        >>> import torch
        >>> from gaugenet.geometry import from_object
        >>> class Plane:
        ...     logmap = staticmethod(lambda p, q: q - p)
        ...     expmap = staticmethod(lambda p, v: p + v)
        ...     transp = staticmethod(lambda p, q, v: v)
        ...     inner = staticmethod(lambda p, u, v, keepdim: (u * v).sum(-1, keepdim=keepdim))
        ...     proju = staticmethod(lambda p, v: v)
        >>> plane = from_object(Plane(), dim=2)
        >>> plane.distance(torch.zeros(2), torch.tensor([3.0, 4.0]))
        tensor(5.)
    """
    _refuse_unwritten(manifold)
    calls = _geoopt(manifold) or _geomstats(manifold)
    if calls is None:
        raise ValueError(
            f"Expected an object with `logmap, expmap, transp, inner, proju` (geoopt) or with `to_tangent` and a "
            f"`metric` (geomstats), got {type(manifold).__name__}: write a subclass of `Manifold`, with five methods."
        )
    dim = getattr(manifold, "dim", None) if dim is None else dim
    if not isinstance(dim, int):
        raise ValueError(f"Expected `dim`: {type(manifold).__name__} does not tell its dimension.")
    return FromObject(manifold, dim, calls, injectivity_radius)


def _refuse_unwritten(m: Any) -> None:
    """Raise `ValueError` for methods that geoopt declares for all manifolds but does not implement for this one."""
    unwritten = [name for name in _GEOOPT if getattr(type(m), name, None) is not None and _is_declaration(m, name)]
    if unwritten:
        raise ValueError(
            f"Expected a manifold with {', '.join(f'`{name}`' for name in _GEOOPT)}: {type(m).__name__} of geoopt "
            f"declares {', '.join(f'`{name}`' for name in unwritten)} but does not implement it. Use another manifold, "
            "or write a subclass of `Manifold` with its own `log`."
        )


def _is_declaration(m: Any, name: str) -> bool:
    """Return whether a method is that of geoopt's base class, which raises `NotImplementedError`."""
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
