"""The Leray projection as one convolution: possible with complete Clifford kernels, but not with the published ones.

    python examples/leray_projection.py [--dims 2 3] [--out leray]         33 x 33 and 17 x 17 x 17 windows: a minute

The Leray projection removes the gradient part of a vector field, so the result has no divergence. It is a convolution,
P = 1 - grad div / Laplacian, with a kernel of degree 2 in the direction: v ^ (v _| f) / <v, v> without its trace.
Kernels without v ^ (v _| f) map vectors to vectors only by functions times f. Averaged over fields, the relative error
of such a filter is at least 1 / sqrt(d); two such layers do it, the first one random. The last layer is fitted by least
squares to random fields with waves between 4 pixels and half the window, and tested on other fields.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from gaugenet.files import write_text
from gaugenet.geometry import Grid
from gaugenet.geometry.grids.stencil import centred_indices, frame_coordinates
from gaugenet.groups import O2, O3, multivector
from gaugenet.kernels import Clifford, Harmonic, KernelFamily
from gaugenet.nn import GaugeConv, SequentialModule

WINDOWS, RINGS, TWO = {2: 33, 3: 17}, {2: 16, 3: 8}, "published span, two layers"
KERNELS = {2: ("complete", "published span", TWO, "harmonic"), 3: ("complete", "published span", "harmonic")}


def random_fields(grid: Grid, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return vector fields with waves between 4 pixels and half the window, and their divergence-free parts."""
    d, n, dims = grid.d, grid.shape[0], tuple(range(2, 2 + grid.d))
    noise = torch.randn(count, d, *grid.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    wave = frame_coordinates(centred_indices(grid.shape) - 0.5, (1.0,) * d).T.reshape(d, *grid.shape)
    wave = torch.fft.ifftshift(wave, dim=tuple(range(1, 1 + d)))  # number of waves on the period
    number = torch.linalg.vector_norm(wave, dim=0)
    inside = (number >= 2 * n / grid.kernel_size[0]) & (number <= n / 4)
    spectrum = torch.fft.fftn(noise, dim=dims) * inside
    direction = wave / number.clamp(min=1)
    free = spectrum - direction * (direction * spectrum).sum(1, keepdim=True)
    return torch.fft.ifftn(spectrum, dim=dims).real.float(), torch.fft.ifftn(free, dim=dims).real.float()


def fit(layer: GaugeConv, grid: Grid, x: Tensor, y: Tensor) -> None:
    """Set the weights of least squared error; rings without pixels are allowed."""
    columns = []
    for row in torch.eye(sum(p.numel() for p in layer.parameters())):
        vector_to_parameters(row, layer.parameters())
        columns.append(layer(x, grid).flatten().double())
    found = torch.linalg.lstsq(torch.stack(columns, 1), y.double().reshape(-1, 1), driver="gelsd").solution[:, 0]
    vector_to_parameters(found.float(), layer.parameters())


def make_layers(name: str, d: int, rings: int) -> list[GaugeConv]:
    kernel: KernelFamily = Harmonic(rings) if name == "harmonic" else Clifford(rings, name == "complete")
    group = O2() if d == 2 else O3()
    vectors = multivector(group, (1,))
    types = [vectors, multivector(group, multiplicity=4), vectors] if name == TWO else [vectors, vectors]
    return [GaugeConv(a, b, kernel=kernel, bias=False) for a, b in itertools.pairwise(types)]


@torch.no_grad()
def experiment(d: int, window: int, rings: int) -> tuple[list[list[str]], dict[str, Tensor]]:
    """Return rows of the table, and fields to draw."""
    grid = Grid((2 * (window - 1),) * d, boundary="periodic", kernel_size=window, signature=(d, 0))
    (x, y), (x_test, y_test) = (random_fields(grid, 4 if d == 2 else 1, seed) for seed in (0, 1))
    rows, drawn = [], {"field": x_test, "its projection": y_test}
    for name in KERNELS[d]:
        torch.manual_seed(0)
        begin, (*before, layer) = time.perf_counter(), make_layers(name, d, rings)
        features = [SequentialModule(*before)(part, grid) if before else part for part in (x, x_test)]
        fit(layer, grid, features[0], y)
        found = layer.eval()(features[1], grid)
        error = float(torch.linalg.vector_norm(found - y_test) / torch.linalg.vector_norm(y_test))
        bound = f"{1 / math.sqrt(d):.3f}" if name == "published span" else ""
        weights, seconds = sum(p.numel() for p in layer.parameters()), time.perf_counter() - begin
        rows.append([str(d), f"{window}^{d}", name, str(weights), f"{error:.4f}", bound, f"{seconds:.0f}"])
        drawn[f"{name}, error {error:.3f}"] = found
    return rows, drawn


def draw(fields: dict[str, Tensor], path: Path) -> None:
    """Draw one component of each field of the plane, and arrows."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(fields), figsize=(3.2 * len(fields), 3.5), layout="constrained")
    limit = float(fields["field"][0].abs().max())
    for axis, (title, field) in zip(axes, fields.items(), strict=True):
        u, v = field[0, :, :32, :32].numpy()
        axis.imshow(u, cmap="RdBu_r", vmin=-limit, vmax=limit)
        locations = torch.arange(0, len(u), 2).numpy()
        axis.quiver(locations, locations, u[::2, ::2], v[::2, ::2], scale=12 * limit, angles="uv", units="width")
        axis.set(title=title.replace(", ", "\n"), xticks=[], yticks=[])
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 3], choices=[2, 3])
    parser.add_argument("--window", type=int, default=None, help="pixels along each axis; default 33 in 2D, 17 in 3D")
    parser.add_argument("--out", type=Path, default=Path("leray"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    lines = ["| d | window | kernels | weights | relative error | bound | seconds |", "|---|---|---|---|---|---|---|"]
    for d in options.dims:
        rows, fields = experiment(d, options.window or WINDOWS[d], RINGS[d])
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        if d == 2:
            draw(fields, options.out / "leray.png")
    write_text(options.out / "table.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
