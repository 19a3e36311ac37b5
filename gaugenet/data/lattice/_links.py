"""Compiled operations on the links of one configuration, stored as (sites, d, N, N)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Complex, Int
from numba import njit
from numpy import ndarray

_TAYLOR = 14
"""Terms of the exponential of a matrix with entries below 1 / 4: the remainder is below 1e-17 for N <= 4."""


def neighbors(shape: Sequence[int]) -> Int[ndarray, "2 sites d"]:
    """Return the sites x + mu and x - mu, sites counted in row-major order."""
    sites = np.arange(np.prod(shape)).reshape(shape)
    tables = [[np.roll(sites, -sign, mu).ravel() for mu in range(len(shape))] for sign in (1, -1)]
    return np.ascontiguousarray(np.array(tables).transpose(0, 2, 1))


@njit(cache=True, nogil=True)
def multiply(a: ndarray, b: ndarray, out: ndarray) -> None:
    """Set out = a b."""
    n = a.shape[0]
    for i in range(n):
        for j in range(n):
            total = 0j
            for k in range(n):
                total += a[i, k] * b[k, j]
            out[i, j] = total


@njit(cache=True, nogil=True)
def _multiply_dagger(a: ndarray, b: ndarray, out: ndarray) -> None:
    """Set out = a b^+."""
    n = a.shape[0]
    for i in range(n):
        for j in range(n):
            total = 0j
            for k in range(n):
                total += a[i, k] * np.conj(b[j, k])
            out[i, j] = total


@njit(cache=True, nogil=True)
def _dagger_multiply(a: ndarray, b: ndarray, out: ndarray) -> None:
    """Set out = a^+ b."""
    n = a.shape[0]
    for i in range(n):
        for j in range(n):
            total = 0j
            for k in range(n):
                total += np.conj(a[k, i]) * b[k, j]
            out[i, j] = total


@njit(cache=True, nogil=True)
def staple_sum(u: ndarray, table: ndarray, x: int, mu: int, out: ndarray, work: ndarray) -> None:
    """Set out = the sum of staples A_mu(x), so that plaquettes with the link are u[x, mu] A; `work` is (2, N, N)."""
    first, second = work[0], work[1]
    out[:] = 0
    ahead = table[0, x, mu]
    for nu in range(u.shape[1]):
        if nu == mu:
            continue
        multiply(u[x, nu], u[table[0, x, nu], mu], first)
        _multiply_dagger(u[ahead, nu], first, second)
        out += second
        below = table[1, x, nu]
        multiply(u[below, mu], u[table[0, below, mu], nu], first)
        _dagger_multiply(first, u[below, nu], second)
        out += second


@njit(cache=True, nogil=True)
def action_of(u: ndarray, table: ndarray, beta: float, work: ndarray) -> float:
    """Return the Wilson action; `work` is (3, N, N)."""
    sites, d, n, _ = u.shape
    total = 0.0
    for x in range(sites):
        for mu in range(d):
            for nu in range(mu + 1, d):
                multiply(u[x, mu], u[table[0, x, mu], nu], work[0])
                multiply(u[x, nu], u[table[0, x, nu], mu], work[1])
                trace = 0.0
                for i in range(n):
                    for j in range(n):
                        trace += (work[0, i, j] * np.conj(work[1, i, j])).real
                total += 1 - trace / n
    return beta * total


@njit(cache=True, nogil=True)
def algebra_part(m: ndarray, special: bool) -> None:
    """Replace m by (m - m^+) / 2, without trace if `special`."""
    n = m.shape[0]
    for i in range(n):
        m[i, i] = 1j * m[i, i].imag
        for j in range(i):
            m[i, j] = (m[i, j] - np.conj(m[j, i])) / 2
            m[j, i] = -np.conj(m[i, j])
    if special:
        mean = 0j
        for i in range(n):
            mean += m[i, i] / n
        for i in range(n):
            m[i, i] -= mean


@njit(cache=True, nogil=True)
def exponential(x: ndarray, out: ndarray, work: ndarray) -> None:
    """Set out = exp(x) by scaling, Taylor's series and squaring; `work` is (2, N, N)."""
    n = x.shape[0]
    largest = 0.0
    for i in range(n):
        for j in range(n):
            largest = max(largest, abs(x[i, j]))
    halvings = 0
    while largest > 0.25:
        largest /= 2
        halvings += 1
    scale = 0.5**halvings
    term, product = work[0], work[1]
    out[:] = 0
    term[:] = 0
    for i in range(n):
        out[i, i] = 1
        term[i, i] = 1
    for k in range(1, _TAYLOR + 1):
        multiply(term, x, product)
        for i in range(n):
            for j in range(n):
                term[i, j] = product[i, j] * (scale / k)
                out[i, j] += term[i, j]
    for _ in range(halvings):
        multiply(out, out, product)
        out[:] = product


def site_major(links: Complex[ndarray, "d *shape n n"]) -> Complex[ndarray, "sites d n n"]:
    """Return the links of one configuration by site, contiguous."""
    d, n = links.shape[0], links.shape[-1]
    return np.ascontiguousarray(links.reshape(d, -1, n, n).transpose(1, 0, 2, 3))


def direction_major(u: Complex[ndarray, "sites d n n"], shape: Sequence[int]) -> Complex[ndarray, "d *shape n n"]:
    """Return the links of one configuration in the layout of `LatticeGaugeField`."""
    d, n = u.shape[1], u.shape[-1]
    return np.ascontiguousarray(u.transpose(1, 0, 2, 3)).reshape(d, *shape, n, n)
