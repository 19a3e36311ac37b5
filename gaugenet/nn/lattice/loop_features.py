"""LoopFeatures: plaquettes and Polyakov loops as input features."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.loops import plane_pairs
from gaugenet.groups import FieldType, UnitaryGroup, real_fields
from gaugenet.nn.lattice.fields import matrix_type


class LoopFeatures(nn.Module):
    """The smallest loops at every site: d (d - 1) / 2 plaquettes P_{mu nu}, mu < nu, and optionally d Polyakov loops.

    Together with `GaugeConv`, `LatticeBilinear` and traces they generate all Wilson loops (:cite:`favoni2022lattice`).
    Loops that wind around the lattice need the Polyakov loops.

    Shapes:
        domain: a `LatticeGaugeField` -> `(B, out_type.size, *shape)`, fields of `matrix`.

    Equivariance: exact.

    Args:
        group: the group of the links.
        d: dimension of the lattice.
        polyakov: add the Polyakov loops.

    Example:
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import LoopFeatures
        >>> LoopFeatures(SU(2), d=3)(LatticeGaugeField.random(SU(2), (4, 4, 4))).shape  # 3 plaquettes, 8 numbers each
        torch.Size([1, 24, 4, 4, 4])
    """

    def __init__(self, group: UnitaryGroup, d: int, *, polyakov: bool = False) -> None:
        super().__init__()
        self.d, self.polyakov = d, polyakov
        self.out_type: FieldType = matrix_type(group, len(plane_pairs(d)) + d * polyakov)

    def forward(self, domain: LatticeGaugeField) -> Float[Tensor, "batch out *shape"]:
        if domain.d != self.d or domain.group != self.out_type.group:
            raise ValueError(
                f"Expected a gauge field of {self.out_type.group.name} in {self.d} dimensions, got {domain!r}."
            )
        loops = [domain.plaquette(mu, nu) for mu, nu in plane_pairs(self.d)]
        if self.polyakov:
            loops += [domain.polyakov_matrix(mu) for mu in range(self.d)]
        return real_fields(torch.stack(loops, 1), 2)

    def extra_repr(self) -> str:
        return f"{self.out_type}, group={self.out_type.group.name}, d={self.d}, polyakov={self.polyakov}"


__all__ = ["LoopFeatures"]
