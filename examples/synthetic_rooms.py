"""Ray-traced rooms as panoramas in the layout of 2D-3D-S: boxes with doors, boards, windows and tables.

They are a test of `segment_panoramas.py`; scores on them are not comparable with real rooms.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from PIL import Image

from gaugenet.data.images.panoramas import CLASSES, UNITS_PER_METRE

Rays = Float[ndarray, "height width 3"]
Box = tuple[ndarray, ndarray]
"""The lowest and the highest corner of a box."""


@dataclass
class View:
    """The nearest surface at each pixel: its distance, class and grey value."""

    distance: Float[ndarray, "height width"]
    label: Int[ndarray, "height width"]
    shade: Float[ndarray, "height width"]

    def put(self, where: ndarray, name: str, *, distance: ndarray | None = None, shade: ndarray | float = 1.0) -> None:
        self.label[where] = CLASSES.index(name)
        self.shade[where] = np.broadcast_to(shade, where.shape)[where]
        if distance is not None:
            self.distance[where] = distance[where]


def rays(height: int) -> Rays:
    """Return the directions of view of the pixels: up is +z, the middle column is +x, and +y is left of it."""
    polar = (np.arange(height) + 0.5) * np.pi / height
    azimuth = np.pi - (np.arange(2 * height) + 0.5) * np.pi / height
    polar, azimuth = np.meshgrid(polar, azimuth, indexing="ij")
    return np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], -1)


def crossings(direction: Rays, box: Box) -> tuple[ndarray, ndarray]:
    """Return the distances at which a ray from the origin enters the last and leaves the first slab of a box."""
    with np.errstate(divide="ignore"):
        to_sides = np.stack([side / direction for side in box])
    return to_sides.min(0).max(-1), to_sides.max(0).min(-1)


def see_room(direction: Rays, random: np.random.Generator) -> View:
    """Return the view of a room with a door, a window, a board and a table, from a point inside."""
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
    """Write `rooms[area]` panoramas for each area in the layout of 2D-3D-S; every 50th depth is missing."""
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
