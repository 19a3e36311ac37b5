"""WideResNet: wide residual networks of steerable convolutions, with smaller groups in deeper layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import positive, positive_number
from gaugenet.groups import FieldType, StructureGroup, group_from_name
from gaugenet.groups.group import FiniteGroup
from gaugenet.nn import (
    EquivariantLinear,
    FieldBatchNorm,
    FieldDropout,
    GridConv,
    GridPool,
    InvariantReadout,
    PointwiseNonlinearity,
    Restrict,
)


class WideResNet(nn.Module):
    r"""A wide residual network for images with regular fields: by default the 16-5 network over D_8, D_4, D_1.

    The ordinary network (:cite:`zagoruyko2016wide`) has three stages of (depth - 4) / 6 pre-activation blocks with 16,
    32 and 64 times `width` channels. Here it is steerable as in :cite:`weiler2019general` (Sec. 3.3): the first stage
    has the symmetry of small patterns, and at each halving of the resolution features are restricted to a smaller
    group.

    Shapes:
        x: `(B, in_type.size, H, W)` of any size -> `(B, out_channels)`.

    Equivariance: the logits are exactly invariant under the rotations by multiples of 90 degrees and the reflections of
    the *last* group, 1e-6 relative in float32, for even and odd sizes; up to sampling for its other elements.

    Args:
        out_channels: number of classes.
        in_type: field type of the input, scalars for images: `"3x0"`.
        depth: 6 n + 4.
        width: factor of the channels.
        groups: finite group of each stage, or its name, each a subgroup of the previous one.
        equal: `parameters` uses channels / sqrt(|G|) regular fields, for about the same number of parameters as the
            ordinary network; `channels` uses channels / |G|, for equal arithmetic.
        dropout: probability of dropping a field between the convolutions of a block.

    The arguments are stored as `config`: `WideResNet(**model.config)` is the same network.

    Raises:
        ValueError: If the depth is not 6 n + 4, or a group is not finite or not a subgroup of the previous one.

    Example:
        >>> import torch
        >>> from gaugenet.models import WideResNet
        >>> network = WideResNet(10, depth=10, width=0.5, groups=("D_4", "D_4", "D_1")).eval()
        >>> network(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 10])
    """

    def __init__(
        self,
        out_channels: int = 10,
        *,
        in_type: str = "3x0",
        depth: int = 16,
        width: float = 5,
        groups: Sequence[str | StructureGroup] = ("D_8", "D_4", "D_1"),
        equal: str = "parameters",
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "out_channels": out_channels,
            "in_type": in_type,
            "depth": depth,
            "width": width,
            "groups": [str(group) for group in groups],
            "equal": equal,
            "dropout": dropout,
        }
        if depth < 10 or depth % 6 != 4 or len(groups) != 3:
            raise ValueError(f"Expected a depth of 10, 16, 22, ... and 3 groups, got {depth} and {list(groups)}.")
        factor = positive_number("width", width)
        current = _finite(str(groups[0]))
        self.in_type = FieldType(current, in_type)
        previous = _regular(current, 16, equal)
        layers: list[nn.Module] = [GridConv(self.in_type, previous, _kernel_size(current), bias=False)]
        for stage, name in enumerate(map(str, groups)):
            if name != current.name:
                current = _finite(name)
                layers.append(Restrict(previous, current))
                previous = previous.restrict(current)
            target = _regular(current, 16 * 2**stage * factor, equal)
            for block in range((depth - 4) // 6):
                halve = stage > 0 and block == 0
                layers.append(WideBlock(previous, target, halve=halve, dropout=dropout))
                previous = target
        layers += [FieldBatchNorm(previous), PointwiseNonlinearity(previous, activation="elu")]
        self.layers = nn.Sequential(*layers)
        self.read = InvariantReadout(previous)
        self.head = nn.Linear(previous.num_fields, positive("out_channels", out_channels))

    def forward(self, x: Float[Tensor, "batch in height width"]) -> Float[Tensor, "batch classes"]:
        self.in_type.check(x)
        return typed_tensor(self.head(self.read(self.layers(x)).mean((2, 3))))


class WideBlock(nn.Module):
    """A residual block x + conv(act(norm(conv(act(norm(x)))))), with a linear map of x where the type changes.

    Shapes:
        x: `(B, in_type.size, H, W)` -> `(B, out_type.size, H, W)`, of half the size (rounded up) if `halve`.

    Args:
        in_type, out_type: regular fields of one group.
        halve: blur and keep every second pixel after the first nonlinearity.
        dropout: probability of dropping a field between the convolutions.
    """

    def __init__(self, in_type: FieldType, out_type: FieldType, *, halve: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        size = _kernel_size(out_type.group)
        self.in_type, self.out_type = in_type, out_type
        self.enter = nn.Sequential(FieldBatchNorm(in_type), PointwiseNonlinearity(in_type, activation="elu"))
        self.halve = GridPool(in_type) if halve else nn.Identity()
        self.body = nn.Sequential(
            GridConv(in_type, out_type, size, bias=False),
            FieldBatchNorm(out_type),
            PointwiseNonlinearity(out_type, activation="elu"),
            FieldDropout(out_type, dropout),
            GridConv(out_type, out_type, size, bias=False),
        )
        self.shortcut = EquivariantLinear(in_type, out_type, bias=False) if halve or in_type != out_type else None

    def forward(self, x: Float[Tensor, "batch in height width"]) -> Float[Tensor, "batch out height_out width_out"]:
        y = self.halve(self.enter(x))
        return typed_tensor(self.body(y) + (x if self.shortcut is None else self.shortcut(y)))


def _finite(name: str) -> FiniteGroup:
    group = group_from_name(name)
    if not isinstance(group, FiniteGroup):
        raise ValueError(f"Expected finite groups, which have regular fields, got {name}: use for example `D_8`.")
    return group


def _regular(group: FiniteGroup, channels: float, equal: str) -> FieldType:
    if equal not in ("parameters", "channels"):
        raise ValueError(f"Expected `equal` to be 'parameters' or 'channels', got {equal!r}.")
    share = math.sqrt(group.order) if equal == "parameters" else group.order
    return FieldType(group, [("regular", max(1, round(channels / share)))])


def _kernel_size(group: Any) -> int:
    """Return 5 for groups with rotations by less than 90 degrees, which nine pixels cannot distinguish, else 3."""
    rotations = sum(1 for g in group.elements() if g.det() > 0)
    return 5 if rotations > 4 else 3


__all__ = ["WideBlock", "WideResNet"]
