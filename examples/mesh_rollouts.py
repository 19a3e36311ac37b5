"""Roll-outs of heat, waves and separating phases on seven meshes, by networks of about 40,000 parameters.

    python examples/mesh_rollouts.py [--equations heat wave cahn_hilliard] [--seconds 60] [--seeds 3]

As in Park et al. 2023 (Hermes), finite elements make five trajectories of 200 steps on each mesh. Networks learn one
step on five meshes, each for the same CPU time. They are rolled out from new starts, on these meshes and on two others:
harmonic and differential kernels, kernels of one ring of edges (GEM-CNN), and a graph network of PyTorch Geometric.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.nn import GraphSAGE

from gaugenet.data.meshes.evolution import CahnHilliard, Heat, Wave, evolve
from gaugenet.datasets import bodies
from gaugenet.geometry import GaugeGraph, TriangleMesh
from gaugenet.groups import SO2, FieldType
from gaugenet.kernels import kernel_from_text
from gaugenet.nn import GatedNonlinearity, GaugeConv, SequentialModule

TRAINED = ("bear_0", "cat_0", "deer_0", "horse_0", "lizard_0")
OTHERS = ("man_0", "rabbit_0")
# The area of every mesh is 1, the edges are 0.03 long.
EQUATIONS = {"heat": (Heat(), 1e-4), "wave": (Wave(), 0.01), "cahn_hilliard": (CahnHilliard(0.04), 0.004)}
WIDTHS = {"Harmonic(rings=2)": 16, "Differential(max_order=2)": 23, "one ring": 22, "graph": 99}
"""Kernels, and the width at which a network has about 40,000 parameters."""


class GraphNetwork(GraphSAGE):
    """Graph convolutions of scalars along the edges."""

    def forward(self, x: Tensor, graph: GaugeGraph) -> Tensor:
        return super().forward(x, graph.edge_index)


def network(name: str, channels: int) -> nn.Module:
    """Return four layers of one kind, from scalars to scalars."""
    if name == "graph":
        return GraphNetwork(channels, WIDTHS[name], num_layers=4, out_channels=channels, act="gelu")
    options = {"kernel": kernel_from_text("Harmonic(rings=1)" if name == "one ring" else name)}
    scalars = FieldType(SO2(), f"{channels}x0")
    act = GatedNonlinearity(FieldType(SO2(), "1x0 + 1x1 + 1x2") * WIDTHS[name])
    middle = [layer for _ in range(2) for layer in (GaugeConv(act.out_type, act.in_type, **options), act)]
    first, last = GaugeConv(scalars, act.in_type, **options), GaugeConv(act.out_type, scalars, **options)
    return SequentialModule(first, act, *middle, last)


def graph_of(name: str, mesh: TriangleMesh) -> GaugeGraph:
    """Return the edges for one ring and for the graph network, otherwise 20 neighbours."""
    edges = {"neighborhood": "one_ring"} if name in ("one ring", "graph") else {"mean_neighbors": 20}
    return mesh.gauge_graph(SO2(), **edges)


def learn(model: nn.Module, scale: Tensor, data: list[tuple[GaugeGraph, Tensor]], seconds: float, seed: int) -> None:
    """Learn the change in one step, in units of `scale`, with noise on the state; four snapshots of a mesh a batch."""
    optimizer, start, part = torch.optim.Adam(model.parameters()), time.process_time(), 0.0
    random, batches = np.random.default_rng(seed), [Batch.from_data_list([graph] * 4) for graph, _ in data]
    while part < 1:
        part = min(1.0, (time.process_time() - start) / seconds)
        optimizer.param_groups[0]["lr"] = 3e-3 * (0.5 + 0.5 * np.cos(np.pi * part))
        k = random.integers(len(data))
        states = data[k][1]
        run, t = random.integers(len(states), size=4), random.integers(states.shape[1] - 1, size=4)
        noise = 0.5 * scale * torch.randn_like(states[run, t])  # the network removes its own errors
        wanted = ((states[run, t + 1] - states[run, t] - noise) / scale).flatten(0, 1)
        optimizer.zero_grad()
        (model((states[run, t] + noise).flatten(0, 1), batches[k]) - wanted).square().mean().backward()
        optimizer.step()


@torch.no_grad()
def final_error(model: nn.Module, scale: Tensor, graph: GaugeGraph, truth: Tensor) -> float:
    """Return the relative L2 error of u at the end of a roll-out; 10 if it diverged."""
    x = truth[0]
    for _ in range(len(truth) - 1):
        x = x + scale * model(x, graph)
    square = (graph.mass * (x - truth[-1])[:, 0] ** 2).sum() / (graph.mass * truth[-1][:, 0] ** 2).sum()
    return float(square.sqrt().nan_to_num(10.0, 10.0).clamp(max=10.0))


def main() -> None:
    """Make the data, learn, roll out, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--equations", nargs="+", choices=list(EQUATIONS), default=list(EQUATIONS))
    parser.add_argument("--seconds", type=float, default=60, help="CPU seconds of each training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    meshes = {name: TriangleMesh.load(bodies() / "test" / f"{name}.ply") for name in TRAINED + OTHERS}
    print("| equation | network | parameters | new starts, % | other meshes, % |\n|---|---|---|---|---|")
    for equation in args.equations:
        (kind, step), truth = EQUATIONS[equation], {}
        for name, mesh in meshes.items():
            runs = [evolve(mesh, kind, seed=k, step=step, steps=args.steps, substeps=4) for k in range(6)]
            truth[name] = torch.from_numpy(np.stack(runs)).float()
        change = torch.cat([truth[name][:5].diff(dim=1).flatten(0, 2) for name in TRAINED]).square().mean(0).sqrt()
        for name in WIDTHS:
            graphs, errors = {key: graph_of(name, mesh) for key, mesh in meshes.items()}, []
            for seed in range(args.seeds):
                torch.manual_seed(seed)
                model = network(name, len(change))
                learn(model, change, [(graphs[key], truth[key][:5]) for key in TRAINED], args.seconds, seed)
                ends = {key: final_error(model, change, graphs[key], truth[key][5]) for key in meshes}
                errors.append([np.median([ends[key] for key in part]) for part in (TRAINED, OTHERS)])
            new, other = (" ".join(f"{100 * e:.1f}" for e in column) for column in zip(*errors, strict=True))
            count = sum(p.numel() for p in model.parameters())
            print(f"| {equation} | {name} | {count:,} | {new} | {other} |", flush=True)


if __name__ == "__main__":
    main()
