"""Groups by their names, which command lines, files and pickles store."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from gaugenet.groups.group import StructureGroup
from gaugenet.groups.names import split_name

_KNOWN = (
    "SO(2), O(2), SO(3), O(3), C_n, D_n, Reflection, Trivial, T, O, I, T_d, T_h, O_h, I_h, Axial(C_4,det), O(1,3), "
    "SO(1,3), SO+(1,3), GL(2), SL(2), S[4.0], SO(2)×S[4.0], U(1), U(2), SU(2), SU(3), B_4, B_4×SU(3)"
)


def group_from_name(name: str, d: int | None = None) -> StructureGroup:
    """Return the group with a name: `SO(2)`, `O(3)`, `C_4`, `D_6`, `O_h`, `Axial(O(2),det)`, ...

    Args:
        name: the `name` of a group. A `MatrixGroup` is found once it has been made.
        d: dimension of the space, for groups that exist in several (`Trivial`, `Reflection`, scaling); default 2.

    Raises:
        ValueError: If the name is unknown.

    Example:
        >>> from gaugenet.groups import group_from_name
        >>> group_from_name("D_6").order
        12
        >>> group_from_name("Reflection", d=3).d
        3
    """
    from gaugenet.groups.families.matrix_group import MADE

    if name in MADE:
        return MADE[name]
    return _from_name(name, 2 if d is None else d)


@cache
def _from_name(name: str, d: int) -> StructureGroup:
    from gaugenet import groups
    from gaugenet.groups.families.polyhedral import SYMBOLS

    fixed: dict[str, Callable[[], StructureGroup]] = {
        "SO(2)": groups.SO2,
        "O(2)": groups.O2,
        "SO(3)": groups.SO3,
        "O(3)": groups.O3,
    }
    if name in fixed:
        return fixed[name]()
    if name in ("Reflection", "Trivial"):
        return groups.Reflection(d) if name == "Reflection" else groups.Trivial(d)
    if name in SYMBOLS:
        return groups.Polyhedral(name)
    family, _, n = name.partition("_")
    families: dict[str, Callable[[int], StructureGroup]] = {
        "C": groups.Cyclic,
        "D": groups.Dihedral,
        "B": groups.Hypercubic,
    }
    if family in families and n.isdigit() and int(n) > 0:
        return families[family](int(n))
    found = _unitary(name) or _product(name, d) or _not_compact(name, d)
    if found is not None:
        return found
    head, arguments = split_name(name)
    if head == "Axial" and len(arguments) == 2:
        return groups.Axial(_from_name(arguments[0], 2), third=arguments[1])
    raise ValueError(
        f"Unknown structure group {name!r}: expected one of {_KNOWN} or a `MatrixGroup` that has been made before."
    )


def _unitary(name: str) -> StructureGroup | None:
    from gaugenet import groups

    match = re.fullmatch(r"(U|SU)\(([1-9]\d*)\)", name)
    if match is None or name == "SU(1)":
        return None
    if name == "U(1)":
        return groups.U1()
    return (groups.U if match[1] == "U" else groups.SU)(int(match[2]))


def _product(name: str, d: int) -> StructureGroup | None:
    from gaugenet import groups

    first, times, second = name.partition("×")
    internal = _unitary(second) if times else None
    return None if internal is None else groups.DirectProduct(group_from_name(first, d), internal)


def _not_compact(name: str, d: int) -> StructureGroup | None:
    from gaugenet import groups

    if match := re.fullmatch(r"(O|SO|SO\+)\(([1-9]\d*),([1-9]\d*)\)", name):
        return groups.PseudoOrthogonal(int(match[2]), int(match[3]), part=match[1])
    if match := re.fullmatch(r"(GL|SL)\(([2-9]|[1-9]\d+)\)", name):
        return {"GL": groups.GeneralLinear, "SL": groups.SpecialLinear}[match[1]](int(match[2]))
    if match := re.fullmatch(r"(?:(.+)×)?S\[([\d.]+)\]", name):
        rotations = None if match[1] is None else _from_name(match[1], d)
        return groups.Scaling(d if rotations is None else rotations.d, period=float(match[2]), rotations=rotations)
    return None
