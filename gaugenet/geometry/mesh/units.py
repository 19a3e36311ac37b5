"""Units and origin of coordinates, for number types of limited range and precision."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gaugenet._typing import typed_array
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh

logger = logging.getLogger(__name__)

_SMALLEST, _LARGEST = 1e-12, 1e12
"""For mesh sizes between these, all lengths and areas fit single precision."""
_BLUR = 1e-3
"""Rounding of coordinates may be this large, relative to a typical edge."""


def unit_factor(mesh: TriangleMesh) -> float:
    """Return the power of two that scales a mesh of unusable size to about one; 1 for other meshes.

    A size is unusable if networks cannot compute with it. Powers of two keep all ratios of lengths bit by bit.
    """
    finite = mesh.vertices[np.isfinite(mesh.vertices).all(axis=1)]
    if not len(finite):
        return 1.0
    with np.errstate(over="ignore"):
        size = float(np.ptp(finite / 4, axis=0).max()) * 4  # coordinates may be near the largest number
        size = size if np.isfinite(size) else float(np.abs(finite).max())
    if size == 0 or _SMALLEST <= size <= _LARGEST:
        return 1.0
    return float(2.0 ** -np.clip(np.ceil(np.log2(size)), -1000, 1000))


def in_units(mesh: TriangleMesh, factor: float) -> TriangleMesh:
    """Return the mesh with its coordinates multiplied by a factor; the mesh itself for the factor 1."""
    return mesh if factor == 1 else TriangleMesh(mesh.vertices * factor, mesh.faces)


def placed(mesh: TriangleMesh) -> tuple[TriangleMesh, tuple[str, ...]]:
    """Return the mesh scaled and moved so that single precision can hold it, and a description of what was done."""
    done = []
    factor = unit_factor(mesh)
    mesh = in_units(mesh, factor)
    if factor != 1:
        done.append(f"unit of length: coordinates times {factor:g}")
    center = _far_center(mesh, float(np.finfo(np.float32).eps))
    if center is not None:
        mesh = TriangleMesh(mesh.vertices - center, mesh.faces)
        done.append("origin: moved into the mesh")
    return mesh, tuple(done)


def positions(mesh: TriangleMesh, dtype: torch.dtype) -> Float[Tensor, "vertices 3"]:
    """Return the vertices in a precision, relative to the centre of the mesh if rounding would move them too far.

    Far from the origin, single precision moves vertices by more than the edges are long. The translation is logged.
    """
    center = _far_center(mesh, torch.finfo(dtype).eps)
    if center is None:
        return torch.from_numpy(mesh.vertices).to(dtype)
    logger.warning("`pos` is relative to the point %s: so far away %s cannot tell vertices apart.", center, dtype)
    return torch.from_numpy(mesh.vertices - center).to(dtype)


def _far_center(mesh: TriangleMesh, eps: float) -> Float[ndarray, "3"] | None:
    """Return the centre of a mesh so far from the origin that rounding to `eps` distorts it, else `None`."""
    vertices = mesh.vertices
    if not mesh.num_faces or not np.isfinite(vertices).all():
        return None
    farthest = float(np.abs(vertices).max())
    if farthest * eps <= _BLUR * _typical_side(mesh):
        return None
    center = typed_array((vertices.max(axis=0) / 2) + vertices.min(axis=0) / 2)
    return center if np.abs(vertices - center).max() < farthest / 2 else None


def _typical_side(mesh: TriangleMesh) -> float:
    """Return the median side of a face. Without the table of edges, which a large mesh should not keep for this."""
    corner = [mesh.vertices[mesh.faces[:, k]] for k in range(3)]
    return float(np.median([np.linalg.norm(corner[k] - corner[k - 1], axis=1) for k in range(3)]))


def require_range(values: Mapping[str, object], mesh: TriangleMesh) -> None:
    """Raise an error if a precision cannot hold the geometry.

    Args:
        values: tensors of a graph, by name; only floating-point tensors are checked.
        mesh: the surface that they were computed on.

    Raises:
        MeshError: If a number is not finite, or all areas vanish.
    """
    numbers = {k: v for k, v in values.items() if isinstance(v, Tensor) and v.is_floating_point()}
    lost = [name for name, value in numbers.items() if value.numel() and not _is_finite(value)]
    if not lost and "mass" in numbers and mesh.area > 0 and not bool(numbers["mass"].any()):
        lost = ["mass"]
    if lost:
        size = float(np.abs(mesh.vertices).max(initial=0.0))
        raise MeshError(
            f"Coordinates up to {size:g} give no finite numbers of type {numbers[lost[0]].dtype} ({', '.join(lost)}): "
            "choose another unit of length, such as `TriangleMesh(mesh.vertices / size, mesh.faces)`."
        )


def _is_finite(value: Tensor) -> bool:
    """Return whether all entries are finite, without an array of answers."""
    return all(bool(end.isfinite()) for end in value.aminmax())
