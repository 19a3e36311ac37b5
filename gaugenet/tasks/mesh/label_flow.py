"""Class probabilities that flow between neighbouring faces: shorter boundaries, which prefer concave creases."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet._validation import positive_number
from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.tasks.training.options import TaskError, check_label_flow

_CREASE = 0.08
"""How far one radian of a concave crease holds heat back, as a distance over the square root of the area."""
_LEAST = 1e-6
"""Smaller faces count as this part of the mean face."""
_TOLERANCE = 1e-8


def flowed(
    probability: Float[ndarray, "faces classes"], mesh: TriangleMesh, *, width: float
) -> Float[ndarray, "faces classes"]:
    r"""Return the probabilities after one implicit step of the heat equation on the faces.

    It solves :math:`(A + t L) q = A p` with the areas :math:`A` of the faces and
    :math:`t = \mathrm{width}^2 \, \mathrm{area} / 4`: heat from a point of a plane spreads to the mean squared distance
    of the width. Heat crosses an edge of length :math:`l` at the rate :math:`l / (d + c \theta)`, where :math:`d` is
    the distance of the two centres from the edge, and :math:`\theta` the angle by which a concave edge is bent, with
    :math:`c` = 0.08 times the square root of the area. So labels spread over a limb more easily than into a fold, where
    people see the boundaries of parts (the minima rule, :cite:`hoffman1984parts`). All lengths are those of the
    surface: a flat cut of a face changes little, and nothing depends on the unit.

    Rows still sum to 1, the integral of each class does not change, and separate parts do not mix.

    Args:
        probability: rows of class probabilities.
        mesh: the mesh, oriented outwards.
        width: distance of the flow over the square root of the area of the mesh.

    Raises:
        ValueError: If `width` is not positive, or there is not one row for each face.

    Example:
        >>> import numpy as np
        >>> from gaugenet.geometry import Icosphere, TriangleMesh
        >>> from gaugenet.tasks.mesh.label_flow import flowed
        >>> sphere = Icosphere(2)
        >>> mesh = TriangleMesh(sphere.pos, sphere.face.T)
        >>> p = np.where(np.arange(mesh.num_faces)[:, None] == 7, [0.4, 0.6], [0.9, 0.1])  # one face differs
        >>> int(p.argmax(1).sum()), int(flowed(p, mesh, width=0.1).argmax(1).sum())
        (1, 0)
    """
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.linalg import cg

    positive_number("width", width)
    if len(probability) != mesh.num_faces:
        raise ValueError(f"Expected one row for each of {mesh.num_faces} faces, got {len(probability)}.")
    area = np.maximum(mesh.face_areas, _LEAST * mesh.area / max(mesh.num_faces, 1))
    pair, rate = _rates(mesh, area)
    rate = rate * width**2 * mesh.area / 4
    i, j = pair.T
    diagonal = area + np.bincount(i, rate, len(area)) + np.bincount(j, rate, len(area))
    flow = coo_array((rate, (i, j)), shape=(len(area),) * 2).tocsr()
    system = (diags_array(diagonal) - flow - flow.T).tocsr()
    out = np.array(probability, dtype=np.float64)
    for k in range(out.shape[1]):
        out[:, k], _ = cg(system, area * out[:, k], x0=out[:, k], rtol=_TOLERANCE, M=diags_array(1 / diagonal))
    return typed_array(out)


def flow_of(items: str, width: float) -> float:
    """Return the width of the flow of a network that labels these items.

    Raises:
        TaskError: If it is not in [0, 1), or not 0 for items other than faces.
    """
    check_label_flow(width)
    if width and items != "face":
        raise TaskError(f"`label_flow` is for labels of faces, this network labels each {items}: leave it out.")
    return width


def _rates(
    mesh: TriangleMesh, area: Float[ndarray, "faces"]
) -> tuple[Int[ndarray, "edges 2"], Float[ndarray, "edges"]]:
    """Return the two faces of each inner edge, and the rate at which heat crosses it; other edges are closed."""
    start = np.cumsum(mesh.edge_face_count) - mesh.edge_face_count
    inner = np.flatnonzero(mesh.edge_face_count == 2)
    one, other = mesh.halfedges_by_edge[start[inner]], mesh.halfedges_by_edge[start[inner] + 1]
    ends = mesh.vertices[mesh.halfedges[one]]
    along = ends[:, 1] - ends[:, 0]
    length = np.maximum(np.linalg.norm(along, axis=1), np.sqrt(_LEAST * mesh.area / mesh.num_faces))
    n, m = mesh.face_normals[one // 3], mesh.face_normals[other // 3]
    turn = (along * np.cross(n, m)).sum(-1) / length
    concave = np.maximum(-np.arctan2(turn, (n * m).sum(-1)), 0.0)
    pair = np.stack([one // 3, other // 3], axis=1)
    distance = 2 * area[pair].sum(axis=1) / (3 * length)
    return pair, length / (distance + _CREASE * np.sqrt(mesh.area) * concave)


__all__ = ["flow_of", "flowed"]
