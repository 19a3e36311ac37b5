"""MNIST on a Möbius strip: digits return mirrored after one turn.

    python examples/mobius_mnist.py --data DIR                                  the network with regular fields
    python examples/mobius_mnist.py --data DIR --networks all --train centred shifted --seeds 0 1 2     the whole table
    python examples/mobius_mnist.py --data DIR --digits 2000 1000 --epochs 4    a quick test, one or two minutes

DIR contains mnist.npz (or set GAUGENET_DATA). Networks are trained on centred or shifted digits and tested on digits
with random shifts along the strip. The training is the published one: Adam, 5e-3, halved every four of 20 epochs,
weight decay 1e-6, batches of 128. GPUs and processors with AMX are faster with --precision bfloat16; errors are
computed in float32. The same command resumes an interrupted training. The table contains all runs in --out with these
settings; --networks without names trains none.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.image import imsave
from torch import Tensor, nn

from gaugenet.data import DataError, Digits, StripDigits, read_mnist
from gaugenet.files import write_json, write_text
from gaugenet.models import MobiusCNN, OrdinaryStripCNN
from gaugenet.models.mobius_cnn import FIELDS
from gaugenet.tasks import ImageOptions, TaskError, error_rate, fit_images, predict_images
from gaugenet.viz import plot_comparison

ORDINARY = {"cnn-channels": "channels", "cnn-parameters": "parameters"}
SHIFTS = (1, 2, 3, 15, 28, 49)


def train_and_test(model: nn.Module, train: Digits, test: Digits, folder: Path, options: ImageOptions) -> Any:
    """Return errors in float32 and in training precision, and relative changes of logits under shifts of 500 digits."""
    rows, exact = fit_images(model, train, folder, options), replace(options, precision="float32")

    def logits(shift: int) -> Tensor:
        return predict_images(model, StripDigits(shift)(test[:500]), exact)

    still = logits(0)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "test_error": error_rate(predict_images(model, test, exact), test),
        "test_error_as_trained": error_rate(predict_images(model, test, options), test),
        "moved": (max((logits(k) - still).abs().max() for k in SHIFTS) / still.abs().max()).item(),
        "cpu_minutes": rows[-1]["cpu_seconds"] / 60,
        "rows": rows,
    }


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """Return the results as a table in Markdown."""
    lines = ["| network, trained on | parameters | runs | test error % | logits move by | CPU minutes |"]
    lines.append("|" + "---|" * 6)
    for name, runs in results.items():
        e = 100 * torch.tensor([run["test_error"] for run in runs])
        spread = f" ± {e.std():.2f}" if len(runs) > 1 else ""
        moved, minutes = max(run["moved"] for run in runs), sum(run["cpu_minutes"] for run in runs) / len(runs)
        cells = [name, f"{runs[0]['parameters']:,}", str(len(runs)), f"{e.mean():.2f}{spread}", f"{moved:.0e}"]
        lines.append("| " + " | ".join([*cells, f"{minutes:.1f}"]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Train the missing networks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="mnist.npz or its folder; default: $GAUGENET_DATA")
    parser.add_argument("--networks", nargs="*", default=["regular"], choices=[*FIELDS, *ORDINARY, "all"])
    parser.add_argument("--train", nargs="+", default=["centred"], choices=["centred", "shifted"])
    parser.add_argument("--phase", default="largest", choices=["largest", "even"], help="`even` is published")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--digits", type=int, nargs=2, default=(12_000, 10_000), metavar=("TRAIN", "TEST"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=Path("runs/mobius_mnist"))
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = ImageOptions(chosen.epochs, 128, 5e-3, 1e-6, "adam", "halving", chosen.precision, device=chosen.device)
    out = chosen.out / "_".join(map(str, (chosen.phase, *chosen.digits, chosen.epochs, chosen.precision)))
    try:
        digits, unseen = read_mnist(chosen.data)
        test = StripDigits(seed=10**6)(unseen[: chosen.digits[1]])
        for name in [*FIELDS, *ORDINARY] if "all" in chosen.networks else chosen.networks:
            for kind, seed in [(kind, seed) for kind in chosen.train for seed in chosen.seeds]:
                folder = out / f"{name}, {kind}" / str(seed)
                if not (folder / "result.json").is_file():
                    logging.info("%s", folder)
                    torch.manual_seed(seed)
                    plain = ORDINARY.get(name)
                    model = OrdinaryStripCNN(plain) if plain else MobiusCNN(name, phase=chosen.phase)
                    train = StripDigits(0 if kind == "centred" else "random", seed)(digits[: chosen.digits[0]])
                    result = train_and_test(model, train, test, folder, replace(options, seed=seed))
                    write_json(folder / "result.json", result)
    except (DataError, TaskError) as error:
        parser.error(str(error))
    around = [StripDigits(shift)(unseen[:1]).images[0] for shift in range(0, 57, 7)]
    imsave(out / "strip.png", np.concatenate(around, 1), cmap="gray")
    results: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(out.glob("*/*/result.json")):
        results.setdefault(path.parts[-3], []).append(json.loads(path.read_text(encoding="utf-8")))
    plot_comparison(out / "curves.png", {name: runs[0]["rows"] for name, runs in results.items()}, ["train_loss"])
    write_text(out / "table.md", table(results) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
