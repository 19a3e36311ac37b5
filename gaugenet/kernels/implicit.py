"""Implicit: the family of kernels that a network makes, from the place of a neighbour and from attributes."""

from __future__ import annotations

from dataclasses import dataclass

from gaugenet.groups import FieldType
from gaugenet.kernels.family import KernelFamily
from gaugenet.kernels.implicit_space import ImplicitSpace
from gaugenet.kernels.polynomial_space import PolynomialSpace


@dataclass(frozen=True)
class Implicit(KernelFamily):
    """Kernels K(v, z) computed by a perceptron, which may depend on attributes z of edges and points.

    These are the kernels of :cite:`zhdanov2023implicit`, factorized into tensor-product paths with learned weights, see
    `ImplicitSpace`. Without attributes they are convolutions with a learned radial function, as in NequIP
    :cite:`batzner2022equivariant`.

    Args:
        hidden: number of units of the perceptron's layers.
        edge_type: type of attributes of edges, in the frame at the target: pass `conv(x, domain, edge_attr=...)`.
        node_type: type of attributes of points: pass `conv(x, domain, node_attr=...)`. The kernel of an edge depends on
            the attributes of both its ends.
        depth: number of hidden layers.
        rings: number of Gaussian functions of the distance in the perceptron's input.
        max_frequency: angular band limit, see `ImplicitSpace`.

    Example:
        >>> from gaugenet.groups import O3, FieldType
        >>> from gaugenet.kernels import Implicit
        >>> group = O3()
        >>> family = Implicit(hidden=16, edge_type=FieldType(group, "1x1o"))
        >>> family.space(FieldType(group, "8x0e"), FieldType(group, "8x0e + 4x1o")).attribute_type
        FieldType(O(3), '1x1o')
    """

    hidden: int = 32
    edge_type: FieldType | None = None
    node_type: FieldType | None = None
    depth: int = 1
    rings: int = 8
    max_frequency: int | None = None

    def space(self, in_type: FieldType, out_type: FieldType) -> ImplicitSpace:
        return ImplicitSpace(
            in_type,
            out_type,
            hidden=self.hidden,
            depth=self.depth,
            edge_type=self.edge_type,
            node_type=self.node_type,
            rings=self.rings,
            max_frequency=self.max_frequency,
        )


@dataclass(frozen=True)
class ImplicitPolynomial(KernelFamily):
    """Kernels K(v, z) computed by an equivariant network, a full matrix for each edge: see `PolynomialSpace`.

    They are for small field types, since memory is O(E C_out C_in). `Implicit` factorizes the same kernels. Source:
    :cite:`zhdanov2023implicit`.

    Args:
        channels: number of hidden fields of each irrep.
        edge_type, node_type: types of attributes of edges and points, as for `Implicit`.
        depth: number of tensor products: the degree in position and attributes is `depth` + 1.
        rings: number of Gaussian functions of the distance.
        max_frequency: angular band limit of the inputs.
        hidden_order: highest order of hidden irreps.

    Example:
        >>> from gaugenet.groups import O3, FieldType
        >>> from gaugenet.kernels import ImplicitPolynomial
        >>> ImplicitPolynomial(channels=2).space(FieldType(O3(), "1x0e"), FieldType(O3(), "1x0e + 1x1o"))
        PolynomialSpace(1x0 -> 1x0 + 1x1o, O(3), channels=2, depth=2, rings=4, max_frequency=1)
    """

    channels: int = 4
    edge_type: FieldType | None = None
    node_type: FieldType | None = None
    depth: int = 2
    rings: int = 4
    max_frequency: int | None = None
    hidden_order: int | None = None

    def space(self, in_type: FieldType, out_type: FieldType) -> PolynomialSpace:
        return PolynomialSpace(
            in_type,
            out_type,
            channels=self.channels,
            depth=self.depth,
            edge_type=self.edge_type,
            node_type=self.node_type,
            rings=self.rings,
            max_frequency=self.max_frequency,
            hidden_order=self.hidden_order,
        )


__all__ = ["Implicit", "ImplicitPolynomial"]
