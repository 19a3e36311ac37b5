"""Training of any task: from its options to a run."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from gaugenet.files import check_outputs, files_in, write_text
from gaugenet.tasks.training.checkpoint import LAST, PREVIOUS
from gaugenet.tasks.training.fit import fit
from gaugenet.tasks.training.history import METRICS
from gaugenet.tasks.training.lock import run_lock
from gaugenet.tasks.training.options import TaskError, check, use_threads
from gaugenet.tasks.training.run import DESCRIPTION, WEIGHTS, RunDescription, load_weights
from gaugenet.tasks.training.task import Task
from gaugenet.tasks.training.trainer import check_trainer

logger = logging.getLogger(__name__)

CONFIG = "config.yaml"
_CURVES = "curves.png"
_OWN_FILES = (
    *(LAST, PREVIOUS, DESCRIPTION, METRICS, CONFIG, _CURVES, *WEIGHTS.values()),
    *("evaluation_*.json", "predictions_*.npz", "confusion.png", "map.png", "globe.html"),
    *("parity_*.png", "errors_*.png", "maps_*.png", "scores.png"),
)
WRITTEN = "# The options of a training, written by gaugenet.\n"


def train_task(
    task: Task,
    out: str | Path,
    options: Mapping[str, Any],
    *,
    trainer: dict[str, Any] | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    init: str | Path | None = None,
    threads: int | None = None,
    config: str | None = None,
    again: str | None = None,
) -> RunDescription:
    """Train a network for a task, and write the run.

    The options are checked completely before data are prepared and an older run is deleted.

    Args:
        task: what to train for.
        out: folder of the run.
        options: for each group of options of the task an instance of its class, or its arguments.
        trainer: arguments of Lightning's trainer.
        seed: seed of all random numbers.
        resume: continue an interrupted run.
        overwrite: delete the files of an existing run.
        init: folder of another run whose best weights are the first weights of this training (fine-tuning).
        threads: CPU threads of torch.
        config: text to keep with the run as `config.yaml`.
        again: how to continue after an interruption, for messages; by default the command that resumes the run.

    Raises:
        TaskError: If an option cannot be used, or a run is in the way.
        RunError: If `init` is not a run with the same network, or the run cannot be resumed.
        DataError: If data cannot be used; the message names all of them.
    """
    run = Path(out)
    use_threads(threads)
    if _is_first_process():
        _check_room(run, resume=resume, overwrite=overwrite)
        if init is not None and not resume:
            check_outputs(_present(run), inputs=files_in(init), overwrite=True)
    check(0 <= seed < 2**32, "seed", "from 0 to 2^32 - 1", seed)
    check_trainer(trainer)
    training = task.begin(options, seed=seed)
    if init is not None:
        load_weights(init, training.module.model, "best")
    if resume:
        _check_same(training.description, run)
    with run_lock(run) if _is_first_process() else nullcontext():
        if _is_first_process() and config is not None and not (run / CONFIG).exists():
            write_text(run / CONFIG, WRITTEN + config)
        data = training.load(run)
        if _is_first_process():
            make_room(run, resume=resume)
            if config is not None:
                write_text(run / CONFIG, WRITTEN + config)
        fit(training.module, data, run, training.description, resume=resume, trainer=trainer, again=again)
        if _is_first_process():
            _draw_curves(run)
    if resume and not training.description.metrics and (run / DESCRIPTION).is_file():
        logger.info("All epochs of %s were done before: a larger --max_epochs goes on.", run)
        return RunDescription.load(run)
    return training.description


def _present(run: Path) -> list[Path]:
    """Return the files of a training in a folder, without the cache of prepared meshes."""
    return [path for pattern in _OWN_FILES for path in run.glob(pattern)]


def _check_room(run: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise `TaskError` if the run cannot be written to the folder."""
    if run.exists() and not run.is_dir():
        raise TaskError(f"{run} is a file: choose a folder for the run.")
    if not resume and not overwrite and any(not _left_by_start(path) for path in _present(run)):
        raise TaskError(
            f"{run} already holds a training: go on with --resume, replace it with --overwrite, "
            "or choose another --out."
        )


def _left_by_start(path: Path) -> bool:
    """Return whether a training that never began left the file, as opposed to a file of the user with the same name."""
    return path.name == CONFIG and path.read_text(encoding="utf-8", errors="replace").startswith(WRITTEN)


def make_room(run: Path, *, resume: bool) -> None:
    """Create the folder and, unless resuming, delete the files of an older training."""
    if not resume:
        for path in _present(run):
            path.unlink()
        shutil.rmtree(run / "tensorboard", ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)


def _check_same(description: RunDescription, run: Path) -> None:
    """Raise `TaskError` if the network differs from the one in the checkpoint to resume from."""
    if not (run / DESCRIPTION).is_file():
        return
    before = RunDescription.load(run)
    for name in ("task", "items", "classes", "arguments"):
        old, new = getattr(before, name), getattr(description, name)
        if isinstance(old, dict) and isinstance(new, dict):
            changed = sorted(k for k in old.keys() | new.keys() if _plain(old.get(k)) != _plain(new.get(k)))
            what = ", ".join(f"{k} {old.get(k)} -> {new.get(k)}" for k in changed)
        else:
            what = "" if old == new else f"{old} -> {new}"
        if what:
            raise TaskError(f"{run} cannot be resumed with other {name}: {what}. Restore them, or start again.")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _is_first_process() -> bool:
    """Return whether this process is the one that writes files."""
    return all(int(os.environ.get(name, "0")) == 0 for name in ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK"))


def _draw_curves(run: Path) -> None:
    """Draw the learning curves into the run's folder."""
    from gaugenet.tasks.training.history import read_table
    from gaugenet.viz import plot_learning_curves

    if (run / METRICS).is_file():
        rows = [{k: v for k, v in row.items() if k not in ("seconds", "cpu_seconds", "lr")} for row in read_table(run)]
        plot_learning_curves(run / _CURVES, rows)
