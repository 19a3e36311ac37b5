"""The topological charge of U(1) lattice gauge fields: learned on 8 x 8, predicted on larger lattices.

    python examples/lattice_topology.py [--seconds 60] [--picture topology.png]

The charge is the sum of a density over all sites, and an integer on a periodic lattice. The inputs of the network are
the traces of plaquettes and of a `LatticeBlock`, which are invariant. It learns a density from the total charge only,
and predicts the charge of lattices that are sixteen times as large, after rounding. The inputs of the ordinary network
are the entries of the links; its output changes after a random gauge transformation.

The picture shows the same field in two gauges: links and features change, invariants do not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gaugenet import FieldType, GaugeConv
from gaugenet.data import HeatBath
from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import U1
from gaugenet.kernels import Shifts
from gaugenet.tasks.lattice.charge import ChargeDensity
from gaugenet.tasks.lattice.least_squares import lbfgs

GROUP = U1()


class OrdinaryDensity(nn.Module):
    """An ordinary network: periodic convolutions of the real and imaginary parts of all links."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers = [nn.Conv2d(a, width, 3, padding=1, padding_mode="circular") for a in (4, width)]
        self.layers = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), nn.Conv2d(width, 1, 1)).double()

    def forward(self, field: LatticeGaugeField) -> Tensor:
        parts = torch.view_as_real(field.links.resolve_conj()[..., 0, 0])  # (B, 2, *shape, 2)
        return self.layers(parts.movedim(-1, 2).flatten(1, 2))[:, 0]


def sample(count: int, extent: int, beta: float, seed: int) -> LatticeGaugeField:
    sampler = HeatBath(GROUP, (extent, extent), beta, chains=count, seed=seed)
    sampler.update(200)
    return sampler.field


def train(network: nn.Module, field: LatticeGaugeField, seconds: float) -> float:
    charges = field.topological_charge()

    def loss() -> Tensor:
        return (network(field).flatten(1).sum(1) - charges).square().mean()

    return lbfgs(loss, network, seconds=seconds, enough=1e-8)


def draw(path: Path, network: ChargeDensity, field: LatticeGaugeField) -> None:
    from matplotlib import pyplot as plt

    matter = FieldType(GROUP, "1xfundamental")
    conv = GaugeConv(matter, matter, kernel=Shifts(2), bias=False, dtype=torch.float64)
    x = torch.randn(1, 2, *field.shape, dtype=torch.float64)
    omega = field.random_gauge()
    phase = torch.view_as_real(omega[..., 0, 0] * torch.complex(x[:, 0], x[:, 1])).movedim(-1, 1)
    figure, axes = plt.subplots(2, 5, figsize=(15, 6.4), layout="constrained")
    for row, (one, psi) in enumerate([(field, x), (field.gauge_transform(omega), phase)]):
        y = conv(psi, one)[0]
        pictures = {
            "phase of the links U_0": (one.links[0, 0, ..., 0, 0].angle(), "twilight", np.pi),
            "phase of a transported feature": (torch.atan2(y[1], y[0]), "twilight", np.pi),
            "1 - Re P": (1 - one.plaquette(0, 1)[0, ..., 0, 0].real, "magma", None),
            "charge after gradient flow": (one.gradient_flow(0.5).topological_density()[0], "RdBu", 0.2),
            "learned density": (network(one)[0], "RdBu", 0.4),
        }
        for axis, (title, (values, colors, limit)) in zip(axes[row], pictures.items(), strict=True):
            low = None if limit is None else -limit
            shown = axis.imshow(values.detach().numpy(), cmap=colors, vmin=low, vmax=limit)
            axis.set(title=title if row == 0 else "", xticks=[], yticks=[])
            figure.colorbar(shown, ax=axis, shrink=0.7)
        axes[row, 0].set_ylabel(["a gauge", "another gauge"][row])
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU time of each training")
    parser.add_argument("--beta", type=float, default=5.0)
    parser.add_argument("--configurations", type=int, default=300, help="of training")
    parser.add_argument("--picture", type=Path, default=Path("topology.png"))
    arguments = parser.parse_args()
    torch.manual_seed(0)
    train_set = sample(arguments.configurations, 8, arguments.beta, seed=0)
    networks = {"gauge equivariant": ChargeDensity(GROUP), "ordinary": OrdinaryDensity()}
    for name, network in networks.items():
        loss = train(network, train_set, arguments.seconds)
        print(
            f"{name}: {sum(p.numel() for p in network.parameters())} weights, error of training {loss:.2e}", flush=True
        )
    for extent in (8, 16, 32):
        field = sample(200, extent, arguments.beta, seed=1)
        charges = field.topological_charge()
        moved = field.gauge_transform(field.random_gauge())
        for name, network in networks.items():
            with torch.no_grad():
                first, second = (network(f).flatten(1).sum(1) for f in (field, moved))
            right, change = (first.round() == charges.round()).double().mean(), (first - second).abs().max()
            print(
                f"{extent} x {extent}: {name}: {right:.1%} right, error {(first - charges).std():.3f} of charges with "
                f"deviation {charges.std():.2f}, change in another gauge {change:.1e}",
                flush=True,
            )
    draw(arguments.picture, networks["gauge equivariant"], sample(1, 16, arguments.beta, seed=2))


if __name__ == "__main__":
    main()
