"""Types of `matrix` fields, the inputs of the layers for lattice gauge fields."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import (
    Block,
    DirectProduct,
    FieldType,
    OuterProduct,
    Representation,
    UnitaryGroup,
    complex_fields,
    real_fields,
)
from gaugenet.groups.families.direct_product import internal_factor
from gaugenet.nn.precision import check_dtype, widened


def matrix_type(group: UnitaryGroup | DirectProduct, channels: int) -> FieldType:
    """Return the type of `channels` fields of complex N x N matrices, which transform as W -> Omega W Omega^+.

    Example:
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import matrix_type
        >>> matrix_type(SU(3), 2).size  # real and imaginary parts of 2 x 9 entries
        36
    """
    return FieldType(group, {"matrix": channels})


def need_matrices(name: str, field_type: FieldType, *, directions: bool = False) -> UnitaryGroup:
    """Return the group of the links of a type that has only `matrix` fields.

    Args:
        name: of the argument, for the message.
        field_type: one block of `matrix` fields.
        directions: whether fields such as `vector*matrix` of a `DirectProduct`, and several blocks, are allowed.

    Raises:
        ValueError: If the type has other fields.
    """
    if not isinstance(field_type, FieldType):
        raise ValueError(f"Expected `{name}` as a FieldType, e.g. FieldType(SU(2), '2xmatrix'), got {field_type!r}.")
    group = internal_factor(field_type.group)
    names = [_inner(b).name for b in field_type.blocks]
    plain = len(names) == 1 and direction_of(field_type.blocks[0]) == 1
    if not isinstance(group, UnitaryGroup) or set(names) != {"matrix"} or not (plain or directions):
        wanted = "matrix fields such as 'vector*matrix'" if directions else "one block of matrix fields"
        raise ValueError(
            f"Expected `{name}` as {wanted}, FieldType(SU(N), 'Cxmatrix') or a type of a DirectProduct, got "
            f"{field_type!r}."
        )
    return group


def direction_of(block: Block) -> int:
    """Return the number of components along directions of each field of a block."""
    rho = block.representation
    return rho.first.dim if isinstance(rho, OuterProduct) else 1


def spatial_part(block: Block) -> Representation:
    """Return how the directions of the fields of a `DirectProduct` transform."""
    return cast(OuterProduct, block.representation).first


def channels_of(field_type: FieldType) -> int:
    """Return the number of matrices at a site: each component along a direction is one."""
    return sum(direction_of(b) * b.multiplicity for b in field_type.blocks)


def matrices(
    field_type: FieldType, x: Float[Tensor, "batch size *shape"], weight: Tensor | None = None
) -> Complex[Tensor, "batch channels *shape n n"]:
    """Return features as complex matrices: block by block, directions outer, fields inner.

    Raises:
        ValueError: If `x` has another number of channels, or double precision where `weight` has not, or vice versa.
    """
    field_type.check(x)
    if not torch.compiler.is_compiling():
        check_dtype(x, weight)
        if x.is_complex():
            raise ValueError(f"Expected real features, got {x.dtype}: convert complex fields by `real_fields`.")
    x = widened(x)  # complex numbers have at least single precision
    n = internal_factor(field_type.group).d
    parts = [complex_fields(_directions_last(b, x[:, b.slice], inward=True), (n, n)) for b in field_type.blocks]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def matrix_features(
    field_type: FieldType, w: Complex[Tensor, "batch channels *shape n n"]
) -> Float[Tensor, "batch size *shape"]:
    """Return complex matrices as features, the inverse of `matrices`."""
    counts = [direction_of(b) * b.multiplicity for b in field_type.blocks]
    blocks = zip(field_type.blocks, w.split(counts, 1), strict=True)
    parts = [_directions_last(b, real_fields(part, 2), inward=False) for b, part in blocks]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def check_sites(
    field_type: FieldType, x: Tensor, domain: LatticeGaugeField, shape: tuple[int, ...] | None = None
) -> None:
    """Check features at the sites of a gauge field.

    Args:
        field_type: of the features.
        x: `(B, field_type.size, *shape)`.
        domain: whose group the type must have.
        shape: extents of the lattice of the features, by default those of the domain.

    Raises:
        ValueError: If the domain is not a gauge field of the group of the type; if the features are complex, have other
            extents or another batch; if they have double precision and the links have not.
    """
    group = internal_factor(field_type.group)
    if not isinstance(domain, LatticeGaugeField) or domain.group != group:
        raise ValueError(f"Expected a gauge field of {group.name} as the domain, got {_described(domain)}.")
    expected = (domain.batch_size, field_type.size, *(domain.shape if shape is None else shape))
    if tuple(x.shape) != expected:
        raise ValueError(
            f"Expected `x` of shape {expected} for {field_type} on {domain!r}, one configuration of links for each "
            f"entry of the batch, got {tuple(x.shape)}."
        )
    if x.is_complex():
        raise ValueError(f"Expected real features, got {x.dtype}: convert complex fields by `real_fields`.")
    check_links(x, domain)


def check_links(x: Tensor, domain: LatticeGaugeField) -> None:
    """Raise `ValueError` if features have double precision and links have not."""
    if x.dtype == torch.float64 and domain.links.dtype != torch.complex128:
        raise ValueError(
            f"Expected links of dtype torch.complex128 for features of {x.dtype}, got {domain.links.dtype}: pass "
            "`x.float()`, or project the links in double precision, `group.project(links.to(torch.complex128))`."
        )


def check_field(domain: LatticeGaugeField, group: UnitaryGroup, d: int) -> None:
    """Raise `ValueError` unless the domain is a gauge field of this group in d dimensions."""
    if not isinstance(domain, LatticeGaugeField) or domain.d != d or domain.group != group:
        raise ValueError(f"Expected a gauge field of {group.name} in {d} dimensions, got {_described(domain)}.")


def check_dimension(d: int) -> int:
    """Return `d`, or raise `ValueError` if it is not 2, 3 or 4."""
    if d not in (2, 3, 4):
        raise ValueError(f"Expected `d` as 2, 3 or 4, the dimension of the lattice, got {d!r}.")
    return d


def _described(domain: object) -> str:
    return repr(domain) if isinstance(domain, LatticeGaugeField) else f"an object of type {type(domain).__name__}"


def _inner(block: Block) -> Representation:
    rho = block.representation
    return rho.second if isinstance(rho, OuterProduct) else rho


def _directions_last(block: Block, x: Tensor, *, inward: bool) -> Tensor:
    """Move the index of directions from before the matrix entries to the fields, or back."""
    count, m = direction_of(block), block.multiplicity
    if count == 1:
        return x
    entries = block.representation.dim // count
    first, second = (count, entries) if inward else (entries, count)
    return torch.unflatten(x, 1, (first, second, m)).transpose(1, 2).flatten(1, 3)


__all__ = [
    "channels_of",
    "check_dimension",
    "check_field",
    "check_links",
    "check_sites",
    "direction_of",
    "matrices",
    "matrix_features",
    "matrix_type",
    "need_matrices",
    "spatial_part",
]
