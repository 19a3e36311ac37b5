"""Options of climate-pattern segmentation: the files, their conversion to inputs, and the loss."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from gaugenet.tasks.training.loss_options import LossOptions
from gaugenet.tasks.training.options import check

Layout = Literal["auto", "netcdf", "happi20"]


@dataclass(frozen=True)
class ClimateData:
    """The climate files of a training, and how they become fields on an icosphere.

    Attributes:
        files: NetCDF files, Zarr stores, or folders of NetCDF (or HAPPI20 npz) files.
        val: files for validation; by default blocks of time of `files` are set aside.
        layout: netcdf (plain CF and ClimateNet files), happi20 (npz files), or auto.
        scalars: names of scalar inputs separated by commas; auto takes every field that is not a wind.
        vectors: pairs U850:V850 separated by commas; auto goes by standard names, then by u and v in the names.
        levels: all, or values separated by commas: variables with a level or an ensemble dimension become one channel
            for each, such as z@500; scalars and vectors may also name channels one by one.
        label: name of the label variable; auto takes the one with flag_meanings, or a usual name.
        level: level of the icosphere: 10 * 4^level + 2 vertices, 2 degrees apart at 5, 1 at 6, 0.25 at 8.
        latitude: give the network the absolute sine of latitude, and every wind also rotated by 90 degrees to the
            cyclonic side of its hemisphere. A southern storm is then the mirror image of a northern one.
        rotate: train on globes rotated at random; latitude rotates with them.
        mirror: train on mirror images of the globe, in which storms change hemisphere.
        gain: strengthen or weaken the wind of a whole globe at random by up to this factor.
        missing: values that are not finite: refuse them, or replace them by the mean.
        val_fraction: share of the blocks of time for validation, if no files are named; 0 means no validation.
        block_hours: length of the blocks of time.
        gap_hours: least time between training and validation; steps in between are left out.
        batch_size: globes in a step.
        memory: gigabytes of frames that are cached in memory; others are read again each time.
        num_workers: processes that prepare globes ahead of the training; 0 does it in the training process.
    """

    files: list[str] | None = None
    val: list[str] | None = None
    layout: Layout = "auto"
    scalars: str = "auto"
    vectors: str = "auto"
    levels: str = ""
    label: str = "auto"
    level: int = 5
    latitude: bool = True
    rotate: bool = True
    mirror: bool = True
    gain: float = 1.2
    missing: Literal["refuse", "mean"] = "refuse"
    val_fraction: float = 0.2
    block_hours: float = 240.0
    gap_hours: float = 72.0
    batch_size: int = 4
    memory: float = 2.0
    num_workers: int = 0

    def __post_init__(self) -> None:
        check(1 <= self.level <= 10, "data.level", "from 1 to 10", self.level)
        check(self.batch_size >= 1, "data.batch_size", "at least 1", self.batch_size)
        check(0 <= self.val_fraction < 1, "data.val_fraction", "in [0, 1)", self.val_fraction)
        check(self.block_hours > 0, "data.block_hours", "positive", self.block_hours)
        check(self.gap_hours >= 0, "data.gap_hours", "at least 0", self.gap_hours)
        check(self.gain >= 1, "data.gain", "at least 1", self.gain)
        check(self.memory >= 0, "data.memory", "at least 0", self.memory)
        check(self.num_workers >= 0, "data.num_workers", "at least 0", self.num_workers)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a run's description, without the locations of the files."""
        return {k: v for k, v in asdict(self).items() if k not in ("files", "val", "num_workers", "memory")}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ClimateData:
        """Read the values of `as_dict`; other entries are ignored."""
        return cls(**{k: v for k, v in values.items() if k in {f.name for f in fields(cls)}})


@dataclass(frozen=True)
class ClimateLoss(LossOptions):
    """The loss; every term is weighted by area, and ignored labels have no influence.

    Attributes:
        terms: cross_entropy, focal, dice and jaccard, joined by plus signs, with factors if wanted.
        class_weights: how much a class counts in cross_entropy and focal: one positive number a class, of which only
            the ratios matter; inverse (of its share of the area) or effective (of its effective number of samples);
            none counts areas.
        balance: inverse takes shares of the area to the power of minus this: 0 counts areas, 1 counts classes.
        beta: effective counts n samples as (1 - beta^n) / (1 - beta).
        focus: exponent of the focal loss.
    """

    terms: str = "cross_entropy + dice"
    class_weights: list[float] | str | None = "inverse"
    balance: float = 0.5
