"""Grids of the sphere that the tests share."""

from __future__ import annotations

import torch
from torch import Tensor

from gaugenet.geometry import HEALPix, LatLonSphere, ReducedGaussian, SphereDomain, SpherePoints


def scattered(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, 3, dtype=torch.float64, generator=generator))


def rotation_about(axis: Tensor, angle: float) -> Tensor:
    x, y, z = (torch.nn.functional.normalize(axis, dim=0) * angle).tolist()
    return torch.linalg.matrix_exp(torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64))


GRIDS: dict[str, SphereDomain] = {
    "nested": HEALPix(8),
    "ring": HEALPix(6, order="ring"),
    "octahedral": ReducedGaussian("O12"),
    "classic": ReducedGaussian("N32"),
    "poles": LatLonSphere.regular(19, 36),
    "no_poles": LatLonSphere.regular(18, 30, poles=False),
    "southern_first": LatLonSphere([-90, -60, -30, 0, 30, 60, 90], range(-180, 180, 30)),
    "scattered": SpherePoints(scattered(400)),
    "degenerate": SpherePoints(HEALPix(4).pos),
}
