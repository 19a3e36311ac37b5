"""CliffordSpace: the complete O(p, q)-steerable kernels between multivector fields, in closed form."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import (
    O2,
    O3,
    SO2,
    SO3,
    CliffordAlgebra,
    FieldType,
    PseudoOrthogonal,
    Representation,
    StructureGroup,
)
from gaugenet.groups.clifford.fields import algebra_of, grade_of, grades_of
from gaugenet.kernels.basis import CachedTensor, CoupledBasis, unit
from gaugenet.kernels.clifford.generators import (
    generator_matrix,
    generators,
    mean_square,
    monomials,
    num_monomials,
    traceless_basis,
)
from gaugenet.kernels.covariant_space import Squares
from gaugenet.kernels.family import KernelFamily
from gaugenet.kernels.pairs import Pair
from gaugenet.kernels.pointwise import PointwiseSpace
from gaugenet.kernels.radial import RadialBasis, Rings


class CliffordBasis(CoupledBasis):
    """The generators of one degree between two grades: `B(v) = sum_i h_i(v) A_i`, h the `monomials` of this degree.

    Their squared Frobenius norm has mean one over the directions.
    """

    def __init__(self, rho_in: Representation, rho_out: Representation, degree: int, complete: bool) -> None:
        self.rho_in, self.rho_out, self.degree, self.complete = rho_in, rho_out, degree, complete
        self.algebra = algebra_of(rho_in.group)
        self.functions = _monomial_representation(rho_in.group, degree)
        oriented = rho_in.group.orientation_preserving
        found = generators(self.algebra.n, _grade(rho_in), _grade(rho_out), oriented=oriented, complete=complete)
        self.generators = tuple(g for g in found if g.degree == degree)
        self.coefficients = CachedTensor(self._closed_form)

    def _closed_form(self) -> Float[Tensor, "dim out functions in"]:
        matrices = [generator_matrix(self.algebra, g, _grade(self.rho_in)) for g in self.generators]
        scaled = [m / mean_square(self.algebra, self.degree, m) ** 0.5 for m in matrices]
        empty = torch.zeros(0, self.functions.dim, self.rho_out.dim, self.rho_in.dim, dtype=torch.float64)
        return (torch.stack(scaled) if scaled else empty).transpose(1, 2)

    @property
    def dim(self) -> int:
        return len(self.generators)

    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        """Return the values of the basis at any vectors, not only at unit vectors."""
        h = monomials(self.algebra, self.degree, direction)
        return torch.einsum("...h,bohi->...boi", h, self.coefficients(h))

    def __reduce__(self) -> tuple[Any, ...]:
        return _clifford_basis, (self.rho_in, self.rho_out, self.degree, self.complete)


class CliffordSpace(PointwiseSpace):
    r"""Kernels K with `K(g v) = rho_out(g) K(v) rho_in(g)^-1` between multivector fields of (S)O(p, q) or SO+(p, q).

    K(v) f = sum of phi(<v, v>) times the generators f, v ^ f, v _| f and v ^ (v _| f), with one weight for each pair of
    grades. Groups that preserve orientation also have the Hodge duals of these. They are all equivariant polynomials:
    4 n per radial function between multivectors of all n + 1 grades, 8 n with duals. (In degree 2 the multiple of f is
    subtracted, v ^ (v _| f) - k / n <v, v> f on grade k, so that functions of different degree are orthogonal.) With
    `complete=False` they are the 3 n + 1 kernels of :cite:`zhdanov2024clifford`, without v ^ (v _| f).

    Radial functions: definite metrics have `Rings` of |v| times generators of v / |v|, as in `HarmonicSpace`.
    Indefinite metrics have Gaussians of <v, v> (`Squares`) times generators of v. These are invariant, smooth across
    the light cone, and decay away from it. Along the light cone no invariant function decays, so the kernel ends with
    the neighbourhood there. See `CovariantSpace` for the consequences under boosts.

    Args:
        in_type, out_type: types of multivectors of one group: O2, SO2, O3, SO3 or `PseudoOrthogonal`.
        rings: radial functions: a number, or a `RadialBasis` (for indefinite metrics `Squares`).
        complete: include v ^ (v _| f).

    Raises:
        ValueError: If the types have different groups, the group is not one of those above, a block is not an exterior
            power, `rings` or `complete` do not fit, or there is no kernel between the types.

    Example:
        >>> from gaugenet.groups import O3, multivector
        >>> from gaugenet.kernels import CliffordSpace
        >>> fields = multivector(O3())
        >>> CliffordSpace(fields, fields).num_weights, CliffordSpace(fields, fields, complete=False).num_weights
        (12, 10)
    """

    def __init__(
        self, in_type: FieldType, out_type: FieldType, rings: int | RadialBasis = 1, complete: bool = True
    ) -> None:
        super().__init__(in_type, out_type)
        if not (isinstance(self.group, PseudoOrthogonal) or self.group in (O2(), SO2(), O3(), SO3())):
            raise ValueError(
                f"Expected types of O(2), SO(2), O(3), SO(3) or a `PseudoOrthogonal`, got {self.group.name}: Clifford "
                "kernels are complete for these alone. Use `Harmonic` kernels."
            )
        for kind in (in_type, out_type):
            grades_of(kind)
        self.algebra: CliffordAlgebra = algebra_of(self.group)
        if not isinstance(complete, bool):
            raise ValueError(f"Expected `complete` to be True or False, got {complete!r}.")
        self.complete = complete
        self.radial = self._radial(rings)
        self._set_pairs(self._clifford_pairs(), advice=": the layer could only give zeros. Choose other grades")

    def _radial(self, rings: int | RadialBasis) -> RadialBasis:
        if not isinstance(rings, RadialBasis):
            return Rings(rings) if self.group.compact else Squares(rings, self.group)
        if isinstance(rings, Squares) is not self.group.compact:
            return rings
        wanted = "of lengths, such as `Rings`" if self.group.compact else "of <v, v>, such as `Squares`"
        raise ValueError(f"Expected `rings` to be a number or functions {wanted}, for {self.group.name}; got {rings}.")

    def _clifford_pairs(self) -> Iterator[Pair]:
        start, rings = 0, tuple(range(self.radial.count))
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                for degree in range(3):
                    basis = _clifford_basis(source.representation, target.representation, degree, self.complete)
                    if basis.dim:
                        pair = Pair(source, target, basis, degree, rings, start)
                        start = pair.stop
                        yield pair

    def invariants(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points rings"]:
        if self.group.compact:
            return self.radial(torch.linalg.vector_norm(v, dim=-1))
        return self.radial(self.algebra.norm_squared(self.algebra.vector(v)))

    def covariants(self, v: Float[Tensor, "*points d"]) -> list[Float[Tensor, "*points functions"]]:
        x = self.argument(v)
        return [monomials(self.algebra, degree, x) for degree in self.rings_of]

    def argument(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points d"]:
        return unit(v) if self.group.compact else v

    def num_functions(self, key: Hashable) -> int:
        return num_monomials(self.algebra.n, key)  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        return f"rings={self.radial.count}, complete={self.complete}"


@dataclass(frozen=True)
class Clifford(KernelFamily):
    """Kernels between multivector fields, see `CliffordSpace` :cite:`zhdanov2024clifford`.

    Args:
        rings: radial functions: a number, or a `RadialBasis`.
        complete: use all steerable kernels; with `False` only the published ones, without v ^ (v _| f).

    Example:
        >>> from gaugenet.groups import PseudoOrthogonal, multivector
        >>> from gaugenet.kernels import Clifford
        >>> fields = multivector(PseudoOrthogonal(1, 2))
        >>> Clifford(rings=1).space(fields, fields).num_weights
        12
    """

    rings: int | RadialBasis = 2
    complete: bool = True

    def space(self, in_type: FieldType, out_type: FieldType) -> CliffordSpace:
        return CliffordSpace(in_type, out_type, rings=self.rings, complete=self.complete)


@lru_cache(maxsize=4096)
def _clifford_basis(rho_in: Representation, rho_out: Representation, degree: int, complete: bool) -> CliffordBasis:
    """Return the `CliffordBasis` for these arguments, made once."""
    return CliffordBasis(rho_in, rho_out, degree, complete)


@lru_cache(maxsize=256)
def _monomial_representation(group: StructureGroup, degree: int) -> Representation:
    """Return how the `monomials` of a degree transform."""
    if degree < 2:
        return group.standard() if degree else group.trivial()
    basis = traceless_basis(algebra_of(group))

    def matrix(g: Tensor) -> Tensor:
        b = basis.to(g)
        return torch.einsum("xij,...ik,...jl,ykl->...xy", b, g, g, b)

    return Representation(group, f"monomials({degree})", len(basis), matrix)


def _grade(rho: Representation) -> int:
    k = grade_of(rho)
    if k is None:
        raise ValueError(f"Expected an exterior power, got {rho!r}.")
    return k


__all__ = [
    "Clifford",
    "CliffordBasis",
    "CliffordSpace",
]
