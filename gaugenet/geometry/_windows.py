"""Local exact geodesics in compiled code: windows of straight lines, unfolded across faces, from every source vertex.

A *window* is a wedge of rays that leave a (pseudo-)source and cross one edge; the faces crossed so far lie unfolded in the
plane, the source at the origin. Following windows to the next face reaches its far corner along a straight line, and splits
the wedge there (Chen and Han 1990, *Shortest paths on a polyhedron*). A window that cannot give a shorter path to any
point of its edge than a path already known is dropped (Xin and Wang 2009, *Improving Chen and Han's algorithm*).
Vertices with more than a full turn of angle, and boundary vertices, cast shadows: they become pseudo-sources in the order of
their distance, once no window is left.
"""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from numba import njit

from gaugenet.geometry.halfedge import _next, _previous

TURN = 2 * np.pi
TOUCH = 1e-10  # rays that pass a vertex this closely (relative) hit it
SADDLE = 1e-9  # vertices within this angle of casting a shadow cast one, so that a straight line through them is found

# columns of the window table: edge end on the right, edge end on the left, right ray, left ray
# columns of the vertex table: distance; arrival point; a second point of the arrival face
# columns of the root table: angle of the x axis at the (pseudo-)source; distance of that source


@njit(cache=True, nogil=True)
def _grown(table):
    wider = np.empty((2 * table.shape[0], table.shape[1]), dtype=table.dtype)
    wider[: table.shape[0]] = table
    return wider


@njit(cache=True, nogil=True)
def _useful(ax, ay, bx, by, rx, ry, lx, ly, sigma, da, db, dc, apex_left, length, limit):
    """Whether the window between the rays r and l on the edge a (right) to b (left) may still shorten a path.

    `da`, `db` are the distances known at the edge's ends, `dc` at the vertex opposite in the face just left, which lies to
    the left of the rays if `apex_left` (the rays came in across the edge from a to it), else to their right.
    """
    ex, ey = bx - ax, by - ay
    cross_r, cross_l = rx * ey - ry * ex, lx * ey - ly * ex
    if cross_r <= 0 or cross_l <= 0:
        return False
    s = min(max((ax * ry - ay * rx) / cross_r, 0.0), 1.0)
    t = min(max((ax * ly - ay * lx) / cross_l, 0.0), 1.0)
    px, py = ax + s * ex, ay + s * ey
    qx, qy = ax + t * ex, ay + t * ey
    near, far = np.sqrt(px * px + py * py), np.sqrt(qx * qx + qy * qy)
    if sigma + far > da + t * length + TOUCH * limit:
        return False
    if sigma + near > db + (1 - s) * length + TOUCH * limit:
        return False
    foot = -(ax * ex + ay * ey) / (length * length)
    closest = near
    if foot >= t:
        closest = far
    elif foot > s:
        closest = (ax * ey - ay * ex) / length
    return sigma + closest < limit


