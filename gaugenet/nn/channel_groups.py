"""Channel groups: a convolution that mixes only the fields of one group, as `groups` of `torch.nn.Conv2d`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gaugenet.groups import FieldType
from gaugenet.nn.linear import EquivariantLinear


def part_of(field_type: FieldType, groups: int, name: str) -> FieldType:
    """Return the fields of one group: the same blocks with multiplicities divided by `groups`."""
    for b in field_type.blocks:
        if b.multiplicity % groups:
            raise ValueError(f"Expected multiplicities of `{name}` that `groups` = {groups} divides, got {field_type}.")
    return FieldType(field_type.group, [(b.representation, b.multiplicity // groups) for b in field_type.blocks])


def grouped_order(field_type: FieldType, groups: int) -> Int[Tensor, "size"]:
    """Return the channels in the order group, block, component, field: the memory layout of a grouped convolution."""
    channels = torch.arange(field_type.size)
    parts = [channels[b.slice].view(b.representation.dim, groups, -1).transpose(0, 1) for b in field_type.blocks]
    return torch.cat([p.flatten(1) for p in parts], 1).flatten() if parts else channels


def by_group(
    convolve: Callable[[int, Tensor], Tensor], x: Float[Tensor, "points in *spatial"], layer: Any
) -> Float[Tensor, "points out *spatial"]:
    """Return `convolve(a, channels of group a)` of all groups a, in the layout of the layer's `out_type`."""
    order = grouped_order(layer.in_type, layer.groups).to(x.device)
    parts = x[:, order].chunk(layer.groups, 1)
    out = torch.cat([convolve(a, part) for a, part in enumerate(parts)], 1)
    return out[:, grouped_order(layer.out_type, layer.groups).argsort().to(x.device)]


def dense(
    kernel: Float[Tensor, "out in_of_group *window"], in_type: FieldType, out_type: FieldType, groups: int
) -> Float[Tensor, "out in *window"]:
    """Return the kernel of the ordinary convolution that equals a grouped one, in the layout of the types."""
    if groups == 1:
        return kernel
    parts = kernel.chunk(groups)
    full = kernel.new_zeros(out_type.size, in_type.size, *kernel.shape[2:])
    rows, columns = (grouped_order(t, groups).to(kernel.device).chunk(groups) for t in (out_type, in_type))
    for part, row, column in zip(parts, rows, columns, strict=True):
        full[row[:, None], column] = part
    return full


class GroupedLinear(nn.ModuleList):
    """An `EquivariantLinear` for each group of channels."""

    def __init__(self, in_part: FieldType, out_part: FieldType, groups: int, **factory: Any) -> None:
        super().__init__(EquivariantLinear(in_part, out_part, bias=False, **factory) for _ in range(groups))

    def _parts(self) -> list[EquivariantLinear]:
        return list(self)  # type: ignore[arg-type]

    def reset_parameters(self) -> None:
        for part in self._parts():
            part.reset_parameters()

    def matrix(self) -> Float[Tensor, "out in_of_group"]:
        """Return the matrices of all groups below each other."""
        return torch.cat([part.matrix() for part in self._parts()])
