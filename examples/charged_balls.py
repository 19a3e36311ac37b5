"""Charged balls, half of them connected to the plane z = 0 by springs: the simulation of `nbody_springs.py`.

python examples/charged_balls.py       prints the displacement of five balls and the error of their energy
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gaugenet.geometry import GaugeGraph, PointCloud
from gaugenet.groups import StructureGroup

BALLS, STRENGTH, SOFTENING, STEP = 5, 0.1, 0.1, 2e-3


@dataclass(frozen=True)
class Balls:
    """States of many systems: positions and velocities `(S, 5, 3)`, charges and springs `(S, 5)`."""

    pos: Tensor
    vel: Tensor
    charge: Tensor
    spring: Tensor

    def force(self, pos: Tensor) -> Tensor:
        apart = pos[:, :, None] - pos[:, None]
        distance = (apart.square().sum(-1) + SOFTENING**2).sqrt()
        coulomb = self.charge[:, :, None] * self.charge[:, None] / distance**3
        force = STRENGTH * (coulomb[..., None] * apart).sum(2)
        force[..., 2] -= self.spring * pos[..., 2]
        return force

    def after(self, duration: float) -> Balls:
        """Return the states after a time, by leapfrog steps."""
        pos, vel = self.pos.clone(), self.vel.clone()
        for _ in range(round(duration / STEP)):
            vel = vel + 0.5 * STEP * self.force(pos)
            pos = pos + STEP * vel
            vel = vel + 0.5 * STEP * self.force(pos)
        return Balls(pos, vel, self.charge, self.spring)

    def energy(self) -> Tensor:
        apart = self.pos[:, :, None] - self.pos[:, None]
        distance = (apart.square().sum(-1) + SOFTENING**2).sqrt()
        pairs = self.charge[:, :, None] * self.charge[:, None] / distance * (1 - torch.eye(BALLS))
        kinetic, springs = self.vel.square().sum((1, 2)), (self.spring * self.pos[..., 2].square()).sum(1)
        return 0.5 * (kinetic + springs + STRENGTH * pairs.sum((1, 2)))

    def __getitem__(self, index: slice | Tensor) -> Balls:
        return Balls(self.pos[index], self.vel[index], self.charge[index], self.spring[index])


def draw(count: int, seed: int) -> Balls:
    g = torch.Generator().manual_seed(seed)
    pos = 0.5 * torch.randn(count, BALLS, 3, generator=g)
    vel = torch.nn.functional.normalize(torch.randn(count, BALLS, 3, generator=g), dim=-1) * 0.5
    charge = torch.randint(0, 2, (count, BALLS), generator=g) * 2.0 - 1
    spring = torch.tensor([0.0, 0.0, 0.5, 1.0])[torch.randint(0, 4, (count, BALLS), generator=g)]
    return Balls(pos, vel, charge, spring).after(3.0)


def complete_graphs(pos: Tensor, group: StructureGroup, radius: float = 3.0) -> GaugeGraph:
    inside = torch.cartesian_prod(torch.arange(BALLS), torch.arange(BALLS))
    inside = inside[inside[:, 0] != inside[:, 1]]
    starts = torch.arange(0, len(pos), BALLS)[:, None, None]
    return PointCloud(pos).gauge_graph(group, edge_index=(inside + starts).reshape(-1, 2).T, radius=radius)


def main() -> None:
    before = draw(100, 0)
    after = before.after(1.0)
    print(f"moved {(after.pos - before.pos).norm(dim=-1).mean():.3f}")
    print(f"energy changed by {(after.energy() - before.energy()).abs().max():.1e} of {before.energy().std():.2f}")


if __name__ == "__main__":
    main()
