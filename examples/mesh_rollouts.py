"""Roll-outs of heat, waves and separating phases on seven meshes, by networks of about 40,000 parameters.

    python examples/mesh_rollouts.py [--equations heat wave cahn_hilliard] [--seconds 50] [--seeds 3]

As in Park et al. 2023 (Hermes), finite elements make five trajectories of 200 steps on each mesh. Networks learn a step
on five meshes, for the same CPU time, and are rolled out from new starts, on these meshes and two others: harmonic and
differential kernels, kernels of one ring of edges (GEM-CNN), and a graph network of PyTorch Geometric.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import GraphSAGE, SAGEConv

from gaugenet.data.meshes.evolution import CahnHilliard, Heat, Wave, evolve
from gaugenet.datasets import bodies
from gaugenet.geometry import GaugeGraph, TriangleMesh
from gaugenet.groups import SO2, FieldType
from gaugenet.kernels import kernel_from_text
from gaugenet.nn import GatedNonlinearity, GaugeConv, SequentialModule

TRAINED, OTHERS = ("bear_0", "cat_0", "deer_0", "horse_0", "lizard_0"), ("man_0", "rabbit_0")
# The area is 1, edges are 0.03 long. Phases grow from noise, and errors with them: 15 snapshots are left out.
EQUATIONS = {"heat": (Heat(), 1e-4, 0), "wave": (Wave(), 0.01, 0), "cahn_hilliard": (CahnHilliard(0.04), 0.004, 15)}
WIDTHS = {"Harmonic(rings=2)": 16, "Differential(max_order=2)": 23, "one ring": 22, "graph": 99}  # of 40,000 weights


class Change(nn.Module):
    """The change in one step, in units of its size: a linear layer, plus four layers that start at zero."""

    def __init__(self, name: str, size: Tensor) -> None:
        super().__init__()
        self.size, self.on_edges, channels, width = size, name == "graph", len(size), WIDTHS[name]
        if self.on_edges:
            network = GraphSAGE(channels, width, num_layers=4, out_channels=channels, act="gelu")
            self.parts, last = nn.ModuleList([SAGEConv(channels, channels), network]), network.convs[-1]
        else:
            options = {"kernel": kernel_from_text("Harmonic(rings=1)" if name == "one ring" else name)}
            scalars = FieldType(SO2(), f"{channels}x0")
            act = GatedNonlinearity(FieldType(SO2(), "1x0 + 1x1 + 1x2") * width)
            middle = [layer for _ in range(2) for layer in (GaugeConv(act.out_type, act.in_type, **options), act)]
            last = GaugeConv(act.out_type, scalars, **options)
            network = SequentialModule(GaugeConv(scalars, act.in_type, **options), act, *middle, last)
            self.parts = nn.ModuleList([GaugeConv(scalars, scalars, **options), network])
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, graph: GaugeGraph) -> Tensor:
        x, domain = x / self.size, graph.edge_index if self.on_edges else graph
        return sum(part(x, domain) for part in self.parts)


def learn(model: nn.Module, scale: Tensor, data: list[tuple[GaugeGraph, Tensor]], seconds: float, seed: int) -> None:
    """Learn the change in one step, in units of `scale`, with noise on the state."""
    optimizer, start, part = torch.optim.Adam(model.parameters()), time.process_time(), 0.0
    random = np.random.default_rng(seed)
    while part < 1:
        part = min(1.0, (time.process_time() - start) / seconds)
        optimizer.param_groups[0]["lr"] = 5e-3 * (0.5 + 0.5 * np.cos(np.pi * part))
        graph, states = data[random.integers(len(data))]
        run, t = random.integers(len(states)), random.integers(states.shape[1] - 1)
        state, after = states[run, t], states[run, t + 1]
        noise = 0.2 * scale * torch.randn_like(state)  # the network removes its own errors
        optimizer.zero_grad()
        (model(state + noise, graph) - (after - state - noise) / scale).square().mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


@torch.no_grad()
def errors_of(model: nn.Module, scale: Tensor, graph: GaugeGraph, truth: Tensor, times: list[int]) -> np.ndarray:
    """Return the relative L2 errors of u at some times, of a roll-out (at most 10, if it diverged) and of its start."""
    states = [truth[0]]
    for _ in range(max(times)):
        states.append(states[-1] + scale * model(states[-1], graph))
    parts = [torch.stack([states[t] - truth[t], truth[0] - truth[t], truth[t]])[..., 0] for t in times]
    sizes = (graph.mass * torch.stack(parts, 1).square()).sum(-1).sqrt()
    return (sizes[:2] / sizes[2]).nan_to_num(10.0, 10.0).clamp(max=10.0).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--equations", nargs="+", choices=list(EQUATIONS), default=list(EQUATIONS))
    parser.add_argument("--networks", nargs="+", choices=list(WIDTHS), default=list(WIDTHS))
    parser.add_argument("--seconds", type=float, default=50, help="CPU seconds of each training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--times", type=int, nargs="+", default=[20, 50, 200], help="steps of the errors")
    args = parser.parse_args()
    meshes = {name: TriangleMesh.load(bodies() / "test" / f"{name}.ply") for name in TRAINED + OTHERS}
    print("| equation | network | parameters | steps | new starts, % | others, % | unchanged |\n" + "|---" * 7 + "|")
    for equation in args.equations:
        (kind, step, first), truth = EQUATIONS[equation], {}
        for name, mesh in meshes.items():
            runs = [evolve(mesh, kind, seed=k, step=step, steps=first + max(args.times), substeps=4) for k in range(6)]
            truth[name] = torch.from_numpy(np.stack(runs))[:, first:].float()
        states = [truth[name][:5].flatten(0, 2) for name in TRAINED]
        changes = [truth[name][:5].diff(dim=1).flatten(0, 2) for name in TRAINED]
        size, change = (torch.cat(part).square().mean(0).sqrt() for part in (states, changes))
        for name in args.networks:
            edges = {"neighborhood": "one_ring"} if name in ("one ring", "graph") else {"mean_neighbors": 20}
            graphs, errors = {key: mesh.gauge_graph(SO2(), **edges) for key, mesh in meshes.items()}, []
            for seed in range(args.seeds):
                torch.manual_seed(seed)
                model = Change(name, size)
                learn(model, change, [(graphs[key], truth[key][:5]) for key in TRAINED], args.seconds, seed)
                ends = {key: errors_of(model, change, graphs[key], truth[key][5], args.times) for key in meshes}
                errors.append([np.median([ends[key][0] for key in part], 0) for part in (TRAINED, OTHERS)])
            still, count = np.median([e[1] for e in ends.values()], 0), sum(p.numel() for p in model.parameters())
            for k, after in enumerate(args.times):
                new, other = (" ".join(f"{100 * e[k]:.1f}" for e in column) for column in zip(*errors, strict=True))
                print(f"| {equation} | {name} | {count:,} | {after} | {new} | {other} | {still[k]:.1%} |", flush=True)


if __name__ == "__main__":
    main()
