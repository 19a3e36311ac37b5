"""Logarithmic maps and transporters in frames: polar angles become vectors and matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.log_map import LocalLogMaps


@dataclass(frozen=True)
class PlanarFrames:
    """Orthonormal frames of the tangent planes, relative to the polar angles of a surface.

    Attributes:
        angle: `(V,)`, polar angle of the first axis.
        sign: `(V,)`, 1 where the second axis is a quarter rotation counter-clockwise from the first, else -1.
    """

    angle: Float[ndarray, "vertices"]
    sign: Float[ndarray, "vertices"]


def log_vectors(maps: LocalLogMaps, frames: PlanarFrames, dtype: np.dtype) -> Float[ndarray, "edges 2"]:
    """Return logarithmic maps in frames.

    These are the coordinates, in the target's frame, of the vector toward the source. Its length is the geodesic
    distance.
    """
    log_map = np.empty((len(maps.source), 2), dtype=dtype)
    _fill_log_maps(maps.indptr, maps.targets, maps.distance, maps.angle, frames.angle, frames.sign, log_map)
    return log_map


def transporters(maps: LocalLogMaps, frames: PlanarFrames, dtype: np.dtype) -> Float[ndarray, "edges 2 2"]:
    """Return the Levi-Civita transporters of coefficients in the source's frame to the target's frame.

    In polar angles, transport is the rotation by `maps.transport`, after the reflection `diag(1, -1)` where the path
    reverses the local orientation. The matrices are orthogonal up to rounding in `dtype`.
    """
    matrix = np.empty((len(maps.source), 2, 2), dtype=dtype)
    _fill_transporters(
        maps.indptr, maps.targets, maps.source, maps.transport, maps.sign, frames.angle, frames.sign, matrix
    )
    return matrix


# Compiled, because array operations would make several temporary arrays for each line.
@njit(cache=True, nogil=True)
def _fill_log_maps(
    indptr: ndarray, targets: ndarray, distance: ndarray, angle: ndarray, axis: ndarray, hand: ndarray, log_map: ndarray
) -> None:
    for i in range(len(targets)):
        p = targets[i]
        for e in range(indptr[i], indptr[i + 1]):
            toward = angle[e] - axis[p]
            log_map[e, 0] = distance[e] * np.cos(toward)
            log_map[e, 1] = hand[p] * distance[e] * np.sin(toward)


@njit(cache=True, nogil=True)
def _fill_transporters(
    indptr: ndarray, targets: ndarray, source: ndarray, transport: ndarray, sign: ndarray,
    axis: ndarray, hand: ndarray, matrix: ndarray,
) -> None:  # fmt: skip
    for i in range(len(targets)):
        p = targets[i]
        for e in range(indptr[i], indptr[i + 1]):
            q = source[e]
            rotation = transport[e] - axis[p] + sign[e] * axis[q]
            c, s = np.cos(rotation), np.sin(rotation)
            matrix[e, 0, 0], matrix[e, 0, 1] = c, -s * sign[e] * hand[q]
            matrix[e, 1, 0], matrix[e, 1, 1] = hand[p] * s, hand[p] * c * sign[e] * hand[q]


def neighborhood_weights(
    indptr: Int[ndarray, "targets_plus_one"],
    source: Int[ndarray, "edges"],
    own: Float[ndarray, "targets"],
    area: Float[ndarray, "points"],
    dtype: Any = np.float64,
) -> Float[ndarray, "edges"]:
    """Return the area of the source's dual cell over the area of the neighbourhood, which includes the target's cell.

    Args:
        indptr: the edges of target `i` are `indptr[i]:indptr[i + 1]`.
        source: the source of each edge.
        own: area of each target.
        area: area of each possible source.
        dtype: of the result.
    """
    weight = np.empty(len(source), dtype=dtype)
    _fill_weights(indptr, source, own, area, weight)
    return typed_array(weight)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_weights(indptr: ndarray, source: ndarray, own: ndarray, area: ndarray, weight: ndarray) -> None:
    for i in range(len(own)):
        whole = own[i]
        for e in range(indptr[i], indptr[i + 1]):
            whole += area[source[e]]
        for e in range(indptr[i], indptr[i + 1]):
            weight[e] = area[source[e]] / whole
