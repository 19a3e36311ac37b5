"""From unfolded straight lines to directions and transport, with the curvature of vertices spread over their cells.

A polyhedron is flat except at its vertices, so a straight line passes each vertex on one side and has all of its
angle defect there. On the surface that the mesh samples, the curvature is spread out and only part of it is on
that side. To first order the difference is explicit: spread the defect `k` of a vertex evenly over a disc of radius
`s` about it. With the vertex at `(0, d)` in coordinates along and across the path, the line must bend away from the
defect by

    dk = k / (2 pi) * (d / r^2 - d / s^2) dx,    r^2 = x^2 + d^2 < s^2

per length `dx`. This rotates the transport along the line by the integral of `dk` over the path. It rotates the initial
direction by the integral of `dk` times the remaining fraction of the path, since the end is fixed.

Compiled together with `_windows`, whose tables these functions read (columns: see `Search`): they run once for every
path and follow its windows back to the source, a loop of unknown length.
"""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gaugenet._compiled import njit
from gaugenet.geometry.mesh._tables import Found, Search
from gaugenet.geometry.mesh._windows import FULL_ANGLE, SAME, emit, follow, next_source
from gaugenet.geometry.mesh.halfedge import HalfedgeArrays, _next
from gaugenet.geometry.mesh.marks import QUANTUM

DONE, NO_ROOM, NO_ROWS, CROWDED = 0, 1, 2, 3
"""Why `local_geodesics` returns."""


@njit(cache=True, nogil=True, borrowed=True, inline="always")
def _begin(search: Search, source: int, stop: int) -> None:
    for k in range(len(search.size)):
        search.size[k] = 0
    search.size[0], search.size[6] = 1, stop
    search.slot_of[source] = 0
    search.state[0, 0], search.state[0, 4] = source, 1
    for k in range(search.path.shape[1]):
        search.path[0, k] = 0.0


@njit(cache=True, nogil=True, borrowed=True)
def _advance(t: HalfedgeArrays, search: Search, limit: float) -> bool:
    """Run the search to its end. Return False at full tables, or at the number of windows at which to stop."""
    size, state = search.size, search.state
    margin = 2 * t.max_degree
    while follow(t, search, limit):
        if (
            size[0] + margin > len(state)
            or size[1] + margin > len(search.root)
            or size[3] + margin > len(search.window)
        ):
            return False
        slot = next_source(t, search, limit)
        if slot < 0:
            one = np.int64(1)  # with the literal, numba would compile the function again
            _finish(t, search, one, size[0])  # type: ignore[arg-type]
            return True
        back = 0.0
        if slot > 0:
            back = _finish(t, search, slot, slot + 1)
            if search.path[slot, 0] + t.star_radius[state[slot, 0]] >= limit:
                continue
        emit(t, search, slot, back, limit)
    return False


@njit(cache=True, nogil=True, borrowed=True)
def _finish(t: HalfedgeArrays, search: Search, start: int, stop: int) -> float:
    """Compute the polar angle at the source and the transport angle to it, for the rows `start` to `stop - 1`.

    The vertices through which these paths run must be finished.

    Returns:
        The angle at the last vertex, not rescaled, of the direction back along its path.
    """
    state, path, root, root_ray = (search.state, search.path, search.root, search.root_ray)
    window, wedge = search.window, search.wedge
    shape, total_angle, scale, reference, boundary = (t.shape, t.total_angle, t.scale, t.reference, t.boundary)
    origin, charge, spread = t.origin, t.charge, t.spread
    raw = 0.0
    for slot in range(start, stop):
        if state[slot, 4] != 0:
            continue
        state[slot, 4] = 1
        vertex, arrival, r = state[slot, 0], state[slot, 1], state[slot, 2]
        x, y = path[slot, 1], path[slot, 2]
        base = root[r]
        via = state[base, 0]
        raw = total_angle[vertex]
        if arrival >= 0:
            ex, ey = path[slot, 3] - x, path[slot, 4] - y
            raw = shape[arrival, 3] + np.arctan2(ey * x - ex * y, -ex * x - ey * y)
        leave = scale[via] * (root_ray[r, 0] + np.arctan2(y, x) - reference[via])
        transport = leave + np.pi - scale[vertex] * (raw - reference[vertex])
        if state[slot, 3] >= 0:
            aim, swing = _spread_curvature(origin, charge, spread, window, wedge, state[slot, 3], x, y)
            leave, transport = leave + aim, transport + swing
        state[slot, 5] = 0
        arrive, length = leave, path[slot, 0]
        if base > 0:
            transport += path[base, 6]
            arrive, length = leave + path[base, 6], np.sqrt(x * x + y * y)
            if not boundary[via]:
                arrive, length = _added(path[base, 8], path[base, 7], length, arrive)
            bent = boundary[via] or state[base, 5] != 0
            leave = path[base, 5] if bent else arrive
            state[slot, 5] = 1 if bent else 0
        path[slot, 5], path[slot, 6], path[slot, 7], path[slot, 8] = leave, transport, arrive, length
    return float(raw)


