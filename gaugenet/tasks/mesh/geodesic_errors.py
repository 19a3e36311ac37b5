"""Geodesic errors of correspondences: how far the predicted place is from the true one, along the surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet.geometry.mesh.mesh import TriangleMesh
from gaugenet.tasks.mesh.losses import IGNORE

_MEASURED = 256  # of the wrong vertices of a mesh, at random: each needs the distances from one vertex
_NEAR = 0.05


@dataclass(frozen=True)
class GeodesicErrors:
    """The errors on one mesh, as in :cite:`kim2011blended`.

    The error of a vertex is the geodesic distance to the nearest vertex whose true label is the predicted one, by the
    heat method (:cite:`crane2017heat`), over the square root of the area of the mesh.

    Attributes:
        right: number of labelled vertices with the true label, which have error 0.
        wrong: number of the others.
        errors: of those, or of 256 of them at random.
        missing: number of these whose predicted place is not on the mesh, or not on the same part; not in `errors`.

    Example:
        >>> import numpy as np
        >>> from gaugenet.geometry import Icosphere, TriangleMesh
        >>> from gaugenet.tasks.mesh.geodesic_errors import GeodesicErrors
        >>> sphere, place = Icosphere(3), np.arange(642)
        >>> opposite = (sphere.pos @ sphere.pos.T).argmin(axis=1).numpy()
        >>> found = GeodesicErrors.on(TriangleMesh(sphere.pos, sphere.face.T), place, opposite)
        >>> len(found.errors), bool(np.isclose(found.errors.mean(), np.pi / np.sqrt(4 * np.pi), rtol=0.05))
        (256, True)
    """

    right: int
    wrong: int
    errors: Float[ndarray, "measured"]
    missing: int

    @classmethod
    def on(
        cls, mesh: TriangleMesh, truth: Int[ndarray, "vertices"], prediction: Int[ndarray, "vertices"]
    ) -> GeodesicErrors:
        """Measure the errors on a mesh with the true and the predicted label of each vertex."""
        from potpourri3d import MeshHeatMethodDistanceSolver

        known = truth != IGNORE
        wrong = np.flatnonzero(known & (truth != prediction))
        right = int(known.sum()) - len(wrong)
        chosen = np.random.default_rng(0).permutation(wrong)[:_MEASURED]
        if not len(chosen) or not np.isfinite(mesh.area):
            return cls(right, len(wrong), np.empty(0), len(chosen))
        solver = MeshHeatMethodDistanceSolver(mesh.vertices, mesh.faces)
        part, errors = mesh.vertex_components, []
        for vertex in chosen:
            there = known & (truth == prediction[vertex]) & (part == part[vertex])
            if there.any():
                errors.append(solver.compute_distance(vertex)[there].min())
        return cls(right, len(wrong), np.array(errors) / np.sqrt(mesh.area), len(chosen) - len(errors))


def summary(meshes: Sequence[GeodesicErrors]) -> dict[str, float | None]:
    """Return the mean error of all vertices, the share of errors below 5 %, and the share of missing places.

    Each measured vertex stands for all wrong ones of its mesh. Missing ones are left out of the first two.
    """
    total = sum(one.right + one.wrong for one in meshes)
    error = far = missing = 0.0
    for one in meshes:
        measured = len(one.errors) + one.missing
        if measured:
            weight = one.wrong / measured
            error += weight * one.errors.sum()
            far += weight * np.count_nonzero(one.errors >= _NEAR)
            missing += weight * one.missing
    placed = total - missing
    return {
        "mean": float(error / placed) if placed else None,
        "below_5_percent": float(1 - far / placed) if placed else None,
        "missing": float(missing / total) if total else None,
    }
