"""KernelSpace: all G-steerable kernels between two field types, their weights, and their factorised form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import O2, SO2, Block, FieldType, Representation
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.kernels.aligned import AlignedBasis, aligned_basis
from gaugenet.kernels.basis import unit
from gaugenet.kernels.contraction import Contraction, contraction
from gaugenet.kernels.frequencies import complete_frequency, default_frequency, is_transitive, pair_frequencies
from gaugenet.kernels.harmonic import FrequencyBasis, frequency_basis
from gaugenet.kernels.harmonics import harmonic_dim, harmonics_of
from gaugenet.kernels.radial import RadialBasis, Rings


@dataclass(frozen=True)
class Pair:
    """The kernels from one block of the input type to one block of the output type, in harmonic form of one frequency.

    Attributes:
        rings: which radial functions they may have.
        start: of its weights in the flat vector.
    """

    source: Block
    target: Block
    basis: AlignedBasis | FrequencyBasis
    rings: tuple[int, ...]
    start: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of its weights: rings, basis elements, output and input multiplicity."""
        return len(self.rings), self.basis.dim, self.target.multiplicity, self.source.multiplicity

    @property
    def stop(self) -> int:
        return self.start + math.prod(self.shape)

    @property
    def frequency(self) -> int | None:
        return self.basis.frequency if isinstance(self.basis, FrequencyBasis) else None

    def weight(self, weight: Tensor) -> Tensor:
        return weight[self.start : self.stop].view(self.shape)

    def expand(self, weight: Tensor) -> Float[Tensor, "rings harmonics in out"]:
        """What multiplies radial x harmonic functions, of a pair in harmonic form."""
        return self.basis.expand(self.weight(weight)).flatten(4).flatten(2, 3)  # type: ignore[union-attr]


