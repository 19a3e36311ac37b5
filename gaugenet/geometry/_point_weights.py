"""Masses of points in flat space, and quadrature weights of their edges; differentiable in the positions."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.geometry.cell import PeriodicCell

AreaRule = Literal["uniform", "density"]
_DENSITY_NEIGHBORS = 8
_CUTOFF_POWER = 6


def areas(mass: float | Tensor, count: int) -> Float[Tensor, "points"]:
    """Return the masses of a user, one for each point; raise `ValueError` unless they are positive."""
    mass = torch.as_tensor(mass).to("cpu", torch.float64)
    mass = mass.expand(count) if mass.dim() == 0 else mass
    if tuple(mass.shape) != (count,) or not bool((mass.isfinite() & (mass > 0)).all()):
        raise ValueError(f"Expected `mass` as one positive number or of shape ({count},), got {tuple(mass.shape)}.")
    return mass


def volumes(
    mass: str,
    pos: Float[Tensor, "points d"],
    cell: PeriodicCell | None,
    target: Int[Tensor, "edges"],
    radius: Float[Tensor, ""],
    weight: str,
) -> Float[Tensor, "points"]:
    """Return the volume that each point represents, estimated from the cloud."""
    count, d = pos.shape
    if mass not in ("uniform", "density"):
        raise ValueError(f"Expected `mass` 'uniform', 'density', a number or a tensor, got {mass!r}.")
    volume = None if cell is None else cell.volume
    if weight == "smooth" and (mass == "density" or volume is None):
        raise ValueError(
            f"Expected `mass` as a number (the mean volume of a point) with weight='smooth', got {mass!r}: a mass "
            "computed from neighbours jumps when one of them crosses the radius."
        )
    if mass == "uniform":
        each = _ball_volume(d, radius) / (1 + len(target) / count) if volume is None else volume / count
        return each.expand(count)
    return _density(pos, cell)


def _density(pos: Tensor, cell: PeriodicCell | None) -> Float[Tensor, "points"]:
    """Return the volume of the ball up to the eighth neighbour, divided by eight."""
    from gaugenet.geometry._neighbors import Search

    count, d = pos.shape
    k = _DENSITY_NEIGHBORS if cell is not None else min(_DENSITY_NEIGHBORS, count - 1)
    if k < 1:
        return torch.ones(count, dtype=torch.float64)
    nearest = Search(neighbors=k).edges(pos, cell).vectors(pos, cell)
    distance = torch.linalg.vector_norm(nearest, dim=1).view(count, k).amax(1)
    return _ball_volume(d, distance) / k


def weights(
    kind: str,
    vector: Float[Tensor, "edges d"],
    mass: Float[Tensor, "points"],
    source: Int[Tensor, "edges"],
    target: Int[Tensor, "edges"],
    radius: Float[Tensor, ""],
) -> Float[Tensor, "edges"]:
    """Return the weight of each edge, see `PointCloud.gauge_graph`."""
    if kind == "quadrature":
        whole = mass.index_add(0, target, mass[source])
        return mass[source] / whole[target]
    if kind != "smooth":
        raise ValueError(f"Expected `weight` 'quadrature' or 'smooth', got {kind!r}.")
    length = torch.linalg.vector_norm(vector, dim=1)
    return mass[source] / _ball_volume(vector.shape[1], radius) * cutoff(length / radius)


def cutoff(r: Float[Tensor, "*edges"]) -> Float[Tensor, "*edges"]:
    """Return 1 - 28 r^6 + 48 r^7 - 21 r^8 inside the unit ball and 0 outside: twice differentiable everywhere.

    The polynomial envelope of :cite:`gasteiger2020directional`, Eq. 8 with p = 6.
    """
    p = _CUTOFF_POWER
    r = r.clamp(max=1.0)
    return 1 - r**p * ((p + 1) * (p + 2) / 2 - p * (p + 2) * r + p * (p + 1) / 2 * r**2)


def _ball_volume(d: int, radius: Float[Tensor, "*count"]) -> Float[Tensor, "*count"]:
    """Return the volume of balls in R^d."""
    volume: Tensor = math.pi ** (d / 2) / math.gamma(d / 2 + 1) * radius**d
    return volume


__all__ = ["AreaRule", "areas", "cutoff", "volumes", "weights"]
