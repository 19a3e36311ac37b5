"""Logarithmic maps and transporters as seen from frames: polar angles become vectors and matrices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.geometry.frame_field import rotations
from gaugenet.geometry.log_map import LocalLogMaps


def log_vectors(maps: LocalLogMaps, frames: Float[ndarray, "vertices 2 2"]) -> Float[ndarray, "edges 2"]:
    """Coordinates, in the frame at the target, of the vector toward the source; length = geodesic distance.

    Args:
        frames: each vertex's frame relative to its reference frame (see `in_reference`).
    """
    vectors = maps.distance[:, None] * np.stack([np.cos(maps.angle), np.sin(maps.angle)], axis=-1)
    return np.einsum("eij,ei->ej", frames[maps.target], vectors)


def transporters(maps: LocalLogMaps, frames: Float[ndarray, "vertices 2 2"]) -> Float[ndarray, "edges 2 2"]:
    """Levi-Civita transport, coefficients in the source's frame -> coefficients in the target's frame.

    In reference frames it is the rotation by `maps.transport`, after the reflection `diag(1, -1)` where the way reverses
    the local orientation. Exactly orthogonal up to rounding.
    """
    turn = rotations(maps.transport)
    if maps.sign is not None:
        turn[:, :, 1] *= maps.sign[:, None]
    return np.swapaxes(frames[maps.target], 1, 2) @ turn @ frames[maps.source]


def neighborhood_weights(
    indptr: Int[ndarray, "targets_plus_one"], area: Float[ndarray, "edges"], own: Float[ndarray, "targets"]
) -> Float[ndarray, "edges"]:
    """Area of the source's dual cell over the area of the neighbourhood, the target's own cell included.

    Args:
        indptr: the edges of target `i` are `indptr[i]:indptr[i + 1]`.
        area: of the source of each edge.
        own: of each target.
    """
    running = np.concatenate([[0.0], np.cumsum(area)])
    whole = running[indptr[1:]] - running[indptr[:-1]] + own
    return area / np.repeat(whole, np.diff(indptr))
