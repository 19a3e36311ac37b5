"""eth and ethbar: covariant derivatives that raise and lower the order of fields on oriented surfaces."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from gaugenet.geometry.grids.grid import Grid
from gaugenet.groups import SO2
from gaugenet.operators.domains import Space, dimension, operator_graph
from gaugenet.operators.matrix import Action
from gaugenet.operators.symbolic import Symbol, differentiate


def eth(f: Tensor, domain: Space, order: int = 0, *, degree: int | None = None, accuracy: int | None = None) -> Tensor:
    """Return (D_1 + i D_2) f, a field of order m + 1, for a field f of order m.

    A field of order m is a complex number at each point that is multiplied by exp(i m t) when the frame's axes rotate
    by -t. For m > 0 its real and imaginary part transform by the irrep `m` of SO(2). On scalars eth is the gradient. On
    a surface of Gauss curvature K, `ethbar(eth f) - eth(ethbar f) = 2 K m f`. Source: :cite:`goldberg1967spin`.

    Shapes:
        f: real `(N, C)` for order 0 and `(N, 2 C)` for orders above, real parts first -> `(N, 2 C)`;
        complex `(N, C)` for any order -> complex `(N, C)`. On a `Grid` `(B, channels, *spatial)` in place of
        `(N, channels)`.

    Args:
        f: the field.
        domain: a domain of dimension 2, with oriented orthonormal frames.
        order: m, the order of `f`.
        degree: see `gradient`.
        accuracy: see `gradient`.

    Raises:
        ValueError: If the domain is not of dimension 2, its frames are not oriented, or the order of a real field is
            negative.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Grid
        >>> from gaugenet.operators import eth
        >>> x = torch.arange(5.0).expand(1, 1, 5, 5)
        >>> eth(x, Grid((5, 5)))[0, :, 2, 2].tolist()  # d_1 x + i d_2 x
        [1.0, 0.0]
    """
    return _spin(f, domain, order, 1, degree, accuracy)


def ethbar(
    f: Tensor, domain: Space, order: int = 1, *, degree: int | None = None, accuracy: int | None = None
) -> Tensor:
    """Return (D_1 - i D_2) f, a field of order m - 1, for a field f of order m.

    On vectors it is div + i curl, and `ethbar(eth f, order=1)` of scalars is the Laplacian.

    Shapes:
        f: real `(N, 2 C)` of order 1 or above -> `(N, 2 C)`, real parts first, where order 0 is a complex scalar;
        complex `(N, C)` for any order -> complex `(N, C)`. On a `Grid` as for `eth`.

    Args, Raises: see `eth`. A real field of order 0 must be passed as a complex field, since the result has order -1.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Grid
        >>> from gaugenet.operators import ethbar
        >>> x = torch.arange(5.0).expand(1, 1, 5, 5)
        >>> u = torch.cat([x, torch.zeros_like(x)], 1)  # the vector field (x, 0)
        >>> ethbar(u, Grid((5, 5)))[0, :, 2, 2].tolist()  # div u + i curl u
        [1.0, 0.0]
    """
    return _spin(f, domain, order, -1, degree, accuracy)


def _spin(f: Tensor, domain: Space, order: int, sign: int, degree: int | None, accuracy: int | None) -> Tensor:
    _check(domain)
    if f.is_complex():
        pairs = torch.cat([f.real, f.imag], 1)
        out = differentiate(spin_symbol(order, sign, 2), pairs, domain, degree=degree, accuracy=accuracy)
        return torch.complex(*out.chunk(2, 1))
    if order < (1 if sign < 0 else 0):
        raise ValueError(f"Expected a complex field for the orders {order} and {order + sign}, got a real one.")
    symbol = spin_symbol(order, sign, 1 if order == 0 else 2)
    return differentiate(symbol, f, domain, degree=degree, accuracy=accuracy)


@lru_cache(maxsize=64)
def spin_symbol(order: int, sign: int, inputs: int) -> Symbol:
    """Return the symbol of D_1 + i sign D_2 on real and imaginary parts; a single input is a real scalar."""
    one, i = torch.eye(2, dtype=torch.float64), torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    terms: dict[tuple[int, ...], Tensor] = {(1, 0): one[:, :inputs], (0, 1): sign * i[:, :inputs]}
    return Symbol(f"spin {order} {sign} {inputs}", 2, 1, terms, None if order == 0 else _rotation(order), True)


def _rotation(order: int) -> Action:
    """Return the power of a rotation by which a field of some order, also a negative one, is transported."""
    rho = SO2().irrep(abs(order))
    return rho if order > 0 else lambda g: rho(g.mT)


def _check(domain: Space) -> None:
    d = dimension(domain)
    if d != 2:
        raise ValueError(f"Expected a domain of dimension 2, got {d}: eth exists on surfaces.")
    if isinstance(domain, Grid):
        if domain.boundary == "reflect":
            raise ValueError(
                "A grid with boundary='reflect' has mirrors, which reverse orientation: eth is not defined."
            )
        return
    transporter = operator_graph(domain).transporter
    if bool((torch.linalg.det(transporter) < 0).any()):
        raise ValueError("Expected frames of one orientation, got transporters that are reflections: use SO(2).")


__all__ = ["eth", "ethbar"]
