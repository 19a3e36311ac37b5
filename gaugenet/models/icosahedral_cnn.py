"""IcosahedralCNN: a classifier of signals on the sphere, on the charts of the icosahedron."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive
from gaugenet.geometry.icosphere.icosphere import Icosphere
from gaugenet.groups import FieldType
from gaugenet.models._icosahedral import Options, Trunk, projected_charts, sphere_of
from gaugenet.nn import GlobalPool, InvariantReadout

if TYPE_CHECKING:
    from typing_extensions import Unpack


class IcosahedralCNN(nn.Module):
    """A classifier of signals on the sphere with the encoder of `IcosahedralUNet` (:cite:`cohen2019gauge`).

    After the encoder come the maximum over orientations, the mean over the sphere, and a linear layer.

    Shapes:
        x: features on an icosphere, `(B, in_type.size, V)` or `(B, in_type.size, 5n + 1, 2n)`, see `Icosphere`
            -> `(B, classes)`.

    Equivariance: exactly invariant under the 60 rotations of the icosahedron, in training and in eval. For other
    rotations it is learned from data.

    Args:
        in_type: field type of the input, e.g. `"3x0"`: three scalars.
        classes: number of classes.
        stem_stride: with 2, the first convolution goes to the next coarser level, where the `levels` begin. This takes
            a quarter of the time and memory, for signals that are smooth on the finest level.
        options: options of all icosahedral networks, see `Trunk`: `group`, `width`, `growth`, `levels`, `blocks`,
            `rings`, `max_frequency`, `kernel`, `norm`, `activation`, `downsample`, `dropout`.

    Raises:
        ValueError: If a name is unknown or a size is below 1; in `forward`, if the features have another type or the
            icosphere is too coarse.

    Example:
        >>> import torch
        >>> from gaugenet.models import IcosahedralCNN
        >>> network = IcosahedralCNN("1x0", 10, width=2, levels=2)
        >>> network(torch.rand(3, 1, 162)).shape
        torch.Size([3, 10])
    """

    def __init__(
        self,
        in_type: str | FieldType,
        classes: int,
        *,
        stem_stride: int = 1,
        **options: Unpack[Options],
    ) -> None:
        super().__init__()
        if stem_stride not in (1, 2):
            raise ValueError(f"Expected `stem_stride` 1 or 2, got {stem_stride}.")
        self.stem_stride = stem_stride
        trunk = Trunk(**options)
        self.in_type = FieldType(trunk.structure, in_type)
        self.lift = trunk.conv(self.in_type, trunk.types[0])
        self.stages = trunk.stages(trunk.types)
        self.coarsen = trunk.steps()
        self.norm, self.act = trunk.activated(trunk.types[-1])
        self.readout = InvariantReadout(trunk.types[-1])
        self.pool = GlobalPool(self.readout.out_type)
        self.head = nn.Linear(trunk.widths[-1], positive("classes", classes))

    def forward(self, x: Float[Tensor, "batch in *points"], domain: Icosphere | None = None) -> Tensor:
        """Return the logits; a given `domain` must fit the shape of `x`."""
        sphere = sphere_of(x, domain, self.in_type)
        needed = len(self.coarsen) + self.stem_stride - 1
        if x.dim() == 2 or sphere.level < needed:
            raise ValueError(
                f"Expected `x` of shape (B, {self.in_type.size}, V) on an icosphere of level {needed} or more, got "
                f"shape {tuple(x.shape)}: use fewer `levels`, or `x[None]`."
            )
        x = projected_charts(x, self.in_type, sphere)
        x = self.lift(x, sphere if self.stem_stride == 1 else sphere.strided())
        sphere = sphere.coarser(self.stem_stride - 1)
        for k, stage in enumerate(self.stages):
            x = stage(x, sphere.coarser(k))
            if k < len(self.coarsen):
                x = self.coarsen[k](x, sphere.coarser(k))
        x = self.readout(self.act(self.norm(x)))
        return typed_tensor(self.head(self.pool(x, sphere.coarser(len(self.coarsen)))))
