"""Inputs of a network on the icosphere from a time step of a climate file, for the globe in any pose."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._caching import BoundedCache
from gaugenet._typing import typed_array
from gaugenet.data.climate.dataset import ClimateFrame
from gaugenet.data.climate.latlon import LatLonGrid
from gaugenet.data.climate.sampling import Interpolation, Locations
from gaugenet.data.normalization import Normalization
from gaugenet.geometry.sphere.cells import delaunay
from gaugenet.geometry.sphere.interpolation import triangle_interpolation
from gaugenet.geometry.sphere.smooth_interpolation import smooth_interpolation

FADE = np.sin(np.radians(10.0))
"""Within ten degrees of the equator the rotated wind fades and changes sides."""
_FEWEST = 12
"""Points of a smooth interpolation."""


@dataclass(frozen=True)
class SphereFields:
    """A normalized frame, which can be interpolated at any points.

    Attributes:
        scalars: `(S, locations)` float32, extended for stencils.
        vectors: `(P, 3, locations)` float32, in space.
        label: classes at the locations of the file, -1 for unknown; `None` without labels.
    """

    scalars: Float[ndarray, "scalars locations"]
    vectors: Float[ndarray, "pairs 3 locations"]
    label: Int[ndarray, "cells"] | None

    @classmethod
    def of(cls, frame: ClimateFrame, locations: Locations, normalization: Normalization) -> SphereFields:
        """Normalize a frame, and convert winds to vectors in space."""
        vectors = locations.vectors(normalization.vectors(frame.vectors)).astype(np.float32)
        scalars = normalization.scalars(frame.scalars)
        label = None if frame.label is None else frame.label.reshape(-1).astype(np.int16)
        return cls(locations.extended(scalars), locations.extended(vectors), label)

    @property
    def nbytes(self) -> int:
        return self.scalars.nbytes + self.vectors.nbytes + (0 if self.label is None else self.label.nbytes)


class SphereInputs:
    """The interpolation of fields at the vertices of an icosphere, with winds in the frames of the vertices.

    The input has the field type `in_type`: the scalars (and the absolute sine of latitude) as trivial fields, then the
    winds (and the rotated winds) as tangent vectors, of irrep order 1. With latitude, each wind w is given a second
    time as s (n x w): rotated by 90 degrees to the left on the northern and to the right on the southern hemisphere.
    The sign s falls from 1 to -1 within ten degrees of the equator. A reflection of the globe that exchanges its
    hemispheres transforms s (n x w) as it transforms w, and the field converges in cyclones of both hemispheres.

    Args:
        sphere: an `Icosphere`, or anything else with unit vectors `pos` (V, 3) and tangent frames `frame` (V, 3, 2).
        locations: where the values of the files are.
        scalars, pairs: numbers of scalar and of vector fields.
        latitude: see above.
        smooth: interpolate with polynomials or radial basis functions, in both directions, and not linearly. It is more
            accurate for fields that are smooth on the scale of the grid, and overshoots at jumps.
    """

    def __init__(
        self,
        sphere: Any,
        locations: Locations,
        *,
        scalars: int,
        pairs: int,
        latitude: bool = True,
        smooth: bool = False,
    ) -> None:
        self.sphere, self.smooth = sphere, smooth
        self.locations, self.latitude = locations, latitude
        self.scalars, self.pairs = scalars, pairs
        self.points = self.sphere.pos.numpy()
        self._frame = np.ascontiguousarray(np.transpose(self.sphere.frame.numpy(), (2, 1, 0)), dtype=np.float32)
        self._interpolations: BoundedCache[Interpolation] = BoundedCache(max_entries=1)

    @property
    def in_type(self) -> str:
        """Field type of the input."""
        scalars, vectors = self.scalars + self.latitude, self.pairs * (1 + self.latitude)
        return " + ".join(f"{n}x{k}" for n, k in ((scalars, 0), (vectors, 1)) if n)

    def interpolation(self, pose: Float[ndarray, "3 3"] | None = None) -> Interpolation:
        """Return the cached interpolation of fields at the vertices; vertex p sees the location `pose @ p`."""
        key = b"" if pose is None else pose.tobytes()
        return self._interpolations.get(
            key,
            lambda: self.locations.interpolation(
                self.points if pose is None else self.points @ pose.T, smooth=self.smooth
            ),
        )

    def read(
        self, fields: SphereFields, *, pose: Float[ndarray, "3 3"] | None = None, gain: float = 1.0
    ) -> tuple[Float[Tensor, "channels vertices"], Int[Tensor, "vertices"] | None]:
        """Return the inputs and labels at the vertices.

        Args:
            fields: the globe.
            pose: orthogonal matrix; vertex p sees the location `pose @ p`. With determinant -1 the network sees the
                globe's mirror image.
            gain: factor of the winds.
        """
        interpolation = self.interpolation(pose)
        vectors = interpolation.fields(fields.vectors) * np.float32(gain)
        if pose is not None:
            vectors = np.einsum("ji,pjn->pin", pose.astype(np.float32), vectors)
        scalars = interpolation.fields(fields.scalars)
        if self.latitude:
            sine = self.sine_of_latitude(pose)
            side = np.clip(sine / FADE, -1, 1).astype(np.float32)
            rotated = np.cross(self.points.T.astype(np.float32)[None], vectors, axis=1) * side
            vectors = np.concatenate([vectors, rotated])
            scalars = np.concatenate([scalars, np.abs(sine, dtype=np.float32)[None]])
        components = np.einsum("cin,pin->cpn", self._frame, vectors)
        x = np.concatenate([scalars, components.reshape(-1, components.shape[-1])])
        label = None if fields.label is None else torch.from_numpy(fields.label[interpolation.nearest].astype(np.int64))
        return torch.from_numpy(x), label

    def back(self, pose: Float[ndarray, "3 3"] | None = None) -> Interpolation:
        """Return the interpolation of values at the vertices to the locations of the file."""
        points = self.points if pose is None else self.points @ pose.T
        return self._back(points, self.sphere.face.numpy().T)

    def back_vectors(self, pose: Float[ndarray, "3 3"] | None = None) -> Interpolation:
        """Return `back` for vector fields: smooth interpolation leaves out the corners, which have no vectors."""
        inside = np.setdiff1d(np.arange(len(self.points)), self.sphere.corners.numpy())
        if not self.smooth or len(inside) < _FEWEST:
            return self.back(pose)
        points = self.points[inside]
        found = self._back(points if pose is None else points @ pose.T, delaunay(points))
        return Interpolation(inside[found.index], found.weight, found.nearest)

    def _back(self, points: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"]) -> Interpolation:
        of = smooth_interpolation if self.smooth else triangle_interpolation
        index, weight = of(points, faces, self.locations.points.reshape(-1, 3))
        return Interpolation(index, weight, np.empty(0, dtype=np.int64))

    def round_trip(self, fields: SphereFields) -> float:
        """Return the relative error, root mean square over area and fields, of interpolating to vertices and back."""
        flat = np.concatenate([fields.scalars, fields.vectors.reshape(-1, fields.vectors.shape[-1])])
        area = np.ascontiguousarray(self.locations.area).reshape(-1)
        given = flat[:, : len(area)]
        error = self.back().fields(self.interpolation().fields(flat)) - given
        return float(np.sqrt((error**2 @ area).sum() / (given**2 @ area).sum()))

    def sine_of_latitude(self, pose: Float[ndarray, "3 3"] | None = None) -> Float[ndarray, "vertices"]:
        """Return the sine of latitude at the vertices; a rotation moves the axis, a mirror image reverses it."""
        return sine_of_latitude(self.points, pose)


def sine_of_latitude(
    points: Float[ndarray, "vertices 3"], pose: Float[ndarray, "3 3"] | None = None
) -> Float[ndarray, "vertices"]:
    """Return the sine of latitude at vertices, where vertex p sees `pose @ p`; a mirror image reverses the axis."""
    return typed_array(points[:, 2] if pose is None else np.linalg.det(pose) * (points @ pose[2]))


def grid_vertices(grid: LatLonGrid) -> SimpleNamespace:
    """Return the cells of a latitude-longitude grid in the form of an icosphere, for networks on such grids.

    They have points `pos`, frames (east, north), areas `mass`, and no corners.
    """
    parts = {"pos": grid.points.reshape(-1, 3), "frame": grid.frames.reshape(-1, 3, 2), "mass": grid.area.reshape(-1)}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in parts.items()}
    return SimpleNamespace(**tensors, corners=torch.zeros(0, dtype=torch.int64), num_vertices=grid.size)


def random_pose(draw: np.random.Generator, *, rotate: bool, mirror: bool) -> Float[ndarray, "3 3"] | None:
    """Return a random rotation, with probability 1/2 after a reflection about the equator; `None` for no change."""
    pose = np.eye(3)
    if rotate:
        pose, upper = np.linalg.qr(draw.normal(size=(3, 3)))
        pose = pose * np.sign(np.diag(upper))
        pose = pose * np.linalg.det(pose)
    if mirror and draw.random() < 0.5:
        pose = pose @ np.diag([1.0, 1.0, -1.0])
    return pose if rotate or np.linalg.det(pose) < 0 else None
