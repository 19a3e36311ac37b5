"""EdgeFactors: the geometry that a sum over edges needs, as plain tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gaugenet.groups import FieldType


@dataclass(frozen=True)
class EdgeFactors:
    """The geometry that a convolution needs: computed once per graph, shared by all layers of the same types."""

    coefficient: Float[Tensor, "edges columns"]
    transport: Float[Tensor, "edges entries"]
    blocks: Int[Tensor, "blocks 4"]
    indptr: Int[Tensor, "targets_1"]
    source: Int[Tensor, "edges"]

    @property
    def num_targets(self) -> int:
        """Number of points that edges may end at; symbolic while code is exported, which `len` is not."""
        return self.indptr.shape[0] - 1


torch.export.register_dataclass(EdgeFactors, serialized_type_name="gaugenet.EdgeFactors")


def targets(factors: EdgeFactors) -> Int[Tensor, "edges"]:
    """Return the target of every edge: the number of points whose edges end before it.

    `repeat_interleave` is not used, because ONNX computes it from all pairs of points and edges.
    """
    ends = factors.indptr[1:-1]
    starts = ends.new_zeros(factors.source.shape[0] + 1).index_add(0, ends, torch.ones_like(ends))
    return starts.cumsum(0)[:-1]


def transported(x: Float[Tensor, "edges in"], factors: EdgeFactors, in_type: FieldType) -> Float[Tensor, "edges in"]:
    """Return the features of the sources, transported along the edges."""
    parts, start = [], 0
    for block in in_type.blocks:
        if block.representation.is_trivial or not factors.transport.shape[1]:
            parts.append(x[:, block.slice])
            continue
        n = block.representation.dim
        matrix = factors.transport[:, start : start + n * n].unflatten(1, (n, n))
        parts.append((matrix @ block.split(x)).flatten(1))
        start += n * n
    return torch.cat(parts, 1)


def block_table(in_type: FieldType, *, transports: bool) -> Int[Tensor, "blocks 4"]:
    """Return start, dimension, multiplicity and first matrix entry (-1: not transported) of each block."""
    rows, first = [], 0
    for b in in_type.blocks:
        n = b.representation.dim
        if b.representation.is_trivial or not transports:
            rows.append((b.start, n, b.multiplicity, -1))
        else:
            rows.append((b.start, n, b.multiplicity, first))
            first += n * n
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)
