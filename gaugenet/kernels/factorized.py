"""FactorizedSpace: coefficients that depend on geometry, times intertwiners that hold the weights."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Hashable, Iterable
from functools import cached_property
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import Block, FieldType
from gaugenet.groups.representations.field_type import need_one_group
from gaugenet.kernels import sampling
from gaugenet.kernels.basis import CoupledBasis
from gaugenet.kernels.contraction import Contraction, contraction
from gaugenet.kernels.pairs import Pair
from gaugenet.kernels.radial import RadialBasis
from gaugenet.kernels.space import Intertwiner, KernelSpace, PixelStencil, Readout


class FactorizedSpace(KernelSpace):
    r"""Coefficients times intertwiners: `K_pq = sum over keys j, rings k, functions i of c_jki sum_b w_jkb A_jbi`.

    The functions of a key j span a representation Y_j of the group, and A_jb are the intertwiners from Y_j x rho_in to
    rho_out. Columns are in the order key, ring, function. The weight vector has, for every pair of blocks and key,
    rings x basis elements x output x input multiplicity. Where a pair of blocks has no kernels it has no weights.

    A subclass sets `radial`, passes its `Pair`s to `_set_pairs`, and defines the coefficients.
    """

    radial: RadialBasis
    pairs: list[Pair]
    rings_of: dict[Any, tuple[int, ...]]
    """The rings of each key."""

    aligned: bool = False

    def __init__(self, in_type: FieldType, out_type: FieldType) -> None:
        need_one_group(in_type, out_type)
        self.in_type, self.out_type = in_type, out_type

    def _set_pairs(self, pairs: Iterable[Pair], *, advice: str = "") -> None:
        """Store the pairs.

        Raises:
            ValueError: If there is no kernel between types that have fields; `advice` ends the message.
        """
        self.pairs = list(pairs)
        self.rings_of = dict(sorted({p.key: p.rings for p in self.pairs}.items()))
        if self.in_type.size and self.out_type.size and not self.num_weights:
            raise ValueError(
                f"There are no {self.group.name}-steerable kernels from {self.in_type} to {self.out_type}{advice}."
            )
        kind = "aligned" if self.aligned else "plain"
        self.factor_keys = (
            f"coefficient {type(self).__name__} {self.radial} {self.rings_of}",
            f"transport {kind} {self.group} {self.in_type}",
        )

    @property
    def num_weights(self) -> int:
        return self.pairs[-1].stop if self.pairs else 0

    def initialize(self, weight: Tensor, *, generator: torch.Generator | None = None) -> None:
        for target in self.out_type.blocks:
            pairs = [p for p in self.pairs if p.target is target]
            fan_in = torch.zeros(self.radial.count, dtype=torch.float64)
            for p in pairs:
                fan_in[list(p.rings)] += p.basis.dim * p.source.multiplicity / target.representation.dim
            std = (self.radial.count / fan_in.clamp(min=1.0)).sqrt()
            for p in pairs:
                scale = std[list(p.rings)].to(weight)[:, None, None, None]
                p.weight(weight).normal_(generator=generator).mul_(scale)

    # --- columns ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def num_functions(self, key: Hashable) -> int:
        """Return the number of functions Y_j of a key."""

    @abstractmethod
    def stencil_coefficients(self, stencil: PixelStencil) -> Float[Tensor, "cells columns"]:
        """Return the coefficients at the cells of a stencil, quadrature weights included; float64."""

    @property
    def num_columns(self) -> int:
        return sum(self._widths().values())

    def _widths(self) -> dict[Any, int]:
        """Return the number of columns of each key."""
        return {key: len(rings) * self.num_functions(key) for key, rings in self.rings_of.items()}

    def columns_of(self, key: Hashable) -> slice:
        """Return the columns of one key."""
        start = 0
        for other, width in self._widths().items():
            if other == key:
                return slice(start, start + width)
            start += width
        raise KeyError(key)

    # --- weights ----------------------------------------------------------------------------------------------------

    def mixing(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "columns_in out"]]:
        return [
            torch.cat([self._key_mixing(weight, target, key) for key in self.rings_of])
            if self.rings_of
            else weight.new_zeros(0, target.size)
            for target in self.out_type.blocks
        ]

    def _key_mixing(self, weight: Tensor, target: Block, key: Hashable) -> Float[Tensor, "columns_in out"]:
        found = {p.source: p for p in self.pairs if p.target is target and p.key == key}
        size = len(self.rings_of[key]), self.num_functions(key)
        parts = [
            found[source].expand(weight) if source in found else weight.new_zeros(*size, source.size, target.size)
            for source in self.in_type.blocks
        ]
        return torch.cat(parts, 2).flatten(0, 2)

    @cached_property
    def contraction(self) -> Contraction | None:  # type: ignore[override]
        return contraction(self)

    def path_mixing(self, weight: Float[Tensor, "weights"]) -> list[Float[Tensor, "paths_in mult_out"]]:
        """Return for every output block the matrix from (pair, ring, basis element, input channel) to its fields."""
        matrices = []
        for target in self.out_type.blocks:
            parts = [p.weight(weight).transpose(2, 3).flatten(0, 2) for p in self.pairs if p.target is target]
            matrices.append(torch.cat(parts) if parts else weight.new_zeros(0, target.multiplicity))
        return matrices

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "contraction"}

    # --- on pixels --------------------------------------------------------------------------------------------------

    def pair_values(self, p: Pair, stencil: PixelStencil) -> Float[Tensor, "elements cells out in"]:
        """Return the kernels of one pair, rings x basis elements, at the cells of a stencil; float64."""
        columns = self.stencil_coefficients(stencil)[:, self.columns_of(p.key)]
        count = math.prod(p.shape[:2])
        one_each = torch.eye(count, dtype=columns.dtype).view(*p.shape[:2], 1, count)
        matrices = cast(CoupledBasis, p.basis).expand(one_each).squeeze(-1)  # (rings, functions, in, elements, out)
        return torch.einsum("skh,khieo->esoi", columns.unflatten(1, (len(p.rings), -1)), matrices)

    def sample(self, weight: Float[Tensor, "weights"], stencil: PixelStencil) -> Float[Tensor, "out in cells"]:
        return sampling.sample(self, weight, stencil)

    def sample_at_once(
        self,
        weight: Float[Tensor, "weights"],
        stencil: PixelStencil,
        middle: Intertwiner | None,
        dtype: torch.dtype,
        readout: Readout | None = None,
    ) -> Float[Tensor, "out cells in"] | None:
        if sampling.table_size(self, stencil) > sampling.LARGEST_TABLE:
            return None
        return sampling.sample_at_once(self, weight, stencil, middle, dtype, readout)


__all__ = ["FactorizedSpace"]
