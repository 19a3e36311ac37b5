"""Steerable convolution of point clouds: CPU time and memory on one thread, side by side in one run.

    python benchmarks/point_conv.py [--points 2000] [--neighbors 16] [--repeats 9]

For one convolution with three rings, in the plane (SO(2), 80 channels) and in space (SO(3) up to order 2, 144
channels), the script prints CPU milliseconds forward and forward + backward (the least of the repeats), the extra peak
memory of a training step, and ratios to the kernel evaluated per edge.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from collections.abc import Callable

import torch
from mesh_conv import PerEdge, cpu_name, measure
from torch import Tensor

from gaugenet.geometry.point_cloud import PointCloud
from gaugenet.groups import SO2, SO3, FieldType, StructureGroup
from gaugenet.nn import GaugeConv


def groups() -> dict[str, tuple[StructureGroup, str]]:
    """Return groups and field types by name."""
    return {
        "SO(2) 16x(0+1+2)": (SO2(), "16x0 + 16x1 + 16x2"),
        "SO(3) 16x(0+1+2)": (SO3(), "16x0 + 16x1 + 16x2"),
    }


def prepare(name: str, kind: str, points: int, neighbors: int) -> Callable[[], Tensor]:
    """Return the forward pass of a case."""
    torch.manual_seed(0)
    group, spec = groups()[name]
    field_type = FieldType(group, spec)
    graph = PointCloud(torch.rand(points, group.d)).gauge_graph(group, neighbors=neighbors)
    layer = GaugeConv(field_type, field_type, rings=3)
    module = layer if kind == "gaugenet" else PerEdge(layer, graph)
    x = torch.randn(points, field_type.size, requires_grad=True)
    return lambda: module(x, graph)


def main() -> None:
    """Print the table, or measure a single case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--neighbors", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.case:
        print(*measure(prepare(*args.case, args.points, args.neighbors), args.repeats))
        return
    print(f"{platform.machine()}, {cpu_name()}, one thread, torch {torch.__version__}, {args.points} points")
    print(f"{'':32}{'forward ms':>12}{'+ backward':>12}{'MiB':>8}{'ratio':>16}")
    for name in groups():
        first: tuple[float, ...] = ()
        for kind in ("gaugenet", "per edge"):
            # one process for each case, to measure its peak memory
            command = [sys.executable, __file__, "--case", name, kind, "--points", str(args.points)]
            command += ["--neighbors", str(args.neighbors), "--repeats", str(args.repeats)]
            row = tuple(map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))
            ratio = f"{row[0] / first[0]:7.1f} x {row[1] / first[1]:5.1f} x" if first else ""
            print(f"{name + ' ' + kind:32}{row[0]:12.1f}{row[1]:12.1f}{row[2]:8.0f}{ratio:>16}", flush=True)
            first = row


if __name__ == "__main__":
    main()
