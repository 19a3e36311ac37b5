"""Compare the halves of intervals: horocyclic frames in the half-plane, compared with a flat plane.

    python examples/hyperbolic_horocycles.py [--seeds 3] [--steps 120]

A dyadic interval of centre x and length y is the point (x, y) of the half-plane, so the hierarchy of intervals is a
tree in it. The inputs are the noisy means of a function on the intervals. The output is, for every interval, the half
with the larger mean. Left and right are different, so frames matter. Horocyclic frames are mapped to each other by x ->
a x + b, so a network with this {e}-structure gives the same output after shifts and scalings. The other network, of
equal size and with the same mean number of neighbours, treats (x, y) as a flat plane. The control is a rotation of the
half-plane: it rotates the frames, and the output changes.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from gaugenet import FieldType, GaugeConv, GaugeGraph
from gaugenet.data.trees import dyadic_intervals
from gaugenet.geometry import Euclidean, GStructure, Hyperbolic
from gaugenet.groups import Trivial

PLANE, NOISE, SIGNALS, RADIUS = Hyperbolic(2), 0.7, 16, 1.7
HORO = GStructure(Trivial(2), PLANE.frame_at, "trivial")
FLAT = GStructure(Trivial(2), Euclidean(2).frame_at, "trivial")


def draw(depth: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return noisy means on all intervals `(count * nodes, 1)`, and whether the right half is larger."""
    means = [torch.zeros(count, 1)]
    for _ in range(depth):
        detail = torch.randn(means[-1].shape, generator=generator)
        means.append(torch.stack([means[-1] - detail, means[-1] + detail], -1).flatten(1))
    right = [(m[:, 1::2] > m[:, ::2]).float() for m in means[1:]]
    seen = torch.cat(means, 1)
    seen = seen + NOISE * torch.randn(seen.shape, generator=generator)
    return seen.reshape(-1, 1), torch.cat(right, 1)


def locations(depth: int) -> dict[str, Tensor]:
    """Return the intervals of training, the same shifted and eight times as long, and rotated by 90 degrees."""
    here = dyadic_intervals(depth)
    middle = PLANE.affine(0.5, 0.5)
    rotation = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    rotated = middle(PLANE.rotate(rotation, PLANE.affine(2.0, -1.0)(here)))
    return {"as trained": here, "8 x + 3": PLANE.affine(8.0, 3.0)(here), "turned": rotated}


class Network(nn.Module):
    """Three convolutions of scalars."""

    def __init__(self) -> None:
        super().__init__()
        a, b = (FieldType(Trivial(2), f"{n}x0") for n in (1, 8))
        self.convs = nn.ModuleList([GaugeConv(a, b), GaugeConv(b, b), GaugeConv(b, a)])

    def forward(self, x: Tensor, graph: GaugeGraph) -> Tensor:
        return self.convs[2](self.convs[1](self.convs[0](x, graph).relu(), graph).relu(), graph)


def train(graph: GaugeGraph, depth: int, steps: int, seed: int) -> Network:
    """Return a trained network."""
    torch.manual_seed(seed)
    network, generator = Network(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    batch = Batch.from_data_list([graph] * SIGNALS)
    for _ in range(steps):
        x, right = draw(depth, SIGNALS, generator)
        answers = network(x, batch).view(SIGNALS, -1)[:, : 2**depth - 1]
        loss = nn.functional.binary_cross_entropy_with_logits(answers, right)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def accuracy(network: Network, graph: GaugeGraph, depth: int) -> float:
    """Return the accuracy on new signals."""
    with torch.no_grad():
        x, right = draw(depth, 64, torch.Generator().manual_seed(1000))
        answers = network(x, Batch.from_data_list([graph] * 64)).view(64, -1)[:, : 2**depth - 1]
    return float(((answers > 0) == (right > 0.5)).double().mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("seeds", 3), ("steps", 120), ("depth", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    where = locations(options.depth)
    print(f"| network | weights | {' | '.join(where)} |\n|---|---|{'---|' * len(where)}")
    half_plane = {name: PLANE.gauge_graph(p, radius=RADIUS, structure=HORO) for name, p in where.items()}
    points, edges = where["as trained"], half_plane["as trained"].edge_index.shape[1]
    radius = float(torch.cdist(points, points).flatten().sort().values[len(points) + edges - 1]) + 1e-9
    flat = {name: Euclidean(2).gauge_graph(p, radius=radius, structure=FLAT) for name, p in where.items()}
    for kind, graphs in (("horocycles", half_plane), ("flat plane", flat)):
        networks = [train(graphs["as trained"], options.depth, options.steps, s) for s in range(options.seeds)]
        found = torch.tensor([[accuracy(n, g, options.depth) for g in graphs.values()] for n in networks])
        cells = [f"{m:.1%} ± {s:.1%}" for m, s in zip(found.mean(0), found.std(0, correction=0), strict=True)]
        print(f"| {kind} | {sum(p.numel() for p in networks[0].parameters())} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
