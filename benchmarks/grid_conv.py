"""A layer on grids compared with an ordinary convolution: training step, evaluation, sampling; import.

    python benchmarks/grid_conv.py [--rounds 7] [--size 64] [--batch 16]

One thread. Times are CPU seconds, medians over rounds; in each round both are measured one after the other.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gaugenet.groups import Cyclic, FieldType
from gaugenet.nn import GridConv


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that some work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def step(layer: nn.Module, x: Tensor) -> None:
    """Do a forward and a backward pass, for the gradients of the input and the parameters."""
    layer.zero_grad(set_to_none=True)
    layer(x.detach().requires_grad_()).sum().backward()


def in_turns(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Return the median CPU seconds of two kinds of work, done in turns, and of their ratio."""
    first(), second()
    times = [(cpu_seconds(first), cpu_seconds(second)) for _ in range(rounds)]
    ours, plain = (statistics.median(column) for column in zip(*times))
    return ours, plain, statistics.median(a / b for a, b in times)


def side_by_side(name: str, first: Callable[[], object], second: Callable[[], object], rounds: int) -> None:
    """Print the medians of two kinds of work, done in turns, and their ratio."""
    ours, plain, ratio = in_turns(first, second, rounds)
    print(f"{name:34s} {1e3 * ours:9.1f} ms   conv2d {1e3 * plain:9.1f} ms   ratio {ratio:.3f}")


def layers(size: int, batch: int, rounds: int) -> None:
    """Compare layers: C_8 regular, 16 fields (128 channels), 5 x 5."""
    field_type = FieldType(Cyclic(8), "16xregular")
    layer = GridConv(field_type, field_type, 5)
    plain = nn.Conv2d(field_type.size, field_type.size, 5, padding=2)
    x = torch.randn(batch, field_type.size, size, size)
    side_by_side("training step", lambda: step(layer, x), lambda: step(plain, x), rounds)
    layer.eval(), plain.eval()
    with torch.no_grad():
        side_by_side("evaluation", lambda: layer(x), lambda: plain(x), rounds)

    def expand() -> None:
        layer.sampled(layer.sliding.stencil)[0].sum().backward()

    expand()
    cells = layer.sliding.stencil.window[0] ** 2
    columns = sum(len(rings) * (2 if j else 1) for j, rings in layer.kernels.frequencies.items())
    product = 2 * 2 * cells * columns * field_type.size**2
    convolution = 3 * 2 * cells * field_type.size**2 * x.numel() // field_type.size
    seconds = statistics.median(cpu_seconds(expand) for _ in range(20))
    counted = f"counted {product / 1e9:.3f} GFLOP of {convolution / 1e9:.0f}"
    print(f"{'expansion and its gradient':34s} {1e3 * seconds:9.1f} ms   {counted}")


def imports() -> None:
    """Print the CPU seconds of `import gaugenet` and its layers, without the import of torch."""
    program = "import torch, time; t = time.process_time(); import {}; print(time.process_time() - t)"
    for module in ("gaugenet", "gaugenet.nn"):
        runs = [
            subprocess.run([sys.executable, "-c", program.format(module)], capture_output=True, text=True, check=True)
        ]
        print(f"{'import ' + module:34s} {min(float(run.stdout) for run in runs):9.3f} s beyond torch")


def main() -> None:
    """Print all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)
    imports()
    layers(options.size, options.batch, options.rounds)


if __name__ == "__main__":
    main()
