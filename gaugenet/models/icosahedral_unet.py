"""IcosahedralUNet: a gauge-equivariant U-Net on the charts of the icosahedron, for any level."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._validation import positive
from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.groups import FieldType
from gaugenet.models._icosahedral import Trunk, projected_charts, sphere_of
from gaugenet.nn import EquivariantLinear, Unpool
from gaugenet.nn.engines import charts


class IcosahedralUNet(nn.Module):
    """U-Net of regular fields: lifted, convolved on every level, transported between levels, read out as any field
    type.

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
        max_frequency: angular band limit of the kernels, see `HarmonicSpace`.
        norm: `batch` or `layer` (over the channels of each vertex: independent of the rest of the batch).
        activation: `relu`, `gelu`, `silu`, `elu` or `tanh`.
        downsample: `stride`, a strided convolution, or `pool`, the mean over neighbours, then a convolution.
        dropout: probability to drop a field, everywhere in a sample, before each convolution of a block.

    The arguments are stored as `config`, a dictionary that JSON can hold: `IcosahedralUNet(**model.config)` is the same
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
        trunk = Trunk(group=group, width=width, growth=growth, levels=levels, blocks=blocks, rings=rings,
                      max_frequency=max_frequency, norm=norm, activation=activation, downsample=downsample,
                      dropout=dropout)  # fmt: skip
        count = out_type if isinstance(out_type, int) else str(out_type)
        self.config: dict[str, Any] = {"in_type": str(in_type), "out_type": count, **asdict(trunk)}
        self.in_type = FieldType(trunk.structure, in_type)
        if isinstance(out_type, int):
            out_type = FieldType(trunk.structure, {"trivial": positive("out_type", out_type)})
        self.out_type = FieldType(trunk.structure, out_type)
        types = trunk.types
        self.lift = trunk.conv(self.in_type, types[0])
        self.down = trunk.stages(types)
        self.coarsen = trunk.steps()
        self.unpool = nn.ModuleList([Unpool(t) for t in types[1:]])
        self.merge = nn.ModuleList([trunk.conv(a + b, a) for a, b in pairwise(types)])
        self.up = trunk.stages(types[:-1])
        self.norm, self.act = trunk.activated(types[0])
        self.head = EquivariantLinear(types[0], self.out_type)

    def forward(self, x: Float[Tensor, "..."], domain: Icosphere | None = None) -> Float[Tensor, "..."]:
        """`domain` is only compared with the shape of `x`."""
        sphere = sphere_of(x, domain, self.in_type)
        if sphere.level < len(self.down) - 1:
            raise ValueError(
                f"Expected an icosphere of level {len(self.down) - 1} or more for {len(self.down)} levels, got level "
                f"{sphere.level}: use fewer `levels`."
            )
        y = self._charts(projected_charts(x, self.in_type, sphere), sphere)
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
