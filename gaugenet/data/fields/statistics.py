"""Fit of fields to the training part: kind of a vector, vertices or faces, mean and scale."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy import ndarray

from gaugenet.data.fields.spec import FieldSpec
from gaugenet.data.fields.values import FieldReader, FieldValues
from gaugenet.data.meshes._prepare import in_parallel
from gaugenet.data.meshes.sample import DataError, MeshSample
from gaugenet.geometry.mesh.mesh import TriangleMesh

logger = logging.getLogger(__name__)

Role = Literal["input", "target"]

NORMAL_PART = 1e-2
"""A `vector` whose normal part is smaller than this, relative to the whole, is a tangent vector."""
_FLAT = 1e-7
"""A field with a smaller relative spread is constant."""


@dataclass
class Moments:
    """Sums over the known values of a field on some meshes.

    Attributes:
        count: number of known values.
        missing: number of values that are NaN.
        first: sum of scalars.
        square: sum of squared norms of scalars, vectors and tensors.
        tangential: sum of squared norms of tangential parts.
        on: `vertex`, `face` or `mesh`.
    """

    count: int
    missing: int
    first: float
    square: float
    tangential: float
    on: str

    @classmethod
    def of(cls, field: FieldValues, mesh: TriangleMesh) -> Moments:
        """Return the sums over one mesh, without masked values."""
        known = field.known
        counts = known if field.weight is None else known & (field.weight > 0)
        values, tangential = field.values[counts], tangential_part(field, mesh)[counts]
        first = float(values.sum()) if values.ndim == 1 else 0.0
        return cls(int(counts.sum()), int((~known).sum()), first, _squared(values), _squared(tangential), field.on)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.count + other.count,
            self.missing + other.missing,
            self.first + other.first,
            self.square + other.square,
            self.tangential + other.tangential,
            self.on,
        )


def _squared(values: ndarray) -> float:
    return float((values**2).sum())


def tangential_part(field: FieldValues, mesh: TriangleMesh) -> ndarray:
    """Return the tangential part of vectors and tensors; scalars and values of whole meshes are unchanged."""
    values = field.values
    if values.ndim == 1 or field.on == "mesh":
        return values
    normal = mesh.vertex_normals if field.on == "vertex" else mesh.face_normals
    along = np.eye(3) - normal[:, :, None] * normal[:, None, :]
    if values.ndim == 2:
        return np.asarray((along @ values[..., None])[..., 0])
    return np.asarray(along @ values @ along)


def fit_fields(
    specs: Sequence[FieldSpec], samples: Sequence[MeshSample], *, role: Role, n_jobs: int = -1
) -> tuple[FieldSpec, ...]:
    """Return the fields with kind, mean and scale fitted to the training meshes.

    Scalars get the mean and the standard deviation of their known values, vectors and tensors the root mean square of
    their components. Entries that are already set are kept.

    Args:
        specs: the fields.
        samples: the training meshes.
        role: whether the fields are inputs or targets.
        n_jobs: number of threads that read meshes; -1 uses all cores.

    Raises:
        DataError: If meshes lack a field or their field does not fit (the message names them), or a field has no known
            value or is constant.

    Example:
        >>> from gaugenet.data import FieldSpec, MeshSample, fit_fields
        >>> from gaugenet.geometry import Icosphere, TriangleMesh
        >>> sphere = Icosphere(1)
        >>> mesh = TriangleMesh(sphere.pos, sphere.face.T)
        >>> sample = MeshSample("sphere", mesh, fields={"height": mesh.vertices[:, 2] + 5.0})
        >>> (height,) = fit_fields([FieldSpec("height", "scalar")], [sample], role="target")
        >>> round(height.mean, 3), height.on
        (5.0, 'vertex')
    """
    if not specs:
        return ()
    per_mesh = list(in_parallel([partial(_measure, samples, k, specs) for k in range(len(samples))], n_jobs))
    if problems := [text for found in per_mesh for text in found if isinstance(text, str)]:
        shown = "\n".join(problems[:10]) + ("\n..." if len(problems) > 10 else "")
        bad = sum(any(isinstance(entry, str) for entry in found) for found in per_mesh)
        raise DataError(f"{bad} of {len(samples)} training meshes lack usable {role}s:\n{shown}")
    return tuple(
        _fitted(spec, [found[k] for found in per_mesh if isinstance(found[k], Moments)], role)
        for k, spec in enumerate(specs)
    )


def _measure(samples: Sequence[MeshSample], index: int, specs: Sequence[FieldSpec]) -> list[Moments | str]:
    """Return the sums of each field on one mesh, or a message if the field is invalid."""
    try:
        sample = samples[index]
        reader = FieldReader(sample.mesh, sample.path, sample.fields)
    except (ValueError, OSError) as error:
        return [str(error)]
    found: list[Moments | str] = []
    for spec in specs:
        try:
            found.append(Moments.of(reader.read(spec), sample.mesh))
        except (ValueError, OSError) as error:
            found.append(str(error))
    return found


def _fitted(spec: FieldSpec, moments: Sequence[Moments], role: Role) -> FieldSpec:
    total = sum(moments[1:], moments[0])
    if role == "target" and len({m.on for m in moments}) > 1:
        raise DataError(
            f"The target {spec.name!r} has values on {' and '.join(sorted({m.on for m in moments}))} in different "
            "training meshes: use the same for all meshes."
        )
    if not total.count:
        raise DataError(f"The {role} {spec.name!r} is missing (NaN) or masked everywhere on the training meshes.")
    if total.missing:
        logger.info(
            "%s %r: %d of %d values of the training meshes are missing (NaN) and ignored.",
            *(role.capitalize(), spec.name, total.missing, total.missing + total.count),
        )
    kind = _settled_kind(spec, total)
    spec = replace(spec, kind=kind, missing=role == "input" and total.missing > 0)  # type: ignore[arg-type]
    if role == "target":
        spec = replace(spec, on=total.on)  # type: ignore[arg-type]
    return _normalized(spec, total, role)


def _settled_kind(spec: FieldSpec, total: Moments) -> str:
    normal = max(total.square - total.tangential, 0.0)
    if spec.kind == "vector":
        tangent = total.on != "mesh" and normal <= NORMAL_PART**2 * total.square
        return "tangent_vector" if tangent else "space_vector"
    if spec.kind == "tangent_vector" and total.on == "mesh":
        raise DataError(
            f"The field {spec.name!r} has one vector per mesh, and a mesh has no tangent plane: use space_vector."
        )
    if spec.kind == "tensor" and total.on == "mesh":
        raise DataError(
            f"The field {spec.name!r} has one tensor per mesh, and a mesh has no tangent plane: use scalars."
        )
    if spec.kind in ("tangent_vector", "tensor") and normal > NORMAL_PART**2 * total.square:
        logger.warning(
            "The part of %r normal to the surface is dropped: it is %.1f %% of the field (root mean square).",
            *(spec.name, 100 * (normal / total.square) ** 0.5),
        )
    return spec.kind


def _normalized(spec: FieldSpec, total: Moments, role: Role) -> FieldSpec:
    """Return the field with fitted mean and scale, unless they are set."""
    if spec.kind == "scalar":
        mean = total.first / total.count if spec.mean is None else spec.mean
        centred = total.square - 2 * mean * total.first + total.count * mean**2
        size, spread = abs(mean), max(centred / total.count, 0.0) ** 0.5
    else:
        mean = 0.0
        square = total.square if spec.kind == "space_vector" else total.tangential
        spread = (square / total.count / (2 if spec.kind == "tangent_vector" else 3)) ** 0.5
        size = (total.square / total.count) ** 0.5
    if spec.scale is None and not spread > _FLAT * max(size, 1e-30):
        raise DataError(
            f"The {role} {spec.name!r} ({spec.kind}) is constant on the training meshes: remove it"
            + (", or choose space_vector." if spec.kind == "tangent_vector" else ".")
        )
    return replace(spec, mean=mean, scale=spread if spec.scale is None else spec.scale)
