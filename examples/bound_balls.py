"""Balls joined to each other and to the plane z = 0 by springs: the simulation of `nbody_springs.py`.

    python examples/bound_balls.py       prints the displacement of five balls and the error of their energy

The set is the one of Zhdanov et al. 2022. Two balls are joined with probability 1/2 by a spring of strength 0.1 and
without length. Every ball is on a spring of strength 1 along z, with a length at rest between 0 and 1. Steps are
0.001. The published frame 30 is the state after 3,100 steps, frame 40 the state after 4,100.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gaugenet.geometry import GaugeGraph, PointCloud
from gaugenet.groups import StructureGroup

BALLS, STEP, START, END, STRENGTH = 5, 1e-3, 3100, 4100, 0.1


@dataclass(frozen=True)
class Balls:
    """States of many systems: positions and velocities `(S, 5, 3)`.

    `spring (S, 5, 5)` is 1 for pairs with a spring, and `length (S, 5)` has the lengths of the springs to the plane.
    """

    pos: Tensor
    vel: Tensor
    spring: Tensor
    length: Tensor

    def force(self, pos: Tensor) -> Tensor:
        force = STRENGTH * (self.spring @ pos - self.spring.sum(-1, keepdim=True) * pos)
        force[..., 2] += self.length - pos[..., 2]
        return force

    def after(self, steps: int) -> Balls:
        """Return the states after steps of the velocities and then of the positions, as published."""
        pos, vel = self.pos, self.vel
        for _ in range(steps):
            vel = vel + STEP * self.force(pos)
            pos = pos + STEP * vel
        return Balls(pos, vel, self.spring, self.length)

    def energy(self) -> Tensor:
        apart = (self.pos[:, :, None] - self.pos[:, None]).square().sum(-1)
        pairs, plane = 0.5 * STRENGTH * self.spring * apart, (self.pos[..., 2] - self.length).square()
        return 0.5 * (self.vel.square().sum((1, 2)) + plane.sum(1) + pairs.sum((1, 2)))

    def float(self) -> Balls:
        return Balls(self.pos.float(), self.vel.float(), self.spring.float(), self.length.float())

    def __getitem__(self, index: slice | Tensor) -> Balls:
        return Balls(self.pos[index], self.vel[index], self.spring[index], self.length[index])


def draw(count: int, seed: int) -> tuple[Balls, Balls]:
    """Return the states of systems at the frames 30 and 40."""
    g = torch.Generator().manual_seed(seed)
    pos = 0.5 * torch.randn(count, BALLS, 3, generator=g, dtype=torch.float64)
    vel = torch.randn(count, BALLS, 3, generator=g, dtype=torch.float64)
    spring = torch.randint(0, 2, (count, BALLS, BALLS), generator=g).double().triu(1)
    length = torch.rand(count, BALLS, generator=g, dtype=torch.float64)
    vel = 0.5 * torch.nn.functional.normalize(vel, dim=-1)
    start = Balls(pos, vel, spring + spring.mT, length).after(START)
    return start.float(), start.after(END - START).float()


def leaps(force: Callable[[Tensor, Tensor], Tensor], balls: Balls, count: int) -> Tensor:
    """Return positions one unit of time later, by leaps with one force of (positions, velocities) in the middle."""
    pos, vel = balls.pos, balls.vel
    for _ in range(count):
        middle = pos + vel / (2 * count)
        vel = vel + force(middle, vel) / count
        pos = middle + vel / (2 * count)
    return pos


def complete_graphs(pos: Tensor, group: StructureGroup, *, radius: float, between: Tensor | None = None) -> GaugeGraph:
    """Return one graph that joins each ball `(S 5, 3)` to the others of its system; attributes `(S, 5, 5, size)`."""
    inside = torch.cartesian_prod(torch.arange(BALLS), torch.arange(BALLS))
    inside = inside[inside[:, 0] != inside[:, 1]]
    starts = torch.arange(0, len(pos), BALLS)[:, None, None]
    edges = (inside + starts).reshape(-1, 2).T
    attributes = None if between is None else between[:, inside[:, 0], inside[:, 1]].flatten(0, 1)
    return PointCloud(pos).gauge_graph(group, edge_index=edges, edge_attr=attributes, radius=radius)


def main() -> None:
    before, after = draw(100, 0)
    print(f"moved {(after.pos - before.pos).norm(dim=-1).mean():.3f}")
    print(f"energy changed by {(after.energy() - before.energy()).abs().max():.1e} of {before.energy().std():.2f}")


if __name__ == "__main__":
    main()
