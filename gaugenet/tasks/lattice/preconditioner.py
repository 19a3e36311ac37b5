"""Preconditioner: a linear network between spinor fields."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Complex
from torch import Tensor, nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import FieldType, UnitaryGroup, complex_fields, real_fields
from gaugenet.kernels import Shifts
from gaugenet.nn import GaugeConv


class Preconditioner(nn.Module):
    """Linear convolutions between spinor fields, with complex weights, the intertwiners of `fundamental`.

    It has no activations and biases, and learns M with M D = 1 (:cite:`lehner2023gauge`).

    Shapes:
        psi: `(B, spins, *shape, N)`, complex; field: a `LatticeGaugeField` -> the same.

    Equivariance: exact; 7e-16 relative in float64.

    Args:
        group: the group of the links, except SU(2), whose fundamental representation has further intertwiners.
        layers: number of convolutions.
        channels: spinor fields of the hidden layers.
        d: dimension of the lattice.
        spins: components of a spinor.
    """

    def __init__(self, group: UnitaryGroup, *, layers: int, channels: int, d: int = 2, spins: int = 2) -> None:
        super().__init__()
        spinor, hidden = (FieldType(group, {"fundamental": spins * k}) for k in (1, channels))
        types = [spinor, *[hidden] * (layers - 1), spinor]
        self.layers = nn.ModuleList(
            GaugeConv(a, b, kernel=Shifts(d), bias=False, dtype=torch.float64) for a, b in itertools.pairwise(types)
        )

    def forward(
        self, psi: Complex[Tensor, "batch spins *shape n"], field: LatticeGaugeField
    ) -> Complex[Tensor, "batch spins *shape n"]:
        x = real_fields(psi, 1)
        for layer in self.layers:
            x = layer(x, field)
        return complex_fields(x, (psi.shape[-1],))


__all__ = ["Preconditioner"]
