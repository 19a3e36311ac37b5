"""Compiled heat bath and overrelaxation of single links."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy import ndarray

from gaugenet.data.lattice._links import multiply, staple_sum


@njit(cache=True, nogil=True)
def sweep(u: ndarray, table: ndarray, beta: float, heat: bool, rng: Any) -> None:
    """Update every link of (sites, d, N, N) once: by a heat bath, or by an overrelaxation that keeps the action."""
    sites, d, n, _ = u.shape
    staple = np.empty((n, n), np.complex128)
    product = np.empty((n, n), np.complex128)
    work = np.empty((2, n, n), np.complex128)
    for x in range(sites):
        for mu in range(d):
            staple_sum(u, table, x, mu, staple, work)
            if n == 1:
                u[x, mu, 0, 0] = _update_phase(u[x, mu, 0, 0], staple[0, 0], beta, heat, rng)
                continue
            multiply(u[x, mu], staple, product)
            for i in range(n):
                for j in range(i + 1, n):
                    _update_subgroup(u[x, mu], product, i, j, beta / n, heat, rng)


@njit(cache=True, nogil=True)
def _update_phase(u: complex, staple: complex, beta: float, heat: bool, rng: Any) -> Any:
    """Draw from the density exp(beta Re(u staple)), or the reflection u staple -> its conjugate."""
    size = abs(staple)
    if size < 1e-300:
        angle = 2 * math.pi * rng.random()
        return complex(math.cos(angle), math.sin(angle)) if heat else u
    back = np.conj(staple) / size
    if not heat:
        return np.conj(u) * back * back
    angle = _von_mises(beta * size, rng)
    return complex(math.cos(angle), math.sin(angle)) * back


@njit(cache=True, nogil=True)
def _von_mises(kappa: float, rng: Any) -> Any:
    """Draw an angle of density exp(kappa cos t) by rejection from a wrapped Cauchy or a constant density."""
    if kappa < 0.1:
        while True:
            angle = math.pi * (2 * rng.random() - 1)
            if rng.random() <= math.exp(kappa * (math.cos(angle) - 1)):
                return angle
    a = 1 + math.sqrt(1 + 4 * kappa * kappa)
    b = (a - math.sqrt(2 * a)) / (2 * kappa)
    r = (1 + b * b) / (2 * b)
    while True:
        z = math.cos(math.pi * rng.random())
        f = (1 + r * z) / (r + z)
        c = kappa * (r - f)
        v = 1 - rng.random()
        if c * (2 - c) > v or math.log(c / v) + 1 - c >= 0:
            angle = math.acos(min(1.0, max(-1.0, f)))
            return angle if rng.random() < 0.5 else -angle


@njit(cache=True, nogil=True)
def _update_subgroup(u: ndarray, w: ndarray, i: int, j: int, coupling: float, heat: bool, rng: Any) -> None:
    """Multiply u, and w = u A, from the left by an element g of SU(2) in the rows i and j.

    Its density is exp(coupling Re tr(g w)), which depends only on the quaternion q of the 2 x 2 block of w, with
    a_0 + i sigma a = [[a_0 + i a_3, a_2 + i a_1], [-a_2 + i a_1, a_0 - i a_3]].
    """
    q0 = (w[i, i].real + w[j, j].real) / 2
    q1 = (w[i, j].imag + w[j, i].imag) / 2
    q2 = (w[i, j].real - w[j, i].real) / 2
    q3 = (w[i, i].imag - w[j, j].imag) / 2
    k = math.sqrt(q0 * q0 + q1 * q1 + q2 * q2 + q3 * q3)
    if k < 1e-300:
        if not heat:
            return
        q0, q1, q2, q3 = 1.0, 0.0, 0.0, 0.0
    else:
        q0, q1, q2, q3 = q0 / k, q1 / k, q2 / k, q3 / k
    if heat:
        a0 = _real_part(2 * coupling * k, rng)
        a1, a2, a3 = _direction(math.sqrt(max(0.0, 1 - a0 * a0)), rng)
    else:
        a0, a1, a2, a3 = q0, -q1, -q2, -q3
    # g = a q^-1; as a product of matrices a_0 + i sigma a
    g0 = a0 * q0 + a1 * q1 + a2 * q2 + a3 * q3
    g1 = a1 * q0 - a0 * q1 + (a2 * q3 - a3 * q2)
    g2 = a2 * q0 - a0 * q2 + (a3 * q1 - a1 * q3)
    g3 = a3 * q0 - a0 * q3 + (a1 * q2 - a2 * q1)
    _rotate_rows(u, i, j, g0, g1, g2, g3)
    _rotate_rows(w, i, j, g0, g1, g2, g3)


@njit(cache=True, nogil=True)
def _rotate_rows(m: ndarray, i: int, j: int, g0: float, g1: float, g2: float, g3: float) -> None:
    for k in range(m.shape[1]):
        upper, lower = m[i, k], m[j, k]
        m[i, k] = complex(g0, g3) * upper + complex(g2, g1) * lower
        m[j, k] = complex(-g2, g1) * upper + complex(g0, -g3) * lower


@njit(cache=True, nogil=True)
def _real_part(alpha: float, rng: Any) -> float:
    """A in [-1, 1] with the density sqrt(1 - a^2) exp(alpha a).

    The algorithm of Creutz for small alpha, that of Kennedy and Pendleton for large ones: each accepts most there.
    """
    if alpha < 2.0:
        while True:
            u = rng.random()
            a = 2 * u - 1 if alpha < 1e-12 else 1 + math.log1p(u * math.expm1(-2 * alpha)) / alpha
            a = max(-1.0, a)
            v = rng.random()
            if v * v <= 1 - a * a:
                return a
    while True:
        cosine = math.cos(2 * math.pi * rng.random())
        first, second = -math.log(1 - rng.random()), -math.log(1 - rng.random())
        delta = (first * cosine * cosine + second) / alpha
        v = rng.random()
        if v * v <= 1 - delta / 2:
            return 1 - delta


@njit(cache=True, nogil=True)
def _direction(length: float, rng: Any) -> tuple[float, float, float]:
    """A vector of this length, uniform on the sphere."""
    z = 2 * rng.random() - 1
    angle = 2 * math.pi * rng.random()
    r = math.sqrt(max(0.0, 1 - z * z))
    return length * r * math.cos(angle), length * r * math.sin(angle), length * z
