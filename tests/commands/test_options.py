"""Options: those of the source are those of the classes, errors name what is near, and help imports little."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gaugenet.cli import main
from gaugenet.commands import _declared, train
from gaugenet.commands._common import nearest, task_among
from gaugenet.tasks.table import TASKS

ROOT = Path(__file__).resolve().parents[2]
MESH = str(ROOT / "meshes" / "bodies" / "test" / "deer_0.ply")

HEAVY = {"torch", "numpy", "lightning", "torch_geometric", "numba", "scipy", "matplotlib", "xarray", "tensorboard"}
COMES_ALONG = {"torch._dynamo", "sympy", "pandas", "trimesh", "networkx"}
task_of = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def entries(parser):
    """Name, value names, default and help of every option."""
    return {
        a.dest: (a.option_strings, parser.get_defaults().get(a.dest), a.help)
        for a in parser._actions
        if not a.dest.startswith("trainer")
    }


@task_of
def test_the_outline_of_a_task_is_its_parser_without_the_trainer(task):
    outline, full = train._outline(task), train._full_parser(task)
    assert entries(outline) == entries(full)
    assert trainer_names(outline) == trainer_names(full)


def trainer_names(parser):
    """Names of the trainer's options, without the forms that jsonargparse adds to some."""
    names = {name.removesuffix("+").removesuffix(".help") for name in parser.option_names()}
    return {name for name in names if name.startswith("--trainer.")}


def test_control_another_default_is_noticed(monkeypatch):
    real, task = _declared.declared, TASKS["segmentation"]
    monkeypatch.setattr(train, "declared", lambda source: real(source.replace("GeometryOptions", "DataOptions")))
    assert entries(train._outline(task)) != entries(train._full_parser(task))


def test_the_run_may_stand_behind_options(tmp_path):
    """The value of an option was taken for the run, so the options of another task were expected."""
    for name in ("forecast", "regression"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(f'{{"task": "{name}"}}')
    forecast, regression = str(tmp_path / "forecast"), str(tmp_path / "regression")
    assert task_among([forecast, "--data", "a.nc"]).name == "forecast"
    assert task_among(["--out", "results", forecast, "--data", "a.nc"]).name == "forecast"
    assert task_among(["--json", forecast]).name == "forecast"
    assert task_among([regression, "--ensemble", forecast]).name == "regression"
    assert task_among(["--out", forecast, regression]).name == "regression"
    assert task_among(["--out", "results"]) is task_among([]) is None


def test_options_without_a_run_are_explained(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path / "missing"), "--data", "a.nc", "--steps", "4"]) == 2
    assert "No argument is the folder of a run" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "missing")]) == 2  # without data
    assert "No argument" not in capsys.readouterr().err


