"""FieldType: the representations of a feature field, with multiplicities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Union

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.groups.group import StructureGroup, cast_elements, check_group
from gaugenet.groups.names import split_at
from gaugenet.groups.representations.base import Representation

Label = str | int | Representation
Spec = Union[str, Mapping[Any, int], Iterable[tuple[Label, int]], "FieldType"]


@dataclass(frozen=True)
class Block:
    """`multiplicity` copies of one representation, in channels `start:stop` of the features.

    Channels are dimension 1: `(N, size)` on graphs, `(B, size, *spatial)` on grids. Inside a block the representation's
    dimension is the outer index and the multiplicity the inner one. So the channels of `8x1` are the first components
    of all eight vectors, then the second components of all eight.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> scalars, vectors = FieldType(SO2(), "2x0 + 3x1").blocks
        >>> vectors.start, vectors.stop
        (2, 8)
        >>> vectors.split(torch.rand(10, 8)).shape
        torch.Size([10, 2, 3])
    """

    representation: Representation
    multiplicity: int
    start: int

    @property
    def size(self) -> int:
        return self.representation.dim * self.multiplicity

    @property
    def stop(self) -> int:
        return self.start + self.size

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)

    def split(self, x: Float[Tensor, "points size *spatial"]) -> Float[Tensor, "points dim multiplicity *spatial"]:
        """Return the channels of this block by component and field; `.flatten(1, 2)` undoes it."""
        return typed_tensor(x[:, self.slice].unflatten(1, (self.representation.dim, self.multiplicity)))


class FieldType:
    """A direct sum of representations with multiplicities :cite:`cohen2017steerable`.

    Features are plain tensors with `size` channels in dimension 1: `(N, size)` on graphs, `(B, size, *spatial)` on
    grids. Blocks are in the order of the specification; see `Block` for the layout inside a block.

    Args:
        group: the structure group, e.g. `SO2()`.
        spec: `"16x0 + 16x1 + 8x2"`, `{0: 16, 1: 16, 2: 8}`, `{"regular": 3}` or pairs `(representation, multiplicity)`.

    Raises:
        ValueError: If `group` is not a group or does not have a representation, or a multiplicity is not a
            non-negative integer.

    Example:
        >>> import torch
        >>> from gaugenet.groups import SO2, FieldType
        >>> fields = FieldType(SO2(), "2x0 + 3x1")  # two scalars and three tangent vectors
        >>> fields.size, fields.num_fields
        (8, 5)
        >>> half_turn = -torch.eye(2)
        >>> fields.transform(half_turn, torch.ones(1, 8)).tolist()
        [[1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0]]
    """

    def __init__(self, group: StructureGroup, spec: Spec) -> None:
        check_group(group)
        self.group = group
        self.blocks: tuple[Block, ...] = tuple(_make_blocks(group, _parse(spec)))

    @property
    def size(self) -> int:
        """Number of channels."""
        return self.blocks[-1].stop if self.blocks else 0

    @property
    def num_fields(self) -> int:
        return sum(b.multiplicity for b in self.blocks)

    @property
    def slices(self) -> tuple[slice, ...]:
        return tuple(b.slice for b in self.blocks)

    @property
    def is_invariant(self) -> bool:
        """Whether all fields are scalars."""
        return all(b.representation.is_trivial for b in self.blocks)

    def transform(
        self, g: Float[Tensor, "*points d d"], x: Float[Tensor, "points size *spatial"]
    ) -> Float[Tensor, "points size *spatial"]:
        """Return rho(g) x at every point.

        `g` is one element `(d, d)`, one for each point of a graph or each image of a batch `(N, d, d)`, or one for each
        pixel `(B, *spatial, d, d)`, where dimensions of size 1 are broadcast.
        """
        self.check(x)
        g = cast_elements(g, x)
        parts = [_apply(b.representation(g).to(x.dtype), b.split(x)).flatten(1, 2) for b in self.blocks]
        return torch.cat(parts, 1) if parts else x

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise `ValueError` unless `x` is a tensor whose dimension 1 is the size of this type."""
        if not isinstance(x, Tensor):
            raise ValueError(f"Expected `{name}` to be a tensor of features, got {type(x).__name__}.")
        if x.dim() < 2 or x.shape[1] != self.size:
            got = "none" if x.dim() < 2 else x.shape[1]
            raise ValueError(
                f"Expected `{name}` with {self.size} channels in dimension 1 for the field type {self}, "
                f"got {got} (shape {tuple(x.shape)})."
            )

    def representation(self) -> Representation:
        """Return rho of one fibre as a matrix `(size, size)` in the layout of the features."""

        def matrix(g: Tensor) -> Tensor:
            out = g.real.new_zeros(*g.shape[:-2], self.size, self.size)
            for b in self.blocks:
                eye = torch.eye(b.multiplicity, dtype=out.dtype, device=g.device)
                out[..., b.slice, b.slice] = torch.einsum("...ij,uv->...iujv", b.representation(g), eye).reshape(
                    *g.shape[:-2], b.size, b.size
                )
            return out

        return Representation(self.group, f"fibre({self})", self.size, matrix)

    def restrict(self, subgroup: StructureGroup) -> FieldType:
        """Return the same features as fields of a subgroup."""
        return FieldType(subgroup, [(b.representation.restrict(subgroup), b.multiplicity) for b in self.blocks])

    def invariant_dim(self) -> int:
        """Return the dimension of the invariant part: the number of biases."""
        return sum(len(b.representation.invariants) * b.multiplicity for b in self.blocks)

    def __add__(self, other: FieldType) -> FieldType:
        if self.group != other.group:
            raise ValueError(f"Expected field types of one group, got {self.group.name} and {other.group.name}.")
        return FieldType(self.group, self.terms() + other.terms())

    def __mul__(self, times: int) -> FieldType:
        """Return every multiplicity times `times`."""
        return FieldType(self.group, [(r, m * times) for r, m in self.terms()])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldType) and self.group == other.group and self.terms() == other.terms()

    def __hash__(self) -> int:
        return hash((self.group, tuple(self.terms())))

    def __str__(self) -> str:
        return " + ".join(f"{b.multiplicity}x{b.representation.name}" for b in self.blocks)

    def __repr__(self) -> str:
        return f"FieldType({self.group.name}, {str(self)!r})"

    def terms(self) -> list[tuple[Representation, int]]:
        """Return each representation with its multiplicity, in the order of the channels."""
        return [(b.representation, b.multiplicity) for b in self.blocks]


