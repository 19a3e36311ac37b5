"""The Wilson action, its force, and the gradient flow."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.geometry.lattice.loops import mean_trace, plane_pairs, plaquette, staples
from gaugenet.groups import UnitaryGroup


def wilson_action(links: Complex[Tensor, "batch d *shape n n"], beta: float) -> Float[Tensor, "batch"]:
    """Return beta sum_{x, mu < nu} (1 - Re tr P_{mu nu}(x) / N) (:cite:`wilson1974confinement`)."""
    planes = [1 - mean_trace(plaquette(links, mu, nu)).real for mu, nu in plane_pairs(links.shape[1])]
    return beta * torch.stack(planes, 1).flatten(1).sum(1)


def wilson_force(
    links: Complex[Tensor, "batch d *shape n n"], group: UnitaryGroup, beta: float
) -> Complex[Tensor, "batch d *shape n n"]:
    """Return F with dS = <X, F> for the variation U -> (1 + X) U of one link, in the inner product -2 tr(X F).

    F = sum_a T_a dS / dT_a = beta / (2 N) times the Lie algebra part of U A, with A the staples.
    """
    parts = [group.algebra_part(links[:, mu] @ staples(links, mu)) for mu in range(links.shape[1])]
    return torch.stack(parts, 1) * (beta / (2 * group.d))


def gradient_flow(
    links: Complex[Tensor, "batch d *shape n n"], group: UnitaryGroup, time: float, steps: int
) -> Complex[Tensor, "batch d *shape n n"]:
    """Return links smoothed by dU/dt = -F(U) U with beta = 2 N, up to the flow time in units of a^2.

    The third order Runge-Kutta scheme of :cite:`luscher2010properties`, Appendix C. It smooths over a radius of
    sqrt(2 d t).
    """
    size = time / steps

    def slope(u: Tensor) -> Tensor:
        return -size * wilson_force(u, group, 2 * group.d)

    for _ in range(steps):
        first = slope(links)
        links = group.exp(first / 4) @ links
        second = slope(links)
        links = group.exp(8 / 9 * second - 17 / 36 * first) @ links
        third = slope(links)
        links = group.exp(3 / 4 * third - 8 / 9 * second + 17 / 36 * first) @ links
    return links


__all__ = ["gradient_flow", "wilson_action", "wilson_force"]