class KernelSpace:
    r"""Kernels K: R^d -> R^{out x in} with `K(g v) = rho_out(g) K(v) rho_in(g)^-1` on rings of a ball of radius 1.

    K is linear in a flat weight vector: for every pair of blocks (and frequency), rings x basis elements x output x
    input multiplicity. Where a pair of blocks has no kernels it has no weights.

    The factorised form is what engines compute with: K(v) rho_in(g_e) f = sum_t M_t (c_t(v) h_e). The coefficients
    c = rings x harmonics depend on geometry alone, h_e is f turned into the frame of the target or, if `aligned`, into
    the frame of the edge, and the matrices M (`mixing`) hold the weights.

    Args:
        in_type, out_type: field types of one compact group acting on R^d.
        rings: radial functions: a number of `Rings`, or any `RadialBasis`.
        max_frequency: highest angular frequency of the kernels, one number or one for each ring (see `band_limit` for
            pixel grids). SO(2), O(2), SO(3) and O(3) need none: their kernels have finitely many frequencies, all of
            which are taken. Default for other groups: see `default_frequency`.

    Raises:
        ValueError: types of two groups, no ring, a negative `max_frequency` or one of another length than the rings;
            field types between which there is no kernel at all.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        rings: int | RadialBasis,
        max_frequency: int | Sequence[int] | None = None,
    ) -> None:
        need_one_group(in_type, out_type)
        self.in_type, self.out_type = in_type, out_type
        self.group = in_type.group
        self.radial = self._radial(rings)
        blocks = in_type.blocks + out_type.blocks
        irreducible = all(b.representation.is_irreducible for b in blocks)
        self.aligned = max_frequency is None and irreducible and self.group in (SO2(), O2())
        self.max_frequency = self._max_frequency(max_frequency)
        self.pairs = list(self._aligned_pairs() if self.aligned else self._harmonic_pairs())
        self._check_not_empty()
        self.frequencies = self._frequencies()
        self.factor_keys = (
            f"coefficient {self.radial} {self.frequencies}",
            f"turn {'aligned' if self.aligned else 'plain'} {self.group} {in_type}",
        )
        """What the coefficients and the turned features depend on besides the geometry."""
        self.factor_key = "; ".join(self.factor_keys)
        self._turns = [_rotation_parts(b.representation) for b in out_type.blocks] if self.aligned else []

    # --- which kernels ----------------------------------------------------------------------------------------------

    def _radial(self, rings: int | RadialBasis) -> RadialBasis:
        return rings if isinstance(rings, RadialBasis) else Rings(rings)

    def _max_frequency(self, requested: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
        """One number, one for each ring, or `None` where the irreps decide."""
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
        """The highest frequency of each ring."""
        if isinstance(self.max_frequency, tuple):
            return self.max_frequency
        limit = complete_frequency(rho_in, rho_out) if self.max_frequency is None else self.max_frequency
        return (limit or 0,) * self.radial.count

    def _aligned_pairs(self) -> Iterator[Pair]:
        start, rings = 0, tuple(range(self.radial.count))
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                pair = Pair(source, target, aligned_basis(source.representation, target.representation), rings, start)
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
                    pair = Pair(source, target, frequency_basis(rho_in, rho_out, j), rings, start)
                    if pair.basis.dim:
                        start = pair.stop
                        yield pair

    def _frequencies(self) -> dict[int, tuple[int, ...]]:
        """Angular frequencies of the coefficients c_t and the rings of each.

        This is the order of their columns: frequency, ring, harmonic.
        """
        found: dict[int, tuple[int, ...]] = {}
        for p in self.pairs:
            found[_order(p.target) if p.frequency is None else p.frequency] = p.rings
        return dict(sorted(found.items()))

    def _check_not_empty(self) -> None:
        if self.in_type.size and self.out_type.size and not self.num_weights:
            limit = "" if self.max_frequency is None else f" up to frequency {self.max_frequency}"
            raise ValueError(
                f"There are no {self.group.name}-steerable kernels from {self.in_type} to {self.out_type}{limit}: "
                "the layer could only give zeros. Choose other types"
                + (", or raise `max_frequency`." if limit else ".")
            )

    @property
    def num_weights(self) -> int:
        return self.pairs[-1].stop if self.pairs else 0

    def initialize(self, weight: Tensor, *, generator: torch.Generator | None = None) -> None:
        """Fill `weight` in place so that smooth features of unit variance give outputs of about unit variance."""
        for target in self.out_type.blocks:
            pairs = [p for p in self.pairs if p.target is target]
            fan_in = torch.zeros(self.radial.count, dtype=torch.float64)
            for p in pairs:
                fan_in[list(p.rings)] += p.basis.dim * p.source.multiplicity / target.representation.dim
            std = (self.radial.count / fan_in.clamp(min=1.0)).sqrt()
            for p in pairs:
                scale = std[list(p.rings)].to(weight)[:, None, None, None]
                p.weight(weight).normal_(generator=generator).mul_(scale)

    # --- the kernel -------------------------------------------------------------------------------------------------

    def evaluate(
        self, weight: Float[Tensor, "weights"], v: Float[Tensor, "*points d"]
    ) -> Float[Tensor, "*points out in"]:
        """K(v), for v in units of the radius: the definition that every engine must agree with."""
        phi = self.radial(torch.linalg.vector_norm(v, dim=-1))
        direction = unit(v)
        blocks: dict[tuple[int, int], Any] = {}
        for p in self.pairs:
            radial, angular = phi[..., list(p.rings)], p.basis.sample(direction)
            part = torch.einsum("...k,...boi,kbuv->...ouiv", radial, angular, p.weight(weight).to(v))
            key = p.target.start, p.source.start
            blocks[key] = blocks.get(key, 0) + part.flatten(-4, -3).flatten(-2, -1)
        rows = [v.new_zeros(*v.shape[:-1], 0, self.in_type.size)]
        for a in self.out_type.blocks:
            zeros = [v.new_zeros(*v.shape[:-1], a.size, b.size) for b in self.in_type.blocks]
            found = [blocks.get((a.start, b.start), z) for b, z in zip(self.in_type.blocks, zeros, strict=True)]
            rows.append(torch.cat([*found, v.new_zeros(*v.shape[:-1], a.size, 0)], -1))
        return torch.cat(rows, -2)

    # --- the factorised form ----------------------------------------------------------------------------------------

    def coefficients(self, v: Float[Tensor, "*points d"]) -> Float[Tensor, "*points columns"]:
        """c_t(v) = phi_k(|v|) Y_j(v / |v|), for v in units of the radius."""
        phi = self.radial(torch.linalg.vector_norm(v, dim=-1))
        y = harmonics_of(unit(v), list(self.frequencies))
        parts = [
            (phi[..., list(rings), None] * angular[..., None, :]).flatten(-2)
            for rings, angular in zip(self.frequencies.values(), y, strict=True)
        ]
        return torch.cat(parts, -1) if parts else phi[..., :0]

    def harmonic_dim(self, j: int) -> int:
        """Number of harmonics of frequency j."""
        return harmonic_dim(self.group.d, j)

    @property
    def num_columns(self) -> int:
        """Number of coefficients."""
        return sum(len(rings) * self.harmonic_dim(j) for j, rings in self.frequencies.items())

    def columns(self, target: Block) -> slice:
        """The coefficient columns that one output block needs."""
        sizes = {j: len(rings) * self.harmonic_dim(j) for j, rings in self.frequencies.items()}
        if not self.aligned:
            return slice(0, sum(sizes.values()))
        start = sum(size for j, size in sizes.items() if j < _order(target))
        return slice(start, start + sizes[_order(target)])

    @cached_property
    def contraction(self) -> Contraction | None:
        """Another order of the same sum, where it takes less time: then `path_mixing` holds the weights."""
        return contraction(self)

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "contraction"}

    def mixing(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "columns_in out"]]:
        """For every output block the matrix from its (coefficient column, input channel) pairs to its channels."""
        return self._aligned_mixing(weight) if self.aligned else self._harmonic_mixing(weight)

    def _aligned_mixing(self, weight: Tensor) -> list[Tensor]:
        matrices = []
        for target, turn in zip(self.out_type.blocks, self._turns, strict=True):
            parts = [
                torch.einsum("kbuv,boi->kouiv", p.weight(weight), p.basis.coefficients(weight)).flatten(-2)
                for p in self.pairs
                if p.target is target
            ]
            axis_value = torch.cat(parts, -1)  # (rings, out dim, out multiplicity, in size): K on the axis e_1
            matrices.append(torch.einsum("tpo,koux->ktxpu", turn.to(weight), axis_value).flatten(-2).flatten(0, -2))
        return matrices

    def _harmonic_mixing(self, weight: Tensor) -> list[Tensor]:
        return [
            torch.cat([self._frequency_mixing(weight, target, j) for j in self.frequencies])
            for target in self.out_type.blocks
        ]

    def _frequency_mixing(self, weight: Tensor, target: Block, j: int) -> Float[Tensor, "columns_in out"]:
        rings, harmonics = self.frequencies[j], self.harmonic_dim(j)
        found = {p.source: p for p in self.pairs if p.target is target and p.frequency == j}
        parts = [
            found[source].expand(weight)
            if source in found
            else weight.new_zeros(len(rings), harmonics, source.size, target.size)
            for source in self.in_type.blocks
        ]
        return torch.cat(parts, 2).flatten(0, 2)

    def __repr__(self) -> str:
        return (
            f"KernelSpace({self.in_type} -> {self.out_type}, {self.group.name}, rings={self.radial.count}, "
            f"max_frequency={self.max_frequency})"
        )


def _order(block: Block) -> int:
    return block.representation.order or 0


def _rotation_parts(rho: Representation) -> Float[Tensor, "harmonics n n"]:
    """P_t with rho(R_t) = sum_t y_t P_t over y = (1) or (cos, sin): rho at 0 and at 90 degrees over its order."""
    if rho.dim == 1:
        return torch.ones(1, 1, 1, dtype=torch.float64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    return torch.stack([torch.eye(2, dtype=torch.float64), quarter])
