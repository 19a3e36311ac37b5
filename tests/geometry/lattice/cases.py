"""Fields that theorems about lattices are checked on, and loops that can be read."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU, U1, UnitaryGroup

CASES = [
    (U1(), (4, 5)),
    (SU(2), (3, 4)),
    (SU(3), (4, 3)),
    (SU(2), (3, 4, 5)),
    (U1(), (3, 3, 4)),
    (SU(3), (3, 3, 3, 4)),
    (SU(2), (4, 3, 3, 3)),
]


def random_field(group: UnitaryGroup, shape: tuple[int, ...], *, batch: int = 2, seed: int = 0, **options):
    generator = torch.Generator().manual_seed(seed)
    return LatticeGaugeField.random(group, shape, batch=batch, generator=generator, **options)


def random_gauge(field: LatticeGaugeField, seed: int = 1) -> torch.Tensor:
    return field.random_gauge(generator=torch.Generator().manual_seed(seed))


def conjugated(omega: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
    """Omega m Omega^+."""
    return omega @ m @ omega.mH


class Walker:
    """Products of links along a path, one site and one configuration at a time."""

    def __init__(self, field: LatticeGaugeField, configuration: int) -> None:
        self.links = field.links[configuration].detach().numpy()
        self.shape = field.shape

    def sites(self):
        return itertools.product(*map(range, self.shape))

    def link(self, site, mu, sign):
        if sign > 0:
            return self.links[(mu, *site)]
        return self.links[(mu, *self.moved(site, mu, -1))].conj().T

    def moved(self, site, mu, k):
        return tuple((x + k * (axis == mu)) % self.shape[axis] for axis, x in enumerate(site))

    def product(self, site, path) -> np.ndarray:
        """`path` as a list of (mu, +1 or -1)."""
        matrix = np.eye(self.links.shape[-1], dtype=complex)
        for mu, sign in path:
            matrix = matrix @ self.link(site, mu, sign)
            site = self.moved(site, mu, sign)
        return matrix

    def field(self, path) -> torch.Tensor:
        values = np.array([self.product(site, path) for site in self.sites()])
        return torch.from_numpy(values.reshape(*self.shape, *values.shape[-2:]))


def slow(field: LatticeGaugeField, path) -> torch.Tensor:
    return torch.stack([Walker(field, b).field(path) for b in range(field.batch_size)])
