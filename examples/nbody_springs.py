"""Balls on springs: the symmetry, the attributes and the data that a network needs to predict their motion.

    python examples/nbody_springs.py [--systems 125 500 2000] [--seeds 0] [--iterations 400] [--out nbody_springs.png]

Half of all pairs of five balls are joined by springs, and each ball is on a spring to the plane z = 0, as published by
Zhdanov et al. 2022. Networks predict the positions one unit of time later. A network is an acceleration in each of
five leaps, trained by the error at the end. The symmetry is the one of a cylinder, O(2) about the z axis and the
reflection z -> -z of heights and lengths, not O(3). Springs of pairs are attributes of edges, lengths are features.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import torch
from bound_balls import Balls, complete_graphs, draw, leaps
from matplotlib import pyplot as plt
from torch import Tensor, nn

from gaugenet.groups import O2, O3, Axial, FieldType, StructureGroup, Trivial
from gaugenet.kernels import Implicit
from gaugenet.nn import EquivariantLinear, GatedNonlinearity, GaugeConv


@dataclass(frozen=True)
class Case:
    """A group, types of inputs and hidden features, and what is known of the springs."""

    group: StructureGroup
    inputs: str
    hidden: str
    vector: str
    pairs: bool = True  # which pairs have springs
    plane: bool = True  # lengths of the springs to the plane, and heights


CYLINDER = (Axial(O2(), third="mirror"), "1x1 + 1x0z + 2x0z + 1x0", "16x0 + 8x1 + 8x0z", "1x1 + 1x0z")
CASES = {
    "cylinder": Case(*CYLINDER),
    "no symmetry": Case(Trivial(3), "6x0", "40x0", "3x0"),
    "O(3)": Case(O3(), "1x1o + 1x0 + 1x1o + 1x0", "16x0 + 8x1o", "1x1o"),
    "cylinder, lengths unknown": Case(*CYLINDER, plane=False),
    "cylinder, pairs unknown": Case(*CYLINDER, pairs=False),
    "cylinder, both unknown": Case(*CYLINDER, pairs=False, plane=False),
}


class Acceleration(nn.Module):
    """Two convolutions on the complete graph, with kernels that depend on the spring between two balls."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        inputs, vector = FieldType(case.group, case.inputs), FieldType(case.group, case.vector)
        self.case, self.act = case, GatedNonlinearity(FieldType(case.group, case.hidden))
        family = Implicit(hidden=24, edge_type=FieldType(case.group, "1x0"), max_frequency=1)
        self.first = GaugeConv(inputs, self.act.in_type, kernel=family)
        self.second = GaugeConv(self.act.out_type, self.act.in_type, kernel=family)
        self.direct, self.read = EquivariantLinear(inputs, vector), EquivariantLinear(self.act.out_type, vector)

    def forward(self, pos: Tensor, vel: Tensor, balls: Balls) -> Tensor:
        spring = balls.spring[..., None] * self.case.pairs
        length = balls.length.reshape(-1, 1) * self.case.plane
        pos, vel = pos.reshape(-1, 3), vel.reshape(-1, 3)
        graph = complete_graphs(pos, self.case.group, radius=3.0, between=spring)
        place = pos if self.case.group == O3() else pos[:, 2:]  # vectors of O(3) have three components
        x = torch.cat([vel, length, place * self.case.plane, torch.ones_like(length)], 1)
        y = self.act(self.first(x, graph, edge_attr=graph.edge_attr))
        y = y + self.act(self.second(y, graph, edge_attr=graph.edge_attr))
        return (self.direct(x) + self.read(y)).reshape(balls.pos.shape)

    def error(self, balls: Balls, later: Balls) -> Tensor:
        return (leaps(lambda pos, vel: self(pos, vel, balls), balls, 5) - later.pos).square().mean()


def train(case: Case, balls: Balls, later: Balls, iterations: int, seed: int) -> Acceleration:
    torch.manual_seed(seed)
    network = Acceleration(case)
    optimizer = torch.optim.Adam(network.parameters(), 2e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for _ in range(iterations):
        batch = torch.randperm(len(balls.pos))[:50]
        optimizer.zero_grad(), network.error(balls[batch], later[batch]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0), optimizer.step(), schedule.step()
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--systems", [125, 500, 2000]), ("--seeds", [0])):
        parser.add_argument(name, type=int, nargs="+", default=default)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES), metavar="CASE")
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--out", default="nbody_springs.png")
    args = parser.parse_args()
    (training, later), (held_out, truth) = draw(max(args.systems), 0), draw(500, 1)
    straight = (held_out.pos + held_out.vel - truth.pos).square().mean()
    print(f"nothing moves {(held_out.pos - truth.pos).square().mean():.4f}, straight on {straight:.4f}")
    print(f"{'network':28} systems  mean      least     greatest  CPU s of one")
    figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
    axes.axhline(straight, color="grey", linestyle=":", label="straight on")
    for name in args.cases:
        means = []
        for count in args.systems:
            start, errors = time.process_time(), []
            for seed in args.seeds:
                network = train(CASES[name], training[:count], later[:count], args.iterations, seed)
                errors.append(network.error(held_out, truth).item())
            spent = (time.process_time() - start) / len(errors)
            means.append(sum(errors) / len(errors))
            print(f"{name:28}{count:8}  {means[-1]:.2e}  {min(errors):.2e}  {max(errors):.2e}{spent:7.0f}", flush=True)
        axes.semilogy([str(count) for count in args.systems], means, "o-", label=name)
    axes.set(xlabel="training systems", ylabel="mean squared error of positions")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(args.out, dpi=120)


if __name__ == "__main__":
    main()
