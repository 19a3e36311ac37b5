"""Preconditioner: a linear network between spinor fields."""

from __future__ import annotations

import itertools
from typing import cast

import torch
from jaxtyping import Complex
from torch import Tensor, nn

from gaugenet._validation import positive
from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.dirac import check_matter
from gaugenet.groups import FieldType, UnitaryGroup, complex_fields, real_fields
from gaugenet.kernels import Shifts
from gaugenet.nn import GaugeConv, LatticePool, LatticeUnpool, blocked


class Preconditioner(nn.Module):
    """Linear convolutions between spinor fields, with complex weights, the intertwiners of `fundamental`.

    It has no activations and biases, and learns M with M D = 1 (:cite:`lehner2023gauge`). With more than one level it
    is a V-cycle: half of the layers, then the same on the lattice of half the extents, and the other half of the layers
    (:cite:`lehner2024gauge`). The coarse lattices carry slow modes across distances that convolutions cannot reach.

    Shapes:
        psi: `(B, spins, *shape, N)`, complex; field: a `LatticeGaugeField` -> the same.

    Equivariance: exact; 7e-16 relative in float64.

    Args:
        group: the group of the links, except SU(2), whose fundamental representation has further intertwiners.
        layers: number of convolutions on each lattice.
        channels: spinor fields of the hidden layers.
        d: dimension of the lattice.
        spins: components of a spinor.
        levels: number of lattices, each with half the extents of the one before.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import LatticeGaugeField
        >>> from gaugenet.groups import U1
        >>> from gaugenet.tasks.lattice.preconditioner import Preconditioner
        >>> network = Preconditioner(U1(), layers=2, channels=2, levels=2)
        >>> psi = torch.randn(1, 2, 8, 8, 1, dtype=torch.complex128)
        >>> network(psi, LatticeGaugeField.random(U1(), (8, 8))).shape
        torch.Size([1, 2, 8, 8, 1])
    """

    def __init__(
        self, group: UnitaryGroup, *, layers: int, channels: int, d: int = 2, spins: int = 2, levels: int = 1
    ) -> None:
        super().__init__()
        spins, channels = positive("spins", spins), positive("channels", channels)
        spinor, hidden = (FieldType(group, {"fundamental": spins * k}) for k in (1, channels))
        before = (positive("layers", layers) + 1) // 2 if positive("levels", levels) > 1 else layers

        def chain(types: list[FieldType]) -> nn.ModuleList:
            return nn.ModuleList(
                GaugeConv(a, b, kernel=Shifts(d), bias=False, dtype=torch.float64) for a, b in itertools.pairwise(types)
            )

        inner = [hidden] * (layers - 1)
        types = [spinor, *inner, spinor]
        self.down = nn.ModuleList([chain(types[: before + 1])])
        self.up = nn.ModuleList([chain(types[before:])])
        for _ in range(levels - 1):
            self.down.append(chain([hidden] * (before + 1)))
            self.up.append(chain([hidden] * (layers - before + 1)))
        self.pool, self.unpool = LatticePool(hidden), LatticeUnpool(hidden)

    def forward(
        self, psi: Complex[Tensor, "batch spins *shape n"], field: LatticeGaugeField
    ) -> Complex[Tensor, "batch spins *shape n"]:
        check_matter(field, psi)
        return complex_fields(self._cycle(real_fields(psi, 1), field, 0), (psi.shape[-1],))

    def _cycle(self, x: Tensor, field: LatticeGaugeField, level: int) -> Tensor:
        for layer in cast(nn.ModuleList, self.down[level]):
            x = layer(x, field)
        if level + 1 < len(self.down):
            x = x + self.unpool(self._cycle(self.pool(x, field), blocked(field), level + 1), field)
        for layer in cast(nn.ModuleList, self.up[level]):
            x = layer(x, field)
        return x


__all__ = ["Preconditioner"]
