"""Forecasts from the time steps of files, on the icosphere and at the locations of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gaugenet._caching import BoundedCache
from gaugenet.data.climate.dataset import ClimateFiles, ClimateFrame
from gaugenet.data.climate.sampling import Interpolation
from gaugenet.data.climate.variables import ClimateVariables
from gaugenet.data.normalization import Normalization
from gaugenet.geometry import Icosphere
from gaugenet.geometry.icosphere.vectors import from_chart_frames
from gaugenet.tasks.climate.inputs import SphereFields
from gaugenet.tasks.forecast.clock import Clock
from gaugenet.tasks.forecast.conditions import Conditions, Pose, StoredFields
from gaugenet.tasks.forecast.files import inputs_of, kept_fields
from gaugenet.tasks.forecast.options import ForecastData
from gaugenet.tasks.forecast.stepper import ForecastStepper, StateLayout
from gaugenet.tasks.training.options import device_of
from gaugenet.tasks.training.run import RunError, Which, load_run


class Forecaster:
    """A trained network that forecasts from the time steps of files; the run is loaded once.

    Args:
        run: folder of the run.
        paths: the files.
        weights: `"best"` or `"last"`.
        missing: as in `ForecastData`; by default as in the training.
        device: device of the network; by default a GPU if there is one.

    Raises:
        RunError: If there is no complete run of this task.
        DataError: If the files lack the variables of the training.
    """

    def __init__(
        self,
        run: str | Path,
        paths: Sequence[str],
        *,
        weights: Which = "best",
        missing: str | None = None,
        device: str | None = None,
    ) -> None:
        self.device = device_of(device)
        self.name = Path(run).name
        network, self.description = load_run(run, weights=weights)
        if self.description.task != "forecast":
            raise RunError(f"{run} is a run of {self.description.task}, not of forecast.")
        values = self.description.data
        self.data = ForecastData.from_dict(values)
        if missing is not None:
            self.data = replace(self.data, missing=missing)  # type: ignore[arg-type]
        self.step_hours = float(values["step_hours"])
        self.normalization = Normalization.from_dict(values["normalization"])
        self.sphere = Icosphere(self.data.level)
        layout = StateLayout(**values["layout"])
        variables = ClimateVariables.from_dict(values["variables"])
        self.files = ClimateFiles(paths, variables=variables, missing=self.data.missing)
        self.inputs = inputs_of(self.files, self.sphere, self.data)
        kept = kept_fields(run)
        self.climatology = kept["climatology"]
        clock = Clock(values["calendar"]) if values["calendar"] is not None else None
        static = StoredFields(kept["static"], self.sphere, smooth=self.data.smooth, **values["static"])
        self.conditions = Conditions(self.sphere, static, latitude=self.data.latitude, clock=clock)
        stepper = ForecastStepper(network, layout, self.sphere, torch.tensor(values["usual_change"]))
        self.stepper = stepper.to(self.device).eval()

    @property
    def layout(self) -> StateLayout:
        return self.stepper.layout

    def frame(self, step: int) -> ClimateFrame:
        """Return a time step of the files after a check of its units against the training."""
        frame = self.files[step]
        self.normalization.check(frame, self.files.variables, self.inputs.locations.area)
        return frame

    def state(self, frame: ClimateFrame, pose: Pose = None) -> Float[Tensor, "channels vertices"]:
        """Return a frame at the vertices, normalized; vertex p sees the location `pose @ p` of the globe."""
        return self.inputs.read(SphereFields.of(frame, self.inputs.locations, self.normalization), pose=pose)[0]

    @torch.inference_mode()
    def roll_out(
        self,
        states: Float[Tensor, "batch channels vertices"],
        hours: Float[ndarray, "batch"],
        steps: int,
        pose: Pose = None,
    ) -> Iterator[Float[Tensor, "batch channels vertices"]]:
        """Yield the states after each step.

        Args:
            states: initial states.
            hours: initial times, in hours since 1970.
            steps: number of steps.
            pose: rotation of the globe for the network.
        """
        side = self.conditions.side(pose).expand(len(states), -1).to(self.device)
        state = states.to(self.device)
        for step in range(steps):
            now = np.asarray(hours) + step * self.step_hours
            condition = self.conditions.at(now, pose).to(self.device)
            state = self.stepper(state, condition, side)
            yield state.cpu()

    def forecast(self, step: int, steps: int, pose: Pose = None) -> Iterator[list[Float[ndarray, "components *shape"]]]:
        """Yield the fields after each step of a forecast from a time step of the files, at its locations, in its units.

        The changes at the vertices are added to the initial fields, so the part that the icosphere does not resolve
        stays constant.
        """
        start = self.frame(step)
        first = self.state(start, pose)
        for state in self.roll_out(first[None], self.files.hours[[step]], steps, pose):
            change = self.at_locations(state[0] - first, pose, absolute=False)
            yield [before + more for before, more in zip(fields_of(start), change)]

    def at_locations(
        self, state: Float[Tensor, "channels vertices"], pose: Pose = None, *, absolute: bool = True
    ) -> list[Float[ndarray, "components *shape"]]:
        """Return the fields at the locations of the file, in their units: scalars, then eastward and northward winds.

        Args:
            state: normalized, at the vertices.
            pose: rotation of the globe.
            absolute: add the means of the scalars; set it to false for differences of states.
        """
        count, shape = self.layout.scalars, self.inputs.locations.shape
        key = b"" if pose is None else pose.tobytes()
        back = self._backs.get(key, lambda: self.inputs.back(pose))
        back_vectors = self._backs.get(b"vectors" + key, lambda: self.inputs.back_vectors(pose))
        mean, std = (np.array(v)[:, None] for v in (self.normalization.mean, self.normalization.std))
        scalars = back.fields(state[:count].double().numpy()) * std + (mean if absolute else 0.0)
        coefficients = state[count:].double().unflatten(0, (2, self.layout.pairs)).movedim(0, 1)
        in_space = back_vectors.fields(from_chart_frames(coefficients, self.sphere).numpy())
        in_space = in_space if pose is None else np.einsum("ij,pjn->pin", pose, in_space)
        winds = np.einsum("nkc,pkn->pcn", self._frames, in_space)
        winds = winds * np.array(self.normalization.scale)[:, None, None]
        return [*(s.reshape(1, *shape) for s in scalars), *(w.reshape(2, *shape) for w in winds)]

    @cached_property
    def _backs(self) -> BoundedCache[Interpolation]:
        return BoundedCache(max_entries=16)

    @cached_property
    def _frames(self) -> Float[ndarray, "cells 3 2"]:
        return self.inputs.locations.frames.reshape(-1, 3, 2)


def fields_of(frame: ClimateFrame) -> list[Float[ndarray, "components *shape"]]:
    """Return the fields of a frame, in the form of `Forecaster.at_locations`."""
    return [*(s[None].astype(np.float64) for s in frame.scalars), *(w.astype(np.float64) for w in frame.vectors)]
