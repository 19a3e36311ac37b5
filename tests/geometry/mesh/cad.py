"""Shapes as CAD programs tessellate them: large flat faces without inner vertices, fans, slivers, holes."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gaugenet.geometry import TriangleMesh


def prism(outline: ndarray, height: float, holes: tuple[ndarray, ...] = ()) -> TriangleMesh:
    """The solid over a polygon with holes: caps cut into triangles without new vertices, two triangles a side wall."""
    rings = [outline, *(hole[::-1] for hole in holes)]
    points = np.concatenate(rings)
    cap = np.array(_ears(_bridged(rings), points))
    n = len(points)
    faces = [cap[:, ::-1], cap + n]
    start = 0
    for ring in rings:
        a = start + np.arange(len(ring))
        b = start + (np.arange(len(ring)) + 1) % len(ring)
        faces += [np.stack([a, b, b + n], 1), np.stack([a, b + n, a + n], 1)]
        start += len(ring)
    flat, lifted = np.zeros((n, 1)), np.full((n, 1), height)
    vertices = np.concatenate([np.hstack([points, flat]), np.hstack([points, lifted])])
    return TriangleMesh(vertices, np.concatenate(faces))


def box(x: float = 3.0, y: float = 2.0, z: float = 1.0) -> TriangleMesh:
    return prism(np.array([[0, 0], [x, 0], [x, y], [0, y]], float), z)


def l_shape() -> TriangleMesh:
    return prism(np.array([[0, 0], [3, 0], [3, 1], [1, 1], [1, 2], [0, 2]], float), 0.7)


def plate(segments: int = 16) -> TriangleMesh:
    """A thin plate with two round holes."""
    outline = np.array([[0, 0], [4, 0], [4, 2], [0, 2]], float)
    return prism(outline, 0.2, (circle(segments, 0.4) + [1, 1], circle(segments // 2, 0.5) + [2.9, 1.05]))


def gear(teeth: int = 10) -> TriangleMesh:
    """A gear wheel with a round bore."""
    angle = np.arange(4 * teeth) * np.pi / (2 * teeth)
    radius = np.tile([1.0, 1.0, 1.25, 1.25], teeth)
    return prism(radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), 0.4, (circle(18, 0.35),))


def slivers(segments: int = 40) -> TriangleMesh:
    """A long rod: its side of needles, its caps of fans."""
    return prism(circle(segments, 0.3), 8.0)


def circle(segments: int, radius: float) -> ndarray:
    angle = 2 * np.pi * np.arange(segments) / segments
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def subdivided(mesh: TriangleMesh, times: int = 1) -> TriangleMesh:
    """Every triangle in four, at the middles of its edges: the same surface with more vertices in straight lines."""
    for _ in range(times):
        n, edge = mesh.num_vertices, mesh.halfedge_to_edge.reshape(-1, 3) + mesh.num_vertices
        middle = mesh.vertices[mesh.edges].mean(1)
        (a, b, c), (ab, bc, ca) = mesh.faces.T, edge.T
        corners = [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
        faces = np.concatenate([np.stack(t, 1) for t in corners])
        mesh = TriangleMesh(np.concatenate([mesh.vertices, middle]), faces)
        assert mesh.num_vertices == n + len(middle)
    return mesh


def _bridged(rings: list[ndarray]) -> list[int]:
    """Indices around one polygon that enters every hole by a bridge and leaves by the same bridge."""
    offsets = np.cumsum([0, *(len(r) for r in rings)])
    points = np.concatenate(rings)
    around = list(range(len(rings[0])))
    for k in sorted(range(1, len(rings)), key=lambda k: -rings[k][:, 0].max()):
        hole = list(range(offsets[k], offsets[k + 1]))
        i = int(rings[k][:, 0].argmax())
        hole = hole[i:] + hole[:i]
        order = np.argsort(np.linalg.norm(points[around] - points[hole[0]], axis=1), kind="stable")
        j = next(j for j in order if _visible(points, around, hole, hole[0], around[j]))
        around = around[: j + 1] + hole + [hole[0]] + around[j:]
    return around


def _visible(points: ndarray, around: list[int], hole: list[int], p: int, q: int) -> bool:
    """Whether the segment from `p` to `q` meets no side of the polygon or of the hole."""
    for ring in (around, hole):
        for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
            if len({a, b, p, q}) == 4 and (
                _turn(points[p], points[q], points[a]) * _turn(points[p], points[q], points[b]) <= 0
                and _turn(points[a], points[b], points[p]) * _turn(points[a], points[b], points[q]) <= 0
            ):
                return False
    return points[q][0] > points[p][0]


def _ears(around: list[int], points: ndarray) -> list[tuple[int, int, int]]:
    """Cut ears off a simple polygon, the first that is found, as cheap tessellators do."""
    around, ears = list(around), []
    while len(around) > 3:
        for k in range(len(around)):
            a, b, c = around[k - 1], around[k], around[(k + 1) % len(around)]
            if _turn(points[a], points[b], points[c]) <= 1e-12:
                continue
            inside = [
                r
                for r in around
                if r not in (a, b, c)
                and min(_turn(points[i], points[j], points[r]) for i, j in ((a, b), (b, c), (c, a))) >= -1e-12
            ]
            if not inside:
                ears.append((a, b, c))
                del around[k]
                break
        else:
            raise AssertionError("the polygon is not simple")
    return [*ears, (around[0], around[1], around[2])]


def _turn(a: ndarray, b: ndarray, c: ndarray) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
