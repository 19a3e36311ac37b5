"""The experiment of `surface_pde.py` with networks of 40,000 parameters in place of one layer of operators.

    python examples/surface_pde_networks.py [--networks harmonic graph] [--seeds 3] [--seconds 60]

Two networks learn u_t from the same snapshots, each for the same CPU time: convolutions with harmonic kernels on the
same neighbourhoods, and graph convolutions of PyTorch Geometric along the edges of the meshes. They are rolled out on
the same surfaces.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

import numpy as np
import torch
from surface_pde import FIELDS, SCALAR, STEP, TEST_SEEDS, Snapshots, features, snapshots, states, surface_of
from torch import Tensor, nn
from torch_geometric.nn import GraphConv

from gaugenet.data.meshes.reaction_diffusion import Surface, heun, relative_error
from gaugenet.groups import SO2, FieldType
from gaugenet.nn import GatedNonlinearity, GaugeConv, SequentialModule


class HarmonicNetwork(nn.Module):
    """Four convolutions with harmonic kernels of two rings, and gates between them."""

    def __init__(self) -> None:
        super().__init__()
        act = GatedNonlinearity(FieldType(SO2(), "16x0 + 16x1 + 16x2"))
        middle = [layer for _ in range(2) for layer in (GaugeConv(act.out_type, act.in_type), act)]
        last = GaugeConv(act.out_type, SCALAR)
        self.layers = SequentialModule(GaugeConv(FIELDS, act.in_type), act, *middle, last)

    def forward(self, x: Tensor, surface: Surface) -> Tensor:
        return self.layers(x, surface.graph)


class GraphNetwork(nn.Module):
    """Four graph convolutions of u, u^2 and of u v in the axes of space, along the edges of the mesh."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(GraphConv(a, b, aggr="mean") for a, b in pairwise((5, 99, 99, 99, 1)))

    def forward(self, x: Tensor, surface: Surface) -> Tensor:
        face = surface.graph.face
        edges = torch.cat([face[[0, 1]], face[[1, 2]], face[[2, 0]]], 1)
        x = torch.cat([x[:, :2], torch.einsum("nda,na->nd", surface.graph.frame.to(x), x[:, 2:])], 1)
        for k, layer in enumerate(self.layers):
            x = layer(x if k == 0 else nn.functional.gelu(x), edges)
        return x


NETWORKS = {"harmonic": HarmonicNetwork, "graph": GraphNetwork}


def learn(model: nn.Module, data: Snapshots, scale: float, seconds: float, seed: int) -> None:
    """Fit u_t in units of `scale` by Adam, for some CPU seconds."""
    adam, start, part = torch.optim.Adam(model.parameters()), time.process_time(), 0.0
    random = np.random.default_rng(seed)
    while part < 1:
        part = min(1.0, (time.process_time() - start) / seconds)
        adam.param_groups[0]["lr"] = 3e-3 * (0.5 + 0.5 * np.cos(np.pi * part))
        surface, u, slope = data[random.integers(len(data))]
        loss = (model(features(surface, u).float(), surface) - slope / scale).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()


@torch.no_grad()
def rolled_out(model: nn.Module, surface: Surface, u: Tensor, scale: float, steps: int) -> Tensor:
    """Return the state after some steps with the learned right-hand side."""
    return heun(lambda x: scale * model(features(surface, x).float(), surface), u, step=STEP, steps=steps)


def main() -> None:
    """Learn, roll out and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--level", type=int, default=4, help="of the icospheres that the meshes come from")
    parser.add_argument("--radius", type=float, default=0.2, help="of the neighbourhoods, the same on every surface")
    parser.add_argument("--seeds", type=int, default=1, help="number of trainings, on other surfaces each")
    parser.add_argument("--seconds", type=float, default=60, help="CPU seconds of each training")
    parser.add_argument("--rollout", type=int, default=200)
    args = parser.parse_args()
    surfaces = [surface_of(args.level, seed, args.radius) for seed in TEST_SEEDS]
    truths = [states(surface, seed, args.rollout).float() for surface, seed in zip(surfaces, TEST_SEEDS, strict=True)]
    for surface in surfaces:
        surface.graph = surface.graph.astype(torch.float32)
    for run in range(args.seeds):
        data = snapshots(args.level, args.radius, run, args.rollout)
        for surface in {id(s): s for s, _, _ in data}.values():
            surface.graph = surface.graph.astype(torch.float32)
        data = [(surface, u.float(), slope.float()) for surface, u, slope in data]
        scale = float(torch.stack([slope.square().mean() for _, _, slope in data]).mean().sqrt())
        for name in args.networks:
            torch.manual_seed(run)
            model = NETWORKS[name]()
            learn(model, data, scale, args.seconds, run)
            ends = [rolled_out(model, s, u[0], scale, args.rollout) for s, u in zip(surfaces, truths, strict=True)]
            errors = [relative_error(s, x, u[-1]) for s, x, u in zip(surfaces, ends, truths, strict=True)]
            count = sum(p.numel() for p in model.parameters())
            shown = f"relative error after {args.rollout} steps {100 * np.mean(errors):.2f} %"
            print(f"{name}, {count:,} parameters: {shown}", flush=True)


if __name__ == "__main__":
    main()
