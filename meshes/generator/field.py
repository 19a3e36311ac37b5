"""The signed distance field of a body, and which part dominates it."""

from __future__ import annotations

import numpy as np

from .skeleton import CLASSES, TAIL, Body, Bone

FAR = 1e3


def smooth_union(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """Polynomial smooth minimum: the minimum, rounded where `|a - b| < width`; exact arithmetic only (no exp)."""
    h = np.maximum(width - np.abs(a - b), 0.0) / width
    return np.minimum(a, b) - h * h * (width / 4)


def bone_distance(bone: Bone, points: np.ndarray) -> np.ndarray:
    """Signed distance (to first order, negative inside) `(..., )` of points `(..., 3)` from the flesh of one bone.

    An ellipse's distance is estimated as `(|e| - r) |e| / |e / s|` with `e = q / s`, as usual for ellipsoids.
    """
    axis = bone.end - bone.start
    length = max(float(np.sqrt((axis * axis).sum())), 1e-6)
    u = axis / length
    side = np.asarray(bone.side, dtype=float)
    side = side - _dot(side, u) * u
    side = side / max(float(np.sqrt((side * side).sum())), 1e-9)
    x, y, z = (points[..., k] - bone.start[k] for k in range(3))
    along = x * u[0] + y * u[1] + z * u[2]
    across = x * side[0] + y * side[1] + z * side[2]
    squared = x * x + y * y + z * z
    t = np.clip(along / length, 0.0, 1.0)
    beyond = along - t * length
    deep = np.maximum(squared - along * along - across * across, 0.0) / bone.deep**2
    wide = (across / bone.wide) ** 2
    radius = bone.radii[0] + (bone.radii[1] - bone.radii[0]) * t + 4 * bone.bulge * t * (1 - t)
    e = np.sqrt(beyond * beyond + wide + deep)
    if bone.wide == bone.deep == 1.0:
        return e - radius
    slope = np.sqrt(beyond * beyond + wide / bone.wide**2 + deep / bone.deep**2)
    return (e - radius) * (e + 1e-9) / (slope + 1e-9)


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def chain_distance(bones: list[Bone], points: np.ndarray) -> np.ndarray:
    """Smooth union of bones, in their order, each melted in over its own width."""
    total = bone_distance(bones[0], points)
    for bone in bones[1:]:
        total = smooth_union(total, bone_distance(bone, points), bone.blend)
    return total


def body_distance(body: Body, points: np.ndarray) -> np.ndarray:
    """Signed distance of points `(..., 3)` from the skin: the minimum over limbs of (trunk melted with that limb)."""
    trunk = chain_distance(body.trunk, points)
    total = trunk
    for limb in body.limbs:
        total = np.minimum(total, smooth_union(trunk, chain_distance(limb, points), limb[0].blend))
    return total


def sample_grid(body: Body, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """The field on a grid `(nx, ny, nz)` around the body, and the grid's origin `(3,)`.

    Each limb is evaluated in its own box only; the field is large and positive where nothing is near.
    """
    margin = 3 * spacing
    low, high = _box(body.bones, margin)
    size = np.ceil((high - low) / spacing).astype(int) + 1
    trunk = _fill_grid(np.full(size, FAR), low, spacing, body.trunk, margin)
    total = trunk.copy()
    for limb in body.limbs:
        near = _fill_grid(np.full(size, FAR), low, spacing, limb, margin + limb[0].blend)
        total = np.minimum(total, smooth_union(trunk, near, limb[0].blend))
    return total, low


def _box(bones: list[Bone], margin: float) -> tuple[np.ndarray, np.ndarray]:
    low = np.min([np.minimum(b.start, b.end) - b.reach for b in bones], axis=0) - margin
    high = np.max([np.maximum(b.start, b.end) + b.reach for b in bones], axis=0) + margin
    return low, high


def _fill_grid(grid: np.ndarray, origin: np.ndarray, spacing: float, bones: list[Bone], margin: float):
    low, high = _box(bones, margin)
    first = np.maximum(np.floor((low - origin) / spacing).astype(int), 0)
    last = np.minimum(np.ceil((high - origin) / spacing).astype(int) + 1, grid.shape)
    axes = [origin[k] + spacing * np.arange(first[k], last[k]) for k in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    grid[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = chain_distance(bones, points)
    return grid


def project_to_skin(body: Body, points: np.ndarray, *, steps: int = 3, difference: float = 1e-5) -> np.ndarray:
    """Newton steps along the gradient onto the zero set, each at most 0.02 long.

    Args:
        body: the field's body.
        points: `(N, 3)`.
        steps: how many steps.
        difference: width of the forward differences that give the gradient.
    """
    for _ in range(steps):
        value = body_distance(body, points)
        ahead = [body_distance(body, points + offset) for offset in difference * np.eye(3)]
        gradient = (np.stack(ahead, axis=-1) - value[:, None]) / difference
        slope = np.sqrt(np.maximum((gradient * gradient).sum(-1), 0.05))
        points = points - (np.clip(value / slope, -0.02, 0.02) / slope)[:, None] * gradient
    return points


def part_distances(body: Body, points: np.ndarray) -> np.ndarray:
    """Distance `(N, classes)` of points from the bones of each class; the smallest one names the part."""
    parts = np.full((len(points), len(CLASSES)), FAR)
    for bone in body.bones:
        parts[:, bone.label] = np.minimum(parts[:, bone.label], bone_distance(bone, points))
    return parts


def thickness(body: Body, points: np.ndarray, *, least: float = 0.012, most: float = 0.06) -> np.ndarray:
    """Radius `(N,)` across its thin side of the bone nearest to each point, kept between `least` and `most`."""
    distances = np.stack([bone_distance(bone, points) for bone in body.bones])
    radii = np.array([0.5 * sum(bone.radii) * min(bone.wide, bone.deep, 1.0) for bone in body.bones])
    return np.clip(radii, least, most)[distances.argmin(axis=0)]


def clearance(body: Body) -> float:
    """The smallest gap between a limb and what it is not joined to, negative where they overlap.

    Compared are the axis points beyond each limb's first bone, with which it grows out of the trunk. Limbs of a single
    bone (ears, horns) may sit on the trunk, but not on other limbs.
    """
    gap = FAR
    for i, limb in enumerate(body.limbs):
        points, radii = _axis_samples(limb)
        if len(limb) > 1:
            gap = min(gap, float((chain_distance(body.trunk, points) - radii).min()))
        for j, other in enumerate(body.limbs):
            if i != j and max(len(limb), len(other)) > 1:
                gap = min(gap, float((chain_distance(other, points) - radii).min()))
    return gap


def _axis_samples(limb: list[Bone], per_bone: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Points `(n, 3)` along a limb beyond its root, and the flesh's radius there."""
    t = np.linspace(0.0, 1.0, per_bone)
    if len(limb) == 1:
        bones, t = limb, t[t > 0.5]
    else:
        bones = limb[2 if limb[0].label == TAIL else 1 :]
    points = np.concatenate([b.start + t[:, None] * (b.end - b.start) for b in bones])
    radii = np.concatenate([b.radii[0] + t * (b.radii[1] - b.radii[0]) for b in bones])
    if len(limb) > 1:  # the joint itself still touches the root
        points, radii = points[2:], radii[2:]
    return points, radii
