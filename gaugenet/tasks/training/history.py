"""The metrics of a training, a row for each epoch: stored in the checkpoint, written as CSV, shown as progress."""

from __future__ import annotations

import csv
import io
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from gaugenet.files import write_text
from gaugenet.tasks.training.module import TrainingModule
from gaugenet.tasks.training.progress import Bar, progress

METRICS = "metrics.csv"


class History(Callback):
    """A callback that collects the metrics of every epoch, writes `metrics.csv` and moves the progress bar.

    The rows are part of the checkpoint, so a resumed training continues the same table without gap or repetition.
    Epochs are counted from 1: here, in `run.json`, in messages, and in the `epoch` of other loggers.

    Args:
        run: the run's folder.
    """

    def __init__(self, run: str | Path) -> None:
        self.run = Path(run)
        self.rows: list[dict[str, float]] = []
        self._clock = _Clock()
        self._stack = ExitStack()
        self._bar: Bar | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._clock = _Clock.after(self.rows)
        if trainer.is_global_zero:
            epochs = max(1, trainer.max_epochs or 1)
            self._bar = self._stack.enter_context(progress(epochs, "training", done=trainer.current_epoch))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: TrainingModule) -> None:  # type: ignore[override]
        log_epoch(pl_module)
        row = epoch_metrics(trainer)
        row["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        row |= self._clock.read()
        self.rows = [r for r in self.rows if r["epoch"] < row["epoch"]] + [row]
        if trainer.is_global_zero:
            write_text(self.run / METRICS, table(self.rows))
            if self._bar is not None:
                self._bar.advance(1, _note(row, pl_module.shown))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        log_epoch(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stack.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stack.close()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "first_epoch": FIRST_EPOCH}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = [counted_from_one(row, state_dict) for row in state_dict["rows"]]


FIRST_EPOCH = 1


def epoch_metrics(trainer: Trainer) -> dict[str, float]:
    """Return the metrics of the current epoch, with its number."""
    metrics = {k: float(v) for k, v in sorted(trainer.callback_metrics.items()) if k not in ("lr", "epoch")}
    return {"epoch": float(trainer.current_epoch + FIRST_EPOCH), **metrics}


def counted_from_one(metrics: dict[str, float], state: dict[str, Any]) -> dict[str, float]:
    """Convert the metrics of a checkpoint to epochs from 1, since earlier versions counted from 0."""
    return metrics if "first_epoch" in state or not metrics else {**metrics, "epoch": metrics["epoch"] + FIRST_EPOCH}


def log_epoch(module: LightningModule) -> None:
    """Log the number of the epoch from 1, since Lightning counts from 0."""
    module.log("epoch", float(module.current_epoch + FIRST_EPOCH), on_step=False, on_epoch=True, sync_dist=True)


class _Clock:
    """Seconds and CPU seconds of a training, including the time before it was resumed."""

    def __init__(self, seconds: float = 0.0, cpu_seconds: float = 0.0) -> None:
        self._start = {"seconds": time.monotonic() - seconds, "cpu_seconds": time.process_time() - cpu_seconds}

    @classmethod
    def after(cls, rows: list[dict[str, float]]) -> _Clock:
        """Return a clock that continues from the table of a resumed training."""
        last = rows[-1] if rows else {}
        return cls(last.get("seconds", 0.0), last.get("cpu_seconds", 0.0))

    def read(self) -> dict[str, float]:
        now = {"seconds": time.monotonic(), "cpu_seconds": time.process_time()}
        return {name: now[name] - start for name, start in self._start.items()}


def table(rows: list[dict[str, float]]) -> str:
    """Format rows as CSV, with a column for each metric; missing metrics stay empty."""
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows)
    return text.getvalue()


def read_table(run: str | Path) -> list[dict[str, float]]:
    """Return the rows of a run's `metrics.csv`; empty fields are left out."""
    text = (Path(run) / METRICS).read_text(encoding="utf-8")
    return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(io.StringIO(text))]


def _note(row: dict[str, float], shown: tuple[tuple[str, str, str], ...]) -> str:
    return "  ".join(f"{label} {form.format(row[key])}" for label, key, form in shown if key in row)
