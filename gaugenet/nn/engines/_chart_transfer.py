"""Features from one level of an icosphere to the next, with transport between chart frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from gaugenet._transforms import outside_transforms
from gaugenet._typing import constant_result
from gaugenet.geometry.icosphere import _charts
from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.groups import FieldType
from gaugenet.nn.engines._chart_conv import cells
from gaugenet.nn.engines._chart_edges import PROJECT
from gaugenet.nn.engines.charts import as_charts, block_matrices, from_charts


@dataclass(frozen=True)
class Gather:
    """Cells to read, and the positions among them whose features transform, by steps of 60 degrees."""

    cells: Int[Tensor, "reads"]
    rotated: tuple[tuple[int, Int[Tensor, "positions"]], ...]


def pool(x: Float[Tensor, "..."], field_type: FieldType, sphere: Icosphere) -> Float[Tensor, "..."]:
    """Return (2 x(p) + sum of the six transported neighbours) / 8 at the vertices of the coarser level.

    A corner takes the place of its missing sixth neighbour, and keeps the invariant part only.
    """
    coarse = sphere.coarser()
    fine = cells(as_charts(x, sphere))
    around, centre = _pooled(sphere.level, x.device)
    total = 2 * fine[:, centre] + _read(fine, field_type, around).unflatten(1, (-1, 6)).sum(2)
    return _as_given(_projected(total, field_type, coarse) / 8, x.dim(), coarse)


def unpool(x: Float[Tensor, "..."], field_type: FieldType, sphere: Icosphere) -> Float[Tensor, "..."]:
    """Return the coarse features at the coarse vertices of `sphere`, and transported means of two at the midpoints."""
    coarse = cells(as_charts(x, sphere.coarser()))
    first, second = _unpooled(sphere.level, x.device)
    return _as_given((coarse[:, first] + _read(coarse, field_type, second)) / 2, x.dim(), sphere)


def project_corners(
    x: Float[Tensor, "batch size rows columns"], field_type: FieldType, sphere: Icosphere
) -> Float[Tensor, "batch size rows columns"]:
    """Return the field reduced to its invariant part at the twelve corners, where nothing else is defined."""
    if field_type.is_invariant:
        return x
    return _as_given(_projected(cells(x), field_type, sphere), 4, sphere)


def _projected(x: Tensor, field_type: FieldType, sphere: Icosphere) -> Float[Tensor, "batch cells size"]:
    corners = sphere.corners.to(x.device)
    return x.index_copy(1, corners, _rotation(x[:, corners], field_type, PROJECT))


def _as_given(rows: Float[Tensor, "batch cells size"], dim: int, sphere: Icosphere) -> Tensor:
    charts = rows.unflatten(1, sphere.chart_shape).permute(0, 3, 1, 2)
    return charts if dim == 4 else from_charts(charts, dim, sphere)


def _read(x: Float[Tensor, "batch cells size"], field_type: FieldType, gather: Gather) -> Tensor:
    out = x[:, gather.cells]
    for steps, positions in gather.rotated:
        out = out.index_copy_(1, positions, _rotation(out[:, positions], field_type, steps))
    return out


def _rotation(
    x: Float[Tensor, "batch edges size"], field_type: FieldType, steps: int
) -> Float[Tensor, "batch edges size"]:
    parts = [
        (rho[steps] @ x[..., b.slice].unflatten(-1, (b.representation.dim, -1))).flatten(-2)
        for b, rho in zip(field_type.blocks, block_matrices(field_type, x.dtype, x.device), strict=True)
    ]
    return torch.cat(parts, -1) if parts else x


@constant_result
def _pooled(level: int, device: torch.device) -> tuple[Gather, Int[Tensor, "coarse"]]:
    with outside_transforms():
        return _pool_table(level, device)


@constant_result
def _unpooled(level: int, device: torch.device) -> tuple[Int[Tensor, "fine"], Gather]:
    with outside_transforms():
        return _unpool_table(level, device)


@lru_cache(maxsize=64)
def _pool_table(level: int, device: torch.device) -> tuple[Gather, Int[Tensor, "coarse"]]:
    coarse_vertex = _charts.coarse_vertices(level)
    table, rotation = _charts.neighbors(level)[coarse_vertex], _charts.rotations(level)[coarse_vertex]
    table = np.where(table < 0, coarse_vertex[:, None], table)
    unused = _unused(level)
    pad = 2 * 2 ** (level - 1) - 2
    around = np.concatenate([table.ravel(), np.full(6 * pad, unused)])
    centre = np.concatenate([coarse_vertex, np.full(pad, unused)])
    return _gather(around, rotation.ravel(), device), torch.from_numpy(centre).to(device)


@lru_cache(maxsize=64)
def _unpool_table(level: int, device: torch.device) -> tuple[Int[Tensor, "fine"], Gather]:
    n = 2 ** (level - 1)
    here = np.arange(10 * n * n).reshape(5, n, 2 * n)
    table, rotation = (
        t[: 10 * n * n].reshape(5, n, 2 * n, 6) for t in (_charts.neighbors(level - 1), _charts.rotations(level - 1))
    )
    first = np.repeat(np.repeat(here, 2, 1), 2, 2)
    second, steps = first.copy(), np.zeros_like(first)
    for direction, (a, b) in enumerate([(1, 0), (1, 1), (0, 1)]):
        second[:, a::2, b::2], steps[:, a::2, b::2] = table[..., direction], rotation[..., direction]
    southern, northern = here[:, 0, 0], here[:, 0, n]
    count = _charts.num_vertices(level - 1)
    tail = np.array([count - 2, count - 1, *[_unused(level - 1)] * (4 * n - 2)])
    steps = np.where(np.isin(first, [southern, northern]), 0, steps)
    both = [np.concatenate([t.ravel(), tail]) for t in (first, second)]
    return torch.from_numpy(both[0]).to(device), _gather(both[1], steps.ravel(), device)


def _gather(index: ndarray, rotation: ndarray, device: torch.device) -> Gather:
    rotated = [
        (int(m), torch.from_numpy(np.flatnonzero(rotation == m)).to(device)) for m in np.unique(rotation[rotation != 0])
    ]
    return Gather(torch.from_numpy(index).to(device), tuple(rotated))


def _unused(level: int) -> int:
    """Return a cell of the layout that belongs to no vertex; on level 0, which has none, the south pole."""
    return _charts.num_vertices(level) - (level == 0)
