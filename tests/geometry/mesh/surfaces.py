"""Oracles: meshes of surfaces whose geodesics are known, and these from the geodesic equation itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy.spatial import ConvexHull, Delaunay

from gaugenet.geometry import TriangleMesh


class ImplicitSurface:
    """{F = 0}: geodesics and transport solve `w' = -(w H x' / |grad F|^2) grad F` for every transported vector w."""

    def gradient(self, x: ndarray) -> ndarray:
        raise NotImplementedError

    def hessian(self, x: ndarray) -> ndarray:
        raise NotImplementedError

    def normal(self, x: ndarray) -> ndarray:
        g = self.gradient(x)
        return g / np.linalg.norm(g, axis=1, keepdims=True)

    def _derivative(self, state: ndarray) -> ndarray:
        """State: columns position, velocity, transported vectors, `(n, 3, k)`."""
        x, v = state[:, :, 0], state[:, :, 1]
        g, h = self.gradient(x), self.hessian(x)
        pull = -np.einsum("ni,nij,njk->nk", v, h, state[:, :, 1:]) / (g * g).sum(1, keepdims=True)
        return np.concatenate([v[:, :, None], g[:, :, None] * pull[:, None, :]], axis=2)

    def shoot(self, x: ndarray, v: ndarray, *transported: ndarray, steps: int = 10) -> ndarray:
        state = np.stack([x, v, *transported], axis=2)
        h = 1 / steps
        for _ in range(steps):
            a = self._derivative(state)
            b = self._derivative(state + h / 2 * a)
            c = self._derivative(state + h / 2 * b)
            d = self._derivative(state + h * c)
            state = state + h / 6 * (a + 2 * b + 2 * c + d)
        return state

    def log(self, p: ndarray, q: ndarray) -> ndarray:
        """Initial velocities of the geodesics from p to q in unit time, by Newton's method."""
        frame = complete(np.eye(3)[np.abs(self.normal(p)).argmin(1)], self.normal(p))
        c = np.einsum("ndi,nd->ni", frame, q - p)
        for _ in range(5):
            end = self.shoot(p, np.einsum("ndi,ni->nd", frame, c))[:, :, 0]
            jacobian = np.empty((len(p), 3, 2))
            for k in range(2):
                step = np.zeros_like(c)
                step[:, k] = 1e-5 * np.linalg.norm(c, axis=1)
                moved = self.shoot(p, np.einsum("ndi,ni->nd", frame, c + step))[:, :, 0]
                jacobian[:, :, k] = (moved - end) / step[:, k : k + 1]
            c = c - np.einsum("nij,nj->ni", np.linalg.pinv(jacobian), end - q)
        assert np.abs(end - q).max() < 1e-6
        return np.einsum("ndi,ni->nd", frame, c)


class Sphere(ImplicitSurface):
    def gradient(self, x: ndarray) -> ndarray:
        return x

    def hessian(self, x: ndarray) -> ndarray:
        return np.broadcast_to(np.eye(3), (len(x), 3, 3))


@dataclass
class Torus(ImplicitSurface):
    major: float = 1.0
    minor: float = 0.4

    def gradient(self, x: ndarray) -> ndarray:
        rho = np.hypot(x[:, 0], x[:, 1])
        k = (rho - self.major) / rho
        return np.stack([k * x[:, 0], k * x[:, 1], x[:, 2]], axis=1)

    def hessian(self, x: ndarray) -> ndarray:
        rho = np.hypot(x[:, 0], x[:, 1])
        radial = np.stack([x[:, 0] / rho, x[:, 1] / rho, 0 * rho], axis=1)
        flat = np.diag([1.0, 1.0, 0.0])
        rr = radial[:, :, None] * radial[:, None, :]
        return rr + ((rho - self.major) / rho)[:, None, None] * (flat - rr) + np.diag([0.0, 0.0, 1.0])


class Saddle(ImplicitSurface):
    """z = (x^2 - y^2) / 2."""

    def gradient(self, x: ndarray) -> ndarray:
        return np.stack([-x[:, 0], x[:, 1], np.ones(len(x))], axis=1)

    def hessian(self, x: ndarray) -> ndarray:
        return np.broadcast_to(np.diag([-1.0, 1.0, 0.0]), (len(x), 3, 3))


