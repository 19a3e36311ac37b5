"""Hyperbolic features on a sphere for classes that form a tree, compared with flat features of equal size.

    python examples/hyperbolic_features.py [--seeds 3] [--epochs 60]

A class is a leaf of a ternary tree of depth 3. Every edge has a pattern of bumps on the sphere, weaker at deeper
levels. A sample is the sum of the patterns from the root to its leaf, with a random rotation and noise. Both networks
are gauge equivariant (SO(2)-structure), so the rotation has no effect. In one network features are points of a
hyperboloid: Lorentz convolutions, batch normalization, logistic regression. In the other they are ordinary. The script
prints the accuracy, and the steps from a wrong class up to its first common ancestor with the true class.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from gaugenet import SO2, FieldType, GaugeConv, GaugeGraph
from gaugenet import nn as layers
from gaugenet.geometry import Icosphere, Sphere
from gaugenet.geometry.manifolds.euclidean import random_orthogonal

GROUP, DEPTH, FAN, BATCH, NOISE = SO2(), 3, 3, 108, 0.2
LOCATIONS = Icosphere(1).pos
SCALARS, HIDDEN, LAST = (FieldType(GROUP, spec) for spec in ("1x0", "3x0 + 2x1", "3x0"))


def samples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return values `(count, locations)` and the class of each sample; the patterns of the tree are fixed."""
    tree, generator = torch.Generator().manual_seed(7), torch.Generator().manual_seed(seed)
    bumps = [Sphere(2).random_points(FAN**level * 4, generator=tree).view(-1, 4, 3) for level in range(1, DEPTH + 1)]
    signs = [torch.randn(len(b), 4, generator=tree, dtype=torch.float64) for b in bumps]
    leaf = torch.randint(FAN**DEPTH, (count,), generator=generator)
    rotation = torch.stack([random_orthogonal(3, generator) for _ in range(count)])
    x = NOISE * torch.randn(count, len(LOCATIONS), generator=generator, dtype=torch.float64)
    for level in range(DEPTH):
        edge = leaf // FAN ** (DEPTH - 1 - level)
        near = torch.einsum("pd,nde,nbe->npb", LOCATIONS, rotation, bumps[level][edge])
        x += 0.7**level * torch.einsum("npb,nb->np", (4 * (near - 1)).exp(), signs[level][edge])
    return x.float(), leaf


class Network(nn.Module):
    """Convolutions on the sphere with hyperbolic or with ordinary features."""

    def __init__(self, *, hyperbolic: bool) -> None:
        super().__init__()
        self.last, self.gate = layers.LorentzType(LAST) if hyperbolic else None, layers.GatedNonlinearity(HIDDEN)
        a, wide, hidden, last = types = SCALARS, self.gate.in_type, HIDDEN, LAST
        conv, norm = GaugeConv, layers.FieldBatchNorm
        self.embed, self.head = nn.Identity(), nn.Linear(LAST.size, FAN**DEPTH)
        if hyperbolic:
            a, wide, hidden, last = map(layers.LorentzType, types)
            conv, norm, self.gate = layers.LorentzConv, layers.LorentzBatchNorm, layers.LorentzActivation(self.gate)
            self.embed, self.head = layers.LorentzEmbedding(a), layers.LorentzMLR(last, FAN**DEPTH)
        self.convs = nn.ModuleList([conv(a, wide), conv(hidden, wide), conv(hidden, last)])
        self.norms = nn.ModuleList([norm(wide), norm(wide)])

    def forward(self, x: Tensor, graph: GaugeGraph) -> Tensor:
        y = self.embed(x)
        for conv, norm in zip(self.convs[:2], self.norms, strict=True):
            y = self.gate(norm(conv(y, graph), graph))
        mean = self.convs[2](y, graph).unflatten(0, (-1, len(LOCATIONS))).mean(1)
        return self.head(mean if self.last is None else self.last.mean_to_point(mean))


def steps_apart(a: Tensor, b: Tensor) -> Tensor:
    """Return the steps from two leaves up to their first common ancestor."""
    return sum(((a // FAN**k) != (b // FAN**k)).double() for k in range(DEPTH))


def run(network: nn.Module, graph: GaugeGraph, epochs: int, count: int, seed: int) -> list[float]:
    """Train, and return the scores on new signals."""
    (x, leaf), (y, truth) = samples(count, seed), samples(540, 1000)
    batch, optimizer = Batch.from_data_list([graph] * BATCH), torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(epochs):
        for rows in torch.randperm(count).split(BATCH)[: count // BATCH]:
            loss = nn.functional.cross_entropy(network(x[rows].reshape(-1, 1), batch), leaf[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        answers = torch.cat([network(part.reshape(-1, 1), batch) for part in y.split(BATCH)]).argmax(1)
    wrong = answers != truth
    return [float((~wrong).double().mean()), float(steps_apart(answers, truth)[wrong].mean())]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("seeds", 3), ("epochs", 60), ("samples", 1080)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    graph = Sphere(2).gauge_graph(LOCATIONS, GROUP, radius=0.8)
    print("| features | weights | accuracy | steps to a common ancestor, where wrong |\n|---|---|---|---|")
    for name in ("hyperbolic", "flat"):
        found = []
        for seed in range(options.seeds):
            torch.manual_seed(seed)
            network = Network(hyperbolic=name == "hyperbolic")
            found.append(run(network, graph, options.epochs, options.samples, seed))
        (a, steps), (da, dsteps) = torch.tensor(found).mean(0), torch.tensor(found).std(0, correction=0)
        size = sum(p.numel() for p in network.parameters())
        print(f"| {name} | {size} | {a:.1%} ± {da:.1%} | {steps:.2f} ± {dsteps:.2f} |")


if __name__ == "__main__":
    main()
