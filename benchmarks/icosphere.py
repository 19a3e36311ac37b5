"""Convolution on the icosphere, compared with a plain convolution of the same arithmetic, on one thread.

    python benchmarks/icosphere.py [--levels 5 6 7] [--fields 16] [--batch 4] [--repeats 7] [--unet-level 8]

Input and output are regular fields of C_6, but for the last cases. For each level the script prints CPU milliseconds
forward and forward + backward (the least of interleaved repeats), the extra peak memory of a second training step (each
case in its own process), and ratios to the first row. The cases are:

- `conv2d`: PyTorch's convolution with a 3 x 3 window over the five charts and zeros around them, channels last in
  memory. It does not pad or rotate, so the result is wrong at sides and corners.
- `conv2d, channels first`: the same in PyTorch's default layout.
- `padded`: charts padded by an index over cells and orientations, a copy, then `conv2d`; without the poles.
- `scalars`: the library's convolution of as many scalar channels: isotropic kernels.
- `DISCO`: the isotropic convolution of torch-harmonics, where it is installed: two matrices for each neighbourhood, as
  `scalars` has (the point and its neighbours), on an equiangular grid with about as many points.
- `gather`: the general engine on the gauge graph, one sample at a time; only level 5.

`--unet-level` runs a forward pass of `IcosahedralUNet` on one sample instead, and prints its time and peak memory.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from gaugenet.geometry import Icosphere
from gaugenet.geometry.icosphere._charts import vertex_index
from gaugenet.groups import Cyclic, FieldType
from gaugenet.models import IcosahedralUNet
from gaugenet.nn import GaugeConv


@dataclass(frozen=True)
class Case:
    """Features with a gradient, and their forward pass."""

    x: Tensor
    forward: Callable[[Tensor], Tensor]


def plain(memory_format: torch.memory_format, sphere: Icosphere, field_type: FieldType, batch: int) -> Case:
    """Make an ordinary convolution of charts, without padding from their neighbours."""
    conv = nn.Conv2d(field_type.size, field_type.size, 3, padding=1)
    x = torch.randn(batch * 5, field_type.size, sphere.n, 2 * sphere.n)
    return Case(x.to(memory_format=memory_format).requires_grad_(), conv)


def charts(sphere: Icosphere, field_type: FieldType, batch: int) -> Case:
    """Make the convolution of the library on charts."""
    conv = GaugeConv(field_type, field_type, rings=1)
    x = torch.randn(batch, field_type.size, *sphere.chart_shape).to(memory_format=torch.channels_last)
    return Case(x.requires_grad_(), lambda x: conv(x, sphere))


def padded(sphere: Icosphere, field_type: FieldType, batch: int) -> Case:
    """Make a padded convolution: indices of the true cells, with unchanged orientations."""
    n, size = sphere.n, field_type.size
    conv = nn.Conv2d(size, size, 3)
    grid = torch.meshgrid(torch.arange(5), torch.arange(-1, n + 1), torch.arange(-1, 2 * n + 1), indexing="ij")
    cells = torch.from_numpy(vertex_index(sphere.level, *(t.numpy() for t in grid))).clamp(min=0)
    index = (torch.arange(size)[:, None] * sphere.num_vertices + cells.flatten()).flatten()
    x = torch.randn(batch, size, sphere.num_vertices).requires_grad_()

    def forward(x: Tensor) -> Tensor:
        charts = x.flatten(1)[:, index].view(batch, size, 5, n + 2, 2 * n + 2)
        return conv(charts.transpose(1, 2).flatten(0, 1))

    return Case(x, forward)


def disco(sphere: Icosphere, field_type: FieldType, batch: int) -> Case:
    """Make the isotropic convolution of torch-harmonics."""
    from torch_harmonics import DiscreteContinuousConvS2

    rows = round((sphere.num_vertices / 2) ** 0.5)
    shape = (rows, 2 * rows)
    conv = DiscreteContinuousConvS2(field_type.size, field_type.size, shape, shape, kernel_shape=(3,))
    if conv.weight.shape[-1] != 2:
        raise RuntimeError(f"Expected two functions for each neighbourhood, got {tuple(conv.weight.shape)}.")
    return Case(torch.randn(batch, field_type.size, *shape).requires_grad_(), conv)


def gather(sphere: Icosphere, field_type: FieldType, batch: int) -> Case:
    """Make the convolution of the library on the gauge graph."""
    conv = GaugeConv(field_type, field_type, rings=1)
    graph = sphere.gauge_graph(field_type.group)
    x = torch.randn(sphere.num_vertices, field_type.size).requires_grad_()
    return Case(x, lambda x: torch.stack([conv(x, graph) for _ in range(batch)]))


def cases(sphere: Icosphere, field_type: FieldType, batch: int) -> dict[str, Callable[[], Case]]:
    """Return a function that makes each case, by name."""
    found = {
        "conv2d": lambda: plain(torch.channels_last, sphere, field_type, batch),
        "conv2d, channels first": lambda: plain(torch.contiguous_format, sphere, field_type, batch),
        "gaugenet": lambda: charts(sphere, field_type, batch),
        "padded": lambda: padded(sphere, field_type, batch),
        "scalars": lambda: charts(sphere, FieldType(field_type.group, f"{field_type.size}x0"), batch),
    }
    if importlib.util.find_spec("torch_harmonics") is not None:
        found["DISCO"] = lambda: disco(sphere, field_type, batch)
    if sphere.level <= 5:
        found["gather"] = lambda: gather(sphere, field_type, batch)
    return found


def step(case: Case) -> None:
    """Do a forward and a backward pass."""
    y = case.forward(case.x)
    y.backward(torch.ones_like(y))
    case.x.grad = None


def times(made: dict[str, Case], repeats: int) -> dict[str, tuple[float, float]]:
    """Return CPU milliseconds forward, and forward + backward."""
    best = dict.fromkeys(made, (float("inf"), float("inf")))
    for _ in range(repeats):
        for name, case in made.items():
            with torch.no_grad():
                forward = cpu_time(lambda: case.forward(case.x))  # noqa: B023
            both = cpu_time(lambda: step(case))  # noqa: B023
            best[name] = (min(best[name][0], forward), min(best[name][1], both))
    return best


def cpu_time(work: Callable[[], object]) -> float:
    """Return the CPU milliseconds of a function."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


