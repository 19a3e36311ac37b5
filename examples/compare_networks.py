"""Networks of equal size, trained on the same samples, with results that are kept: for the comparisons in this folder.

    python examples/compare_networks.py FILE.json    show the results in a file

`turbulence_networks.py` and `event_observers.py` use these functions.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from gaugenet.files import write_json

Make = Callable[[int], nn.Module]
"""A network with this number of channels."""


def size(model: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(p.numel() for p in model.parameters())


def matched(make: Make, parameters: int) -> int:
    """Return the number of channels, 2 to 39, for which the number of parameters is closest."""
    return min(range(2, 40), key=lambda channels: abs(size(make(channels)) - parameters))


def train(model: nn.Module, loss: Callable[[int], Tensor], steps: int, rate: float = 3e-3) -> float:
    """Minimize `loss(step)` by Adam with one cycle of the learning rate; return the CPU seconds of a step."""
    optimizer, begin = torch.optim.Adam(model.parameters(), lr=rate), time.process_time()
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for step in range(steps):
        optimizer.zero_grad()
        loss(step).backward()
        optimizer.step()
        schedule.step()
    return (time.process_time() - begin) / steps


def parser(text: str | None, *, samples: int, steps: int, channels: int, out: str) -> argparse.ArgumentParser:
    """Return the options of a comparison."""
    found = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--samples", type=int, default=samples, help="for training")
    found.add_argument("--steps", type=int, default=steps, help="of training, eight samples each")
    found.add_argument("--channels", type=int, default=channels, help="of the first network; others have its size")
    found.add_argument("--networks", nargs="+", help="some of the networks; default: all")
    found.add_argument("--seeds", type=int, nargs="+", default=[0])
    found.add_argument("--out", type=Path, default=Path(out))
    return found


def compare(
    o: argparse.Namespace, networks: Mapping[str, Make], run: Callable[[nn.Module, int], dict[str, float]]
) -> None:
    """Print the table of `run(network, seed)` for networks of equal size; runs that are in the results are kept."""
    like = size(next(iter(networks.values()))(o.channels))
    if unknown := set(o.networks or ()) - set(networks):
        sys.exit(f"unknown networks {sorted(unknown)}: choose from {', '.join(networks)}")
    networks = {name: make for name, make in networks.items() if name in (o.networks or networks)}
    file, rows = o.out / "results.json", {name: list[dict[str, float]]() for name in networks}
    results = json.loads(file.read_text()) if file.exists() else {}
    for seed, (name, make) in itertools.product(o.seeds, networks.items()):
        channels = matched(make, like)
        key = f"{name}, {channels} channels, {o.samples} samples, {o.steps} steps, seed {seed}"
        if key not in results:
            torch.manual_seed(seed)
            network = make(channels)
            results[key] = {"parameters": size(network)} | run(network, seed)
            write_json(file, results)
            print(f"{key} done", file=sys.stderr, flush=True)
        rows[name].append(results[key])
    print(table(rows))


def table(rows: Mapping[str, Sequence[dict[str, float]]]) -> str:
    """Return the means over the seeds as a table, one row for each network; several seeds also with the range."""
    columns = list(next(iter(rows.values()))[0])
    lines = ["| network | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    for name, runs in rows.items():
        cells = []
        for column in columns:
            values = [run[column] for run in runs]
            cells.append(f"{statistics.mean(values):.5g}")
            if max(values) - min(values) > 1e-4 * abs(max(values)):
                cells[-1] += f" ({min(values):.3g} to {max(values):.3g})"
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows: dict[str, list[dict[str, float]]] = {}
    for key, run in json.loads(Path(sys.argv[1]).read_text()).items():
        rows.setdefault(key.rpartition(", seed")[0], []).append(run)
    for name, runs in rows.items():  # files may hold runs with other columns
        print(table({name: runs}))


if __name__ == "__main__":
    main()
