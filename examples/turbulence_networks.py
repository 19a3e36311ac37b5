"""Forecasts of turbulence, 4 frames -> 1: complete and published Clifford kernels, irreps of O(2), a plain ResNet.

    python examples/turbulence_networks.py           10 minutes of CPU time; [--networks complete ...] [--seeds 0 1 2]

Networks have about equal size and see the same samples. Each kind has the best of two to six learning rates. The table
has the mean squared error of the next frame in units of the variance of its change, on test flows as they are, rotated
by 90 degrees, mirrored, and rotated by 30 degrees (in the middle, next to the error there without the rotation), and
the relative error of roll-outs. Results are kept in `results.json`: a run that was stopped goes on.
"""

from __future__ import annotations

import math

import torch
from compare_networks import Make, compare, parser, train
from torch import Tensor, nn

from gaugenet.data import NavierStokes
from gaugenet.geometry import FieldAction, Grid
from gaugenet.groups import O2, FieldType
from gaugenet.kernels import Harmonic
from gaugenet.models import CliffordResNet, PlainResNet
from gaugenet.nn import EquivariantLinear, GaugeConv, ResidualBlock, SequentialModule

PAST, FUTURE = FieldType(O2(), "4x0 + 4x1"), FieldType(O2(), "1x0 + 1x1")
GRID, RINGS, STAGES = Grid((32, 32), 2 * math.pi / 32, "periodic"), 3, (1, 5, 10, 20)
SOLVER = NavierStokes(GRID, viscosity=8e-3)


def flows(count: int, seed: int) -> Tensor:
    """Return trajectories (flows, 24 frames, smoke and velocity, rows, columns)."""
    parts = []
    for n in range(0, count, 32):
        start = SOLVER.random(min(32, count - n), waves=3, seed=seed + n)
        parts.append(torch.stack([s.fields for s in SOLVER.run(start, frames=28, every=0.25)][4:], 1).float())
    return torch.cat(parts)


def irreps(channels: int) -> nn.Module:
    hidden, kernel = FieldType(O2(), dict.fromkeys(("0", "0-", "1", "2"), channels)), Harmonic(RINGS)
    blocks = [ResidualBlock(hidden, kernel=kernel) for _ in range(4)]
    return SequentialModule(GaugeConv(PAST, hidden, kernel=kernel), *blocks, EquivariantLinear(hidden, FUTURE))


def clifford(complete: bool, blocks: int = 2) -> Make:
    return lambda c: CliffordResNet(PAST, FUTURE, channels=c, blocks=blocks, rings=RINGS, complete=complete)


NETWORKS: dict[str, Make] = {
    "complete": clifford(True),
    "published span": clifford(False),
    "complete, 1 block": clifford(True, 1),
    "published span, 1 block": clifford(False, 1),
    "irreps of O(2)": irreps,
    "ResNet": lambda c: PlainResNet(PAST.size, FUTURE.size, channels=c, blocks=2, boundary="periodic"),
}
RATES: dict[type[nn.Module], float] = {CliffordResNet: 0.1, SequentialModule: 0.1, PlainResNet: 0.03}


class Forecast(nn.Module):
    """The next frame from four: the last one and a change, in units of the training data."""

    def __init__(self, net: nn.Module, data: Tensor) -> None:
        super().__init__()
        self.net, self.domain = net, () if isinstance(net, PlainResNet) else (GRID,)
        stds = [(v[:, :, 0].std(), *[v[:, :, 1:].std()] * 2) for v in (data, data.diff(dim=1))]
        self.scale, self.change = (torch.stack(std)[:, None, None] for std in stds)
        self.mean = torch.tensor([1.0, 0, 0])[:, None, None]

    def forward(self, frames: Tensor) -> Tensor:
        x = ((frames - self.mean) / self.scale).transpose(1, 2).flatten(1, 2)  # smoke, u, v of four frames
        out: Tensor = frames[:, -1] + self.change * self.net(x, *self.domain)
        return out


@torch.no_grad()
def scores(model: Forecast, test: Tensor) -> dict[str, float]:
    near, c, s = GRID.pos.norm(dim=1).view(GRID.shape) < 1.0, math.cos(math.pi / 6), math.sin(math.pi / 6)
    whole, g = torch.ones_like(near), torch.tensor([[c, -s], [s, c]])

    def error(data: Tensor, where: Tensor = whole) -> float:
        x = data.unfold(1, 5, 4).movedim(-1, 2).flatten(0, 1)
        wrong = torch.cat([model(part[:, :4]) - part[:, 4] for part in x.split(64)])
        return float((wrong / model.change).square()[..., where].mean())

    rotated = FUTURE.transform(g, SOLVER.space.moved(test, g).flatten(0, 1).float()).view(test.shape)
    turns = torch.tensor([[0.0, -1], [1, 0]]), torch.diag(torch.tensor([-1.0, 1]))
    quarter, mirrored = (FieldAction(FUTURE)(h, test.flatten(0, 1)).view(test.shape) for h in turns)
    found = {"as it is": error(test), "90°": error(quarter), "mirrored": error(mirrored)}
    found |= {"middle": error(test, near), "middle, 30°": error(rotated, near)}
    frames = test[:, :4]
    for n in range(4, 4 + STAGES[-1]):
        frames = torch.cat([frames[:, 1:], model(frames)[:, None]], 1)
        if n - 3 in STAGES:
            found[f"step {n - 3}"] = float((frames[:, -1] - test[:, n]).norm() / (test[:, n] - model.mean).norm())
    return found


def run(network: nn.Module, seed: int, data: Tensor, test: Tensor, steps: int) -> dict[str, float]:
    model, generator = Forecast(network, data), torch.Generator().manual_seed(seed)

    def loss(step: int) -> Tensor:
        which = torch.randint(len(data), (8, 1), generator=generator)
        x = data[which, torch.randint(data.shape[1] - 4, (8, 1), generator=generator) + torch.arange(5)]
        return ((model(x[:, :4]) - x[:, 4]) / model.change).square().mean()

    seconds = train(model, loss, steps, RATES[type(network)])
    return scores(model.eval(), test) | {"s a step": seconds}


def main() -> None:
    o = parser(__doc__, samples=64, steps=600, channels=7, out="turbulence_networks").parse_args()
    data, test = flows(o.samples, 10), flows(16, 10_000_000)
    compare(o, NETWORKS, lambda network, seed: run(network, seed, data, test, o.steps))


if __name__ == "__main__":
    main()
