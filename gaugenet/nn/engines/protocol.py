"""The protocols Engine, a way to compute a convolution, and Convolution, the layer to compute."""

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

    K_pq lies in the space `kernels`, with the weights `weight`. Each channel group has its own weights.
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
        """Return weight and bias of the equal ordinary convolution on a lattice of points."""
        ...

    def parameters(self, recurse: bool = True) -> Any:
        """Return all learned tensors."""
        ...


class Engine(Protocol[D]):
    """One way to compute a `Convolution` on the domains of one type. All engines give the same result.

    Every engine agrees with `reference` to 1e-12 in float64, as a test verifies. An engine uses the types
    `Convolution`, `KernelSpace` and its own domain, and no layer. `gaugenet.nn.engines` has one table from types of
    domains to engines.
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
        """Return the whole convolution, K_self and bias included.

        Raises:
            ValueError: If there are attributes but the domain has no edges for them.
        """
        ...

    def on_edges(self, engine: Engine[Domain]) -> Engine[D]:
        """Return an engine that computes these domains as gauge graphs by `engine`, for `use_engine`.

        Raises:
            ValueError: If these domains cannot be seen as one graph.
        """
        ...

    def pool(self, field_type: FieldType, x: Tensor, domain: D, level: int) -> Tensor:
        """Return transported means on `level` of features on `level - 1` of the domain."""
        ...

    def unpool(self, field_type: FieldType, x: Tensor, domain: D, level: int) -> Tensor:
        """Return the transported interpolation on `level - 1` of features on `level` of the domain."""
        ...


def no_levels(domain: Domain) -> ValueError:
    """Return the error for domains that have no coarser levels."""
    return ValueError(
        f"{type(domain).__name__} has no coarser levels of its own: use `GridPool` on grids, or a graph made by "
        "`hierarchy(mesh, group, levels=...)`."
    )


def need_no_attributes(attributes: Attributes, domain: object) -> None:
    """Raise `ValueError` if there are attributes on a domain that has one kernel for all points."""
    if attributes:
        raise ValueError(
            f"Expected no attributes on {type(domain).__name__}, which has one kernel for all points: pass its "
            "`gauge_graph(...)`, where kernels may differ from edge to edge."
        )


__all__ = ["Convolution", "Engine", "need_no_attributes", "no_levels"]
