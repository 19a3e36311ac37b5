"""Operators of tensor calculus as sparse matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from gaugenet.operators.domains import Space, dimension
from gaugenet.operators.matrix import OperatorMatrix
from gaugenet.operators.spin import eth, ethbar, spin_symbol
from gaugenet.operators.symbolic import Symbol, matrix_of
from gaugenet.operators.tensor_calculus import (
    curl,
    curl_symbol,
    divergence,
    divergence_symbol,
    gradient,
    gradient_symbol,
    hessian,
    hessian_symbol,
    laplacian,
    laplacian_symbol,
)

_SYMBOLS: dict[Callable[..., Tensor], Callable[[int], Symbol]] = {
    curl: curl_symbol,
    divergence: divergence_symbol,
    gradient: gradient_symbol,
    hessian: hessian_symbol,
    laplacian: laplacian_symbol,
}


def as_matrix(
    operator: Callable[..., Tensor], domain: Space, *, order: int | None = None, degree: int | None = None
) -> OperatorMatrix:
    """Return an operator on a domain as a sparse matrix with `to_scipy` and `to_torch`, computed once per graph.

    The matrix is a function of fields as well, which can be compiled and exported.

    Args:
        operator: `gradient`, `divergence`, `curl`, `laplacian`, `hessian`, `eth` or `ethbar`.
        domain: see `gradient`. On a `Grid` the matrix is the one of `grid.gauge_graph()`, without finite differences.
        order: order of the field, for `eth` (default 0) and `ethbar` (default 1).
        degree: see `gradient`.

    Raises:
        ValueError: If `operator` is another function, or as for `gradient`.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import PointCloud
        >>> from gaugenet.groups import SO2
        >>> from gaugenet.operators import as_matrix, laplacian
        >>> graph = PointCloud(torch.rand(100, 2)).gauge_graph(SO2(), neighbors=20)
        >>> as_matrix(laplacian, graph).to_scipy().shape
        (100, 100)
    """
    if operator in (eth, ethbar):
        sign = 1 if operator is eth else -1
        m = (0 if operator is eth else 1) if order is None else order
        return matrix_of(spin_symbol(m, sign, 1 if m == 0 and operator is eth else 2), domain, degree)
    if operator not in _SYMBOLS:
        known = ", ".join(sorted(f.__name__ for f in (*_SYMBOLS, eth, ethbar)))
        raise ValueError(f"Expected `operator` to be one of the functions {known}, got {_name(operator)}.")
    if order is not None:
        raise ValueError(f"Expected `order` only for eth and ethbar, got it for {_name(operator)}.")
    return matrix_of(_SYMBOLS[operator](dimension(domain)), domain, degree)


def _name(operator: Any) -> str:
    return getattr(operator, "__name__", repr(operator))


__all__ = ["as_matrix"]