def complete(first: ndarray, normal: ndarray) -> ndarray:
    """Orthonormal tangent frames `(n, 3, 2)` from one direction and the normals."""
    first = first - (first * normal).sum(1, keepdims=True) * normal
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(normal, first)], axis=2)


# --- meshes -------------------------------------------------------------------------------------------------------


def sphere(frequency: int, jitter: float = 0.0) -> TriangleMesh:
    """10 frequency^2 + 2 vertices on the unit sphere: a subdivided icosahedron, moved by `jitter` times the spacing."""
    import trimesh

    corners = np.array(trimesh.creation.icosahedron().vertices)
    points = {}
    for a, b, c in trimesh.creation.icosahedron().faces:
        for i in range(frequency + 1):
            for j in range(frequency + 1 - i):
                p = (frequency - i - j) * corners[a] + i * corners[b] + j * corners[c]
                p = p / np.linalg.norm(p)
                points.setdefault(tuple(np.round(p, 9)), p)
    p = np.array(list(points.values()))
    p = p + jitter * np.sqrt(4 * np.pi / len(p)) * np.random.default_rng(0).uniform(-1, 1, p.shape)
    p /= np.linalg.norm(p, axis=1, keepdims=True)
    faces = ConvexHull(p).simplices
    a, b, c = p[faces].swapaxes(0, 1)
    inward = (np.cross(b - a, c - a) * a).sum(1) < 0
    return TriangleMesh(p, np.where(inward[:, None], faces[:, ::-1], faces))


def torus(nu: int, nv: int, jitter: float = 0.0) -> TriangleMesh:
    """nu x nv vertices (nu even) on the torus of radii 1 and 0.4, nearly equilateral if nu = 2.5 nv."""
    i, j = np.meshgrid(np.arange(nu), np.arange(nv), indexing="ij")
    move = jitter * np.random.default_rng(0).uniform(-1, 1, (2, nu, nv))
    u, v = 2 * np.pi * (i + move[0]) / nu, 2 * np.pi * (j + 0.5 * (i % 2) + move[1]) / nv
    rho = 1 + 0.4 * np.cos(v)
    points = np.stack([rho * np.cos(u), rho * np.sin(u), 0.4 * np.sin(v)], axis=-1).reshape(-1, 3)
    a, b = i * nv + j, (i + 1) % nu * nv + j
    c, d = (i + 1) % nu * nv + (j + 1) % nv, i * nv + (j + 1) % nv
    even = np.concatenate([np.stack([a, b, d], -1)[::2], np.stack([b, c, d], -1)[::2]]).reshape(-1, 3)
    odd = np.concatenate([np.stack([a, b, c], -1)[1::2], np.stack([a, c, d], -1)[1::2]]).reshape(-1, 3)
    return TriangleMesh(points, np.concatenate([even, odd]))


def square(n: int, jitter: float = 0.0, *, stretch: float = 1.0) -> TriangleMesh:
    """Delaunay mesh of n x n points of [-1, 1]^2, flat; `stretch` lengthens y after triangulating: slivers."""
    x = np.linspace(-1, 1, n)
    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1)
    points[1:-1, 1:-1] += jitter * 2 / n * np.random.default_rng(0).uniform(-1, 1, (n - 2, n - 2, 2))
    points = points.reshape(-1, 2)
    faces = Delaunay(points).simplices
    a, b, c = points[faces].swapaxes(0, 1)
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    faces, area = faces[np.abs(area) > 1e-12], area[np.abs(area) > 1e-12]
    faces = np.where((area < 0)[:, None], faces[:, ::-1], faces)
    return TriangleMesh(np.column_stack([points * [1, stretch], np.zeros(len(points))]), faces)


def saddle(n: int, jitter: float = 0.0) -> TriangleMesh:
    flat = square(n, jitter)
    x, y, _ = flat.vertices.T
    return TriangleMesh(np.stack([x, y, (x**2 - y**2) / 2], axis=1), flat.faces)


