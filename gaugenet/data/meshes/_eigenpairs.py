"""The smallest eigenpairs of `L phi = lambda M phi`: dense, by shift-invert Lanczos, or from coarse to fine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.meshes._multigrid import Columns, Level

logger = logging.getLogger(__name__)

Pairs = tuple[Float[ndarray, "count"], Columns]

_DENSE_BELOW = 400  # points; below, LAPACK is faster than a sparse shift-invert
_COARSEST = 8  # largest number of points for each pair sought on the coarsest level, where all is dense
_SPARE = 0.3  # extra pairs, as a share: the error of the last pair asked for falls with its gap to the last one
_MOST_STEPS = 40  # on a level; twice the number that thin tori, noisy and stretched meshes need
_COARSE_TOLERANCE = 10  # times the tolerance of the finest level: the error of interpolation is larger
_SHIFT = 0.01  # of the largest eigenvalue sought, added to the coarsest Laplacian, which has a kernel
_NO_LESS = 1e-3  # of the largest eigenvalue: changes of smaller ones, and of 0, are relative to this
_CHUNK = 64  # columns in one V-cycle
_BLOCK = 4096  # rows multiplied at a time; their products fit in the cache


def exact_eigenpairs(stiffness: Any, mass: Float[ndarray, "n"], count: int) -> Pairs:
    """Return the smallest eigenpairs up to rounding errors, through the symmetric `M^-1/2 L M^-1/2`."""
    from scipy.linalg import eigh
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import eigsh

    n = len(mass)
    scale = 1 / np.sqrt(mass)
    symmetric = diags_array(scale) @ stiffness @ diags_array(scale)
    if n <= max(_DENSE_BELOW, 4 * count):
        values, vectors = eigh(symmetric.toarray(), subset_by_index=(0, count - 1))
    else:
        start = np.random.default_rng(0).standard_normal(n)  # the same vector on every run
        # tol=0: with a looser one Lanczos stops before it has found all functions of an eigenspace (icosphere, 1e-9)
        values, vectors = eigsh(symmetric.tocsc(), k=count, sigma=-1e-2, v0=start, tol=0)
        order = np.argsort(values)
        values, vectors = values[order], vectors[:, order]
    return values.clip(min=0), vectors * scale[:, None]


def multigrid_eigenpairs(
    stiffness: Any, mass: Float[ndarray, "n"], positions: Float[ndarray, "n 3"], count: int, tolerance: float
) -> Pairs:
    """Return the smallest eigenpairs, from coarse to fine, at a cost linear in the number of points.

    The pairs of the coarsest level are exact. On each finer level they are interpolated and corrected together: a
    V-cycle is applied to the residuals, then a Rayleigh-Ritz step follows. This is preconditioned inverse iteration
    (:cite:`knyazev2003geometric`) on nested levels (as in :cite:`nasikun2022hierarchical`). The finer the mesh,
    the closer the interpolated functions and the fewer steps. Functions are in float32.

    Args:
        stiffness: `csr_array`, positive semi-definite, with rows that sum to zero.
        mass: the diagonal of the mass matrix.
        positions: positions of the points, used to interpolate functions.
        count: number of pairs.
        tolerance: relative error of the eigenvalues, estimated from how fast the steps become smaller.
    """
    from scipy.sparse import diags_array

    sought = count + max(8, int(_SPARE * count))
    finest = Level(stiffness.tocsr(), diags_array(mass).tocsr(), positions, _COARSEST * sought)
    levels = [finest, *finest.below()]
    if levels[-1].size < sought:  # because nearly all points are coupled to a few
        return exact_eigenpairs(stiffness, mass, count)
    pairs = _from_coarse_to_fine(levels, sought, count, tolerance)
    if pairs is None:
        logger.warning("Eigenpairs converge slowly on this mesh of %d vertices: solving exactly.", finest.size)
        return exact_eigenpairs(stiffness, mass, count)
    values, functions = pairs
    return values[:count].clip(min=0), functions[:, :count]


def _from_coarse_to_fine(levels: list[Level], sought: int, count: int, tolerance: float) -> Pairs | None:
    """Return the pairs sought, or `None` if they do not converge."""
    from scipy.linalg import eigh

    *finer, coarsest = levels
    stiffness, mass = coarsest.matrices
    values, functions = eigh(stiffness.toarray(), mass.toarray(), subset_by_index=(0, sought - 1))
    functions = functions.astype(np.float32)
    solve = _regular_inverse(stiffness + _SHIFT * values[-1] * mass)
    rate, converged = 1.0, True
    for level in reversed(finer):
        functions = level.prolonged(functions)
        enough = tolerance if level is levels[0] else _COARSE_TOLERANCE * tolerance
        values, rate, converged = _refined(level, values, functions, count, enough, rate, solve)
    return (values, functions) if converged else None


def _regular_inverse(matrix: Any) -> Callable[[Columns], Columns]:
    """Return the function that solves with a positive definite matrix, with float32 input and output."""
    from scipy.sparse.linalg import splu

    options = {"SymmetricMode": True}
    factors = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    return lambda b: typed_array(factors.solve(b.astype(np.float64)).astype(np.float32))


def _refined(
    level: Level,
    values: Float[ndarray, "k"],
    functions: Columns,
    count: int,
    tolerance: float,
    rate: float,
    solve: Callable[[Columns], Columns],
) -> tuple[Float[ndarray, "k"], float, bool]:
    """Correct the functions in place until the first `count` values are within the tolerance.

    Return the values, the rate, and whether they converged. The rate is the factor by which a step reduces the errors.
    The argument is the rate of the next coarser level (1 if unknown). The result is the rate of this level.
    """
    change = np.inf
    for step in range(_MOST_STEPS):
        for first in range(0, functions.shape[1], _CHUNK):
            columns = slice(first, first + _CHUNK)
            x = np.ascontiguousarray(functions[:, columns])
            residual = (level.mass @ x) * values[columns].astype(np.float32)
            level.subtract_laplacian(x, residual)
            functions[:, columns] += level.v_cycle(residual, solve)
        before, values = values, _rayleigh_ritz(level, functions)
        last, change = change, _largest_change(before[:count], values[:count])
        ahead = rate
        if step:
            rate = min(change / last, 1.0)
            ahead = np.sqrt(rate)  # steps become less effective: 0.03, 0.19, 0.36 on a jittered torus
        if change * ahead <= tolerance * (1 - ahead):  # the total change of all further steps
            return values, rate, True
    return values, rate, False


def _largest_change(before: Float[ndarray, "k"], after: Float[ndarray, "k"]) -> float:
    """Return the largest relative change; for the smallest values, such as 0, relative to a part of the largest."""
    return float((np.abs(after - before) / np.maximum(after, _NO_LESS * after[-1])).max())


def _rayleigh_ritz(level: Level, functions: Columns) -> Float[ndarray, "k"]:
    """Make the functions the eigenfunctions of the space that they span, in place, and return the eigenvalues."""
    from scipy.linalg import eigh

    stiffness = np.zeros((functions.shape[1],) * 2)
    mass = np.zeros_like(stiffness)
    blocks = [slice(first, first + _BLOCK) for first in range(0, level.size, _BLOCK)]
    for rows in blocks:
        x = functions[rows]
        minus = np.zeros_like(x)
        level.subtract_laplacian(functions, minus, rows.start)
        stiffness -= x.T @ minus
        mass += x.T @ (level.mass[rows] @ functions)
    values, mixing = eigh(0.5 * (stiffness + stiffness.T), 0.5 * (mass + mass.T))
    mixing = mixing.astype(np.float32)
    for rows in blocks:
        functions[rows] = functions[rows] @ mixing
    return typed_array(values)
