"""Depthwise: messages channel by channel along tensor-product paths, with different weights for each edge."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.groups import Block, FieldType, Representation
from gaugenet.kernels._attributes import Part
from gaugenet.kernels.basis import CachedTensor
from gaugenet.kernels.tensor_operators import tensor_operators


@dataclass(frozen=True)
class Factor:
    """Functions by which features are multiplied: harmonics of one frequency, optionally times a block of attributes.

    Attributes:
        harmonic: `None` for frequency 0, the constant.
        attribute: `None` for harmonics alone.
        start: its first column among all factors.
    """

    harmonic: Part | None
    attribute: Part | None
    start: int

    @property
    def frequency(self) -> int:
        """Frequency of the harmonics."""
        return 0 if self.harmonic is None else self.harmonic.frequency or 0

    @property
    def copies(self) -> int:
        """Number of channels of the attributes."""
        return 1 if self.attribute is None else self.attribute.multiplicity

    @property
    def dim(self) -> int:
        """Number of functions of each copy."""
        harmonic = 1 if self.harmonic is None else self.harmonic.dim
        return harmonic * (1 if self.attribute is None else self.attribute.dim)

    @property
    def stop(self) -> int:
        return self.start + self.copies * self.dim

    def __call__(self, direction: Tensor, z: Tensor) -> Float[Tensor, "rows copies_functions"]:
        """Return the functions, copy by copy."""
        if self.attribute is None:
            if self.harmonic is None:
                return direction.new_ones(direction.shape[0], 1)
            return self.harmonic.fields(direction, z).flatten(1)
        fields = self.attribute.fields(direction, z).mT  # (rows, copies, dim)
        if self.harmonic is None:
            return fields.flatten(1)
        y = self.harmonic.fields(direction, z)  # (rows, dim, 1)
        return (y[:, None] * fields[:, :, None]).flatten(1)

    def maps(self, rho_in: Representation, rho_out: Representation) -> Float[Tensor, "maps out functions in"]:
        """Return the intertwiners from features x one copy, scaled to unit variance for inputs of unit variance."""
        harmonic = rho_in.group.trivial() if self.harmonic is None else self.harmonic.representation
        table = _maps(rho_in, rho_out, harmonic, None if self.attribute is None else self.attribute.representation)
        return table()


@lru_cache(maxsize=4096)
def _maps(rho_in: Representation, rho_out: Representation, y: Representation, z: Representation | None) -> CachedTensor:
    scale = math.sqrt(rho_out.dim * y.dim)  # harmonics have mean square one over their number
    return CachedTensor(lambda: scale * tensor_operators(rho_in, rho_out, y if z is None else y.tensor(z)))


@dataclass(frozen=True)
class Path:
    """One way to multiply the fields of one block with a factor.

    Attributes:
        source: the block.
        target: index of the representation of the product.
        column: index of its first weight; there is one for each channel of the block.
        row: its first channel in the products of this representation, for component 0.
    """

    source: Block
    target: int
    column: int
    row: int


class Depthwise:
    """All tensor-product paths from `in_type` to the representations of `out_type`.

    The message of an edge along path p and channel u is w_pu sum_i B_p[o, i] x_iu, where the matrices B_p are linear in
    the factors. Messages of all edges are added at the point, and only then are channels mixed.

    Args:
        factors: chooses the factors of each pair of representations.

    Attributes:
        entries: one row (path, o, i) for each entry of a B_p that does not vanish identically.
        table: `(factor columns, entries)`, the matrix that maps factors to these entries.
        widths: for each representation of the output, the number of channels of each component.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        factors: Callable[[Representation, Representation], list[Factor]],
        num_factors: int,
    ) -> None:
        self.in_type, self.out_type = in_type, out_type
        self.targets = list(dict.fromkeys(b.representation for b in out_type.blocks))
        self.paths: list[Path] = []
        self.widths: list[int] = []
        rows: list[Tensor] = []
        values: list[tuple[Tensor, int]] = []
        column = 0
        for t, rho in enumerate(self.targets):
            width = 0
            for source in in_type.blocks:
                for factor in factors(source.representation, rho):
                    maps = factor.maps(source.representation, rho)
                    for copy in range(factor.copies):
                        for one in maps:  # (out, functions, in)
                            used = (one.abs().amax(1) > 1e-13).nonzero()
                            rows.append(torch.cat([torch.full((len(used), 1), len(self.paths)), used], 1))
                            values.append((one[used[:, 0], :, used[:, 1]], factor.start + copy * factor.dim))
                            self.paths.append(Path(source, t, column, width))
                            column += source.multiplicity
                            width += source.multiplicity
            self.widths.append(width)
        self.num_columns = column
        self.entries: Int[Tensor, "entries 3"] = torch.cat([torch.zeros(0, 3, dtype=torch.int64), *rows])
        sizes = [self.targets[p.target].dim * p.source.representation.dim for p in self.paths]
        self.starts_of = list(accumulate(sizes, initial=0))
        """Offsets of the full matrices B_p, stored one after the other; the last entry is the sum of their sizes."""
        self.positions = CachedTensor(self._positions)
        """Position of each entry in these matrices."""
        full = torch.zeros(num_factors, len(self.entries), dtype=torch.float64)
        start = 0
        for part, first in values:
            full[first : first + part.shape[1], start : start + len(part)] = part.T
            start += len(part)
        self.table = CachedTensor(lambda: full)

    def _positions(self) -> Int[Tensor, "entries"]:
        columns = torch.tensor([p.source.representation.dim for p in self.paths], dtype=torch.int64)
        path, o, i = self.entries.T
        positions: Tensor = torch.tensor(self.starts_of[:-1], dtype=torch.int64)[path] + o * columns[path] + i
        return positions

    def path_matrices(self, b: Float[Tensor, "rows entries"]) -> list[Float[Tensor, "rows out in"]]:
        """Return the full matrix B_p of every path."""
        flat = b.new_zeros(b.shape[0], self.starts_of[-1]).index_copy(1, self.positions(b), b)
        parts = flat.split([stop - start for start, stop in pairwise(self.starts_of)], 1)
        return [m.unflatten(1, (-1, p.source.representation.dim)) for m, p in zip(parts, self.paths, strict=True)]

    def target_of(self, block: Block) -> int:
        """Return the index of the representation of a block of the output."""
        return self.targets.index(block.representation)

    def mixing_shapes(self) -> list[tuple[int, int]]:
        """Return the shape of the matrix that mixes the channels of each output block."""
        return [(self.widths[self.target_of(b)], b.multiplicity) for b in self.out_type.blocks]

    def starts(self) -> list[int]:
        """Return the first channel of the products of each representation; the last entry is their number."""
        starts = [0]
        for rho, width in zip(self.targets, self.widths, strict=True):
            starts.append(starts[-1] + rho.dim * width)
        return starts

    def path_table(self) -> Int[Tensor, "paths 6"]:
        """Return a row of numbers for each path, for compiled loops.

        The numbers are: first column of the block, its multiplicity, first weight, first channel of component 0 in the
        products, number of channels between components, first entry.
        """
        first = torch.searchsorted(self.entries[:, 0].contiguous(), torch.arange(len(self.paths)))
        starts = self.starts()
        rows = [
            (p.source.start, p.source.multiplicity, p.column, starts[p.target] + p.row, self.widths[p.target], int(f))
            for p, f in zip(self.paths, first, strict=True)
        ]
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, 6)

    def layout(self) -> list[int]:
        """Return for every output block: its first channel, channels per component, multiplicity and dimension."""
        starts, layout = self.starts(), []
        for block in self.out_type.blocks:
            t = self.target_of(block)
            layout += [starts[t], self.widths[t], block.multiplicity, block.representation.dim]
        return layout

    def matrices(
        self,
        b: Float[Tensor, "rows entries"],
        w: Float[Tensor, "rows columns"],
        mixing: list[Float[Tensor, "width multiplicity"]],
    ) -> Float[Tensor, "rows out in"]:
        """Return the kernel of every row as a full matrix: the definition."""
        full = b.new_zeros(b.shape[0], self.out_type.size, self.in_type.size)
        for p, small in zip(self.paths, self.path_matrices(b), strict=True):
            mult = p.source.multiplicity
            weight = w[:, p.column : p.column + mult]
            for block, matrix in zip(self.out_type.blocks, mixing, strict=True):
                if self.target_of(block) == p.target:
                    part = matrix[p.row : p.row + mult]
                    term = torch.einsum("roi,ru,uv->roviu", small, weight, part)
                    rows = slice(block.start, block.stop), slice(p.source.start, p.source.stop)
                    full[:, rows[0], rows[1]] += term.flatten(3).flatten(1, 2)
        return full


__all__ = ["Depthwise", "Factor", "Path"]
