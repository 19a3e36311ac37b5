"""Electromagnetic fields of the next time step, for observers at rest and moving: one layer, fitted at rest.

    python examples/boosted_observers.py                  three observers, with and without noise: two minutes
    python examples/boosted_observers.py --noise 0.05 --out DIR

Maxwell's equations are linear, so one convolution over four past frames can forecast the Faraday bivector. Layers are
fitted by least squares to fields of charges that an observer at rest sees, and tested on other charges, at rest and
from observers that move at 0.3 c and 0.6 c. Their fields are exact. The free convolution has one weight for each
entry of the window; the strength of its regularization is the one with the least error at rest on the test set, which
favors it. Frames of moving observers have higher frequencies, which the pixels resolve less.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from gaugenet.data.physics.charges import faraday_fields, random_charges
from gaugenet.files import write_text
from gaugenet.geometry import Grid
from gaugenet.groups import PseudoOrthogonal, multivector
from gaugenet.kernels import Clifford
from gaugenet.nn import GaugeConv

GROUP, SPEEDS = PseudoOrthogonal(2, 1), (0.0, 0.3, 0.6)
PAST, WINDOW, SPACING = 4, 9, 0.2
BIVECTORS = multivector(GROUP, grades=(2,))


def fields(samples: int, size: int, seed: int) -> dict[float, Tensor]:
    """Return the Faraday bivectors that each observer sees, `(samples, 3, times, rows, columns)`."""
    grid = Grid((PAST + 1, size, size), SPACING, kernel_size=3, signature=(2, 1))
    boosts = {speed: GROUP.boost(math.atanh(speed), (0, 2)) for speed in SPEEDS}
    charges = random_charges(samples, grid, clearance=4 * SPACING, boosts=list(boosts.values()), seed=seed)
    return {speed: faraday_fields(charges, grid, boost=boost) for speed, boost in boosts.items()}


def patches(x: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """Return windows in the past `(points, 3 * times * rows * columns)` and the fields that follow, `(points, 3)`."""
    half, generator = WINDOW // 2, torch.Generator().manual_seed(0)
    past = x[:, :, :PAST] + noise * x.std() * torch.randn(x[:, :, :PAST].shape, generator=generator, dtype=x.dtype)
    windows = past.unfold(3, WINDOW, 1).unfold(4, WINDOW, 1).permute(0, 3, 4, 1, 2, 5, 6)
    after = x[:, :, PAST, half:-half, half:-half].permute(0, 2, 3, 1)
    return windows.flatten(3).flatten(0, 2), after.flatten(0, 2)


def kernels(rings: int, complete: bool) -> Tensor:
    """Return the part in the past of the kernel of each weight, `(3 * times * rows * columns, 3, weights)`."""
    shape = (2 * PAST + 1, WINDOW, WINDOW)
    grid = Grid(shape, SPACING, kernel_size=shape, radius=1.01 * PAST * SPACING, signature=(2, 1))
    layer = GaugeConv(BIVECTORS, BIVECTORS, kernel=Clifford(rings, complete), bias=False).double()
    impulse = torch.zeros(3, 3, *shape, dtype=torch.float64)
    impulse[range(3), range(3), PAST, WINDOW // 2, WINDOW // 2] = 1
    found = []
    with torch.no_grad():
        for row in torch.eye(sum(p.numel() for p in layer.parameters()), dtype=torch.float64):
            vector_to_parameters(row, layer.parameters())
            found.append(layer(impulse, grid).flip(2, 3, 4)[:, :, :PAST])  # the response is the mirrored kernel
    return torch.stack(found, -1).permute(0, 2, 3, 4, 1, 5).flatten(0, 3)


def fitted(basis: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the kernel with the weights of least squared error."""
    columns = torch.einsum("pk,kow->pow", x, basis).flatten(0, 1)
    scale = torch.linalg.vector_norm(columns, dim=0).clamp(min=1e-300)  # some have no pixel
    found = torch.linalg.lstsq(columns / scale, y.flatten()[:, None], driver="gelsd", rcond=1e-12).solution[:, 0]
    return basis @ (found / scale)


def ridge(x: Tensor, y: Tensor, strength: float) -> Tensor:
    square = x.T @ x
    more = strength * square.diagonal().mean() * torch.eye(len(square), dtype=x.dtype)
    return torch.linalg.solve(square + more, x.T @ y)


def experiment(noise: float, data: dict[float, Tensor], rings: int) -> list[str]:
    """Return the rows of the table."""
    half = len(data[0.0]) // 2
    x, y = patches(data[0.0][:half], noise)
    test = {speed: patches(d[half:], noise) for speed, d in data.items()}

    def errors(kernel: Tensor) -> list[float]:
        return [float((a @ kernel - b).norm() / b.norm()) for a, b in test.values()]

    found, middle = {}, WINDOW * WINDOW // 2
    last = [a.unflatten(1, (3, PAST, -1))[:, :, -1, middle] for a, _ in test.values()]
    still = [float((a - b).norm() / b.norm()) for a, (_, b) in zip(last, test.values(), strict=True)]
    found["the last frame", 0] = still
    for name, complete in (("complete", True), ("published span", False)):
        basis = kernels(rings, complete)
        found[name, basis.shape[2]] = errors(fitted(basis, x, y))
    found["free", 3 * x.shape[1]] = min(errors(ridge(x, y, 10.0**-k)) for k in range(1, 15))
    return [
        f"| {100 * noise:g} % | {name} | {weights} | " + " | ".join(f"{e:.2g} ({e / row[0]:.2f})" for e in row) + " |"
        for (name, weights), row in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=24, help="half of them to fit, half to test")
    parser.add_argument("--size", type=int, default=17, help="rows and columns")
    parser.add_argument("--rings", type=int, default=16, help="radial functions")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.005], help="relative to the fields")
    parser.add_argument("--out", type=Path, default=Path("boosted_observers"))
    o = parser.parse_args()
    data = fields(o.samples, o.size, 0)
    lines = ["| noise | kernels | weights | at rest | 0.3 c | 0.6 c |", "|---|---|---|---|---|---|"]
    lines += [line for noise in o.noise for line in experiment(noise, data, o.rings)]
    write_text(o.out / "table.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
