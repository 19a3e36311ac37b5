"""SequentialModule: layers one after the other, with the domain passed to those that need it."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor, nn

from gaugenet.geometry.domain import Domain
from gaugenet.groups import FieldType


class SequentialModule(nn.Sequential):
    """Layers one after the other: `layer(x, domain)` for those with a second argument, `layer(x)` for the others.

    Args:
        layers: modules. If a layer has an `out_type` and the next one an `in_type`, these must be equal.

    Raises:
        ValueError: If the types of two consecutive layers differ.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import SO2, FieldType
        >>> from gaugenet.nn import GatedNonlinearity, GaugeConv, SequentialModule
        >>> scalars, act = FieldType(SO2(), "3x0"), GatedNonlinearity(FieldType(SO2(), "8x0 + 4x1"))
        >>> network = SequentialModule(GaugeConv(scalars, act.in_type), act, GaugeConv(act.out_type, scalars))
        >>> network(torch.rand(42, 3), Icosphere(1).gauge_graph(SO2())).shape
        torch.Size([42, 3])
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(*layers)
        types: FieldType | None = None
        for number, layer in enumerate(layers):
            expected = getattr(layer, "in_type", None)
            if types is not None and expected is not None and types != expected:
                raise ValueError(
                    f"Expected layer {number} to take {types}, the result of the layer before, got {expected}."
                )
            types = getattr(layer, "out_type", None) or types
        self._takes_domain = [_takes_domain(layer) for layer in layers]

    @property
    def in_type(self) -> Any:
        """Type of the input, from the first layer that has an `in_type`."""
        return next(t for t in (getattr(layer, "in_type", None) for layer in self) if t is not None)

    @property
    def out_type(self) -> Any:
        """Type of the result, from the last layer that has an `out_type`."""
        return next(t for t in (getattr(layer, "out_type", None) for layer in reversed(list(self))) if t is not None)

    def forward(self, x: Tensor, domain: Domain) -> Tensor:  # type: ignore[override]  # the domain is new
        for layer, takes_domain in zip(self, self._takes_domain, strict=True):
            x = layer(x, domain) if takes_domain else layer(x)
        return x


def _takes_domain(layer: nn.Module) -> bool:
    parameters = inspect.signature(layer.forward).parameters.values()
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters) > 1


__all__ = ["SequentialModule"]
