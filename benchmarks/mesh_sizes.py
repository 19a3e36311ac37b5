"""CPU time over the size of the mesh, ours and peers, as a table and a plot.

    python benchmarks/mesh_sizes.py                     measures, writes docs/images/speed.csv and speed.png
    python benchmarks/mesh_sizes.py --draw              draws docs/images/speed.csv again

The time is the least of the repeats of a forward and backward pass on one thread, on bumpy spheres. For the cases and
peers see mesh_conv.py. A case ends when one pass takes longer than --limit seconds.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import torch
from mesh_conv import cases, cpu_name, measure, sphere_mesh

OUT = Path(__file__).resolve().parents[1] / "docs" / "images"
# The name in mesh_conv.py, the panel, the label, the color, the marker.
CASES = [
    ("conv 32 neighbours: gaugenet", 0, "gaugenet", "tab:blue", "o"),
    ("conv 32 neighbours: per edge", 0, "the kernel applied on every edge", "tab:orange", "s"),
    ("network: gaugenet MeshUNet", 1, "gaugenet MeshUNet", "tab:blue", "o"),
    ("network: DiffusionNet 4x128", 1, "DiffusionNet, 4 blocks of 128", "tab:orange", "s"),
]
TITLES = ["One convolution, 32 neighbours, 144 channels", "A segmentation network"]


def measured(rows: list[int], repeats: int, limit: float) -> list[tuple[str, int, float]]:
    """Return (case, vertices, milliseconds forward and backward), by increasing size of the mesh."""
    found, ended = [], set()
    for count in rows:
        mesh = sphere_mesh(count)
        for name, *_ in CASES:
            if name not in ended:
                _, both, _ = measure(cases(mesh)[name](), repeats)
                print(f"{name:32}{mesh.num_vertices:9,d} vertices {both:9.1f} ms", flush=True)
                found.append((name, mesh.num_vertices, both))
                ended |= {name} if both > 1e3 * limit else set()
    return found


def draw(table: list[tuple[str, int, float]], machine: str, out: Path) -> None:
    """Draw both panels with logarithmic axes; the name of each curve is at its end."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for name, panel, label, color, marker in CASES:
        size, ms = zip(*((n, t) for case, n, t in table if case == name), strict=True)
        axes[panel].loglog(size, ms, color=color, marker=marker, label=label)
    for axis, title in zip(axes, TITLES, strict=True):
        axis.set(title=title, xlabel="vertices")
        axis.grid(alpha=0.3)
        axis.set_ylim(5, 3e4)
        axis.legend(frameon=False, loc="upper left")
    axes[0].set_ylabel("CPU milliseconds, forward + backward")
    figure.suptitle(machine, fontsize=8, y=-0.01, va="top", color="dimgray")
    figure.savefig(out, dpi=130, bbox_inches="tight")


def main() -> None:
    """Measure or read the table, then draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[15, 21, 30, 42, 60, 84, 120])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=4.0)
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    file = OUT / "speed.csv"
    if not options.draw:
        machine = f"one thread of {cpu_name()}, torch {torch.__version__}"
        lines = [[machine], *measured(options.rows, options.repeats, options.limit)]
        with file.open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened).writerows(lines)
    with file.open(encoding="utf-8", newline="") as opened:
        (machine,), *lines = csv.reader(opened)
    draw([(name, int(n), float(ms)) for name, n, ms in lines], machine, OUT / "speed.png")


if __name__ == "__main__":
    main()