def mobius(n: int = 40, width: int = 6) -> TriangleMesh:
    """A Möbius strip of n x width vertices."""
    i, j = np.meshgrid(np.arange(n), np.arange(width), indexing="ij")
    u, s = 2 * np.pi * i / n, 0.6 * (j / (width - 1) - 0.5)
    rho = 1 + s * np.cos(u / 2)
    points = np.stack([rho * np.cos(u), rho * np.sin(u), s * np.sin(u / 2)], axis=-1).reshape(-1, 3)

    def index(i: int, j: int) -> int:
        return i * width + j if i < n else width - 1 - j

    faces = []
    for i in range(n):
        for j in range(width - 1):
            a, b, c, d = index(i, j), index(i + 1, j), index(i + 1, j + 1), index(i, j + 1)
            faces += [[a, b, c], [a, c, d]]
    return TriangleMesh(points, faces)


def rough_terrain(n: int = 7, seed: int = 0) -> TriangleMesh:
    """A jittered square with heights at random: half of its vertices are saddles, all edges fold sharply."""
    flat = square(n, 0.4)
    heights = np.random.default_rng(seed).uniform(-0.3, 0.3, flat.num_vertices)
    return TriangleMesh(flat.vertices + heights[:, None] * [0, 0, 1], flat.faces)


def exact_distances(mesh: TriangleMesh, limit: float) -> ndarray:  # noqa: C901  brute force, read from top to bottom
    """All shortest distances on the polyhedron up to `limit`, by unfolding every sequence of faces without any pruning
    but length: straight lines between vertices first, then shortest concatenations of them."""
    from scipy.sparse.csgraph import floyd_warshall

    neighbor = {}
    for f, (a, b, c) in enumerate(mesh.faces.tolist()):
        neighbor.update({(a, b): (f, c), (b, c): (f, a), (c, a): (f, b)})
    length = np.linalg.norm(mesh.vertices[:, None] - mesh.vertices[None], axis=-1)
    straight = np.full((mesh.num_vertices,) * 2, np.inf)
    for i, j in mesh.edges:
        straight[i, j] = straight[j, i] = length[i, j]

    def unfold(a: int, b: int, c: int, pa: complex, pb: complex) -> complex:
        """Position of c on the far side of the edge from a (right) to b (left), seen from the origin."""
        ab, ac, bc = length[a, b], length[a, c], length[b, c]
        x = (ac**2 - bc**2 + ab**2) / (2 * ab)
        return pa + (pb - pa) / ab * complex(x, -np.sqrt(max(ac**2 - x**2, 0)))

    def cross(p: complex, q: complex) -> float:
        return (p.conjugate() * q).imag

    def visit(source: int, a: int, b: int, pa: complex, pb: complex, right: complex, left: complex) -> None:
        if (b, a) not in neighbor:
            return
        foot = (-pa * (pb - pa).conjugate()).real / abs(pb - pa) ** 2
        if abs(pa + min(max(foot, 0), 1) * (pb - pa)) > limit:
            return
        c = neighbor[b, a][1]
        pc = unfold(a, b, c, pa, pb)
        if cross(right, pc) > -1e-12 and cross(pc, left) > -1e-12:
            straight[source, c] = min(straight[source, c], abs(pc))
        if cross(right, pc) > 0:
            visit(source, a, c, pa, pc, right, pc if cross(pc, left) > 0 else left)
        if cross(pc, left) > 0:
            visit(source, c, b, pc, pb, pc if cross(right, pc) > 0 else right, left)

    for face in mesh.faces.tolist():
        for k in range(3):
            s, a, b = face[k], face[(k + 1) % 3], face[(k + 2) % 3]
            pa = complex(length[s, a], 0)
            x = (length[s, a] ** 2 + length[s, b] ** 2 - length[a, b] ** 2) / (2 * length[s, a])
            pb = complex(x, np.sqrt(length[s, b] ** 2 - x**2))
            visit(s, a, b, pa, pb, pa, pb)
    return floyd_warshall(np.where(np.isfinite(straight), straight, 0), directed=False)
