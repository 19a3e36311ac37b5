"""A task is one class and one line in the table: all commands then know what to do with its runs."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import gaugenet.models
from gaugenet import tasks
from gaugenet.cli import main
from gaugenet.tasks import GraphDataModule, OptimOptions, RunDescription, TaskError, TrainingModule, load_run
from gaugenet.tasks.table import TASKS, find_task, task_of_run
from gaugenet.tasks.training.task import OptionGroup, Prediction, Task, Training, Usage, option
from tests.tasks.conftest import ring_graph


class Regressor(nn.Module):
    """Predicts a number at every vertex."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.config = {"width": width}
        self.layers = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)[:, 0]


class SquaredError(TrainingModule):
    monitor, mode = "val_error", "min"

    def loss(self, batch):
        loss = (self.model(batch.x) - batch.x.sum(1)).square().mean()
        self.log_mean("train_loss", loss.detach(), 1)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log_mean("val_error", (self.model(batch.x) - batch.x.sum(1)).square().mean(), 1)


class SumTask(Task):
    """Regression: no classes, no labels of meshes."""

    name, summary = "sum", "the sum of three numbers"
    groups = (
        OptionGroup("model", "tests.tasks.test_table:Regressor", built=False),
        OptionGroup("optim", "gaugenet.tasks.training.options:OptimOptions", skip=frozenset({"smoothing"})),
    )
    defaults = {"trainer.max_epochs": 3, "optim.ema": 0.0, "model.width": 5}
    headline = ("val_error",)
    evaluation = Usage("Score sums.", (option("--count", type=int, default=2, help="how many"),))
    prediction = Usage("Add.", (option("numbers", nargs=3, type=float, help="what to add"),))

    def begin(self, options, *, seed):
        torch.manual_seed(seed)
        network = Regressor(**options["model"])
        graphs = [ring_graph(20, seed=k) for k in range(4)]
        description = RunDescription(self.name, "Regressor", network.config, {}, [], items="vertex", seed=seed)
        module = SquaredError(network, options=options["optim"], seed=seed)
        return Training(module, description, lambda run: GraphDataModule(graphs[:3], graphs[3:], batch_size=1))

    def evaluate(self, run, *, count):
        network, _ = load_run(run)
        x = ring_graph(count, seed=9).x
        return {"error": (network(x) - x.sum(1)).square().mean().item()}

    def describe(self, result):
        return f"error {result['error']:.3f}"

    def predict(self, run, *, numbers):
        network, _ = load_run(run)
        bad = [str(n) for n in numbers if n < 0]
        return Prediction([f"{network(torch.tensor([numbers]))[0].item():.2f}"], [f"{b} is negative" for b in bad])

    def draw(self, run, file, **look):
        file.write_text(look["theme"], encoding="utf-8")
        return f"{file}: drawn"


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setitem(TASKS, "sum", SumTask())
    monkeypatch.setattr(gaugenet.models, "Regressor", Regressor, raising=False)


