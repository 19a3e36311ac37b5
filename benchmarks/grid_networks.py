"""Training steps of networks on grids, compared with ordinary convolutions of the same channels and with escnn.

    python benchmarks/grid_networks.py [--rounds 3] [--networks SO2 O3]

One thread. Times are CPU seconds, medians over rounds; in each round two are measured one after the other. The images
are 16 x 28 x 28 pixels, halved after the second and the fourth layer, the volumes 2 x 16 x 16 x 16. escnn is measured
where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from grid_conv import cpu_seconds, in_turns, step
from torch import Tensor, nn

from gaugenet.groups import O2, O3, SO2, SO3, Cyclic, FieldType, StructureGroup
from gaugenet.nn import GridConv


@dataclass(frozen=True)
class Network:
    """The convolutions of a network, with windows of 5 pixels; 7 in the first layer on images.

    Attributes:
        irreps: the specs of the fields, each taken as often as `counts` says.
        space, names: the same in escnn: the constructor of the symmetry, and the irreps or the regular representation.
    """

    group: StructureGroup
    irreps: tuple[str, ...]
    counts: tuple[int, ...]
    space: tuple[str, dict[str, Any]]
    names: tuple[Any, ...]
    d: int = 2

    @property
    def types(self) -> list[FieldType]:
        specs = [" + ".join(f"{n}x{name}" for name in self.irreps) for n in self.counts]
        return [FieldType(self.group, spec) for spec in ("1x0", *specs)]

    def windows(self) -> list[int]:
        return [5 if k or self.d == 3 else 7 for k in range(len(self.counts))]

    def image(self, *, quick: bool = False) -> Tensor:
        return torch.randn(1 if quick else 16 if self.d == 2 else 2, 1, *[28 if self.d == 2 else 16] * self.d)

    def ours(self) -> nn.Module:
        return self._halved([GridConv(a, b, k) for (a, b), k in zip(pairwise(self.types), self.windows(), strict=True)])

    def ordinary(self) -> nn.Module:
        conv: Any = nn.Conv2d if self.d == 2 else nn.Conv3d
        sizes = zip(pairwise(self.types), self.windows(), strict=True)
        return self._halved([conv(a.size, b.size, k, padding=k // 2) for (a, b), k in sizes])

    def escnn(self) -> nn.Module:
        from escnn import gspaces
        from escnn import nn as enn

        name, options = self.space
        space = getattr(gspaces, name)(**options)
        found = [space.regular_repr if n == "regular" else space.irrep(*n) for n in self.names]
        types = [enn.FieldType(space, [space.trivial_repr])]
        types += [enn.FieldType(space, [rho for rho in found for _ in range(n)]) for n in self.counts]
        conv = enn.R2Conv if self.d == 2 else enn.R3Conv
        sizes = zip(pairwise(types), self.windows(), strict=True)
        layers = [conv(a, b, k, padding=k // 2) for (a, b), k in sizes]
        pools = [enn.PointwiseAvgPool(b, 2) for b in types[1:]] if self.d == 2 else []
        return _Plain(enn.SequentialModule(*self._with_pools(layers, pools)), types[0])

    def _halved(self, layers: list[nn.Module]) -> nn.Module:
        return nn.Sequential(*self._with_pools(layers, [nn.AvgPool2d(2) for _ in layers] if self.d == 2 else []))

    @staticmethod
    def _with_pools(layers: list[Any], pools: list[Any]) -> list[Any]:
        return [m for k, layer in enumerate(layers) for m in ([layer, pools[k]] if pools and k in (1, 3) else [layer])]


class _Plain(nn.Module):
    """A network of escnn on tensors."""

    def __init__(self, network: Any, in_type: Any) -> None:
        super().__init__()
        self.network, self.in_type = network, in_type

    def forward(self, x: Tensor) -> Tensor:
        from escnn import nn as enn

        return self.network(enn.GeometricTensor(x, self.in_type)).tensor


_FLAT, _SOLID = {"N": -1, "maximum_frequency": 4}, {"maximum_frequency": 2}
_REGULAR, _ORDERS = (24, 48, 48, 96, 96, 64), [(0,), (1,), (2,)]
_CHIRAL, _O3 = ("0", "1", "2"), ("0", "1o", "2e")
_MIRRORED, _PARITIES = [(0, 0), (1, 0), (1, 1), (1, 2)], [(0, 0), (1, 1), (0, 2)]
NETWORKS = {
    "C8": Network(Cyclic(8), ("regular",), _REGULAR, ("rot2dOnR2", {"N": 8}), ("regular",)),
    "SO2": Network(SO2(), _CHIRAL, (16, 32, 32, 48, 48, 48), ("rot2dOnR2", _FLAT), tuple(_ORDERS)),
    "SO2 narrow": Network(SO2(), _CHIRAL, (8, 16, 16, 16, 16), ("rot2dOnR2", _FLAT), tuple(_ORDERS)),
    "O2": Network(O2(), ("0", "0-", "1", "2"), (12, 24, 24, 32, 32), ("flipRot2dOnR2", _FLAT), tuple(_MIRRORED)),
    "SO3": Network(SO3(), _CHIRAL, (16, 16, 16), ("rot3dOnR3", _SOLID), tuple(_ORDERS), 3),
    "SO3 narrow": Network(SO3(), _CHIRAL, (8, 8, 8), ("rot3dOnR3", _SOLID), tuple(_ORDERS), 3),
    "O3": Network(O3(), _O3, (16, 16, 16), ("flipRot3dOnR3", _SOLID), tuple(_PARITIES), 3),
}
"""The first is the network for rotated MNIST of escnn's example; `narrow` ones have few fields in each layer."""


def times(name: str, rounds: int, *, quick: bool = False) -> dict[str, float]:
    """Return CPU seconds of a training step of gaugenet, conv and escnn, and the ratios of our time to theirs."""
    network = NETWORKS[name]
    x, ours = network.image(quick=quick), network.ours()
    peers: dict[str, Callable[[], nn.Module]] = {"conv": network.ordinary}
    if importlib.util.find_spec("escnn") is not None:
        peers["escnn"] = network.escnn
    found: dict[str, float] = {}
    for peer, make in peers.items():
        other = make()
        seconds, theirs, ratio = in_turns(lambda: step(ours, x), lambda other=other: step(other, x), rounds)
        found |= {"gaugenet": min(seconds, found.get("gaugenet", seconds)), peer: theirs, f"{peer} ratio": ratio}
    return found


def construction() -> None:
    """Print the time of the first and the second construction of a network."""
    cold = cpu_seconds(NETWORKS["C8"].ours)
    warm = statistics.median(cpu_seconds(NETWORKS["C8"].ours) for _ in range(3))
    print(f"construction of C8: {cold:.3f} s first, {warm:.3f} s again", flush=True)


def main() -> None:
    """Print the times of all networks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    construction()
    for name in options.networks:
        print(name, {key: round(value, 3) for key, value in times(name, options.rounds).items()}, flush=True)


if __name__ == "__main__":
    main()