@njit(cache=True, nogil=True)
def geodesics_from(source, limit, origin, twin, shape, first, total, boundary, slot_of, work, max_windows):
    """All vertices within the distance `limit` of `source`.

    Args:
        slot_of: per vertex, -1 everywhere; the caller must reset the entries of the vertices found.
        work: tables `(vertex_id, vertex_half, vertex_root, vertex, root_slot, root, window_half, window_root, window)`.

    Returns:
        The number of vertices found (the source is the first), or -1 when more than `max_windows` were needed; and the
        tables, which may have grown.
    """
    vertex_int, vertex, root_slot, root, window_int, window = work
    vertex_int[0, 0], vertex_int[0, 1], vertex_int[0, 2], vertex_int[0, 3] = source, -1, -1, 1
    vertex[0, 0] = 0.0
    slot_of[source] = 0
    count, num_roots, head, tail = 1, 0, 0, 0
    emitter, emitter_back, emitter_slot = source, 0.0, 0
    while True:
        # --- rays from the source or a pseudo-source into the faces around it
        sigma = vertex[emitter_slot, 0]
        full = total[emitter]
        h = first[emitter]
        start = h
        while h >= 0:
            u, v, length, angle = shape[h, 0], shape[h, 1], shape[h, 2], shape[h, 3]
            opening = np.arctan2(v, u)
            low, high = 0.0, opening
            turned = angle - emitter_back
            if emitter_slot > 0:
                if boundary[emitter]:
                    if turned + opening >= np.pi - SADDLE:
                        low = max(low, np.pi - turned)
                    else:
                        high = min(high, -np.pi - turned)
                else:
                    if turned < 0:
                        turned += full
                    low, high = max(low, np.pi - turned), min(high, full - np.pi - turned)
            outgoing = _previous(h)
            last = twin[outgoing] < 0
            if high - low > -SADDLE:
                if num_roots + 1 >= root.shape[0]:
                    root, root_slot = _grown(root), _grown(root_slot)
                root_slot[num_roots, 0] = emitter_slot
                root[num_roots, 0], root[num_roots, 1] = angle, sigma
                # the edges themselves
                for end in range(2):
                    if end == 0:
                        if low > SADDLE:
                            continue
                        x, y = length, 0.0
                        far, back = origin[_next(h)], twin[h]
                    else:
                        if not last or high < opening - SADDLE:
                            continue
                        x, y = u * length, v * length
                        far, back = origin[outgoing], outgoing
                    distance = sigma + np.sqrt(x * x + y * y)
                    if distance < limit:
                        slot = slot_of[far]
                        if slot < 0:
                            slot = count
                            slot_of[far] = slot
                            count += 1
                            if count >= vertex.shape[0]:
                                vertex, vertex_int = _grown(vertex), _grown(vertex_int)
                            vertex[slot, 0] = np.inf
                            vertex_int[slot, 0], vertex_int[slot, 3] = far, 0
                        if distance < vertex[slot, 0] - TOUCH * limit:
                            vertex[slot, 0], vertex[slot, 1], vertex[slot, 2] = distance, x, y
                            vertex[slot, 3], vertex[slot, 4] = 0.0, 0.0
                            vertex_int[slot, 1], vertex_int[slot, 2] = back, num_roots
                across = twin[_next(h)]
                if high - low > TOUCH and across >= 0:
                    if tail >= window.shape[0]:
                        window, window_int = _grown(window), _grown(window_int)
                    window[tail, 0], window[tail, 1] = length, 0.0
                    window[tail, 2], window[tail, 3] = u * length, v * length
                    window[tail, 4], window[tail, 5] = np.cos(low), np.sin(low)
                    window[tail, 6], window[tail, 7] = np.cos(high), np.sin(high)
                    if low == 0.0:
                        window[tail, 4], window[tail, 5] = length, 0.0
                    if high == opening:
                        window[tail, 6], window[tail, 7] = u * length, v * length
                    window_int[tail, 0], window_int[tail, 1] = across, num_roots
                    tail += 1
                num_roots += 1
            h = twin[outgoing]
            if h == start:
                break
        # --- follow the windows
        while head < tail:
            if tail > max_windows:
                return -1, (vertex_int, vertex, root_slot, root, window_int, window)
            t, r = window_int[head, 0], window_int[head, 1]
            ax, ay, bx, by = window[head, 0], window[head, 1], window[head, 2], window[head, 3]
            rx, ry, lx, ly = window[head, 4], window[head, 5], window[head, 6], window[head, 7]
            head += 1
            sigma = root[r, 1]
            u, v = shape[t, 0], shape[t, 1]
            ex, ey = ax - bx, ay - by
            x, y = bx + u * ex - v * ey, by + u * ey + v * ex
            right_half, left_half = _next(t), _previous(t)
            far = origin[left_half]
            norm = np.sqrt(x * x + y * y)
            left_of_right = rx * y - ry * x
            right_of_left = x * ly - y * lx
            touch = TOUCH * norm
            slot = slot_of[far]
            if (
                left_of_right >= -touch * (abs(rx) + abs(ry))
                and right_of_left >= -touch * (abs(lx) + abs(ly))
                and sigma + norm < limit
            ):
                if slot < 0:
                    slot = count
                    slot_of[far] = slot
                    count += 1
                    if count >= vertex.shape[0]:
                        vertex, vertex_int = _grown(vertex), _grown(vertex_int)
                    vertex[slot, 0] = np.inf
                    vertex_int[slot, 0], vertex_int[slot, 3] = far, 0
                if sigma + norm < vertex[slot, 0] - TOUCH * limit:
                    vertex[slot, 0], vertex[slot, 1], vertex[slot, 2] = sigma + norm, x, y
                    vertex[slot, 3], vertex[slot, 4] = bx, by
                    vertex_int[slot, 1], vertex_int[slot, 2] = left_half, r
            known = vertex[slot, 0] if slot >= 0 else np.inf
            slot = slot_of[origin[t]]
            known_b = vertex[slot, 0] if slot >= 0 else np.inf
            slot = slot_of[origin[right_half]]
            known_a = vertex[slot, 0] if slot >= 0 else np.inf
            if tail + 2 >= window.shape[0]:
                window, window_int = _grown(window), _grown(window_int)
            across = twin[right_half]
            if across >= 0 and left_of_right > 0:
                qx, qy = (x, y) if right_of_left > 0 else (lx, ly)
                if _useful(
                    ax, ay, x, y, rx, ry, qx, qy, sigma, known_a, known, known_b, True, shape[right_half, 2], limit
                ):
                    window[tail, 0], window[tail, 1], window[tail, 2], window[tail, 3] = ax, ay, x, y
                    window[tail, 4], window[tail, 5], window[tail, 6], window[tail, 7] = rx, ry, qx, qy
                    window_int[tail, 0], window_int[tail, 1] = across, r
                    tail += 1
            across = twin[left_half]
            if across >= 0 and right_of_left > 0:
                qx, qy = (x, y) if left_of_right > 0 else (rx, ry)
                if _useful(
                    x, y, bx, by, qx, qy, lx, ly, sigma, known, known_b, known_a, False, shape[left_half, 2], limit
                ):
                    window[tail, 0], window[tail, 1], window[tail, 2], window[tail, 3] = x, y, bx, by
                    window[tail, 4], window[tail, 5], window[tail, 6], window[tail, 7] = qx, qy, lx, ly
                    window_int[tail, 0], window_int[tail, 1] = across, r
                    tail += 1
        head, tail = 0, 0
        # --- the nearest vertex that casts a shadow and has not been a pseudo-source
        nearest, emitter_slot = np.inf, -1
        for slot in range(1, count):
            if vertex_int[slot, 3] == 0 and vertex[slot, 0] < nearest:
                c = vertex_int[slot, 0]
                if total[c] > (np.pi - SADDLE if boundary[c] else TURN + SADDLE):
                    nearest, emitter_slot = vertex[slot, 0], slot
                else:
                    vertex_int[slot, 3] = 1
        if emitter_slot < 0:
            return count, (vertex_int, vertex, root_slot, root, window_int, window)
        vertex_int[emitter_slot, 3] = 1
        emitter = vertex_int[emitter_slot, 0]
        emitter_back = arrival_angle(vertex_int, vertex, emitter_slot, shape, total)


