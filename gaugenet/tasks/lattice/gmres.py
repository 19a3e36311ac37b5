"""GMRES with a preconditioner and a count of the iterations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Complex
from torch import Tensor

from gaugenet._validation import positive, positive_number

Operator = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Solution:
    """The solution, the number of iterations, and the relative residual."""

    x: Complex[Tensor, "*shape"]
    iterations: int
    residual: float


@torch.no_grad()
def gmres(
    operator: Operator,
    b: Complex[Tensor, "*shape"],
    *,
    precondition: Operator | None = None,
    tolerance: float = 1e-4,
    most: int = 400,
) -> Solution:
    """Solve operator(x) = b by right-preconditioned GMRES without restarts, until |b - operator(x)| < tolerance |b|.

    Args:
        operator: linear.
        b: the right-hand side, of any shape, not zero.
        precondition: an approximate inverse of the operator, linear; none by default.
        tolerance: of the residual.
        most: iterations after which the best solution so far is returned.

    Raises:
        ValueError: If b is zero or not finite, or the operator or preconditioner returns numbers that are not finite.

    Example:
        >>> import torch
        >>> from gaugenet.tasks.lattice.gmres import gmres
        >>> matrix = torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=torch.complex128))
        >>> found = gmres(lambda x: matrix @ x, torch.ones(3, dtype=torch.complex128))
        >>> found.iterations
        3
    """
    positive("most", most), positive_number("tolerance", tolerance)
    size = float(b.norm())
    if not 0 < size < float("inf"):
        raise ValueError(f"Expected `b` to be finite and not zero, got one of norm {size}.")
    apply = precondition or (lambda v: v)
    basis, columns = [b.flatten() / size], []
    for step in range(1, most + 1):
        w = operator(apply(basis[-1].view_as(b))).flatten()
        stacked = torch.stack(basis)
        h = stacked.conj() @ w
        w = w - h @ stacked
        again = stacked.conj() @ w  # orthogonalized twice, so that the basis is orthogonal up to rounding
        w, h = w - again @ stacked, h + again
        if not bool(h.isfinite().all()):
            raise ValueError(
                f"Expected finite numbers from the operator and preconditioner, got others at step {step}."
            )
        columns.append(torch.cat([h, w.norm()[None].to(h)]))
        y, residual = _smallest_residual(columns)
        if residual < tolerance or step == most:
            break
        basis.append(w / w.norm())
    return Solution(apply((y @ stacked * size).view_as(b)), step, residual)


def _smallest_residual(columns: list[Tensor]) -> tuple[Tensor, float]:
    """Return the coefficients that minimize the residual of the Hessenberg system, and that residual."""
    steps = len(columns)
    matrix = torch.zeros(steps + 1, steps, dtype=columns[0].dtype)
    for k, column in enumerate(columns):
        matrix[: k + 2, k] = column
    target = torch.zeros(steps + 1, dtype=matrix.dtype)
    target[0] = 1
    q, r = torch.linalg.qr(matrix)
    y = torch.linalg.solve_triangular(r, (q.mH @ target)[:, None], upper=True)[:, 0]
    return y, float((matrix @ y - target).norm())


__all__ = ["Solution", "gmres"]
