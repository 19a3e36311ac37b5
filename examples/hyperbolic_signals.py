"""Denoise a signal on a tree in the hyperbolic plane, compared with the tree drawn in the flat plane.

    python examples/hyperbolic_signals.py [--seeds 3] [--steps 120]

Every node has the value of its parent plus a random step. Noise is added, and a network with SO(2)-structure removes
it. In the hyperbolic plane all edges have the same length, and close nodes are related. In the flat drawing (radius is
depth, leaves at equal angles) unrelated nodes are close. The number of weights, training and the mean number of
neighbours are the same. The posterior mean of the Gaussian model, which uses the tree, has the least possible error.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from gaugenet import SO2, FieldType, GaugeConv, GaugeGraph
from gaugenet.data.trees import regular_tree
from gaugenet.geometry import Euclidean, Hyperbolic
from gaugenet.nn import GatedNonlinearity

GROUP, NOISE, SIGNALS = SO2(), 1.5, 16


def graphs(depth: int) -> tuple[dict[str, GaugeGraph], Tensor]:
    """Return graphs: neighbours within two edges in the hyperbolic plane, the same mean number in the flat plane."""
    tree = regular_tree(depth)
    flat, hyperbolic = tree.drawing, Hyperbolic(2).gauge_graph(tree.points, GROUP, radius=2.85)
    nearest = torch.cdist(flat, flat).flatten().sort().values
    radius = float(nearest[len(flat) + hyperbolic.edge_index.shape[1] - 1]) + 1e-9
    drawn = Euclidean(2).gauge_graph(flat, GROUP, radius=radius)
    return {"hyperbolic plane": hyperbolic, "flat drawing": drawn}, tree.ancestors()


class Denoiser(nn.Module):
    """Convolutions of scalars and vectors with gates."""

    def __init__(self) -> None:
        super().__init__()
        scalar, self.gate = FieldType(GROUP, "1x0"), GatedNonlinearity(FieldType(GROUP, "8x0 + 4x1"))
        self.lift, self.read = GaugeConv(scalar, self.gate.in_type), GaugeConv(self.gate.out_type, scalar)
        self.conv = GaugeConv(self.gate.out_type, self.gate.in_type)

    def forward(self, x: Tensor, graph: GaugeGraph) -> Tensor:
        return x + self.read(self.gate(self.conv(self.gate(self.lift(x, graph)), graph)), graph)


def draw(ancestors: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return signals and noisy signals, `(count * nodes, 1)`."""
    steps, noise = torch.randn(2, count, len(ancestors), generator=generator, dtype=torch.float64)
    clean = steps @ ancestors.T
    return (clean + NOISE * noise).reshape(-1, 1).float(), clean.reshape(-1, 1).float()


def error(network: Denoiser, graph: GaugeGraph, ancestors: Tensor) -> float:
    """Return the mean squared error on new signals."""
    with torch.no_grad():
        x, clean = draw(ancestors, 64, torch.Generator().manual_seed(1000))
        return float((network(x, Batch.from_data_list([graph] * 64)) - clean).square().mean())


def best_error(ancestors: Tensor) -> float:
    """Return the mean variance of the posterior of the Gaussian model."""
    covariance = ancestors @ ancestors.T
    gain = torch.linalg.solve(covariance + NOISE**2 * torch.eye(len(covariance)), covariance)
    return float((covariance - covariance @ gain).trace() / len(covariance))


def train(graph: GaugeGraph, ancestors: Tensor, steps: int, seed: int) -> Denoiser:
    """Return a trained network."""
    torch.manual_seed(seed)
    network, generator = Denoiser(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    batch = Batch.from_data_list([graph] * SIGNALS)
    for _ in range(steps):
        x, clean = draw(ancestors, SIGNALS, generator)
        loss = (network(x, batch) - clean).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("seeds", 3), ("steps", 120), ("depth", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    (spaces, ancestors), (deeper, more) = graphs(options.depth), graphs(options.depth + 1)
    print("| network | weights | error, as trained | error, one level deeper |\n|---|---|---|---|")
    for name, graph in spaces.items():
        networks = [train(graph, ancestors, options.steps, seed) for seed in range(options.seeds)]
        found = torch.tensor([[error(n, graph, ancestors), error(n, deeper[name], more)] for n in networks])
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(found.mean(0), found.std(0, correction=0), strict=True)]
        print(f"| {name} | {sum(p.numel() for p in networks[0].parameters())} | {' | '.join(cells)} |")
    print(f"| posterior mean, knows the tree | | {best_error(ancestors):.3f} | {best_error(more):.3f} |")
    print(f"| nothing removed | | {NOISE**2:.3f} | {NOISE**2:.3f} |")


if __name__ == "__main__":
    main()
