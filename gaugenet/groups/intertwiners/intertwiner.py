"""Intertwiners: the linear maps between two representations that commute with the group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._caching import cached
from gaugenet.groups.intertwiners.averaging import average

if TYPE_CHECKING:
    from gaugenet.groups.representations.base import Representation


_MANY_UNKNOWNS = 500
"""Number of unknowns from which averages over the group are cheaper than the null space of its equations."""


def intertwiners(source: Representation, target: Representation) -> Float[Tensor, "count out in"]:
    """Return a canonical basis of Hom_G: all matrices A with target(g) A = A source(g) for every g in G.

    The basis is the reduced row echelon form of the solution space, so it is the same on every run and machine.
    For permutation representations it consists of 0-1 patterns (weight sharing). The result is float64 and cached: do
    not write to it. In general it is the null space of equations for generators and Lie algebra
    :cite:`finzi2021practical`.

    Example:
        >>> from gaugenet.groups import SO2, Cyclic, intertwiners
        >>> vectors = SO2().irrep(1)
        >>> intertwiners(vectors, vectors).tolist()  # the complex numbers a + b i
        [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [-1.0, 0.0]]]
        >>> regular = Cyclic(4).regular()
        >>> intertwiners(regular, regular).shape  # four circulant patterns
        torch.Size([4, 4, 4])
    """
    same_group(source, target)
    return _intertwiners(source, target)


@cached
def _intertwiners(source: Representation, target: Representation) -> Float[Tensor, "count out in"]:
    from gaugenet.groups.intertwiners.rules import by_structure

    found = by_structure(source, target)
    if found is None:
        large = source.dim * target.dim > _MANY_UNKNOWNS and source.group.compact
        large = large and source.is_orthogonal and target.is_orthogonal
        found = (averaged_intertwiners if large else solve_intertwiners)(source, target)
    return found


def solve_intertwiners(source: Representation, target: Representation) -> Float[Tensor, "count out in"]:
    """Return the basis of `intertwiners` from the linear equations of the generators, for any two representations."""
    group = source.group
    eye_in = torch.eye(source.dim, dtype=torch.float64)
    eye_out = torch.eye(target.dim, dtype=torch.float64)
    rows = [torch.kron(target(g), eye_in) - torch.kron(eye_out, source(g).T.contiguous()) for g in group.generators()]
    rows += [
        torch.kron(target.derivative(x), eye_in) - torch.kron(eye_out, source.derivative(x).T.contiguous())
        for x in group.lie_algebra()
    ]
    n = source.dim * target.dim
    basis = null_space(torch.cat(rows)) if rows else torch.eye(n, dtype=torch.float64)
    return basis.reshape(-1, target.dim, source.dim)


def averaged_intertwiners(source: Representation, target: Representation) -> Float[Tensor, "count out in"]:
    """Return the basis of `intertwiners` as a span of averages of matrices, until a batch of them adds nothing."""
    n = source.dim * target.dim
    basis, batch, i = torch.zeros(n, 0, dtype=torch.float64), 8, torch.arange(n, dtype=torch.float64)
    while True:
        phase = torch.arange(basis.shape[1], basis.shape[1] + batch, dtype=torch.float64)[:, None] + 1
        probes = torch.cos((i + 1).sqrt() * 7 * phase + i).view(batch, target.dim, source.dim)
        maps = average(source, target, probes).flatten(1).T
        for _ in range(2):
            maps = maps - basis @ (basis.T @ maps)
        left, values, _ = torch.linalg.svd(maps, full_matrices=False)
        new = left[:, values > 1e-8]
        basis = torch.cat([basis, new], 1)
        if new.shape[1] < batch:
            return row_echelon(basis.T).view(-1, target.dim, source.dim)
        batch *= 2


def null_space(constraints: Float[Tensor, "rows n"], *, tol: float = 1e-9) -> Float[Tensor, "count n"]:
    """Return the reduced row echelon basis of the null space: unique, hence deterministic."""
    values, vectors = torch.linalg.eigh(constraints.T @ constraints)
    return row_echelon(vectors[:, values < tol * max(1.0, float(values[-1]))].T)


def row_echelon(rows: Float[Tensor, "count n"], *, tol: float = 1e-7) -> Float[Tensor, "count n"]:
    """Return the reduced row echelon form of a matrix of full row rank, cleaned of rounding."""
    rows = rows.clone()
    column = 0
    for pivot in range(len(rows)):
        best, column = _next_pivot(rows[pivot:], column, tol)
        if best is None:
            break
        rows[[pivot, pivot + best]] = rows[[pivot + best, pivot]]
        rows[pivot] /= rows[pivot, column].clone()
        others = rows[:, column].clone()
        others[pivot] = 0
        rows -= others[:, None] * rows[pivot]
        column += 1
    rounded = rows.round()
    return torch.where((rows - rounded).abs() < 1e-12, rounded, rows)


def _next_pivot(rows: Tensor, column: int, tol: float) -> tuple[int | None, int]:
    """Return row and column of the largest entry in the first column that is not zero."""
    width = 1  # number of columns searched at once; it grows, since usually the next column is not zero
    while column < rows.shape[1]:
        values, best = rows[:, column : column + width].abs().max(0)
        found = (values >= tol).nonzero()
        if len(found):
            offset = int(found[0])
            return int(best[offset]), column + offset
        column, width = column + width, 4 * width
    return None, column


def same_group(a: Representation, b: Representation) -> None:
    """Raise `ValueError` unless both represent one group."""
    if a.group != b.group:
        raise ValueError(
            f"Expected two representations of one group, got {a.group.name} and {b.group.name}: "
            "restrict the one of the larger group."
        )
