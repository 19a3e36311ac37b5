"""How far the inputs of a mesh are from those of the training meshes: a hint that a network may not work on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from gaugenet.data import InputFeatures
from gaugenet.groups import O2

if TYPE_CHECKING:
    from gaugenet.geometry import GaugeGraph
    from gaugenet.tasks.mesh.preparation import Prepared

_SHARES = (0.1, 0.5, 0.9)
_FEWEST = 5
_FLOOR = 0.05
_USUAL = 0.95


@dataclass(frozen=True)
class Likeness:
    """The distribution of the inputs over the training meshes.

    The inputs of a mesh are summarized by the 10 %, 50 % and 90 % quantiles, by area, of each scalar and of the size of
    each vector and tensor. The distance of a mesh is the root mean square of the differences from the mean over the
    training meshes, in units of their standard deviations. It is divided by the median of the same number for training
    meshes, each compared with all others.

    Attributes:
        mean: mean of each quantile.
        spread: its standard deviation, at least 5 % of the mean range between the outer quantiles of the same input.
        typical: median of the distances of training meshes before the division.
        usual: 95 % of the training meshes have a distance of at most this, after the division.
    """

    mean: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    typical: float = 1.0
    usual: float = 1.0

    @classmethod
    def of(cls, summaries: Sequence[Float[ndarray, "quantiles"]]) -> Likeness | None:
        """Return the distribution of the summaries of training meshes; `None` for fewer than 5, or without inputs."""
        if len(summaries) < _FEWEST or not len(summaries[0]):
            return None
        x = np.stack(summaries)
        low, _, high = np.split(x, len(_SHARES), axis=1)
        floor = np.tile(_FLOOR * (high - low).mean(axis=0), len(_SHARES)) + 1e-6 * np.abs(x).mean(axis=0) + 1e-300
        others = (np.delete(x, k, axis=0) for k in range(len(x)))
        found = np.array([_distance(one, rest.mean(axis=0), _spread(rest, floor)) for one, rest in zip(x, others)])
        typical = float(max(np.median(found), 1e-9))
        usual = float(np.quantile(found, _USUAL)) / typical
        return cls(x.mean(axis=0).tolist(), _spread(x, floor).tolist(), typical, usual)

    def distance(self, summary: Float[ndarray, "quantiles"]) -> float:
        """Return the distance of a mesh; training meshes have about 1.

        Raises:
            ValueError: If the summary is of other inputs.
        """
        if len(summary) != len(self.mean):
            raise ValueError(f"Expected a summary of {len(self.mean)} quantiles, got {len(summary)}.")
        return _distance(summary, np.array(self.mean), np.array(self.spread)) / self.typical

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `run.json`."""
        values = asdict(self)
        for name in ("mean", "spread"):
            values[name] = [float(f"{value:.5g}") for value in values[name]]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Likeness | None:
        """Read the values of `as_dict`; `None` if there are none."""
        return cls(**values) if values else None


def likeness_of(prepared: Sequence[Prepared], features: InputFeatures) -> dict[str, Any]:
    """Return the distribution of the inputs of training meshes for `run.json`; empty where there is none."""
    found = Likeness.of([summary_of(one.graph, features) for one in prepared])
    return {} if found is None else found.as_dict()


def summary_of(graph: GaugeGraph, features: InputFeatures) -> Float[ndarray, "quantiles"]:
    """Return the quantiles of the intrinsic inputs of a prepared graph; empty without intrinsic inputs.

    Args:
        graph: the graph of one mesh with the values of its features, before they are assembled into `x`.
        features: the inputs.
    """
    if not features.intrinsic:
        return np.zeros(0)
    chosen = InputFeatures(list(features.intrinsic))
    x, columns, start = chosen(graph).x.double().numpy(), [], 0
    for label, count in chosen.fields.items():
        dim = O2().irrep(label).dim
        block = x[:, start : start + dim * count].reshape(len(x), dim, count)
        columns.append(block[:, 0] if label == "0" else np.linalg.norm(block, axis=1))
        start += dim * count
    values, mass = np.concatenate(columns, axis=1), graph.mass.double().numpy()
    return np.stack([_quantiles(column, mass) for column in values.T], axis=1).reshape(-1)


def _quantiles(values: Float[ndarray, "n"], mass: Float[ndarray, "n"]) -> Float[ndarray, "3"]:
    """Return the quantiles of values whose shares are `mass`."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(mass[order]) - 0.5 * mass[order]
    found: Float[ndarray, "3"] = np.interp(np.array(_SHARES) * mass.sum(), below, values[order])
    return found


def _spread(x: Float[ndarray, "meshes quantiles"], floor: Float[ndarray, "quantiles"]) -> Float[ndarray, "quantiles"]:
    spread: Float[ndarray, "quantiles"] = np.maximum(x.std(axis=0), floor)
    return spread


def _distance(summary: ndarray, mean: ndarray, spread: ndarray) -> float:
    return float(np.sqrt((((summary - mean) / spread) ** 2).mean()))
