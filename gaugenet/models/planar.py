"""PlanarCNN: the steerable networks for images of Weiler & Cesa, and the ordinary CNN to compare them with."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from gaugenet._validation import positive
from gaugenet.groups import FieldType, StructureGroup, Trivial, group_from_name
from gaugenet.kernels.named import as_kernel
from gaugenet.nn import (
    FieldBatchNorm,
    FourierNonlinearity,
    GatedNonlinearity,
    GridConv,
    GridPool,
    InvariantReadout,
    PointwiseNonlinearity,
    Restrict,
)

_MULTIPLICITIES = (16, 24, 32, 32, 48, 64)
_KERNEL_SIZES = (7, 5, 5, 5, 5, 5)
_POOL_AFTER = (2, 4)


class PlanarCNN(nn.Sequential):
    r"""Convolutions, normalizations and nonlinearities of fields, pooled to invariants, then an ordinary classifier.

    The defaults are the network for rotated MNIST of :cite:`weiler2019general` (their Table 13): a 7 x 7 layer and
    five 5 x 5 layers, each followed by batch normalization and ELU, pooling after the second and the fourth,
    no padding in the last; the invariants of each field (maximum over the group, or norm), averaged over the image, go
    through one hidden layer.

    Shapes:
        x: `(B, in_type.size, H, W)` -> `(B, out_channels)`.

    Equivariance: the logits are invariant under the rotations of `group` (of its last restriction beyond that layer):
    exactly, 1e-6 relative in float32, for multiples of 90 degrees; up to sampling for others. Translations by multiples
    of the pooling steps, away from the border.

    Args:
        out_channels: number of classes.
        group: structure group or its name, e.g. `C_16`, `D_16`, `SO(2)`.
        in_type: field type of the input over `group`, e.g. `"3x0"` for colour images.
        fields: what one field is: a label such as `regular`, or the irreps of one, e.g. `(0, 1, 2, 3)`.
        multiplicities: fields after each layer, before `width`.
        width: factor of all multiplicities, rounded, at least 1.
        kernel_sizes: odd window of each layer.
        pool_after: layers, counted from 1, that are followed by pooling.
        restrict: smaller groups from some layer on, `{5: "C_16"}`: the features after layer 5 are seen as fields of
            C_16. The later layers have as many times more fields as a field of it is smaller.
        nonlinearity: `pointwise` (permuted fields: regular, quotient), `gated` or `fourier`.
        hidden: units of the hidden layer.
        dropout: probability, before each linear layer of the classifier.
        kernel: family of the kernels as a text, e.g. `"Differential(max_order=2)"`. Default: see `GridConv`.
        options: of `GridConv`, e.g. `rings` or `max_frequency`.

    The arguments are stored as `config`: `PlanarCNN(**model.config)` is the same network.

    Raises:
        ValueError: unknown names; lists of different lengths; groups that are no subgroups.
    """

    def __init__(
        self,
        out_channels: int = 10,
        *,
        group: str | StructureGroup = "C_16",
        in_type: str = "1x0",
        fields: str | Sequence[int | str] = "regular",
        multiplicities: Sequence[int] = _MULTIPLICITIES,
        width: float = 1.0,
        kernel_sizes: Sequence[int] = _KERNEL_SIZES,
        pool_after: Sequence[int] = _POOL_AFTER,
        restrict: Mapping[int | str, str | StructureGroup] | None = None,
        nonlinearity: str = "pointwise",
        hidden: int = 64,
        dropout: float = 0.3,
        kernel: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if kernel is not None:
            options["kernel"] = str(kernel)
        self.config = {
            "out_channels": out_channels,
            "group": str(group),
            "in_type": in_type,
            "fields": fields if isinstance(fields, str) else list(fields),
            "multiplicities": list(multiplicities),
            "width": width,
            "kernel_sizes": list(kernel_sizes),
            "pool_after": list(pool_after),
            "restrict": {k: str(smaller) for k, smaller in (restrict or {}).items()},
            "nonlinearity": nonlinearity,
            "hidden": hidden,
            "dropout": dropout,
            **options,
        }
        _check_layers(multiplicities, kernel_sizes, pool_after)
        smaller = {int(k): str(name) for k, name in (restrict or {}).items()}  # JSON makes text of the numbers
        current = group_from_name(str(group))
        first = _one_field(current, fields).size
        self.in_type = previous = FieldType(current, in_type)
        layers: list[nn.Module] = []
        for k, (count, size) in enumerate(zip(multiplicities, kernel_sizes), start=1):
            field = _one_field(current, fields)
            target = field * max(1, round(count * width * first / field.size))
            padding = 0 if k == len(kernel_sizes) else size // 2
            layers.append(SteerableLayer(previous, target, size, padding=padding, nonlinearity=nonlinearity, **options))
            layers += [GridPool(target)] if k in pool_after else []
            previous = target
            if k in smaller:
                current = group_from_name(smaller[k])
                layers.append(Restrict(target, current))
                previous = target.restrict(current)
        self.layers = nn.Sequential(*layers)
        self.read = InvariantReadout(previous)
        self.mean = _global_mean()
        self.head = classifier(previous.num_fields, out_channels, hidden=hidden, dropout=dropout)


class PlainCNN(nn.Sequential):
    """The ordinary network with the layers of `PlanarCNN`: no symmetry beyond translations.

    Shapes:
        x: `(B, in_channels, H, W)` -> `(B, out_channels)`.

    Args:
        out_channels: number of classes.
        in_channels: of the image.
        channels: after each layer, before `width`.
        width: factor of all channels, rounded, at least 1.
        kernel_sizes, pool_after, hidden, dropout: as for `PlanarCNN`.
    """

    def __init__(
        self,
        out_channels: int = 10,
        *,
        in_channels: int = 1,
        channels: Sequence[int] = _MULTIPLICITIES,
        width: float = 1.0,
        kernel_sizes: Sequence[int] = _KERNEL_SIZES,
        pool_after: Sequence[int] = _POOL_AFTER,
        hidden: int = 64,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.config = {
            "out_channels": out_channels,
            "in_channels": in_channels,
            "channels": list(channels),
            "width": width,
            "kernel_sizes": list(kernel_sizes),
            "pool_after": list(pool_after),
            "hidden": hidden,
            "dropout": dropout,
        }
        _check_layers(channels, kernel_sizes, pool_after)
        previous, layers = in_channels, []
        for k, (count, size) in enumerate(zip(channels, kernel_sizes), start=1):
            target = max(1, round(count * width))
            padding = 0 if k == len(kernel_sizes) else size // 2
            layers += [nn.Conv2d(previous, target, size, padding=padding, bias=False), nn.BatchNorm2d(target), nn.ELU()]
            layers += [GridPool(FieldType(Trivial(), {"0": target}))] if k in pool_after else []
            previous = target
        self.layers = nn.Sequential(*layers)
        self.mean = _global_mean()
        self.head = classifier(previous, out_channels, hidden=hidden, dropout=dropout)


def matched_baseline(model: PlanarCNN, *, equal: str = "parameters") -> PlainCNN:
    """The ordinary network with the layers of a steerable one and as many `parameters`, or `channels` in each layer.

    With equal channels the two cost the same arithmetic. The number of parameters is met as nearly as whole channels
    allow, all layers narrowed by the same factor.
    """
    sizes = [layer.out_type.size for layer in model.layers if isinstance(layer, SteerableLayer)]
    layout = {k: model.config[k] for k in ("out_channels", "kernel_sizes", "pool_after", "hidden", "dropout")}
    if equal not in ("parameters", "channels"):
        raise ValueError(f"Expected `equal` to be 'parameters' or 'channels', got {equal!r}.")
    widths = [1.0] if equal == "channels" else [k / 200 for k in range(1, 401)]

    def baseline(width: float) -> PlainCNN:
        return PlainCNN(in_channels=model.in_type.size, channels=sizes, width=width, **layout)

    with torch.device("meta"):
        first = bisect_left(widths, _count(model), hi=len(widths) - 1, key=lambda width: _count(baseline(width)))
        around = widths[max(0, first - 1) : first + 1]
        nearest = min(around, key=lambda width: abs(_count(baseline(width)) - _count(model)))
    return baseline(nearest)


def _count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


class SteerableLayer(nn.Sequential):
    """Steerable convolution, batch normalization per field, nonlinearity.

    Shapes:
        x: `(B, in_type.size, H, W)` -> `(B, out_type.size, H', W')`.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: int,
        *,
        padding: int,
        nonlinearity: str,
        **options: Any,
    ) -> None:
        super().__init__()
        act = activation(out_type, nonlinearity)
        options["kernel"] = as_kernel(options.get("kernel"))
        self.in_type, self.out_type = in_type, out_type
        self.conv = GridConv(in_type, act.in_type, kernel_size, padding=padding, bias=False, **options)
        self.norm = FieldBatchNorm(act.in_type)
        self.act = act


