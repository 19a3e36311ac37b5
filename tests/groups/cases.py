"""The groups and representations that theorems about them are checked on."""

from __future__ import annotations

import torch

from gaugenet.groups import (
    O2,
    O3,
    SO2,
    SO3,
    Axial,
    Cyclic,
    Dihedral,
    MatrixGroup,
    Polyhedral,
    Reflection,
    Representation,
    StructureGroup,
    Trivial,
)


def left(w: float, x: float, y: float, z: float) -> torch.Tensor:
    """Left multiplication of quaternions, as a matrix of R^4."""
    return torch.tensor([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]], dtype=torch.float64)


QUATERNIONS = MatrixGroup([left(0, 1, 0, 0), left(0, 0, 1, 0)], name="Q_8")
BINARY_TETRAHEDRAL = MatrixGroup([left(0, 1, 0, 0), left(0.5, 0.5, 0.5, 0.5)], name="binary_T")
PERMUTATIONS = MatrixGroup(torch.eye(4).double()[torch.tensor([[1, 2, 3, 0], [1, 0, 2, 3]])], name="S_4")
SU2 = MatrixGroup([], lie_algebra=[left(0, 1, 0, 0), left(0, 0, 1, 0)], name="SU_2")

POLYHEDRAL = [Polyhedral(symbol) for symbol in ("T", "O", "I", "T_d", "T_h", "O_h", "I_h")]
FINITE_AXIAL = [
    Axial(Cyclic(4)),
    Axial(Dihedral(3), third="det"),
    Axial(Cyclic(3), third="mirror"),
    Axial(Cyclic(4), third="2"),
    Axial(Dihedral(4), third="2-"),
]
PLANAR = [*(Cyclic(n) for n in (1, 2, 3, 4, 6)), *(Dihedral(n) for n in (1, 2, 3, 4, 6))]
FINITE = [
    *(Trivial(), Trivial(1), Trivial(3), Reflection(), Reflection(1), Reflection(3), *PLANAR),
    *(*POLYHEDRAL, *FINITE_AXIAL, QUATERNIONS, BINARY_TETRAHEDRAL, PERMUTATIONS),
]
INFINITE = [
    *(SO2(), O2(), SO3(), O3(), Axial(SO2()), Axial(O2(), third="det"), Axial(O2(), third="mirror"), SU2),
]
GROUPS = [*FINITE, *INFINITE]
SUBGROUPS = [
    (Cyclic(6), Cyclic(3)),
    (Cyclic(6), Cyclic(2)),
    (Dihedral(4), Cyclic(4)),
    (Dihedral(4), Dihedral(2)),
    (Dihedral(6), Reflection()),
    (Dihedral(3), Cyclic(3)),
    (Reflection(), Trivial()),
    (O2(), SO2()),
    (SO2(), SO2()),
    (O3(), SO3()),
    (Polyhedral("O_h"), Polyhedral("T_d")),
    (Polyhedral("I"), Polyhedral("T")),
    (Polyhedral("T"), Axial(Cyclic(2))),
    (Axial(O2(), third="mirror"), Axial(SO2())),
]


def representations(group: StructureGroup) -> list[Representation]:
    """One of every kind."""
    found = [*group.irreps(3 if group.d < 3 else 2), group.standard()]
    found.append(found[-1].tensor(found[-2]))
    found.append(found[0] + found[-2])
    if group.order:
        found.append(group.regular())
    for large, small in SUBGROUPS:
        if large == group:
            rho = small.irreps(1)[-1]
            found += [group.quotient(small), group.induced(small, rho)]
        if small == group:
            found.append(large.irreps(2)[-1].restrict(group))
    return found


def elements(group: StructureGroup, count: int = 16, *, seed: int = 0) -> torch.Tensor:
    return group.random_element(count, generator=torch.Generator().manual_seed(seed))
