"""AtomGraph: the gauge graph of the atoms of one forward pass, with gradients in the positions."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

import torch
from torch import Tensor

from gaugenet.geometry import GaugeGraph
from gaugenet.geometry._point_weights import cutoff as smooth_cutoff

T = TypeVar("T")


class AtomGraph(GaugeGraph):
    """A graph of one forward pass, whose factors all layers share even where they have gradients."""

    @classmethod
    def of(cls, vector: Tensor, edge_index: Tensor, pos: Tensor, cutoff: float, neighbors: float) -> AtomGraph:
        length = torch.linalg.vector_norm(vector, dim=1)
        count = len(pos)
        identity = torch.eye(3).to(vector)
        return cls(
            edge_index=edge_index,
            log_map=vector,
            transporter=identity.expand(len(vector), 3, 3),
            weight=smooth_cutoff(length / cutoff) / neighbors,
            frame=identity.expand(count, 3, 3),
            pos=pos,
            mass=pos.new_ones(count),
            radius=pos.new_full((1,), cutoff),
            structure="Trivial",
        )

    def cached(self, key: Hashable, sources: list[Tensor], build: Callable[[], T]) -> T:
        """Return `build()`, computed once: the graph lives as long as one forward pass, and never changes."""
        memory: dict[Hashable, T] = self.__dict__.setdefault("_factors", {})
        if key not in memory:
            memory[key] = build()
        return memory[key]


__all__ = ["AtomGraph"]
