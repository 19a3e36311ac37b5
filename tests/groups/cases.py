"""The groups and representations that theorems about them are checked on."""

from __future__ import annotations

import torch

from gaugenet.groups import O2, O3, SO2, SO3, Cyclic, Dihedral, Reflection, Representation, StructureGroup, Trivial

FINITE = [Trivial(), Reflection(), *(Cyclic(n) for n in (1, 2, 3, 4, 6)), *(Dihedral(n) for n in (1, 2, 3, 4, 6))]
INFINITE = [SO2(), O2(), SO3(), O3()]
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
