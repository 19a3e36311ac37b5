"""Domain: what a layer asks of a space."""

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
    r"""A space with N points, reference frames at them, and neighbourhoods seen from these frames.

    A layer computes out(p) = sum over neighbours q of w_pq K(log_p q / radius) rho(g_pq) x(q). So a space must say, for
    every point p, which neighbours q it has, where they lie (`log_p q`, in the frame at p), how features are
    transported (`g_pq`, from the frame at q to the frame at p) and how much each counts (`w_pq`). All of this is a
    `GaugeGraph`; `gauge_graph()` returns it, the same object on every call, so that what is derived from it is cached.

    `GaugeGraph`, `Grid`, `Icosphere` and `gaugenet.nn.PreparedGraph` are domains. A new space inherits from `Domain`
    and needs this one method; the engine of graphs then computes on it. A space with a faster way to the same sums has
    an engine of its own, see `gaugenet.nn.engines`::

        class HealpixSphere(Domain):
            def gauge_graph(self) -> GaugeGraph:
                return self._graph
    """

    def gauge_graph(self) -> GraphDomain:
        """The neighbourhoods of all points, as a `GraphDomain`."""
        ...

    @property
    def num_nodes(self) -> int | None:
        """Number of points N that transport features."""
        return self.gauge_graph().num_nodes

    @property
    def structures(self) -> frozenset[str]:
        """Names of the groups in which the transporters lie: one, or one for each graph of a batch."""
        return self.gauge_graph().structures

    def areas(self, x: Tensor) -> Float[Tensor, "..."] | None:
        """The area of each point, in the layout of features `x`; `None` where all points have the same."""
        return self.gauge_graph().areas(x)

    def membership(self) -> tuple[Int[Tensor, "points"], int]:
        """The sample of a batch that each point belongs to, and the number of samples."""
        return self.gauge_graph().membership()


@runtime_checkable
class GraphDomain(Domain, Protocol):
    """A domain that is a graph itself, with coarser levels: a `GaugeGraph`, or what was prepared from one."""

    @property
    def num_levels(self) -> int:
        """Number of levels of the hierarchy, the finest one included."""
        ...

    def level(self, level: int) -> GraphDomain:
        """One level of the hierarchy; level 0 is the graph itself."""
        ...

    def level_size(self, level: int) -> int:
        """Number of points of a level."""
        ...

    def derived(
        self, key: str, build: Callable[[GaugeGraph], T], sources: Callable[[GaugeGraph], list[Tensor]] | None = None
    ) -> T:
        """`build(graph)`, cached as long as the tensors of `sources(graph)` (default: its geometry) do not change.

        Raises:
            ValueError: If the graph was prepared for other layers and does not hold `key`.
        """
        ...


def single_sample(num_points: int, device: torch.device | str = "cpu") -> tuple[Int[Tensor, "points"], int]:
    """The `membership` of a space that is one sample."""
    return torch.zeros(num_points, dtype=torch.int64, device=device), 1


__all__ = ["Domain", "GraphDomain", "single_sample"]
