"""Convolutions of points in space with learned radial functions, next to e3nn: CPU time and memory on one thread.

    python benchmarks/e3nn_conv.py [--points 2000] [--neighbors 16] [--channels 64] [--repeats 3]

All layers have the irreps `Cx0e + Cx1o + Cx2e`, harmonics up to order 2, and a perceptron of the distance (8 radial
functions, 32 hidden units). e3nn's `FullyConnectedTensorProduct` has a matrix of weights for each path and edge; the
depthwise form (`uvu`, then `Linear`, as in NequIP) has a number for each path, channel and edge, as ours. The script
prints CPU milliseconds (the least of the repeats), the peak memory of a training step above the memory before it, and
ratios to gaugenet. The fully connected layer needs 6 GB for the weights of 32,000 edges alone, several times that in
all: it is measured with `--fully-connected-points` points, and scaled by the number of edges.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from collections.abc import Callable

import torch
from mesh_conv import cpu_name, cpu_time, peak_memory
from torch import Tensor

from gaugenet.geometry import GaugeGraph, PointCloud
from gaugenet.groups import O3, FieldType
from gaugenet.kernels import Implicit
from gaugenet.nn import GaugeConv

RINGS, HIDDEN, ORDER = 8, 32, 2
NAMES = {"gaugenet": "gaugenet, Implicit", "uvu": "e3nn, depthwise", "full": "e3nn, fully connected"}


def gaugenet_layer(channels: int) -> torch.nn.Module:
    kind = FieldType(O3(), f"{channels}x0e + {channels}x1o + {channels}x2e")
    family = Implicit(hidden=HIDDEN, rings=RINGS, max_frequency=ORDER)
    return GaugeConv(kind, kind, kernel=family, self_interaction=False, bias=False)


class PeerConv(torch.nn.Module):
    """The convolution of e3nn's documentation: perceptron, harmonics, tensor product, sum over neighbours."""

    def __init__(self, channels: int, *, full: bool) -> None:
        from e3nn import nn, o3

        super().__init__()
        irreps = o3.Irreps(f"{channels}x0e + {channels}x1o + {channels}x2e")
        harmonics = o3.Irreps.spherical_harmonics(ORDER)
        if full:
            self.product = o3.FullyConnectedTensorProduct(irreps, harmonics, irreps, shared_weights=False)
            self.mix: torch.nn.Module = torch.nn.Identity()
        else:
            middle, paths = [], []
            for i, (multiplicity, a) in enumerate(irreps):
                for j, (_, b) in enumerate(harmonics):
                    for c in a * b:
                        if c in irreps:
                            paths.append((i, j, len(middle), "uvu", True))
                            middle.append((multiplicity, c))
            self.product = o3.TensorProduct(irreps, harmonics, middle, paths, shared_weights=False)
            self.mix = o3.Linear(o3.Irreps(middle), irreps)
        self.harmonics, self.out = harmonics, irreps.dim
        self.network = nn.FullyConnectedNet([RINGS, HIDDEN, self.product.weight_numel], torch.nn.functional.silu)

    def forward(self, x: Tensor, graph: GaugeGraph) -> Tensor:
        from e3nn import o3
        from e3nn.math import soft_one_hot_linspace

        v = graph.log_map
        radial = soft_one_hot_linspace(v.norm(dim=1), 0.0, float(graph.radius), RINGS, basis="gaussian", cutoff=False)
        y = o3.spherical_harmonics(self.harmonics, v, normalize=True, normalization="component")
        message = self.product(x[graph.edge_index[0]], y, self.network(radial))
        total = x.new_zeros(len(x), message.shape[1]).index_add(0, graph.edge_index[1], message)
        return self.mix(total)


def prepare(kind: str, points: int, neighbors: int, channels: int) -> Callable[[], Tensor]:
    """Return the forward pass of a case."""
    torch.manual_seed(0)
    graph = PointCloud(torch.rand(points, 3)).gauge_graph(O3(), neighbors=neighbors)
    layer = gaugenet_layer(channels) if kind == "gaugenet" else PeerConv(channels, full=kind == "full")
    x = torch.randn(points, 9 * channels, requires_grad=True)
    return lambda: layer(x, graph)


def measure(forward: Callable[[], Tensor], repeats: int) -> tuple[float, float, float]:
    """Return CPU milliseconds forward and forward + backward, and MiB of a training step."""
    before = peak_memory()
    forward().sum().backward()
    memory = peak_memory() - before
    with torch.no_grad():
        forward_ms = min(cpu_time(forward) for _ in range(repeats))
    both = min(cpu_time(lambda: forward().sum().backward()) for _ in range(repeats))
    return forward_ms * 1e3, both * 1e3, memory


def main() -> None:
    """Print the table, or measure a single case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"points": 2000, "neighbors": 16, "channels": 64, "repeats": 3, "fully-connected-points": 250}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--case", choices=NAMES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.case:
        print(*measure(prepare(args.case, args.points, args.neighbors, args.channels), args.repeats))
        return
    print(f"{platform.machine()}, {cpu_name()}, one thread, torch {torch.__version__}, {args.points} points")
    print(f"{'':24}{'forward ms':>12}{'+ backward':>12}{'MiB':>9}{'ratios':>28}")
    first: tuple[float, ...] = ()
    for kind, name in NAMES.items():
        points = min(args.points, args.fully_connected_points) if kind == "full" else args.points
        command = [sys.executable, __file__, "--case", kind, "--points", str(points)]
        command += ["--neighbors", str(args.neighbors), "--channels", str(args.channels)]
        command += ["--repeats", str(args.repeats)]
        # one process for each case, to measure its peak memory
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        row = tuple(float(value) * args.points / points for value in text.split())
        first = first or row
        ratios = "".join(f"{value / base:8.1f} x" for value, base in zip(row, first, strict=True))
        scaled = f"   (from {points} points)" if points < args.points else ""
        print(f"{name:24}{row[0]:12.1f}{row[1]:12.1f}{row[2]:9.0f}{ratios:>28}{scaled}", flush=True)


if __name__ == "__main__":
    main()
