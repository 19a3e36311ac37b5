"""Local exact geodesics in compiled code: wedges of straight lines, unfolded across faces, from a source vertex.

A *window* is a wedge of rays that leave a source and cross one edge. The faces crossed so far are unfolded into the
plane, with the source at the origin. Following a window into the next face reaches the far corner along a straight
line, and splits the wedge there (Chen and Han 1990, *Shortest paths on a polyhedron*). A window that cannot give a
shorter path to any point of its edge than a path already known is dropped (Xin and Wang 2009, *Improving Chen and
Han's algorithm on the discrete geodesic problem*, Theorem 3.2). Vertices with more than a full rotation of angle, and
boundary vertices, cast shadows. Once no window is left, they become sources themselves, the nearest first.

Compiled, because the queue of windows is a data-dependent loop with a few operations per step, which array operations
cannot express. The records of the search are rows of tables, see `Search`.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet.geometry.mesh._tables import Search
from gaugenet.geometry.mesh.halfedge import HalfedgeArrays, _next, _previous

FULL_ANGLE = 2 * np.pi
SAME = 1e-10  # lengths that differ by less (relative to the limit) are the same; narrower windows are not followed
_SHADOW = 1e-10  # vertices this close (radians) to casting a shadow cast one, so a straight line through them is found
_TOUCH = 1e-9  # rays that pass a vertex this closely (radians) hit it; larger than the other two tolerances


# Fourteen arguments here and in `_put`, because both are inlined into the loop of `follow`, which unpacks the arrays of
# `search` once and holds the coordinates in local variables: a `Search` would be unpacked again at each window.
@njit(cache=True, nogil=True, inline="always")
def _arrive(
    state: ndarray, path: ndarray, slot_of: ndarray, count: int, vertex: int,
    distance: float, x: float, y: float, x2: float, y2: float, arrival: int, root: int, window: int, slack: float,
) -> int:  # fmt: skip
    """Store a straight line to a vertex if it is shorter than the known one; return how many vertices are known.

    Among equally short lines (within `slack`) the first is kept.
    """
    slot = slot_of[vertex]
    if slot < 0:
        slot = count
        count += 1
        slot_of[vertex] = slot
        state[slot, 0], state[slot, 4] = vertex, 0
        path[slot, 0] = np.inf
    if distance < path[slot, 0] - slack:
        state[slot, 1], state[slot, 2], state[slot, 3] = arrival, root, window
        path[slot, 0], path[slot, 1], path[slot, 2], path[slot, 3], path[slot, 4] = (distance, x, y, x2, y2)
    return count


@njit(cache=True, nogil=True, inline="always")
def _put(
    window: ndarray, wedge: ndarray, tail: int, across: int, root: int, parent: int,
    ax: float, ay: float, bx: float, by: float, rx: float, ry: float, lx: float, ly: float,
) -> int:  # fmt: skip
    """Write a window into the queue. Return the end of the queue."""
    window[tail, 0], window[tail, 1], window[tail, 2] = across, root, parent
    wedge[tail, 0], wedge[tail, 1], wedge[tail, 2], wedge[tail, 3] = ax, ay, bx, by
    wedge[tail, 4], wedge[tail, 5], wedge[tail, 6], wedge[tail, 7] = rx, ry, lx, ly
    return tail + 1


@njit(cache=True, nogil=True, borrowed=True)
def emit(t: HalfedgeArrays, search: Search, slot: int, back: float, limit: float) -> None:
    """Send rays from a source (row 0), or from another vertex into its shadow, into the faces around it.

    The tables must have room for two more entries for each of these faces.

    Args:
        t: the surface.
        search: the state around the source.
        slot: row of the vertex that sends rays.
        limit: length of the longest path to search for.
        back: angle at the vertex, not rescaled, of the direction from which its own path arrives. Straight lines
            continue in directions at least a half rotation away from it on either side.
    """
    state, path, slot_of, size = search.state, search.path, search.slot_of, search.size
    origin, twin, shape = t.origin, t.twin, t.shape
    source, sigma = state[slot, 0], path[slot, 0]
    open_fan, full, first, start = t.boundary[source], t.total_angle[source], t.first[source], t.start[source]
    count, roots, tail, slack = size[0], size[1], size[3], SAME * limit
    h = start
    while h >= 0:
        ahead, behind = _next(h), _previous(h)
        following = twin[behind]
        angle, length = shape[h, 3], shape[h, 2]
        opening = (shape[following, 3] if following >= 0 and following != first else full) - angle
        low, high = 0.0, opening
        if slot > 0:
            low, high = _shadow(angle - back, opening, full, open_fan)
        if high - low > -_SHADOW:
            search.root[roots] = slot
            search.root_ray[roots, 0], search.root_ray[roots, 1] = angle, sigma
            bx, by = shape[h, 0] * length, shape[h, 1] * length
            if low <= _SHADOW and sigma + length < limit:
                count = _arrive(
                    state, path, slot_of, count, origin[ahead],
                    sigma + length, length, 0.0, 0.0, 0.0, twin[h], roots, -1, slack,
                )  # fmt: skip
            if following < 0 and high >= opening - _SHADOW and sigma + shape[behind, 2] < limit:
                count = _arrive(
                    state, path, slot_of, count, origin[behind],
                    sigma + shape[behind, 2], bx, by, 0.0, 0.0, behind, roots, -1, slack,
                )  # fmt: skip
            if high - low > SAME and twin[ahead] >= 0:
                rx, ry, lx, ly = length, 0.0, bx, by
                if low > 0.0:
                    rx, ry = np.cos(low), np.sin(low)
                if high < opening:
                    lx, ly = np.cos(high), np.sin(high)
                tail = _put(
                    search.window, search.wedge, tail, twin[ahead], roots, -1, length, 0.0, bx, by, rx, ry, lx, ly
                )
            roots += 1
        h = following
        if h == start:
            break
    size[0], size[1], size[3] = count, roots, tail


@njit(cache=True, nogil=True, borrowed=True)
def _shadow(bend: float, opening: float, full: float, open_fan: bool) -> tuple[float, float]:
    """Return the part of a corner in the shadow of a path, as angles from the corner's right side.

    Args:
        bend: angle from the direction back along the path to the corner's right side.
        opening: angle of the corner.
        full: angle of all corners around the vertex.
        open_fan: whether the vertex lies on the boundary.
    """
    if not open_fan:
        bend += full if bend < 0 else 0.0
        return max(0.0, np.pi - bend), min(opening, full - np.pi - bend)
    if bend + opening >= np.pi - _SHADOW:
        return max(0.0, np.pi - bend), opening
    return 0.0, min(opening, -np.pi - bend)


@njit(cache=True, nogil=True, borrowed=True)
def _useful(
    ax: float, ay: float, bx: float, by: float, rx: float, ry: float, lx: float, ly: float,
    sigma: float, da: float, db: float, length: float, limit: float, slack: float,
) -> bool:  # fmt: skip
    """Return whether the window between the rays r and l on the edge from a (right) to b (left) may shorten a path.

    `da`, `db` are the distances known at the ends. If the path by way of an end is shorter even to the far side
    of the window, it is shorter to all of the window.
    """
    ex, ey = bx - ax, by - ay
    cross_r, cross_l = rx * ey - ry * ex, lx * ey - ly * ex
    if (cross_r <= 0) | (cross_l <= 0):
        return False
    s = min(max((ax * ry - ay * rx) / cross_r, 0.0), 1.0)
    t = min(max((ax * ly - ay * lx) / cross_l, 0.0), 1.0)
    px, py, qx, qy = ax + s * ex, ay + s * ey, ax + t * ex, ay + t * ey
    near, far = np.sqrt(px * px + py * py), np.sqrt(qx * qx + qy * qy)
    if (sigma + far > da + t * length + slack) | (sigma + near > db + (1 - s) * length + slack):
        return False
    if sigma + min(near, far) < limit:
        return True
    foot = -(ax * ex + ay * ey) / (length * length)  # of the perpendicular from the source: the nearest point
    return bool(s < foot < t and sigma + (ax * ey - ay * ex) / length < limit)


@njit(cache=True, nogil=True, borrowed=True)
def follow(t: HalfedgeArrays, search: Search, limit: float) -> bool:
    """Follow all windows in the queue, and the windows that they open.

    Return False when the tables are full, or at the number of windows at which to stop. Then the caller makes room and
    calls again.
    """
    slack = SAME * limit
    origin, twin, shape = t.origin, t.twin, t.shape
    slot_of, size, state, path, root_ray = (search.slot_of, search.size, search.state, search.path, search.root_ray)
    window, wedge = search.window, search.wedge
    count, w, tail, room = size[0], size[2], size[3], min(len(window), size[6])
    while w < tail:
        if tail + 2 > room or count + 1 > len(state):
            size[0], size[2], size[3] = count, w, tail
            return False
        enter, root = window[w, 0], window[w, 1]
        ax, ay, bx, by = wedge[w, 0], wedge[w, 1], wedge[w, 2], wedge[w, 3]
        rx, ry, lx, ly = wedge[w, 4], wedge[w, 5], wedge[w, 6], wedge[w, 7]
        sigma = root_ray[root, 1]
        u, v = shape[enter, 0], shape[enter, 1]
        ex, ey = ax - bx, ay - by
        x, y = bx + u * ex - v * ey, by + u * ey + v * ex
        right, left = _next(enter), _previous(enter)
        far = origin[left]
        norm = np.sqrt(x * x + y * y)
        from_right, from_left = (rx * y - ry * x, x * ly - y * lx)  # positive inside the wedge
        unit_right, unit_left = norm * (abs(rx) + abs(ry)), norm * (abs(lx) + abs(ly))
        inside = (from_right >= -_TOUCH * unit_right) & (from_left >= -_TOUCH * unit_left)
        if inside & (sigma + norm < limit):
            count = _arrive(state, path, slot_of, count, far, sigma + norm, x, y, bx, by, left, root, w, slack)
        slot = slot_of[far]
        dx = path[slot, 0] if slot >= 0 else np.inf
        if from_right > SAME * unit_right and twin[right] >= 0:
            qx, qy = (x, y) if from_left > 0 else (lx, ly)
            slot = slot_of[origin[right]]
            da = path[slot, 0] if slot >= 0 else np.inf
            if _useful(ax, ay, x, y, rx, ry, qx, qy, sigma, da, dx, shape[right, 2], limit, slack):
                tail = _put(window, wedge, tail, twin[right], root, w, ax, ay, x, y, rx, ry, qx, qy)
        if from_left > SAME * unit_left and twin[left] >= 0:
            qx, qy = (x, y) if from_right > 0 else (rx, ry)
            slot = slot_of[origin[enter]]
            db = path[slot, 0] if slot >= 0 else np.inf
            if _useful(x, y, bx, by, qx, qy, lx, ly, sigma, dx, db, shape[left, 2], limit, slack):
                tail = _put(window, wedge, tail, twin[left], root, w, x, y, bx, by, qx, qy, lx, ly)
        w += 1
    size[0], size[2], size[3] = count, w, tail
    return True


@njit(cache=True, nogil=True, borrowed=True)
def next_source(t: HalfedgeArrays, search: Search, limit: float) -> int:
    """Return the next source of rays: the source itself, then the nearest vertex whose shadow begins within `limit`.

    Returns:
        The row, or -1 when there is none left.
    """
    state, path, waiting, size = search.state, search.path, search.waiting, search.size
    if size[4] == 0:
        size[4] = 1
        return 0
    queued = size[5]
    for slot in range(size[4], size[0]):
        v = state[slot, 0]
        if t.total_angle[v] > (np.pi - _SHADOW if t.boundary[v] else FULL_ANGLE + _SHADOW):
            waiting[queued] = slot
            queued += 1
    size[4] = size[0]
    nearest, found, slack = np.inf, -1, SAME * limit
    for k in range(queued):
        slot = waiting[k]
        if path[slot, 0] < nearest - slack:
            nearest, found = path[slot, 0], k
    if found < 0:
        size[5] = 0
        return -1
    slot = waiting[found]
    waiting[found] = waiting[queued - 1]
    size[5] = queued - 1
    return int(slot)
