"""The reflection group {e, s}, s = diag(1, -1): frames up to a flip of the second axis."""

from __future__ import annotations

from gaugenet.groups.dihedral import Dihedral


class Reflection(Dihedral):
    """{e, s} with s = diag(1, -1). Irreps: `0` (trivial) and `0-` (sign)."""

    def __init__(self) -> None:
        super().__init__(1)
        self.name = "Reflection"