def _apply(
    matrix: Float[Tensor, "*points dim dim"], v: Float[Tensor, "points dim fields *spatial"]
) -> Float[Tensor, "points dim fields *spatial"]:
    """Multiply by one matrix for all points, one for each point, or one for each pixel."""
    if matrix.dim() <= 3:
        return (matrix @ v.flatten(2)).reshape(v.shape)
    return torch.einsum("n...ij,nju...->niu...", matrix.expand(len(v), *v.shape[3:], *matrix.shape[-2:]), v)


def _parse(spec: Spec) -> list[tuple[Label, int]]:
    if isinstance(spec, str):
        return [_parse_term(term) for term in split_at(spec, "+")] if spec.strip() else []
    if isinstance(spec, FieldType):
        return [(r.name, m) for r, m in spec.terms()]
    pairs: Iterable[tuple[Label, int]] = spec.items() if isinstance(spec, Mapping) else spec
    return [(label, multiplicity) for label, multiplicity in pairs]


def _parse_term(term: str) -> tuple[str, int]:
    """Split `"16x1"` into `("1", 16)` and `"regular"` into `("regular", 1)`."""
    count, times, label = term.partition("x")
    return (label.strip(), int(count)) if times and count.strip().isdigit() else (term, 1)


def _make_blocks(group: StructureGroup, pairs: list[tuple[Label, int]]) -> Iterator[Block]:
    start = 0
    for label, multiplicity in pairs:
        if not isinstance(multiplicity, Integral) or multiplicity < 0:
            raise ValueError(f"Expected a non-negative integer multiplicity of {label!r}, got {multiplicity!r}.")
        if multiplicity == 0:
            continue
        block = Block(group.representation(label), int(multiplicity), start)
        start = block.stop
        yield block


__all__ = ["Block", "FieldType"]


def need_one_group(in_type: FieldType, out_type: FieldType, names: tuple[str, str] = ("in_type", "out_type")) -> None:
    """Raise `TypeError` unless both are field types, and `ValueError` unless they have the same group.

    Messages call the arguments by `names`.
    """
    for name, value in zip(names, (in_type, out_type), strict=True):
        if not isinstance(value, FieldType):
            raise TypeError(
                f"Expected `{name}` as a field type, got {value!r}: a short form needs its group, as in "
                "`FieldType(SO2(), '8x0 + 8x1')`."
            )
    if in_type.group != out_type.group:
        raise ValueError(
            f"Expected field types of one structure group, got {in_type.group.name} -> {out_type.group.name}: "
            "restrict the larger one."
        )


def transport_matrices(field_type: FieldType, g: Float[Tensor, "rows d d"]) -> Float[Tensor, "rows entries"]:
    """Return rho(g) of the blocks that are not trivial, row by row; `(rows, 0)` if there are none."""
    parts = [b.representation(g).flatten(1) for b in field_type.blocks if not b.representation.is_trivial]
    return torch.cat(parts, 1) if parts else g.new_zeros(len(g), 0)
