"""MNIST on a Möbius strip: digits that come around the twist as their own mirror images.

    python examples/mobius_mnist.py --data DIR                        the network with regular fields
    python examples/mobius_mnist.py --data DIR --networks all --seeds 3 --device cuda        the table of the paper
    python examples/mobius_mnist.py --data DIR --digits 2000 1000 --epochs 4                 a look, in minutes

DIR holds mnist.npz (or set GAUGENET_DATA). Trains on centred or shifted digits, tests on digits shifted along the strip
at random. The published training: Adam, 5e-3, halved every four epochs, weight decay 1e-6, batches of 128. An epoch of
12,000 digits takes one CPU core 92 seconds, 49 with --precision bfloat16. Finished runs are kept in --out.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from matplotlib.image import imsave
from torch import Tensor, nn

from gaugenet.data import DataError, Digits, read_mnist
from gaugenet.files import write_json
from gaugenet.groups import FieldType, Reflection
from gaugenet.models import MobiusCNN, OrdinaryStripCNN
from gaugenet.models.mobius_cnn import FIELDS
from gaugenet.models.mobius_layers import shift_strip

SCALARS = FieldType(Reflection(), "1x0")
ORDINARY = {"cnn-channels": "channels", "cnn-parameters": "parameters"}


def on_the_strip(digits: Digits, *, shifted: bool, seed: int) -> tuple[Tensor, Tensor]:
    """Images `(N, 1, 28, 28)` in [0, 1], each moved by its own number of pixels, up to twice around; labels."""
    images = torch.from_numpy(digits.images).float().div(255).unsqueeze(1)
    if shifted:
        shifts = torch.randint(2 * images.shape[-1], (len(images),), generator=torch.Generator().manual_seed(seed))
        images = torch.cat([shift_strip(x[None], int(s), SCALARS) for x, s in zip(images, shifts, strict=True)])
    return images, torch.from_numpy(digits.labels)


def train(model: nn.Module, images: Tensor, labels: Tensor, chosen: argparse.Namespace) -> None:
    model.to(chosen.device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-6)
    schedule, start = torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.5), time.process_time()
    for epoch in range(chosen.epochs):
        losses = []
        for batch in torch.randperm(len(images)).split(128):
            with torch.autocast(chosen.device, dtype=torch.bfloat16, enabled=chosen.precision == "bfloat16"):
                logits = model(images[batch].to(chosen.device)).float()
            loss = nn.functional.cross_entropy(logits, labels[batch].to(chosen.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
        print(f"  epoch {epoch + 1}  loss {sum(losses) / len(losses):.4f}  {time.process_time() - start:.0f} CPU s")


@torch.no_grad()
def error(model: nn.Module, images: Tensor, labels: Tensor, device: str) -> float:
    guesses = torch.cat([model.eval()(part.to(device)).argmax(-1).cpu() for part in images.split(500)])
    return (guesses != labels).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="mnist.npz or its folder; default: $GAUGENET_DATA")
    parser.add_argument("--networks", nargs="+", default=["regular"], choices=[*FIELDS, *ORDINARY, "all"])
    parser.add_argument("--train", nargs="+", default=["centred"], choices=["centred", "shifted"])
    parser.add_argument("--phase", default="largest", choices=["largest", "even"], help="`even` is published")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--digits", type=int, nargs=2, default=(12_000, 10_000), metavar=("TRAIN", "TEST"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=Path("runs/mobius_mnist"))
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    try:
        digits, unseen = read_mnist(chosen.data)
    except DataError as wrong:
        parser.error(str(wrong))
    test = on_the_strip(unseen[: chosen.digits[1]], shifted=True, seed=10**6)
    around = torch.cat([shift_strip(test[0][:1], k, SCALARS) for k in range(0, 57, 7)], -1)
    imsave(chosen.out / "strip.png", around[0, 0].numpy(), cmap="gray")
    for name in [*FIELDS, *ORDINARY] if "all" in chosen.networks else chosen.networks:
        for kind in chosen.train:
            errors = []
            for seed in range(chosen.seeds):
                key = (name, kind, chosen.phase, *chosen.digits, chosen.epochs, chosen.precision, seed)
                kept = chosen.out / ("_".join(map(str, key)) + ".json")
                if not kept.is_file():
                    torch.manual_seed(seed)
                    model = (
                        OrdinaryStripCNN(ORDINARY[name]) if name in ORDINARY else MobiusCNN(name, phase=chosen.phase)
                    )
                    images = on_the_strip(digits[: chosen.digits[0]], shifted=kind == "shifted", seed=seed)
                    train(model, *images, chosen)
                    write_json(kept, {"test_error": error(model, *test, chosen.device)})
                errors.append(json.loads(kept.read_text(encoding="utf-8"))["test_error"])
            e = 100 * torch.tensor(errors)
            print(
                f"{name}, trained on {kind} digits: {e.mean():.2f} +- {e.std(correction=0):.2f} % of test digits wrong"
            )


if __name__ == "__main__":
    main()
