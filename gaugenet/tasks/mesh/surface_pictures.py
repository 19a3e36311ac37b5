"""Pictures of `gaugenet view`: a mesh with frames, geodesic discs, or kernels of a layer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gaugenet.geometry import CrossField, TriangleMesh, cross_field
from gaugenet.geometry.mesh.frame_field import FRAMES
from gaugenet.groups import SO2, Cyclic, FieldType, StructureGroup
from gaugenet.groups.lookup import group_from_name
from gaugenet.nn import GaugeConv
from gaugenet.tasks.training.options import TaskError
from gaugenet.viz import MeshView, SurfacePicture

SPREAD = 12
"""The number of discs, and of kernels, where no vertices are named."""


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """What to draw on a mesh. Vertices are numbered as in the file; an empty list means some that lie far apart.

    Attributes:
        frames: "first_edge", "random", "principal" or "crossN", a smooth field of N directions; `None`: none.
        group: name of the structure group, whose other frames are also drawn. By default the layer's group, C_N with
            "crossN", otherwise SO(2).
        count: number of frames, if `at` names no vertices.
        at: vertices of the frames.
        discs: centres of geodesic discs with logarithmic coordinates; `None`: none.
        kernels: centres of kernels; `None`: none.
        transport: draw kernels in the frame at the first of their vertices, transported to the others in turn by
            parallel transport, instead of in the frame of each vertex.
        radius: of discs and kernels, in the units of the mesh; by default a tenth of the square root of its area.
        fields: types of the kernel, "INPUT -> OUTPUT", with random weights.
        run, layer: a run and the name of a layer in its network, whose kernel is drawn instead.
        entry: row and column of K(v); by default the one that varies most with the direction.
        seed: of random weights.
    """

    frames: str | None = None
    group: str | None = None
    count: int = 60
    at: Sequence[int] | None = None
    discs: Sequence[int] | None = None
    kernels: Sequence[int] | None = None
    transport: bool = False
    radius: float | None = None
    fields: str | None = None
    run: str | Path | None = None
    layer: str | None = None
    entry: Sequence[int] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise TaskError(f"Expected at least one frame, got a count of {self.count}.")
        if self.run is not None and self.fields is not None:
            raise TaskError("A kernel is taken from a run, or made for given fields: leave out --run or --fields.")
        of_kernels = ("transport", "fields", "run", "layer", "entry")
        idle = [f"--{name}" for name in of_kernels if getattr(self, name)]
        if self.kernels is None and idle:
            raise TaskError(f"Expected --kernel in addition to {' and '.join(idle)}: no kernel is drawn.")
        if self.radius is not None and self.kernels is None and self.discs is None:
            raise TaskError("Expected --disc or --kernel in addition to --radius: nothing has one.")
        if self.layer is not None and self.run is None:
            raise TaskError(f"Expected --run RUN in addition to --layer {self.layer}: which network's layer is it?")


def draw_on_mesh(view: MeshView, request: DrawOptions) -> SurfacePicture:
    """Return the picture of a mesh with everything that is requested.

    Raises:
        TaskError: If options contradict each other, or the network does not have the layer.
        MeshError: If the mesh cannot be used, or does not have the structure.
        ValueError: If vertices are outside of the mesh, or a name is unknown.
    """
    mesh = view.mesh
    conv = None if request.kernels is None else layer_to_draw(request)
    group = conv.in_type.group if conv else group_from_name(request.group) if request.group else None
    frames = _frames(mesh, request.frames, group)
    if group is not None:
        _check(mesh, group, frames)
    picture = SurfacePicture(mesh, up=view.up, front=view.front)
    radius = 0.1 * math.sqrt(mesh.area) if request.radius is None else request.radius
    some = picture.spread(2 * SPREAD)
    if request.discs is not None:
        picture.disc(request.discs or some[:SPREAD], radius, frames)
    if conv is not None:
        at = torch.as_tensor(request.kernels or some[-SPREAD:])
        _draw_kernels(picture, conv, at, radius, frames, request)
    if request.frames or request.at or (request.group and conv is None):
        picture.frames(request.at or request.count, frames, group=group if request.group else None)
    return picture


def layer_to_draw(request: DrawOptions) -> GaugeConv:
    """Return the layer whose kernel is drawn: one of a run, or one with random weights.

    Raises:
        TaskError: If there is no such layer, or the structure group differs from the layer's.
        ValueError: If fields cannot be read.
    """
    if request.run is not None:
        conv = _trained(request.run, request.layer)
        if request.group not in (None, conv.in_type.group.name):
            raise TaskError(
                f"The layer has the group {conv.in_type.group.name}: --group {request.group} is another one."
            )
        return conv
    crosses = _directions(request.frames)
    group = group_from_name(request.group) if request.group else Cyclic(crosses) if crosses else SO2()
    fields = request.fields or ("1x0 -> 1x1" if group.order is None else "1xtrivial -> 1xregular")
    source, arrow, target = fields.partition("->")
    if not arrow:
        raise TaskError(f'Expected --fields "INPUT -> OUTPUT" such as "1x0 -> 1x1", got {fields!r}.')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        return GaugeConv(FieldType(group, source.strip()), FieldType(group, target.strip()))


def _trained(run: str | Path, layer: str | None) -> GaugeConv:
    from gaugenet.tasks.training.run import load_run

    network, _ = load_run(run)
    found = {name: module for name, module in network.named_modules() if isinstance(module, GaugeConv)}
    if not found:
        raise TaskError(f"The network of {run} has no GaugeConv, so it has no kernels to draw.")
    if layer is not None and layer not in found:
        raise TaskError(f"The network of {run} has no layer {layer!r}: choose one of {', '.join(found)}.")
    return found[layer or next(iter(found))]


def _directions(frames: str | None) -> int | None:
    """Return N of "crossN"."""
    match = re.fullmatch(r"cross([1-9]\d*)", frames or "")
    return int(match[1]) if match else None


def _frames(mesh: TriangleMesh, frames: str | None, group: StructureGroup | None) -> CrossField | str:
    """Return the frames of that name; by default frames for the group: C_N and D_N need a field of N directions."""
    crosses = _directions(frames)
    if frames is None and group is not None and group.order is not None and group.order > 1:
        crosses = getattr(group, "n", None)
    if crosses is not None:
        return cross_field(mesh, crosses)
    if frames is not None and frames not in FRAMES:
        raise ValueError(
            f"Expected --frames to be one of {', '.join(FRAMES)} or crossN such as cross4, got {frames!r}."
        )
    return frames or "first_edge"


def _check(mesh: TriangleMesh, group: StructureGroup, frames: CrossField | str) -> None:
    """Raise the error of `gauge_graph` if the group does not contain the transporters."""
    if isinstance(frames, CrossField) and group.order is not None:
        frames.gauge_graph(group, neighborhood="one_ring")
    else:
        field = frames.frames if isinstance(frames, CrossField) else frames
        mesh.gauge_graph(group, neighborhood="one_ring", frames=field, seed=0)


def _draw_kernels(
    picture: SurfacePicture, conv: GaugeConv, at: Tensor, radius: float, frames: Any, request: DrawOptions
) -> None:
    entry = None if request.entry is None else (request.entry[0], request.entry[1])
    if request.transport:
        start = picture.surface.frames_at(picture.surface.checked(at[:1]), frames)[0]
        frames = picture.transported(at, start)
        picture.curve(at)
    picture.kernel(at, conv, radius, frames, entry=entry)
