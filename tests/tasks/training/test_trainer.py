"""What Lightning's trainer refuses is one sentence, before data are prepared."""

from __future__ import annotations

import pytest
import torch

from gaugenet.tasks.training.options import TaskError
from gaugenet.tasks.training.trainer import check_trainer

WRONG = {
    "devices": 0,
    "accelerator": "abacus",
    "precision": "16-true",
    "max_time": "tomorrow",
    "max_epochs": 0,
    "max_steps": -5,
    "num_nodes": 0,
    "accumulate_grad_batches": 0,
    "limit_train_batches": -1,
    "strategy": "none_such",
    "profiler": "none_such",
    "plugins": "none_such",
    "check_val_every_n_epoch": -1,
}


@pytest.mark.parametrize("name", [*WRONG, "64-true", "gpu"])
def test_wrong_options_are_one_sentence(name):
    wrong = {"64-true": {"precision": "64-true"}, "gpu": {"accelerator": "gpu"}}.get(name, {name: WRONG.get(name)})
    if name == "gpu" and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(TaskError) as caught:
        check_trainer({"accelerator": "cpu", **wrong})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"max_epochs": -1},
        {"max_time": "00:01:00:00"},
        {"precision": "bf16-mixed"},
        {"devices": 2},
        {"max_epochs": 3},
    ],
    ids=str,
)
def test_right_options_pass(right):
    check_trainer({"accelerator": "cpu", **right})
    check_trainer(None)
