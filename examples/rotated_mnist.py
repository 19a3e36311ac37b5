"""Rotated MNIST: steerable networks, compared with ordinary networks of the same number of parameters or channels.

    python examples/rotated_mnist.py --data DIR                      all networks, narrow
    python examples/rotated_mnist.py --data DIR --networks C16 CNN   two of them
    python examples/rotated_mnist.py --data DIR --networks C16-3x3 C16-order2             kernels and operators
    python examples/rotated_mnist.py --data DIR --width 1 --published --device cuda       the network of the paper

DIR contains mnist.npz (or set GAUGENET_DATA). The networks are trained on 12,000 digits and tested on 50,000, at random
angles. The same command resumes an interrupted training. Table, curves and weights are written to --out.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from gaugenet.data import DataError, rotated_mnist
from gaugenet.files import write_text
from gaugenet.geometry.grids.action import FieldAction
from gaugenet.groups import SO2
from gaugenet.models import Augmented, PlanarCNN, matched_baseline
from gaugenet.tasks import ImageOptions, TaskError, result_table, train_and_test
from gaugenet.viz import plot_comparison


def networks(width: float, *, published: bool) -> dict[str, Callable[[], nn.Module]]:
    """Return the networks; narrow ones pool after layers 1 and 3, for a third of the cost, and are wider at the end."""
    narrow = {"pool_after": (1, 3), "dropout": 0.1}
    layout, ends = ({}, {}) if published else (narrow, {"multiplicities": (16, 24, 32, 32, 48, 128)})

    def c16() -> PlanarCNN:
        return PlanarCNN(group="C_16", width=width, **layout, **ends)

    def c16_of(window: int, wider: float, kernel: str | None = None) -> PlanarCNN:
        windows = (window,) * 6
        return PlanarCNN(group="C_16", width=wider * width, kernel_sizes=windows, kernel=kernel, **layout, **ends)

    base: dict[str, Callable[[], nn.Module]] = {
        "C16": c16,
        "C16-3x3": lambda: c16_of(3, 1.335),  # wider, so that they have the parameters of C16
        "C16-5x5": lambda: c16_of(5, 1.0),
        "C16-order2": lambda: c16_of(3, 1.335, "Differential(max_order=2)"),
        "C16-order3": lambda: c16_of(5, 1.045, "Differential(max_order=3)"),
        "D16-C16": lambda: PlanarCNN(group="D_16", width=width / 2, restrict={5: "C_16"}, **layout, **ends),
        "SO2": lambda: PlanarCNN(
            group="SO(2)", fields=(0, 1, 2), nonlinearity="gated", width=1.6 * width, **layout, **ends
        ),
        "CNN": lambda: matched_baseline(c16()),
        "CNN-wide": lambda: matched_baseline(c16(), equal="channels"),
    }
    rotated = [FieldAction(mode="bicubic")]
    return base | {f"{name}+aug": lambda m=make: Augmented(m(), SO2(), inputs=rotated) for name, make in base.items()}


def learning_rate(name: str, width: float) -> float:
    """Return the learning rate, larger for steerable kernels, whose weights are larger than weights of `nn.Conv2d`."""
    return 3e-3 if name.startswith("CNN") else 0.015 / width**0.5


def main() -> None:
    """Train the networks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="mnist.npz or its folder; default: $GAUGENET_DATA")
    parser.add_argument("--networks", nargs="+", default=["C16", "D16-C16", "SO2", "CNN", "CNN+aug", "CNN-wide+aug"])
    parser.add_argument("--width", type=float, default=3 / 16, help="1 is the published width")
    parser.add_argument("--published", action="store_true", help="pool where the published network does")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--lr", type=float, help="default: 0.015 / sqrt(width), 0.003 for ordinary networks")
    parser.add_argument(
        "--digits", type=int, nargs=3, default=(12_000, 50_000, 2_000), metavar=("TRAIN", "TEST", "VAL")
    )
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/rotated_mnist"))
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(chosen.threads)
    options = ImageOptions(epochs=chosen.epochs, precision=chosen.precision, device=chosen.device, seed=chosen.seed)
    if chosen.width <= 0 or (chosen.lr is not None and chosen.lr <= 0):
        parser.error(f"expected positive --width and --lr, got {chosen.width} and {chosen.lr}")
    known = networks(chosen.width, published=chosen.published)
    if unknown := set(chosen.networks) - set(known):
        parser.error(f"unknown networks {sorted(unknown)}: choose from {', '.join(known)}")
    train, test, val = chosen.digits
    results = {}
    try:
        data = rotated_mnist(chosen.data, train=train, test=test, val=val, seed=chosen.seed, cache=chosen.out)
        for name in chosen.networks:
            torch.manual_seed(chosen.seed)
            rated = replace(options, lr=chosen.lr or learning_rate(name, chosen.width))
            results[name] = train_and_test(known[name](), data, chosen.out / name, rated)
            print(f"{name}: {results[name]['test_error']:.2%} of {test} test digits wrong")
    except (DataError, TaskError) as error:
        parser.error(str(error))
    curves = {name: r["rows"] for name, r in results.items()}
    plot_comparison(chosen.out / "curves.png", curves, ["train_loss", "val_error"], title="Rotated MNIST")
    write_text(chosen.out / "table.md", result_table(results) + "\n")
    print(result_table(results))


if __name__ == "__main__":
    main()
