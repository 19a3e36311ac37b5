"""Edge flips, cuts along part boundaries and relaxation of a closed triangle mesh."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Field = Callable[[np.ndarray], np.ndarray]


def edge_table(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges `(E, 2)` of a closed manifold and the two halfedges `(E, 2)` of each; halfedge `3 f + k` leaves corner k.

    Raises:
        ValueError: some edge does not have exactly two faces.
    """
    halfedges = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    ordered = np.sort(halfedges, axis=1)
    order = np.lexsort((ordered[:, 1], ordered[:, 0]))
    pairs = ordered[order]
    if len(pairs) % 2 or (pairs[::2] != pairs[1::2]).any() or (pairs[2::2] == pairs[1:-1:2]).all(axis=1).any():
        raise ValueError("The mesh is not closed and manifold: an edge without exactly two faces.")
    return pairs[::2], order.reshape(-1, 2)


def flip_edges(vertices: np.ndarray, faces: np.ndarray, *, fixed: np.ndarray | None = None) -> int:
    """Flip, in place, edges whose opposite angles exceed 180 degrees, unless a fold or a double edge would come of it.

    Args:
        vertices: `(V, 3)`.
        faces: `(F, 3)`, changed in place.
        fixed: `(F,)` labels; edges between faces of different label stay.

    Returns:
        How many were flipped.
    """
    edges, halves = edge_table(faces)
    present = {(int(a), int(b)) for a, b in edges}
    opposite = faces.reshape(-1)[(halves // 3) * 3 + (halves % 3 + 2) % 3]
    candidates = _angle_sums(vertices, edges, opposite) > np.pi + 0.02
    if fixed is not None:
        candidates &= fixed[halves[:, 0] // 3] == fixed[halves[:, 1] // 3]
    touched: set[int] = set()
    flipped = 0
    for e in np.flatnonzero(candidates):
        f, g = int(halves[e, 0]) // 3, int(halves[e, 1]) // 3
        if f in touched or g in touched:
            continue
        a, b = (int(v) for v in faces[f, [halves[e, 0] % 3, (halves[e, 0] + 1) % 3]])
        c, d = int(opposite[e, 0]), int(opposite[e, 1])
        new = (min(c, d), max(c, d))
        if new in present or not _stays_smooth(vertices, a, b, c, d):
            continue
        faces[f], faces[g] = (a, d, c), (d, b, c)
        present.discard((min(a, b), max(a, b)))
        present.add(new)
        touched.update((f, g))
        flipped += 1
    return flipped


def _angle_sums(vertices: np.ndarray, edges: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    total = np.zeros(len(edges))
    for k in range(2):
        u = vertices[edges[:, 0]] - vertices[opposite[:, k]]
        v = vertices[edges[:, 1]] - vertices[opposite[:, k]]
        total += np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), (u * v).sum(1))
    return total


def _stays_smooth(vertices: np.ndarray, a: int, b: int, c: int, d: int) -> bool:
    """Whether the triangles (a, d, c), (d, b, c) keep facing the way (a, b, c), (b, a, d) did."""
    p, q, r, s = vertices[[a, b, c, d]].tolist()
    n1, n2, m1, m2 = (np.array(_triangle_normal(*corners)) for corners in ((p, q, r), (q, p, s), (p, s, r), (s, q, r)))
    mean = n1 / np.sqrt((n1 * n1).sum()) + n2 / np.sqrt((n2 * n2).sum())
    return all((m * mean).sum() > 0.6 * np.sqrt((m * m).sum() * (mean * mean).sum()) for m in (m1, m2))


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals `(V, 3)`."""
    a, b, c = vertices[faces].swapaxes(0, 1)
    normals = _gather(np.repeat(np.cross(b - a, c - a), 3, axis=0), faces.reshape(-1), len(vertices))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _gather(values: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    return np.stack([np.bincount(index, weights=v, minlength=size) for v in values.T], axis=-1)


def relax(vertices: np.ndarray, faces: np.ndarray, *, movable: np.ndarray, rate: float = 0.5) -> np.ndarray:
    """One step of each movable vertex towards the mean of its neighbours, within its tangent plane."""
    source = faces.reshape(-1)
    target = np.roll(faces, -1, axis=1).reshape(-1)  # closed: each directed edge once
    degree = np.bincount(source, minlength=len(vertices))[:, None]
    step = _gather(vertices[target], source, len(vertices)) / np.maximum(degree, 1) - vertices
    normals = vertex_normals(vertices, faces)
    step -= (step * normals).sum(1, keepdims=True) * normals
    return vertices + rate * movable[:, None] * step


def cut_along_parts(
    vertices: np.ndarray, faces: np.ndarray, parts: Field, *, snap: float = 0.3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make part boundaries run along edges: vertices near one move onto it, other edges across it are split.

    Args:
        vertices: `(V, 3)`.
        faces: `(F, 3)` of a closed manifold.
        parts: distance `(N, classes)` of points `(N, 3)` from each part; the smallest names the part.
        snap: a crossing nearer than this fraction of the edge to one of its ends pulls that end.

    Returns:
        Vertices `(V + splits, 3)`, faces, and a mask of the vertices that lie on a boundary.
    """
    edges, _ = edge_table(faces)
    where, crossed = _crossings(vertices, edges, parts)
    on_boundary = np.zeros(len(vertices), dtype=bool)
    moved = vertices.copy()
    nearest = np.minimum(where, 1 - where)
    for e in np.flatnonzero(crossed)[np.argsort(nearest[crossed], kind="stable")]:
        if nearest[e] >= snap:
            break
        end = int(edges[e, int(where[e] > 0.5)])
        if not on_boundary[end] and not on_boundary[edges[e]].any():
            moved[end] = vertices[edges[e, 0]] + where[e] * (vertices[edges[e, 1]] - vertices[edges[e, 0]])
            on_boundary[end] = True
    split = crossed & ~on_boundary[edges].any(axis=1)
    new_points = moved[edges[split, 0]] + where[split, None] * (moved[edges[split, 1]] - moved[edges[split, 0]])
    faces = _split_edges(faces, edges[split], len(vertices))
    return np.concatenate([moved, new_points]), faces, np.concatenate([on_boundary, np.ones(len(new_points), bool)])


def _crossings(vertices: np.ndarray, edges: np.ndarray, parts: Field) -> tuple[np.ndarray, np.ndarray]:
    """Where `(E,)` in [0, 1] the label changes along each edge, and a mask of the edges on which it does."""
    distances = parts(vertices)
    labels = distances.argmin(axis=1)
    p, q = labels[edges[:, 0]], labels[edges[:, 1]]
    crossed = p != q
    low, high = np.zeros(len(edges)), np.ones(len(edges))
    for _ in range(12):  # bisection: the difference of two distances is not linear along an edge
        middle = 0.5 * (low + high)
        points = vertices[edges[:, 0]] + middle[:, None] * (vertices[edges[:, 1]] - vertices[edges[:, 0]])
        between = parts(points)
        rows = np.arange(len(edges))
        first = between[rows, p] <= between[rows, q]
        low, high = np.where(first, middle, low), np.where(first, high, middle)
    return np.where(crossed, 0.5 * (low + high), 0.5), crossed


def _split_edges(faces: np.ndarray, edges: np.ndarray, first_new: int) -> np.ndarray:
    """Subdivide faces at new vertices on some of their edges: into 2, 3 or 4 triangles."""
    middle = {(int(a), int(b)): first_new + i for i, (a, b) in enumerate(edges)}
    result: list[tuple[int, int, int]] = []
    for a, b, c in faces.tolist():
        corners = (a, b, c)
        new = [middle.get((min(u, v), max(u, v)), -1) for u, v in ((a, b), (b, c), (c, a))]
        count = sum(m >= 0 for m in new)
        # Turn the face so that its only new vertex, or its only edge without one, comes first.
        k = next((i for i in range(3) if (new[i] < 0) == (count == 2)), 0) if count in (1, 2) else 0
        x, y, z = corners[k:] + corners[:k]
        m, n, o = new[k:] + new[:k]
        if count == 0:
            result.append(corners)
        elif count == 1:
            result += [(x, m, z), (m, y, z)]
        elif count == 2:
            result += [(x, y, n), (x, n, o), (o, n, z)]
        else:
            result += [(x, m, o), (m, y, n), (o, n, z), (m, n, o)]
    return np.array(result, dtype=np.int64)


def collapse_short_edges(
    vertices: np.ndarray,
    faces: np.ndarray,
    shorter_than: np.ndarray,
    priority: np.ndarray,
    *,
    spare: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge the ends of edges below their length limit where the link condition allows it and nothing folds.

    Args:
        vertices: `(V, 3)`.
        faces: `(F, 3)` of a closed manifold.
        shorter_than: length limit `(V,)` at each vertex.
        priority: `(V,)` integers; the end of higher priority stays where it is.
        spare: at most so many vertices go; by default there is no limit.

    Returns:
        Vertices, faces and the index `(V',)` of each kept vertex among the old ones.
    """
    faces = faces.copy()
    around: list[set[int]] = [set() for _ in range(len(vertices))]
    for f, corners in enumerate(faces.tolist()):
        for v in corners:
            around[v].add(f)
    alive = np.ones(len(faces), dtype=bool)
    edges, _ = edge_table(faces)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    limit = np.minimum(shorter_than[edges[:, 0]], shorter_than[edges[:, 1]])
    touched: set[int] = set()
    spare = len(vertices) if spare is None else spare
    for e in np.flatnonzero(length < limit)[np.argsort((length / limit)[length < limit], kind="stable")]:
        a, b = (int(v) for v in edges[e])
        if spare <= 0:
            break
        keep, gone = (a, b) if priority[a] >= priority[b] else (b, a)
        if keep in touched or gone in touched or not _may_collapse(vertices, faces, around, keep, gone):
            continue
        shared = around[keep] & around[gone]
        touched.update(int(v) for f in around[gone] | around[keep] for v in faces[f])
        for f in shared:
            alive[f] = False
            for v in faces[f]:
                around[int(v)].discard(f)
        for f in around[gone]:
            faces[f][faces[f] == gone] = keep
            around[keep].add(f)
        around[gone] = set()
        spare -= 1
    kept, faces = np.unique(faces[alive], return_inverse=True)
    return vertices[kept], faces.reshape(-1, 3), kept


def _may_collapse(vertices: np.ndarray, faces: np.ndarray, around: list[set[int]], keep: int, gone: int) -> bool:
    shared = around[keep] & around[gone]
    ring_keep = {int(v) for f in around[keep] for v in faces[f]} - {keep, gone}
    ring_gone = {int(v) for f in around[gone] for v in faces[f]} - {keep, gone}
    if len(shared) != 2 or len(ring_keep & ring_gone) != 2 or len(ring_keep | ring_gone) < 4:
        return False
    there = vertices[keep].tolist()
    for f in sorted(around[gone] - shared):
        old = vertices[faces[f]].tolist()
        new = [there if v == gone else p for v, p in zip(faces[f].tolist(), old, strict=True)]
        n, m = _triangle_normal(*old), _triangle_normal(*new)
        along = sum(x * y for x, y in zip(n, m, strict=True))
        if along <= 0 or along * along <= 0.25 * sum(x * x for x in n) * sum(y * y for y in m):
            return False
    return True


def _triangle_normal(a: list[float], b: list[float], c: list[float]) -> tuple[float, float, float]:
    """Cross product of two sides; plain floats, because numpy takes longer to start than this to finish."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