@njit(cache=True, nogil=True, borrowed=True)
def _added(before: float, direction: float, after: float, onward: float) -> tuple[float, float]:
    """Return direction and length of the sum of two vectors: the path so far and its straight part behind a vertex.

    The bend at an interior vertex is the vertex's negative curvature at one point. If it is spread out, the path is
    straight. Only the sum of all parts, not of two at a time, is the same vector from either end. Around a boundary
    vertex paths do bend, so sums begin again there.
    """
    bend = onward - direction
    along, across = before + after * np.cos(bend), after * np.sin(bend)
    return direction + np.arctan2(across, along), np.sqrt(along * along + across * across)


@njit(cache=True, nogil=True, borrowed=True)
def _spread_curvature(
    origin: ndarray, charge: ndarray, spread: ndarray, windows: ndarray, wedge: ndarray, window: int, x: float, y: float
) -> tuple[float, float]:
    """Return the rotations of initial direction and transport for the path to `(x, y)` through `window`."""
    aim, swing = 0.0, 0.0
    length = np.sqrt(x * x + y * y)
    scale = 1 / length
    x, y = x * scale, y * scale
    last_right, last_left = -1, -1
    while window >= 0:
        enter = windows[window, 0]
        left, right = origin[enter], origin[_next(enter)]
        new_left = left != last_left
        side = 1 if new_left else 0  # each edge shares one end with the edge before: one vertex is new
        for _ in range(int(new_left) + int(right != last_right)):
            vertex = left if side else right
            hand = 2.0 * side - 1.0  # 1: the path passes with the vertex on its left
            px, py = wedge[window, 2 * side], wedge[window, 2 * side + 1]
            side = 0
            across, s = hand * (x * py - y * px), spread[vertex]
            if across >= s:
                continue
            along = x * px + y * py
            d = max(across, 1e-9 * s)  # a path that touches a vertex passes it on the side of its faces
            u = d / s
            root = np.sqrt(1 - u * u)
            half = s * root
            start, end = max(-half, -along), min(half, length - along)
            if end <= start:
                continue
            if end == half and start == -half:
                total, moment = 2 * (np.arccos(u) - u * root), 0.0
            else:
                seen = np.arctan2((end - start) * d, d * d + start * end)  # the angle between both ends
                total = seen - (end - start) * d / (s * s)
                ratio = (end * end + d * d) / (start * start + d * d)
                moment = 0.5 * d * (np.log(ratio) - (end * end - start * start) / (s * s))
            k = hand * charge[vertex] / FULL_ANGLE
            swing += k * total
            aim += k * (total - (total * along + moment) * scale)
        last_right, last_left = right, left
        window = windows[window, 2]
    return aim, swing


