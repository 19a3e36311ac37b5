"""Classifiers of images: a training that was killed ends as one that was not, and results say what they should."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from gaugenet.data import Digits, RotatedDigits
from gaugenet.groups import Cyclic
from gaugenet.models import Augmented, GroupAveraged
from gaugenet.tasks import (
    ImageOptions,
    RunDescription,
    TaskError,
    error_rate,
    fit_images,
    predict_images,
    result_table,
    rotation_errors,
    train_and_test,
)
from gaugenet.tasks.training.history import read_table

OPTIONS = ImageOptions(epochs=4, batch_size=16, lr=1e-2)


def digits(count: int, *, seed: int = 0) -> Digits:
    """Class 1 has its bright spot nearer to the right, class 0 to the left, in noise."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    images = random.integers(0, 60, (count, 8, 8))
    images[np.arange(count), random.integers(2, 6, count), np.where(labels, 6, 1)] = 255
    return Digits(images.astype(np.uint8), labels)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ELU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(144, 2)]
    return Augmented(nn.Sequential(*layers), Cyclic(2))


class Killed(Exception):
    pass


def killed_at(model: nn.Module, call: int) -> nn.Module:
    """The same network, which fails at that call of a training."""
    calls = iter(range(call))

    def fail(module: nn.Module, _: object) -> None:
        if module.training and next(calls, None) is None:
            raise Killed

    model.register_forward_pre_hook(fail)
    return model


def weights(model: nn.Module) -> list[torch.Tensor]:
    return list(model.state_dict().values())


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def without_time(rows):
    return [{k: v for k, v in row.items() if k != "cpu_seconds"} for row in rows]


# --- training ---------------------------------------------------------------------------------------------------


def test_a_killed_training_ends_as_one_that_was_not(tmp_path):
    train, val = digits(60), digits(30, seed=1)
    whole = network()
    rows = fit_images(whole, train, tmp_path / "whole", OPTIONS, val=val)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    for call in (2, 4 + 1, 3 * 4 + 3):
        folder = tmp_path / f"killed {call}"
        with pytest.raises(Killed):
            fit_images(killed_at(network(), call), train, folder, OPTIONS, val=val)
        resumed = network(seed=0 if call < 4 else 5)
        again = fit_images(resumed, train, folder, OPTIONS, val=val)
        assert same(resumed, whole)
        assert without_time(again) == without_time(rows)
        times = [row["cpu_seconds"] for row in again]
        assert times == sorted(times)
    other = network()
    fit_images(other, train, tmp_path / "other", ImageOptions(**{**vars(OPTIONS), "seed": 1}), val=val)
    assert not same(other, whole), "control: another order of the images"


def test_a_finished_training_is_only_read(tmp_path):
    train = digits(60)
    first = network()
    rows = fit_images(first, train, tmp_path, OPTIONS)
    second = killed_at(network(seed=3), 0)
    assert fit_images(second, train, tmp_path, OPTIONS) == rows
    assert same(first, second)


def test_it_learns_and_leaves_the_random_numbers_alone(tmp_path):
    train, test = digits(200), digits(100, seed=1)
    model = network()
    before = error_rate(predict_images(model, test, OPTIONS), test)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    rows = fit_images(model.module, train, tmp_path, OPTIONS, val=test)
    assert torch.equal(torch.rand(3), expected)
    assert rows[-1]["train_loss"] < 0.5 * rows[0]["train_loss"]
    assert error_rate(predict_images(model, test, OPTIONS), test) < 0.1 < before
    assert rows[-1]["val_error"] == error_rate(predict_images(model.module, test, OPTIONS), test)


def test_bfloat16_trains_as_well(tmp_path):
    options = ImageOptions(**{**vars(OPTIONS), "precision": "bfloat16"})
    rows = fit_images(network().module, digits(200), tmp_path, options)
    assert rows[-1]["train_loss"] < 0.5 * rows[0]["train_loss"]


def test_another_training_in_the_folder_is_refused(tmp_path):
    train = digits(20)
    fit_images(network(), train, tmp_path, OPTIONS)
    with pytest.raises(TaskError, match="with another lr: choose another folder"):
        fit_images(network(), train, tmp_path, ImageOptions(**{**vars(OPTIONS), "lr": 1e-4}))
    with pytest.raises(TaskError, match="with another model, images"):
        fit_images(network().module, digits(30), tmp_path, OPTIONS)
    for state in tmp_path.glob("*.ckpt"):
        state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(TaskError, match="no state of a training"):
        fit_images(network(), train, tmp_path, OPTIONS)


