"""Jets: derivatives of a field at a point from its values at neighbours, by weighted least squares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.kernels._symbols import indices_up_to, multi_indices

SELF_WEIGHT = 4.0
"""Weight of the point itself, relative to a neighbour at distance 0."""
DECAY = 4.0
"""Neighbours at distance |v| have the weight exp(-4 |v|^2), with v in units of the radius."""
WORST_CONDITION = 100.0
"""Fits of a larger condition count as rank deficient."""


@dataclass(frozen=True)
class Jets:
    """Derivatives at points as linear functions of the values around them.

    Attributes:
        rows: `(rows, columns)`: the derivative d^a f at point p is the sum over the rows of p of
            `rows[row, a] f(row)`. Derivatives are with respect to the coordinates `log_map`, in the order of `indices`.
        degree: `(points,)`, degree of the polynomial that was fitted; the columns of higher orders are zero.
            -1 at points without rows.
        indices: the multi-index of each column, lowest order first.
    """

    rows: Float[Tensor, "rows columns"]
    degree: Int[Tensor, "points"]
    indices: list[tuple[int, ...]]

    def lacking(self, order: int) -> int:
        """Number of points whose derivatives of that order are not determined, and so zero."""
        return int((self.degree < order).sum())


def local_jets(
    log_map: Float[Tensor, "rows d"],
    indptr: Int[Tensor, "points_1"],
    *,
    degree: int = 2,
    uniform: bool = False,
) -> Jets:
    r"""Minimise sum_q omega(v_q) \|sum_a c_a v_q^a / a! - f_q\|^2 over the jet c at every point.

    omega(v) = exp(-4 \|v\|^2), and 4 for a row at v = 0, which is the point itself. The fit is exact for polynomials up
    to `degree`. Where the neighbours do not determine a polynomial of that degree (too few of them, or all on a conic),
    the fit has a lower degree there. Computed in compiled code, in float64, on the CPU.

    Args:
        log_map: coordinates of the rows around their points, in units of the radius. The points themselves have a row
            of zeros.
        indptr: the rows of point p are `indptr[p]:indptr[p + 1]`.
        degree: of the polynomials.
        uniform: take omega = 1 instead. Then the fit does not depend on lengths: for frames that are not orthonormal.

    Raises:
        ValueError: arrays of other shapes; a degree that is not a positive number.
    """
    v = np.ascontiguousarray(log_map.detach().cpu().double().numpy())
    pointers = np.ascontiguousarray(indptr.detach().cpu().numpy().astype(np.int64))
    if v.ndim != 2 or pointers.ndim != 1 or not len(pointers) or pointers[-1] != len(v):
        raise ValueError(
            f"Expected `log_map` of shape (rows, d) and `indptr` of shape (points + 1,) that ends with the number of "
            f"rows, got {tuple(log_map.shape)} and {tuple(indptr.shape)}."
        )
    square = np.square(v).sum(1)
    weight = np.ones(len(v)) if uniform else np.exp(-DECAY * square)
    weight[square == 0] = SELF_WEIGHT
    table = _monomials(v.shape[1], positive("degree", degree))
    rows, degrees = np.zeros((len(v), len(table.scale))), np.empty(len(pointers) - 1, dtype=np.int64)
    from gaugenet.kernels._jet_fit import fit

    fit(v, np.sqrt(weight), pointers, *table.arrays, WORST_CONDITION, rows, degrees)  # type: ignore[call-arg]
    return Jets(torch.from_numpy(rows), torch.from_numpy(degrees), indices_up_to(v.shape[1], degree))


@dataclass(frozen=True)
class _Monomials:
    """How monomials are made and scaled, see `_jet_fit.fit`."""

    parent: ndarray
    axis: ndarray
    scale: ndarray
    unscale: ndarray
    first: ndarray

    @property
    def arrays(self) -> tuple[ndarray, ...]:
        return self.parent, self.axis, self.scale, self.unscale, self.first


@lru_cache(maxsize=64)
def _monomials(d: int, degree: int) -> _Monomials:
    indices = indices_up_to(d, degree)
    number = {a: k for k, a in enumerate(indices)}
    parent, axis = np.zeros(len(indices), dtype=np.int64), np.zeros(len(indices), dtype=np.int64)
    for k, a in enumerate(indices[1:], start=1):
        axis[k] = next(i for i, n in enumerate(a) if n)
        parent[k] = number[tuple(n - (i == axis[k]) for i, n in enumerate(a))]
    own = np.array([math.prod(math.factorial(n) for n in a) for a in indices], dtype=np.float64)
    scale = np.sqrt([math.factorial(sum(a)) for a in indices] / own)
    first = np.cumsum([0] + [len(multi_indices(d, n)) for n in range(degree + 1)])
    return _Monomials(parent, axis, scale, scale * own, first)


__all__ = ["Jets", "local_jets"]
