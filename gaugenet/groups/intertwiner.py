"""Intertwiners: the matrices that commute with two representations of one group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from gaugenet.groups.representation import Representation


_INTERTWINERS: dict[tuple[Representation, Representation], Tensor] = {}


def intertwiners(source: Representation, target: Representation) -> Float[Tensor, "count out in"]:
    """A canonical basis of Hom_G: all matrices A with target(g) A = A source(g) for every g in G.

    The basis is the reduced row echelon form of the solution space, so it is the same on every run and machine
    and, for permutation representations, consists of 0-1 patterns (weight sharing). float64.
    """
    same_group(source, target)
    key = (source, target)
    if key not in _INTERTWINERS:
        _INTERTWINERS[key] = _solve_intertwiners(source, target)
    return _INTERTWINERS[key]


def _solve_intertwiners(source: Representation, target: Representation) -> Tensor:
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


def null_space(constraints: Float[Tensor, "rows n"], *, tol: float = 1e-9) -> Float[Tensor, "count n"]:
    """Reduced row echelon basis of the null space: unique, hence deterministic."""
    values, vectors = torch.linalg.eigh(constraints.T @ constraints)
    return row_echelon(vectors[:, values < tol * max(1.0, float(values[-1]))].T)


def row_echelon(rows: Float[Tensor, "count n"], *, tol: float = 1e-7) -> Float[Tensor, "count n"]:
    """Reduced row echelon form of a matrix of full row rank, cleaned of rounding."""
    rows = rows.clone()
    pivot = 0
    for column in range(rows.shape[1]):
        if pivot == len(rows):
            break
        best = pivot + int(rows[pivot:, column].abs().argmax())
        if rows[best, column].abs() < tol:
            continue
        rows[[pivot, best]] = rows[[best, pivot]]
        rows[pivot] /= rows[pivot, column].clone()
        others = rows[:, column].clone()
        others[pivot] = 0
        rows -= others[:, None] * rows[pivot]
        pivot += 1
    rounded = rows.round()
    return torch.where((rows - rounded).abs() < 1e-12, rounded, rows)


def same_group(a: Representation, b: Representation) -> None:
    """Raise `ValueError` unless both represent one group."""
    if a.group != b.group:
        raise ValueError(
            f"Expected two representations of one group, got {a.group.name} and {b.group.name}: "
            "restrict the one of the larger group."
        )