def test_what_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"no class .*:Nothing"):
        _declared.declared("gaugenet.models.mesh_unet:Nothing")


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--help"],
        *[["train", name, "--help"] for name in TASKS],
        ["train", "segmentation", "--data", "x", "--out", "y", "--model.witdh=3"],
        ["evaluate", "--help"],
        ["predict", "--help"],
        ["view", "--help"],
        ["inspect", "--help"],
    ],
    ids=" ".join,
)
def test_help_and_mistyped_options_import_nothing_heavy(arguments):
    program = (
        f"import sys; from gaugenet.cli import main; main({arguments!r}); "
        f"print('heavy:', *sorted(set(sys.modules) & {HEAVY!r}))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "heavy:"


def test_inspecting_meshes_builds_no_graph(tmp_path):
    """Numba runs the loops that orient faces; the rest of what is heavy stays away."""
    mesh = tmp_path / "triangle.obj"
    mesh.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", encoding="utf-8")
    program = (
        f"import sys; from gaugenet.cli import main; main(['inspect', {str(mesh)!r}]); "
        f"print('heavy:', *sorted(set(sys.modules) & {HEAVY | COMES_ALONG!r}))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "heavy: numba numpy scipy torch"


TRAINERS = {"lightning", "tensorboard", "torchmetrics", "xarray", "torch._dynamo", "sympy", "pandas"}
"""What no command needs that applies or draws what was trained on meshes: a second of imports and more."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", str(ROOT / "pretrained" / "human_seg"), MESH, "--out", "predicted"],
        ["view", MESH, "--frames", "--out", "page.html"],
    ],
    ids=["predict", "view"],
)
def test_applying_and_drawing_load_no_trainer(arguments, tmp_path):
    program = (
        f"import sys; from gaugenet.cli import main; assert main({arguments!r}) == 0; "
        f"print('heavy:', *sorted(set(sys.modules) & {TRAINERS!r}))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert run.stdout.splitlines()[-1] == "heavy:"


def test_control_the_trainer_itself_is_heavy(capsys):
    program = (
        "import sys; from gaugenet.cli import main; main(['train', 'segmentation', '--help-trainer']); "
        "print('lightning' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "True"
    assert "--trainer.max_epochs" in run.stdout
    assert "--data.root" not in run.stdout


@task_of
def test_help_is_short_and_names_the_options_of_the_trainer(task, capsys):
    assert main(["train", task.name, "--help"]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) < 240
    assert text.startswith(f"usage: gaugenet train {task.name} --data DATA --out RUN [options]\n")
    assert "--help-trainer" in text
    assert "accumulate_grad_batches" in text
    assert "--trainer.accumulate_grad_batches" not in text
    for group in task.groups:
        assert f"--{group.name}." in text


@pytest.mark.parametrize(
    ("arguments", "similar"),
    [
        (["train", "segmentation", "--data", "x", "--out", "y", "--model.witdh", "3"], "--model.width"),
        (["train", "segmentation", "--data", "x", "--out", "y", "--witdh=3"], "--model.width"),
        (["train", "segmentation", "--dta", "x", "--out", "y"], "--data"),
        (["train", "climate", "--data", "a.nc", "b.nc", "--out", "y", "--data.levle=3"], "--data.level"),
        (["train", "climate", "--data", "a.nc", "--out", "y", "--max_epoks", "3"], "--max_epochs"),
        (["train", "climate", "--data", "a.nc", "--out", "y", "--trainer.max_epoks", "3"], "--trainer.max_epochs"),
        (["train", "segmentation", "--config", "bad.yaml", "--out", "y"], "--model.width"),
        (["evaluate", "x", "--data", "y", "--splitt", "test"], "--split"),
        (["predict", "x", "y", "--out", "z", "--probability"], "--probabilities"),
        (["view", "x", "--out", "y.html", "--azimoth", "3"], "--azimuth"),
        (["inspect", "x", "--jason"], "--json"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_mistyped_option_is_answered_in_three_lines(arguments, similar, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text("model:\n  witdh: 3\n", encoding="utf-8")
    assert main(arguments) == 2
    captured = capsys.readouterr()
    first, hint, more = captured.err.splitlines()
    assert first.startswith(f"gaugenet {arguments[0]}")
    assert ": error: " in first
    assert hint.startswith(f"Did you mean {similar}")
    suggested = re.findall(r"--[\w.]+", hint)
    assert len(suggested) == len(set(suggested))
    assert more.endswith("--help` lists the options.")
    assert not captured.out


def test_nothing_is_suggested_where_nothing_is_near():
    known = ["--data.root", "--optim.lr", "--model.width"]
    assert nearest("--quux", known) == []
    assert nearest("--model.widht", known) == ["--model.width"]


def test_lists_and_short_forms_are_written_out():
    task = TASKS["climate"]
    expanded = train._join_lists(train._expand(["--data", "a.nc", "b.nc", "--lr=1", "--val=c.nc"], task), task)
    assert expanded == ['--data.files=["a.nc", "b.nc"]', "--optim.lr=1", '--data.val=["c.nc"]']


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("models fetch x", "--from"),
        ("evaluate", "RUN, --data"),
        ("predict RUN", "MESH, --out"),
        ("inspect", "FILE|DIR"),
    ],
)
def test_missing_arguments_are_named_as_they_are_typed(command, missing, capsys):
    assert main(command.split()) == 2
    assert f"arguments are required: {missing}\n" in capsys.readouterr().err


def test_the_task_comes_before_the_options(capsys):
    assert main(["train", "--data", "meshes", "--out", "run"]) == 2
    assert "the task comes first" in capsys.readouterr().err
