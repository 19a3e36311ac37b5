"""Jets: derivatives of a field at a point from its values at neighbours, by weighted least squares."""

from __future__ import annotations

import dataclasses
import logging
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.kernels._symbols import indices_up_to, monomials, multi_indices
from gaugenet.kernels.space import Neighborhood

log = logging.getLogger(__name__)

SELF_WEIGHT = 4.0
"""Weight of the point itself, relative to a neighbour at distance 0."""
DECAY = 4.0
"""Neighbours at distance |v| have the weight exp(-4 |v|^2), with v in units of the distance of the furthest one."""
_WORST_CONDITION = 100.0
"""Fits with a larger condition number count as rank deficient."""
_WORST_UNIFORM_CONDITION = 1e8
"""The limit for frames that are not orthonormal: the condition number depends on them, so only rank is tested."""


@dataclass(frozen=True)
class Jets:
    """Derivatives at points as linear functions of the values around them.

    Attributes:
        rows: `(rows, columns)`: the derivative d^a f at point p is the sum over the rows of p of
            `rows[row, a] f(row)`. Derivatives are with respect to the coordinates `log_map`, in the order of `indices`.
        degree: `(points,)`, degree of the polynomial that was fitted, -1 at points without rows; the columns of higher
            orders are zero.
        indices: the multi-index of each column, lowest order first.
    """

    rows: Float[Tensor, "rows columns"]
    degree: Int[Tensor, "points"]
    indices: list[tuple[int, ...]]

    def require(self, order: int) -> None:
        """Raise `ValueError` if most neighbourhoods do not determine derivatives of an order; log if some do not."""
        lacking, points = self.lacking(order), len(self.degree)
        if points and not self.has_neighbors and order:
            raise ValueError(
                f"Expected neighbourhoods with neighbours to take derivatives, got {points} points without edges: "
                "build the graph with a larger `radius`."
            )
        if 2 * lacking > points:
            raise ValueError(
                f"Derivatives of order {order} are not determined at {lacking} of {points} points: their neighbours "
                "are too few, or all on a line or a conic. Build the graph with a larger `radius` or more "
                "`mean_neighbors`, or use a lower order."
            )
        if lacking:
            log.warning(
                "Derivatives of order %d are not determined at %d of %d points: zero there.", order, lacking, points
            )

    @property
    def has_neighbors(self) -> bool:
        """Whether any point has a row for another one."""
        return len(self.rows) > len(self.degree)

    def lacking(self, order: int) -> int:
        """Return the number of points at which derivatives of this order are not determined, and so zero."""
        return int((self.degree < order).sum())


def local_jets(
    log_map: Float[Tensor, "rows d"],
    indptr: Int[Tensor, "points_1"],
    *,
    degree: int = 2,
    uniform: bool = False,
) -> Jets:
    r"""Minimize sum_q omega(v_q) \|sum_a c_a v_q^a / a! - f_q\|^2 over the jet c at every point.

    This is a moving least-squares fit (:cite:`lancaster1981surfaces`) with omega(v) = exp(-4 \|v\|^2 / r^2), and 4 for
    a row at v = 0, which is the point itself. r is the distance of the furthest neighbour of the point.
    Weights that do not decay within the neighbourhood give Laplacians with positive eigenvalues, by which heat grows.
    The fit is exact for polynomials up to `degree`. Where the neighbours do not determine a polynomial of that degree
    (too few, or all on a conic), the fit has a lower degree. It runs in compiled code, in float64, on the CPU.

    Args:
        log_map: coordinates of the rows around their points, in units of the radius. The points themselves have a row
            of zeros.
        indptr: the rows of point p are `indptr[p]:indptr[p + 1]`.
        degree: degree of the polynomials.
        uniform: use omega = 1. Then the fit does not depend on lengths, for frames that are not orthonormal.

    Raises:
        ValueError: If arrays have other shapes, or the degree is not a positive integer.
    """
    v = np.ascontiguousarray(log_map.detach().cpu().double().numpy())
    pointers = np.ascontiguousarray(indptr.detach().cpu().numpy().astype(np.int64))
    if v.ndim != 2 or pointers.ndim != 1 or not len(pointers) or pointers[-1] != len(v):
        raise ValueError(
            f"Expected `log_map` of shape (rows, d) and `indptr` of shape (points + 1,) that ends with the number of "
            f"rows, got {tuple(log_map.shape)} and {tuple(indptr.shape)}."
        )
    near, count = torch.from_numpy(v), torch.from_numpy(pointers).diff()
    weight = _weight(near, _reach(near, count).repeat_interleave(count), uniform).numpy()
    table = _monomials(v.shape[1], positive("degree", degree))
    rows, degrees = np.zeros((len(v), len(table.scale))), np.empty(len(pointers) - 1, dtype=np.int64)
    from gaugenet.kernels._jet_fit import fit

    limit = _WORST_UNIFORM_CONDITION if uniform else _WORST_CONDITION
    fit(v, np.sqrt(weight), pointers, *table.arrays, limit, rows, degrees)  # type: ignore[call-arg]
    return Jets(torch.from_numpy(rows), torch.from_numpy(degrees), indices_up_to(v.shape[1], degree))


