"""A run on disk: learned weights as safetensors, and a JSON description that rebuilds the network and its inputs."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

import gaugenet
from gaugenet.files import atomic_path, reason_unread, write_json
from gaugenet.models.saved import DESCRIPTION, WEIGHTS, RunError, Which, build_model, load_weights

__all__ = [
    "DESCRIPTION",
    "FOLDS",
    "WEIGHTS",
    "RunDescription",
    "RunError",
    "Which",
    "build_model",
    "load_run",
    "load_weights",
    "save_weights",
]

logger = logging.getLogger(__name__)

FORMAT = 1
FOLDS = "folds.json"
"""What a cross-validation writes next to the runs of its folds."""


@dataclass
class RunDescription:
    """Everything except the weights that is needed to use a trained network.

    Attributes:
        task: name of the task, see `gaugenet.tasks.table`; `"images"` for a training by `fit_images`.
        model: name of a class in `gaugenet.models`.
        arguments: keyword arguments of that class.
        data: how meshes become inputs: features, geometry, held-out meshes.
        classes: class names, in the order of the network's outputs.
        items: the labelled items: `"face"`, `"vertex"`, `"mesh"` or `"image"`.
        corners: how vertex scores become face probabilities (see `face_log_probabilities`).
        label_flow: how far probabilities of faces flow, see `gaugenet.tasks.mesh.label_flow`; 0 for not at all.
        seed: seed of the training.
        label_values: the number of each class in label files, in the order of the classes; empty in runs of earlier
            versions, which wrote predictions as indices from 0.
        loss: terms of the loss and, by name, the weights of the classes.
        likeness: the distribution of the inputs over the training meshes, see `gaugenet.tasks.mesh.likeness`.
        class_scores: `{"best": {...}, "last": {...}}`, by class the scores of the saved weights on the validation
            part.
        metrics: `{"best": {...}, "last": {...}}`, the scores of the saved weights.
        finished: whether the training is complete.
        version: version of the library that wrote the run.
    """

    task: str
    model: str
    arguments: dict[str, Any]
    data: dict[str, Any]
    classes: list[str]
    items: str = "face"
    corners: str = "probabilities"
    label_flow: float = 0.0
    seed: int = 0
    label_values: list[int] = field(default_factory=list)
    loss: dict[str, Any] = field(default_factory=dict)
    likeness: dict[str, Any] = field(default_factory=dict)
    class_scores: dict[str, dict[str, dict[str, float | None]]] = field(default_factory=dict)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    finished: bool = False
    version: str = gaugenet.__version__
    format: int = FORMAT

    def save(self, run: str | Path) -> None:
        """Write `run.json`, completely or not at all."""
        write_json(Path(run) / DESCRIPTION, asdict(self))

    @classmethod
    def load(cls, run: str | Path) -> RunDescription:
        """Read `run.json`.

        Raises:
            RunError: If the folder or the file is missing, is not JSON, or has a newer format.
        """
        run = Path(run)
        path = run / DESCRIPTION
        if not run.is_dir():
            raise RunError(
                f"No run folder at {run}: train one with `gaugenet train ... --out {run}`, or name one of "
                "`gaugenet models list`."
            )
        if (run / FOLDS).is_file() and not path.is_file():
            raise RunError(f"{run} holds the folds of a cross-validation: name one of them, such as {run / 'fold_0'}.")
        if not path.is_file():
            raise RunError(
                f"{run} holds no {DESCRIPTION}: it is not a run, or its training stopped before the first epoch ended."
            )
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RunError(f"{path} is not a run description ({error}): train again or restore the file.") from error
        return cls._from_json(path, values)

    @classmethod
    def _from_json(cls, path: Path, values: Any) -> RunDescription:
        found = values.get("format") if isinstance(values, dict) else None
        if found != FORMAT:
            raise RunError(
                f"Expected {path} in format {FORMAT}, got {found!r}: it was written by another version of gaugenet "
                f"(this is {gaugenet.__version__})."
            )
        names = set(cls.__dataclass_fields__)
        missing = {"task", "model", "arguments", "data", "classes"} - set(values)
        if missing or set(values) - names:
            wrong = f"lacks {sorted(missing)}" if missing else f"has unknown entries {sorted(set(values) - names)}"
            raise RunError(f"{path} {wrong}: train again or restore the file.")
        for name, kind in {"arguments": dict, "data": dict, "classes": list, "metrics": dict, "model": str}.items():
            if name in values and not isinstance(values[name], kind):
                raise RunError(f"{path}: expected {name!r} to be a {kind.__name__}, got {values[name]!r:.80}.")
        return cls(**values)


def save_weights(run: str | Path, model: nn.Module, which: Which) -> None:
    """Write the learned weights, completely or not at all."""
    from safetensors.torch import save_file

    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    with atomic_path(Path(run) / WEIGHTS[which]) as temporary:
        save_file(state, temporary, metadata={"gaugenet": gaugenet.__version__})


def load_run(run: str | Path, *, weights: Which = "best") -> tuple[nn.Module, RunDescription]:
    """Return the trained network of a run, in evaluation mode, and its description.

    Args:
        run: folder that `gaugenet train` wrote.
        weights: `"best"` on the validation part (the last ones where there was none), or `"last"`.

    Raises:
        RunError: If the folder does not hold a complete run.
    """
    description = RunDescription.load(run)
    try:
        model = build_model(description.model, description.arguments)
    except MemoryError:
        raise
    except Exception as error:  # a file that was changed can name any value for any argument
        raise RunError(f"{Path(run) / DESCRIPTION} does not describe a network: {reason_unread(error)}") from error
    load_weights(run, model, weights)
    return model.eval(), description
