"""KernelSpace: the interface of steerable kernels to layers; Neighborhood: the geometry on which kernels depend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.groups import Block, FieldType, StructureGroup
from gaugenet.groups.representations.field_type import transport_matrices
from gaugenet.kernels.attributes import Attributes

if TYPE_CHECKING:
    from gaugenet.kernels.contraction import Contraction


@dataclass(frozen=True)
class Neighborhood:
    """The neighbours of all points, one row each, sorted by the point to which they are neighbours.

    Attributes:
        log_map: logarithmic map of the neighbour, in the frame of the point, in units of the radius.
        weight: quadrature weight of the neighbour; 0 for a point in its own neighbourhood.
        source: index of the neighbour.
        indptr: the rows of point p are `indptr[p] ... indptr[p + 1] - 1`.
        radius: geodesic radius of each row's neighbourhood, a length.
        attributes: attributes of conditional kernels, in the frame of the point.

    Example:
        >>> import torch
        >>> from gaugenet.kernels import Neighborhood
        >>> both_ways = Neighborhood(  # two points, each the other's only neighbour
        ...     log_map=torch.tensor([[0.5, 0.0], [-0.5, 0.0]]),
        ...     weight=torch.ones(2),
        ...     source=torch.tensor([1, 0]),
        ...     indptr=torch.tensor([0, 1, 2]),
        ...     radius=torch.ones(2),
        ... )
        >>> both_ways.target.tolist()
        [0, 1]
    """

    log_map: Float[Tensor, "rows d"]
    weight: Float[Tensor, "rows"]
    source: Int[Tensor, "rows"]
    indptr: Int[Tensor, "points_1"]
    radius: Float[Tensor, "rows"]
    attributes: Float[Tensor, "rows attributes"] | None = None

    @property
    def target(self) -> Int[Tensor, "rows"]:
        """The point of each row."""
        degree = self.indptr.diff()
        return torch.repeat_interleave(torch.arange(len(degree), device=degree.device), degree)


class PixelStencil(Protocol):
    """The neighbourhood that all points of a lattice share, see `gaugenet.geometry.grids.stencil`."""

    def __hash__(self) -> int: ...

    @property
    def window(self) -> tuple[int, ...]:
        """Number of cells along each array axis."""
        ...

    @property
    def offsets(self) -> Float[Tensor, "cells d"]:
        """Logarithmic map of each cell in row-major order, in units of the radius."""
        ...

    @property
    def weights(self) -> Float[Tensor, "cells"]:
        """Quadrature weights; 0 at the centre and outside of the neighbourhood."""
        ...

    @property
    def centre(self) -> int:
        """Index of the cell of the point itself."""
        ...


class Intertwiner(Protocol):
    """A linear map at each point that commutes with the group, e.g. an `EquivariantLinear`."""

    def elements(
        self, source: Block, target: Block
    ) -> tuple[Float[Tensor, "basis out in"], Float[Tensor, "basis mult_out mult_in"]] | None:
        """Return the basis between two blocks and its weights; `None` if the map between them is zero."""
        ...


Readout = Callable[[Float[Tensor, "elements cells out in"], Block, Block], Float[Tensor, "elements read out in"]]
"""A linear map of the values of kernels between two blocks, source and target, at the cells of a stencil. Hashable."""


class KernelSpace(ABC):
    r"""A linear space of G-steerable maps from neighbourhoods of a field of `in_type` to a field of `out_type`.

    The map with weights w takes features x to

        out(p) = sum over rows q of the neighbourhood of p of K_pq(w) rho_in(g_pq) x(q),

    where g_pq transports from the frame at q to the frame at p. The map must not depend on frames: if the frame at p
    changes by g, so that log maps v become g v, then `K_pq` becomes `rho_out(g) K_pq rho_in(g)^-1` (steerability,
    :cite:`weiler2021coordinate`). It must be linear in w.

    - A *kernel* has `K_pq = w_pq K(log_pq / radius)`, with quadrature weights w_pq: it depends on one row only.
    - A *differential operator* depends on all rows of a neighbourhood, including the point itself (`includes_center`).
    - A *conditional* kernel also depends on attributes, and not linearly on w: it has another `form`.

    Engines compute the form of a space. The default is the factorized form: `K_pq = sum over columns t of
    c_t(row) M_t(w)`. The coefficients c depend on geometry only, so they are cached on the graph and shared by all
    layers with equal `factor_keys`. The matrices M hold the weights. A space whose `transport` ends in the frame of the
    edge has coefficients that rotate the result back.

    Subclasses: `HarmonicSpace` (compact G), `CovariantSpace` (O(p, q), GL(d), SL(d), scalings). A new kind of kernels
    is a subclass, and a `KernelFamily` that makes it.

    Example:
        >>> from gaugenet.groups import Cyclic, FieldType
        >>> from gaugenet.kernels import Harmonic
        >>> regular = FieldType(Cyclic(4), "1xregular")
        >>> space = Harmonic(rings=1, max_frequency=1).space(regular, regular)
        >>> space.num_weights, space.num_columns
        (12, 3)
    """

    in_type: FieldType
    out_type: FieldType

    form: str = "factorized"
    """How engines compute the sum over neighbours, see `gaugenet.nn.engines.forms`."""

    includes_center: bool = False
    """Whether a point is a row of its own neighbourhood, the first one: `v = 0`, weight 0, identity transporter."""

    factor_keys: tuple[str, str]
    """Keys of what the coefficients, and the transported features, depend on in addition to the geometry."""

    contraction: Contraction | None = None
    """Another order of the same sum, if that is faster."""

    @property
    def group(self) -> StructureGroup:
        """The structure group G."""
        return self.in_type.group

    @property
    @abstractmethod
    def num_weights(self) -> int:
        """Length of the weight vector w: the dimension of the space."""

    @abstractmethod
    def initialize(self, weight: Float[Tensor, "weights"], *, generator: torch.Generator | None = None) -> None:
        """Fill `weight` in place so that smooth features of unit variance give outputs of about unit variance."""

    def check_attributes(self, attributes: Attributes) -> None:
        """Check the attributes with which a layer was called.

        Raises:
            ValueError: If the kernels do not depend on attributes, or these do not have the right types.
        """
        if attributes:
            raise ValueError(
                f"{type(self).__name__} takes no attributes of edges or points: use a family that does, such as "
                "kernel=Implicit(edge_type=...)."
            )

    def row_attributes(
        self, attributes: Attributes, neighborhood: Neighborhood, transporter: Float[Tensor, "rows d d"]
    ) -> Float[Tensor, "rows size"] | None:
        """Return the attributes of each row, `None` if the kernel depends on the log map only."""
        return None

    # --- the factorized form --------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def num_columns(self) -> int:
        """Number of coefficients c_t."""

    @abstractmethod
    def coefficients(self, neighborhood: Neighborhood) -> Float[Tensor, "rows columns"]:
        """Return c_t of every row, quadrature weights included. Differentiable in the log maps."""

    def mixing(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "columns_in out"]]:
        """Return for every output block the matrix from its (column, input channel) pairs to its channels."""
        raise NotImplementedError(f"{type(self).__name__} has no factorized form: its form is {self.form!r}.")

    def path_mixing(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "paths_in mult_out"]]:
        """Return the matrices that replace `mixing` after the `contraction`."""
        raise NotImplementedError(f"{type(self).__name__} has no contraction.")

    def columns(self, target: Block) -> slice:
        """Return the columns that one output block needs."""
        return slice(0, self.num_columns)

    def transport(
        self, log_map: Float[Tensor, "rows d"], g: Float[Tensor, "rows d d"]
    ) -> Float[Tensor, "rows entries"]:
        """Return rho_in(g) of the blocks that are not trivial: none, `(rows, 0)`, if all g are the identity.

        Spaces that mix features in the frame of the edge return rho_in of the transport into this frame.
        """
        if not g.requires_grad and bool((g == torch.eye(g.shape[-1]).to(g)).all()):
            return g.new_zeros(len(g), 0)
        return transport_matrices(self.in_type, g)

    def matrices(self, weight: Float[Tensor, "weights"], neighborhood: Neighborhood) -> Float[Tensor, "rows out in"]:
        """Return K_pq of every row: the definition with which every engine must agree."""
        c = self.coefficients(neighborhood)
        blocks = [
            torch.einsum("rt,tio->roi", c[:, self.columns(b)], m.view(-1, self.in_type.size, b.size))
            for b, m in zip(self.out_type.blocks, self.mixing(weight), strict=True)
        ]
        return torch.cat(blocks, 1) if blocks else c.new_zeros(len(c), 0, self.in_type.size)

    # --- on pixels ------------------------------------------------------------------------------------------------

    @abstractmethod
    def sample(self, weight: Float[Tensor, "weights"], stencil: PixelStencil) -> Float[Tensor, "out in cells"]:
        """Return K of every cell of a stencil, quadrature weights included: the weight of one ordinary convolution."""

    def sample_at_once(
        self,
        weight: Float[Tensor, "weights"],
        stencil: PixelStencil,
        middle: Intertwiner | None,
        dtype: torch.dtype,
        readout: Readout | None = None,
    ) -> Float[Tensor, "out cells in"] | None:
        """Return `sample` with an intertwiner added at the centre, as few large products in precision `dtype`.

        Returns:
            The kernel, or `None` if the space has no such form or it is not faster.
        """
        return None

    def extra_repr(self) -> str:
        """Return the options that distinguish it from other spaces between the same types, for `repr`."""
        return ""

    def __repr__(self) -> str:
        options = self.extra_repr()
        types = f"{self.in_type} -> {self.out_type}, {self.group.name}"
        return f"{type(self).__name__}({types}{', ' + options if options else ''})"


__all__ = ["Intertwiner", "KernelSpace", "Neighborhood", "PixelStencil", "Readout"]
