"""PreparedGraph: the parts of a gauge graph that layers read, as plain tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph

T = TypeVar("T")


@dataclass(frozen=True)
class PreparedGraph:
    """A gauge graph reduced to the factors that one network needs, made by `gaugenet.nn.prepare_graph`.

    Attributes:
        mass: `(N,)`, area of the dual cell of each point.
        batch: `(N,)`, the graph that each point belongs to.
        num_graphs: number of graphs.
        tables: factors by the key of the layer that needs them.
        coarser: the coarser levels.
    """

    mass: Float[Tensor, "vertices"]
    batch: Int[Tensor, "vertices"]
    num_graphs: int
    tables: dict[str, Any]
    coarser: list[PreparedGraph]

    def gauge_graph(self) -> PreparedGraph:
        """Return the graph itself."""
        return self

    @property
    def num_nodes(self) -> int:
        """Number of points."""
        return self.mass.shape[0]

    @property
    def structures(self) -> frozenset[str]:
        """Empty: there is nothing to check, as the factors were made for the types of one network."""
        return frozenset()

    def areas(self, x: Tensor) -> Float[Tensor, "vertices"]:
        """Return `mass`."""
        return self.mass

    def membership(self) -> tuple[Int[Tensor, "vertices"], int]:
        """Return the graph of a batch that each point belongs to, and the number of graphs."""
        return self.batch, self.num_graphs

    def derived(
        self, key: str, build: Callable[[GaugeGraph], T], sources: Callable[[GaugeGraph], list[Tensor]] | None = None
    ) -> T:
        """Return the factors that were prepared under `key`."""
        if key not in self.tables:
            raise ValueError(
                f"The domain was not prepared for {key!r}: call `prepare_graph(network, x, graph)` with this network, "
                "and features of this precision."
            )
        return cast(T, self.tables[key])

    @property
    def num_levels(self) -> int:
        """Number of levels, the finest one included."""
        return 1 + len(self.coarser)

    def level(self, level: int) -> PreparedGraph:
        """Return one level; level 0 is this graph."""
        return self if level == 0 else self.coarser[level - 1]

    def level_size(self, level: int) -> int:
        """Return the number of points of a level."""
        return self.level(level).num_nodes


torch.export.register_dataclass(PreparedGraph, serialized_type_name="gaugenet.PreparedGraph")
