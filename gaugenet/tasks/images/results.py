"""Results of a trained image classifier: its test error, and how rotations of the image change its output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gaugenet.data.images.digits import Digits, RotatedDigits
from gaugenet.files import write_json
from gaugenet.geometry.grids.action import FieldAction
from gaugenet.groups.representations.planar import rotation
from gaugenet.tasks.images.module import to_images
from gaugenet.tasks.images.options import ImageOptions
from gaugenet.tasks.images.train import Row, error_rate, fit_images, predict_images

_DEGREES = (90.0, 180.0, 22.5, 45.0)
_RESULT = "result.json"


def train_and_test(
    model: nn.Module,
    data: RotatedDigits,
    folder: str | Path,
    options: ImageOptions,
    *,
    degrees: Sequence[float] = _DEGREES,
) -> dict[str, Any]:
    """Train (or continue), then score the test digits once; write the result to `result.json` and return it.

    Args:
        model: see `fit_images`.
        data: the digits; the test digits are not used in the training.
        folder: for the checkpoint and the result.
        options: see `ImageOptions`.
        degrees: angles by which the first 1,000 test digits are rotated in addition.

    Returns:
        `parameters`, `test_error`, `test_images`, `rotations` (see `rotation_errors`), `options` and the `rows` of the
        training.
    """
    rows = fit_images(model, data.train, folder, options, val=data.val)
    result = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "test_error": error_rate(predict_images(model, data.test, options), data.test),
        "test_images": len(data.test),
        "rotations": rotation_errors(model, data.test[:1000], degrees, options),
        "options": asdict(options),
        "rows": rows,
    }
    write_json(Path(folder) / _RESULT, result)
    return result


@torch.no_grad()
def rotation_errors(
    model: nn.Module, digits: Digits, degrees: Sequence[float], options: ImageOptions
) -> dict[str, Row]:
    """Return, for each angle of rotation, how much the logits change, and the share of predictions that change.

    `logits` is the root mean square of the change, relative to the root mean square of the logits, in float32. Angles
    other than multiples of 90 degrees interpolate the image (bicubic), so even an invariant network has an error.
    """
    model.eval()
    x, rotate = to_images(digits, options.device), FieldAction(mode="bicubic")
    before = model(x)
    rows = {}
    for angle in degrees:
        after = model(rotate(rotation(torch.tensor(angle, dtype=torch.float64).deg2rad()), x))
        moved = ((after - before).square().mean() / before.square().mean()).sqrt().item()
        changed = (after.argmax(-1) != before.argmax(-1)).float().mean().item()
        rows[f"{angle:g}"] = {"logits": moved, "answers": changed}
    return rows


def result_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a Markdown table of results by name."""
    angles = list(next(iter(results.values()))["rotations"]) if results else []
    heads = ["network", "parameters", "test error", "epochs", "CPU-s"]
    heads += [f"answers that change at {angle}°" for angle in angles]
    lines = [heads, ["---"] * len(heads)]
    for name, r in results.items():
        cpu = r["rows"][-1]["cpu_seconds"]
        cells = [name, f"{r['parameters']:,}", f"{r['test_error']:.2%}", str(len(r["rows"])), f"{cpu:.0f}"]
        lines.append(cells + [f"{r['rotations'][angle]['answers']:.1%}" for angle in angles])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
