"""Frames, layers and points that the pictures of rows share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.geometry import Grid
from gaugenet.groups import StructureGroup
from gaugenet.taxonomy.entry import Row
from gaugenet.viz import SurfacePicture

LINES = (176, 184, 196)


def layer_of(row: Row, seed: int) -> Any:
    """Return the layer of a row, with random weights from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return row.configure(row.points())[1]


def frames_of(row: Row, points: Tensor) -> Float[Tensor, "points D d"]:
    """Return the frames of a row's configuration at points."""
    domain, layer = row.configure(points)
    d = layer.in_type.group.d
    frame = torch.eye(d).expand(len(points), -1, -1) if isinstance(domain, Grid) else domain.frame[: len(points)]
    return frame.double()


def in_random_gauges(frames: Tensor, group: StructureGroup, seed: int) -> Tensor:
    """Return frames transformed by a random group element at every point, a moderate one if the group is noncompact."""
    if group.order == 1:
        return frames
    generator = torch.Generator().manual_seed(seed)
    g = group.random_element(len(frames), generator=generator).double()
    return typed_tensor(frames @ torch.linalg.inv(g))


def collected(
    picture: SurfacePicture,
    layer: Any,
    centres: Tensor,
    others: Tensor,
    frames: Callable[[Tensor], Tensor],
    radius: float,
    *,
    length: float | None = None,
    seed: int = 0,
    orbit: bool = True,
) -> SurfacePicture:
    """Draw kernels at the centres and frames at the other points, all in random gauges; return the picture."""
    group = layer.in_type.group
    frame = in_random_gauges(frames(torch.cat([centres, others])), group, seed)
    count = len(centres)
    picture.kernel(centres, layer, radius, frame[:count])
    return picture.frames(others, frame[count:], group=group if orbit else None, length=length, width=0.1)


def apart(picture: SurfacePicture, centres: Tensor, others: Tensor, distance: float) -> Tensor:
    """Return those of the other points that are further than `distance`, in space, from all centres."""
    here, there = (torch.from_numpy(picture.surface.immersion(p)) for p in (centres, others))
    return others[torch.cdist(there, here).amin(1) > distance]


def ring(radius: float, count: int, shift: float = 0.0) -> Float[Tensor, "count 2"]:
    """Return evenly spaced points on a circle; `shift` is in parts of the spacing."""
    angle = 2 * math.pi * (torch.arange(count, dtype=torch.float64) + shift) / count
    return radius * torch.stack([angle.cos(), angle.sin()], -1)


def at_latitude(degrees: float, circle: Tensor) -> Tensor:
    """Return points of the unit circle, moved to a circle of latitude of the unit sphere."""
    height = torch.full((len(circle), 1), math.sin(math.radians(degrees)), dtype=torch.float64)
    return torch.cat([math.cos(math.radians(degrees)) * circle, height], -1)
