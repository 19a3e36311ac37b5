"""Means over geodesic discs by heat diffusion, for features at a fixed length on triangles of any size."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.meshes.laplacian import cotan_laplacian
from gaugenet.geometry.mesh.mesh import TriangleMesh

_STEPS = 3


def disk_means(
    mesh: TriangleMesh,
    integrals: Float[ndarray, "vertices channels"],
    radius: float,
    *,
    side: Float[ndarray, "faces 3"] | None = None,
) -> Float[ndarray, "vertices channels"]:
    r"""Return densities averaged around each vertex, weighted by a heat kernel of the width of a disc.

    `(M + t/3 L)^{-1} M (M + t/3 L)^{-1} M (M + t/3 L)^{-1}` applied to integrals: three implicit steps of the heat
    equation, with `t = radius^2 / 8`. The mean squared distance `4 t` is then the one of a flat disc of this
    radius. The integral over the surface does not change, and heat does not cross boundaries.

    Args:
        mesh: a mesh of any kind; vertices without area get 0.
        integrals: the integral of each quantity over the dual cell of each vertex.
        radius: geodesic radius, in the units of the mesh.
        side: 1 or -1 at each corner of a face: values at two corners of different sides have opposite signs. By
            default all signs are equal.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import splu

    used = np.flatnonzero(mesh.vertex_areas > 1e-14 * max(mesh.area, np.finfo(float).tiny))
    out = np.zeros(integrals.shape)
    if not len(used):
        return typed_array(out)
    area = mesh.vertex_areas[used][:, None]
    heat = cotan_laplacian(mesh, side=side)[used][:, used] * (radius**2 / 8 / _STEPS)
    system = (heat + diags_array(area[:, 0])).tocsc()
    solver = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    values = solver.solve(integrals[used])
    for _ in range(_STEPS - 1):
        values = solver.solve(area * values)
    out[used] = values
    return typed_array(out)


__all__ = ["disk_means"]