@njit(cache=True, nogil=True)
def arrival_angle(vertex_int, vertex, slot, shape, total):
    """Angle at the vertex, not rescaled, of the direction back along its geodesic."""
    back = vertex_int[slot, 1]
    if back < 0:
        return total[vertex_int[slot, 0]]
    x, y = vertex[slot, 1], vertex[slot, 2]
    ex, ey = vertex[slot, 3] - x, vertex[slot, 4] - y
    return shape[back, 3] + np.arctan2(ey * x - ex * y, -ex * x - ey * y)


@njit(cache=True, nogil=True)
def local_geodesics(
    sources,
    limit,
    wanted,
    max_neighbors,
    max_windows,
    num_base,
    origin,
    twin,
    shape,
    first,
    total,
    scale,
    reference,
    boundary,
):
    """Geodesics from each source to all wanted vertices within `limit`; see `local_log_maps`.

    Returns:
        counts per source, neighbours, columns `(distance, angle, transport)`, signs, and the source that needed
        more than `max_windows` windows (or -1).
    """
    slot_of = np.full(len(first), -1, dtype=np.int32)
    work = (
        np.empty((256, 4), dtype=np.int32),
        np.empty((256, 5)),
        np.empty((64, 1), dtype=np.int32),
        np.empty((64, 2)),
        np.empty((1024, 2), dtype=np.int32),
        np.empty((1024, 8)),
    )
    polar = np.empty((256, 2))
    counts = np.zeros(len(sources), dtype=np.int64)
    neighbor = np.empty((40 * len(sources) + 256, 2), dtype=np.int32)
    geodesic = np.empty((40 * len(sources) + 256, 3))
    size = 0
    for i in range(len(sources)):
        count, work = geodesics_from(
            sources[i], limit, origin, twin, shape, first, total, boundary, slot_of, work, max_windows
        )
        vertex_int, vertex, root_slot, root = work[0], work[1], work[2], work[3]
        if count < 0:
            return counts, neighbor[:size], geodesic[:size], sources[i]
        if polar.shape[0] < vertex.shape[0]:
            polar = np.empty((vertex.shape[0], 2))
        finish_paths(count, polar, vertex_int, vertex, root_slot, root, shape, total, scale, reference)
        chosen = np.empty(count, dtype=np.int32)
        num = 0
        for slot in range(1, count):
            v = vertex_int[slot, 0]
            base = v if v < num_base else v - num_base
            if base == sources[i] or not wanted[base]:
                continue
            if len(first) > num_base:
                other = slot_of[v + num_base if v < num_base else base]
                if other >= 0 and (vertex[other, 0], other) < (vertex[slot, 0], slot):
                    continue
            chosen[num] = slot
            num += 1
        if 0 < max_neighbors < num:
            order = np.argsort(vertex[chosen[:num], 0], kind="mergesort")
            chosen = np.sort(chosen[:num][order[:max_neighbors]])
            num = max_neighbors
        while size + num > neighbor.shape[0]:
            neighbor, geodesic = _grown(neighbor), _grown(geodesic)
        for j in range(num):
            slot = chosen[j]
            v = vertex_int[slot, 0]
            neighbor[size, 0] = v if v < num_base else v - num_base
            neighbor[size, 1] = 1 if v < num_base else -1
            geodesic[size, 0] = vertex[slot, 0]
            geodesic[size, 1], geodesic[size, 2] = polar[slot, 0], polar[slot, 1]
            size += 1
        counts[i] = num
        for slot in range(count):
            slot_of[vertex_int[slot, 0]] = -1
    return counts, neighbor[:size], geodesic[:size], -1