def neighborhood_jets(neighborhood: Neighborhood, *, degree: int, uniform: bool) -> Jets:
    """Return `local_jets` of neighbourhoods that include their points, computed once.

    If log maps require gradients, the fit is repeated in PyTorch, so that the result is differentiable.
    """
    if neighborhood.log_map.requires_grad and torch.is_grad_enabled():
        jets = local_jets(neighborhood.log_map, neighborhood.indptr, degree=degree, uniform=uniform)
        rows = differentiable_rows(neighborhood.log_map, neighborhood.indptr, jets, uniform=uniform)
        return dataclasses.replace(jets, rows=rows)
    found: dict[tuple[int, bool], Jets] = neighborhood.__dict__.setdefault("_jets", {})  # the object is immutable
    if (degree, uniform) not in found:
        jets = local_jets(neighborhood.log_map, neighborhood.indptr, degree=degree, uniform=uniform)
        device = neighborhood.log_map.device
        found[degree, uniform] = dataclasses.replace(jets, rows=jets.rows.to(device), degree=jets.degree.to(device))
    return found[degree, uniform]


def differentiable_rows(
    log_map: Float[Tensor, "rows d"], indptr: Int[Tensor, "points_1"], jets: Jets, *, uniform: bool
) -> Float[Tensor, "rows columns"]:
    """Return `jets.rows` as a differentiable function of the log maps, for fits of the same degrees; float64."""
    v, count = log_map.double(), indptr.diff()
    reach = _reach(v, count)
    out = v.new_zeros(len(v), len(jets.indices))
    factorials = torch.tensor([float(math.prod(math.factorial(n) for n in a)) for a in jets.indices]).to(v)
    for degree in torch.unique(jets.degree).tolist():
        chosen = (jets.degree.to(count.device) == degree).nonzero().squeeze(1)
        columns = len(indices_up_to(v.shape[1], degree)) if degree >= 0 else 0
        if not columns:
            continue
        slot = torch.arange(int(count[chosen].max()), device=v.device)
        used = slot < count[chosen, None]
        row = torch.where(used, indptr[:-1][chosen, None] + slot, indptr[:-1][chosen, None])
        near = v[row]
        root = _weight(near, reach[chosen, None], uniform).sqrt() * used
        a = monomials(near, jets.indices[:columns]) * root[..., None]
        pseudo_inverse = torch.linalg.solve(a.mT @ a, a.mT).mT * root[..., None] * factorials[:columns]
        out[:, :columns] = out[:, :columns].index_add(0, row[used], pseudo_inverse[used])
    return out


def _reach(v: Float[Tensor, "rows d"], counts: Int[Tensor, "points"]) -> Float[Tensor, "points"]:
    """Return the distance of the furthest neighbour of each point."""
    point = torch.arange(len(counts), device=v.device).repeat_interleave(counts)
    return v.new_zeros(len(counts)).scatter_reduce(0, point, v.norm(dim=1), "amax")


def _weight(v: Float[Tensor, "*rows d"], reach: Float[Tensor, "*rows"], uniform: bool) -> Float[Tensor, "*rows"]:
    square = v.square().sum(-1)
    itself = square == 0
    weight = torch.ones_like(square) if uniform else torch.exp(-DECAY * square / torch.where(itself, 1, reach.square()))
    return torch.where(itself, SELF_WEIGHT, weight)


@dataclass(frozen=True)
class _Monomials:
    """Tables by which monomials are computed and scaled, see `_jet_fit.fit`."""

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


__all__ = ["Jets", "differentiable_rows", "local_jets", "neighborhood_jets"]
