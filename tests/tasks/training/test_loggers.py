"""Loggers by name: which there are, what they take, and that no text makes them run code."""

from __future__ import annotations

import pytest
from lightning.pytorch.loggers import CSVLogger

from gaugenet.tasks.training import loggers
from gaugenet.tasks.training.loggers import LOGGERS, open_loggers, parse_loggers
from gaugenet.tasks.training.options import TaskError


def test_every_name_is_a_logger_of_lightning():
    from lightning.pytorch import loggers as theirs

    for cls, _ in LOGGERS.values():
        assert issubclass(getattr(theirs, cls), theirs.Logger)


def test_names_arguments_and_objects(tmp_path):
    found = open_loggers('tensorboard, csv(name="table", flush_logs_every_n_steps=1)', tmp_path)
    assert [type(one).__name__ for one in found] == ["TensorBoardLogger", "CSVLogger"]
    assert [one.name for one in found] == ["tensorboard", "table"]
    assert all(str(one.save_dir).startswith(str(tmp_path)) for one in found)
    assert [type(one).__name__ for one in open_loggers(None, tmp_path)] == ["TensorBoardLogger"]
    assert open_loggers("none", tmp_path) == open_loggers(False, tmp_path) == []
    own = CSVLogger(tmp_path)
    assert open_loggers(own, tmp_path) == open_loggers([own], tmp_path) == [own]
    assert parse_loggers("CSVLogger()")[0].name == "csv"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("paper", "choose from"),
        ("csv('x')", "name the arguments"),
        ("csv(save_dir='/etc')", "set by the training"),
        ("csv(colour='x')", "csv takes flush_logs_every_n_steps, name"),
        ("tensorboard(name=__import__('os').getcwd())", "plain values"),
        ("os.system('true')", "choose from"),
        ("{class_path: a.B}", "plain values"),
        ("wandb(experiment=1)", "set by the training"),
        ("csv(", "constructor calls"),
    ],
)
def test_other_texts_are_refused(text, words, monkeypatch):
    monkeypatch.setattr(loggers, "_is_installed", lambda name, package: True)
    with pytest.raises(TaskError, match=words):
        parse_loggers(text)


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(TaskError, match="pip install wandb"):
        parse_loggers('wandb(project="bodies")')
    assert parse_loggers("csv"), "control"


@pytest.mark.parametrize(
    ("package", "text", "file"),
    [
        ("wandb", 'wandb(project="fields", offline=True)', "wandb/*run-*/*.wandb"),
        ("mlflow", 'mlflow(experiment_name="fields")', "mlflow.db"),
    ],
)
def test_services_write_into_the_run_without_a_network(package, text, file, tmp_path, monkeypatch):
    """Runs where the package is installed; it is not a dependency."""
    pytest.importorskip(package)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (logger,) = open_loggers(text, tmp_path)
    logger.log_metrics({"val_loss": 0.25}, step=1)
    logger.finalize("success")
    if package == "wandb":
        logger.experiment.finish()
    assert list(tmp_path.glob(file)), sorted(tmp_path.rglob("*"))
