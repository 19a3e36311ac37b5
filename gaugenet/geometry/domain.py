"""Domain: the interface between spaces and layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from gaugenet.geometry.gauge_graph import GaugeGraph

T = TypeVar("T")


@runtime_checkable
class Domain(Protocol):
    r"""A space of N points with reference frames, and the neighbourhoods of the points seen from these frames.

    A layer computes out(p) = sum over neighbours q of w_pq K(log_p q / radius) rho(g_pq) x(q). So for every point p a
    space defines its neighbours q and three quantities for each: the position `log_p q` in the frame at p, the
    transport `g_pq` of features from the frame at q to the frame at p, and the weight `w_pq`. A `GaugeGraph` holds
    all of this. `gauge_graph()` returns the same object on every call, so that quantities derived from it are cached.

    `GaugeGraph`, `Grid`, `Icosphere` and `gaugenet.nn.PreparedGraph` are domains. A new space inherits from `Domain`
    and needs only this method: the engine of graphs then computes on it. A space with a faster way to compute the same
    sums has its own engine, see `gaugenet.nn.engines`::

        class HealpixSphere(Domain):
            def gauge_graph(self) -> GaugeGraph:
                return self._graph
    """

    def gauge_graph(self) -> GraphDomain:
        """Return the neighbourhoods of all points as a `GraphDomain`, the same object on every call."""
        ...

    @property
    def num_nodes(self) -> int | None:
        """Number of points N that transport features."""
        return self.gauge_graph().num_nodes

    @property
    def structures(self) -> frozenset[str]:
        """Names of the groups that contain the transporters: one, or one for each graph of a batch."""
        return self.gauge_graph().structures

    def areas(self, x: Tensor) -> Float[Tensor, "..."] | None:
        """Return the area of each point in the layout of features `x`; `None` if all areas are equal."""
        return self.gauge_graph().areas(x)

    def membership(self) -> tuple[Int[Tensor, "points"], int]:
        """Return the sample of a batch that each point belongs to, and the number of samples."""
        return self.gauge_graph().membership()


@runtime_checkable
class GraphDomain(Domain, Protocol):
    """A domain that is a graph with coarser levels: a `GaugeGraph` or a graph that was prepared from one."""

    @property
    def num_levels(self) -> int:
        """Number of levels of the hierarchy, including the finest."""
        ...

    def level(self, level: int) -> GraphDomain:
        """Return one level of the hierarchy; level 0 is the graph itself."""
        ...

    def level_size(self, level: int) -> int:
        """Return number of points of a level."""
        ...

    def derived(
        self, key: str, build: Callable[[GaugeGraph], T], sources: Callable[[GaugeGraph], list[Tensor]] | None = None
    ) -> T:
        """Return `build(graph)`, cached while the tensors of `sources(graph)` (default: its geometry) do not change.

        Raises:
            ValueError: If the graph was prepared for other layers and does not have `key`.
        """
        ...


def single_sample(num_points: int, device: torch.device | str = "cpu") -> tuple[Int[Tensor, "points"], int]:
    """Return the `membership` of a space that consists of one sample."""
    return torch.zeros(num_points, dtype=torch.int64, device=device), 1


__all__ = ["Domain", "GraphDomain", "single_sample"]
