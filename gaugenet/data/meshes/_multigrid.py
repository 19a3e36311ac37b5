"""A hierarchy of coarser and coarser Laplacians, and its V-cycle: an approximate inverse of linear cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet.data.meshes._coarse_points import interpolation

Columns = Float[ndarray, "n k"]


class Level:
    """A stiffness matrix and a mass matrix. The next coarser level has `P^T L P` and `P^T M P`, and so on.

    The matrices of all levels but the coarsest are kept in float32, since they are only approximations. Products
    with L use differences of values, as its rows sum to zero: so rounding errors are relative to the differences.

    Args:
        stiffness: `csr_array` of shape `(n, n)`, positive semi-definite; rows sum to zero.
        mass: `csr_array` of shape `(n, n)`, positive definite.
        positions: positions of the points.
        coarsest: number of points below which there is no coarser level.

    Attributes:
        size: number of points.
        mass: `csr_array`, float32.
        coarser: the next level; none at the coarsest.
    """

    def __init__(self, stiffness: Any, mass: Any, positions: Float[ndarray, "n 3"], coarsest: int) -> None:
        stiffness.sort_indices()  # the forward sweep stops at the diagonal
        self.size: int = stiffness.shape[0]
        self.mass = mass.astype(np.float32)
        self.coarser: Level | None = None
        self._stiffness = _parts(stiffness)
        # At least the mass: a row without coupling (all that remains of a small part) has only rounding errors.
        self._diagonal = np.maximum(stiffness.diagonal(), mass.diagonal()).astype(np.float32)
        if self.size > coarsest:
            down, coarse_positions = interpolation(stiffness, positions)
            up = down.T.tocsr()
            self._down, self._up = _parts(down), _parts(up)
            self.coarser = Level(up @ (stiffness @ down), up @ (mass @ down), coarse_positions, coarsest)
        else:
            self.matrices = stiffness, mass

    def below(self) -> list[Level]:
        """Return all coarser levels, the coarsest last."""
        return [] if self.coarser is None else [self.coarser, *self.coarser.below()]

    def prolonged(self, x: Columns) -> Columns:
        """Return columns given on the next coarser level, interpolated to this one."""
        fine = np.zeros((self.size, x.shape[1]), np.float32)
        _add_product(*self._down, x, fine)
        return fine

    def subtract_laplacian(self, x: Columns, out: Columns, first: int = 0) -> None:
        """Subtract the rows `first`, `first + 1`, ... of `L x` from the rows of `out`."""
        _subtract_laplacian(*self._stiffness, x, first, out)

    def v_cycle(self, b: Columns, solve: Callable[[Columns], Columns]) -> Columns:
        """Return an approximation of `L^-1 b` by a V-cycle.

        It is a Gauss-Seidel sweep, a correction from the next coarser level, and a sweep backwards. As an operator
        on b it is symmetric and positive, and at most as large as the inverse.

        Args:
            b: float32, sum zero in each column.
            solve: returns the solution on the coarsest level.
        """
        if self.coarser is None:
            return solve(b)
        x = np.empty_like(b)
        _sweep_forward(*self._stiffness, self._diagonal, b, x)
        residual = b.copy()
        self.subtract_laplacian(x, residual)
        restricted = np.zeros((self.coarser.size, b.shape[1]), np.float32)
        _add_product(*self._up, residual, restricted)
        _add_product(*self._down, self.coarser.v_cycle(restricted, solve), x)
        _sweep_back(*self._stiffness, self._diagonal, b, x)
        return x


def _parts(matrix: Any) -> tuple[ndarray, ndarray, ndarray]:
    """Return `indptr`, `indices` and the data in float32."""
    return matrix.indptr, matrix.indices, matrix.data.astype(np.float32)


# Compiled, because each row of a sweep needs the rows before it, and scipy's products store every intermediate block.
_options = {"cache": True, "nogil": True, "fastmath": True}


@njit(**_options)
def _sweep_forward(indptr: ndarray, indices: ndarray, data: ndarray, diagonal: ndarray, b: ndarray, x: ndarray) -> None:
    """Do one Gauss-Seidel sweep from x = 0; the old content of x is overwritten."""
    total = np.empty(x.shape[1], x.dtype)
    for i in range(len(x)):
        total[:] = b[i]
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            if j >= i:
                break
            for c in range(x.shape[1]):
                total[c] -= data[e] * x[j, c]
        for c in range(x.shape[1]):
            x[i, c] = total[c] / diagonal[i]


@njit(**_options)
def _sweep_back(indptr: ndarray, indices: ndarray, data: ndarray, diagonal: ndarray, b: ndarray, x: ndarray) -> None:
    """Do one Gauss-Seidel sweep from the last row to the first, in place."""
    total = np.empty(x.shape[1], x.dtype)
    for i in range(len(x) - 1, -1, -1):
        total[:] = b[i]
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            for c in range(x.shape[1]):
                total[c] -= data[e] * x[j, c]
        for c in range(x.shape[1]):
            x[i, c] += total[c] / diagonal[i]


@njit(**_options)
def _subtract_laplacian(indptr: ndarray, indices: ndarray, data: ndarray, x: ndarray, first: int, out: ndarray) -> None:
    for r in range(len(out)):
        i = first + r
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            for c in range(x.shape[1]):
                out[r, c] -= data[e] * (x[j, c] - x[i, c])


@njit(**_options)
def _add_product(indptr: ndarray, indices: ndarray, data: ndarray, x: ndarray, out: ndarray) -> None:
    for i in range(len(out)):
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            for c in range(x.shape[1]):
                out[i, c] += data[e] * x[j, c]
