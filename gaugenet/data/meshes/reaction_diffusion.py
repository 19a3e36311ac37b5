"""Reaction, diffusion and advection on surfaces: synthetic data by finite elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from gaugenet.data.meshes.laplacian import cotan_laplacian, hat_gradients
from gaugenet.geometry import GaugeGraph, Icosphere, TriangleMesh
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
        flow: `(V, 3)`, tangent vectors in 3D.
        mass, stiffness, transport: matrices of linear finite elements, `transport u = int u v . grad phi`.
    """

    mesh: TriangleMesh
    flow: ndarray
    graph: GaugeGraph
    mass: Any
    stiffness: Any
    transport: Any


def bumpy_sphere(level: int, seed: int, *, radius: float, bumps: float = 0.15) -> Surface:
    """Return a smooth star-shaped surface with random vertices, and a flow around a random axis.

    Args:
        level: level of the icosphere whose vertices are moved by a fifth of their spacing and triangulated again.
        seed: seed of vertices, shape and axis.
        radius: geodesic radius of neighbourhoods; the sphere has radius 1.
        bumps: height of the bumps; 0 for the sphere.
    """
    from scipy.spatial import ConvexHull

    rng = np.random.default_rng(seed)
    p = Icosphere(level).pos.numpy()
    p = p + 0.2 * np.sqrt(4 * np.pi / len(p)) * rng.uniform(-1, 1, p.shape)
    p /= np.linalg.norm(p, axis=1, keepdims=True)
    faces = ConvexHull(p).simplices
    a, b, c = p[faces].swapaxes(0, 1)
    faces = np.where(((np.cross(b - a, c - a) * a).sum(1) < 0)[:, None], faces[:, ::-1], faces)
    x, y, z = p.T
    k = rng.uniform(-1, 1, 4)
    height = 1 + bumps * (k[0] * x * y + k[1] * (x * x - z * z) + k[2] * y * z + 2 * k[3] * x * y * z)
    mesh = TriangleMesh(p * height[:, None], faces)
    axis = rng.normal(size=3)
    flow = np.cross(mesh.vertex_normals, 0.5 * axis / np.linalg.norm(axis))
    graph = mesh.gauge_graph(SO2(), radius=radius, dtype=torch.float64)
    return Surface(mesh, flow, graph, *_finite_elements(mesh, flow))


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

    Args:
        surface: the surface with its finite elements.
        u: `(V,)`, the state at time 0.
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

    found = [u]
    for _ in range(steps):
        for _ in range(substeps):
            first = rest(u)
            guess = inverse.solve(forward @ u + h * first)
            u = inverse.solve(forward @ u + h / 2 * (first + rest(guess)))
        found.append(u)
    return np.stack(found)


def bumps_of_mass(surface: Surface, seed: int) -> ndarray:
    """Return a state `(V,)` of three smooth bumps at random places."""
    rng = np.random.default_rng(100 + seed)
    centres = rng.normal(size=(3, 3))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    square = ((surface.mesh.vertices[:, None] - centres) ** 2).sum(-1)
    state: ndarray = (rng.uniform(0.3, 0.8, 3) * np.exp(-square / 0.4)).sum(1)
    return state


__all__ = ["Equation", "Surface", "bumps_of_mass", "bumpy_sphere", "solve"]