def peak_memory(*, reset: bool = False) -> float:
    """Return the peak of resident memory in MiB since the last reset (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def memory(case: Case) -> float:
    """Return the MiB that a second training step needs beyond the features; the first step also loads code."""
    step(case)
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    before = peak_memory(reset=True)
    y = case.forward(case.x)
    y.backward(torch.ones_like(y))
    return peak_memory() - before


def forward_of_unet(level: int) -> None:
    """Print time and peak memory of one forward pass of the U-Net."""
    torch.manual_seed(0)
    sphere, network = Icosphere(level), IcosahedralUNet("3x0 + 1x1", 3).eval()
    x = torch.randn(1, network.in_type.size, *sphere.chart_shape)
    before, start = peak_memory(reset=True), time.process_time()
    with torch.no_grad():
        y = network(x)
    weights = sum(p.numel() for p in network.parameters())
    print(f"IcosahedralUNet of {weights:,} weights on {sphere.num_vertices:,} vertices -> {tuple(y.shape)}:")
    print(f"{time.process_time() - start:.1f} s, {peak_memory() - before:.0f} MiB more, {peak_memory():.0f} in all")


def main() -> None:
    """Print the table of each level, or measure a single case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", type=int, nargs="+", default=[5, 6, 7])
    parser.add_argument("--fields", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--unet-level", type=int)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if args.unet_level is not None:
        forward_of_unet(args.unet_level)
        return
    field_type = FieldType(Cyclic(6), {"regular": args.fields})
    for level in args.levels:
        makers = cases(Icosphere(level), field_type, args.batch)
        if args.memory_of:
            print(memory(makers[args.memory_of]()))
            return
        report(level, makers, args)


def report(level: int, makers: dict[str, Callable[[], Case]], args: argparse.Namespace) -> None:
    """Print the table of one level."""
    best = times({name: make() for name, make in makers.items()}, args.repeats)
    print(f"level {level}: {10 * 4**level + 2:,} vertices, {args.fields} regular fields, batch {args.batch}")
    print(f"{'':26}{'forward ms':>12}{'+ backward':>12}{'ratio':>8}{'MiB':>8}{'ratio':>8}")
    first: tuple[float, float] | None = None
    for name, (forward, both) in best.items():
        own = ["--levels", str(level), "--fields", str(args.fields), "--batch", str(args.batch), "--memory-of", name]
        run = subprocess.run([sys.executable, __file__, *own], check=True, capture_output=True, text=True)
        used = float(run.stdout)
        first = first or (both, used)
        print(
            f"{name:26}{forward:12.1f}{both:12.1f}{both / first[0]:8.2f}{used:8.0f}{used / first[1]:8.2f}", flush=True
        )


if __name__ == "__main__":
    main()
