"""Types of `matrix` fields, the inputs of the layers for lattice gauge fields."""

from __future__ import annotations

from jaxtyping import Complex, Float
from torch import Tensor

from gaugenet.groups import FieldType, UnitaryGroup, complex_fields
from gaugenet.nn.precision import check_dtype


def matrix_type(group: UnitaryGroup, channels: int) -> FieldType:
    """Return the type of `channels` fields of complex N x N matrices, which transform as W -> Omega W Omega^+.

    Example:
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import matrix_type
        >>> matrix_type(SU(3), 2).size  # real and imaginary parts of 2 x 9 entries
        36
    """
    return FieldType(group, {"matrix": channels})


def need_matrices(name: str, field_type: FieldType) -> UnitaryGroup:
    """Return the group of a type that has only `matrix` fields.

    Raises:
        ValueError: If the type has other fields.
    """
    group = field_type.group
    names = [b.representation.name for b in field_type.blocks]
    if not isinstance(group, UnitaryGroup) or names != ["matrix"]:
        raise ValueError(
            f"Expected `{name}` as one block of matrix fields, FieldType(SU(N), 'Cxmatrix'), got {field_type!r}."
        )
    return group


def channels_of(field_type: FieldType) -> int:
    """Return the number of matrix fields."""
    return field_type.num_fields


def matrices(
    field_type: FieldType, x: Float[Tensor, "batch size *shape"]
) -> Complex[Tensor, "batch channels *shape n n"]:
    """Return features as complex matrices."""
    field_type.check(x)
    check_dtype(x, None)
    n = field_type.group.d
    return complex_fields(x, (n, n))


__all__ = ["channels_of", "matrices", "matrix_type", "need_matrices"]
