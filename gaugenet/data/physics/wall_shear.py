r"""Wall shear stress of slow flow in arteries by lubrication theory on the wall, with Dean's corrections.

In a tube of radius R the flow for a pressure gradient G is pi R^4 G / (8 mu), which is R^3 G / (16 mu) per unit of
circumference. The pressure p on the wall therefore solves

    div(R^3 / (16 mu) grad p) = 0,    for given flows through inlet and outlets,

by linear finite elements, which conserve the flow through each cross-section. Junctions need no special treatment. The
shear stress is tau = -(R / 2) grad p, which is 4 mu Q / (pi R^3) in a straight tube. To first order in the curvature k
of the centerline (Dean; see :cite:`berger1983flow`), with n the outward normal of the wall:

- the axial stress is multiplied by 1 - R k.n / 4, because Stokes flow has the factor 1 - (3/4) R / R_c cos(theta), and
  the pressure alone the factor 1 - R / R_c cos(theta);
- the secondary flow adds (Re / 24) R |tau| times the part of k in the cross-section, with Re = 2 R rho W / mu for the
  mean velocity W.

This is a reduced model: Newtonian, steady, for gentle tapers, small R / R_c and small Dean numbers. It does not include
separation behind a stenosis or an entrance length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.meshes.laplacian import hat_gradients, vertex_gradient
from gaugenet.data.physics.arteries import Artery
from gaugenet.geometry.mesh.mesh import TriangleMesh


@dataclass(frozen=True)
class Blood:
    """A Newtonian fluid.

    Attributes:
        viscosity: viscosity mu, Pa s.
        density: density rho, kg/m^3.
    """

    viscosity: float = 3.5e-3
    density: float = 1060.0


@dataclass(frozen=True, eq=False)
class WallFlow:
    """Fields on the vertices of a wall.

    Attributes:
        pressure: pressure, Pa; its mean over the first outlet is zero.
        shear: wall shear stress, tangent to the wall, Pa.
        radius: radius of the artery, mm.
        curvature: curvature of the centerline, 1/mm.
    """

    pressure: Float[ndarray, "vertices"]
    shear: Float[ndarray, "vertices 3"]
    radius: Float[ndarray, "vertices"]
    curvature: Float[ndarray, "vertices 3"]


def murray_flows(artery: Artery, inlet_shear: float, blood: Blood | None = None) -> Float[ndarray, "openings"]:
    """Return the flow out of each opening, mm^3/s, by Murray's law.

    The Poiseuille stress at the inlet is `inlet_shear`. The flows out of outlets are proportional to the cube of their
    radii.

    Args:
        artery: the artery.
        inlet_shear: wall shear stress at the inlet, Pa.
        blood: the fluid.
    """
    cubes = np.array([opening.radius for opening in artery.openings]) ** 3
    flow = np.pi * cubes[0] * inlet_shear / (4 * (blood or Blood()).viscosity)
    return np.concatenate([[-flow], flow * cubes[1:] / cubes[1:].sum()])


def wall_flow(
    artery: Artery,
    mesh: TriangleMesh,
    flows: Float[ndarray, "openings"],
    blood: Blood | None = None,
    *,
    refine: int = 2,
) -> WallFlow:
    """Solve for pressure and shear stress on the wall; for the equations see this module.

    Args:
        artery: the artery.
        mesh: the mesh `artery.mesh()` of its wall.
        flows: flow out of each opening, mm^3/s; the sum is 0.
        blood: the fluid.
        refine: number of refinements of the mesh for the solution, which is evaluated at the vertices of `mesh`.

    Raises:
        ValueError: If the number of flows is wrong, or their sum is not 0.
    """
    blood = blood or Blood()
    if len(flows) != len(artery.openings) or abs(flows.sum()) > 1e-9 * np.abs(flows).max():
        raise ValueError(f"Expected {len(artery.openings)} `flows` with the sum 0, got {flows}.")
    fine = mesh
    for _ in range(refine):
        fine = artery.refined(fine)
    radius, bend = artery.on_wall(fine.vertices)
    pressure = _pressure(artery, fine, radius**3 / (16 * blood.viscosity), flows)
    axial = -radius[:, None] / 2 * vertex_gradient(fine, pressure[:, None])[:, 0]
    shear = _with_curvature(axial, fine.vertex_normals, radius, bend, blood)
    kept = slice(mesh.num_vertices)
    return WallFlow(pressure[kept], _tangential(shear[kept], mesh.vertex_normals), radius[kept], bend[kept])


def stiffness(mesh: TriangleMesh, conductivity: Float[ndarray, "vertices"]) -> Any:
    """Return the `scipy.sparse` matrix int c <grad phi_i, grad phi_j>; c is averaged over the corners of a face."""
    from scipy.sparse import coo_array

    gradient = hat_gradients(mesh)
    scale = mesh.face_areas * conductivity[mesh.faces].mean(axis=1)
    entries = np.einsum("fid,fjd,f->fij", gradient, gradient, scale)
    i, j = np.repeat(mesh.faces, 3, axis=1).ravel(), np.tile(mesh.faces, (1, 3)).ravel()
    return coo_array((entries.ravel(), (i, j)), shape=(mesh.num_vertices,) * 2).tocsc()


def _pressure(artery: Artery, mesh: TriangleMesh, conductivity: ndarray, flows: ndarray) -> Float[ndarray, "vertices"]:
    from scipy.sparse.linalg import splu

    which, matrix = artery.opening_of(mesh), stiffness(mesh, conductivity)
    once = mesh.edges[mesh.edge_face_count == 1]
    length = np.linalg.norm(mesh.vertices[once[:, 0]] - mesh.vertices[once[:, 1]], axis=1)
    share = np.bincount(once.ravel(), np.repeat(length / 2, 2), mesh.num_vertices)
    around = np.bincount(which, share, len(flows))
    load = -flows[which] * share / around[which]
    pressure = np.zeros(mesh.num_vertices)
    pressure[1:] = splu(matrix[1:, 1:]).solve(load[1:])
    outlet = share * (which == 1)
    return typed_array(pressure - (outlet @ pressure) / outlet.sum())


def _with_curvature(axial: ndarray, normal: ndarray, radius: ndarray, bend: ndarray, blood: Blood) -> ndarray:
    """Add the first-order terms of a curved centerline; `axial` is the stress of the pressure alone."""
    size = np.linalg.norm(axial, axis=1, keepdims=True)
    direction = axial / np.maximum(size, 1e-12)
    # Re = 2 R rho W / mu with W = R tau / (4 mu); mm^2 Pa kg/m^3 / (Pa s)^2 = 1e-6.
    reynolds = 1e-6 * blood.density * radius[:, None] ** 2 * size / (2 * blood.viscosity**2)
    across = _tangential(bend, normal)
    across = across - (across * direction).sum(axis=1, keepdims=True) * direction
    inward = (bend * normal).sum(axis=1, keepdims=True)
    stretched = axial * (1 - radius[:, None] * inward / 4)
    return typed_array(stretched + reynolds / 24 * radius[:, None] * size * across)


def _tangential(vectors: ndarray, normal: ndarray) -> ndarray:
    return typed_array(vectors - (vectors * normal).sum(axis=1, keepdims=True) * normal)


def inflow_distance(artery: Artery, mesh: TriangleMesh) -> Float[ndarray, "vertices"]:
    """Return the geodesic distance from the inlet, mm, by the heat method."""
    import potpourri3d as pp3d

    inlet = np.flatnonzero(mesh.boundary_vertices & (artery.opening_of(mesh) == 0))
    solver = pp3d.MeshHeatMethodDistanceSolver(mesh.vertices, mesh.faces)
    return typed_array(np.maximum(solver.compute_distance_multisource(inlet), 0.0))