def test_a_new_task_is_trained_scored_applied_and_drawn(table, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["train", "sum", "--out", str(run), "--accelerator=cpu", "--lr=0.05"]
    assert main(arguments) == 0
    assert "val_error" in capsys.readouterr().out
    description = RunDescription.load(run)
    assert (description.task, description.arguments, description.finished) == ("sum", {"width": 5}, True)
    rows = (run / "metrics.csv").read_text().splitlines()
    assert len(rows) == 4
    best = min(float(row.split(",")[rows[0].split(",").index("val_error")]) for row in rows[1:])
    assert description.metrics["best"]["val_error"] == pytest.approx(best), "the smallest error is best"
    assert main([*arguments, "--resume", "--model.width=6"]) == 1
    assert "width 5 -> 6" in capsys.readouterr().err

    assert main(["evaluate", str(run), "--count=7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["error"] > 0
    assert main(["evaluate", str(run)]) == 0
    assert capsys.readouterr().out.startswith("error ")
    assert main(["predict", str(run), "1", "2", "3"]) == 0
    assert main(["predict", str(run), "1", "2", "-3"]) in (1, 2)
    assert main(["view", str(run), "--out", str(tmp_path / "page.html"), "--theme=dark"]) == 0
    assert (tmp_path / "page.html").read_text() == "dark"


def test_control_without_its_line_in_the_table_a_run_is_refused_by_name(table, tmp_path, monkeypatch, capsys):
    RunDescription("sum", "Regressor", {}, {}, []).save(tmp_path)
    assert task_of_run(tmp_path) is TASKS["sum"]
    monkeypatch.delitem(TASKS, "sum")
    for command in (["evaluate", str(tmp_path)], ["view", str(tmp_path), "--out", "x.html"]):
        assert main(command) == 1
        assert "a run of the task 'sum'" in capsys.readouterr().err
    assert main(["train", "sum"]) == 2
    with pytest.raises(TaskError, match="got 'sum'"):
        find_task("sum")


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"task": 3}'])
def test_what_is_not_a_run_has_no_task(text, tmp_path):
    if text is not None:
        (tmp_path / "run.json").write_text(text, encoding="utf-8")
    assert task_of_run(tmp_path) is None
    assert task_of_run(tmp_path / "nowhere") is None


LABELS = (tasks.evaluate, tasks.predict)
FUNCTIONS = {
    "regression": (tasks.evaluate_fields, tasks.predict_fields),
    "climate": (tasks.evaluate_climate, tasks.predict_climate),
    "forecast": (tasks.evaluate_forecast, tasks.predict_forecast),
    "molecules": (tasks.evaluate_molecules, tasks.predict_molecules),
}
"""What `evaluate` and `predict` of a task call; `LABELS` for labels of meshes."""


class _Reached(Exception):
    """The function was called."""


@pytest.mark.parametrize("command", ["evaluate", "predict"])
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_option_of_a_command_reaches_the_function_of_the_task(task, command, monkeypatch):
    """The function accepts the options of the command, and gets all of their values."""
    function = FUNCTIONS.get(task.name, LABELS)[command == "predict"]
    usage = task.evaluation if command == "evaluate" else task.prediction
    given = {o.keyword: None if o.keyword == "threads" else object() for o in usage.options}
    reached = {}

    def stub(*arguments, **options):
        reached.update(inspect.signature(function).bind(*arguments, **options).arguments)
        raise _Reached

    monkeypatch.setattr(sys.modules[function.__module__], function.__name__, stub)
    with pytest.raises(_Reached):
        getattr(task, command)(Path("run"), **given)
    translated = {"threads", "repair"} if command == "predict" else {"threads"}
    for name, value in given.items():
        assert name in translated or any(value is other for other in reached.values()), name
    assert TASKS[task.name] is task


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_groups_lead_to_classes_and_defaults_to_their_arguments(task):
    for group in task.groups:
        names = inspect.signature(group.load()).parameters
        assert group.skip <= set(names)
        chosen = [k.partition(".")[2] for k in task.defaults if k.startswith(f"{group.name}.")]
        assert set(chosen) <= set(names) - group.skip


def test_runs_of_this_repository_have_tasks():
    pretrained = Path(gaugenet.__file__).resolve().parents[1] / "pretrained"
    runs = {run.name: run for run in pretrained.iterdir() if run.is_dir()}
    with pytest.raises(TaskError, match=r"task 'images'.*gaugenet.models.load"):
        task_of_run(runs.pop("rotated_mnist"))
    found = {name: task_of_run(run).name for name, run in runs.items()}
    assert found == {"human_seg": "segmentation", "shrec11": "classification", "gfs_cyclones": "climate"}


def test_a_module_without_a_loss_says_so():
    with pytest.raises(NotImplementedError, match="TrainingModule has no loss"):
        TrainingModule(nn.Linear(1, 1), options=OptimOptions()).loss(None)
