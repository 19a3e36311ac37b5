"""Segment panoramas, colour and depth, in the layout of 2D-3D-S with a U-Net on the icosahedron.

    python examples/segment_panoramas.py                          rooms made here, a minute, to see that it works
    python examples/segment_panoramas.py --data DIR --fold 1 --level 7 --levels 6 --width 16 --epochs 50 --device cuda

DIR holds area_*/pano/{rgb,depth,semantic} and semantic_labels.json (or assets/semantic_labels.json). The areas of the
fold are tested on, the others trained on. The input is colour, depth, and the height of the direction of view: which
way is up is known, and makes a floor of a ceiling. The rooms are boxes with doors, boards, windows and tables that are
traced here, written as files in the same layout and read again: their scores say nothing of real ones.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from gaugenet.data import IGNORE_LABEL, DataError, Panorama, StanfordPanoramas
from gaugenet.data.panoramas import CLASSES, FOLDS, UNITS_PER_METRE
from gaugenet.geometry import Icosphere
from gaugenet.models import IcosahedralUNet
from gaugenet.viz import GlobePanel, draw_globes, nearest_point

Rays = Float[ndarray, "height width 3"]
Box = tuple[ndarray, ndarray]
"""Its lowest and its highest corner."""


@dataclass
class View:
    """What a camera sees so far: per pixel the distance, the class and the shade of grey of the nearest surface."""

    distance: Float[ndarray, "height width"]
    label: Int[ndarray, "height width"]
    shade: Float[ndarray, "height width"]

    def put(self, where: ndarray, name: str, *, distance: ndarray | None = None, shade: ndarray | float = 1.0) -> None:
        self.label[where] = CLASSES.index(name)
        self.shade[where] = np.broadcast_to(shade, where.shape)[where]
        if distance is not None:
            self.distance[where] = distance[where]


def rays(height: int) -> Rays:
    """Directions of view of the pixels: up is +z, the middle column looks along +x, left of it is +y."""
    polar = (np.arange(height) + 0.5) * np.pi / height
    azimuth = np.pi - (np.arange(2 * height) + 0.5) * np.pi / height
    polar, azimuth = np.meshgrid(polar, azimuth, indexing="ij")
    return np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], -1)


def crossings(direction: Rays, box: Box) -> tuple[ndarray, ndarray]:
    """Distances, from the origin, at which a ray has come into the slabs of a box on all axes, and leaves the first."""
    with np.errstate(divide="ignore"):
        to_sides = np.stack([side / direction for side in box])
    return to_sides.min(0).max(-1), to_sides.max(0).min(-1)


def see_room(direction: Rays, random: np.random.Generator) -> View:
    """A room with a door, a window and a board on its walls, and a table, seen from a point inside."""
    low = -np.array([*random.uniform(1, 3, 2), 1.5])
    high = np.array([*random.uniform(1, 3, 2), random.uniform(1, 1.6)])
    _, far = crossings(direction, (low, high))
    hit = direction * far[..., None]
    view = View(far, np.full(far.shape, CLASSES.index("wall")), np.abs(direction).max(-1))
    view.put(np.isclose(hit[..., 2], low[2]), "floor", shade=0.8)
    view.put(np.isclose(hit[..., 2], high[2]), "ceiling")
    for name, axis, bottom, top in (("door", 0, -1.5, 0.6), ("window", 1, -0.5, 0.7), ("board", 0, -0.5, 0.5)):
        side, start = (low, high)[random.integers(2)][axis], random.uniform(-0.8, 0.2)
        along, height = hit[..., 1 - axis], hit[..., 2]
        flat = np.isclose(hit[..., axis], side) & (along > start) & (along < start + 0.9)
        view.put(flat & (height > bottom) & (height < top), name, shade=random.uniform(0.4, 1.0))
    corner = np.array([*random.choice([-1, 1], 2) * random.uniform(0.6, 0.9, 2), -0.9])
    table = (corner - [0.4, 0.4, 0.6], corner + [0.4, 0.4, 0.0])
    near, out = crossings(direction, table)
    view.put((near > 0) & (near < out) & (near < far), "table", distance=near, shade=0.6)
    return view


def write_rooms(root: Path, rooms: dict[str, int], *, height: int = 64, seed: int = 0) -> None:
    """Panoramas of so many rooms of each area, in the layout of 2D-3D-S; every 50th depth is missing."""
    random = np.random.default_rng(seed)
    palette = np.random.default_rng(1).uniform(60, 220, (len(CLASSES), 3))
    for area, count in rooms.items():
        for k in range(count):
            view = see_room(rays(height), random)
            tint = palette[view.label] * random.uniform(0.7, 1.1, 3) * view.shade[..., None]
            depth = np.round(view.distance * UNITS_PER_METRE)
            depth[random.random(depth.shape) < 0.02] = 2**16 - 1
            images = {
                "rgb": np.clip(tint + random.normal(0, 12, tint.shape), 0, 255).astype(np.uint8),
                "depth": depth.astype(np.uint16),
                "semantic": np.stack([0 * view.label, 0 * view.label, view.label], -1).astype(np.uint8),
            }
            for domain, image in images.items():
                folder = root / f"area_{area}" / "pano" / domain
                folder.mkdir(parents=True, exist_ok=True)
                name = f"camera_{seed:016x}{k:016x}_room_{k}_frame_equirectangular_domain_{domain}.png"
                Image.fromarray(image).save(folder / name)
    (root / "semantic_labels.json").write_text(json.dumps([f"{name}_1_room_1_1" for name in CLASSES]))


def channels(panorama: Panorama, sphere: Icosphere) -> Float[Tensor, "5 vertices"]:
    """Colour, depth in units of 4 m, and the height of the direction of view."""
    up = sphere.pos[:, 2].float()
    return torch.cat([panorama.rgb - 0.5, panorama.depth[None] / 4, up[None]])


def loader(root: Path, areas: list[str], sphere: Icosphere, batch_size: int, *, shuffle: bool = False) -> DataLoader:
    def collate(panoramas: list[Panorama]) -> tuple[Tensor, Tensor]:
        return torch.stack([channels(p, sphere) for p in panoramas]), torch.stack([p.labels for p in panoramas])

    return DataLoader(StanfordPanoramas(root, sphere, areas=areas), batch_size, shuffle=shuffle, collate_fn=collate)


def train(model: IcosahedralUNet, data: DataLoader, epochs: int, device: str) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=epochs * len(data))
    for epoch in range(epochs):
        total = 0.0
        for x, label in data:
            loss = cross_entropy(model(x.to(device)), label.to(device), ignore_index=IGNORE_LABEL)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / len(data):.3f}")


@torch.no_grad()
def confusion(model: IcosahedralUNet, data: DataLoader, device: str) -> Int[Tensor, "truth found"]:
    """Numbers of vertices, which stand for nearly equal areas of the sphere."""
    model.eval()
    counts = torch.zeros(len(CLASSES) ** 2, dtype=torch.int64)
    for x, label in data:
        found, known = model(x.to(device)).argmax(1).cpu(), label != IGNORE_LABEL
        counts += torch.bincount(label[known] * len(CLASSES) + found[known], minlength=len(counts))
    return counts.view(len(CLASSES), -1)


def report(counts: Int[Tensor, "truth found"]) -> str:
    """Intersection over union of each class that occurs, their mean, and the share that is right."""
    right, truth, found = counts.diag(), counts.sum(1), counts.sum(0)
    there = truth > 0
    iou = right / (truth + found - right).clamp(min=1)
    rows = [f"{name:10}{100 * value:6.1f} %" for name, value, t in zip(CLASSES, iou.tolist(), there.tolist()) if t]
    rows += [
        f"{'mean IoU':10}{100 * iou[there].mean():6.1f} %",
        f"{'right':10}{100 * right.sum() / truth.sum():6.1f} %",
    ]
    return "\n".join(rows)


def draw(path: Path, model: IcosahedralUNet, panorama: Panorama, sphere: Icosphere, device: str) -> None:
    """The depth of a room, its classes as found and as they are, on maps of all directions of view."""
    with torch.no_grad():
        found = model(channels(panorama, sphere)[None].to(device)).argmax(1)[0].cpu()
    panels = [
        GlobePanel(name="depth", scalar=panorama.depth.numpy()),
        GlobePanel(name="found", labels=found.numpy() + 1),
        GlobePanel(name="truth", labels=panorama.labels.numpy() + 1),
    ]
    names = ["", *CLASSES]  # class 0 of a map is not painted
    draw_globes(path, panels, nearest_point(sphere.pos.numpy()), class_names=names, title=panorama.name, width=600)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="folder of the areas; default: rooms made here")
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
        print(f"areas {', '.join(parts[1])}:\n{report(confusion(model, unseen, chosen.device))}")
        draw(chosen.out / "panorama.png", model, unseen.dataset[0], sphere, chosen.device)
    except DataError as error:
        parser.error(str(error))
    print(chosen.out / "panorama.png")


if __name__ == "__main__":
    main()
