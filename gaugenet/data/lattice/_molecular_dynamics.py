"""Compiled molecular dynamics of links and momenta: the trajectories of hybrid Monte Carlo."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy import ndarray

from gaugenet.data.lattice._links import action_of, algebra_part, exponential, multiply, staple_sum

_OMELYAN = 0.1931833275037836
"""Parameter of the minimum norm integrator of second order :cite:`omelyan2003symplectic`."""


@njit(cache=True, nogil=True)
def trajectory(
    u: ndarray, p: ndarray, table: ndarray, beta: float, special: bool, size: float, steps: int, omelyan: bool
) -> None:
    """Integrate dU/dt = P U, dP/dt = -F in place: `steps` steps of length `size`, symmetric in time."""
    if omelyan:
        first = _OMELYAN * size
        _kick(u, p, table, beta, special, first)
        for step in range(steps):
            drift(u, p, size / 2)
            _kick(u, p, table, beta, special, size - 2 * first)
            drift(u, p, size / 2)
            _kick(u, p, table, beta, special, 2 * first if step < steps - 1 else first)
        return
    _kick(u, p, table, beta, special, size / 2)
    for step in range(steps):
        drift(u, p, size)
        _kick(u, p, table, beta, special, size if step < steps - 1 else size / 2)


@njit(cache=True, nogil=True)
def _kick(u: ndarray, p: ndarray, table: ndarray, beta: float, special: bool, size: float) -> None:
    """Replace P by P - size F, with F = beta / (2 N) times the algebra part of U A."""
    sites, d, n, _ = u.shape
    staple = np.empty((n, n), np.complex128)
    product = np.empty((n, n), np.complex128)
    work = np.empty((2, n, n), np.complex128)
    factor = size * beta / (2 * n)
    for x in range(sites):
        for mu in range(d):
            staple_sum(u, table, x, mu, staple, work)
            multiply(u[x, mu], staple, product)
            algebra_part(product, special)
            for i in range(n):
                for j in range(n):
                    p[x, mu, i, j] -= factor * product[i, j]


@njit(cache=True, nogil=True)
def drift(u: ndarray, p: ndarray, size: float) -> None:
    """Replace U by exp(size P) U."""
    sites, d, n, _ = u.shape
    step = np.empty((n, n), np.complex128)
    power = np.empty((n, n), np.complex128)
    work = np.empty((2, n, n), np.complex128)
    for x in range(sites):
        for mu in range(d):
            for i in range(n):
                for j in range(n):
                    step[i, j] = size * p[x, mu, i, j]
            exponential(step, power, work)
            multiply(power, u[x, mu], step)
            u[x, mu] = step


@njit(cache=True, nogil=True)
def energy(u: ndarray, p: ndarray, table: ndarray, beta: float) -> float:
    """Return H = S(U) - tr P^2: the kinetic term is half the sum of squared coefficients in the basis T_a."""
    n = u.shape[2]
    kinetic = 0.0
    for value in p.ravel():  # -tr P^2 = sum |P_ij|^2 for anti-Hermitian P
        kinetic += value.real**2 + value.imag**2
    return kinetic + action_of(u, table, beta, np.empty((3, n, n), np.complex128))
