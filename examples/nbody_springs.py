"""Charged balls with springs to a plane: the symmetry and the attributes that a network needs to predict them.

    python examples/nbody_springs.py [--simulations 2000] [--epochs 40] [--out nbody_springs.png]

Five charges attract and repel each other, and half of them are connected to the plane z = 0 by springs. From positions
and velocities at one time, networks predict the positions one unit of time later. The symmetry group of the system is
the one of a cylinder, O(2) about the z axis and the reflection z -> -z, not O(3). Height above the plane and strength
of the spring are both features and attributes of kernels, or only features, or not used.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import torch
from charged_balls import BALLS, Balls, complete_graphs, draw
from matplotlib import pyplot as plt
from torch import Tensor, nn

from gaugenet.geometry import GaugeGraph
from gaugenet.groups import O2, O3, Axial, FieldType, StructureGroup
from gaugenet.kernels import Implicit
from gaugenet.nn import EquivariantLinear, GatedNonlinearity, GaugeConv


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
        given = {"node_attr": attributes} if self.kind else {}
        for number, (conv, act) in enumerate(zip(self.convs, self.acts, strict=True)):
            y = act(conv(x, graph, **given))
            x = x + y if number else y
        return self.read(x)


@dataclass(frozen=True)
class Case:
    """A network, and the conversion of a state to its inputs."""

    name: str
    group: StructureGroup
    hidden: str
    attributes: str
    blind: bool = False  # without heights and springs

    def error(self, network: Predictor, balls: Balls, later: Tensor) -> Tensor:
        n = len(balls.pos) * BALLS
        pos, vel = balls.pos.reshape(n, 3), balls.vel.reshape(n, 3)
        scalars = torch.stack([balls.charge.reshape(n), balls.spring.reshape(n)], 1)
        height = pos[:, 2:] if self.group != O3() else pos
        if self.blind:
            scalars[:, 1:], height = 0, torch.zeros_like(height)
        vectors = [vel, height] if self.group == O3() else [vel[:, :2], vel[:, 2:], height]
        graph = complete_graphs(pos, self.group)
        attributes = torch.cat([scalars[:, 1:], height], 1)
        moved = network(torch.cat([scalars, *vectors], 1), graph, attributes)
        return (pos + vel + moved - later.reshape(n, 3)).square().mean()


CASES = [
    Case("cylinder, attributes", Axial(O2(), third="mirror"), "16x0 + 8x1 + 8x0z", "1x0 + 1x0z"),
    Case("O(3), attributes", O3(), "16x0 + 8x1o", "1x0 + 1x1o"),
    Case("cylinder, features", Axial(O2(), third="mirror"), "16x0 + 8x1 + 8x0z", ""),
    Case("cylinder, blind", Axial(O2(), third="mirror"), "16x0 + 8x1 + 8x0z", "", blind=True),
]


def train(case: Case, balls: Balls, later: Tensor, epochs: int) -> Predictor:
    torch.manual_seed(0)
    network = Predictor(case.group, case.hidden, case.attributes)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(balls.pos)).split(50):
            loss = case.error(network, balls[batch], later[batch])
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        schedule.step()
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("--simulations", 2000), ("--epochs", 40)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--out", default="nbody_springs.png")
    args = parser.parse_args()
    balls, held_out = draw(args.simulations, 0), draw(300, 1)
    later, truth = balls.after(1.0).pos, held_out.after(1.0).pos
    errors = {"straight on": (held_out.pos + held_out.vel - truth).square().mean().item()}
    for case in CASES:
        start = time.process_time()
        network = train(case, balls, later, args.epochs)
        with torch.no_grad():
            errors[case.name] = case.error(network, held_out, truth).item()
        print(f"{case.name:24}{time.process_time() - start:6.0f} s of CPU", flush=True)
    for name, error in errors.items():
        print(f"{name:24}{error:.5f}")
    figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
    axes.barh(list(errors), list(errors.values()), log=True)
    axes.set_xlabel("mean squared error of positions, one unit of time later")
    figure.savefig(args.out, dpi=120)


if __name__ == "__main__":
    main()
