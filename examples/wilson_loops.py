"""Wilson loops from links: gauge-equivariant networks, compared with an ordinary convolutional network.

    python examples/wilson_loops.py [--loops 1x1 1x2 2x2 4x4] [--seconds 150] [--ordinary 60]

The setting is the one of :cite:`favoni2022lattice`: SU(2) on 8 x 8, ten couplings from 0.1 to 6, and Re tr W / 2 of an
r x t loop at every site. Loops are products of transported plaquettes, so a network of `LatticeBlock`s can be exact,
and is then exact on every larger lattice. It is trained by L-BFGS and Gauss-Newton steps. Loops larger than 2 x 2 are
learned block by block, each from the matrix of a loop of twice the area. The inputs of the ordinary network are the
entries of the links; it has more parameters and more configurations.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
import torch
from torch import Tensor, nn

from gaugenet.data import HeatBath
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU
from gaugenet.tasks.lattice.wilson_loops import LoopNetwork, fit_by_doubling, fit_exactly

GROUP = SU(2)
STEPS = {"1x1": [], "1x2": [1], "2x2": [1, 1]}
"""Steps of the convolution of each block, for the loops that are learned only from their traces."""


class OrdinaryNetwork(nn.Module):
    """An ordinary network: periodic convolutions of the real and imaginary parts of all links."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        sizes = [16, channels, channels, channels]
        layers = [
            layer
            for a, b in itertools.pairwise(sizes)
            for layer in (nn.Conv2d(a, b, 3, padding=1, padding_mode="circular"), nn.GELU())
        ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 3, padding=1, padding_mode="circular")).double()

    def forward(self, field: LatticeGaugeField) -> Tensor:
        parts = torch.view_as_real(field.links.resolve_conj()).permute(0, 1, 4, 5, 6, 2, 3)
        return self.layers(parts.flatten(1, 4))[:, 0]


def sample(each: int, shape: tuple[int, int], seed: int) -> LatticeGaugeField:
    """Return `each` configurations at each of ten couplings."""
    betas = np.repeat(np.linspace(0.1, 6, 10), each)
    sampler = HeatBath(GROUP, shape, betas, chains=len(betas), seed=seed)
    sampler.update(100)
    return sampler.field


def target(field: LatticeGaugeField, loop: str) -> Tensor:
    r, t = map(int, loop.split("x"))
    return field.wilson_loop(0, 1, r, t).real


def fit(loop: str, field: LatticeGaugeField, seconds: float) -> LoopNetwork:
    if loop in STEPS:
        return fit_exactly(GROUP, STEPS[loop], field, target(field, loop), seconds=seconds)
    r, t = map(int, loop.split("x"))
    return fit_by_doubling(field, r, t, seconds=seconds)


def error(network: nn.Module, field: LatticeGaugeField, loop: str) -> float:
    with torch.no_grad():
        return (network(field) - target(field, loop)).square().mean().item()


def train_ordinary(loop: str, field: LatticeGaugeField, seconds: float) -> OrdinaryNetwork:
    network, begin, y = OrdinaryNetwork(), time.process_time(), target(field, loop)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    while (used := (time.process_time() - begin) / seconds) < 1:
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - used) + 1e-5
        chosen = torch.randperm(field.batch_size)[:50]
        loss = (network(field.with_links(field.links[chosen])) - y[chosen]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", nargs="+", default=["1x1", "1x2", "2x2", "4x4"], help="r x t")
    parser.add_argument("--seconds", type=float, default=150.0, help="CPU time of each training")
    parser.add_argument("--ordinary", type=float, default=60.0, help="CPU time of training of the ordinary network")
    parser.add_argument("--configurations", type=int, default=2, help="of training, at each coupling")
    parser.add_argument("--each", type=int, default=100, help="configurations of the ordinary network at each coupling")
    arguments = parser.parse_args()
    train, test = sample(arguments.configurations, (8, 8), 0), sample(10, (8, 8), 1)
    many, large = sample(arguments.each, (8, 8), 3), sample(1, (32, 32), 2)
    results = {}
    for loop in arguments.loops:
        begin = time.process_time()
        network = fit(loop, train, arguments.seconds)
        used = time.process_time() - begin
        ordinary = train_ordinary(loop, many, arguments.ordinary)
        moved = test.gauge_transform(test.random_gauge())
        results[loop] = error(ordinary, test, loop), error(network, test, loop), error(network, large, loop)
        change = (network(moved) - network(test)).abs().max().item()
        counts = [sum(p.numel() for p in n.parameters()) for n in (network, ordinary)]
        print(
            f"{loop}: variance {target(test, loop).var().item():.3f}, error {results[loop][1]:.1e} with {counts[0]} "
            f"weights ({used:.0f} s), on 32 x 32 {results[loop][2]:.1e}, another gauge {change:.1e}; ordinary network "
            f"{results[loop][0]:.1e} with {counts[1]} weights",
            flush=True,
        )


if __name__ == "__main__":
    main()
