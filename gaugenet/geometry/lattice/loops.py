"""Gauge-covariant loops: plaquettes, rectangles, staples, Polyakov loops, clover leaves."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.geometry.lattice.paths import line, shifted


def plaquette(links: Complex[Tensor, "batch d *shape n n"], mu: int, nu: int) -> Complex[Tensor, "batch *shape n n"]:
    """Return U_mu(x) U_nu(x + mu) U_mu(x + nu)^+ U_nu(x)^+."""
    return rectangle(links, mu, nu, 1, 1)


def rectangle(
    links: Complex[Tensor, "batch d *shape n n"], mu: int, nu: int, r: int, t: int
) -> Complex[Tensor, "batch *shape n n"]:
    """Return the loop from x: r links along mu, t along nu, and back in the same order."""
    along_mu, along_nu = line(links, mu, r), line(links, nu, t)
    there = along_mu @ shifted(along_nu, mu, r)
    back = along_nu @ shifted(along_mu, nu, t)
    return there @ back.mH


def polyakov(links: Complex[Tensor, "batch d *shape n n"], mu: int) -> Complex[Tensor, "batch *shape n n"]:
    """Return the loop from x once around the axis mu."""
    return line(links, mu, links.shape[2 + mu])


def staples(links: Complex[Tensor, "batch d *shape n n"], mu: int) -> Complex[Tensor, "batch *shape n n"]:
    """Return A_mu(x), the sum of the 2 (d - 1) paths from x + mu to x: U A is the sum of plaquettes with the link U.

    A = sum_nu U_nu(x + mu) U_mu(x + nu)^+ U_nu(x)^+ + U_nu(x + mu - nu)^+ U_mu(x - nu)^+ U_nu(x - nu).
    """
    u, total = links[:, mu], torch.zeros_like(links[:, mu])
    for nu in range(links.shape[1]):
        if nu == mu:
            continue
        v = links[:, nu]
        across = shifted(v, mu, 1)
        total = total + across @ (v @ shifted(u, nu, 1)).mH
        total = total + shifted((u @ across).mH @ v, nu, -1)
    return total


def clover(links: Complex[Tensor, "batch d *shape n n"], mu: int, nu: int) -> Complex[Tensor, "batch *shape n n"]:
    """Return the sum of the four plaquettes around x in the plane (mu, nu), of equal orientation, starting at x.

    The other three are P_{mu nu}, transported to x from x - mu, x - nu and x - mu - nu.
    """
    first = plaquette(links, mu, nu)
    back_mu, back_nu = line(links, mu, -1), line(links, nu, -1)
    corner = back_mu @ shifted(back_nu, mu, -1)
    total = first
    for transporter, p in (
        (back_mu, shifted(first, mu, -1)),
        (back_nu, shifted(first, nu, -1)),
        (corner, shifted(shifted(first, mu, -1), nu, -1)),
    ):
        total = total + transporter @ p @ transporter.mH
    return total


def mean_trace(m: Complex[Tensor, "*batch n n"]) -> Complex[Tensor, "*batch"]:
    """Return tr m / N."""
    return m.diagonal(dim1=-2, dim2=-1).mean(-1)


def plane_pairs(d: int) -> list[tuple[int, int]]:
    """Return the planes mu < nu."""
    return [(mu, nu) for mu in range(d) for nu in range(mu + 1, d)]


def mean_plaquette(links: Complex[Tensor, "batch d *shape n n"]) -> Float[Tensor, "batch"]:
    """Return Re tr P / N, averaged over all plaquettes of each configuration."""
    pairs = plane_pairs(links.shape[1])
    values = [mean_trace(plaquette(links, mu, nu)).real.flatten(1).mean(1) for mu, nu in pairs]
    return torch.stack(values).mean(0)


__all__ = [
    "clover",
    "mean_plaquette",
    "mean_trace",
    "plane_pairs",
    "plaquette",
    "polyakov",
    "rectangle",
    "staples",
]
