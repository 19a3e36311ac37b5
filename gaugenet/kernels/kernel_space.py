"""KernelSpace: all G-steerable kernels between two field types, their weights, and their factorised form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import O2, SO2, Block, FieldType, Representation, StructureGroup
from gaugenet.kernels.aligned import AlignedBasis
from gaugenet.kernels.basis import KernelBasis, unit
from gaugenet.kernels.harmonic import HarmonicBasis, harmonic_dim
from gaugenet.kernels.radial import Rings


@dataclass(frozen=True)
class Pair:
    """The kernels from one block of the input type to one block of the output type."""

    source: Block
    target: Block
    basis: KernelBasis
    start: int
    rings: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of its weights: rings, basis elements, output and input multiplicity."""
        return self.rings, self.basis.dim, self.target.multiplicity, self.source.multiplicity

    @property
    def stop(self) -> int:
        return self.start + math.prod(self.shape)

    def weight(self, weight: Tensor) -> Tensor:
        return weight[self.start : self.stop].view(self.shape)


class KernelSpace:
    r"""Kernels K: R^d -> R^{out x in} with `K(g v) = rho_out(g) K(v) rho_in(g)^-1` on `rings` of a disc of radius 1.

    K is linear in a flat weight vector: for every pair of blocks, rings x basis elements x output x input multiplicity.

    The factorised form is what engines compute with: K(v) rho_in(g_e) f = sum_t M_t (c_t(v) h_e). The coefficients
    c = rings x harmonics depend on geometry alone, h_e is f turned into the frame of the target or, if `aligned`, into
    the frame of the edge, and the matrices M (`mixing`) hold the weights.

    Args:
        in_type, out_type: field types of one group.
        rings: number of rings.
        max_frequency: highest angular frequency of the kernels. SO(2) and O(2) need none between irreps: their kernels
            have finitely many frequencies. Default for other groups: half the number of rotations, at least 2.

    Raises:
        ValueError: types of two groups, no ring, or a `max_frequency` that is negative or not free.
    """

    def __init__(
        self, in_type: FieldType, out_type: FieldType, *, rings: int, max_frequency: int | None = None
    ) -> None:
        if in_type.group != out_type.group:
            raise ValueError(
                f"Expected field types of one structure group, got {in_type.group.name} -> {out_type.group.name}: "
                "restrict the larger one."
            )
        self.in_type, self.out_type = in_type, out_type
        self.radial = Rings(rings)
        self.group = in_type.group
        blocks = in_type.blocks + out_type.blocks
        self.aligned = is_transitive(self.group) and all(b.representation.is_irreducible for b in blocks)
        self.max_frequency = self._max_frequency(max_frequency)
        self.frequencies = self._frequencies()
        self.pairs = self._make_pairs()
        self.factor_keys = (
            f"coefficient {self.radial} {self.frequencies}",
            f"turn {'aligned' if self.aligned else 'plain'} {self.group} {in_type}",
        )
        """What the coefficients and the turned features depend on besides the geometry."""
        self.factor_key = "; ".join(self.factor_keys)
        self._turns = [_rotation_parts(b.representation) for b in out_type.blocks] if self.aligned else []

    def _max_frequency(self, requested: int | None) -> int | None:
        if requested is not None:
            if self.aligned:
                raise ValueError(
                    f"The irreps of {self.group.name} decide `max_frequency`: leave it out, or lower their orders."
                )
            if requested < 0:
                raise ValueError(f"Expected `max_frequency` of at least 0, got {requested}.")
            return int(requested)
        if self.aligned:
            return None
        if is_transitive(self.group):
            return _highest_order(self.in_type) + _highest_order(self.out_type)
        return default_frequency(self.group)

    def _frequencies(self) -> tuple[int, ...]:
        """Angular frequencies of the coefficients c_t, in the order of their columns: frequency, ring, (cos, sin)."""
        if self.max_frequency is not None:
            return tuple(range(self.max_frequency + 1))
        return tuple(sorted({_order(b) for b in self.out_type.blocks}))

    def _make_pairs(self) -> list[Pair]:
        pairs, start = [], 0
        for target in self.out_type.blocks:
            for source in self.in_type.blocks:
                basis = _basis(source.representation, target.representation, self.max_frequency)
                pairs.append(Pair(source, target, basis, start, self.radial.count))
                start = pairs[-1].stop
        return pairs

    @property
    def num_weights(self) -> int:
        return self.pairs[-1].stop if self.pairs else 0

    def initialize(self, weight: Tensor, *, generator: torch.Generator | None = None) -> None:
        """Fill `weight` in place so that smooth features of unit variance give outputs of about unit variance."""
        for target in self.out_type.blocks:
            pairs = [p for p in self.pairs if p.target is target]
            fan_in = sum(p.basis.dim * p.source.multiplicity for p in pairs) / target.representation.dim
            for p in pairs:
                std = math.sqrt(self.radial.count / max(fan_in, 1.0))
                p.weight(weight).normal_(0, std, generator=generator)

    def evaluate(
        self, weight: Float[Tensor, "weights"], v: Float[Tensor, "*points d"]
    ) -> Float[Tensor, "*points out in"]:
        """K(v), for v in units of the radius: the definition that every engine must agree with."""
        phi = self.radial(torch.linalg.vector_norm(v, dim=-1))
        direction = unit(v)
        out = v.new_zeros(*v.shape[:-1], self.out_type.size, self.in_type.size)
        for p in self.pairs:
            block = torch.einsum("...k,...boi,kbuv->...ouiv", phi, p.basis.sample(direction), p.weight(weight).to(v))
            out[..., p.target.slice, p.source.slice] = block.flatten(-4, -3).flatten(-2, -1)
        return out

    # --- the factorised form --------------------------------------------------------------------------------------

    def columns(self, target: Block) -> slice:
        """The coefficient columns that one output block needs."""
        sizes = {j: self.radial.count * harmonic_dim(j) for j in self.frequencies}
        if not self.aligned:
            return slice(0, sum(sizes.values()))
        start = sum(size for j, size in sizes.items() if j < _order(target))
        return slice(start, start + sizes[_order(target)])

    def mixing(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "columns_in out"]]:
        """For every output block the matrix from its (coefficient column, input channel) pairs to its channels."""
        return self._aligned_mixing(weight) if self.aligned else self._harmonic_mixing(weight)

    def _aligned_mixing(self, weight: Tensor) -> list[Tensor]:
        matrices = []
        for target, turn in zip(self.out_type.blocks, self._turns, strict=True):
            parts = [
                torch.einsum("kbuv,boi->kouiv", p.weight(weight), p.basis.coefficients.to(weight)).flatten(-2)
                for p in self.pairs
                if p.target is target
            ]
            axis_value = torch.cat(parts, -1)  # (rings, out dim, out multiplicity, in size): K on the axis e_1
            matrices.append(torch.einsum("tpo,koux->ktxpu", turn.to(weight), axis_value).flatten(-2).flatten(0, -2))
        return matrices

    def _harmonic_mixing(self, weight: Tensor) -> list[Tensor]:
        matrices = []
        sizes = [harmonic_dim(j) for j in self.frequencies]
        for target in self.out_type.blocks:
            parts = [
                torch.einsum("kbuv,bohi->khivou", p.weight(weight), p.basis.coefficients.to(weight)).flatten(2, 3)
                for p in self.pairs
                if p.target is target
            ]
            full = torch.cat(parts, 2).flatten(-2)  # (rings, harmonic, in size, out)
            by_frequency = [part.flatten(0, -2) for part in full.split(sizes, 1)]
            matrices.append(torch.cat(by_frequency))
        return matrices

    def __repr__(self) -> str:
        return (
            f"KernelSpace({self.in_type} -> {self.out_type}, {self.group.name}, rings={self.radial.count}, "
            f"max_frequency={self.max_frequency})"
        )


