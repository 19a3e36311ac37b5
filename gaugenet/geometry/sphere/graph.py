"""The gauge graph of points of the unit sphere: great circles, in given frames."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._validation import positive_number
from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.geometry.manifolds.candidates import Pairs, within
from gaugenet.geometry.manifolds.graph import frames_of, in_frames
from gaugenet.geometry.manifolds.sphere import Sphere
from gaugenet.geometry.mesh.transport import neighborhood_weights

_TIES = 1 + 1e-9
"""Points at the distance of the last neighbour, up to rounding, are neighbours too, to keep symmetries of a grid."""


def sphere_graph(
    pos: Float[Tensor, "points 3"],
    frame: Float[Tensor, "points 3 2"],
    area: Float[Tensor, "points"],
    *,
    radius: float | None,
    neighbors: int | None,
    dtype: torch.dtype,
) -> GaugeGraph:
    """Return the neighbours within `radius` radians, or the nearest ones, see `SphereDomain.gauge_graph`.

    Raises:
        ValueError: If the radius is not below pi, a point has no neighbour, or neighbours have the same position.
    """
    target, source = _within(pos, radius) if neighbors is None else _nearest(pos, neighbors)
    _check_everyone_has_a_neighbor(target, len(pos), radius)
    p, q = torch.from_numpy(target), torch.from_numpy(source)
    log_map, transporter = in_frames(Sphere(), pos, frames_of(Sphere(), pos, frame), q, p)
    length = torch.linalg.vector_norm(log_map, dim=1)
    if float(length.min()) < 1e-12:
        raise ValueError("Expected points in different places, got two neighbours with the same position: merge them.")
    starts, mass = np.searchsorted(target, np.arange(len(pos) + 1)), area.numpy()
    longest = float(length.max()) if radius is None else radius
    return GaugeGraph(
        edge_index=torch.stack([q, p]),
        log_map=log_map.to(dtype),
        transporter=transporter.to(dtype),
        weight=torch.from_numpy(neighborhood_weights(starts, source, mass, mass)).to(dtype),
        frame=frame.to(dtype),
        pos=pos.to(dtype),
        mass=area.to(dtype),
        radius=torch.tensor([longest], dtype=dtype),
        structure="SO(2)",
    )


def _within(pos: Tensor, radius: float | None) -> Pairs:
    radius = positive_number("radius", math.nan if radius is None else radius)
    if radius >= math.pi:
        raise ValueError(f"Expected `radius` in radians below pi, got {radius}.")
    chord = 2 * math.sin(min(radius * _TIES, math.pi) / 2)
    return within(pos, torch.full((len(pos),), chord, dtype=torch.float64))


def _nearest(pos: Tensor, neighbors: int) -> Pairs:
    from scipy.spatial import cKDTree

    distance = cKDTree(pos.numpy()).query(pos.numpy(), k=[neighbors + 1])[0][:, 0]
    return within(pos, torch.from_numpy(distance * _TIES))


def _check_everyone_has_a_neighbor(target: np.ndarray, count: int, radius: float | None) -> None:
    alone = count - len(np.unique(target))
    if alone:
        raise ValueError(
            f"{alone} of {count} points have no neighbour within {radius} radians: use a larger `radius`, or "
            "`neighbors=...`, the nearest points at any distance."
        )


__all__ = ["sphere_graph"]
