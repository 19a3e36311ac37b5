"""Bones, limbs and bodies: a skeleton whose bones carry flesh and a part class."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

CLASSES = (
    "head",
    "neck",
    "torso",
    "upper_front_limb",
    "lower_front_limb",
    "upper_hind_limb",
    "lower_hind_limb",
    "tail",
)
HEAD, NECK, TORSO, UPPER_FRONT, LOWER_FRONT, UPPER_HIND, LOWER_HIND, TAIL = range(len(CLASSES))


@dataclass(frozen=True)
class Bone:
    """A tapered capsule from `start` to `end`, with elliptical cross-section.

    Args:
        start, end: end points `(3,)`.
        radii: radius at `start` and at `end`.
        label: index into `CLASSES`.
        bulge: added to the radius halfway (negative: a waist).
        side: direction `(3,)` in which the cross-section is stretched by `wide`; across it and the axis by `deep`.
        blend: width over which the bone melts into what it is joined to.
    """

    start: np.ndarray
    end: np.ndarray
    radii: tuple[float, float]
    label: int
    bulge: float = 0.0
    side: tuple[float, float, float] = (0.0, 1.0, 0.0)
    wide: float = 1.0
    deep: float = 1.0
    blend: float = 0.03

    @property
    def reach(self) -> float:
        """No point of the bone's flesh is further than this from its axis."""
        return (max(self.radii) + max(self.bulge, 0.0)) * max(self.wide, self.deep, 1.0)


@dataclass
class Body:
    """A trunk of bones, melted together one after the other, and limbs, each melted to the trunk but not to each other.

    Two limbs may come close without growing together: between limbs the union is sharp.
    """

    trunk: list[Bone] = field(default_factory=list)
    limbs: list[list[Bone]] = field(default_factory=list)

    @property
    def bones(self) -> list[Bone]:
        return self.trunk + [bone for limb in self.limbs for bone in limb]


def direction(pitch: float, yaw: float = 0.0) -> np.ndarray:
    """Unit vector `(3,)`: `pitch` degrees above the x axis (forward), turned by `yaw` degrees towards y (left)."""
    p, y = np.radians(pitch), np.radians(yaw)
    return np.array([np.cos(p) * np.cos(y), np.cos(p) * np.sin(y), np.sin(p)])


def hanging(swing: float, spread: float) -> np.ndarray:
    """Unit vector `(3,)` of a limb: straight down, swung forward by `swing` degrees, then spread to y by `spread`."""
    s, a = np.radians(swing), np.radians(spread)
    return np.array([np.sin(s), np.cos(s) * np.sin(a), -np.cos(s) * np.cos(a)])


def chain(start: np.ndarray, steps: list[np.ndarray]) -> list[np.ndarray]:
    """The points reached from `start` by one step after the other, `start` first."""
    points = [np.asarray(start, dtype=float)]
    for step in steps:
        points.append(points[-1] + step)
    return points


def tapered(points: list[np.ndarray], radii: list[float], label: int, **options) -> list[Bone]:
    """Bones along a polyline with one radius a point."""
    return [
        Bone(a, b, (ra, rb), label, **options)
        for a, b, ra, rb in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True)
    ]