@njit(cache=True, nogil=True)
def finish_paths(count, polar, vertex_int, vertex, root_slot, root, shape, total, scale, reference):
    """Polar angle at the source and transport angle from the vertex to the source, along each geodesic."""
    source = vertex_int[0, 0]
    polar[0, 0], polar[0, 1] = 0.0, 0.0
    done = 0
    for slot in range(count):
        vertex_int[slot, 3] = 0
    vertex_int[0, 3] = 1
    for slot in range(1, count):
        # walk down to the last vertex of the path that is finished, then back up
        while vertex_int[slot, 3] == 0:
            at = slot
            while vertex_int[root_slot[vertex_int[at, 2], 0], 3] == 0:
                at = root_slot[vertex_int[at, 2], 0]
            r = vertex_int[at, 2]
            base = root_slot[r, 0]
            via = vertex_int[base, 0]
            here = vertex_int[at, 0]
            leave = scale[via] * (root[r, 0] + np.arctan2(vertex[at, 2], vertex[at, 1]) - reference[via])
            back = scale[here] * (arrival_angle(vertex_int, vertex, at, shape, total) - reference[here])
            turn = leave + np.pi - back
            polar[at, 0] = leave if base == 0 else polar[base, 0]
            polar[at, 1] = turn + polar[base, 1]
            vertex_int[at, 3] = 1
            done += 1
    return done
