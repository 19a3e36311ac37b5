"""Charged balls on springs to a plane: which symmetry, and which attributes, a network needs to predict them.

    python examples/nbody_springs.py [--simulations 600] [--epochs 60] [--out nbody_springs.png]

Five charges attract and repel each other, and half of them hang on springs from the plane z = 0. From positions and
velocities at one time, networks of equal size predict the positions one unit of time later. The symmetry of the system
is that of a cylinder, O(2) about the z axis and the mirror z -> -z; not all of O(3). Attributes of the points are the
height over the plane and the strength of the spring.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gaugenet.geometry import GaugeGraph, PointCloud
from gaugenet.groups import O2, O3, Axial, FieldType, StructureGroup
from gaugenet.kernels import Implicit
from gaugenet.nn import EquivariantLinear, GatedNonlinearity, GaugeConv

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
        """Leapfrog."""
        pos, vel = self.pos.clone(), self.vel.clone()
        for _ in range(round(duration / STEP)):
            vel = vel + 0.5 * STEP * self.force(pos)
            pos = pos + STEP * vel
            vel = vel + 0.5 * STEP * self.force(pos)
        return Balls(pos, vel, self.charge, self.spring)

    def __getitem__(self, index: slice | Tensor) -> Balls:
        return Balls(self.pos[index], self.vel[index], self.charge[index], self.spring[index])


def draw(count: int, seed: int) -> Balls:
    g = torch.Generator().manual_seed(seed)
    pos = 0.5 * torch.randn(count, BALLS, 3, generator=g)
    vel = torch.nn.functional.normalize(torch.randn(count, BALLS, 3, generator=g), dim=-1) * 0.5
    charge = torch.randint(0, 2, (count, BALLS), generator=g) * 2.0 - 1
    spring = torch.tensor([0.0, 0.0, 0.5, 1.0])[torch.randint(0, 4, (count, BALLS), generator=g)]
    return Balls(pos, vel, charge, spring).after(3.0)


class Predictor(nn.Module):
    """Three convolutions on the complete graph; `attributes` of points enter every kernel."""

    def __init__(self, group: StructureGroup, hidden: str, attributes: str) -> None:
        super().__init__()
        kind = FieldType(group, attributes) if attributes else None
        self.inputs = FieldType(group, "2x0 + 1x1o + 1x1o" if group == O3() else "2x0 + 1x1 + 1x0z + 1x0z")
        self.outputs = FieldType(group, "1x1o" if group == O3() else "1x1 + 1x0z")
        act = [GatedNonlinearity(FieldType(group, hidden)) for _ in range(3)]
        types = [self.inputs, *(a.out_type for a in act)]
        family = Implicit(hidden=24, node_type=kind, max_frequency=1)
        self.convs = nn.ModuleList(GaugeConv(a, b.in_type, kernel=family) for a, b in zip(types, act, strict=False))
        self.acts, self.read = nn.ModuleList(act), EquivariantLinear(types[-1], self.outputs)
        self.kind = kind

    def forward(self, x: Tensor, graph: GaugeGraph, attributes: Tensor) -> Tensor:
        given = {} if self.kind is None else {"node_attr": attributes}
        for number, (conv, act) in enumerate(zip(self.convs, self.acts, strict=True)):
            y = act(conv(x, graph, **given))
            x = x + y if number else y
        return self.read(x)


@dataclass(frozen=True)
class Case:
    """A network, and how a state becomes its inputs."""

    name: str
    group: StructureGroup
    hidden: str
    attributes: str

    def network(self) -> Predictor:
        torch.manual_seed(0)
        return Predictor(self.group, self.hidden, self.attributes)

    def error(self, network: Predictor, balls: Balls, later: Tensor) -> Tensor:
        n = len(balls.pos) * BALLS
        pos, vel = balls.pos.reshape(n, 3), balls.vel.reshape(n, 3)
        scalars = torch.stack([balls.charge.reshape(n), balls.spring.reshape(n)], 1)
        height = pos[:, 2:] if self.group != O3() else pos
        # the irrep `1` of an axial group is (x, y), `0z` the height; of O(3), `1o` is (x, y, z)
        vectors = [vel, pos] if self.group == O3() else [vel[:, :2], vel[:, 2:], pos[:, 2:]]
        graph = complete_graphs(pos, self.group)
        attributes = torch.cat([scalars[:, 1:], height], 1)
        moved = network(torch.cat([scalars, *vectors], 1), graph, attributes)
        return (pos + vel + moved - later.reshape(n, 3)).square().mean()


def complete_graphs(pos: Tensor, group: StructureGroup) -> GaugeGraph:
    inside = torch.cartesian_prod(torch.arange(BALLS), torch.arange(BALLS))
    inside = inside[inside[:, 0] != inside[:, 1]]
    starts = torch.arange(0, len(pos), BALLS)[:, None, None]
    return PointCloud(pos).gauge_graph(group, edge_index=(inside + starts).reshape(-1, 2).T, radius=3.0)


CASES = [
    Case("cylinder, attributes", Axial(O2(), third="mirror"), "16x0 + 8x1 + 8x0z", "1x0 + 1x0z"),
    Case("O(3), attributes", O3(), "16x0 + 8x1o", "1x0 + 1x1o"),
    Case("cylinder, none", Axial(O2(), third="mirror"), "16x0 + 8x1 + 8x0z", ""),
]


def train(case: Case, balls: Balls, later: Tensor, epochs: int) -> Predictor:
    network = case.network()
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(balls.pos)).split(50):
            loss = case.error(network, balls[batch], later[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--out", default="nbody_springs.png")
    args = parser.parse_args()
    torch.set_num_threads(1)
    balls, held_out = draw(args.simulations, 0), draw(300, 1)
    later, truth = balls.after(1.0).pos, held_out.after(1.0).pos
    errors = {
        "as they were": (held_out.pos - truth).square().mean().item(),
        "straight on": (held_out.pos + held_out.vel - truth).square().mean().item(),
    }
    for case in CASES:
        start = time.process_time()
        network = train(case, balls, later, args.epochs)
        with torch.no_grad():
            errors[case.name] = case.error(network, held_out, truth).item()
        weights = sum(p.numel() for p in network.parameters())
        print(f"{case.name:24}{weights:8} weights, {time.process_time() - start:6.0f} s of CPU", flush=True)
    for name, error in errors.items():
        print(f"{name:24}{error:.5f}")
    draw_bars(errors, args.out)


def draw_bars(errors: dict[str, float], out: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
    axes.barh(list(errors), list(errors.values()))
    axes.set(xscale="log", xlabel="mean squared error of positions, one unit of time later")
    axes.invert_yaxis()
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    main()
