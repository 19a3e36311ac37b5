"""Saved networks: learned weights as safetensors, with a JSON description of the class and its arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from torch import nn

import gaugenet
from gaugenet import _zoo

DESCRIPTION = "run.json"
WEIGHTS = {"best": "model.safetensors", "last": "last.safetensors"}
Which = Literal["best", "last"]


class RunError(ValueError):
    """The error for a run folder that cannot be used; its message tells what is missing or broken, and what to do."""


def load(name: str) -> nn.Module:
    """Return a network of the model zoo with its learned weights, in evaluation mode.

    `gaugenet models list` lists the names. `pretrained_folder` returns the run: pass it to `gaugenet.tasks.Predictor`,
    which computes the inputs of the network as in training.

    Args:
        name: name of the network, for example `"human_seg"`. Its files are checked by their SHA-256.

    Raises:
        ZooError: If the zoo has no such network, or a file was changed.
        RunError: If the files do not describe a network of this version.

    Example:
        >>> import gaugenet
        >>> from gaugenet.models import load
        >>> network = gaugenet.models.load("human_seg")
        >>> type(network).__name__, network.training
        ('MeshUNet', False)
    """
    folder = _zoo.folder_of(name)
    values = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    network = build_model(values["model"], values["arguments"])
    load_weights(folder, network, "best")
    return network.eval()


def pretrained_folder(name: str) -> Path:
    """Return the folder of a network of the model zoo: a run for `Predictor`, `load_run` and `evaluate`.

    Args:
        name: name of the network, for example `"human_seg"`.

    Raises:
        ZooError: If the zoo has no such network, or a file was changed.

    Example:
        >>> import gaugenet
        >>> from gaugenet.models import pretrained_folder
        >>> (gaugenet.models.pretrained_folder("human_seg") / "run.json").exists()
        True
    """
    return _zoo.folder_of(name)


def build_model(name: str, arguments: dict[str, Any]) -> nn.Module:
    """Construct a network of `gaugenet.models` by name.

    Raises:
        RunError: If there is no such network, or it does not accept these arguments.
    """
    from gaugenet import models

    cls = getattr(models, name, None)
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise RunError(
            f"gaugenet.models has no network {name!r} in version {gaugenet.__version__}: use the version that saved it."
        )
    try:
        return cls(**arguments)
    except TypeError as error:
        raise RunError(f"{name} does not accept the arguments of this run: {error}.") from error


def load_weights(run: str | Path, model: nn.Module, which: Which) -> None:
    """Read learned weights into `model`.

    Raises:
        RunError: If the file is missing, truncated, or belongs to another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(run) / WEIGHTS[which]
    if not path.is_file():
        raise RunError(
            f"{run} holds no weights ({WEIGHTS[which]}): its training was stopped before the end of the first epoch."
        )
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise RunError(
            f"{path} is truncated or not a safetensors file ({error}): restore it or train again."
        ) from error
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise RunError(f"{path} does not fit the network that {DESCRIPTION} describes: {first}") from error
