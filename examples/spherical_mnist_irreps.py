"""Spherical MNIST with irreps of SO(2) on the gauge graph of an icosphere: trained upright, right under any rotation.

    python examples/spherical_mnist_irreps.py --data DIR                                 12,000 upright digits, 6 epochs
    python examples/spherical_mnist_irreps.py --data DIR --digits 60000 10000 --epochs 3           88 CPU minutes
    python examples/spherical_mnist_irreps.py --data DIR --train R                       rotated digits

Kernels on charts of an icosphere commute with rotations by 60 degrees about each vertex, and with no finer ones.
Irreps of SO(2) with the Levi-Civita transport have no preferred direction: only the choice of the points breaks the
symmetry under rotations of the sphere. Data and protocol are those of `spherical_mnist.py`.
"""

from __future__ import annotations

import argparse
import itertools
import logging
from pathlib import Path

import torch
from spherical_mnist import PUBLISHED
from torch import Tensor, nn
from torch_geometric.data import Batch

from gaugenet.data import DataError, SphericalDigits, read_mnist
from gaugenet.geometry import GaugeGraph, Icosphere
from gaugenet.groups import SO2, FieldType
from gaugenet.kernels import KernelFamily, kernel_from_text
from gaugenet.nn import EquivariantLinear, GaugeConv, GlobalPool, InvariantReadout, Pool, ResidualBlock
from gaugenet.tasks import ImageOptions, TaskError, error_rate, fit_images, predict_images

KERNEL = "Harmonic(GaussianRings([0.3, 0.6], 0.2))"
"""Kernels that nearly vanish at the radius, so it hardly matters which points are just inside it."""


class SphereNetwork(nn.Module):
    """A convolution on the finest level, residual blocks on the coarser ones, the mean of invariants, logits."""

    def __init__(
        self, sphere: Icosphere, kernel: KernelFamily, width: int, growth: float, neighbors: float, blocks: list[int]
    ) -> None:
        super().__init__()
        self.sphere, self.levels = sphere, len(blocks) + 1
        options = {"mean_neighbors": neighbors, "levels": self.levels, "dtype": torch.float32}
        self.graph = sphere.gauge_graph(SO2(), connection="levi_civita", **options)
        self.batches: dict[int, GaugeGraph] = {}
        scalar, irreps = FieldType(SO2(), "1x0"), FieldType(SO2(), "1x0 + 1x1 + 1x2")
        types = [irreps * round(width * growth**level) for level in range(self.levels)]
        self.first = GaugeConv(scalar, types[0], kernel=kernel)
        self.pools = nn.ModuleList([Pool(t) for t in types[:-1]])
        self.widen = nn.ModuleList([EquivariantLinear(a, b) for a, b in itertools.pairwise(types)])
        self.blocks = nn.ModuleList(
            nn.ModuleList([ResidualBlock(t, dropout=0.1, kernel=kernel) for _ in range(count)])
            for count, t in zip(blocks, types[1:], strict=True)
        )
        self.read = InvariantReadout(types[-1])
        self.mean = GlobalPool(self.read.out_type)
        size = self.read.out_type.size
        self.head = nn.Sequential(nn.LayerNorm(size), nn.Linear(size, 10))

    def forward(self, images: Tensor) -> Tensor:
        count = len(images)
        if count not in self.batches:
            self.batches[count] = Batch.from_data_list([self.graph] * count)
        graph = self.batches[count]
        x = self.sphere.from_charts(images).reshape(-1, 1)
        x = self.first(x, graph)
        for level, blocks in enumerate(self.blocks, 1):
            x = self.widen[level - 1](self.pools[level - 1](x, graph, level=level))
            for block in blocks:
                x = block(x, graph.level(level))
        return self.head(self.mean(self.read(x), graph.level(self.levels - 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="mnist.npz or its folder; default: $GAUGENET_DATA")
    parser.add_argument("--train", choices=["N", "R"], default="N", help="upright digits, or randomly rotated ones")
    parser.add_argument("--digits", type=int, nargs=2, default=(12_000, 10_000), metavar=("TRAIN", "TEST"))
    parser.add_argument("--level", type=int, default=4, help="of the icosphere")
    parser.add_argument("--neighbors", type=float, default=36, help="of a point, in the mean")
    parser.add_argument("--kernel", type=kernel_from_text, default=KERNEL, help="family of the kernels")
    parser.add_argument("--width", type=int, default=6, help="fields of each order at the first level")
    parser.add_argument("--blocks", type=int, nargs="+", default=[1, 2], help="on each coarser level")
    parser.add_argument("--growth", type=float, default=2.0, help="of the width from level to level")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/spherical_mnist_irreps"))
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(chosen.threads)
    sphere, options = (
        Icosphere(chosen.level),
        ImageOptions(epochs=chosen.epochs, batch_size=chosen.batch_size, lr=chosen.lr, seed=chosen.seed),
    )
    try:
        train, test = (part[:count] for part, count in zip(read_mnist(chosen.data), chosen.digits, strict=True))
        torch.manual_seed(chosen.seed)
        model, projection = (
            SphereNetwork(sphere, chosen.kernel, chosen.width, chosen.growth, chosen.neighbors, chosen.blocks),
            SphericalDigits(sphere),
        )
        seen = projection(train) if chosen.train == "N" else projection.resampled(train)
        rows = fit_images(model, seen, chosen.out / chosen.train, options)
        for kind in "NR":
            unseen = SphericalDigits(sphere, rotated=kind == "R", seed=chosen.seed + 10**6)(test)
            right = 100 * (1 - error_rate(predict_images(model, unseen, options), unseen))
            print(f"{chosen.train}/{kind}: {right:.2f} % of {len(unseen)} test digits right", flush=True)
    except (DataError, TaskError) as error:
        parser.error(str(error))
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {rows[-1]['cpu_seconds']:.0f} CPU seconds")
    for name, values in PUBLISHED.items():
        print(name, " ".join(f"{kind} {value}" for kind, value in zip(("N/N", "N/R", "R/R"), values, strict=True)))


if __name__ == "__main__":
    main()
