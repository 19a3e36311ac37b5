"""Cross-validation: a training for each fold, one after another, and a table of means and standard deviations."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from gaugenet.files import write_json, write_text
from gaugenet.tasks.training.class_report import MOST_CLASSES, percent
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.run import DESCRIPTION, FOLDS, RunDescription
from gaugenet.tasks.training.task import Fold, FoldScores, Task
from gaugenet.tasks.training.train import CONFIG, WRITTEN, make_room, train_task
from gaugenet.tasks.training.trainer import check_trainer

logger = logging.getLogger(__name__)

TABLE = "folds.csv"


@dataclass(frozen=True)
class CrossValidation:
    """Scores of all folds, each on the meshes that it held out, with the last weights of its training.

    The best weights are chosen on these meshes, so their scores would be too good.

    Attributes:
        run: the folder, with a run `fold_0`, `fold_1`, ... for each fold.
        held_out: the names of the meshes that each fold held out.
        scores: of each fold.
    """

    run: Path
    held_out: list[list[str]]
    scores: list[FoldScores]

    def spread(self, name: str, *, of_classes: bool = False) -> tuple[float, float] | None:
        """Return mean and standard deviation of a score over the folds that have it; `None` if none has."""
        found = [(fold.classes if of_classes else fold.figures).get(name) for fold in self.scores]
        values = [value for value in found if value is not None]
        return (mean(values), stdev(values) if len(values) > 1 else 0.0) if values else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `folds.json`."""
        folds = [
            {"run": f"fold_{k}", "held_out": names, **(vars(self.scores[k]) if k < len(self.scores) else {})}
            for k, names in enumerate(self.held_out)
        ]
        return {"weights": "last", "folds": folds, "mean": self._means(0), "spread": self._means(1)}

    def _means(self, which: int) -> dict[str, Any]:
        return {
            part: {name: found[which] for name in names if (found := self.spread(name, of_classes=part == "classes"))}
            for part, names in (("figures", self._names("figures")), ("classes", self._names("classes")))
        }

    def _names(self, part: str) -> list[str]:
        return list(dict.fromkeys(name for fold in self.scores for name in getattr(fold, part)))

    def table(self) -> str:
        """Format the scores of each fold and of each class, with means and standard deviations."""
        names = self._names("figures")
        titles = [name.replace("_", " ") for name in names]
        width = max([13, *map(len, titles)])
        lines = [
            f"{self.run}: {len(self.scores)} folds, each scored on the meshes that it held out (last weights)",
            "",
            "  fold    meshes  " + "  ".join(f"{title:>{width}}" for title in titles),
        ]
        for k, fold in enumerate(self.scores):
            cells = "  ".join(f"{percent(fold.figures.get(name)):>{width}}" for name in names)
            lines.append(f"  {k:<6}  {len(self.held_out[k]):>6}  {cells}")
        spreads = [self.spread(name) or (None, None) for name in names]
        for which, title in enumerate(("mean", "spread")):
            cells = "  ".join(f"{percent(both[which]):>{width}}" for both in spreads)
            lines.append(f"  {title:<6}  {'':>6}  {cells}")
        return "\n".join([*lines, *self._class_lines()])

    def _class_lines(self) -> list[str]:
        classes = self._names("classes")
        if not 0 < len(classes) <= MOST_CLASSES:
            return []
        width = max(5, *map(len, classes))
        lines = ["", f"  {'class':<{width}}   mean IoU     spread     lowest"]
        for name in classes:
            found = self.spread(name, of_classes=True)
            values = [v for fold in self.scores if (v := fold.classes.get(name)) is not None]
            cells = (*found, min(values)) if found else (None, None, None)
            lines.append(f"  {name:<{width}}  " + "  ".join(f"{percent(cell):>9}" for cell in cells))
        return lines

    def save(self) -> None:
        """Write `folds.json` and `folds.csv`, each completely or not at all."""
        write_json(self.run / FOLDS, self.as_dict())
        figures, classes = self._names("figures"), self._names("classes")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["fold", "meshes", *figures, *(f"iou {name}" for name in classes)])
        for k, fold in enumerate(self.scores):
            values = [*map(fold.figures.get, figures), *map(fold.classes.get, classes)]
            writer.writerow([k, len(self.held_out[k]), *values])
        for which, title in enumerate(("mean", "spread")):
            found = [*map(self.spread, figures), *(self.spread(name, of_classes=True) for name in classes)]
            writer.writerow([title, "", *(None if one is None else one[which] for one in found)])
        write_text(self.run / TABLE, text.getvalue())


