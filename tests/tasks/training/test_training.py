"""A training is a function of its seed: repeated, interrupted and resumed, or validated with averaged weights."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import pytest
import torch
from lightning.pytorch import seed_everything

import gaugenet.models
from gaugenet.tasks import GraphDataModule, MeshLabelModule, OptimOptions, RunDescription, TaskError, fit, load_run
from gaugenet.tasks.training.checkpoint import LAST, PREVIOUS, find_checkpoint
from gaugenet.tasks.training.history import read_table
from gaugenet.tasks.training.run import RunError
from tests.tasks.conftest import TinyNet


class _Killed(Exception):
    pass


def _jitter(graph):
    graph = graph.clone()
    graph.x = graph.x + 0.1 * torch.randn_like(graph.x)
    return graph


def _train(
    run: Path, graphs, *, epochs=4, resume=False, seed=0, kill_at=None, options=None, validate=True, validate_every=1
):
    seed_everything(seed, verbose=False)
    net = TinyNet()
    task = MeshLabelModule(net, options=options or OptimOptions(lr=0.02), seed=seed)
    if kill_at is not None:
        step = task.training_step

        def fatal(batch, batch_idx):
            if (task.current_epoch, batch_idx) == kill_at:
                raise _Killed
            return step(batch, batch_idx)

        task.training_step = fatal
    val = graphs[6:] if validate else []
    data = GraphDataModule(graphs[:6], val, augment=_jitter, batch_size=2, seed=seed)
    description = RunDescription("segmentation", "TinyNet", net.config, {}, ["a", "b", "c"], seed=seed)
    trainer = {"max_epochs": epochs, "accelerator": "cpu", "check_val_every_n_epoch": validate_every}
    fit(task, data, run, description, resume=resume, trainer=trainer)
    return task


@pytest.fixture(autouse=True)
def _network(monkeypatch):
    monkeypatch.setattr(gaugenet.models, "TinyNet", TinyNet, raising=False)


def _weights(run: Path, which="last"):
    return load_run(run, weights=which)[0].state_dict()


def _same(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_two_trainings_of_one_seed_are_equal_bit_for_bit(tmp_path, graphs):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        _train(tmp_path / name, graphs, seed=seed)
    assert _same(_weights(tmp_path / "a"), _weights(tmp_path / "b"))
    assert not _same(_weights(tmp_path / "a"), _weights(tmp_path / "c"))


def test_interrupted_and_resumed_equals_uninterrupted_bit_for_bit(tmp_path, graphs):
    _train(tmp_path / "whole", graphs)
    with pytest.raises(_Killed):
        _train(tmp_path / "cut", graphs, kill_at=(2, 1))
    assert not (RunDescription.load(tmp_path / "cut")).finished
    _train(tmp_path / "cut", graphs, resume=True)
    for which in ("last", "best"):
        assert _same(_weights(tmp_path / "whole", which), _weights(tmp_path / "cut", which))
    rows = [
        [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in read_table(tmp_path / n)]
        for n in ("whole", "cut")
    ]
    assert rows[0] == rows[1]
    assert RunDescription.load(tmp_path / "cut").finished


def test_interrupted_before_the_first_epoch_ends_starts_again(tmp_path, graphs):
    _train(tmp_path / "whole", graphs, epochs=2)
    with pytest.raises(_Killed):
        _train(tmp_path / "cut", graphs, epochs=2, kill_at=(0, 1))
    assert find_checkpoint(tmp_path / "cut") is None
    _train(tmp_path / "cut", graphs, epochs=2, resume=True)
    assert _same(_weights(tmp_path / "whole"), _weights(tmp_path / "cut"))


def test_truncated_checkpoint_falls_back_to_the_previous_one(tmp_path, graphs, caplog):
    _train(tmp_path / "whole", graphs)
    _train(tmp_path / "cut", graphs)
    last = tmp_path / "cut" / LAST
    last.write_bytes(last.read_bytes()[:2000])
    with caplog.at_level(logging.WARNING, "gaugenet"):
        assert find_checkpoint(tmp_path / "cut") == tmp_path / "cut" / PREVIOUS
    assert "truncated" in caplog.text
    _train(tmp_path / "cut", graphs, resume=True)
    assert _same(_weights(tmp_path / "whole"), _weights(tmp_path / "cut"))


def test_no_readable_checkpoint_is_an_error(tmp_path, graphs):
    _train(tmp_path, graphs, epochs=2)
    for name in (LAST, PREVIOUS):
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(RunError, match="Start again without --resume"):
        _train(tmp_path, graphs, epochs=2, resume=True)


def test_saved_weights_are_the_average_and_the_checkpoint_holds_the_current_ones(tmp_path, graphs):
    task = _train(tmp_path, graphs, options=OptimOptions(lr=0.02, ema=0.9))
    state = torch.load(tmp_path / LAST, weights_only=True)
    current = {k.removeprefix("model."): v for k, v in state["state_dict"].items()}
    average = {k.removeprefix("model."): v for k, v in state["callbacks"]["WeightAverage"]["average"].items()}
    assert _same(current, task.model.state_dict())
    assert _same(_weights(tmp_path), average)
    assert not _same(current, average)


def test_without_averaging_the_saved_weights_are_the_current_ones(tmp_path, graphs):
    task = _train(tmp_path, graphs, options=OptimOptions(lr=0.02, ema=0.0))
    assert _same(_weights(tmp_path), task.model.state_dict())


def test_best_is_the_best_validation_and_the_last_without_a_validation_part(tmp_path, graphs):
    _train(tmp_path / "a", graphs, epochs=6)
    rows = read_table(tmp_path / "a")
    metrics = RunDescription.load(tmp_path / "a").metrics
    assert metrics["best"]["val_accuracy"] == max(r["val_accuracy"] for r in rows)
    _train(tmp_path / "b", graphs, epochs=2, validate=False)
    assert _same(_weights(tmp_path / "b", "best"), _weights(tmp_path / "b", "last"))


def test_until_an_epoch_is_validated_the_last_weights_are_the_best(tmp_path, graphs):
    _train(tmp_path / "never", graphs, epochs=3, validate_every=10)
    assert RunDescription.load(tmp_path / "never").metrics["best"]["epoch"] == 3
    assert _same(_weights(tmp_path / "never", "best"), _weights(tmp_path / "never", "last"))
    _train(tmp_path / "once", graphs, epochs=3, validate_every=2)
    assert RunDescription.load(tmp_path / "once").metrics["best"]["epoch"] == 2


def test_early_stopping_needs_and_uses_a_validation_part(tmp_path, graphs):
    options = OptimOptions(lr=1e-9, patience=2)
    _train(tmp_path / "a", graphs, epochs=50, options=options)
    assert len(read_table(tmp_path / "a")) < 10
    with pytest.raises(TaskError, match="validation part"):
        _train(tmp_path / "b", graphs, options=options, validate=False)


def test_a_loss_that_is_not_finite_ends_the_training_and_spares_the_last_weights(tmp_path, graphs):
    _train(tmp_path, graphs, epochs=1)
    before = _weights(tmp_path)
    graphs[0].x[0] = float("nan")
    with pytest.raises(TaskError, match="no longer finite in epoch 2"):
        _train(tmp_path, graphs, epochs=3, resume=True)
    assert _same(before, _weights(tmp_path))


def test_epochs_are_counted_from_one_everywhere(tmp_path, graphs, caplog):
    with caplog.at_level(logging.INFO, "gaugenet"):
        _train(tmp_path, graphs, epochs=3)
    assert [row["epoch"] for row in read_table(tmp_path)] == [1, 2, 3]
    metrics = RunDescription.load(tmp_path).metrics
    assert metrics["last"]["epoch"] == 3
    assert 1 <= metrics["best"]["epoch"] <= 3
    assert "training 3/3" in caplog.text


def test_loggers_get_the_same_numbers_of_epochs(tmp_path, graphs):
    seed_everything(0, verbose=False)
    net = TinyNet()
    description = RunDescription("segmentation", "TinyNet", net.config, {}, ["a", "b", "c"])
    data = GraphDataModule(graphs[:6], graphs[6:], batch_size=2)
    trainer = {"max_epochs": 3, "accelerator": "cpu", "logger": "csv"}
    fit(MeshLabelModule(net, options=OptimOptions(lr=0.02)), data, tmp_path, description, trainer=trainer)
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted({float(row["epoch"]) for row in rows}) == [1, 2, 3]


def test_a_checkpoint_that_counted_from_zero_goes_on(tmp_path, graphs):
    _train(tmp_path, graphs, epochs=2)
    state = torch.load(tmp_path / LAST, weights_only=True)
    for name, callback in state["callbacks"].items():
        if "first_epoch" in callback:
            del callback["first_epoch"]
            for metrics in [callback["best"]] if "best" in callback else callback["rows"]:
                metrics["epoch"] -= 1
            assert name.startswith(("History", "RunCheckpoint"))
    torch.save(state, tmp_path / LAST)
    _train(tmp_path, graphs, epochs=4, resume=True)
    assert [row["epoch"] for row in read_table(tmp_path)] == [1, 2, 3, 4]


def test_scores_of_every_class_are_kept_with_the_run(tmp_path, graphs):
    _train(tmp_path, graphs, epochs=2)
    description = RunDescription.load(tmp_path)
    for which in ("best", "last"):
        classes = description.class_scores[which]
        assert list(classes) == ["a", "b", "c"]
        known = [c["iou"] for c in classes.values() if c["iou"] is not None]
        assert description.metrics[which]["val_iou"] == pytest.approx(sum(known) / len(known), abs=1e-6)
        assert sum(c["items"] for c in classes.values()) == sum(len(g.y) for g in graphs[6:])


def test_it_learns(tmp_path, graphs):
    _train(tmp_path, graphs, epochs=60, options=OptimOptions(lr=0.05))
    assert RunDescription.load(tmp_path).metrics["best"]["val_accuracy"] > 0.5
