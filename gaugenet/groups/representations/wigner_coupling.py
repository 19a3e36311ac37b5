"""Clebsch-Gordan coefficients of SO(3) in closed form, in the real basis of `representations.spherical`."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._caching import cached
from gaugenet._typing import typed_tensor
from gaugenet.groups.representations.spherical import component


@cached
def wigner_coupling(first: int, second: int, order: int) -> Float[Tensor, "dim dim_first dim_second"]:
    """Return C with `D^l(g) C = C (D^a(g) x D^b(g))` and C C^T = 1, for |a - b| <= l <= a + b; float64.

    The sign is such that `C (Y_a x Y_b)` is a positive multiple of Y_l where it does not vanish (a + b + l even).
    """
    a, b, l = first, second, order
    c = torch.zeros(2 * l + 1, 2 * a + 1, 2 * b + 1, dtype=torch.complex128)
    for m in range(-a, a + 1):
        for n in range(max(-b, -l - m), min(b, l - m) + 1):
            c[m + n + l, m + a, n + b] = _racah(a, m, b, n, l)
    real = torch.einsum("pm,mab,ai,bj->pij", _complex_basis(l).mH, c, _complex_basis(a), _complex_basis(b))
    sign = (-1) ** ((a + b - l) // 2)
    return typed_tensor(sign * (real.real + real.imag))  # one part vanishes: the imaginary one for even a + b + l


def _racah(a: int, m: int, b: int, n: int, l: int) -> float:
    """Return <a m b n | l m+n> by Racah's formula, summed in integers (:cite:`varshalovich1988quantum`, 8.2.1 (3))."""
    f = math.factorial
    k = m + n
    square = Fraction(
        (2 * l + 1) * f(l + a - b) * f(l - a + b) * f(a + b - l) * f(l + k) * f(l - k), f(a + b + l + 1)
    ) * (f(a - m) * f(a + m) * f(b - n) * f(b + n))
    total = Fraction(0)
    for t in range(max(0, b - l - m, a - l + n), min(a + b - l, a - m, b + n) + 1):
        below = f(t) * f(a + b - l - t) * f(a - m - t) * f(b + n - t) * f(l - b + m + t) * f(l - a - n + t)
        total += Fraction((-1) ** t, below)
    return math.copysign(math.sqrt(square * total * total), total)


def _complex_basis(l: int) -> Tensor:
    """Return U with Y^complex_m = sum_i U_mi Y_i: the harmonics with Condon-Shortley phase from the real ones."""
    u = torch.zeros(2 * l + 1, 2 * l + 1, dtype=torch.complex128)
    u[l, component(l, 0)] = 1
    for m in range(1, l + 1):
        phase = torch.tensor([1, 1j], dtype=torch.complex128) * math.sqrt(0.5)
        pair = [component(l, m), component(l, -m)]
        u[l + m, pair], u[l - m, pair] = (-1) ** m * phase, phase.conj()
    return u
