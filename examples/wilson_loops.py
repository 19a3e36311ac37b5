r"""Wilson loops from links: gauge-equivariant networks, compared with an ordinary convolutional network.

    python examples/wilson_loops.py [--loops 1x1 1x2 2x2 4x4] [--seconds 150] [--ordinary 80]
    python examples/wilson_loops.py --group SU3 --loops 1x2 2x2 --by-matrices --ordinary 0
    python examples/wilson_loops.py --group SU3 --lattice 4x4x4x4 --large 6x4x4x4 --loops 1x2 \
        --by-matrices --ordinary 0 --couplings 2 --configurations 1 --seconds 400

The setting of :cite:`favoni2022lattice`: SU(2) on 8 x 8, ten couplings from 0.1 to 6, and Re tr W / N of an r x t loop
at every site. Loops are products of transported plaquettes, so a network of `LatticeBlock`s can be exact, also on every
larger lattice. Loops larger than 2 x 2 are learned block by block, each from the matrix of a loop of twice the area.
The ordinary network sees the entries of the links. It has more parameters and configurations, a tenth for validation.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import time

import numpy as np
import torch
from torch import Tensor, nn

from gaugenet.data import HeatBath
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU
from gaugenet.tasks.lattice.wilson_loops import LoopNetwork, fit_by_doubling, fit_exactly

GROUPS = {"SU2": SU(2), "SU3": SU(3)}
STEPS = {"1x1": [], "1x2": [1], "2x2": [1, 1]}  # of the convolutions, for loops that are learned from traces alone


class OrdinaryNetwork(nn.Module):
    """An ordinary network in two dimensions: periodic convolutions of the real and imaginary parts of all links."""

    def __init__(self, inputs: int, channels: int = 24) -> None:
        super().__init__()
        sizes = itertools.pairwise([inputs, channels, channels, channels, 1])
        convs = [nn.Conv2d(a, b, 3, padding=1, padding_mode="circular") for a, b in sizes]
        self.layers = nn.Sequential(*(layer for conv in convs for layer in (nn.GELU(), conv)))[1:].double()

    def forward(self, field: LatticeGaugeField) -> Tensor:
        parts = torch.view_as_real(field.links.resolve_conj()).permute(0, 1, 4, 5, 6, 2, 3)
        return self.layers(parts.flatten(1, 4))[:, 0]


def sample(group: str, each: int, lattice: str, seed: int, couplings: int) -> LatticeGaugeField:
    betas = np.repeat(np.linspace(0.1, 6, couplings), each)
    sampler = HeatBath(GROUPS[group], tuple(map(int, lattice.split("x"))), betas, chains=len(betas), seed=seed)
    sampler.update(100)
    return sampler.field


def target(field: LatticeGaugeField, loop: str) -> Tensor:
    return field.wilson_loop(0, 1, *map(int, loop.split("x"))).real


def fit(loop: str, field: LatticeGaugeField, seconds: float, by_matrices: bool) -> LoopNetwork:
    if loop in STEPS and not by_matrices:
        return fit_exactly(field.group, STEPS[loop], field, target(field, loop), seconds=seconds)
    r, t = map(int, loop.split("x"))
    return fit_by_doubling(field, r, t, seconds=seconds)


@torch.no_grad()
def error(network: nn.Module, field: LatticeGaugeField, loop: str) -> float:
    return (network(field) - target(field, loop)).square().mean().item()


def train_ordinary(loop: str, field: LatticeGaugeField, seconds: float) -> OrdinaryNetwork:
    network, y = OrdinaryNetwork(2 * field.d * field.group.d**2), target(field, loop)
    begin, (held, rest) = time.process_time(), torch.randperm(len(y)).tensor_split([len(y) // 10])
    optimizer, best, lowest = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4), network, torch.inf
    while (used := (time.process_time() - begin) / seconds) < 1:
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - used) + 1e-5
        for chosen in rest[torch.randperm(len(rest))].split(50):
            loss = (network(field.with_links(field.links[chosen])) - y[chosen]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        now = error(network, field.with_links(field.links[held]), loop)
        best, lowest = (copy.deepcopy(network), now) if now < lowest else (best, lowest)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", nargs="+", default=["1x1", "1x2", "2x2", "4x4"], help="r x t")
    parser.add_argument("--group", choices=list(GROUPS), default="SU2")
    parser.add_argument("--lattice", default="8x8")
    parser.add_argument("--large", default="32x32", help="lattice of the last test")
    parser.add_argument("--couplings", type=int, default=10, help="number of couplings from 0.1 to 6")
    parser.add_argument("--by-matrices", action="store_true", help="learn all loops block by block")
    parser.add_argument("--seconds", type=float, default=150.0, help="CPU time of each training")
    parser.add_argument("--ordinary", type=float, default=80.0, help="the same for the ordinary network; 0: without it")
    parser.add_argument("--configurations", type=int, default=2, help="of training, at each coupling")
    parser.add_argument("--each", type=int, default=100, help="configurations of the ordinary network at each coupling")
    a = parser.parse_args()
    train, test = (sample(a.group, k, a.lattice, seed, a.couplings) for seed, k in enumerate((a.configurations, 10)))
    large = sample(a.group, 1, a.large, 2, a.couplings)
    moved = test.gauge_transform(test.random_gauge())
    for loop in a.loops:
        networks = {"gauge equivariant": lambda loop=loop: fit(loop, train, a.seconds, a.by_matrices)}
        if a.ordinary:
            many = sample(a.group, a.each, a.lattice, 3, a.couplings)
            networks["ordinary"] = lambda loop=loop, many=many: train_ordinary(loop, many, a.ordinary)
        for name, make in networks.items():
            begin, network = time.process_time(), make()
            used = time.process_time() - begin
            errors = [error(network, u, loop) for u in (test, large)]
            change = (network(moved) - network(test)).abs().max().item()
            print(
                f"{loop}: variance {target(test, loop).var().item():.3f}; {name}: error {errors[0]:.1e} with "
                f"{sum(p.numel() for p in network.parameters())} weights ({used:.0f} s), on {a.large} {errors[1]:.1e}, "
                f"another gauge {change:.1e}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
