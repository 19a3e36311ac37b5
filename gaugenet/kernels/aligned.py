"""Kernels for SO(2) and O(2), whose value on one axis determines them, since the groups reach every direction."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.groups import FieldType, Reflection, Representation, Trivial, intertwiners
from gaugenet.groups.representations.planar import rotation_power
from gaugenet.kernels.basis import CachedTensor, KernelBasis


class AlignedBasis(KernelBasis):
    """Kernels `B(R_t e_1) = rho_out(R_t) A rho_in(R_t)^-1` for any intertwiner A of the stabilizer of e_1.

    In SO(2) the stabilizer is {e}, so that A is any matrix (a space of dimension 1, 2 or 4). In O(2) it is the
    reflection of the second axis. The basis spans the same kernels as `HarmonicBasis` with frequencies |m - n| and
    m + n (:cite:`weiler2019general`, Tables 8 and 9), in the form in which convolutions are cheapest: transport the
    features into the edge's frame, apply one matrix per ring, rotate back.

    Args:
        rho_in, rho_out: irreps of SO(2) or O(2).

    Example:
        >>> from gaugenet.groups import O2, SO2
        >>> from gaugenet.kernels import AlignedBasis
        >>> AlignedBasis(SO2().irrep(0), SO2().irrep(1)).dim  # v, and v rotated by 90 degrees
        2
        >>> AlignedBasis(O2().irrep(0), O2().irrep(1)).dim  # a reflection excludes the second
        1
    """

    def __init__(self, rho_in: Representation, rho_out: Representation) -> None:
        self.rho_in, self.rho_out = rho_in, rho_out
        stabilizer = Trivial() if rho_in.group.orientation_preserving else Reflection()
        self.coefficients = CachedTensor(
            lambda: intertwiners(rho_in.restrict(stabilizer), rho_out.restrict(stabilizer))
        )
        """`(dim, out, in)`: the matrices A."""

    @property
    def dim(self) -> int:
        return len(self.coefficients())

    def sample(self, direction: Float[Tensor, "*points 2"]) -> Float[Tensor, "*points dim out in"]:
        g = alignment(direction)
        out, back = self.rho_out(g), self.rho_in(g).mT
        return torch.einsum("...op,bpq,...qi->...boi", out, self.coefficients(direction), back)

    def __reduce__(self) -> tuple[Any, ...]:
        return aligned_basis, (self.rho_in, self.rho_out)


@lru_cache(maxsize=4096)
def aligned_basis(rho_in: Representation, rho_out: Representation) -> AlignedBasis:
    """Return the `AlignedBasis` of two irreps, solved once."""
    return AlignedBasis(rho_in, rho_out)


def aligned_transport(
    in_type: FieldType, direction: Float[Tensor, "rows 2"], g: Float[Tensor, "rows 2 2"]
) -> Float[Tensor, "rows entries"]:
    """Return rho_in(R_t^-1 g) of every block that is not trivial, for irreps of SO(2) or O(2), row by row.

    The entries are powers of one rotation, computed column by column: products and copies of many 2 x 2 matrices take
    several times as long.
    """
    (x, y), ((a, b), (c, d)) = direction.unbind(-1), (row.unbind(-1) for row in g.unbind(-2))
    cos, sin, det = x * a + y * c, x * c - y * a, a * d - b * c
    columns: list[Tensor] = []
    for block in in_type.blocks:
        rho = block.representation
        if rho.is_trivial:
            continue
        re, im = rotation_power(cos, sin, rho.order or 0)
        columns += [re * det] if rho.dim == 1 else [re, -im * det, im, re * det]
    return torch.stack(columns, -1) if columns else g.new_zeros(len(g), 0)


def alignment(direction: Float[Tensor, "*points 2"]) -> Float[Tensor, "*points 2 2"]:
    """Return the rotation that maps e_1 to a unit vector."""
    c, s = direction.unbind(-1)
    return typed_tensor(torch.stack([c, -s, s, c], -1).unflatten(-1, (2, 2)))
