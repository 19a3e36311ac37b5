"""PlanarCNN: the steerable networks for images of Weiler & Cesa, and an ordinary CNN as baseline."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from gaugenet._validation import positive, positive_number
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
    r"""A classifier of images: steerable convolutions, pooling to invariants, then ordinary dense layers.

    By default this is the network for rotated MNIST of :cite:`weiler2019general`, Table 13. It has a 7 x 7 layer and
    five 5 x 5 layers, each followed by batch normalization and ELU, with pooling after the second and the fourth layer
    and no padding in the last one. The invariants of each field (maximum over the group, or norm) are averaged over the
    image. One hidden layer follows.

    Shapes:
        x: `(B, in_type.size, H, W)` -> `(B, out_channels)`.

    Equivariance: the logits are invariant under the rotations of `group`, or of the group of its last restriction:
    exactly for multiples of 90 degrees (1e-6 relative in float32), up to sampling for others. They are invariant under
    translations by multiples of the pooling steps, away from the border.

    Args:
        out_channels: number of classes.
        group: structure group or its name, e.g. `C_16`, `D_16`, `SO(2)`.
        in_type: field type of the input over `group`, e.g. `"3x0"` for color images.
        fields: what one field is: a label such as `regular`, or the irreps of one, e.g. `(0, 1, 2, 3)`.
        multiplicities: fields after each layer, before `width`.
        width: factor of all multiplicities, rounded, at least 1.
        kernel_sizes: odd window of each layer.
        pool_after: layers, counted from 1, that are followed by pooling.
        restrict: smaller groups after some layers: with `{5: "C_16"}` the features after layer 5 are fields of C_16.
            Fields of a smaller group have fewer channels, so the later layers get proportionally more fields.
        nonlinearity: `pointwise` (permuted fields: regular, quotient), `gated` or `fourier`.
        hidden: width of the hidden layer.
        dropout: dropout probability before each linear layer of the classifier.
        kernel: family of the kernels as text, e.g. `"Differential(max_order=2)"`. Default: see `GridConv`.
        options: options of `GridConv`, e.g. `rings` or `max_frequency`.

    The arguments are stored as `config`: `PlanarCNN(**model.config)` is the same network.

    Raises:
        ValueError: If a name is unknown, lists have different lengths, or a group is not a subgroup of the previous.

    Example:
        >>> import torch
        >>> from gaugenet.models import PlanarCNN
        >>> network = PlanarCNN(10, group="C_4", width=0.125).eval()
        >>> x = torch.rand(1, 1, 29, 29)
        >>> torch.allclose(network(x.rot90(1, (2, 3))), network(x), atol=1e-4)
        True
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
        factor = positive_number("width", width)
        smaller = {int(k): str(name) for k, name in (restrict or {}).items()}  # in JSON the numbers are text
        if not set(smaller) <= set(range(1, len(multiplicities) + 1)):
            raise ValueError(f"Expected `restrict` after the layers 1 ... {len(multiplicities)}, got {list(smaller)}.")
        current = group_from_name(str(group))
        first = _one_field(current, fields).size
        self.in_type = previous = FieldType(current, in_type)
        layers: list[nn.Module] = []
        for k, (count, size) in enumerate(zip(multiplicities, kernel_sizes), start=1):
            field = _one_field(current, fields)
            target = field * max(1, round(count * factor * first / field.size))
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
    """The ordinary network with the layers of `PlanarCNN`, equivariant under translations only.

    Shapes:
        x: `(B, in_channels, H, W)` -> `(B, out_channels)`.

    Args:
        out_channels: number of classes.
        in_channels: number of channels of the image.
        channels: number of channels after each layer, before `width`.
        width: factor of all channels, rounded, at least 1.
        kernel_sizes, pool_after, hidden, dropout: see `PlanarCNN`.

    Raises:
        ValueError: If lists have different lengths.

    Example:
        >>> import torch
        >>> from gaugenet.models import PlainCNN
        >>> PlainCNN(10, width=0.125).eval()(torch.rand(2, 1, 29, 29)).shape
        torch.Size([2, 10])
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
        factor = positive_number("width", width)
        previous, layers = in_channels, []
        for k, (count, size) in enumerate(zip(channels, kernel_sizes), start=1):
            target = max(1, round(count * factor))
            padding = 0 if k == len(kernel_sizes) else size // 2
            layers += [nn.Conv2d(previous, target, size, padding=padding, bias=False), nn.BatchNorm2d(target), nn.ELU()]
            layers += [GridPool(FieldType(Trivial(), {"0": target}))] if k in pool_after else []
            previous = target
        self.layers = nn.Sequential(*layers)
        self.mean = _global_mean()
        self.head = classifier(previous, out_channels, hidden=hidden, dropout=dropout)


def matched_baseline(model: PlanarCNN, *, equal: str = "parameters") -> PlainCNN:
    """Return the ordinary network with the layers of a steerable one and equal `parameters` or `channels`.

    With equal channels in each layer both cost the same arithmetic. With equal parameters, all layers are narrowed by
    the same factor, and the number of parameters is as close as whole channels allow.

    Args:
        model: the steerable network.
        equal: `parameters` or `channels`.

    Raises:
        ValueError: If `equal` is unknown.

    Example:
        >>> from gaugenet.models import PlanarCNN, matched_baseline
        >>> steerable = PlanarCNN(10, group="C_4", width=0.25)
        >>> plain = matched_baseline(steerable)
        >>> size, expected = (sum(p.numel() for p in m.parameters()) for m in (plain, steerable))
        >>> abs(size - expected) < 0.1 * expected
        True
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
    """A steerable convolution, batch normalization of fields, and a nonlinearity.

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
    """Return the type of one field: a representation, or a sum of irreps with multiplicity 1."""
    return FieldType(group, [(label, 1) for label in ([fields] if isinstance(fields, str) else fields)])


def activation(out_type: FieldType, name: str) -> PointwiseNonlinearity | GatedNonlinearity | FourierNonlinearity:
    """Return the nonlinearity called `name`, with ELU and the output type `out_type`."""
    if name == "pointwise":
        return PointwiseNonlinearity(out_type, activation="elu")
    if name == "gated":
        return GatedNonlinearity(out_type, activation="elu")
    if name == "fourier":
        return FourierNonlinearity(out_type, activation="elu")
    raise ValueError(f"Unknown nonlinearity {name!r}: expected `pointwise`, `gated` or `fourier`.")


def _global_mean() -> nn.Sequential:
    """Return the layers for the mean over the image, as one vector."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def classifier(in_features: int, out_channels: int, *, hidden: int, dropout: float) -> nn.Sequential:
    """Return dropout, linear, batch normalization, ELU, dropout, linear."""
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
