"""Fields of moving charges at scattered events, for observers at rest and moving: a Clifford network and a plain one.

    python examples/event_observers.py                    2 minutes of CPU time; more with --seeds 0 1 2 --steps 2000
    python examples/event_observers.py --speed 0.3        charges that oscillate and drift at up to 0.3 c each

The field of charges in the plane is known at 24 of 32 events of space-time and predicted at the others. Networks are
trained with an observer at rest. Observers who move at 0.3 c and 0.6 c give other coordinates and other fields to the
same events. Neighbors are events whose interval is less than one, of either sign, so all observers find the same.
Errors are relative, in the coordinates of each observer, then in those at rest, then between both predictions.
"""

from __future__ import annotations

import math

import torch
from compare_networks import Make, compare, parser, train
from torch import Tensor, nn
from torch_geometric.nn import MLP

from gaugenet.data.physics.charges import MovingCharges
from gaugenet.geometry import GaugeGraph
from gaugenet.groups import CliffordAlgebra, FieldType, PseudoOrthogonal, Trivial
from gaugenet.models import CliffordResNet

GROUP, ALGEBRA, EVENTS, KNOWN = PseudoOrthogonal(2, 1), CliffordAlgebra(2, 1), 32, 24
KNOWN_FIELD, FIELD = FieldType(GROUP, "1x0 + 1xexterior(2)"), FieldType(GROUP, "1xexterior(2)")
Samples = tuple[Tensor, Tensor]
"""Events (samples, events, 3) in a box of side 1, and their Faraday bivectors, of size about one."""


def samples(count: int, speed: float, seed: int) -> Samples:
    generator, found = torch.Generator().manual_seed(seed), list[Samples]()
    while len(found) < count:
        charges = MovingCharges.random(3, spread=4, inner=3, speed=speed, planar=True, seed=seed + 1000 * len(found))
        events = torch.rand(4 * EVENTS, 3, generator=generator, dtype=torch.float64) - 0.5
        far = charges.distances(torch.cat([events[:, 2:], events[:, :2], 0 * events[:, 2:]], 1)).amin(1) > 0.5
        events = events[far][:EVENTS]
        found.append((events, charges.faraday(events, ALGEBRA)))
    events, fields = (torch.stack(parts) for parts in zip(*found, strict=True))
    return events, fields / 0.1


def graph(events: Tensor) -> GaugeGraph:
    """Return the events of each sample with their neighbors."""
    log_map = events[:, None] - events[:, :, None]  # (sample, target, source, 3)
    interval = ALGEBRA.norm_squared(ALGEBRA.vector(log_map)).abs()
    sample, target, source = ((interval < 1) & ~torch.eye(EVENTS, dtype=torch.bool)).nonzero().unbind(1)
    index = EVENTS * sample + torch.stack([source, target])
    points = events.shape[0] * EVENTS
    found = GaugeGraph(edge_index=index, pos=events.flatten(0, 1).float(), structure=Trivial(3).name)
    found.log_map, found.weight = log_map[sample, target, source].float(), 1 / index[1].bincount()[index[1]]
    found.transporter, found.frame = torch.eye(3).expand(len(sample), 3, 3), torch.eye(3).expand(points, 3, 3)
    found.mass, found.radius = torch.ones(points), torch.ones(len(events))
    found.batch = torch.arange(len(events)).repeat_interleave(EVENTS)
    return found


class Plain(nn.Module):
    """Messages from a perceptron of both features and the difference of the coordinates."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embed, self.read = nn.Linear(4, channels), nn.Linear(channels, 3)
        sizes = [2 * channels + 3, channels, channels]
        self.layers = nn.ModuleList(MLP(sizes, act="gelu", norm=None, plain_last=False) for _ in range(4))

    def forward(self, x: Tensor, domain: GaugeGraph) -> Tensor:
        x, (source, target) = self.embed(x), domain.edge_index
        for layer in self.layers:
            message = layer(torch.cat([x[source], x[target], domain.log_map], 1)) * domain.weight[:, None]
            x = x + torch.zeros_like(x).index_add(0, target, message)
        return self.read(x)


NETWORKS: dict[str, Make] = {
    "Clifford": lambda c: CliffordResNet(KNOWN_FIELD, FIELD, channels=c, blocks=2, rings=4),
    "plain": Plain,
}


def difference(network: nn.Module, events: Tensor, fields: Tensor) -> tuple[Tensor, Tensor]:
    """Return the error at the events whose field is not known, and the field there."""
    known = (torch.arange(EVENTS) < KNOWN).expand(len(events), -1)[..., None]
    x = torch.cat([known, known * fields], 2).float().flatten(0, 1)
    out = network(x, graph(events)).view(fields.shape)
    return (out - fields)[:, KNOWN:], fields[:, KNOWN:]


def run(network: nn.Module, seed: int, data: Samples, test: Samples, steps: int) -> dict[str, float]:
    generator, found = torch.Generator().manual_seed(seed), dict[str, float]()

    def loss(step: int) -> Tensor:
        which = torch.randint(len(data[0]), (8,), generator=generator)
        return difference(network, data[0][which], data[1][which])[0].square().mean()

    seconds, first = train(network, loss, steps, 1e-2 if isinstance(network, Plain) else 1e-1), None
    for speed in (0.0, 0.3, 0.6):
        g = GROUP.boost(math.atanh(speed), (0, 2))
        bivectors = GROUP.exterior(2)(g)
        with torch.no_grad():
            wrong, true = difference(network.eval(), test[0] @ g.T, test[1] @ bivectors.T)
        found[f"{speed} c"] = float(wrong.norm() / true.norm())
        back = wrong @ torch.linalg.inv(bivectors).T / test[1][:, KNOWN:].norm()
        first = back if first is None else first
        found |= {f"{speed} c, as at rest": float(back.norm()), f"{speed} c, difference": float((back - first).norm())}
    return found | {"s a step": seconds}


def main() -> None:
    options = parser(__doc__, samples=1000, steps=500, channels=4, out="event_observers")
    options.add_argument("--speed", type=float, default=0.0, help="bound of the drift and oscillation of charges")
    o = options.parse_args()
    o.out /= f"speed_{o.speed:g}"
    data, test = samples(o.samples, o.speed, 0), samples(100, o.speed, 10_000_000)
    compare(o, NETWORKS, lambda network, seed: run(network, seed, data, test, o.steps))


if __name__ == "__main__":
    main()