@njit(cache=True, nogil=True, borrowed=True)
def local_geodesics(
    t: HalfedgeArrays,
    search: Search,
    found: Found,
    sources: ndarray,
    stop: int,
    limit: float,
    wanted: ndarray,
    max_neighbors: int,
    windows: int,
) -> int:
    """Store the paths from the next sources, up to `stop`, to all wanted vertices within `limit`.

    Returns:
        `DONE`; `NO_ROOM` in the tables of the search, or `NO_ROWS` in those of the paths, for the next source; or
        `CROWDED` if it needs more than `windows` windows.
    """
    size = found.size
    while size[0] < stop:
        source = sources[size[0]]
        _begin(search, source, windows)
        ended = _advance(t, search, limit)
        kept = _choose(t, search, source, wanted, max_neighbors, limit) if ended else 0
        fits = size[1] + kept <= len(found.neighbor)
        if ended and fits:
            _store(t, search, found, kept)
        for slot in range(search.size[0]):
            search.slot_of[search.state[slot, 0]] = -1
        if not ended:
            return CROWDED if search.size[3] + 2 > search.size[6] else NO_ROOM
        if not fits:
            return NO_ROWS
    return DONE


@njit(cache=True, nogil=True, borrowed=True, inline="always")
def _store(t: HalfedgeArrays, search: Search, found: Found, kept: int) -> None:
    """Append the first `kept` paths of `search.order` as those of the next source."""
    row = found.size[1]
    for k in range(kept):
        slot = search.order[k, 0]
        vertex = search.state[slot, 0]
        found.neighbor[row, 0] = vertex if vertex < t.num_base else vertex - t.num_base
        found.neighbor[row, 1] = 1 if vertex < t.num_base else -1
        found.geodesic[row, 0] = search.path[slot, 0]
        for column in range(3):
            found.geodesic[row, 1 + column] = search.path[slot, 5 + column]
        row += 1
    found.paths[found.size[0]] = kept
    found.size[0] += 1
    found.size[1] = row


@njit(cache=True, nogil=True, borrowed=True)
def _choose(t: HalfedgeArrays, search: Search, source: int, wanted: ndarray, max_neighbors: int, limit: float) -> int:
    """Write the rows of the neighbours to keep into `search.order`, and return their number.

    They are the wanted ones, by the shorter path where the double cover has two, and at most the nearest
    `max_neighbors` (0: all).
    """
    order, slack = search.order, SAME * limit
    count: int = np.int64(0)  # type: ignore[assignment]  # with a literal, numba would compile `_sort` twice
    for slot in range(1, search.size[0]):
        vertex = search.state[slot, 0]
        base = vertex if vertex < t.num_base else vertex - t.num_base
        if base == source or not wanted[base]:
            continue
        if len(t.first) > t.num_base:
            other = search.slot_of[base + t.num_base if vertex < t.num_base else base]
            shorter = search.path[slot, 0] - search.path[other, 0]
            if other >= 0 and (shorter > slack or (shorter >= -slack and other < slot)):
                continue
        order[count, 0] = slot
        count += 1
    if max_neighbors == 0 or count <= max_neighbors:
        return count
    for k in range(count):
        slot = order[k, 0]
        search.key[k, 0] = np.rint(search.path[slot, 0] / (QUANTUM * limit))
        search.key[k, 1] = t.mark[search.state[slot, 0]]
    _sort(search, count)
    for k in range(count):
        search.key[order[k, 1], 0] = k  # the rank of each
    kept = 0
    for k in range(count):
        if search.key[k, 0] < max_neighbors:
            order[kept, 0] = order[k, 0]
            kept += 1
    return kept


# Shell's algorithm, with the gaps of Gonnet and Baeza-Yates: numba needs two seconds to compile its own sorts.
@njit(cache=True, nogil=True, borrowed=True)
def _sort(search: Search, count: int) -> None:
    """Write positions sorted by the first key, then by the second one, else in the given order. Lists are short."""
    order, key = search.order, search.key
    for k in range(count):
        order[k, 1] = k
    gap = count
    while gap > 1:
        gap = max(1, (5 * gap - 1) // 11)
        for i in range(gap, count):
            here, k = order[i, 1], i
            while k >= gap:
                there = order[k - gap, 1]
                if (key[there, 0], key[there, 1], there) < (key[here, 0], key[here, 1], here):
                    break
                order[k, 1] = there
                k -= gap
            order[k, 1] = here