def _one_field(group: StructureGroup, fields: str | Sequence[int | str]) -> FieldType:
    """The type of one field: a representation, or a sum of irreps once each."""
    return FieldType(group, [(label, 1) for label in ([fields] if isinstance(fields, str) else fields)])


def activation(out_type: FieldType, name: str) -> PointwiseNonlinearity | GatedNonlinearity | FourierNonlinearity:
    """The nonlinearity (ELU) of that name with the given type of results."""
    if name == "pointwise":
        return PointwiseNonlinearity(out_type, activation="elu")
    if name == "gated":
        return GatedNonlinearity(out_type, activation="elu")
    if name == "fourier":
        return FourierNonlinearity(out_type, activation="elu")
    raise ValueError(f"Unknown nonlinearity {name!r}: expected `pointwise`, `gated` or `fourier`.")


def _global_mean() -> nn.Sequential:
    """The mean over the image, as one vector."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def classifier(in_features: int, out_channels: int, *, hidden: int, dropout: float) -> nn.Sequential:
    """Dropout, linear, batch normalization, ELU, dropout, linear."""
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(in_features, positive("hidden", hidden), bias=False),
        nn.BatchNorm1d(hidden),
        nn.ELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, positive("out_channels", out_channels)),
    )


def _check_layers(counts: Sequence[int], kernel_sizes: Sequence[int], pool_after: Sequence[int]) -> None:
    if len(counts) != len(kernel_sizes) or not len(counts):
        raise ValueError(f"Expected one kernel size for each layer, got {list(kernel_sizes)} for {list(counts)}.")
    if not set(pool_after) <= set(range(1, len(counts))):
        raise ValueError(
            f"Expected `pool_after` among the layers 1 ... {len(counts) - 1} (the last one is pooled over the whole "
            f"image), got {list(pool_after)}."
        )
