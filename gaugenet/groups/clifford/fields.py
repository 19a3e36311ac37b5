"""Multivector fields: field types whose blocks are the grades of a Clifford algebra."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral

from gaugenet.groups.clifford.algebra import CliffordAlgebra
from gaugenet.groups.clifford.blades import MAX_DIM
from gaugenet.groups.group import StructureGroup, check_group
from gaugenet.groups.representations.base import Representation
from gaugenet.groups.representations.field_type import FieldType


def multivector(
    group: StructureGroup, grades: Iterable[int] | None = None, multiplicity: int | Sequence[int] = 1
) -> FieldType:
    """Return the field type of `multiplicity` multivectors :cite:`ruhe2023clifford`.

    It has one block for each grade; the blades of a grade are in lexicographic order.

    Args:
        group: acts on R^n; for O(p, q) the multivectors are the elements of Cl(p, q).
        grades: the grades, by default all from 0 to n. The blocks are in ascending order.
        multiplicity: number of multivectors, or one number for each grade.

    Raises:
        ValueError: If `group` is not a group, a grade is out of range or given twice, or the multiplicities are not
            whole numbers, one for all grades or one for each.

    Example:
        >>> from gaugenet.groups import PseudoOrthogonal, multivector
        >>> str(multivector(PseudoOrthogonal(1, 2), multiplicity=4))
        '4x0 + 4x1 + 4xexterior(2) + 4xdet'
    """
    check_group(group)
    wanted = sorted(range(group.d + 1) if grades is None else _checked(group, grades))
    counts = list(multiplicity) if isinstance(multiplicity, Iterable) else [multiplicity] * len(wanted)
    if len(counts) != len(wanted):
        raise ValueError(
            f"Expected `multiplicity` to be one number or one for each of the grades {wanted}, got {multiplicity!r}."
        )
    return FieldType(group, [(group.exterior(k), m) for k, m in zip(wanted, counts, strict=True)])


def _checked(group: StructureGroup, grades: Iterable[int]) -> list[int]:
    found = list(grades)
    bad = [k for k in found if isinstance(k, bool) or not isinstance(k, Integral) or not 0 <= k <= group.d]
    if bad or len(set(found)) != len(found):
        raise ValueError(
            f"Expected `grades` to be different numbers between 0 and {group.d}, the dimension that {group.name} acts "
            f"on, got {found}."
        )
    return found


def grade_of(representation: Representation) -> int | None:
    """Return k if the representation is the k-th exterior power of R^n, otherwise `None`."""
    group = representation.group
    return next((k for k in range(group.d + 1) if group.exterior(k) == representation), None)


def grades_of(field_type: FieldType) -> tuple[int, ...]:
    """Return the grade of each block of a type of multivectors.

    Raises:
        ValueError: If a block is not an exterior power.
    """
    found = [grade_of(b.representation) for b in field_type.blocks]
    for block, k in zip(field_type.blocks, found, strict=True):
        if k is None:
            raise ValueError(
                f"Expected a type of multivectors, made of exterior powers, got {field_type} with "
                f"{block.representation.name}: use `multivector(group, grades)`."
            )
    return tuple(found)  # type: ignore[arg-type]


def algebra_of(group: StructureGroup) -> CliffordAlgebra:
    """Return the Clifford algebra that a group of isometries acts on: Cl(p, q) for O(p, q), Cl(n, 0) for O(n).

    Raises:
        ValueError: If the group is not known to preserve an inner product, or acts on more than five dimensions.
    """
    from gaugenet.groups.families.lorentz import PseudoOrthogonal

    if group.d > MAX_DIM:
        raise ValueError(f"Expected a group on at most {MAX_DIM} dimensions, got {group.name} on R^{group.d}.")
    if isinstance(group, PseudoOrthogonal):
        return CliffordAlgebra(group.p, group.q)
    if group.compact:
        return CliffordAlgebra(group.d, 0)
    raise ValueError(
        f"Expected a group of isometries, such as O(p, q), got {group.name}: it preserves no inner product."
    )


__all__ = ["algebra_of", "grade_of", "grades_of", "multivector"]
