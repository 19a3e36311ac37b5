"""IcosahedralUNet: a gauge-equivariant U-Net on the charts of the icosahedron, for any level."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.groups import FieldType
from gaugenet.models._icosahedral import Options, Trunk, projected_charts, sphere_of
from gaugenet.nn import EquivariantLinear, Unpool
from gaugenet.nn.engines import charts

if TYPE_CHECKING:
    from typing_extensions import Unpack


class IcosahedralUNet(nn.Module):
    """A U-Net of regular fields on the icosphere, with input and output of any field type.

    A U-Net (:cite:`ronneberger2015unet`) of the gauge-equivariant convolutions of :cite:`cohen2019gauge`. The level of
    the icosphere follows from the shape of the features, and no weight depends on it: a network that was trained on
    one level runs on another.

    Shapes:
        x: features on an icosphere, `(V, in_type.size)`, `(B, in_type.size, V)` or `(B, in_type.size, 5n + 1, 2n)`, see
            `Icosphere` -> the same with `out_type.size` channels.

    Equivariance: exact under the 60 rotations of the icosahedron, at every vertex, in training and in eval; 1e-5
    relative in float32, 1e-13 in float64. Invariant under changes of the chart frames.

    Args:
        in_type: field type of the input, e.g. `"3x0 + 2x1"`: three scalars and two tangent vectors.
        out_type: number of classes (scalars), or a field type, e.g. `"1x1"`.
        options: options of all icosahedral networks, see `Trunk`: `group`, `width`, `growth`, `levels`, `blocks`,
            `rings`, `max_frequency`, `kernel`, `norm`, `activation`, `downsample`, `dropout`.

    The arguments are stored as `config`, which can be written as JSON: `IcosahedralUNet(**model.config)` is the same
    network.

    Raises:
        ValueError: If a name is unknown or a size is below 1; in `forward`, if the features have another type or the
            icosphere is too coarse.

    Example:
        >>> import torch
        >>> from gaugenet.models import IcosahedralUNet
        >>> network = IcosahedralUNet("3x0 + 1x1", 4, width=2, levels=2)
        >>> network(torch.rand(162, 5)).shape
        torch.Size([162, 4])
    """

    def __init__(
        self,
        in_type: str | FieldType,
        out_type: int | str | FieldType,
        **options: Unpack[Options],
    ) -> None:
        super().__init__()
        trunk = Trunk(**options)
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
        """Return the outputs in the layout of `x`; a given `domain` must fit its shape."""
        sphere = sphere_of(x, domain, self.in_type)
        self.check_level(sphere.level)
        y = self._charts(projected_charts(x, self.in_type, sphere), sphere)
        return y if x.dim() == 4 else charts.from_charts(y, x.dim(), sphere)

    def check_level(self, level: int) -> None:
        """Raise `ValueError` if an icosphere of this level is too coarse for the levels of the network."""
        least = len(self.down) - 1
        if level < least:
            raise ValueError(
                f"Expected an icosphere of level {least} or more for {least + 1} levels, got level {level}: use fewer "
                "`levels`, or a finer icosphere."
            )

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
        return typed_tensor(self.head(self.act(self.norm(x))))
