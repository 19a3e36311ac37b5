"""Task: the base class of all tasks. The commands look tasks up in `gaugenet.tasks.table`."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from gaugenet.tasks.training.module import TrainingModule
    from gaugenet.tasks.training.run import RunDescription


@dataclass(frozen=True)
class OptionGroup:
    """The options of one part of a training: `--NAME.OPTION` for every argument of a class.

    Attributes:
        name: name of the group.
        source: the class, as `package.module:Class`. It is imported when a training starts, not for help.
        skip: arguments that the task sets itself.
        built: pass an instance of the class to the task; otherwise a dictionary of its arguments.
    """

    name: str
    source: str
    skip: frozenset[str] = frozenset()
    built: bool = True

    def load(self) -> type:
        """Import and return the class."""
        module, _, name = self.source.partition(":")
        found: type = getattr(importlib.import_module(module), name)
        return found


OPTIM_WITHOUT_LABELS = OptionGroup(
    "optim",
    "gaugenet.tasks.training.options:OptimOptions",
    skip=frozenset({"smoothing", "loss_on", "corners", "label_flow"}),
)
"""The optimizer of tasks that label no faces or vertices."""


@dataclass(frozen=True)
class Option:
    """An option of `gaugenet evaluate` or `gaugenet predict`.

    Attributes:
        name: `--NAME`, or `NAME` for a positional argument.
        settings: keyword arguments of `ArgumentParser.add_argument`.
    """

    name: str
    settings: dict[str, Any]

    @property
    def keyword(self) -> str:
        """Name of the keyword argument in the methods of the task."""
        return self.name.removeprefix("--").replace("-", "_")


def option(name: str, **settings: Any) -> Option:
    """Return an `Option` with the keyword arguments of `ArgumentParser.add_argument`."""
    return Option(name, settings)


WEIGHTS = option("--weights", type=Literal["best", "last"], default="best", help="which weights of the run")
DEVICE = option("--device", type=str | None, default=None, help="cpu, cuda, ...; a GPU if there is one by default")
OVERWRITE = option("--overwrite", action="store_true", help="replace outputs that exist; inputs are never replaced")
RESULTS = option("--out", type=Path | None, default=None, metavar="DIR", help="folder of the results; RUN by default")
THREADS = option("--threads", type=int | None, default=None, help="CPU threads; torch decides by default")


@dataclass(frozen=True)
class Usage:
    """A description of what a command does with the runs of a task, and its options."""

    description: str
    options: tuple[Option, ...]


class TrainingData(Protocol):
    """A `LightningDataModule` with the data for validation as `val`."""

    @property
    def val(self) -> Sized:
        """The data held out for validation, perhaps empty."""


@dataclass
class Training:
    """A training that can start.

    Attributes:
        module: the network with its first weights, and its loss.
        description: the content of `run.json`.
        load: function that reads and prepares the data, given the folder of the run. This may take long, so it is
            called only after everything else has been checked.
    """

    module: TrainingModule
    description: RunDescription
    load: Callable[[Path], TrainingData]


@dataclass(frozen=True)
class Fold:
    """A training of a cross-validation.

    Attributes:
        options: of the training.
        held_out: names of the items that it is validated and scored on.
    """

    options: Mapping[str, Any]
    held_out: list[str]


@dataclass(frozen=True)
class FoldScores:
    """Scores on the items that a fold held out.

    Attributes:
        figures: scores by name, printed in percent.
        classes: one score for each class, by name; `None` where the class does not occur.
    """

    figures: dict[str, float]
    classes: dict[str, float | None] = field(default_factory=dict)


@dataclass
class Prediction:
    """The report of `predict`: a line for each input, and a message for each input that could not be used."""

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, entries: Sequence[Mapping[str, Any]], describe: Callable[[Mapping[str, Any]], str]) -> Prediction:
        """Return the report of the entries of a summary; an entry with `error` could not be used."""
        return cls(
            lines=[describe(entry) for entry in entries if "error" not in entry],
            problems=[entry["error"] for entry in entries if "error" in entry],
        )


class Task(ABC):
    """A task: the data, network, loss, scores, outputs and pictures of one kind of training.

    To add a task, write one subclass and one line in `gaugenet.tasks.table`. Then `gaugenet train NAME` trains it.
    The commands `evaluate`, `predict` and `view` find the task of a run by the name in `run.json`.

    The module of a task imports neither torch nor Lightning. Its methods import what they need, so that help and
    lookups are quick. Code that training and inference share must not import the trainer.

    Attributes:
        name: name on the command line and in `run.json`.
        summary: one line for `gaugenet train --help`.
        groups: options of the training; `begin` receives one entry for each.
        defaults: values of options where they differ from those of the classes, by full name. They may name options of
            Lightning's trainer (`trainer.max_epochs`).
        shortcuts: short forms of options, with their full names.
        lists: full names of options that take several values.
        headline: metrics that are reported after a training.
        evaluation, prediction: how `evaluate` and `predict` are called; each option is a keyword argument.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    groups: ClassVar[tuple[OptionGroup, ...]]
    defaults: ClassVar[Mapping[str, Any]] = {}
    shortcuts: ClassVar[Mapping[str, str]] = {}
    lists: ClassVar[frozenset[str]] = frozenset()
    headline: ClassVar[tuple[str, ...]] = ()
    evaluation: ClassVar[Usage]
    prediction: ClassVar[Usage]

    @abstractmethod
    def begin(self, options: Mapping[str, Any], *, seed: int) -> Training:
        """Open the data and build the network with its loss.

        Args:
            options: for each of `groups` an instance of its class, or its arguments.
            seed: seed of all random numbers.

        Raises:
            ValueError: If an option or the data cannot be used. No file is written then.
        """

    def is_cross_validation(self, options: Mapping[str, Any]) -> bool:
        """Return whether the options ask for several trainings, one for each fold."""
        return False

    def folds(self, options: Mapping[str, Any], run: Path) -> list[Fold]:
        """Return the trainings of a cross-validation.

        Args:
            options: as in `begin`.
            run: the folder that holds the runs of all folds.

        Raises:
            ValueError: If the data cannot be split into these folds.
        """
        raise ValueError(f"There is no cross-validation of {self.name}.")

    def score_fold(self, run: Path, fold: Fold) -> FoldScores:
        """Score the last weights of the run of a fold on the items that it held out."""
        raise ValueError(f"There is no cross-validation of {self.name}.")

    @abstractmethod
    def evaluate(self, run: Path, **options: Any) -> dict[str, Any]:
        """Score a run on labelled data, write scores and pictures into its folder, and return the scores.

        The result consists of plain values for JSON.
        """

    @abstractmethod
    def describe(self, result: Mapping[str, Any]) -> str:
        """Format the result of `evaluate` as a table."""

    @abstractmethod
    def predict(self, run: Path, **options: Any) -> Prediction:
        """Apply a run to new data and write its predictions."""

    @abstractmethod
    def draw(self, run: Path, file: Path, **look: Any) -> str:
        """Write a page (`.html`) or a picture (`.png`) of a run that was evaluated, and return a line about it.

        Args:
            run: folder of the run.
            file: what to write.
            look: `split`, `limit`, `worst`, `title`, `theme`, `azimuth` and `elevation` of `gaugenet view`; a task may
                ignore options that do not concern its pictures.
        """
