"""Convolution of matrix fields on a lattice gauge field: CPU time and memory on one thread, side by side in one run.

    python benchmarks/lattice_conv.py [--extent 32] [--batch 16] [--channels 16] [--repeats 9]

SU(2) in two dimensions, float32, one step in each direction. *compiled* is `GaugeConv` with constant links. *shifts* is
`GaugeConv` with links that require gradients, computed by shifts of whole fields. *gather and einsum* is the same sum
in plain PyTorch: neighbours are gathered for all directions, transported by `einsum`, and mixed by `einsum` with one
complex number for each pair of channels and direction. The script prints CPU milliseconds forward and forward +
backward (the least of the repeats), the memory of a first training step, and ratios to the first case.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from mesh_conv import cpu_name, measure
from torch import Tensor, nn

from gaugenet.geometry import LatticeGaugeField
from gaugenet.groups import SU, complex_fields, real_fields
from gaugenet.kernels import Shifts
from gaugenet.nn import GaugeConv, matrix_type

KINDS = "compiled", "shifts", "gather and einsum"


class GatherAndEinsum(nn.Module):
    """The layer W'_i(x) = sum over the site itself and its four neighbours of omega_ijv U_v(x) W_j(x + v) U_v(x)^+."""

    def __init__(self, field: LatticeGaugeField, channels: int) -> None:
        super().__init__()
        graph = field.gauge_graph()
        self.source = graph.edge_index[0].view(field.batch_size * field.num_nodes, -1)
        self.transporter = graph.transporter.to(torch.complex64).unflatten(0, self.source.shape)
        count = self.source.shape[1] + 1
        self.omega = nn.Parameter(torch.randn(channels, channels, count, dtype=torch.complex64) / channels)

    def forward(self, x: Tensor) -> Tensor:
        w = complex_fields(x, (2, 2)).flatten(2, -3).movedim(2, 1).flatten(0, 1)  # (sites, channels, N, N)
        u = self.transporter
        moved = torch.einsum("svab,svcbd,sved->svcae", u, w[self.source], u.conj())
        every = torch.cat([w[:, None], moved], 1)
        out = torch.einsum("ijv,svjab->siab", self.omega, every)
        return real_fields(out.unflatten(0, (x.shape[0], -1)).movedim(1, 2), 2).view_as(x)


def prepare(kind: str, extent: int, batch: int, channels: int) -> Callable[[], Tensor]:
    """Return the forward pass of a case."""
    torch.manual_seed(0)
    group = SU(2)
    field = LatticeGaugeField.random(group, (extent, extent), batch=batch)
    field_type = matrix_type(group, channels)
    x = torch.randn(batch, field_type.size, extent, extent, requires_grad=True)
    if kind == "gather and einsum":
        plain = GatherAndEinsum(field, channels)
        return lambda: plain(x)
    if kind == "shifts":
        field = field.with_links(field.links.clone().requires_grad_())
    layer = GaugeConv(field_type, field_type, kernel=Shifts(2), bias=False)
    return lambda: layer(x, field)


def memory_of_step(forward: Callable[[], Tensor]) -> float:
    """Return the MiB that a first training step allocates (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # reset the peak
    before = _status("VmRSS")
    forward().sum().backward()
    return _status("VmHWM") - before


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def main() -> None:
    """Print the table, or measure a single case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {"extent": 32, "batch": 16, "channels": 16, "repeats": 9}
    for name, value in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--case", choices=KINDS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.case:
        prepare(args.case, 4, 1, args.channels)().sum().backward()  # compile first
        forward = prepare(args.case, args.extent, args.batch, args.channels)
        memory = memory_of_step(forward)
        print(*measure(forward, args.repeats)[:2], memory)
        return
    print(f"{platform.machine()}, {cpu_name()}, one thread, torch {torch.__version__}, {args.extent}^2 x {args.batch}")
    print(f"{'':24}{'forward ms':>12}{'+ backward':>12}{'MiB':>8}{'ratio':>28}")
    first: tuple[float, ...] = ()
    for kind in KINDS:  # one process for each case, to measure its peak memory
        command = [sys.executable, __file__, "--case", kind]
        command += [word for name in sizes for word in (f"--{name}", str(getattr(args, name)))]
        row = tuple(map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))
        ratio = " ".join(f"{a / b:6.2f} x" for a, b in zip(row, first)) if first else ""
        print(f"{kind:24}{row[0]:12.1f}{row[1]:12.1f}{row[2]:8.0f}{ratio:>28}", flush=True)
        first = first or row


if __name__ == "__main__":
    main()
