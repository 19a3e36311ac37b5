"""Spherical harmonics and the Wigner matrices by which they transform, as polynomials of vectors and matrices.

One basis serves both. Y_l has the 2 l + 1 components

    (cos l t, sin l t), (cos (l - 1) t, sin (l - 1) t), ..., (cos t, sin t), 1

times functions of the height z, where t is the longitude about z. These are the standard real spherical harmonics
without Condon-Shortley phase, of orders m = l, -l, l - 1, -(l - 1), ..., 1, -1, 0. So Y_1(v) = v = (x, y, z), rotations
about z act by the irreps l, l - 1, ..., 1, 0 of SO(2) on the diagonal, and Y_l of the north pole is (0, ..., 0, 1).
Normalization: |Y_l(v)| = |v|^l, so that Y_l(v) . Y_l(w) is the Legendre polynomial P_l(v . w) on unit vectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._caching import cached


def spherical_harmonics(v: Float[Tensor, "*points 3"], order: int) -> Float[Tensor, "*points dim"]:
    """Return Y_l(v), of dimension 2 l + 1: harmonic polynomials of degree l, a unit vector if v is one.

    `Y_l(g v) = D^l(g) Y_l(v)` for g in O(3), with D^l = `wigner(g, l)`. The 2 l + 1 components have the orders
    m = l, -l, l - 1, -(l - 1), ..., 1, -1, 0. Normalization: |Y_l(v)| = |v|^l. The recursion uses the coefficients of
    :cite:`varshalovich1988quantum`.

    Example:
        >>> import torch
        >>> from gaugenet.groups import spherical_harmonics
        >>> spherical_harmonics(torch.rand(10, 3), 2).shape
        torch.Size([10, 5])
        >>> spherical_harmonics(torch.tensor([0.0, 0.0, 1.0]), 2).tolist()  # the north pole
        [0.0, 0.0, 0.0, 0.0, 1.0]
    """
    return harmonics_up_to(v, order)[-1]


def harmonics_up_to(
    v: Float[Tensor, "*points 3"], max_order: int, couplings: Sequence[Tensor] | None = None
) -> list[Float[Tensor, "*points dim"]]:
    """Return [Y_0(v), Y_1(v), ..., Y_L(v)] by one recursion.

    `couplings` are the tables `coupling(1), ..., coupling(L)`, from a layer that keeps them on its device.
    """
    tables = [coupling(order) for order in range(1, max_order + 1)] if couplings is None else couplings
    found = [torch.ones_like(v[..., :1])]
    for order, table in enumerate(tables, 1):
        outer = (found[-1][..., :, None] * v[..., None, :]).flatten(-2)
        scale = math.sqrt((2 * order - 1) / order)
        found.append(outer @ (scale * table).to(v))
    return found


def wigner(g: Float[Tensor, "*batch 3 3"], order: int) -> Float[Tensor, "*batch dim dim"]:
    """Return D^l(g), the irrep of O(3) by which harmonic polynomials of degree l transform.

    D^1(g) = g and D^l(-g) = (-1)^l D^l(g). By D^l = Q_l^T (D^(l-1) x g) Q_l with the isometry Q_l of `coupling`:
    polynomials of degree l in the entries of g.
    """
    if order == 0:
        return torch.ones_like(g[..., :1, :1])
    d = g
    for l in range(2, order + 1):
        q = coupling(l).to(g)
        right = (d @ q.view(2 * l - 1, -1)).unflatten(-1, (3, 2 * l + 1))  # (..., l-1, 3, l)
        both = g[..., None, :, :] @ right
        d = (both.flatten(-3, -2).mT @ q).mT.contiguous()
    return d


@cached
def coupling(order: int) -> Float[Tensor, "three_times_lower dim"]:
    """Return Q_l, the isometric embedding of the irrep l into (l - 1) x 1; rows (component of l - 1, axis), float64.

    The stretched Clebsch-Gordan coefficients in closed form (:cite:`varshalovich1988quantum`, table 8.2), in the real
    basis.
    """
    l = order
    q = torch.zeros(2 * l - 1, 3, 2 * l + 1, dtype=torch.float64)
    for m in range(l + 1):
        up = math.sqrt((l + m) * (l + m - 1) / (2 * l * (2 * l - 1)))
        level = math.sqrt((l - m) * (l + m) / (l * (2 * l - 1)))
        down = math.sqrt((l - m) * (l - m - 1) / (2 * l * (2 * l - 1)))
        cos, sin = component(l, m), component(l, -m)
        if m < l:
            q[component(l - 1, m), 2, cos] += level
            q[component(l - 1, -m), 2, sin] += level * (m > 0)
        if m < l - 1:
            scale = down * (1 if m == 0 else math.sqrt(0.5))
            _times_longitude(q, component(l - 1, m + 1), component(l - 1, -m - 1), cos, sin, -scale, -1, m > 0)
        if m == 1:
            q[component(l - 1, 0), 0, cos] += up
            q[component(l - 1, 0), 1, sin] += up
        elif m > 1:
            _times_longitude(
                q, component(l - 1, m - 1), component(l - 1, 1 - m), cos, sin, up * math.sqrt(0.5), 1, True
            )
    return q.flatten(0, 1)


def component(order: int, m: int) -> int:
    """Return the index in Y_l of the component with cos(m t), or sin(|m| t) for negative m."""
    return 2 * (order - abs(m)) + (m < 0)


def _times_longitude(q: Tensor, c: int, s: int, cos: int, sin: int, scale: float, sign: int, with_sine: bool) -> None:
    """Add scale (c + i s)(x + sign i y), with real and imaginary part as the components (cos, sin)."""
    q[c, 0, cos] += scale
    q[s, 1, cos] -= scale * sign
    if with_sine:
        q[s, 0, sin] += scale
        q[c, 1, sin] += scale * sign


__all__ = ["component", "coupling", "harmonics_up_to", "spherical_harmonics", "wigner"]
