"""Normalization of climate fields: statistics of the training part, stored with the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet._typing import typed_array
from gaugenet.data.climate.dataset import ClimateFrame
from gaugenet.data.climate.variables import ClimateVariables
from gaugenet.data.meshes.sample import DataError

_FAR = 30.0
"""A global mean this many standard deviations from the training data means that the units are wrong."""


@dataclass(frozen=True)
class Normalization:
    """Area-weighted mean and standard deviation of each scalar, root mean square component of each vector field.

    Vectors are scaled and not shifted, since subtracting a vector field would prefer some directions.

    Attributes:
        mean: mean of each scalar.
        std: standard deviation of each scalar.
        scale: root mean square component of each vector field.

    Example:
        >>> from gaugenet.data import ClimateFiles, Normalization, SyntheticWeather
        >>> frames = ClimateFiles(SyntheticWeather().write("weather.nc", steps=2))
        >>> normalization = Normalization.of(frames, frames.grid.area)
        >>> round(float((normalization.vectors(frames[0].vectors) ** 2).mean()))
        1
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def of(cls, frames: Sequence[ClimateFrame], area: Float[ndarray, "*shape"], *, at_most: int = 64) -> Normalization:
        """Return the statistics of up to `at_most` evenly spaced frames.

        Args:
            frames: the frames of the training part.
            area: area of each location.
            at_most: largest number of frames that are read.

        Raises:
            DataError: If a field is constant.
        """
        chosen = np.unique(np.round(np.linspace(0, len(frames) - 1, min(at_most, len(frames)))).astype(int))
        weight = (area / area.sum()).reshape(-1)
        first, second = np.zeros(len(frames[0].scalars)), np.zeros(len(frames[0].scalars))
        square = np.zeros(len(frames[0].vectors))
        for index in chosen:
            frame = frames[int(index)]
            scalars = frame.scalars.reshape(len(frame.scalars), len(weight)).astype(np.float64)
            vectors = frame.vectors.reshape(len(frame.vectors), 2, len(weight)).astype(np.float64)
            first += scalars @ weight / len(chosen)
            second += scalars**2 @ weight / len(chosen)
            square += (vectors**2 @ weight).mean(axis=1) / len(chosen)
        std, scale = np.sqrt(np.maximum(second - first**2, 0)), np.sqrt(square)
        size = [*np.abs(first), *scale]
        flat = [k for k, s in enumerate([*std, *scale]) if not s > 1e-7 * max(1e-30, size[k])]
        if flat:
            raise DataError(f"Input field {flat[0]} (scalars first) is the same everywhere: leave it out.")
        return cls(tuple(first.tolist()), tuple(std.tolist()), tuple(scale.tolist()))

    def check(self, frame: ClimateFrame, variables: ClimateVariables, area: Float[ndarray, "*shape"]) -> None:
        """Refuse fields that seem to have other units, for files without units.

        Raises:
            DataError: If a global mean, or the size of a vector field, is far from the training data.
        """
        weight = (area / area.sum()).reshape(-1)
        means = frame.scalars.reshape(len(frame.scalars), len(weight)) @ weight
        sizes = np.sqrt((frame.vectors.reshape(len(frame.vectors), 2, len(weight)) ** 2 @ weight).mean(axis=1))
        for name, value, mean, std in zip(variables.scalars, means, self.mean, self.std):
            if abs(value - mean) > _FAR * std:
                raise DataError(
                    f"{frame.path}: {name!r} has the global mean {value:.4g}, the training data {mean:.4g} with a "
                    f"deviation of {std:.2g} ({variables.units.get(name) or 'no units'}): are its units wrong?"
                )
        for (u, v), size, scale in zip(variables.vectors, sizes, self.scale):
            if not scale / _FAR < size < _FAR * scale:
                raise DataError(
                    f"{frame.path}: {u!r}, {v!r} have the size {size:.3g}, the training data {scale:.3g} "
                    f"({variables.units.get(u) or 'no units'}): are their units wrong?"
                )

    def scalars(self, values: Float[ndarray, "scalars *shape"]) -> Float[ndarray, "scalars *shape"]:
        """Return scalars of mean 0 and standard deviation 1."""
        shape = (-1, *[1] * (values.ndim - 1))
        mean, std = (np.array(v, dtype=values.dtype).reshape(shape) for v in (self.mean, self.std))
        return typed_array((values - mean) / std)

    def vectors(self, values: Float[ndarray, "pairs k *shape"]) -> Float[ndarray, "pairs k *shape"]:
        """Return vectors whose components have root mean square 1."""
        return typed_array(values / np.array(self.scale, dtype=values.dtype).reshape(-1, *[1] * (values.ndim - 1)))

    def as_dict(self) -> dict[str, Any]:
        return {"mean": list(self.mean), "std": list(self.std), "scale": list(self.scale)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Normalization:
        return cls(*(tuple(values[k]) for k in ("mean", "std", "scale")))