def cross_validate(
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
    config_of_fold: Callable[[int], str] | None = None,
) -> CrossValidation:
    """Train a network for each fold, score it on the items that the fold held out, write `folds.json` and `folds.csv`.

    The run of a fold is an ordinary run, `out/fold_0` and so on. A cross-validation that was killed continues with
    `resume`: finished folds are kept, and the interrupted fold continues from its last epoch.

    Args:
        task: what to train for.
        out: folder of the runs.
        options: as in `train_task`; they give the number of folds.
        trainer: as in `train_task`; on one device.
        seed: as in `train_task`, the same for all folds.
        resume: continue an interrupted cross-validation.
        overwrite: delete the runs of an older cross-validation.
        init: as in `train_task`.
        threads: as in `train_task`.
        config: text to keep with the folds as `config.yaml`.
        config_of_fold: the same for the run of each fold.

    Raises:
        TaskError: If an option cannot be used, a run is in the way, or the data of a resumed run have changed.
        DataError: If data cannot be used, or cannot be split into this number of folds.
    """
    run = Path(out)
    trainer = _on_one_device(trainer)
    check_trainer(trainer)
    folds = task.folds(options, run)
    known = _scores_so_far(run, folds, resume=resume, overwrite=overwrite)
    run.mkdir(parents=True, exist_ok=True)
    if config is not None:
        write_text(run / CONFIG, WRITTEN + config)
    result = CrossValidation(run, [fold.held_out for fold in folds], [])
    result.save()
    for k, fold in enumerate(folds):
        path, text = run / f"fold_{k}", config_of_fold(k) if config_of_fold else None
        if k in known and _is_finished(path, text):
            logger.info("Fold %d is finished.", k)
            result.scores.append(known[k])
            continue
        logger.info("Fold %d of %d: %d meshes are held out.", k, len(folds), len(fold.held_out))
        again = f"`gaugenet train {task.name} --out {run} --resume`"
        if not _is_finished(path, text):
            train_task(
                task, path, fold.options, trainer=trainer, seed=seed, resume=resume, init=init, threads=threads,
                config=text, again=again,
            )  # fmt: skip
        result.scores.append(task.score_fold(path, fold))
        result.save()
    return result


def _on_one_device(trainer: Mapping[str, Any] | None) -> dict[str, Any]:
    arguments = dict(trainer or {})
    devices, nodes = arguments.get("devices"), arguments.get("num_nodes")
    if devices not in (None, "auto", 1, "1") or nodes not in (None, 1):
        raise TaskError(
            "A cross-validation trains its folds one after another on one device: leave out devices and num_nodes, or "
            "start one training for each fold with --data.fold."
        )
    return {**arguments, "devices": 1}


def _scores_so_far(run: Path, folds: list[Fold], *, resume: bool, overwrite: bool) -> dict[int, FoldScores]:
    """Return the scores with the finished folds filled in.

    Raises:
        TaskError: If another training or another cross-validation is in the way.
    """
    if (run / DESCRIPTION).exists():
        raise TaskError(f"{run} holds a training that is not a cross-validation: choose another --out.")
    there = sorted(run.glob(f"fold_*/{DESCRIPTION}")) + [path for path in (run / FOLDS,) if path.exists()]
    if not resume:
        if there and not overwrite:
            raise TaskError(
                f"{run} already holds a cross-validation: go on with --resume, replace it with --overwrite, or choose "
                "another --out."
            )
        for path in sorted(run.glob("fold_*")):
            make_room(path, resume=False)
        (run / FOLDS).unlink(missing_ok=True)
        return {}
    if not (run / FOLDS).is_file():
        return {}
    entries = json.loads((run / FOLDS).read_text(encoding="utf-8"))["folds"]
    if [entry["held_out"] for entry in entries] != [fold.held_out for fold in folds]:
        raise TaskError(
            f"{run} cannot be resumed: meshes or options have changed, so the folds differ. Restore them, or start "
            "again."
        )
    return {k: FoldScores(e["figures"], e["classes"]) for k, e in enumerate(entries) if "figures" in e}


def _is_finished(path: Path, config: str | None) -> bool:
    """Return whether the training of a fold is finished, with the same options."""
    if not (path / DESCRIPTION).is_file() or not RunDescription.load(path).finished:
        return False
    return config is None or (path / CONFIG).read_text(encoding="utf-8") == WRITTEN + config