def test_a_training_of_an_earlier_version_is_read_if_it_was_finished(tmp_path):
    train, model = digits(60), network()
    rows = [{"epoch": float(k), "train_loss": 1.0, "train_error": 0.5, "cpu_seconds": 1.0 + k} for k in range(4)]
    identity = {**vars(OPTIONS), "model": str(model), "images": 60}
    state = {"identity": identity, "model": network(seed=3).state_dict(), "rows": rows, "cpu_seconds": 4.0}
    torch.save(state, tmp_path / "state.pt")
    found = fit_images(model, train, tmp_path, OPTIONS)
    assert found == [row | {"epoch": row["epoch"] + 1} for row in rows], "epochs count from one since then"
    assert same(model, network(seed=3))
    torch.save(state | {"rows": rows[:2]}, tmp_path / "state.pt")
    with pytest.raises(TaskError, match="2 of 4 epochs, by an earlier version"):
        fit_images(model, train, tmp_path, OPTIONS)
    with pytest.raises(TaskError, match="with another lr"):
        fit_images(model, train, tmp_path, ImageOptions(**{**vars(OPTIONS), "lr": 1e-4}))
    (tmp_path / "state.pt").write_bytes(b"PK")
    with pytest.raises(TaskError, match="not a saved state of a training"):
        fit_images(model, train, tmp_path, OPTIONS)


def test_a_training_of_images_is_a_run_like_others(tmp_path):
    fit_images(network(), digits(60), tmp_path, OPTIONS, val=digits(30, seed=1))
    description = RunDescription.load(tmp_path)
    assert (description.task, description.items, description.finished) == ("images", "image", True)
    rows = read_table(tmp_path)
    assert description.metrics["best"]["val_error"] == min(row["val_error"] for row in rows)
    assert description.metrics["last"]["val_error"] == rows[-1]["val_error"]


def test_a_loss_that_is_not_finite_ends_it(tmp_path):
    model = network()
    with torch.no_grad():
        model.module[-1].bias.fill_(float("nan"))
    with pytest.raises(TaskError, match="no longer finite in epoch 1"):
        fit_images(model, digits(20), tmp_path, OPTIONS)
    assert not list(tmp_path.glob("*.ckpt"))


# --- results ----------------------------------------------------------------------------------------------------


def test_predictions_are_of_the_evaluation_mode_and_come_in_order():
    model, many = network().train(), digits(600)
    logits = predict_images(model, many, OPTIONS)
    assert model.training
    model.eval()
    x = torch.from_numpy(many.images)[:, None].float() / 255
    torch.testing.assert_close(logits, model(x).detach())
    assert error_rate(torch.eye(2)[torch.from_numpy(many.labels)], many) == 0
    assert error_rate(torch.eye(2)[1 - torch.from_numpy(many.labels)], many) == 1


def test_rotations_are_noticed_unless_the_network_is_invariant():
    plain = network().module
    averaged = GroupAveraged(plain, Cyclic(4))
    images = digits(50)
    blind, sees = (rotation_errors(m, images, (90, 45), OPTIONS) for m in (averaged, plain))
    assert blind["90"]["logits"] < 1e-5
    assert blind["90"]["answers"] == 0
    assert sees["90"]["logits"] > 1e-2, "control"
    assert blind["45"]["logits"] > 1e-3, "only invariant under right angles"


def test_results_are_written_and_shown(tmp_path):
    data = RotatedDigits(digits(60), digits(40, seed=1), digits(20, seed=2))
    model = network()
    result = train_and_test(model, data, tmp_path, OPTIONS, degrees=(90, 22.5))
    assert json.loads((tmp_path / "result.json").read_text()) == result
    assert result["test_error"] == error_rate(predict_images(model, data.test, OPTIONS), data.test)
    assert (result["parameters"], result["test_images"]) == (sum(p.numel() for p in model.parameters()), 40)
    head, _, line = result_table({"small": result}).splitlines()
    assert head.count("|") == line.count("|") == 8
    assert f"| small | {result['parameters']} | {result['test_error']:.2%} | 4 |" in line
    assert "22.5°" in head
