"""Conditions: the inputs of a forecast step in addition to the state, namely static fields, latitude and time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gaugenet.data.climate.dataset import ClimateFiles
from gaugenet.data.climate.sampling import PointLocations
from gaugenet.data.normalization import Normalization
from gaugenet.geometry import Icosphere
from gaugenet.geometry.icosphere.vectors import from_chart_frames
from gaugenet.tasks.climate.inputs import FADE, SphereFields, SphereInputs, sine_of_latitude
from gaugenet.tasks.forecast.clock import Clock

Pose = Float[ndarray, "3 3"] | None


class StaticFields(Protocol):
    """Fields without time at the vertices: `scalars` scalar fields and `pairs` vector fields."""

    @property
    def scalars(self) -> int: ...
    @property
    def pairs(self) -> int: ...

    def read(self, pose: Pose) -> Float[Tensor, "channels vertices"]: ...


class StaticFiles:
    """Static fields from files, for the globe in any pose.

    Args:
        parts: files whose first time step is used, each on its own grid.
        sphere: the icosphere.
        smooth: how they are interpolated, see `SphereInputs`.
    """

    def __init__(self, parts: Sequence[ClimateFiles], sphere: Icosphere, *, smooth: bool = False) -> None:
        self._read: list[tuple[SphereInputs, SphereFields]] = []
        for files in parts:
            sizes = {"scalars": len(files.variables.scalars), "pairs": len(files.variables.vectors)}
            frame, locations = files[0], files.locations
            normalization = Normalization.of([frame], locations.area)
            inputs = SphereInputs(sphere, locations, latitude=False, smooth=smooth, **sizes)
            self._read.append((inputs, SphereFields.of(frame, locations, normalization)))
        self.scalars = sum(inputs.scalars for inputs, _ in self._read)
        self.pairs = sum(inputs.pairs for inputs, _ in self._read)
        self._vertices = sphere.num_vertices

    def read(self, pose: Pose) -> Float[Tensor, "channels vertices"]:
        """Return the scalars, then the first and the second components of the vectors."""
        parts = [(inputs.scalars, inputs.read(fields, pose=pose)[0]) for inputs, fields in self._read]
        scalars = [x[:count] for count, x in parts]
        vectors = [x[count:].unflatten(0, (2, -1)) for count, x in parts if len(x) > count]
        joined = [torch.cat(vectors, 1).flatten(0, 1)] if vectors else []
        return torch.cat([*scalars, *joined]) if self._read else torch.zeros(0, self._vertices)


class StoredFields:
    """Static fields as a run stores them, at the vertices; other poses of the globe are interpolated from them.

    Args:
        values: the scalars, then the first and the second components of the vectors.
        sphere: the icosphere.
        scalars, pairs: numbers of scalars and of vectors.
        smooth: how other poses are interpolated, see `SphereInputs`.
    """

    def __init__(
        self,
        values: Float[Tensor, "channels vertices"],
        sphere: Icosphere,
        *,
        scalars: int,
        pairs: int,
        smooth: bool = False,
    ) -> None:
        self.values, self.scalars, self.pairs, self._smooth = values, scalars, pairs, smooth
        self._sphere = sphere

    def read(self, pose: Pose) -> Float[Tensor, "channels vertices"]:
        """Return the static fields, see `StaticFields`."""
        return self.values if pose is None or not len(self.values) else self._inputs.read(self._fields, pose=pose)[0]

    @cached_property
    def _inputs(self) -> SphereInputs:
        places = PointLocations(self._sphere.pos.numpy())
        sizes = {"scalars": self.scalars, "pairs": self.pairs}
        return SphereInputs(self._sphere, places, latitude=False, smooth=self._smooth, **sizes)

    @cached_property
    def _fields(self) -> SphereFields:
        coefficients = self.values[self.scalars :].unflatten(0, (2, self.pairs)).movedim(0, 1)
        vectors = (
            from_chart_frames(coefficients, self._sphere) if self.pairs else torch.zeros(0, 3, len(self.values[0]))
        )
        return SphereFields(self.values[: self.scalars].numpy(), vectors.numpy(), None)


class Conditions:
    """Further inputs of a step, scalars and vectors at the vertices: static fields, |sine of latitude|, time.

    Args:
        sphere: the icosphere.
        static: fields without time.
        latitude: whether to give the latitude.
        clock: time of day and of the year; `None` to leave it out.
    """

    def __init__(self, sphere: Icosphere, static: StaticFields, *, latitude: bool, clock: Clock | None) -> None:
        self.static, self.latitude, self.clock = static, latitude, clock
        self.scalars = static.scalars + latitude + (clock.scalars if clock else 0)
        self.pairs = static.pairs + (clock.vectors if clock else 0)
        self._points = sphere.pos.numpy()
        self._frame = sphere.frame.numpy()

    def at(self, hours: Float[ndarray, "times"], pose: Pose = None) -> Float[Tensor, "times channels vertices"]:
        """Return the conditions at some times: scalars, then first, then second components of the vectors."""
        count, fixed = len(hours), self.static.read(pose)
        scalars = [fixed[: self.static.scalars].expand(count, -1, -1)]
        vectors = [fixed[self.static.scalars :].unflatten(0, (2, self.static.pairs)).expand(count, -1, -1, -1)]
        if self.latitude:
            scalars.append(self._sine(pose).abs().expand(count, 1, -1))
        if self.clock is not None:
            places = self._points if pose is None else self._points @ pose.T
            values, in_space = self.clock.fields(np.asarray(hours, dtype=np.float64), places)
            in_space = in_space if pose is None else np.einsum("ji,tpjn->tpin", pose, in_space)
            components = np.einsum("nic,tpin->tcpn", self._frame, in_space)
            scalars.append(torch.from_numpy(values).float())
            vectors.append(torch.from_numpy(components).float())
        return torch.cat([torch.cat(scalars, 1), torch.cat(vectors, 2).flatten(1, 2)], 1)

    def side(self, pose: Pose = None) -> Float[Tensor, "vertices"]:
        """Return 1 on the northern, -1 on the southern hemisphere, interpolated within ten degrees of the equator."""
        return (self._sine(pose) / FADE).clamp(-1, 1) if self.latitude else torch.zeros(len(self._points))

    def _sine(self, pose: Pose) -> Float[Tensor, "vertices"]:
        return torch.from_numpy(np.ascontiguousarray(sine_of_latitude(self._points, pose))).float()
