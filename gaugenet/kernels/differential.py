"""DifferentialSpace: all equivariant partial differential operators between two field types, up to an order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import Block, FieldType, Representation, StructureGroup
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.kernels._operator_names import operator_names
from gaugenet.kernels._symbols import Key, indices_up_to, symbol_functions, symbol_keys
from gaugenet.kernels.basis import Table
from gaugenet.kernels.frequencies import pair_frequencies
from gaugenet.kernels.harmonic import FrequencyBasis, frequency_basis


class OperatorBasis(FrequencyBasis):
    """`P(xi) = sum_i h_i(xi) A_i` for one set h of polynomials and every A in Hom_G(h x rho_in, rho_out)."""

    def __init__(self, rho_in: Representation, rho_out: Representation, key: Key) -> None:
        self.rho_in, self.rho_out = rho_in, rho_out
        self.frequency = key  # type: ignore[assignment]
        self.harmonic = symbol_functions(rho_in.group, key).representation
        self.coefficients = Table(self._solve)

    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        """The basis at any covectors, not only at unit covectors."""
        h = symbol_functions(self.rho_in.group, self.frequency)(direction)
        return torch.einsum("...h,bohi->...boi", h, self.coefficients(h))

    def __reduce__(self) -> tuple[Any, ...]:
        return _basis, (self.rho_in, self.rho_out, self.frequency)


@lru_cache(maxsize=4096)
def _basis(rho_in: Representation, rho_out: Representation, key: Key) -> FrequencyBasis:
    """The operators of one set of polynomials, solved once; of compact groups the bases of kernels serve."""
    if rho_in.group.compact:
        return frequency_basis(rho_in, rho_out, key[1])
    return OperatorBasis(rho_in, rho_out, key)


@dataclass(frozen=True)
class OperatorPair:
    """The operators of one degree and frequency from one block of the input type to one block of the output type.

    Attributes:
        key: the degree n of the symbol, which is the order of the operator, and its frequency.
        start: of the weights in the flat vector.
    """

    source: Block
    target: Block
    key: Key
    basis: FrequencyBasis
    start: int

    @property
    def order(self) -> int:
        return self.key[0]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the weights: basis elements, output and input multiplicity."""
        return self.basis.dim, self.target.multiplicity, self.source.multiplicity

    @property
    def stop(self) -> int:
        return self.start + math.prod(self.shape)

    def weight(self, weight: Tensor) -> Float[Tensor, "dim mult_out mult_in"]:
        return weight[self.start : self.stop].view(self.shape)

    def expand(self, weight: Tensor) -> Float[Tensor, "polynomials in out"]:
        """What multiplies the polynomials."""
        return self.basis.expand(self.weight(weight)[None])[0].flatten(3).flatten(1, 2)


@dataclass(frozen=True)
class Differential:
    """The family of equivariant partial differential operators, as the kernel of a convolution.

    Args:
        max_order: highest order of the derivatives.
    """

    max_order: int = 2

    def space(self, in_type: FieldType, out_type: FieldType) -> DifferentialSpace:
        """The operators between two field types."""
        return DifferentialSpace(in_type, out_type, max_order=self.max_order)


@dataclass(frozen=True)
class Operator:
    """One basis element between two representations.

    Attributes:
        source, target: names of the representations.
        order: of the operator, homogeneous.
        name: `div`, `laplacian curl`, `eth^2`, ..., up to a positive factor; otherwise the frequency of the symbol.
    """

    source: str
    target: str
    order: int
    name: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}: {self.name}"


