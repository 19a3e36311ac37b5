"""Wilson loops from links: networks of gauge-equivariant layers against an ordinary convolutional network.

    python examples/wilson_loops.py [--loops 1x1 1x2 2x2 4x4] [--seconds 150] [--ordinary 60]

Setting of :cite:`favoni2022lattice`: SU(2) on 8 x 8, ten couplings from 0.1 to 6, the value of Re tr W / 2 of an
r x t loop at every site. Loops are products of plaquettes that are transported to one site, so a network of
`LatticeBlock`s can be exact, and is then exact on every larger lattice. It is trained by L-BFGS and finished by
Gauss-Newton steps. The ordinary network sees the entries of the links, and has more parameters and more
configurations.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vmap

from gaugenet import FieldType
from gaugenet.data import HeatBath
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU
from gaugenet.nn import LatticeBlock, LoopFeatures, TraceReadout

GROUP = SU(2)
STEPS = {"1x1": [], "1x2": [1], "2x2": [1, 1], "2x4": [1, 1, 2], "4x4": [1, 1, 2, 2]}
"""Steps of the convolution of each block: every block doubles the area of a loop."""


class LoopNetwork(nn.Module):
    """Loops, then blocks that double their area."""

    def __init__(self, steps: list[int]) -> None:
        super().__init__()
        self.loops = LoopFeatures(GROUP, 2)
        one = FieldType(GROUP, "1xmatrix")
        self.blocks = nn.ModuleList(LatticeBlock(one, one, d=2, steps=k) for k in steps)
        self.traces = TraceReadout(one)
        self.linear = nn.Linear(2, 1)
        self.steps = steps
        self.double()

    def forward(self, field: LatticeGaugeField) -> Tensor:
        x = self.loops(field)
        for block, steps in zip(self.blocks, self.steps):
            x = block(x, field.with_paths(steps=steps))
        return self.linear(self.traces(x).movedim(1, -1))[..., 0]


class OrdinaryNetwork(nn.Module):
    """Periodic convolutions of the real and imaginary parts of all links."""

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
    """`each` configurations at each of ten couplings."""
    betas = np.repeat(np.linspace(0.1, 6, 10), each)
    sampler = HeatBath(GROUP, shape, betas, chains=len(betas), seed=seed)
    sampler.update(100)
    return sampler.field


def target(field: LatticeGaugeField, loop: str) -> Tensor:
    r, t = map(int, loop.split("x"))
    return field.wilson_loop(0, 1, r, t).real


def error(network: nn.Module, field: LatticeGaugeField, loop: str) -> float:
    with torch.no_grad():
        return (network(field) - target(field, loop)).square().mean().item()


def descend(network: nn.Module, field: LatticeGaugeField, y: Tensor, seconds: float, enough: float) -> float:
    """L-BFGS until the loss is `enough` or the CPU time is over."""
    options = {"max_iter": 20, "history_size": 50, "line_search_fn": "strong_wolfe", "tolerance_grad": 0.0}
    optimizer = torch.optim.LBFGS(network.parameters(), tolerance_change=0.0, **options)
    begin, loss = time.process_time(), float("inf")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = (network(field) - y).square().mean()
        value.backward()
        return value

    while loss > enough and time.process_time() - begin < seconds:
        loss = optimizer.step(closure).item()
        if not np.isfinite(loss):
            break
    return loss


def finish(network: nn.Module, field: LatticeGaugeField, y: Tensor, steps: int = 8) -> float:
    """Damped Gauss-Newton steps: near an exact solution the error is squared by each."""
    names, sizes = zip(*((name, p.shape) for name, p in network.named_parameters()))
    vector = nn.utils.parameters_to_vector(network.parameters()).detach()

    def residuals(v: Tensor) -> Tensor:
        parts = v.split([size.numel() for size in sizes])
        values = {name: part.view(size) for name, part, size in zip(names, parts, sizes)}
        return (functional_call(network, values, (field,)) - y).flatten()

    basis, r, damping = torch.eye(len(vector), dtype=vector.dtype), residuals(vector).detach(), 1e-10
    for _ in range(steps):
        jacobian = vmap(lambda e, v=vector: jvp(residuals, (v,), (e,))[1], chunk_size=16)(basis).detach()
        left, values, right = torch.linalg.svd(jacobian, full_matrices=False)
        filtered = values / (values.square() + damping * values[0].square())
        candidate = vector - left @ (filtered * (right @ r))
        new = residuals(candidate).detach()
        if new.square().mean() < r.square().mean():
            vector, r, damping = candidate, new, max(damping / 10, 1e-16)
        else:
            damping *= 100
    nn.utils.vector_to_parameters(vector, network.parameters())
    return r.square().mean().item()


def train_loops(loop: str, field: LatticeGaugeField, seconds: float, seed: int) -> LoopNetwork:
    """The best of several starts: L-BFGS finds an exact solution from some of them."""
    best, lowest, begin = None, float("inf"), time.process_time()
    y = target(field, loop)
    for start in range(20):
        left = seconds - (time.process_time() - begin)
        if left <= 0 or lowest < 1e-13:
            break
        torch.manual_seed(100 * seed + start)
        network = LoopNetwork(STEPS[loop])
        loss = descend(network, field, y, min(left, seconds / 4), 1e-9 if STEPS[loop] else 1e-20)
        if STEPS[loop] and loss < 1e-4:
            loss = finish(network, field, y)
        if loss < lowest:
            best, lowest = network, loss
    return best


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


def draw(results: dict[str, tuple[float, float, float]], path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    place = np.arange(len(results))
    for k, (label, color) in enumerate(
        [("ordinary", "#c44e52"), ("gauge, 8 x 8", "#4c72b0"), ("gauge, 32 x 32", "#8fb0d8")]
    ):
        axes.bar(
            place + 0.27 * (k - 1),
            [max(values[k], 1e-32) for values in results.values()],
            0.25,
            label=label,
            color=color,
        )
    axes.set(
        yscale="log",
        xticks=place,
        xticklabels=list(results),
        xlabel="Wilson loop",
        ylabel="mean squared error per site",
    )
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", nargs="+", default=["1x1", "1x2", "2x2", "4x4"], choices=list(STEPS))
    parser.add_argument("--seconds", type=float, default=150.0, help="CPU time of each training")
    parser.add_argument("--ordinary", type=float, default=60.0, help="CPU time of training of the ordinary network")
    parser.add_argument("--configurations", type=int, default=2, help="of training, at each coupling")
    parser.add_argument("--each", type=int, default=100, help="configurations of the ordinary network at each coupling")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="wilson_loops.png")
    arguments = parser.parse_args()
    train, test = sample(arguments.configurations, (8, 8), 0), sample(10, (8, 8), 1)
    many, large = sample(arguments.each, (8, 8), 3), sample(1, (32, 32), 2)
    results = {}
    for loop in arguments.loops:
        begin = time.process_time()
        network = train_loops(loop, train, arguments.seconds, arguments.seed)
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
    draw(results, arguments.out)


if __name__ == "__main__":
    main()
