"""Order, augmentation and schedule are functions of seed and epoch, however the work is spread."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from gaugenet.tasks.training.loading import AugmentedGraphs, EpochBatches
from gaugenet.tasks.training.options import OptimOptions, TaskError
from gaugenet.tasks.training.schedule import learning_rate_factor


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_the_batches_of_one_process(world):
    whole = EpochBatches(20, 6, seed=3)
    shares = [EpochBatches(20, 6, seed=3, rank=r, world=world) for r in range(world)]
    for epoch in (0, 5):
        for batches in (whole, *shares):
            batches.set_epoch(epoch)
        for batch, *parts in zip(whole, *shares, strict=True):
            assert sorted(key for part in parts for key in part) == sorted(batch)
            assert len({len(part) for part in parts}) == 1
            assert {key[0] for key in batch} == {epoch}


def test_every_epoch_has_its_order_and_every_seed_too():
    def order(seed, epoch):
        batches = EpochBatches(50, 5, seed=seed)
        batches.set_epoch(epoch)
        return [index for batch in batches for _, index in batch]

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2)
    assert order(0, 1) != order(1, 1)
    assert sorted(order(0, 1)) == list(range(50))


@pytest.mark.parametrize(("size", "world"), [(7, 2), (1, 2), (8, 3)])
def test_validation_sees_every_graph_equally_often(size, world):
    seen = [i for r in range(world) for b in EpochBatches(size, 2, rank=r, world=world) for _, i in b]
    assert {seen.count(i) for i in range(size)} == ({1} if size >= world else {world})


def test_fewer_graphs_than_a_batch_make_one_batch():
    assert [len(b) for b in EpochBatches(3, 8, seed=0)] == [3]
    assert [len(b) for b in EpochBatches(3, 8, seed=0, rank=1, world=2)] == [2]


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(TaskError, match="multiple of the 2 processes, got 3"):
        EpochBatches(10, 3, seed=0, world=2)


def test_augmentation_depends_on_seed_epoch_and_index_alone(graphs):
    def noisy(graph):
        graph = graph.clone()
        graph.x = torch.randn_like(graph.x)
        return graph

    a, b = (AugmentedGraphs(graphs, noisy, seed=s) for s in (0, 1))
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = a[2, 3].x
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(7)
    assert torch.equal(a[2, 3].x, first)
    assert not torch.equal(a[3, 3].x, first)
    assert not torch.equal(b[2, 3].x, first)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_the_learning_rate_rises_to_its_peak_and_never_rises_again(schedule):
    factors = [learning_rate_factor(k, 100, schedule=schedule, warmup=0.2) for k in range(100)]
    assert max(factors) == factors[20] == 1.0
    assert all(a <= b for a, b in pairwise(factors[:21]))
    assert all(a >= b for a, b in pairwise(factors[20:]))
    assert all(f > 0 for f in factors)
    assert factors[-1] < 0.01 or schedule == "constant"


@pytest.mark.parametrize(
    ("option", "value"), [("lr", 0.0), ("smoothing", 1.0), ("ema", 1.0), ("warmup", 1.0), ("clip", -1.0)]
)
def test_options_out_of_range_are_refused_by_name(option, value):
    with pytest.raises(TaskError, match=f"optim.{option}"):
        OptimOptions(**{option: value})
