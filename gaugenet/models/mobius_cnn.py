"""MobiusCNN: a classifier of images on a Möbius strip, invariant to the choice of orientation."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet.geometry.grids.strip import pad_strip
from gaugenet.groups import FieldType, Reflection
from gaugenet.models.mobius_layers import StripConv, StripNonlinearity, StripPool

FIELDS: dict[str, tuple[int, int, int]] = {
    "scalar": (4, 0, 0),
    "sign": (0, 4, 0),
    "regular": (0, 0, 2),
    "irreps": (2, 2, 0),
    "mixed": (1, 1, 1),
}
"""Multiplicities of trivial, sign and regular fields, in units of a quarter of the first layer."""

_GROWTH = (4, 8, 16, 32, 64)
_INVARIANTS = 64


def mobius_type(fields: str, times: int) -> FieldType:
    """Return the type of hidden features with `times` the multiplicities of `FIELDS`."""
    labels = ("trivial", "0-", "regular")
    return FieldType(Reflection(), [(k, times * m) for k, m in zip(labels, FIELDS[fields], strict=True) if m])


class MobiusCNN(nn.Module):
    r"""Six reflection-steerable convolutions of 5 x 5 pixels, global maximum, two linear layers.

    The network of :cite:`weiler2021coordinate`, Sec. 5, on a strip of H x W pixels with a twist at its ends.

    Shapes:
        x: `(B, 1, H, W)`, scalars, W along the strip; H and W divisible by 4 -> logits `(B, num_classes)`.

    Equivariance: logits are invariant under shifts along the strip, by any number of pixels with
    `phase="largest"` (1e-6 relative in float32), by multiples of four with `phase="even"`, the published pooling.

    Args:
        fields: `scalar`, `sign`, `regular`, `irreps` or `mixed`; see `FIELDS`.
        num_classes: number of logits.
        phase: phase of the pooling, see `StripPool`.
        dropout: dropout probability before the linear layers.

    Raises:
        ValueError: If `fields` or `phase` is unknown.

    Example:
        >>> import torch
        >>> from gaugenet.models import MobiusCNN
        >>> network, x = MobiusCNN("irreps").eval(), torch.rand(1, 1, 8, 16)
        >>> network(x).shape
        torch.Size([1, 10])
    """

    def __init__(
        self, fields: str = "regular", num_classes: int = 10, *, phase: str = "largest", dropout: float = 0.3
    ) -> None:
        super().__init__()
        if fields not in FIELDS:
            raise ValueError(f"Expected `fields` to be one of {', '.join(FIELDS)}, got {fields!r}.")
        self.config = {"fields": fields, "num_classes": num_classes, "phase": phase, "dropout": dropout}
        self.in_type = FieldType(Reflection(), "1x0")
        types = [self.in_type, *(mobius_type(fields, times) for times in _GROWTH)]
        layers: list[nn.Module] = []
        for k, (a, b) in enumerate(pairwise(types)):
            layers += [StripConv(a, b), StripNonlinearity(b)]
            if k in (1, 3):
                layers.insert(_pooled_at(b, len(layers)), StripPool(b, phase=phase))
        invariants = FieldType(Reflection(), [("trivial", _INVARIANTS)])
        self.features = nn.Sequential(*layers, StripConv(types[-1], invariants))
        self.head = classifier(num_classes, dropout)

    def forward(self, x: Float[Tensor, "batch 1 across along"]) -> Float[Tensor, "batch classes"]:
        return typed_tensor(self.head(self.features(x).amax((-2, -1))))


class OrdinaryStripCNN(nn.Module):
    """A baseline for `MobiusCNN` with unconstrained kernels: glued at the cut, but not invariant to the orientation.

    The ordinary CNN of :cite:`weiler2021coordinate`, Sec. 5.

    Shapes:
        x: `(B, 1, H, W)`, W along the strip; H and W divisible by 4 -> logits `(B, num_classes)`.

    Args:
        equal: `channels` (1.5 million parameters) or `parameters` (channels divided by the square root of two).
        num_classes, dropout: see `MobiusCNN`.

    Raises:
        ValueError: If `equal` is unknown.

    Example:
        >>> import torch
        >>> from gaugenet.models import OrdinaryStripCNN
        >>> OrdinaryStripCNN("parameters").eval()(torch.rand(1, 1, 8, 16)).shape
        torch.Size([1, 10])
    """

    def __init__(self, equal: str = "channels", num_classes: int = 10, *, dropout: float = 0.3) -> None:
        super().__init__()
        if equal not in ("channels", "parameters"):
            raise ValueError(f"Expected `equal` 'channels' or 'parameters', got {equal!r}.")
        self.config = {"equal": equal, "num_classes": num_classes, "dropout": dropout}
        divisor = 1.0 if equal == "channels" else math.sqrt(2)
        widths = [1, *(int(4 * times / divisor) for times in _GROWTH), _INVARIANTS]
        convolutions = [nn.Conv2d(a, b, 5) for a, b in pairwise(widths)]
        for conv in convolutions:
            nn.init.normal_(conv.weight, std=2 / math.sqrt(25 * (conv.in_channels + conv.out_channels)))
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
        self.convolutions = nn.ModuleList(convolutions).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.head = classifier(num_classes, dropout)

    def forward(self, x: Float[Tensor, "batch 1 across along"]) -> Float[Tensor, "batch classes"]:
        for k, conv in enumerate(self.convolutions):
            scalars = FieldType(Reflection(), [("trivial", x.shape[1])])
            x = F.conv2d(pad_strip(x, scalars, 2), conv.weight, conv.bias, padding=(2, 0))
            if k in (1, 3):
                x = F.max_pool2d(x, 2)
            if k + 1 < len(self.convolutions):
                x = F.elu(x)
        return typed_tensor(self.head(x.amax((-2, -1))))


def _pooled_at(field_type: FieldType, end: int) -> int:
    """Return the position of the pooling among `end` layers: before a final ELU, which is monotonic and so cheaper."""
    return end - all(b.representation.permutation for b in field_type.blocks)


def classifier(num_classes: int, dropout: float) -> nn.Sequential:
    """Return batch normalization, ELU, dropout and a linear layer, twice."""

    def layer(a: int, b: int) -> list[nn.Module]:
        return [nn.BatchNorm1d(a), nn.ELU(), nn.Dropout(dropout), nn.Linear(a, b)]

    return nn.Sequential(*layer(_INVARIANTS, 32), *layer(32, num_classes))


__all__ = ["MobiusCNN", "OrdinaryStripCNN"]