def is_transitive(group: StructureGroup) -> bool:
    """Whether the group reaches every direction, so that a kernel is decided by its values on one axis."""
    return group in (SO2(), O2())


def default_frequency(group: StructureGroup) -> int:
    """Half the number of rotations in the group, at least 2: what the regular representation can resolve."""
    rotations = sum(1 for g in group.elements() if torch.linalg.det(g) > 0)
    return max(2, rotations // 2)


def _order(block: Block) -> int:
    return block.representation.order or 0


def _highest_order(field_type: FieldType) -> int:
    irreps = [rho for b in field_type.blocks for rho in b.representation.decompose().irreps]
    return max((rho.order or 0 for rho in irreps), default=0)


@lru_cache(maxsize=4096)
def _basis(rho_in: Representation, rho_out: Representation, max_frequency: int | None) -> KernelBasis:
    if max_frequency is None:
        return AlignedBasis(rho_in, rho_out)
    return HarmonicBasis(rho_in, rho_out, max_frequency)


def _rotation_parts(rho: Representation) -> Float[Tensor, "harmonics n n"]:
    """P_t with rho(R_t) = sum_t y_t P_t over y = (1) or (cos, sin): rho at 0 and at 90 degrees over its order."""
    if rho.dim == 1:
        return torch.ones(1, 1, 1, dtype=torch.float64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    return torch.stack([torch.eye(2, dtype=torch.float64), quarter])
