"""HarmonicSpace: all G-steerable kernels between two field types of a compact group (Wigner-Eckart)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import O2, SO2, Block, FieldType, Representation
from gaugenet.kernels.aligned import aligned_basis, aligned_transport
from gaugenet.kernels.basis import unit
from gaugenet.kernels.frequencies import complete_frequency, default_frequency, is_transitive, pair_frequencies
from gaugenet.kernels.harmonic import frequency_basis
from gaugenet.kernels.harmonics import harmonic_dim, harmonics_of
from gaugenet.kernels.pairs import Pair
from gaugenet.kernels.pointwise import PointwiseSpace
from gaugenet.kernels.radial import RadialBasis, Rings
from gaugenet.kernels.space import PixelStencil


class HarmonicSpace(PointwiseSpace):
    r"""Kernels K: R^d -> R^{out x in} with `K(g v) = rho_out(g) K(v) rho_in(g)^-1` on rings of a ball of radius 1.

    The functions are spherical harmonics of the direction (:cite:`lang2021wigner`, Theorem 4.1). Between irreps of
    SO(2) and O(2) the space is `aligned`: a kernel is determined by its matrix on the first axis, so features are
    transported into the frame of the edge, multiplied, and rotated back.

    Args:
        in_type, out_type: field types of one compact group acting on R^d.
        rings: radial functions: a number of `Rings`, or any `RadialBasis`.
        max_frequency: highest angular frequency of the kernels, one number or one for each ring (see `band_limit` for
            pixel grids). SO(2), O(2), SO(3) and O(3) need none: their kernels have finitely many frequencies, which
            are all used. Default for other groups: see `default_frequency`.

    Raises:
        ValueError: If the types have different groups, there is no ring, `max_frequency` is negative or does not fit
            the number of rings, or there is no kernel between the types.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.kernels import HarmonicSpace
        >>> space = HarmonicSpace(FieldType(SO2(), "1x0"), FieldType(SO2(), "1x0 + 1x1"), rings=2)
        >>> weight, v, g = torch.randn(space.num_weights), torch.rand(10, 2) - 0.5, SO2().random_element().float()
        >>> rho = space.out_type.representation()
        >>> torch.allclose(space.evaluate(weight, v @ g.T), rho(g) @ space.evaluate(weight, v), atol=1e-5)
        True
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        rings: int | RadialBasis,
        max_frequency: int | Sequence[int] | None = None,
    ) -> None:
        super().__init__(in_type, out_type)
        self.radial = rings if isinstance(rings, RadialBasis) else Rings(rings)
        irreducible = all(b.representation.is_irreducible for b in in_type.blocks + out_type.blocks)
        self.aligned = max_frequency is None and irreducible and self.group in (SO2(), O2())
        self.max_frequency = self._max_frequency(max_frequency)
        limit = "" if self.max_frequency is None else f" up to frequency {self.max_frequency}"
        advice = ", or raise `max_frequency`" if limit else ""
        self._set_pairs(
            self._aligned_pairs() if self.aligned else self._harmonic_pairs(),
            advice=f"{limit}: the layer could only give zeros. Choose other types{advice}",
        )
        self._rotations = [_rotation_parts(b.representation) for b in out_type.blocks] if self.aligned else []

    # --- the kernels ------------------------------------------------------------------------------------------------

    def _max_frequency(self, requested: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
        """Return one number, one for each ring, or `None` if the irreps determine the frequencies."""
        if requested is None:
            return None if is_transitive(self.group) else default_frequency(self.in_type, self.out_type)
        limits = [requested] if isinstance(requested, Integral) else list(requested)  # type: ignore[arg-type]
        if any(not isinstance(j, Integral) or j < 0 for j in limits):
            raise ValueError(f"Expected `max_frequency` of at least 0, got {requested}.")
        if isinstance(requested, Integral):
            return int(requested)
        if len(limits) != self.radial.count:
            raise ValueError(
                f"Expected `max_frequency` to be one number or one for each of the {self.radial.count} rings, "
                f"got {requested}."
            )
        return tuple(int(j) for j in limits)

    def _limits(self, rho_in: Representation, rho_out: Representation) -> tuple[int, ...]:
        """Return the highest frequency of each ring."""
        if isinstance(self.max_frequency, tuple):
            return self.max_frequency
        limit = complete_frequency(rho_in, rho_out) if self.max_frequency is None else self.max_frequency
        return (limit or 0,) * self.radial.count

    def _aligned_pairs(self) -> Iterator[Pair]:
        start, rings = 0, tuple(range(self.radial.count))
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                pair = Pair(
                    source,
                    target,
                    aligned_basis(source.representation, target.representation),
                    _order(target),
                    rings,
                    start,
                )
                start = pair.stop
                yield pair

    def _harmonic_pairs(self) -> Iterator[Pair]:
        start = 0
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                rho_in, rho_out = source.representation, target.representation
                limits = self._limits(rho_in, rho_out)
                for j in pair_frequencies(rho_in, rho_out, max(limits)):
                    rings = tuple(k for k, limit in enumerate(limits) if j <= limit)
                    pair = Pair(source, target, frequency_basis(rho_in, rho_out, j), j, rings, start)
                    if pair.basis.dim:
                        start = pair.stop
                        yield pair

    # --- the factorized form ----------------------------------------------------------------------------------------

    @property
    def frequencies(self) -> dict[int, tuple[int, ...]]:
        """The rings of each angular frequency."""
        return self.rings_of

    def invariants(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points rings"]:
        return self.radial(torch.linalg.vector_norm(v, dim=-1))

    def covariants(self, v: Float[Tensor, "*points d"]) -> list[Float[Tensor, "*points functions"]]:
        return harmonics_of(unit(v), list(self.rings_of))

    def argument(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points d"]:
        return unit(v)

    def num_functions(self, key: Any) -> int:
        return harmonic_dim(self.group.d, key)

    def transport(
        self, log_map: Float[Tensor, "rows d"], g: Float[Tensor, "rows d d"]
    ) -> Float[Tensor, "rows entries"]:
        return aligned_transport(self.in_type, unit(log_map), g) if self.aligned else super().transport(log_map, g)

    def columns(self, target: Block) -> slice:
        if not self.aligned:
            return super().columns(target)
        return self.columns_of(_order(target))

    def mixing(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "columns_in out"]]:
        return self._aligned_mixing(weight) if self.aligned else super().mixing(weight)

    def _aligned_mixing(self, weight: Tensor) -> list[Tensor]:
        matrices = []
        for target, rotation in zip(self.out_type.blocks, self._rotations, strict=True):
            parts = [
                torch.einsum("kbuv,boi->kouiv", p.weight(weight), p.basis.coefficients(weight)).flatten(-2)
                for p in self.pairs
                if p.target is target
            ]
            axis_value = torch.cat(parts, -1)  # (rings, out dim, out multiplicity, in size): K on the axis e_1
            matrices.append(torch.einsum("tpo,koux->ktxpu", rotation.to(weight), axis_value).flatten(-2).flatten(0, -2))
        return matrices

    def pair_values(self, p: Pair, stencil: PixelStencil) -> Float[Tensor, "elements cells out in"]:
        if not self.aligned:
            return super().pair_values(p, stencil)
        phi = (self.invariants(stencil.offsets) * stencil.weights[:, None])[:, list(p.rings)]
        return torch.einsum("sk,sboi->kbsoi", phi, p.basis.sample(unit(stencil.offsets))).flatten(0, 1)

    def extra_repr(self) -> str:
        return f"rings={self.radial.count}" + (
            f", max_frequency={self.max_frequency}" if self.max_frequency is not None else ""
        )


def _order(block: Block) -> int:
    return block.representation.order or 0


def _rotation_parts(rho: Representation) -> Float[Tensor, "harmonics n n"]:
    """Return P_t with rho(R_t) = sum_t y_t P_t for y = (1) or (cos, sin): rho at 0 and at 90 degrees / order."""
    if rho.dim == 1:
        return torch.ones(1, 1, 1, dtype=torch.float64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    return torch.stack([torch.eye(2, dtype=torch.float64), quarter])
