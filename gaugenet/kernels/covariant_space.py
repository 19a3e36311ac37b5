"""CovariantSpace: steerable kernels of non-compact groups, from covariants of the tangent vector."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._validation import positive
from gaugenet.groups import FieldType, Representation, Scaling, StructureGroup, TensorGroup
from gaugenet.kernels._covariants import Covariant, Key, covariant, covariants
from gaugenet.kernels.basis import CachedTensor, CoupledBasis
from gaugenet.kernels.pairs import Pair
from gaugenet.kernels.pointwise import PointwiseSpace
from gaugenet.kernels.radial import RadialBasis


class Squares(RadialBasis):
    """Gaussians of <v, v>, the only invariant of a vector under O(p, q); centres spread over (-1, 1), width 1 / count.

    They decay for large squares of either sign, but not along the light cone, where vectors of any size have square 0.
    """

    def __init__(self, count: int, group: StructureGroup) -> None:
        self.count, self.group = positive("rings", count), group

    def __call__(self, r: Float[Tensor, "*points"]) -> Float[Tensor, "*points rings"]:
        centres = (2 * torch.arange(self.count, dtype=r.dtype, device=r.device) + 1) / self.count - 1
        return torch.exp(-0.5 * ((r.unsqueeze(-1) - centres) * self.count).square())

    def __repr__(self) -> str:
        return f"Squares({self.count}, {self.group})"


class One(RadialBasis):
    """The constant function, for groups under which only constant functions of a vector are invariant."""

    count = 1

    def __init__(self, group: StructureGroup) -> None:
        self.group = group

    def __call__(self, r: Float[Tensor, "*points"]) -> Float[Tensor, "*points 1"]:
        return torch.ones_like(r).unsqueeze(-1)

    def __repr__(self) -> str:
        return f"One({self.group})"


class CovariantBasis(CoupledBasis):
    """`B(v) = sum_i h_i(v) A_i` for one covariant h and every intertwiner A in Hom_G(h x rho_in, rho_out)."""

    def __init__(self, rho_in: Representation, rho_out: Representation, key: Key) -> None:
        self.rho_in, self.rho_out, self.key = rho_in, rho_out, key
        self.covariant: Covariant = covariant(rho_in.group, key)
        self.functions = self.covariant.representation
        self.coefficients = CachedTensor(self._solve)

    def sample(self, direction: Float[Tensor, "*points d"]) -> Float[Tensor, "*points dim out in"]:
        """Return the values of the basis at any vectors, not only at unit vectors."""
        h = self.covariant(direction)
        return torch.einsum("...h,bohi->...boi", h, self.coefficients(h))

    def __reduce__(self) -> tuple[Any, ...]:
        return _basis, (self.rho_in, self.rho_out, self.key)


class CovariantSpace(PointwiseSpace):
    r"""Kernels K with `K(g v) = rho_out(g) K(v) rho_in(g)^-1` for O(p, q), GL(d), SL(d) and scalings.

    K(v) = sum of phi_k(<v, v>) A(h(v)), where h are the covariants of the group (see `covariants`), A intertwiners, and
    phi_k functions of the invariant <v, v>, which only O(p, q) has. So the kernels are

    - for O(p, q): every equivariant polynomial of v, times functions of <v, v>;
    - for GL(d) and SL(d): every equivariant polynomial;
    - for scalings: waves in log |v|.

    None of them has compact support, so a change of frame changes which neighbours a neighbourhood contains.
    Equivariance is exact under changes of frames on given edges. Under a symmetry of the space it is exact if the
    symmetry maps neighbourhoods to neighbourhoods, e.g. if all points are neighbours of each other. Quadrature weights
    are ratios of volumes, which do not depend on the frame, so there is no factor 1 / \|det g\| here. Kernels for any
    structure group are derived in :cite:`weiler2021coordinate`.

    Args:
        in_type, out_type: field types of one group.
        rings: number of functions of <v, v>; groups without that invariant have one, the constant.
        max_frequency: highest degree of the polynomials, by default the sum of the highest ranks of both types, which
            gives all kernels; for scalings the highest frequency of the direction, 2 by default.

    Raises:
        ValueError: If the types have different groups, or there is no such kernel between them.

    Example:
        >>> from gaugenet.groups import FieldType, Lorentz
        >>> from gaugenet.kernels import CovariantSpace
        >>> group = Lorentz(4)
        >>> space = CovariantSpace(FieldType(group, "1x0"), FieldType(group, "1x0 + 1x1"), rings=3)
        >>> space.num_weights  # phi_k(<v, v>) and phi_k(<v, v>) v
        6
    """

    def __init__(
        self, in_type: FieldType, out_type: FieldType, *, rings: int | RadialBasis, max_frequency: Any = None
    ) -> None:
        super().__init__(in_type, out_type)
        self.radial = self._radial(rings)
        self.max_frequency = self._max_frequency(max_frequency)
        self._set_pairs(
            self._pairs(),
            advice=f" up to frequency {self.max_frequency}: the layer could only give zeros. Choose other types, or "
            "raise `max_frequency`",
        )

    def _radial(self, rings: int | RadialBasis) -> RadialBasis:
        if isinstance(rings, RadialBasis) and not isinstance(rings, (Squares, One)):
            raise ValueError(
                f"Expected `rings` to be a number for {self.group.name}, got {rings}: lengths depend on it."
            )
        if isinstance(rings, RadialBasis):
            return rings
        return One(self.group) if self._metric is None else Squares(rings, self.group)

    @property
    def _metric(self) -> Tensor | None:
        return self.group.metric if isinstance(self.group, TensorGroup) else None

    def _max_frequency(self, requested: int | Sequence[int] | None) -> int:
        if requested is None:
            return 2 if isinstance(self.group, Scaling) else sum(_highest(t) for t in (self.in_type, self.out_type))
        if not isinstance(requested, Integral) or requested < 0:
            raise ValueError(f"Expected `max_frequency` to be a number of at least 0, got {requested}.")
        return int(requested)

    def _pairs(self) -> Iterator[Pair]:
        start, rings = 0, tuple(range(self.radial.count))
        found = covariants(self.group, self.max_frequency, self._scale_limit())
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                for h in found:
                    pair = Pair(
                        source, target, _basis(source.representation, target.representation, h.key), h.key, rings, start
                    )
                    if pair.basis.dim:
                        start = pair.stop
                        yield pair

    def _scale_limit(self) -> int:
        if not isinstance(self.group, Scaling):
            return 0
        unit = 2 * math.pi / math.log(self.group.period)
        return sum(
            math.ceil(_highest_speed(t, self.group.identity()[None]) / unit - 1e-6)
            for t in (self.in_type, self.out_type)
        )

    def invariants(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points rings"]:
        metric = self._metric
        return self.radial(v[..., 0] if metric is None else (v @ metric.to(v) * v).sum(-1))

    def covariants(self, v: Float[Tensor, "*points d"]) -> list[Float[Tensor, "*points functions"]]:
        return [covariant(self.group, key)(v) for key in self.rings_of]

    def argument(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points d"]:
        return v

    def num_functions(self, key: Any) -> int:
        return covariant(self.group, key).representation.dim

    def extra_repr(self) -> str:
        return f"rings={self.radial.count}, max_frequency={self.max_frequency}"


def _highest(field_type: FieldType) -> int:
    """Return the highest rank of the tensors: the largest speed under a generator of the group, relative to vectors."""
    return math.ceil(_highest_speed(field_type, field_type.group.lie_algebra()) - 1e-6)


def _highest_speed(field_type: FieldType, algebra: Float[Tensor, "count d d"]) -> float:
    return max(
        (
            float(torch.linalg.eigvals(b.representation.derivative(x)).abs().max())
            for b in field_type.blocks
            for x in algebra
        ),
        default=0.0,
    )


@lru_cache(maxsize=4096)
def _basis(rho_in: Representation, rho_out: Representation, key: Key) -> CovariantBasis:
    """Return the kernels of one covariant, solved once."""
    return CovariantBasis(rho_in, rho_out, key)


__all__ = ["CovariantBasis", "CovariantSpace", "One", "Squares"]
