"""The kernels of `Shifts` in the irreps of the internal group: the same maps, with fewer products.

A field of `matrix` is a trace and a traceless matrix, for real and imaginary parts: intertwiners do not mix the two. So
a convolution needs N^2 products of the size of two fields instead of one of the size of 2 N^2 fields, and transport
needs the adjoint representation alone. Directions become multiplicities, as links do not act on them. Each displacement
has its own matrices, and the site itself is the displacement zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet.groups import Block, FieldType, OuterProduct, Representation
from gaugenet.groups.families.direct_product import internal_factor
from gaugenet.kernels.basis import CachedTensor, CoupledBasis
from gaugenet.kernels.orbits import Offset
from gaugenet.kernels.pairs import Pair
from gaugenet.kernels.space import Intertwiner

if TYPE_CHECKING:
    from gaugenet.kernels.shifts import ShiftSpace


@dataclass(frozen=True)
class Part:
    """One irrep in a block.

    Attributes:
        block: the block of the original type.
        representation: the irrep, of the internal group.
        embedding: `(copies, dim of the block, dim of the irrep)`, isometries; directions count as copies.
    """

    block: Block
    representation: Representation
    embedding: Float[Tensor, "copies dim irrep"]


class InternalFields:
    """The irreps of the internal group in the fields of a type.

    Attributes:
        parts: the irreps, block by block.
        field_type: their type; a part has its copies times the multiplicity of its block.
    """

    def __init__(self, field_type: FieldType) -> None:
        self.original = field_type
        self.parts = [part for block in field_type.blocks for part in _parts(block)]
        terms = [(p.representation, len(p.embedding) * p.block.multiplicity) for p in self.parts]
        self.field_type = FieldType(internal_factor(field_type.group), terms)
        self._tables = [CachedTensor(partial(_change_of_basis, self.parts, block)) for block in field_type.blocks]

    def split(self, x: Float[Tensor, "batch size *shape"]) -> Float[Tensor, "batch size *shape"]:
        """Return the fields of the irreps."""
        return self._apply(x, transpose=False)

    def join(self, y: Float[Tensor, "batch size *shape"]) -> Float[Tensor, "batch size *shape"]:
        """Return the original fields, the inverse of `split`."""
        return self._apply(y, transpose=True)

    def _apply(self, x: Tensor, *, transpose: bool) -> Tensor:
        out = []
        for block, table in zip(self.original.blocks, self._tables, strict=True):
            q = table(x).mT if transpose else table(x)
            values = torch.unflatten(x[:, block.slice], 1, (block.representation.dim, block.multiplicity))
            out.append((q @ values.flatten(2)).view(len(x), block.size, *x.shape[2:]))
        return out[0] if len(out) == 1 else torch.cat(out, 1)


class InternalForm:
    """A `ShiftSpace`, and optionally an intertwiner at the site itself, as a `ShiftSpace` between irreps.

    Attributes:
        source, target: the irreps in the types.
        space: the kernels between the irreps, one matrix for each displacement.
    """

    def __init__(self, original: ShiftSpace, *, center: bool) -> None:
        from gaugenet.kernels.shifts import ShiftSpace

        self.original, self.center = original, center
        self.source, self.target = InternalFields(original.in_type), InternalFields(original.out_type)
        self.offsets: list[Offset] = [*original.radial.offsets]
        if center:
            self.offsets.append((0,) * len(self.offsets[0]))
        self.space = ShiftSpace(self.source.field_type, self.target.field_type, self.offsets)
        self._tables: dict[tuple[int, int, int], CachedTensor] = {}

    def weights(
        self, weight: Float[Tensor, "weights"], middle: Intertwiner | None
    ) -> Float[Tensor, "weights_of_irreps"]:
        """Return the weights of `space` that give the same map."""
        found = [self._pair_weights(p, weight, middle).flatten() for p in self.space.pairs]
        return torch.cat(found) if found else weight.new_zeros(0)

    def _pair_weights(self, pair: Pair, weight: Tensor, middle: Intertwiner | None) -> Tensor:
        """Return `(displacements, elements, fields out, fields in)`."""
        i, j = (t.blocks.index(b) for t, b in ((self.space.in_type, pair.source), (self.space.out_type, pair.target)))
        source, target = self.source.parts[i], self.target.parts[j]
        order: list[int] = []
        pieces: list[Tensor] = []
        for p in self.original.pairs:
            if p.source is source.block and p.target is target.block:
                places, rings, functions = self._places(p)
                table = self._table((i, j, p.start), pair, p)(weight)
                each = p.weight(weight)[rings]
                pieces.append(torch.einsum("obuv,boeAB->oeAuBv", each, table[:, functions]).flatten(4).flatten(2, 3))
                order += places
        own = middle.elements(source.block, target.block) if middle is not None else None
        if own is not None:
            table = self._table((i, j, -1), pair, own[0])(weight)[:, 0]
            piece = torch.einsum("buv,beAB->eAuBv", own[1].to(weight), table).flatten(3).flatten(1, 2)
            pieces.append(piece[None])
            order.append(len(self.offsets) - 1)
        absent = [k for k in range(len(self.offsets)) if k not in order]
        pieces += [weight.new_zeros(len(absent), *pair.shape[1:])] * bool(absent)
        places_of = {place: k for k, place in enumerate(order + absent)}
        return torch.cat(pieces)[[places_of[k] for k in range(len(self.offsets))]]

    def _places(self, p: Pair) -> tuple[list[int], list[int], list[int]]:
        """Return the displacements of the orbits of a pair: positions, indices of the ring, indices of the function."""
        radial = self.original.radial
        found = []
        for orbit, ring in zip(radial.orbits, radial.class_of, strict=True):
            if self.original.key_of(orbit) == p.key:
                position = p.rings.index(ring)
                found += [(radial.offsets.index(o), position, k) for k, o in enumerate(orbit.offsets)]
        places, rings, functions = zip(*found, strict=True)
        return list(places), list(rings), list(functions)

    def _table(self, key: tuple[int, int, int], pair: Pair, maps: Pair | Tensor) -> CachedTensor:
        """Return `(element, function, element of the irrep, copies out, copies in)`."""
        if key not in self._tables:
            source, target = self.source.parts[key[0]], self.target.parts[key[1]]

            def solve() -> Tensor:
                table = _coefficients(maps) if isinstance(maps, Pair) else maps.double().cpu().unsqueeze(2)
                irreps = _coefficients(pair).squeeze(2)
                ends = target.embedding, source.embedding
                return torch.einsum("bphq,Apo,Bqi,eoi->bheAB", table, *ends, irreps)

            self._tables[key] = CachedTensor(solve)
        return self._tables[key]


def splits(field_type: FieldType) -> bool:
    """Return whether fields have parts: directions, or the trace and the traceless part of `matrix`."""
    return any(
        isinstance(b.representation, OuterProduct) or b.representation.name == "matrix" for b in field_type.blocks
    )


def _coefficients(pair: Pair) -> Tensor:
    basis = pair.basis
    return basis.coefficients() if isinstance(basis, CoupledBasis) else torch.zeros(0)


def _parts(block: Block) -> list[Part]:
    rho = block.representation
    directions, inner = (rho.first.dim, rho.second) if isinstance(rho, OuterProduct) else (1, rho)
    if inner.name != "matrix":
        return [Part(block, inner, _embedding(directions, [torch.eye(inner.dim, dtype=torch.float64)]))]
    found = inner.decompose()
    columns: dict[Representation, list[Tensor]] = {}
    start = 0
    for irrep in found.irreps:
        columns.setdefault(irrep, []).append(found.basis[:, start : start + irrep.dim])
        start += irrep.dim
    return [Part(block, irrep, _embedding(directions, copies)) for irrep, copies in columns.items()]


def _embedding(directions: int, copies: Sequence[Tensor]) -> Float[Tensor, "copies dim irrep"]:
    """Return the embeddings of all copies and directions, directions inner."""
    e = torch.stack(list(copies))
    eye = torch.eye(directions, dtype=e.dtype)
    return torch.einsum("ksc,ad->kadsc", e, eye).flatten(2, 3).flatten(0, 1)


def _change_of_basis(parts: list[Part], block: Block) -> Float[Tensor, "dim dim"]:
    """Return Q with y = Q x; rows are (component of the irrep, copy) for each part."""
    rows = [p.embedding.permute(2, 0, 1).flatten(0, 1) for p in parts if p.block is block]
    return torch.cat(rows)


__all__ = ["InternalFields", "InternalForm", "splits"]
