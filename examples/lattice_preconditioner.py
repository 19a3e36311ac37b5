r"""A learned preconditioner of the Wilson-Dirac operator, for U(1) in two dimensions or SU(3) in four.

    python examples/lattice_preconditioner.py [--seconds 150] [--mass 0.2] [--layers 6] [--levels 3]
    python examples/lattice_preconditioner.py --group SU3 --mass -0.5 \
        --lattices 4x4x4x4 8x4x4x4 --levels 1 --layers 4 --channels 2 --configurations 2

GMRES solves D psi = b, with more iterations for smaller masses. A linear network of `GaugeConv`s learns M with M D = 1
from random vectors on a few configurations, as in :cite:`lehner2023gauge`. It then preconditions D on test
configurations, on larger lattices, and after a random gauge transformation. The control is the same network with all
links equal to 1: it is not equivariant, and does not reduce the number of iterations.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import torch
from torch import Tensor

from gaugenet.data import HeatBath
from gaugenet.geometry import LatticeGaugeField
from gaugenet.geometry.lattice.dirac import wilson_dirac
from gaugenet.groups import SU, U1
from gaugenet.tasks.lattice.gmres import gmres
from gaugenet.tasks.lattice.preconditioner import Preconditioner

POWER = 6
"""Steps of training for which the error of one step is the vector of the next."""
COUPLINGS = {"U1": (U1(), 3.0), "SU3": (SU(3), 6.0)}


def configurations(group: str, count: int, lattice: str, seed: int) -> LatticeGaugeField:
    h, beta = COUPLINGS[group]
    sampler = HeatBath(h, tuple(map(int, lattice.split("x"))), beta, chains=count, seed=seed, overrelaxation=3)
    sampler.update(100)
    return LatticeGaugeField(sampler.links, h, antiperiodic=[0])


def noise(field: LatticeGaugeField, generator: torch.Generator) -> Tensor:
    shape = field.batch_size, 4 if field.d == 4 else 2, *field.shape, field.group.d
    return torch.randn(shape, dtype=torch.complex128, generator=generator)


def train(network: Preconditioner, field: LatticeGaugeField, mass: float, seconds: float) -> None:
    """Minimise |(1 - M D) psi|^2, for noise and for the errors (1 - M D)^k psi, where slow modes dominate."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    begin, step, size = time.process_time(), 0, field.num_nodes * (4 if field.d == 4 else 2) * field.group.d
    while (used := (time.process_time() - begin) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * min(1.0, 2 * (1 - used)) ** 2 + 1e-5
        if step % POWER == 0:
            psi = noise(field, generator)
        psi = psi / psi.flatten(1).norm(dim=1).view(-1, *[1] * (psi.dim() - 1)) * size**0.5
        error = network(wilson_dirac(field, psi, mass), field) - psi
        loss = error.abs().square().mean() / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % (20 * POWER) < 2:
            print(f"step {step:5d}  loss {loss.item():.5f}  {used:4.0%}", flush=True)
        psi, step = error.detach(), step + 1
    print(f"{step} steps, {sum(p.numel() for p in network.parameters()) // 2} complex weights", flush=True)


def report(name: str, field: LatticeGaugeField, preconditions: dict, mass: float) -> None:
    """Print the iterations of GMRES for each configuration and preconditioner."""
    b = noise(field, torch.Generator().manual_seed(7))
    for label, apply in preconditions.items():
        counts = []
        for k in range(field.batch_size):
            one = field.with_links(field.links[k : k + 1])
            solution = gmres(
                partial(wilson_dirac, one, mass=mass), b[k : k + 1], precondition=partial(apply, field=one)
            )
            counts.append(solution.iterations)
        print(f"{name:28s} {label:24s} {min(counts)}-{max(counts)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=150.0, help="CPU time of training")
    parser.add_argument("--mass", type=float, default=0.2, help="of the fermions, in units of the inverse spacing")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--levels", type=int, default=3, help="lattices, each with half the extents of the one before")
    parser.add_argument("--channels", type=int, default=8, help="spinor fields of the hidden layers")
    parser.add_argument("--configurations", type=int, default=4)
    parser.add_argument("--group", choices=list(COUPLINGS), default="U1")
    parser.add_argument("--lattices", nargs="+", default=["16x16", "32x32", "64x64"], help="trained on the first")
    arguments = parser.parse_args()
    torch.manual_seed(0)

    field = configurations(arguments.group, arguments.configurations, arguments.lattices[0], seed=1)
    size = {"layers": arguments.layers, "channels": arguments.channels, "levels": arguments.levels}
    network = Preconditioner(field.group, d=field.d, spins=4 if field.d == 4 else 2, **size)
    train(network, field, arguments.mass, arguments.seconds)

    def without_links(psi: Tensor, field: LatticeGaugeField) -> Tensor:
        return network(psi, field.with_links(torch.ones_like(field.links)))

    preconditions = {"no preconditioner": lambda psi, field: psi, "learned": network}
    preconditions["learned, links one"] = without_links
    for seed, lattice in enumerate(arguments.lattices, 100):
        field = configurations(arguments.group, 4, lattice, seed)
        report(lattice, field, preconditions, arguments.mass)
        if lattice == arguments.lattices[0]:
            omega = field.random_gauge(generator=torch.Generator().manual_seed(9))
            transformed = field.gauge_transform(omega)
            psi = noise(field, torch.Generator().manual_seed(7))
            rotated = (omega[:, None] @ psi[..., None])[..., 0]
            difference = network(rotated, transformed) - (omega[:, None] @ network(psi, field)[..., None])[..., 0]
            print(f"gauge error of the network    {(difference.abs().max() / psi.abs().max()).item():.1e}")
            report("another gauge", transformed, preconditions, arguments.mass)


if __name__ == "__main__":
    main()
