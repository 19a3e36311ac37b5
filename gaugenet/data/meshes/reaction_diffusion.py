"""Reaction, diffusion and advection on surfaces: synthetic data by finite elements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from gaugenet.data.meshes.laplacian import cotan_laplacian, hat_gradients
from gaugenet.geometry import GaugeGraph, Icosphere, TriangleMesh
from gaugenet.geometry.mesh.refine import subdivide
from gaugenet.groups import SO2


@dataclass(frozen=True)
class Equation:
    """The equation u_t = D lap u + r u (1 - u) - a div(u v), with a tangent flow v."""

    diffusion: float = 0.05
    reaction: float = 1.0
    advection: float = 1.0


@dataclass
class Surface:
    """A bumpy sphere with its flow, its graph and its finite elements.

    Attributes:
        mesh: the mesh of the graph.
        flow: `(V, 3)`, tangent vectors in 3D.
        graph: neighbourhoods of one radius.
        fine: the mesh of the finite elements, `mesh` or a refinement of it, whose first V vertices are those of `mesh`.
        mass, stiffness, transport: matrices of linear finite elements, `transport u = int u v . grad phi`.
    """

    mesh: TriangleMesh
    flow: ndarray
    graph: GaugeGraph
    fine: TriangleMesh
    mass: Any
    stiffness: Any
    transport: Any


def bumpy_sphere(
    level: int,
    seed: int,
    *,
    radius: float,
    max_neighbors: int | None = None,
    bumps: float = 0.15,
    refinements: int = 0,
) -> Surface:
    """Return a smooth star-shaped surface with random vertices, and a flow around a random axis.

    Args:
        level: level of the icosphere whose vertices are moved by a fifth of their spacing and triangulated again.
        seed: seed of vertices, shape and axis.
        radius: geodesic radius of neighbourhoods; the sphere has radius 1.
        max_neighbors: largest number of neighbours; the nearest ones are kept.
        bumps: height of the bumps; 0 for the sphere.
        refinements: number of times that each triangle is split into four for the finite elements, on the smooth
            surface. Each one divides their error by four.
    """
    from scipy.spatial import ConvexHull

    if refinements < 0:
        raise ValueError(f"Expected `refinements` of at least 0, got {refinements}.")
    rng = np.random.default_rng(seed)
    p = Icosphere(level).pos.numpy()
    p = p + 0.2 * np.sqrt(4 * np.pi / len(p)) * rng.uniform(-1, 1, p.shape)
    p /= np.linalg.norm(p, axis=1, keepdims=True)
    faces = ConvexHull(p).simplices
    a, b, c = p[faces].swapaxes(0, 1)
    faces = np.where(((np.cross(b - a, c - a) * a).sum(1) < 0)[:, None], faces[:, ::-1], faces)
    k, count = rng.uniform(-1, 1, 4), len(p)

    def bumpy(p: ndarray) -> ndarray:
        x, y, z = p.T
        height = 1 + bumps * (k[0] * x * y + k[1] * (x * x - z * z) + k[2] * y * z + 2 * k[3] * x * y * z)
        out: ndarray = p * height[:, None]
        return out

    mesh = fine = TriangleMesh(bumpy(p), faces)
    for _ in range(refinements):
        split = subdivide(TriangleMesh(p, faces))
        middles = split.vertices[len(p) :]
        p, faces = np.concatenate([p, middles / np.linalg.norm(middles, axis=1, keepdims=True)]), split.faces
        fine = TriangleMesh(bumpy(p), faces)
    axis = rng.normal(size=3)
    flow = np.cross(fine.vertex_normals, 0.5 * axis / np.linalg.norm(axis))
    graph = mesh.gauge_graph(SO2(), radius=radius, max_neighbors=max_neighbors, dtype=torch.float64)
    return Surface(mesh, flow[:count], graph, fine, *_finite_elements(fine, flow))


def _finite_elements(mesh: TriangleMesh, flow: ndarray) -> tuple[Any, Any, Any]:
    """Return mass, stiffness and transport matrices of the hat functions."""
    from scipy.sparse import coo_array

    f, shape = mesh.faces, (mesh.num_vertices,) * 2
    i, j = np.repeat(f, 3, axis=1).ravel(), np.tile(f, (1, 3)).ravel()
    share = (np.ones((3, 3)) + np.eye(3)) / 12 * mesh.face_areas[:, None, None]
    across = np.einsum("fid,fkd->fik", hat_gradients(mesh), flow[f])  # v at corner k times grad phi_i
    moved = np.einsum("fik,fkj->fij", across, share)
    return (
        coo_array((share.ravel(), (i, j)), shape=shape).tocsc(),
        cotan_laplacian(mesh).tocsc(),
        coo_array((moved.ravel(), (i, j)), shape=shape).tocsc(),
    )


def solve(surface: Surface, u: ndarray, equation: Equation, *, step: float, steps: int, substeps: int = 4) -> ndarray:
    """Return snapshots `(steps + 1, V)` at multiples of `step`: Crank-Nicolson for diffusion, Heun for the rest.

    They are the values at the vertices of `surface.mesh`.

    Args:
        surface: the surface with its finite elements.
        u: the state at time 0 at the vertices of `surface.fine`.
        equation: the equation.
        step: time between two snapshots.
        steps: number of snapshots after the first.
        substeps: steps of the solver between two snapshots.
    """
    from scipy.sparse.linalg import splu

    h = step / substeps
    half = h / 2 * equation.diffusion * surface.stiffness
    forward, inverse = surface.mass - half, splu((surface.mass + half).tocsc())

    def rest(u: ndarray) -> ndarray:
        slope: ndarray = equation.advection * surface.transport @ u + surface.mass @ (equation.reaction * u * (1 - u))
        return slope

    count = surface.mesh.num_vertices
    found = [u[:count]]
    for _ in range(steps):
        for _ in range(substeps):
            first = rest(u)
            guess = inverse.solve(forward @ u + h * first)
            u = inverse.solve(forward @ u + h / 2 * (first + rest(guess)))
        found.append(u[:count])
    return np.stack(found)


def bumps_of_mass(surface: Surface, seed: int) -> ndarray:
    """Return a state of three smooth bumps at random places, at the vertices of `surface.fine`."""
    rng = np.random.default_rng(100 + seed)
    centres = rng.normal(size=(3, 3))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    square = ((surface.fine.vertices[:, None] - centres) ** 2).sum(-1)
    state: ndarray = (rng.uniform(0.3, 0.8, 3) * np.exp(-square / 0.4)).sum(1)
    return state


def heun(slope: Callable[[Tensor], Tensor], u: Tensor, *, step: float, steps: int) -> Tensor:
    """Return the solution of u_t = slope(u) after `steps` steps of Heun's method, of second order."""
    for _ in range(steps):
        first = slope(u)
        u = u + step / 2 * (first + slope(u + step * first))
    return u


def relative_error(surface: Surface, found: Tensor, expected: Tensor) -> float:
    """Return the relative error of functions `(V, 1)` in the L2 norm of the surface."""
    mass = surface.graph.mass[:, None]
    return float(((mass * (found - expected) ** 2).sum() / (mass * expected**2).sum()).sqrt())


__all__ = ["Equation", "Surface", "bumps_of_mass", "bumpy_sphere", "heun", "relative_error", "solve"]
