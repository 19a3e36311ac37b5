"""The table of all tasks, in which the commands look up what to train and what to do with a run."""

from __future__ import annotations

import json
from pathlib import Path

from gaugenet.tasks.climate.task import ClimateTask
from gaugenet.tasks.forecast.task import ForecastTask
from gaugenet.tasks.mesh.task import ClassificationTask, CorrespondenceTask, SegmentationTask
from gaugenet.tasks.molecules.task import MoleculeTask
from gaugenet.tasks.regression.task import RegressionTask
from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.task import Task

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        SegmentationTask(),
        CorrespondenceTask(),
        ClassificationTask(),
        RegressionTask(),
        ClimateTask(),
        ForecastTask(),
        MoleculeTask(),
    )
}
"""Every task by its name. The first one is explained where a command is asked for help without a run."""


def find_task(name: str) -> Task:
    """Return the task of that name.

    Raises:
        TaskError: If there is none.

    Example:
        >>> from gaugenet.tasks import find_task
        >>> find_task("segmentation").name
        'segmentation'
    """
    if name not in TASKS:
        raise TaskError(f"Expected a task, one of {', '.join(TASKS)}; got {name!r}.")
    return TASKS[name]


def task_of_run(run: str | Path) -> Task | None:
    """Return the task that a run was trained for; `None` if the folder does not hold a run.

    Raises:
        TaskError: If the task is not in the table.
    """
    try:
        text = (Path(run) / "run.json").read_text(encoding="utf-8")
        name = json.loads(text).get("task")
    except (OSError, ValueError, AttributeError):
        return None  # the next reader of the run reports what is wrong with it
    if not isinstance(name, str):
        return None
    if name not in TASKS:
        raise TaskError(
            f"{run} is a run of the task {name!r}, and the commands know {', '.join(TASKS)}. Use it from Python, by "
            "`gaugenet.tasks.load_run`, or by `gaugenet.models.load` if it is of the zoo."
        )
    return TASKS[name]
