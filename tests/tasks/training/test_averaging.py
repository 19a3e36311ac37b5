"""The averaged weights are the recursion that their docstring states."""

from __future__ import annotations

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything

from gaugenet.tasks import GraphDataModule, MeshLabelModule, OptimOptions
from gaugenet.tasks.training.averaging import WeightAverage
from tests.tasks.conftest import TinyNet


@pytest.mark.parametrize("accumulate", [1, 2])
def test_average_follows_its_recursion_step_by_step(graphs, accumulate):
    seed_everything(0, verbose=False)
    task = MeshLabelModule(TinyNet(), options=OptimOptions(lr=0.05))
    average = WeightAverage(0.6)
    expected = [p.detach().clone() for p in task.parameters()]
    steps = []

    class Spy(WeightAverage):
        def on_train_batch_end(self, trainer, pl_module, *args):
            if trainer.global_step > len(steps):
                steps.append(trainer.global_step)
                decay = min(0.6, (1 + len(steps)) / (10 + len(steps)))
                for mean, p in zip(expected, pl_module.parameters()):
                    mean.mul_(decay).add_(p.detach(), alpha=1 - decay)

    trainer = Trainer(
        max_epochs=4,
        accumulate_grad_batches=accumulate,
        accelerator="cpu",
        callbacks=[average, Spy()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
    )
    trainer.fit(task, datamodule=GraphDataModule(graphs, batch_size=2))
    assert average.updates == len(steps) == 16 // accumulate
    for mean, ours in zip(expected, average.average.values(), strict=True):
        torch.testing.assert_close(ours, mean, rtol=1e-5, atol=1e-6)


def test_validation_sees_the_average_and_training_goes_on_from_the_weights(graphs):
    task, average = MeshLabelModule(TinyNet()), WeightAverage(0.5)
    average.average = {name: torch.full_like(p, 2.0) for name, p in task.named_parameters()}
    before = [p.detach().clone() for p in task.parameters()]
    with average.applied(task):
        assert all(bool((p == 2.0).all()) for p in task.parameters())
    assert all(torch.equal(p, b) for p, b in zip(task.parameters(), before))


def test_a_decay_of_one_is_refused():
    with pytest.raises(ValueError, match=r"in \[0, 1\)"):
        WeightAverage(1.0)
