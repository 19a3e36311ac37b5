"""Scores of fields: errors of single items, summed for each mesh and over all meshes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from gaugenet._typing import typed_array

METRICS = ("mae", "nmae", "rmse", "r2", "relative_l2", "cosine", "axis_angle")


@dataclass(frozen=True)
class FieldSums:
    """Sums over the known items of one or more meshes, from which all scores follow.

    Attributes:
        count: number of items.
        missing: number of items whose target is missing or masked.
        absolute: sum of the norms of the errors.
        square: sum of their squares.
        largest: largest norm of a target.
        first: sum of the targets.
        second: sum of the squared norms of the targets.
        cosine: sum of the cosines between prediction and target.
        directed: number of items with a direction, whose target is not zero.
        turned: sum of the angles between principal axes, in degrees, weighted by the difference of the principal
            values of the target; tensors only.
        axial: sum of these weights.
    """

    count: int
    missing: int
    absolute: float
    square: float
    largest: float
    first: Float[ndarray, "components"]
    second: float
    cosine: float
    directed: int
    turned: float = 0.0
    axial: float = 0.0

    @classmethod
    def of(
        cls, prediction: Float[ndarray, "n *shape"], target: Float[ndarray, "n *shape"], known: Bool[ndarray, "n"]
    ) -> FieldSums:
        """Return the sums over one mesh, without items that are not known."""
        p, t = (values.reshape(len(values), -1)[known].astype(np.float64) for values in (prediction, target))
        error, size, length = np.linalg.norm(p - t, axis=1), np.linalg.norm(t, axis=1), np.linalg.norm(p, axis=1)
        directed = size > 0
        cosine = (p * t).sum(axis=1)[directed] / np.maximum(size * length, np.finfo(float).tiny)[directed]
        angle, weight = axis_angles(p, t) if p.shape[1] == 9 else (np.zeros(0), np.zeros(0))
        return cls(
            count=len(t),
            missing=int((~known).sum()),
            absolute=float(error.sum()),
            square=float((error**2).sum()),
            largest=float(size.max(initial=0.0)),
            first=t.sum(axis=0),
            second=float((size**2).sum()),
            cosine=float(cosine.sum()),
            directed=int(directed.sum()),
            turned=float((weight * angle).sum()),
            axial=float(weight.sum()),
        )

    def __add__(self, other: FieldSums) -> FieldSums:
        return FieldSums(
            self.count + other.count,
            self.missing + other.missing,
            self.absolute + other.absolute,
            self.square + other.square,
            max(self.largest, other.largest),
            self.first + other.first,
            self.second + other.second,
            self.cosine + other.cosine,
            self.directed + other.directed,
            self.turned + other.turned,
            self.axial + other.axial,
        )

    def scores(self) -> dict[str, float | int | None]:
        """Return the scores; `None` where one is not defined.

        - `mae`: mean norm of the error; `nmae`: divided by the largest norm of a target; `rmse`: root of the mean
          square.
        - `r2`: 1 - sum of squared errors / sum of squared deviations of the targets from their mean, over all
          components.
        - `relative_l2`: root of the sum of squared errors over the sum of squared targets.
        - `cosine`: mean cosine between prediction and target, of vectors and tensors whose target is not zero.
        - `axis_angle`: mean angle in degrees between the principal axes of prediction and target, see `axis_angles`.
        """
        spread = self.second - float(self.first @ self.first) / max(self.count, 1)
        several = len(self.first) > 1
        mae = self.absolute / self.count if self.count else None
        flat = not spread > 1e-12 * self.second
        return {
            "count": self.count,
            "missing": self.missing,
            "mae": mae,
            "nmae": None if mae is None or not self.largest else mae / self.largest,
            "rmse": (self.square / self.count) ** 0.5 if self.count else None,
            "r2": None if flat else 1.0 - self.square / spread,
            "relative_l2": (self.square / self.second) ** 0.5 if self.second else None,
            "cosine": self.cosine / self.directed if several and self.directed else None,
            "axis_angle": self.turned / self.axial if self.axial > 0 else None,
        }


def axis_angles(
    prediction: Float[ndarray, "n 9"], target: Float[ndarray, "n 9"]
) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
    r"""Return the angles in degrees between principal axes of tangential tensors, and their weights.

    The traceless part `A` of a symmetric tensor of a plane has the axes of the tensor, and turns by `2 theta` if they
    turn by `theta`. So `cos 2 theta = <A, B> / (|A| |B|)` with `<A, B> = tr(S T) - tr S tr T / 2`, which holds in
    coordinates of space, too. The weight is the difference of the two principal values of the target, because the
    axes of equal values are arbitrary. A prediction without axes counts as 45 degrees, as random axes do on average.

    Args:
        prediction: symmetric tensors `S` in space, row by row, whose null space contains the normal.
        target: the same for `T`.
    """

    def product(a: ndarray, b: ndarray) -> ndarray:
        return typed_array((a * b).sum(axis=1) - 0.5 * _trace(a) * _trace(b))

    both = np.sqrt(np.maximum(product(prediction, prediction) * product(target, target), 0.0))
    cosine = np.divide(product(prediction, target), both, out=np.zeros_like(both), where=both > 1e-300)
    angle = np.degrees(0.5 * np.arccos(np.clip(cosine, -1.0, 1.0)))
    return typed_array(angle), typed_array(np.sqrt(np.maximum(2 * product(target, target), 0.0)))


def _trace(tensors: Float[ndarray, "n 9"]) -> Float[ndarray, "n"]:
    return typed_array(tensors[:, [0, 4, 8]].sum(axis=1))


def total(sums: Sequence[FieldSums]) -> FieldSums:
    """Add the sums of all meshes.

    Raises:
        ValueError: If there are none.
    """
    if not sums:
        raise ValueError("Expected the sums of at least one mesh, got none.")
    result = sums[0]
    for other in sums[1:]:
        result = result + other
    return result
