"""Marks: numbers for vertices that depend on the geometry alone. They break ties between equal lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from gaugenet._typing import typed_array

if TYPE_CHECKING:
    from gaugenet.geometry.mesh.mesh import TriangleMesh

_GENERIC = np.array([1.0, np.sqrt(2.0), np.sqrt(3.0)])  # a direction that no symmetry of a shape prefers
_EQUAL = 1e-6  # moments that differ by less (relative) are the same
_LARGE = 0.1  # of the largest: nonzero despite rounding
QUANTUM = 1.234567891e-9  # lengths that differ by less (relative to the shape) are the same; not a round number


def vertex_marks(mesh: TriangleMesh) -> Float[ndarray, "vertices"]:
    """Return the height of each vertex in a fixed direction of the shape's own axes, without units.

    Equally short paths and equally distant points are told apart by their marks, so that no choice depends on how the
    vertices are numbered. The axes are the principal axes of the surface, pointing where it is skewed. If a
    symmetry of the surface does not determine an axis or its direction, the first vertices decide. So marks never
    change with a rotation or a reflection. They change with the numbering only on symmetric surfaces, and then to
    marks that a symmetry maps to the former ones.
    """
    return _marks(mesh.vertices, mesh.vertex_areas)


def component_marks(mesh: TriangleMesh) -> Float[ndarray, "vertices"]:
    """Return the marks of each component by itself, so that separate parts do not affect each other."""
    mark = np.zeros(mesh.num_vertices)
    component = mesh.vertex_components
    order = np.argsort(component, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(component[order])) + 1):
        if len(part) > 1:  # not an isolated vertex
            mark[part] = _marks(mesh.vertices[part], mesh.vertex_areas[part])
    return mark


def _marks(points: Float[ndarray, "n 3"], area: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    if not len(points):
        return np.zeros(0)
    weight = area if area.sum() > 0 else np.ones(len(points))
    weight = weight / weight.sum()
    x = points - weight @ points
    x = x / max(float(np.abs(x).max()), np.finfo(float).tiny)
    return typed_array(x @ _axes(x, weight) @ _GENERIC)


def _axes(x: Float[ndarray, "vertices 3"], weight: Float[ndarray, "vertices"]) -> Float[ndarray, "3 3"]:
    """Return the principal axes as columns, or axes from the first vertices where two moments agree."""
    moments, axes = np.linalg.eigh((weight[:, None] * x).T @ x)
    if (np.diff(moments) <= _EQUAL * moments[-1]).any():
        return _axes_of_first_vertices(x)
    height = x @ axes
    skew = weight @ height**3 / np.maximum(moments, _EQUAL * moments[-1]) ** 1.5
    signs = np.where(np.abs(skew) < _EQUAL, _first_large(height), skew)
    return typed_array(axes * np.where(signs < 0, -1.0, 1.0))


def _axes_of_first_vertices(x: Float[ndarray, "vertices 3"]) -> Float[ndarray, "3 3"]:
    """Return axes from the first vertex away from the centre, the next one off this axis, and their normal."""
    axes = np.zeros((3, 3))
    rest = x
    for column in range(2):
        length = np.linalg.norm(rest, axis=1)
        first = int((length >= _LARGE * length.max()).argmax())
        axes[:, column] = rest[first] / max(float(length[first]), np.finfo(float).tiny)
        rest = rest - np.outer(rest @ axes[:, column], axes[:, column])
    normal = np.cross(axes[:, 0], axes[:, 1])
    axes[:, 2] = normal * (-1.0 if _first_large((x @ normal)[:, None])[0] < 0 else 1.0)
    return axes


def _first_large(height: Float[ndarray, "vertices n"]) -> Float[ndarray, "n"]:
    """Return the first height of each column that is not small."""
    size = np.abs(height)
    first = (size >= _LARGE * size.max(axis=0)).argmax(axis=0)
    return typed_array(height[first, np.arange(height.shape[1])])


def quantized(length: Float[ndarray, "n"], scale: float) -> Int[ndarray, "n"]:
    """Return lengths as integers, so that equal lengths stay equal despite rounding.

    Args:
        length: finite lengths.
        scale: length that describes the size of the shape, in the same units.
    """
    unit = QUANTUM * scale
    return np.round(length / unit).astype(np.int64) if unit > 0 else np.zeros(len(length), dtype=np.int64)


__all__ = ["component_marks", "quantized", "vertex_marks"]
