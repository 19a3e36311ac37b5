"""IcosahedralUNet: a gauge-equivariant U-Net on the charts of the icosahedron, for any level."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet.geometry.icosahedron import Icosphere, icosphere
from gaugenet.groups import Cyclic, FieldType, group_from_name
from gaugenet.groups.group import positive
from gaugenet.nn import EquivariantLinear, FieldDropout, FieldLayerNorm, GaugeConv, PointwiseNonlinearity, Pool, Unpool
from gaugenet.nn.chart_norm import ChartBatchNorm
from gaugenet.nn.engines import charts
from gaugenet.nn.engines._chart_transfer import project_corners

NORMS = {"batch": ChartBatchNorm, "layer": FieldLayerNorm}


class IcosahedralUNet(nn.Module):
    """U-Net of regular fields: lifted, convolved on every level, carried between levels, read out as any field type.

    Shapes:
        x: on an icosphere, `(V, in_type.size)`, `(B, in_type.size, V)` or `(B, in_type.size, 5n + 1, 2n)`, see
        `Icosphere` -> the same with `out_type.size` channels.

    The level of the icosphere is read from the shape, and no weight depends on it: train on one level, run on another.

    Equivariance: exact under the 60 rotations of the icosahedron, at every vertex, in training and in eval; 1e-5
    relative in float32, 1e-13 in float64. Invariant under changes of the chart frames.

    Args:
        in_type: field type of the input, e.g. `"3x0 + 2x1"`: three scalars and two tangent vectors.
        out_type: number of classes (scalars), or a field type, e.g. `"1x1"`.
        group: name of the structure group: `C_6`, or `D_6`, which also identifies mirror images.
        width: regular fields on the finest level.
        growth: factor of the width from level to level.
        levels: number of levels, the finest included; the input's level must be at least `levels - 1`.
        blocks: residual convolutions a level, going down and coming up.
        rings: radial functions of the kernels; the six neighbours are all on one ring.
        max_frequency: angular band limit of the kernels, see `KernelSpace`.
        norm: `batch` or `layer` (over the channels of each vertex: independent of the rest of the batch).
        activation: `relu`, `gelu`, `silu`, `elu` or `tanh`.
        downsample: `stride`, a strided convolution, or `pool`, the mean over neighbours, then a convolution.
        dropout: probability to drop a field, everywhere in a sample, before each convolution of a block.

    The arguments are kept as `config`, a dictionary that JSON can hold: `IcosahedralUNet(**model.config)` is the same
    network.

    Raises:
        ValueError: unknown names, sizes below one; in `forward`, features of another type or too coarse an icosphere.
    """

    def __init__(
        self,
        in_type: str | FieldType,
        out_type: int | str | FieldType,
        *,
        group: str = "C_6",
        width: int = 8,
        growth: float = 2.0,
        levels: int = 4,
        blocks: int = 1,
        rings: int = 1,
        max_frequency: int | None = None,
        norm: str = "batch",
        activation: str = "relu",
        downsample: str = "stride",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "in_type": str(in_type),
            "out_type": out_type if isinstance(out_type, int) else str(out_type),
            "group": group,
            "width": width,
            "growth": growth,
            "levels": levels,
            "blocks": blocks,
            "rings": rings,
            "max_frequency": max_frequency,
            "norm": norm,
            "activation": activation,
            "downsample": downsample,
            "dropout": dropout,
        }
        _check_names({"norm": (norm, tuple(NORMS)), "downsample": (downsample, ("stride", "pool"))})
        structure = group_from_name(group)
        structure.check_subgroup(Cyclic(6))
        self.in_type = FieldType(structure, in_type)
        if isinstance(out_type, int):
            out_type = FieldType(structure, {"trivial": positive("out_type", out_type)})
        self.out_type = FieldType(structure, out_type)
        widths = [round(positive("width", width) * growth**k) for k in range(positive("levels", levels))]
        if min(widths) < 1:
            raise ValueError(f"Expected a `growth` that keeps at least one field on every level, got {growth}.")
        types = [FieldType(structure, {"regular": w}) for w in widths]
        conv: dict[str, Any] = {"rings": rings, "max_frequency": max_frequency}
        stage: dict[str, Any] = {
            "blocks": blocks,
            "norm": norm,
            "activation": activation,
            "dropout": dropout,
            "conv": conv,
        }
        self.lift = GaugeConv(self.in_type, types[0], **conv)
        self.down = nn.ModuleList([_Stage(t, **stage) for t in types])
        self.coarsen = nn.ModuleList([_Coarsen(a, b, downsample, conv) for a, b in pairwise(types)])
        self.unpool = nn.ModuleList([Unpool(t) for t in types[1:]])
        self.merge = nn.ModuleList([GaugeConv(a + b, a, **conv) for a, b in pairwise(types)])
        self.up = nn.ModuleList([_Stage(t, **stage) for t in types[:-1]])
        self.norm = NORMS[norm](types[0])
        self.act = PointwiseNonlinearity(types[0], activation=activation)
        self.head = EquivariantLinear(types[0], self.out_type)

    def forward(self, x: Float[Tensor, "..."], domain: Icosphere | None = None) -> Float[Tensor, "..."]:
        """`domain` is only compared with the shape of `x`."""
        self.in_type.check(x)
        sphere = _sphere_of(x) if domain is None else domain
        charts.check(self.in_type, x, sphere)
        if sphere.level < len(self.down) - 1:
            raise ValueError(
                f"Expected an icosphere of level {len(self.down) - 1} or more for {len(self.down)} levels, got level "
                f"{sphere.level}: use fewer `levels`."
            )
        y = self._charts(project_corners(charts.as_charts(x, sphere), self.in_type, sphere), sphere)
        return y if x.dim() == 4 else charts.from_charts(y, x.dim(), sphere)

    def _charts(self, x: Float[Tensor, "batch in rows columns"], sphere: Icosphere) -> Tensor:
        spheres = [sphere.coarser(k) for k in range(len(self.down))]
        x = self.lift(x, sphere)
        skips: list[Tensor] = []
        for k, stage in enumerate(self.down):
            x = stage(x, spheres[k])
            if k + 1 < len(spheres):
                skips.append(x)
                x = self.coarsen[k](x, spheres[k])
        for k in reversed(range(len(skips))):
            x = torch.cat([skips.pop(), self.unpool[k](x, spheres[k])], 1)
            x = self.up[k](self.merge[k](x, spheres[k]), spheres[k])
        return self.head(self.act(self.norm(x)))


class _Stage(nn.Module):
    """x + conv(act(norm(x))), a few times (He et al. 2016, pre-activation)."""

    def __init__(
        self, field_type: FieldType, *, blocks: int, norm: str, activation: str, dropout: float, conv: dict[str, Any]
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList([NORMS[norm](field_type) for _ in range(blocks)])
        self.act = PointwiseNonlinearity(field_type, activation=activation)
        self.drop = FieldDropout(field_type, dropout, whole=True)
        self.convs = nn.ModuleList([GaugeConv(field_type, field_type, **conv) for _ in range(blocks)])

    def forward(self, x: Tensor, sphere: Icosphere) -> Tensor:
        for norm, conv in zip(self.norms, self.convs):
            x = x + conv(self.drop(self.act(norm(x))), sphere)
        return x


class _Coarsen(nn.Module):
    """To the next coarser level, and to its width."""

    def __init__(self, in_type: FieldType, out_type: FieldType, how: str, conv: dict[str, Any]) -> None:
        super().__init__()
        self.pool = Pool(in_type) if how == "pool" else None
        self.conv = GaugeConv(in_type, out_type, **conv)

    def forward(self, x: Tensor, sphere: Icosphere) -> Tensor:
        if self.pool is None:
            return self.conv(x, sphere.strided())
        return self.conv(self.pool(x, sphere), sphere.coarser())


def _sphere_of(x: Tensor) -> Icosphere:
    """The icosphere whose features have this shape."""
    if x.dim() == 4:
        columns = x.shape[3]
        level = columns.bit_length() - 2
    else:
        count = x.shape[0] if x.dim() == 2 else x.shape[-1]
        level = (max(count - 2, 1) // 10).bit_length() // 2
    return icosphere(max(level, 0))


def _check_names(chosen: dict[str, tuple[str, Sequence[str]]]) -> None:
    for name, (value, allowed) in chosen.items():
        if value not in allowed:
            raise ValueError(f"Unknown {name} {value!r}: expected {' or '.join(f'`{a}`' for a in allowed)}.")
