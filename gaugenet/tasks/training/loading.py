"""Batches of graphs in memory; their order and augmentation depend on seed, epoch and mesh alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import Dataset, Sampler

from gaugenet._pyg import Data, DataLoader
from gaugenet.tasks.training.options import TaskError

_Transform = Callable[[Any], Any]
Key = tuple[int, int]


class AugmentedGraphs(Dataset[Data]):
    """Graphs addressed by `(epoch, index)`: a key gives the same augmentation in every process and order.

    Args:
        graphs: prepared graphs, held in memory.
        transform: augmentation, which uses torch's global random numbers; `None` returns the graphs unchanged.
        seed: seed of all augmentations.
    """

    def __init__(self, graphs: Sequence[Data], transform: _Transform | None = None, *, seed: int = 0) -> None:
        self.graphs = graphs
        self.transform = transform
        self.seed = seed

    def __len__(self) -> int:
        return len(self.graphs)

    def __getitem__(self, key: Key) -> Data:
        epoch, index = key
        graph = self.graphs[index]
        if self.transform is None:
            return graph
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(_mix(self.seed, epoch, index))  # `torch.manual_seed` asks every device
            return self.transform(graph)


class EpochBatches(Sampler[list[Key]]):
    """Batches of keys, shuffled in every epoch by the seed, and distributed to the processes of a training.

    A batch of `batch_size` meshes is the batch of *all* processes together, and each process takes its share. So the
    same training takes the same steps on one or on several processes.

    Args:
        size: number of graphs.
        batch_size: meshes in a step, over all processes.
        seed: seed of the order; `None` keeps the order and the incomplete last batch.
        rank, world: rank of this process and number of processes.

    Raises:
        TaskError: If the batch cannot be divided evenly.
    """

    def __init__(self, size: int, batch_size: int, *, seed: int | None = None, rank: int = 0, world: int = 1) -> None:
        if batch_size < 1 or (seed is not None and batch_size % world):
            raise TaskError(f"Expected a batch size that is a multiple of the {world} processes, got {batch_size}.")
        self.size, self.batch_size, self.seed, self.rank, self.world = size, batch_size, seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch: Lightning calls this before every epoch, also after a resume."""
        self.epoch = epoch

    @property
    def sampler(self) -> EpochBatches:
        """This object, because Lightning looks for `set_epoch` on the `sampler` of a batch sampler."""
        return self

    def __len__(self) -> int:
        if self.seed is None:
            return -(-len(self._own()) // self.batch_size)
        return max(1, self.size // self.batch_size)

    def __iter__(self) -> Iterator[list[Key]]:
        if self.seed is None:
            own = self._own()
            for start in range(0, len(own), self.batch_size):
                yield [(0, i) for i in own[start : start + self.batch_size]]
            return
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size).tolist()
        for step in range(len(self)):
            batch = self._whole(order[step * self.batch_size : (step + 1) * self.batch_size])
            yield [(self.epoch, i) for i in batch[self.rank :: self.world]]

    def _own(self) -> list[int]:
        """Return the graphs that this process evaluates: a share, or all if there are fewer graphs than processes."""
        return list(range(self.size)) if self.size < self.world else list(range(self.rank, self.size, self.world))

    def _whole(self, batch: list[int]) -> list[int]:
        """Repeat graphs until the processes divide the batch; only a set smaller than one batch needs it."""
        missing = -len(batch) % self.world
        return batch + (batch * missing)[:missing]


class GraphDataModule(LightningDataModule):
    """Training and validation graphs in memory.

    Args:
        train, val: prepared graphs with `x` and `y`; `val` may be empty.
        augment: augmentation of training graphs, see `AugmentedGraphs`.
        batch_size: meshes in a step, over all processes.
        seed: seed of order and augmentation.
        num_workers: processes that augment and collate ahead; 0 does it in the training process, which is as fast
            if the augmentation is cheap.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere, TriangleMesh
        >>> from gaugenet.groups import SO2
        >>> from gaugenet.tasks import GraphDataModule
        >>> sphere = Icosphere(1)
        >>> graph = TriangleMesh(sphere.pos, sphere.face.T).gauge_graph(SO2(), mean_neighbors=6)
        >>> graph.x, graph.y = torch.randn(42, 3), torch.zeros(42, dtype=torch.long)
        >>> batch = next(iter(GraphDataModule([graph] * 4, batch_size=2).train_dataloader()))
        >>> batch.num_graphs, batch.num_nodes
        (2, 84)
    """

    def __init__(
        self,
        train: Sequence[Data],
        val: Sequence[Data] = (),
        *,
        augment: _Transform | None = None,
        batch_size: int = 4,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        if not len(train):
            raise TaskError("Expected at least one mesh to train on, got none.")
        self.train, self.val = train, val
        self.augment, self.batch_size, self.seed, self.num_workers = augment, batch_size, seed, num_workers

    def train_dataloader(self) -> DataLoader:
        return self._loader(AugmentedGraphs(self.train, self.augment, seed=self.seed), seed=self.seed)

    def val_dataloader(self) -> DataLoader:
        return self._loader(AugmentedGraphs(self.val), seed=None)

    def _loader(self, graphs: AugmentedGraphs, *, seed: int | None) -> DataLoader:
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        batches = EpochBatches(len(graphs), self.batch_size, seed=seed, rank=rank, world=world)
        workers = self.num_workers if seed is not None else 0
        return DataLoader(graphs, batch_sampler=batches, num_workers=workers, persistent_workers=workers > 0)


def _mix(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
