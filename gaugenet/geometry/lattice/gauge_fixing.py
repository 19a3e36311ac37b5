"""Gauge fixing on a maximal tree, for plots only: learned features must not depend on it."""

from __future__ import annotations

import torch
from jaxtyping import Complex
from torch import Tensor


def axial_transformation(links: Complex[Tensor, "batch d *shape n n"]) -> Complex[Tensor, "batch *shape n n"]:
    """Return Omega that makes all links of a maximal tree equal to 1.

    The tree starts at site 0 and runs along axis 0, from there along axis 1, and so on, without the links that close
    around the lattice. Two fields that differ by a gauge transformation become equal up to one constant matrix.
    """
    batch, d, *shape, n, _ = links.shape
    omega = torch.eye(n, dtype=links.dtype, device=links.device).expand(batch, n, n)
    for mu in range(d):
        step = links[:, mu]
        for _ in range(mu + 1, d):
            step = step.select(2 + mu, 0)
        values = [omega]  # Omega(x + mu) = Omega(x) U_mu(x), on the sites that the tree has reached up to the axis mu
        for i in range(shape[mu] - 1):
            values.append(values[-1] @ step.select(1 + mu, i))
        omega = torch.stack(values, 1 + mu)
    return omega


__all__ = ["axial_transformation"]
