"""Spherical MNIST with an icosahedral CNN: digits on one hemisphere, upright (N) or rotated in space (R).

    python examples/spherical_mnist.py --data DIR                     12,000 digits, 4 epochs, N/N, N/R and R/R
    python examples/spherical_mnist.py --data DIR --digits 60000 10000 --epochs 60 --stem-stride 1 --device cuda

DIR contains mnist.npz (or set GAUGENET_DATA). Digits are projected stereographically to a hemisphere, as in
:cite:`cohen2018spherical`, and sampled at the vertices of an icosphere. A digit is rotated by sampling at rotated
vertices. In training each digit has another rotation in every epoch (:cite:`cohen2019gauge` use 60 rotations of each).
N/R means: trained on upright digits, tested on rotated digits. The same command resumes an interrupted training. Table,
results and curves are written to --out.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from gaugenet.data import DataError, Digits, SphericalDigits, read_mnist
from gaugenet.files import write_json, write_text
from gaugenet.geometry import Icosphere
from gaugenet.models import IcosahedralCNN
from gaugenet.tasks import ImageOptions, TaskError, error_rate, fit_images, predict_images
from gaugenet.viz import plot_comparison

PROTOCOL = ("N/N", "N/R", "R/R")
PUBLISHED = {"Icosahedral CNN (published)": (99.43, 69.99, 99.31), "HexRUNet-C (published)": (99.45, 29.84, 97.05)}


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """Return the parser and the parsed options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="mnist.npz or its folder; default: $GAUGENET_DATA")
    parser.add_argument("--train", nargs="+", choices=["N", "R"], default=["N", "R"])
    parser.add_argument("--digits", type=int, nargs=2, default=(12_000, 10_000), metavar=("TRAIN", "TEST"))
    parser.add_argument("--level", type=int, default=4, help="of the icosphere")
    parser.add_argument("--width", type=int, default=8, help="regular fields on the finest level of the network")
    parser.add_argument("--growth", type=float, default=1.5, help="of the width from level to level")
    parser.add_argument("--levels", type=int, default=3, help="of the network")
    parser.add_argument("--stem-stride", type=int, choices=[1, 2], default=2, help="of the first convolution")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-2)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/spherical_mnist"))
    return parser, parser.parse_args()


def run(chosen: argparse.Namespace, train: Digits, test: Digits) -> dict[str, Any]:
    """Train, and return the accuracy in percent for each part of the protocol."""
    sphere = Icosphere(chosen.level)
    options = ImageOptions(
        epochs=chosen.epochs, batch_size=chosen.batch_size, lr=chosen.lr, precision=chosen.precision,
        seed=chosen.seed, device=chosen.device,
    )  # fmt: skip
    tests = {kind: SphericalDigits(sphere, rotated=kind == "R", seed=chosen.seed + 10**6)(test) for kind in "NR"}
    result: dict[str, Any] = {"options": asdict(options), "train": len(train), "test": len(test), "rows": {}}
    for kind in chosen.train:
        torch.manual_seed(chosen.seed)
        levels = min(chosen.levels, chosen.level + 2 - chosen.stem_stride)
        sizes = {"width": chosen.width, "growth": chosen.growth, "levels": levels}
        model = IcosahedralCNN("1x0", 10, stem_stride=chosen.stem_stride, **sizes)
        projection = SphericalDigits(sphere)
        seen = projection(train) if kind == "N" else projection.resampled(train)
        result["rows"][kind] = fit_images(model, seen, chosen.out / kind, options)
        result["parameters"] = sum(p.numel() for p in model.parameters())
        for part in PROTOCOL:
            if part[0] == kind:
                unseen = tests[part[2]]
                result[part] = 100 * (1 - error_rate(predict_images(model, unseen, options), unseen))
                print(f"{part}: {result[part]:.2f} % of {len(unseen)} test digits right")
    return result


def table(result: dict[str, Any]) -> str:
    """Return a Markdown table of our and published accuracies in percent."""
    seconds = sum(rows[-1]["cpu_seconds"] for rows in result["rows"].values())
    epochs = result["options"]["epochs"]
    ours = f"this run ({result['train']:,} digits, {epochs} epochs, {seconds:.0f} CPU-s)"
    rows = [[ours, *(f"{result[part]:.2f}" if part in result else "-" for part in PROTOCOL)]]
    rows += [[name, *(f"{value:.2f}" for value in values)] for name, values in PUBLISHED.items()]
    lines = [["network", *PROTOCOL], ["---"] * 4, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Train the networks, and print the table."""
    parser, chosen = parse()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(chosen.threads)
    try:
        train, test = read_mnist(chosen.data)
        result = run(chosen, train[: chosen.digits[0]], test[: chosen.digits[1]])
    except (DataError, TaskError) as error:
        parser.error(str(error))
    curves = {f"trained on {kind}": rows for kind, rows in result["rows"].items()}
    plot_comparison(chosen.out / "curves.png", curves, ["train_loss", "train_error"], title="Spherical MNIST")
    write_json(chosen.out / "result.json", result)
    write_text(chosen.out / "table.md", table(result) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
