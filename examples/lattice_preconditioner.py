"""A learned preconditioner of the Wilson-Dirac operator: U(1) gauge fields in two dimensions.

    python examples/lattice_preconditioner.py [--seconds 150] [--mass 0.2] [--layers 6] [--channels 8]

GMRES solves D psi = b; the smaller the mass, the more iterations it takes. A linear network of `GaugeConv`s
learns M with M D = 1 from random vectors on a few configurations of 16 x 16 (after :cite:`lehner2023gauge`). It then
preconditions D on configurations that it has not seen, also on larger lattices, and after a random gauge
transformation. The control is the same network on links that are all one: it is not equivariant, and does not help.
"""

from __future__ import annotations

import argparse
import itertools
import time

import torch
from torch import Tensor, nn

from gaugenet import FieldType, GaugeConv
from gaugenet.data import HeatBath
from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.dirac import wilson_dirac
from gaugenet.groups import U1, complex_fields, real_fields
from gaugenet.kernels import Shifts

GROUP, BETA, TOLERANCE = U1(), 3.0, 1e-4


class Preconditioner(nn.Module):
    """Linear layers between spinor fields: complex weights, since these are the intertwiners of charge one."""

    def __init__(self, layers: int, channels: int) -> None:
        super().__init__()
        spinor, hidden = FieldType(GROUP, "2x1"), FieldType(GROUP, {1: 2 * channels})
        types = [spinor, *[hidden] * (layers - 1), spinor]
        kernel = Shifts(2)
        self.layers = nn.ModuleList(
            GaugeConv(a, b, kernel=kernel, bias=False, dtype=torch.float64) for a, b in itertools.pairwise(types)
        )

    def forward(self, psi: Tensor, field: LatticeGaugeField) -> Tensor:
        x = real_fields(psi, 1)
        for layer in self.layers:
            x = layer(x, field)
        return complex_fields(x, (1,))

    def count(self) -> int:
        return sum(p.numel() for p in self.parameters()) // 2


def configurations(count: int, extent: int, seed: int) -> LatticeGaugeField:
    sampler = HeatBath(GROUP, (extent, extent), BETA, chains=count, seed=seed, overrelaxation=3)
    sampler.update(100)
    links = sampler.links
    return LatticeGaugeField(links, GROUP, antiperiodic=[0])


def part(field: LatticeGaugeField, k: int) -> LatticeGaugeField:
    return field.with_links(field.links[k : k + 1])


def noise(field: LatticeGaugeField, generator: torch.Generator) -> Tensor:
    shape = (field.batch_size, 2, *field.shape, 1)
    return torch.randn(shape, dtype=torch.complex128, generator=generator)


@torch.no_grad()
def iterations(field: LatticeGaugeField, b: Tensor, precondition, mass: float, most: int = 400) -> int:
    """Steps of right-preconditioned GMRES until the residual is below the tolerance, without restarts."""
    basis, columns = [b.flatten() / b.norm()], []
    for step in range(1, most + 1):
        w = wilson_dirac(field, precondition(basis[-1].view_as(b), field), mass).flatten()
        stacked = torch.stack(basis)
        h = stacked.conj() @ w
        w = w - h @ stacked
        again = stacked.conj() @ w  # orthogonal to rounding
        w, h = w - again @ stacked, h + again
        columns.append(torch.cat([h, w.norm()[None].to(h)]))
        matrix = torch.zeros(step + 1, step, dtype=b.dtype)
        for k, column in enumerate(columns):
            matrix[: k + 2, k] = column
        target = torch.zeros(step + 1, 1, dtype=b.dtype)
        target[0] = 1
        y = torch.linalg.lstsq(matrix, target).solution
        if (matrix @ y - target).norm() < TOLERANCE:
            return step
        basis.append(w / w.norm())
    return most


def train(network: Preconditioner, field: LatticeGaugeField, mass: float, seconds: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    begin, step = time.process_time(), 0
    while (used := (time.process_time() - begin) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * min(1.0, 2 * (1 - used)) ** 2 + 1e-5
        psi = noise(field, generator)
        loss = (network(wilson_dirac(field, psi, mass), field) - psi).abs().square().mean() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 200 == 1:
            print(f"step {step:5d}  loss {loss.item():.5f}", flush=True)
    print(f"step {step:5d}  loss {loss.item():.5f}  {network.count()} complex weights", flush=True)


def report(name: str, field: LatticeGaugeField, preconditions: dict, mass: float) -> None:
    generator = torch.Generator().manual_seed(7)
    b = noise(field, generator)
    for label, precondition in preconditions.items():
        counts = [iterations(part(field, k), b[k : k + 1], precondition, mass) for k in range(field.batch_size)]
        print(f"{name:28s} {label:24s} {min(counts)}-{max(counts)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=150.0, help="CPU time of training")
    parser.add_argument("--mass", type=float, default=0.2, help="of the fermions, in units of the inverse spacing")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--channels", type=int, default=8, help="spinor fields of the hidden layers")
    parser.add_argument("--configurations", type=int, default=4)
    parser.add_argument("--extents", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)

    network = Preconditioner(arguments.layers, arguments.channels)
    train(
        network, configurations(arguments.configurations, 16, seed=1), arguments.mass, arguments.seconds, arguments.seed
    )

    def without_links(psi: Tensor, field: LatticeGaugeField) -> Tensor:
        return network(psi, field.with_links(torch.ones_like(field.links)))

    preconditions = {
        "no preconditioner": lambda psi, field: psi,
        "learned": network,
        "learned, links one": without_links,
    }
    for extent in arguments.extents:
        field = configurations(4, extent, seed=100 + extent)
        report(f"{extent} x {extent}", field, preconditions, arguments.mass)
        if extent == arguments.extents[0]:
            omega = field.random_gauge(generator=torch.Generator().manual_seed(9))
            transformed = field.gauge_transform(omega)
            generator = torch.Generator().manual_seed(7)
            psi = noise(field, generator)
            rotated = (omega[:, None] @ psi[..., None])[..., 0]
            difference = network(rotated, transformed) - (omega[:, None] @ network(psi, field)[..., None])[..., 0]
            print(f"gauge error of the network    {(difference.abs().max() / psi.abs().max()).item():.1e}")
            report("another gauge", transformed, preconditions, arguments.mass)


if __name__ == "__main__":
    main()
