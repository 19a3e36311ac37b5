"""DifferentialSpace: all equivariant partial differential operators between two field types, up to an order."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from numbers import Integral
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.groups import FieldType, Representation
from gaugenet.kernels._operator_names import operator_names
from gaugenet.kernels._symbols import Key, indices_up_to, symbol_functions, symbol_keys
from gaugenet.kernels.basis import CachedTensor, CoupledBasis
from gaugenet.kernels.factorized import FactorizedSpace
from gaugenet.kernels.family import KernelFamily
from gaugenet.kernels.frequencies import pair_frequencies
from gaugenet.kernels.harmonic import frequency_basis
from gaugenet.kernels.jets import neighborhood_jets
from gaugenet.kernels.pairs import Pair
from gaugenet.kernels.pixel_derivatives import Discretization, check_options, stencil_derivatives
from gaugenet.kernels.space import Neighborhood, PixelStencil

_LEAST_DEGREE = 2
"""Lowest degree of the polynomials that are fitted to fields."""


class OperatorBasis(CoupledBasis):
    """`P(xi) = sum_i h_i(xi) A_i` for one set h of polynomials and every A in Hom_G(h x rho_in, rho_out)."""

    def __init__(self, rho_in: Representation, rho_out: Representation, key: Key) -> None:
        self.rho_in, self.rho_out, self.key = rho_in, rho_out, key
        self.functions = symbol_functions(rho_in.group, key).representation
        self.coefficients = CachedTensor(self._solve)

    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        """Return the values of the basis at any covectors, not only at unit covectors."""
        h = symbol_functions(self.rho_in.group, self.key)(direction)
        return torch.einsum("...h,bohi->...boi", h, self.coefficients(h))

    def __reduce__(self) -> tuple[Any, ...]:
        return _basis, (self.rho_in, self.rho_out, self.key)


@lru_cache(maxsize=4096)
def _basis(rho_in: Representation, rho_out: Representation, key: Key) -> CoupledBasis:
    """Return the operators of one set of polynomials, solved once; compact groups use the bases of kernels."""
    if rho_in.group.compact:
        return frequency_basis(rho_in, rho_out, key[1])
    return OperatorBasis(rho_in, rho_out, key)


@dataclass(frozen=True)
class Differential(KernelFamily):
    """Equivariant partial differential operators, on every domain.

    On graphs derivatives are jets: a polynomial in normal coordinates is fitted to the field around each point, see
    `gaugenet.kernels.jets`. On pixels they are computed by `stencil_derivatives`. The weight of an operator D of order
    n multiplies (R / 2)^n / n! D, a term of the Taylor expansion at half the radius R. So weights can be used on other
    domains, and all orders learn at one rate. Source: :cite:`jenner2022steerable`.

    Args:
        max_order: highest order of the derivatives.
        degree: on graphs, degree of the polynomials. Default: `max_order`, at least 2. Degree 3 is more accurate for
            scalars on smooth data, and needs about 20 neighbours.
        discretization: on pixels, `gaussian` or `differences`.
        accuracy: order of the error of differences, 2, 4 or 6. Default: the highest for which the window has room.
        width: width of the Gaussian, in pixels. Default: 1 for windows of 3 pixels, 1.3 for 5, 1.6 for 7.

    Example:
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.kernels import Differential
        >>> Differential(max_order=1).space(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x0 + 1x1"))
        DifferentialSpace(1x0 -> 1x0 + 1x1, SO(2), max_order=1)
    """

    max_order: int = 2
    degree: int | None = None
    discretization: Discretization = "gaussian"
    accuracy: int | None = None
    width: float | None = None

    def space(self, in_type: FieldType, out_type: FieldType) -> DifferentialSpace:
        options = {name: value for name, value in vars(self).items() if name != "max_order"}
        return DifferentialSpace(in_type, out_type, max_order=self.max_order, **options)


@dataclass(frozen=True)
class Operator:
    """One basis element between two representations.

    Attributes:
        source, target: names of the representations.
        order: order of the operator, which is homogeneous.
        name: `div`, `laplacian curl`, `eth^2`, ..., up to a positive factor; otherwise the frequency of the symbol.
    """

    source: str
    target: str
    order: int
    name: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}: {self.name}"


class DifferentialSpace(FactorizedSpace):
    r"""Operators D = sum_a C_a d^a with constant coefficients that commute with changes of frame, up to an order.

    D is equivariant if and only if its symbol P(xi) = sum_a C_a xi^a satisfies `P(g^-T xi) = rho_out(g) P(xi)
    rho_in(g)^-1` for all g in G (:cite:`jenner2022steerable`, here for any d and for groups that are not orthogonal).
    Derivatives are covectors, and there is no factor \|det g\|. The solutions of order n are polynomials of degree n:
    for orthogonal groups \|xi\|^(n - j) times the harmonic kernels of frequency j, for O(p, q) the same with its
    own square, and for GL(d), SL(d) and scalings the intertwiners of polynomials of covectors.

    On a curved space d^a are the Taylor coefficients, in normal coordinates, of the field after transport along
    radii: symmetrized covariant derivatives.

    The operator is linear in a flat weight vector: for every pair of blocks, order and frequency, basis elements x
    output x input multiplicity. For a compact group the squared Frobenius norm of a basis element has mean one over the
    unit sphere of covectors.

    Args:
        in_type, out_type: field types of one group acting on R^d.
        max_order: highest order of the derivatives.
        options: see `Differential`.

    Raises:
        ValueError: If the types have different groups, `max_order` is not a whole number of at least 0, an option is
            invalid, or there is no such operator between the types.

    Example:
        >>> from gaugenet.groups import O2, FieldType
        >>> from gaugenet.kernels import DifferentialSpace
        >>> space = DifferentialSpace(FieldType(O2(), "1x0"), FieldType(O2(), "1x0 + 1x1"), max_order=2)
        >>> [str(operator) for operator in space.operators]
        ['0 -> 0: identity', '0 -> 0: laplacian', '0 -> 1: grad']
    """

    includes_center = True
    max_order: int
    degree: int
    _sizes: dict[Key, int]

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        max_order: int = 2,
        degree: int | None = None,
        discretization: Discretization = "gaussian",
        accuracy: int | None = None,
        width: float | None = None,
    ) -> None:
        super().__init__(in_type, out_type)
        if not isinstance(max_order, Integral) or isinstance(max_order, bool) or max_order < 0:
            raise ValueError(f"Expected `max_order` to be a whole number of at least 0, got {max_order!r}.")
        self.max_order = int(max_order)
        self.degree = max(_LEAST_DEGREE, self.max_order) if degree is None else positive("degree", degree)
        if self.degree < self.max_order:
            raise ValueError(f"Expected `degree` of at least `max_order` = {self.max_order}, got {self.degree}.")
        check_options(discretization, accuracy, width)
        self.on_pixels: dict[str, Any] = {"discretization": discretization, "accuracy": accuracy, "width": width}
        self._set_pairs(self._pairs())
        self._sizes = {key: symbol_functions(self.group, key).dim for key in symbol_keys(self.group, self.max_order)}

    def _set_pairs(self, pairs: Any, *, advice: str = "") -> None:
        self.pairs = list(pairs)
        self.rings_of = dict.fromkeys(sorted({cast(Key, p.key) for p in self.pairs}), (0,))
        if self.in_type.size and self.out_type.size and not self.num_weights:
            raise ValueError(
                f"There are no {self.group.name}-equivariant differential operators from {self.in_type} to "
                f"{self.out_type} up to order {self.max_order}: the layer could only give zeros. Choose other types, "
                "or raise `max_order`."
            )
        pixels = " ".join(map(str, self.on_pixels.values()))  # without quotes, which exporters cannot read
        self.factor_keys = (
            f"derivatives {self.group} {self.max_order} {self.degree} {pixels} {list(self.rings_of)}",
            f"turn plain {self.group} {self.in_type}",
        )

    def _pairs(self) -> Iterator[Pair]:
        start, keys = 0, symbol_keys(self.group, self.max_order)
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                rho_in, rho_out = source.representation, target.representation
                possible = set(pair_frequencies(rho_in, rho_out, self.max_order)) if self.group.compact else None
                for key in keys:
                    if possible is not None and key[1] not in possible:
                        continue
                    pair = Pair(source, target, _basis(rho_in, rho_out, key), key, (0,), start)
                    if pair.basis.dim:
                        start = pair.stop
                        yield pair

    # --- the operators ------------------------------------------------------------------------------------------------

    @property
    def dim_by_order(self) -> tuple[int, ...]:
        """The number of independent operators of each homogeneous order, 0 ... `max_order`."""
        return tuple(sum(math.prod(p.shape) for p in self.pairs if _order(p) == n) for n in range(self.max_order + 1))

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Every basis element between two representations, in the order of the weights, without multiplicities."""
        return tuple(
            Operator(p.source.representation.name, p.target.representation.name, _order(p), name)
            for p in self.pairs
            for name in operator_names(
                p.source.representation, p.target.representation, cast(Key, p.key), cast(CoupledBasis, p.basis)
            )
        )

    def initialize(self, weight: Tensor, *, generator: torch.Generator | None = None) -> None:
        """Fill `weight` in place: Taylor terms of unit size at half the radius give outputs of about unit variance."""
        for target in self.out_type.blocks:
            pairs = [p for p in self.pairs if p.target is target]
            fan_in = sum(p.basis.dim * p.source.multiplicity for p in pairs) / target.representation.dim
            for p in pairs:
                p.weight(weight).normal_(generator=generator).div_(math.sqrt(max(fan_in, 1.0)))

    def in_units_of_length(self, weight: Float[Tensor, "weights"], radius: float) -> Float[Tensor, "weights"]:
        """Return the weights that `symbol` and `apply_operator` take for the operator of a layer with these weights.

        Args:
            weight: weights of a layer.
            radius: radius R of the neighbourhoods, of the pixels of a window or of a graph.

        Example:
            >>> import torch
            >>> from gaugenet.groups import SO2, FieldType
            >>> from gaugenet.kernels import DifferentialSpace
            >>> scalars = FieldType(SO2(), "1x0")
            >>> space = DifferentialSpace(scalars, scalars, max_order=2)
            >>> space.in_units_of_length(torch.tensor([1.0, 1.0]), radius=0.2)  # the Laplacian times 0.1^2 / 2!
            tensor([1.0000, 0.0050])
        """
        self._check_weight(weight)
        factors = torch.ones_like(weight)
        for p in self.pairs:
            p.weight(factors).mul_(_taylor_factor(_order(p)) * radius ** _order(p))
        return weight * factors

    # --- the symbol ---------------------------------------------------------------------------------------------------

    def symbol(
        self, weight: Float[Tensor, "weights"], xi: Float[Tensor, "*points d"]
    ) -> Float[Tensor, "*points out in"]:
        """Return P(xi): the operator with every derivative replaced by a component of xi.

        D exp(<xi, x>) f = P(xi) exp(<xi, x>) f for constant f. For plane waves exp(i <xi, x>) each order n has an
        additional factor i^n.
        """
        self._check_weight(weight)
        if xi.shape[-1:] != (self.group.d,):
            raise ValueError(f"Expected `xi` with {self.group.d} components, got shape {tuple(xi.shape)}.")
        full = xi.new_zeros(*xi.shape[:-1], self.out_type.size, self.in_type.size)
        for p in self.pairs:
            h = symbol_functions(self.group, cast(Key, p.key))(xi)
            part = torch.einsum("...h,hio->...oi", h, p.expand(weight)[0].to(xi))
            full[..., p.target.slice, p.source.slice] += part
        return full

    def coefficient_matrices(self, weight: Float[Tensor, "weights"]) -> Float[Tensor, "monomials out in"]:
        """Return C_a for every multi-index a in `indices`."""
        self._check_weight(weight)
        full = weight.new_zeros(len(self.indices), self.out_type.size, self.in_type.size)
        for p in self.pairs:
            table = symbol_functions(self.group, cast(Key, p.key)).derivatives(weight)
            rows = torch.einsum("hm,hio->moi", table, p.expand(weight)[0])
            full[self._rows_of(_order(p)), p.target.slice, p.source.slice] += rows
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

    # --- the factorized form ------------------------------------------------------------------------------------------

    def num_functions(self, key: Hashable) -> int:
        return self._sizes[cast(Key, key)]  # a table, since compilers cannot trace how groups are made

    @property
    def columns_of_derivatives(self) -> Float[Tensor, "monomials columns"]:
        """The scalar operators h(d) / (2^n n!), one a column, as combinations of the derivatives d^a; float64."""
        full = torch.zeros(len(self.indices), self.num_columns, dtype=torch.float64)
        for key in self.rings_of:
            order = cast(Key, key)[0]
            table = symbol_functions(self.group, cast(Key, key)).derivatives()
            full[self._rows_of(order), self.columns_of(key)] = _taylor_factor(order) * table.T
        return full

    def coefficients(self, neighborhood: Neighborhood) -> Float[Tensor, "rows columns"]:
        """Return the weights of each row in h(d) f / (2^n n!), with lengths in units of the radius.

        Raises:
            ValueError: If there are points but none has a neighbour, or most neighbourhoods do not determine
                derivatives of `max_order`.
        """
        jets = neighborhood_jets(neighborhood, degree=self.degree, uniform=not self.group.compact)
        jets.require(self.max_order)
        return jets.rows[:, : len(self.indices)] @ self.columns_of_derivatives.to(jets.rows)

    def stencil_coefficients(self, stencil: PixelStencil) -> Float[Tensor, "cells columns"]:
        return stencil_derivatives(stencil, self.max_order, **self.on_pixels) @ self.columns_of_derivatives

    def extra_repr(self) -> str:
        options = {"degree": self.degree, **self.on_pixels}
        usual = {"degree": max(_LEAST_DEGREE, self.max_order), "discretization": "gaussian"}
        shown = [f", {name}={value}" for name, value in options.items() if value != usual.get(name)]
        return f"max_order={self.max_order}" + "".join(shown)


def _order(p: Pair) -> int:
    return cast(Key, p.key)[0]


def _taylor_factor(order: int) -> float:
    """Return 1 / (2^n n!), by which rows of derivatives have about equal norms on usual neighbourhoods and windows.

    Otherwise they grow as 1, 2, 12, 70 on 5 x 5 pixels, and since optimizers change all weights at one rate, operators
    of order 3 drown the others.
    """
    return 0.5**order / math.factorial(order)


__all__ = ["Differential", "DifferentialSpace", "Operator", "OperatorBasis"]
