"""Lightning's loggers by name, with plain arguments, so that option files do not name code."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gaugenet.tasks.training.expressions import build_all
from gaugenet.tasks.training.options import TaskError

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

LOGGERS = {
    "tensorboard": ("TensorBoardLogger", "tensorboard"),
    "csv": ("CSVLogger", None),
    "wandb": ("WandbLogger", "wandb"),
    "mlflow": ("MLFlowLogger", "mlflow"),
    "comet": ("CometLogger", "comet_ml"),
}
"""Names on the command line, with the class of `lightning.pytorch.loggers` and the package that it needs."""
_PLACES = frozenset({"save_dir", "dir", "sub_dir", "experiment", "api_key"})
"""Arguments that are set here: logs lie in the run, and keys do not belong into option files."""
_MORE = {
    "wandb": frozenset({"entity", "group", "job_type", "mode", "notes", "resume", "tags"}),
    "tensorboard": frozenset({"comment", "flush_secs", "max_queue"}),
}
"""Arguments that a logger passes on to its service."""


@dataclass(frozen=True)
class _Request:
    """A logger requested by name."""

    name: str
    arguments: dict[str, Any]

    def has_server(self) -> bool:
        """Return whether the user has set where MLflow writes."""
        return "tracking_uri" in self.arguments or "MLFLOW_TRACKING_URI" in os.environ

    def open(self, run: Path) -> Logger:
        from lightning.pytorch import loggers

        defaults: dict[str, Any] = {"save_dir": str(run)}
        if self.name in ("tensorboard", "csv"):
            defaults |= {"name": self.name, "version": ""}
        elif self.name == "mlflow":
            here = {
                "tracking_uri": f"sqlite:///{run.resolve() / 'mlflow.db'}",
                "artifact_location": str(run / "mlruns"),
            }
            defaults = {} if self.has_server() else here
        elif self.name == "comet":
            defaults = {}
        make: Callable[..., Logger] = getattr(loggers, LOGGERS[self.name][0])
        try:
            return make(**{**defaults, **self.arguments})
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise TaskError(f"The logger {self.name} cannot start: {reason}") from error


def parse_loggers(text: str | bool | None) -> list[_Request]:
    """Read names of loggers, with arguments if wanted: `csv, wandb(project="bodies")`.

    Args:
        text: the names, separated by commas. `None` or true means `tensorboard`, false or `none` means no logger.

    Raises:
        TaskError: If there is no such logger, it does not take an argument, or its package is not installed.
    """
    if text is False or (isinstance(text, str) and text.strip().lower() in ("none", "false")):
        return []
    if text is None or text is True:
        text = "tensorboard"
    allowed: dict[str, Callable[..., Any]] = {name: partial(_request, name) for name in LOGGERS}
    allowed |= {cls: partial(_request, name) for name, (cls, _) in LOGGERS.items()}
    found: list[_Request] = build_all(text, allowed)
    return found


def open_loggers(logger: Any, run: Path) -> list[Logger]:
    """Return the loggers of a training.

    Args:
        logger: names as in `parse_loggers`, or logger objects of Lightning.
        run: the folder of the run, which receives the files of loggers that write files.
    """
    if logger is None or isinstance(logger, str | bool):
        return [request.open(run) for request in parse_loggers(logger)]
    return list(logger) if isinstance(logger, Sequence) else [logger]


def _request(name: str, /, *positional: Any, **arguments: Any) -> _Request:
    if positional:
        raise TypeError(f"name the arguments, such as {name}(name={positional[0]!r})")
    for argument in arguments:
        if argument in _PLACES or argument not in _arguments_of(name):
            raise TypeError(
                f"{name} takes {', '.join(sorted(_arguments_of(name) - _PLACES))}, and not {argument}"
                + (", which is set by the training" if argument in _PLACES else "")
            )
    package = LOGGERS[name][1]
    if package is not None and not _is_installed(name, package):
        raise TypeError(f"it needs the package {package}: pip install {package}")
    return _Request(name, arguments)


def _arguments_of(name: str) -> frozenset[str]:
    from lightning.pytorch import loggers

    parameters = inspect.signature(getattr(loggers, LOGGERS[name][0]).__init__).parameters.values()
    named = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    return frozenset(named - {"self"}) | _MORE.get(name, frozenset())


def _is_installed(name: str, package: str) -> bool:
    alternatives = {"tensorboard": ("tensorboard", "tensorboardX"), "mlflow": ("mlflow", "mlflow_skinny")}
    return any(find_spec(one) is not None for one in alternatives.get(name, (package,)))
