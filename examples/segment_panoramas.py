"""Segment panoramas, color and depth, in the layout of 2D-3D-S with a U-Net on the icosahedron.

    python examples/segment_panoramas.py                          synthetic rooms, a quick test of one minute
    python examples/segment_panoramas.py --data DIR --fold 1 --level 7 --levels 6 --width 16 --epochs 50 --device cuda

DIR contains area_*/pano/{rgb,depth,semantic} and semantic_labels.json (or assets/semantic_labels.json). The areas of
the fold are for the test, the others for training. The inputs are color, depth, and the height of the direction of
view, which distinguishes floors from ceilings. Scores on `synthetic_rooms.py` are not comparable with real rooms.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from jaxtyping import Float
from synthetic_rooms import write_rooms
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from gaugenet.data import IGNORE_LABEL, DataError, Panorama, StanfordPanoramas
from gaugenet.data.images.panoramas import CLASSES, FOLDS
from gaugenet.geometry import Icosphere
from gaugenet.models import IcosahedralUNet
from gaugenet.tasks import MetricAccumulator
from gaugenet.viz import SpherePanel, draw_spheres, nearest_point


def channels(panorama: Panorama, sphere: Icosphere) -> Float[Tensor, "5 vertices"]:
    """Return color, depth in units of 4 m, and the height of the direction of view."""
    up = sphere.pos[:, 2].float()
    return torch.cat([panorama.rgb - 0.5, panorama.depth[None] / 4, up[None]])


def loader(root: Path, areas: list[str], sphere: Icosphere, batch_size: int, *, shuffle: bool = False) -> DataLoader:
    def collate(panoramas: list[Panorama]) -> tuple[Tensor, Tensor]:
        return torch.stack([channels(p, sphere) for p in panoramas]), torch.stack([p.labels for p in panoramas])

    return DataLoader(StanfordPanoramas(root, sphere, areas=areas), batch_size, shuffle=shuffle, collate_fn=collate)


def train(model: IcosahedralUNet, data: DataLoader, epochs: int, device: str) -> None:
    counts = sum(torch.bincount(label[label != IGNORE_LABEL], minlength=len(CLASSES)) for _, label in data)
    weight = (counts.clamp(min=1) ** -0.5).to(device)  # rare classes have larger weights
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=epochs * len(data))
    for epoch in range(epochs):
        total = 0.0
        for x, label in data:
            loss = cross_entropy(model(x.to(device)), label.to(device), weight, ignore_index=IGNORE_LABEL)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / len(data):.3f}")


@torch.no_grad()
def report(model: IcosahedralUNet, data: DataLoader, device: str) -> str:
    """Return the intersection over union of each class that occurs, their mean, and the accuracy on vertices."""
    model.eval()
    accumulator = MetricAccumulator(len(CLASSES))
    for x, label in data:
        accumulator.add("panoramas", label.numpy(), model(x.to(device)).argmax(1).cpu().numpy())
    scores = accumulator.scores()
    rows = [*zip(CLASSES, scores.class_iou), ("mean IoU", scores.mean_iou), ("right", scores.accuracy)]
    return "\n".join(f"{name:10}{100 * value:6.1f} %" for name, value in rows if not math.isnan(value))


def draw(path: Path, model: IcosahedralUNet, panorama: Panorama, sphere: Icosphere, device: str) -> None:
    """Draw the depth of a room, predicted and true classes, on maps of all directions of view."""
    with torch.no_grad():
        found = model(channels(panorama, sphere)[None].to(device)).argmax(1)[0].cpu()
    panels = [
        SpherePanel(name="depth", scalar=panorama.depth.numpy()),
        SpherePanel(name="found", labels=found.numpy() + 1),
        SpherePanel(name="truth", labels=panorama.labels.numpy() + 1),
    ]
    named = {"class_names": ["", *CLASSES], "title": "A test room"}  # class 0 is not painted
    draw_spheres(path, panels, nearest_point(sphere.pos.numpy()), **named, columns=2, width=800)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="folder of the areas; default: synthetic rooms")
    parser.add_argument("--fold", type=int, choices=[1, 2, 3], default=1, help="areas 5a 5b; 2 4; or 1 3 6 to test on")
    parser.add_argument("--level", type=int, default=4, help="of the icosphere")
    parser.add_argument("--levels", type=int, default=4, help="of the network")
    parser.add_argument("--width", type=int, default=4, help="regular fields on the finest level")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=Path("runs/panoramas"))
    chosen = parser.parse_args()
    torch.manual_seed(0)
    if chosen.data is None:
        chosen.data = chosen.out / "rooms"
        write_rooms(chosen.data, {"1": 12, "3": 12, "5a": 6, "2": 6})
    chosen.out.mkdir(parents=True, exist_ok=True)
    sphere = Icosphere(chosen.level)
    there = sorted(path.name.removeprefix("area_") for path in chosen.data.glob("area_*"))
    parts = [[a for a in there if (a in FOLDS[chosen.fold - 1]) == held_out] for held_out in (False, True)]
    try:
        seen = loader(chosen.data, parts[0], sphere, chosen.batch_size, shuffle=True)
        unseen = loader(chosen.data, parts[1], sphere, chosen.batch_size)
        model = IcosahedralUNet("5x0", len(CLASSES), width=chosen.width, levels=chosen.levels).to(chosen.device)
        train(model, seen, chosen.epochs, chosen.device)
        print(f"areas {', '.join(parts[1])}:\n{report(model, unseen, chosen.device)}")
        draw(chosen.out / "panorama.png", model, unseen.dataset[0], sphere, chosen.device)
    except DataError as error:
        parser.error(str(error))
    print(chosen.out / "panorama.png")


if __name__ == "__main__":
    main()