class DifferentialSpace:
    r"""Operators D = sum_a C_a d^a with constant coefficients that commute with changes of frame, up to an order.

    D is equivariant if and only if its symbol P(xi) = sum_a C_a xi^a satisfies `P(g^-T xi) = rho_out(g) P(xi)
    rho_in(g)^-1` for all g in G (:cite:`jenner2022steerable`, here for any d and for groups that are not orthogonal).
    Derivatives are covectors, and there is no factor \|det g\|. The solutions of order n are polynomials of degree n.
    Orthogonal groups have \|xi\|^(n - j) times the harmonic kernels of frequency j, and O(p, q) has the same with its
    own square. GL(d), SL(d) and scalings have the intertwiners of polynomials of covectors.

    On a curved space d^a means the Taylor coefficients in normal coordinates of the field that is transported along
    radii: symmetrised covariant derivatives.

    The operator is linear in a flat weight vector: for every pair of blocks, order and frequency, basis elements x
    output x input multiplicity. For a compact group the squared Frobenius norm of a basis element has mean one over the
    unit sphere of covectors.

    Args:
        in_type, out_type: field types of one group acting on R^d.
        max_order: highest order of the derivatives.

    Raises:
        ValueError: types of two groups; an order that is not a number of at least 0; field types between which there is
            no such operator.

    Example:
        >>> from gaugenet.groups import O2, FieldType
        >>> from gaugenet.kernels import DifferentialSpace
        >>> space = DifferentialSpace(FieldType(O2(), "1x0"), FieldType(O2(), "1x0 + 1x1"), max_order=2)
        >>> [str(operator) for operator in space.operators]
        ['0 -> 0: identity', '0 -> 0: laplacian', '0 -> 1: grad']
    """

    includes_center = True
    """Whether a neighbourhood needs a row for the point itself."""
    in_type: FieldType
    out_type: FieldType
    max_order: int
    group: StructureGroup
    pairs: list[OperatorPair]
    keys: list[Key]
    """Sets of polynomials in use, in the order of their columns."""

    def __init__(self, in_type: FieldType, out_type: FieldType, *, max_order: int = 2) -> None:
        need_one_group(in_type, out_type)
        if not isinstance(max_order, Integral) or isinstance(max_order, bool) or max_order < 0:
            raise ValueError(f"Expected `max_order` to be a whole number of at least 0, got {max_order!r}.")
        self.in_type, self.out_type, self.max_order = in_type, out_type, int(max_order)
        self.group = in_type.group
        self.pairs = list(self._pairs())
        self.keys = sorted({p.key for p in self.pairs})
        self._check_not_empty()

    def _pairs(self) -> Iterator[OperatorPair]:
        start, keys = 0, symbol_keys(self.group, self.max_order)
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                rho_in, rho_out = source.representation, target.representation
                possible = set(pair_frequencies(rho_in, rho_out, self.max_order)) if self.group.compact else None
                for key in keys:
                    if possible is not None and key[1] not in possible:
                        continue
                    pair = OperatorPair(source, target, key, _basis(rho_in, rho_out, key), start)
                    if pair.basis.dim:
                        start = pair.stop
                        yield pair

    def _check_not_empty(self) -> None:
        if self.in_type.size and self.out_type.size and not self.num_weights:
            raise ValueError(
                f"There are no {self.group.name}-equivariant differential operators from {self.in_type} to "
                f"{self.out_type} up to order {self.max_order}: the layer could only give zeros. Choose other types, "
                "or raise `max_order`."
            )

    # --- which operators ----------------------------------------------------------------------------------------------

    @property
    def num_weights(self) -> int:
        return self.pairs[-1].stop if self.pairs else 0

    @property
    def dim_by_order(self) -> tuple[int, ...]:
        """The number of independent operators of each homogeneous order, 0 ... `max_order`."""
        return tuple(sum(math.prod(p.shape) for p in self.pairs if p.order == n) for n in range(self.max_order + 1))

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Every basis element between two representations, in the order of the weights, once for all multiplicities."""
        return tuple(
            Operator(p.source.representation.name, p.target.representation.name, p.order, name)
            for p in self.pairs
            for name in operator_names(p.source.representation, p.target.representation, p.key, p.basis)
        )

    def initialize(self, weight: Tensor, *, generator: torch.Generator | None = None) -> None:
        """Fill `weight` in place so that jets whose terms are of unit size give outputs of about unit variance.

        Order n is divided by n!: a field f(v) = sum_a c_a v^a / a! of unit size over a ball of radius 1 has derivatives
        c_a of about n!.
        """
        for target in self.out_type.blocks:
            pairs = [p for p in self.pairs if p.target is target]
            fan_in = sum(p.basis.dim * p.source.multiplicity for p in pairs) / target.representation.dim
            for p in pairs:
                scale = 1 / (math.sqrt(max(fan_in, 1.0)) * math.factorial(p.order))
                p.weight(weight).normal_(generator=generator).mul_(scale)

    # --- the symbol ---------------------------------------------------------------------------------------------------

    def symbol(
        self, weight: Float[Tensor, "weights"], xi: Float[Tensor, "*points d"]
    ) -> Float[Tensor, "*points out in"]:
        """P(xi): the operator with every derivative replaced by a component of xi.

        D exp(<xi, x>) f = P(xi) exp(<xi, x>) f for constant f; of plane waves exp(i <xi, x>) the factors i^n of each
        order come in addition.
        """
        self._check_weight(weight)
        if xi.shape[-1:] != (self.group.d,):
            raise ValueError(f"Expected `xi` with {self.group.d} components, got shape {tuple(xi.shape)}.")
        full = xi.new_zeros(*xi.shape[:-1], self.out_type.size, self.in_type.size)
        for p in self.pairs:
            h = symbol_functions(self.group, p.key)(xi)
            full[..., p.target.slice, p.source.slice] += torch.einsum("...h,hio->...oi", h, p.expand(weight).to(xi))
        return full

    def coefficient_matrices(self, weight: Float[Tensor, "weights"]) -> Float[Tensor, "monomials out in"]:
        """C_a for every multi-index a in `indices`."""
        self._check_weight(weight)
        full = weight.new_zeros(len(self.indices), self.out_type.size, self.in_type.size)
        for p in self.pairs:
            table = symbol_functions(self.group, p.key).derivatives(weight)
            rows = torch.einsum("hm,hio->moi", table, p.expand(weight))
            full[self._rows_of(p.order), p.target.slice, p.source.slice] += rows
        return full

    @cached_property
    def indices(self) -> list[tuple[int, ...]]:
        """The multi-indices a of all derivatives up to `max_order`, lowest order first."""
        return indices_up_to(self.group.d, self.max_order)

    def _rows_of(self, order: int) -> slice:
        before, here = (len(indices_up_to(self.group.d, n)) for n in (order - 1, order))
        return slice(before, here)

    def _check_weight(self, weight: Tensor) -> None:
        if weight.shape != (self.num_weights,):
            raise ValueError(f"Expected `weight` of shape ({self.num_weights},), got {tuple(weight.shape)}.")

    # --- the factorised form ------------------------------------------------------------------------------------------

    @property
    def num_columns(self) -> int:
        """Number of scalar operators h(d) that fields are differentiated by before weights act."""
        return sum(symbol_functions(self.group, key).dim for key in self.keys)

    @property
    def columns_of_derivatives(self) -> Float[Tensor, "monomials columns"]:
        """The scalar operators h(d) as combinations of the derivatives d^a; float64."""
        full = torch.zeros(len(self.indices), self.num_columns, dtype=torch.float64)
        start = 0
        for key in self.keys:
            table = symbol_functions(self.group, key).derivatives()
            full[self._rows_of(key[0]), start : start + len(table)] = table.T
            start += len(table)
        return full

    def columns(self, target: Block) -> slice:
        """The columns that one output block needs."""
        return slice(0, self.num_columns)

    def mixing(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "columns_in out"]]:
        """For every output block the matrix from its (column, input channel) pairs to its channels."""
        return [torch.cat([self._mixing_of(weight, b, key) for key in self.keys]) for b in self.out_type.blocks]

    def _mixing_of(self, weight: Tensor, target: Block, key: Key) -> Float[Tensor, "columns_in out"]:
        found = {p.source: p for p in self.pairs if p.target is target and p.key == key}
        dim = symbol_functions(self.group, key).dim
        parts = [
            found[source].expand(weight) if source in found else weight.new_zeros(dim, source.size, target.size)
            for source in self.in_type.blocks
        ]
        return torch.cat(parts, 1).flatten(0, 1)

    def __repr__(self) -> str:
        return f"DifferentialSpace({self.in_type} -> {self.out_type}, {self.group.name}, max_order={self.max_order})"


__all__ = ["Differential", "DifferentialSpace", "Operator", "OperatorBasis", "OperatorPair"]
