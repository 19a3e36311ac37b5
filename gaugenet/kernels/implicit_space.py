"""ImplicitSpace: steerable kernels computed by a network from the position of a neighbour and from attributes."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.groups import FieldType, Representation
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.kernels._attributes import (
    GAUSSIANS_SQUARED,
    Invariants,
    attribute_parts,
    directions,
    gaussians,
    harmonic_parts,
)
from gaugenet.kernels._perceptron import Perceptron
from gaugenet.kernels.attributes import Attributes, check_attribute, check_rows
from gaugenet.kernels.depthwise import Depthwise, Factor
from gaugenet.kernels.frequencies import (
    complete_frequency,
    default_frequency,
    highest_order,
    is_transitive,
    pair_frequencies,
)
from gaugenet.kernels.space import KernelSpace, Neighborhood, PixelStencil

_MOST_WITH_ATTRIBUTES = 2
"""Highest default frequency that is added for attributes: each adds a path for every attribute."""


class ConditionalSpace(KernelSpace):
    """Kernels K(v, z) of the log map v and attributes z: K(g v, rho_z(g) z) = rho_out(g) K(v, z) rho_in(g)^-1.

    The attributes z of an edge are the concatenation of its own attributes, the attributes of its source, transported
    to the frame at the target, and the attributes of its target.

    Args:
        in_type, out_type: field types of one compact group.
        edge_type, node_type: types of attributes of edges and points.

    Raises:
        ValueError: If the types belong to different groups, or the group is not compact.
    """

    def __init__(
        self, in_type: FieldType, out_type: FieldType, edge_type: FieldType | None, node_type: FieldType | None
    ) -> None:
        need_one_group(in_type, out_type)
        self.in_type, self.out_type = in_type, out_type
        self.edge_type, self.node_type = edge_type, node_type
        self.node_key = f"transports {in_type.group} {node_type}"
        self.attribute_type = FieldType(in_type.group, "")
        for name, kind in (("edge_type", edge_type), ("node_type", node_type), ("node_type", node_type)):
            if kind is not None:
                need_one_group(in_type, kind, ("in_type", name))
                self.attribute_type = self.attribute_type + kind
        if not in_type.group.compact:
            raise ValueError(
                f"Expected a compact group, got {in_type.group.name}: no norm of attributes is invariant under others."
            )

    def check_attributes(self, attributes: Attributes) -> None:
        check_attribute("edge_attr", attributes.edge, self.edge_type, "edge_type")
        check_attribute("node_attr", attributes.node, self.node_type, "node_type")

    def row_attributes(
        self, attributes: Attributes, neighborhood: Neighborhood, transporter: Float[Tensor, "rows d d"]
    ) -> Float[Tensor, "rows size"]:
        if self.node_type is None or attributes.node is None:
            return self.joined(attributes.edge, None, None, neighborhood.weight)
        node = attributes.node.to(transporter)
        check_rows("node_attr", node, neighborhood.indptr.shape[0] - 1, "points")
        source = self.node_type.transform(transporter, node[neighborhood.source])
        return self.joined(attributes.edge, source, node[neighborhood.target], neighborhood.weight)

    def joined(
        self, edge: Tensor | None, source: Tensor | None, target: Tensor | None, like: Float[Tensor, "rows"]
    ) -> Float[Tensor, "rows size"]:
        """Return the concatenated attributes of every row, in the precision of `like`.

        Raises:
            ValueError: If there is not one row of edge attributes for each edge.
        """
        if edge is not None:
            check_rows("edge_attr", edge, like.shape[0], "edges")
        parts = [part.to(like) for part in (edge, source, target) if part is not None]
        return torch.cat(parts, 1) if parts else like.new_zeros(like.shape[0], 0)

    def evaluate(
        self, weight: Float[Tensor, "weights"], v: Float[Tensor, "rows d"], z: Float[Tensor, "rows size"] | None = None
    ) -> Float[Tensor, "rows out in"]:
        """Return K(v, z), for v in units of the radius."""
        none = torch.zeros(0, dtype=torch.int64)
        z = v.new_zeros(v.shape[0], 0) if z is None else z
        return self.matrices(weight, Neighborhood(v, torch.ones_like(v[:, 0]), none, none, torch.ones_like(v[:, 0]), z))

    def sample(self, weight: Float[Tensor, "weights"], stencil: PixelStencil) -> Float[Tensor, "out in cells"]:
        if self.attribute_type.size:
            raise ValueError("Expected kernels without attributes on a lattice, whose points all have one kernel.")
        values = self.evaluate(weight, stencil.offsets.to(weight)) * stencil.weights.to(weight)[:, None, None]
        return values.permute(1, 2, 0)


class ImplicitSpace(ConditionalSpace):
    r"""Form B: K(v, z) = sum over paths p and channels u of w_pu(v, z) B_p(v, z), mixed to the output's channels.

    The matrices B_p are all tensor products of features with harmonics Y_j(v / |v|), and with harmonics times one field
    of the attributes. The weights w_pu are the output of a perceptron on invariants of (v, z), see `Invariants`.
    Messages along a path stay in their channel; channels are mixed after the sum over neighbours. The kernel of an edge
    does not depend on other edges. Source: :cite:`zhdanov2023implicit`.

    At each frequency up to `max_frequency` the kernels are complete in degrees 0 and 1 of the attributes: they span all
    steerable kernels that are polynomials of such degree. Higher degrees enter only through the invariants.

    Args:
        in_type, out_type: field types of one compact group.
        hidden: number of units of the perceptron's layers.
        depth: number of its hidden layers.
        edge_type, node_type: types of attributes of edges and points, of about unit size.
        rings: number of Gaussian functions of the distance in its input.
        max_frequency: highest frequency of the harmonics. Default: the highest that couples `in_type` to `out_type`
            (finite and axial groups: see `default_frequency`), and with attributes at least their order, up to 2.

    Raises:
        ValueError: If the types belong to different groups, the group is not compact, a number is not positive, or
            there is no path between the types.

    Example:
        >>> from gaugenet.groups import O3, FieldType
        >>> from gaugenet.kernels import ImplicitSpace
        >>> ImplicitSpace(FieldType(O3(), "4x0e"), FieldType(O3(), "4x0e + 2x1o"), hidden=16)
        ImplicitSpace(4x0 -> 4x0 + 2x1o, O(3), hidden=16, depth=1, rings=8, max_frequency=1)
    """

    form = "depthwise"

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        hidden: int = 32,
        depth: int = 1,
        edge_type: FieldType | None = None,
        node_type: FieldType | None = None,
        rings: int = 8,
        max_frequency: int | None = None,
    ) -> None:
        super().__init__(in_type, out_type, edge_type, node_type)
        self.hidden, self.depth, self.rings = (
            positive(n, v) for n, v in (("hidden", hidden), ("depth", depth), ("rings", rings))
        )
        self.max_frequency = highest_frequency(in_type, out_type, self.attribute_type, max_frequency)
        self._options = {
            "hidden": hidden,
            "depth": depth,
            "edge_type": edge_type,
            "node_type": node_type,
            "rings": rings,
            "max_frequency": max_frequency,
        }
        self._limited = max_frequency is not None or not is_transitive(self.group)
        self._harmonics = harmonic_parts(self.group, self.max_frequency)
        self._parts = attribute_parts(self.attribute_type)
        self._factors = self._all_factors()
        self.depthwise = Depthwise(in_type, out_type, self._factors_between, self.num_factors)
        if in_type.size and out_type.size and not self.depthwise.paths:
            raise ValueError(
                f"There are no {self.group.name}-steerable kernels from {in_type} to {out_type} up to frequency "
                f"{self.max_frequency}: the layer could only give zeros. Choose other types, or raise `max_frequency`."
            )
        self.invariants = Invariants(self._harmonics, self._parts)
        self.perceptron = Perceptron(rings + self.invariants.count, [hidden] * depth)
        self.factor_keys = (
            f"coefficient implicit {self.rings} {self.max_frequency}",
            f"transport plain {self.group} {in_type}",
        )

    def _all_factors(self) -> list[Factor]:
        factors, start = [], 0
        for attribute in (None, *(p for p in self._parts if not p.representation.is_trivial)):
            for harmonic in (None, *self._harmonics):
                factors.append(Factor(harmonic, attribute, start))
                start = factors[-1].stop
        return factors

    def _factors_between(self, rho_in: Representation, rho_out: Representation) -> list[Factor]:
        """Return all factors with attributes, and those without attributes at frequencies where there are kernels."""
        limit = self.max_frequency if self._limited else complete_frequency(rho_in, rho_out) or 0
        alone = pair_frequencies(rho_in, rho_out, limit)
        return [
            f for f in self._factors if f.attribute is not None or (f.harmonic.frequency if f.harmonic else 0) in alone
        ]

    @property
    def num_factors(self) -> int:
        """Number of columns of all factors."""
        return self._factors[-1].stop

    # --- weights --------------------------------------------------------------------------------------------------

    @property
    def num_weights(self) -> int:
        return sum(self._sizes())

    def _sizes(self) -> tuple[int, int, int]:
        """Return the shapes of the hidden layers, the last layer, and the matrices that mix channels."""
        mixing = sum(a * b for a, b in self.depthwise.mixing_shapes())
        return self.perceptron.num_weights, (self.hidden + 1) * self.depthwise.num_columns, mixing

    def _split(self, weight: Float[Tensor, "weights"]) -> tuple[Tensor, Tensor, Tensor]:
        units, last, mixing = weight.split(self._sizes())
        return units, last, mixing

    def initialize(self, weight: Float[Tensor, "weights"], *, generator: torch.Generator | None = None) -> None:
        units, last, _ = self._split(weight)
        others = self.invariants.count
        variance = torch.full((self.rings + others,), 1 / (2 * max(others, 1)))
        variance[: self.rings] = 1 / (GAUSSIANS_SQUARED * (2 if others else 1))
        self.perceptron.initialize(units, variance, generator=generator)
        last.normal_(generator=generator).mul_(1 / math.sqrt(self.hidden + 1))
        for matrix in self.mixing(weight):
            matrix.normal_(generator=generator).mul_(1 / math.sqrt(max(len(matrix), 1)))

    def last_layer(self, weight: Float[Tensor, "weights"]) -> Float[Tensor, "hidden_1 columns"]:
        """Return the perceptron's last matrix, the bias in the last row: one column for each path and channel."""
        return self._split(weight)[1].view(self.hidden + 1, self.depthwise.num_columns)

    def mixing(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "width multiplicity"]]:
        """Return the matrix that mixes the channels of each output block, the same for all components."""
        shapes = self.depthwise.mixing_shapes()
        parts = self._split(weight)[2].split([a * b for a, b in shapes])
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]

    # --- functions of the neighbourhood ---------------------------------------------------------------------------

    @property
    def num_columns(self) -> int:
        return 1 + self.rings + sum(p.dim for p in self._harmonics)

    def coefficients(self, neighborhood: Neighborhood) -> Float[Tensor, "rows columns"]:
        """Return the quadrature weight, functions of the distance, and harmonics, which depend on geometry only."""
        v = neighborhood.log_map
        length = torch.linalg.vector_norm(v, dim=-1)
        return torch.cat(
            [neighborhood.weight[:, None], gaussians(length, self.rings), directions(v, self.max_frequency)], 1
        )

    def units(
        self, weight: Float[Tensor, "weights"], c: Float[Tensor, "rows columns"], z: Float[Tensor, "rows size"]
    ) -> Float[Tensor, "rows hidden_1"]:
        """Return the perceptron's last hidden layer, and a column of ones for its last bias."""
        radial, direction = c[:, 1 : 1 + self.rings], c[:, 1 + self.rings :]
        units = self.perceptron(self._split(weight)[0], torch.cat([radial, self.invariants(direction, z)], 1))
        return torch.cat([units, torch.ones_like(units[:, :1])], 1)

    def factors(self, c: Float[Tensor, "rows columns"], z: Float[Tensor, "rows size"]) -> Float[Tensor, "rows factors"]:
        """Return the functions by which features are multiplied, times the quadrature weight."""
        direction = c[:, 1 + self.rings :]
        return c[:, :1] * torch.cat([factor(direction, z) for factor in self._factors], 1)

    def matrices(self, weight: Float[Tensor, "weights"], neighborhood: Neighborhood) -> Float[Tensor, "rows out in"]:
        c = self.coefficients(neighborhood)
        z = neighborhood.attributes
        z = c.new_zeros(c.shape[0], 0) if z is None else z
        b = self.factors(c, z) @ self.depthwise.table(c)
        w = self.units(weight, c, z) @ self.last_layer(weight)
        return self.depthwise.matrices(b, w, self.mixing(weight))

    def __deepcopy__(self, memo: dict[int, Any]) -> ImplicitSpace:
        return self  # immutable

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (self.in_type, self.out_type, self._options)

    def extra_repr(self) -> str:
        given = [f"{n}={t}" for n, t in (("edge_type", self.edge_type), ("node_type", self.node_type)) if t is not None]
        options = [f"hidden={self.hidden}", f"depth={self.depth}", f"rings={self.rings}"]
        return ", ".join([*options, f"max_frequency={self.max_frequency}", *given])


def _remake(in_type: FieldType, out_type: FieldType, options: dict[str, Any]) -> ImplicitSpace:
    return ImplicitSpace(in_type, out_type, **options)


def highest_frequency(in_type: FieldType, out_type: FieldType, attributes: FieldType, requested: int | None) -> int:
    """Return the requested frequency, or the highest that couples the types, see `ImplicitSpace`."""
    if requested is not None:
        if isinstance(requested, bool) or not isinstance(requested, int) or requested < 0:
            raise ValueError(f"Expected `max_frequency` of at least 0, got {requested!r}.")
        return requested
    if not is_transitive(in_type.group):
        return default_frequency(in_type, out_type)
    pairs = [(a.representation, b.representation) for a in in_type.blocks for b in out_type.blocks]
    complete = max((complete_frequency(a, b) or 0 for a, b in pairs), default=0)
    order = max((highest_order(b.representation) for b in attributes.blocks), default=0)
    return max(complete, min(complete + order, _MOST_WITH_ATTRIBUTES))


__all__ = ["ConditionalSpace", "ImplicitSpace", "highest_frequency"]
