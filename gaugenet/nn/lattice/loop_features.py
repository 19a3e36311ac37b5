"""LoopFeatures: plaquettes and Polyakov loops as input features."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.loops import clover, plane_pairs
from gaugenet.groups import DirectProduct, FieldType, Hypercubic, UnitaryGroup
from gaugenet.nn.lattice.fields import check_dimension, check_field, matrix_features, matrix_type


class LoopFeatures(nn.Module):
    """The smallest loops at every site: d (d - 1) / 2 plaquettes P_{mu nu}, mu < nu, and optionally d Polyakov loops.

    Together with `GaugeConv`, `LatticeBilinear` and traces they generate all Wilson loops (:cite:`favoni2022lattice`).
    Loops that wind around the lattice need the Polyakov loops.

    For a `DirectProduct` with `Hypercubic(d)` the features are fields with directions. A reflection maps the plaquette
    at x to the inverse of another plaquette around x. So the mean Q_{mu nu} of the four plaquettes around x is split:
    (Q - Q^+) / 2, the field strength, is a field of `bivector*matrix`, and (Q + Q^+) / 2 one of `planes*matrix`.
    Polyakov loops give fields of `vector*matrix` and `axes*matrix` in the same way.

    Shapes:
        domain: a `LatticeGaugeField` -> `(B, out_type.size, *shape)`, fields of `matrix`.

    Equivariance: exact.

    Args:
        group: the group of the links, or `DirectProduct(Hypercubic(d), group of the links)`.
        d: dimension of the lattice.
        polyakov: add the Polyakov loops.

    Example:
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import SU
        >>> from gaugenet.nn import LoopFeatures
        >>> LoopFeatures(SU(2), d=3)(LatticeGaugeField.random(SU(2), (4, 4, 4))).shape  # 3 plaquettes, 8 numbers each
        torch.Size([1, 24, 4, 4, 4])
        >>> from gaugenet.groups import DirectProduct, Hypercubic
        >>> LoopFeatures(DirectProduct(Hypercubic(3), SU(2)), d=3).out_type
        FieldType(B_3×SU(2), '1xbivector*matrix + 1xplanes*matrix')
    """

    def __init__(self, group: UnitaryGroup | DirectProduct, d: int, *, polyakov: bool = False) -> None:
        super().__init__()
        self.d, self.polyakov = check_dimension(d), polyakov
        self.directed = isinstance(group, DirectProduct)
        if not isinstance(group, DirectProduct):
            self.out_type: FieldType = matrix_type(group, len(plane_pairs(d)) + d * polyakov)
            self.links_in = group
            return
        if group.spatial != Hypercubic(d):
            raise ValueError(f"Expected `group` with the rotations and reflections Hypercubic({d}), got {group.name}.")
        names = ["bivector", "planes"] + ["vector", "axes"] * polyakov
        self.out_type = FieldType(group, [(f"{name}*matrix", 1) for name in names])
        self.links_in = group.internal

    def forward(self, domain: LatticeGaugeField) -> Float[Tensor, "batch out *shape"]:
        check_field(domain, self.links_in, self.d)
        planes = plane_pairs(self.d)
        lines = [domain.polyakov_matrix(mu) for mu in range(self.d) if self.polyakov]
        if not self.directed:
            return matrix_features(self.out_type, torch.stack([domain.plaquette(*p) for p in planes] + lines, 1))
        parts = _odd_and_even(torch.stack([clover(domain.links, *p) / 4 for p in planes], 1))
        if lines:
            parts += _odd_and_even(torch.stack(lines, 1))
        return matrix_features(self.out_type, torch.cat(parts, 1))

    def extra_repr(self) -> str:
        return f"{self.out_type}, group={self.out_type.group.name}, d={self.d}, polyakov={self.polyakov}"


def _odd_and_even(loops: Complex[Tensor, "batch loops *shape n n"]) -> list[Tensor]:
    """Return the anti-Hermitian part, which changes its sign with the orientation of a loop, and the Hermitian part."""
    return [(loops - loops.mH) / 2, (loops + loops.mH) / 2]


__all__ = ["LoopFeatures"]
