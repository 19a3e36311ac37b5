"""Options of forecasts: the files, the step in time, the length of roll-outs, and the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from gaugenet.data.climate.channels import variable_of
from gaugenet.tasks.training.options import TaskError, check


@dataclass(frozen=True)
class ForecastData:
    """The files of a training, and how they become fields on an icosphere.

    Attributes:
        files: NetCDF files, Zarr stores, or folders of NetCDF files. Files with the same times are separate
            simulations.
        val: files for validation; by default blocks of time of `files` are set aside.
        static: files of fields without time, such as orography, on any global grid. Variables without time in `files`
            are static too.
        scalars: names of scalar fields separated by commas, z@500 for z at the level 500; auto takes every field that
            is not a wind.
        vectors: pairs U:V or u@850:v@850 separated by commas; auto goes by standard names, then by u and v in names.
        levels: all, or values separated by commas: variables with a level or an ensemble dimension become one channel
            for each.
        step_hours: length of a step in hours, a multiple of the time between the steps of the files; that time by
            default.
        rollout: steps of a forecast in training; the loss is the mean over all of them.
        val_rollout: steps of a forecast in validation.
        level: level of the icosphere: 10 * 4^level + 2 vertices, 2 degrees apart at 5, 1 at 6, 0.25 at 8.
        interpolation: of fields at the vertices, and of their change on the grid: smooth (polynomials or radial basis
            functions), or linear, for fields with jumps.
        latitude: give the network the absolute sine of latitude, and every wind also rotated by 90 degrees to the
            cyclonic side of its hemisphere. A planet that does not rotate does not need it.
        clock: give the network the direction of the sun and the season, from the dates of the files.
        rotate: train on globes rotated at random; the axis and static fields rotate with them.
        mirror: train on mirror images of the globe too.
        missing: values that are not finite: refuse them, or replace them by the mean.
        val_fraction: share of the blocks of time for validation, if no files are named; 0 means no validation.
        block_hours: length of the blocks of time.
        gap_hours: least time between training and validation; steps in between are left out.
        batch_size: roll-outs in a step of the optimizer.
        memory: gigabytes of frames that are cached in memory; others are read again each time.
        num_workers: processes that prepare globes ahead of the training; 0 does it in the training process.
    """

    files: list[str] | None = None
    val: list[str] | None = None
    static: list[str] | None = None
    scalars: str = "auto"
    vectors: str = "auto"
    levels: str = ""
    step_hours: float | None = None
    rollout: int = 1
    val_rollout: int = 4
    level: int = 5
    interpolation: Literal["smooth", "linear"] = "smooth"
    latitude: bool = True
    clock: bool = True
    rotate: bool = False
    mirror: bool = False
    missing: Literal["refuse", "mean"] = "refuse"
    val_fraction: float = 0.2
    block_hours: float = 240.0
    gap_hours: float = 72.0
    batch_size: int = 4
    memory: float = 2.0
    num_workers: int = 0

    def __post_init__(self) -> None:
        check(1 <= self.level <= 10, "data.level", "from 1 to 10", self.level)
        check(self.step_hours is None or self.step_hours > 0, "data.step_hours", "positive", self.step_hours or 0)
        check(self.rollout >= 1, "data.rollout", "at least 1", self.rollout)
        check(self.val_rollout >= 1, "data.val_rollout", "at least 1", self.val_rollout)
        check(self.batch_size >= 1, "data.batch_size", "at least 1", self.batch_size)
        check(0 <= self.val_fraction < 1, "data.val_fraction", "in [0, 1)", self.val_fraction)
        check(self.block_hours > 0, "data.block_hours", "positive", self.block_hours)
        check(self.gap_hours >= 0, "data.gap_hours", "at least 0", self.gap_hours)
        check(self.memory >= 0, "data.memory", "at least 0", self.memory)
        check(self.num_workers >= 0, "data.num_workers", "at least 0", self.num_workers)

    @property
    def smooth(self) -> bool:
        """Whether interpolation is smooth, see `SphereInputs`."""
        return self.interpolation == "smooth"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a run's description, without the locations of the files."""
        left_out = ("files", "val", "static", "num_workers", "memory")
        return {k: v for k, v in asdict(self).items() if k not in left_out}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ForecastData:
        """Read the values of `as_dict`; other entries are ignored. Runs of earlier versions are linear."""
        return cls(
            **{"interpolation": "linear"} | {k: v for k, v in values.items() if k in {f.name for f in fields(cls)}}
        )


@dataclass(frozen=True)
class ForecastLoss:
    """The loss: errors in units of the change in a step, weighted by area.

    Attributes:
        kind: l2, the mean square, or l1, the mean absolute error (for vectors, the mean length of the error).
        weights: factors of channels or of variables, such as `z@500:2,u:0.5`. A vector takes the factor of its first
            component. All other channels have the factor 1.
    """

    kind: Literal["l2", "l1"] = "l2"
    weights: str = ""

    def __post_init__(self) -> None:
        self._factors()

    def weights_of(self, names: Sequence[str]) -> list[float]:
        """Return the factor of each channel.

        Raises:
            TaskError: If a factor names an unknown channel.
        """
        factors = self._factors()
        unknown = [name for name in factors if name not in {*names, *map(variable_of, names)}]
        if unknown:
            raise TaskError(f"`loss.weights` names {unknown[0]!r}: the channels are {', '.join(names)}.")
        return [factors.get(name, factors.get(variable_of(name), 1.0)) for name in names]

    def _factors(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for part in filter(None, (text.strip() for text in self.weights.split(","))):
            name, _, number = part.rpartition(":")
            try:
                found[name] = float(number)
            except ValueError:
                raise TaskError(f"Expected `loss.weights` as NAME:FACTOR, got {part!r}.") from None
            check(found[name] >= 0, f"loss.weights of {name}", "at least 0", found[name])
        return found
