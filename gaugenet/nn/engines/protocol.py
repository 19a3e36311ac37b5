"""Engine: a way to compute a convolution; Convolution: what it computes."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from jaxtyping import Float
from torch import Tensor

from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType
from gaugenet.kernels import KernelSpace
from gaugenet.kernels.attributes import NO_ATTRIBUTES, Attributes
from gaugenet.kernels.space import PixelStencil
from gaugenet.nn.channel_groups import GroupedLinear
from gaugenet.nn.engines.sampled import Sampled, SampledKernels
from gaugenet.nn.linear import EquivariantLinear, InvariantBias

D = TypeVar("D", bound=Domain, contravariant=True)


class Convolution(Protocol):
    r"""out(p) = K_self x(p) + sum over rows q of the neighbourhood of p of K_pq rho_in(g_pq) x(q) + b.

    K_pq lies in the space `kernels` and has the weights `weight`; with channel groups each group has its own weights.
    """

    in_type: FieldType
    out_type: FieldType
    groups: int
    kernels: KernelSpace
    self_interaction: EquivariantLinear | GroupedLinear | None
    bias: InvariantBias | None
    cached_samples: SampledKernels
    training: bool

    @property
    def weight(self) -> Tensor:
        """All weights of the kernels."""
        ...

    @property
    def group_weights(self) -> Float[Tensor, "groups weights"]:
        """The weights of each group of channels."""
        ...

    def sampled(self, stencil: PixelStencil) -> Sampled:
        """Weight and bias of the ordinary convolution that it is on a lattice."""
        ...

    def parameters(self, recurse: bool = True) -> Any:
        """All learned tensors."""
        ...


class Engine(Protocol[D]):
    """One way to compute a `Convolution` on the domains of one type. All ways give the same result.

    Every engine agrees with `reference` to 1e-12 in float64; a test states it. An engine knows the types `Convolution`,
    `KernelSpace` and its own domain, and no layer. `gaugenet.nn.engines` has one table from types of domains to
    engines.
    """

    def check(self, field_type: FieldType, x: Tensor, domain: D) -> None:
        """Check that `x` is a field of this type on the domain.

        Raises:
            ValueError: If `x` has the wrong shape, or the domain's transporters do not act on the type.
        """
        ...

    def convolve(
        self, convolution: Convolution, x: Tensor, domain: D, attributes: Attributes = NO_ATTRIBUTES
    ) -> Tensor:
        """The whole convolution, K_self and bias included.

        Raises:
            ValueError: If there are attributes, and the domain has no edges that they could belong to.
        """
        ...

    def on_edges(self, engine: Engine[Domain]) -> Engine[D]:
        """This engine's domains as gauge graphs, computed by `engine`: what `use_engine` asks for.

        Raises:
            ValueError: If these domains cannot be seen as one graph.
        """
        ...

    def pool(self, field_type: FieldType, x: Tensor, domain: D, level: int) -> Tensor:
        """Features on `level - 1` of the domain -> transported means on `level`."""
        ...

    def unpool(self, field_type: FieldType, x: Tensor, domain: D, level: int) -> Tensor:
        """Features on `level` of the domain -> transported interpolation on `level - 1`."""
        ...


def no_levels(domain: Domain) -> ValueError:
    """The error of domains that have no coarser levels."""
    return ValueError(
        f"{type(domain).__name__} has no coarser levels of its own: use `GridPool` on grids, or a graph made by "
        "`hierarchy(mesh, group, levels=...)`."
    )


def need_no_attributes(attributes: Attributes, domain: object) -> None:
    """Raise `ValueError` if a lattice, whose points all have one kernel, is asked for kernels that differ by edge."""
    if attributes:
        raise ValueError(
            f"{type(domain).__name__} has one kernel for all points, which attributes would change from edge to edge: "
            "pass its `gauge_graph(...)`."
        )


__all__ = ["Convolution", "Engine", "need_no_attributes", "no_levels"]
