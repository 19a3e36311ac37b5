"""The sampled kernel of a layer, cached in evaluation mode and never stale."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._transforms import outside_transforms
from gaugenet.kernels.space import PixelStencil, Readout
from gaugenet.nn.precision import widened

if TYPE_CHECKING:
    from gaugenet.nn.engines.protocol import Convolution

T = TypeVar("T")

Sampled = tuple[Float[Tensor, "out in_of_group *window"], Float[Tensor, "out"] | None]


@dataclass(frozen=True)
class _Entry:
    """A sampled kernel, and the parameters that it was sampled from."""

    parameters: list[Tensor]
    stamps: list[tuple[Any, ...]]
    value: Any

    def is_fresh(self, parameters: list[Tensor]) -> bool:
        """Return whether the parameters are unchanged.

        On the CPU their values are compared, so writing through `.data` is noticed. On other devices this would wait
        for the device: version and storage are compared, which writing through `.data` does not change.
        """
        if parameters and parameters[0].device.type == "cpu":
            same = zip(self.parameters, parameters, strict=True)
            return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in same)
        return self.stamps == [_stamp(p) for p in parameters]


class SampledKernels:
    """The sampled kernels of one layer, by stencil: cached while no gradients are needed."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}

    def get(self, layer: Convolution, key: Hashable, make: Callable[[], T]) -> T:
        """Return `make()`, or its last result if the parameters are unchanged."""
        parameters: list[Tensor] = list(layer.parameters())
        if torch.compiler.is_compiling():
            return make()
        if not _may_keep(layer, parameters):
            self._entries.clear()
            return make()
        entry = self._entries.get(key)
        if entry is None or not entry.is_fresh(parameters):
            with outside_transforms():
                value = make()
                copies = [p.detach().clone() if p.device.type == "cpu" else p.detach() for p in parameters]
            self._entries[key] = entry = _Entry(copies, [_stamp(p) for p in parameters], value)
        return cast(T, entry.value)


def _may_keep(layer: Convolution, parameters: list[Tensor]) -> bool:
    """Return whether caching is allowed: in evaluation mode, without gradients, for parameters that are leaves."""
    if layer.training or torch.jit.is_tracing():
        return False
    if not all(type(p) is nn.Parameter and not p.is_inference() for p in parameters):
        return False
    return not (torch.is_grad_enabled() and any(p.requires_grad for p in parameters))


def _stamp(p: Tensor) -> tuple[Any, ...]:
    return p.data_ptr(), p._version, p.dtype, p.device


def sampled(layer: Convolution, stencil: PixelStencil) -> Sampled:
    """Return the kernel with K_self in the middle, and the bias, in the precision of the layer."""
    with torch.autocast(layer.weight.device.type, enabled=False):
        weights = widened(layer.group_weights)
        kernel = torch.cat([layer.kernels.sample(w, stencil) for w in weights])
        if layer.self_interaction is not None:
            kernel[..., stencil.centre] += layer.self_interaction.matrix()
        bias = None if layer.bias is None else layer.bias.vector()
        return kernel.to(layer.weight.dtype).unflatten(-1, stencil.window), bias


def trained_in_low_precision(layer: Convolution, stencil: PixelStencil) -> Sampled | None:
    """Return the same in the precision of autocast, to which convolutions would round anyway, in training under it.

    `None` outside of autocast or training, or where this is not faster.
    """
    device = layer.weight.device.type
    if not (torch.is_autocast_enabled(device) and torch.is_grad_enabled() and layer.weight.requires_grad):
        return None
    found = all_at_once(layer, stencil, torch.get_autocast_dtype(device))
    return None if found is None else (found[0].unflatten(-1, stencil.window), found[1])


def all_at_once(
    layer: Convolution, stencil: PixelStencil, dtype: torch.dtype, readout: Readout | None = None
) -> tuple[Float[Tensor, "out in cells"], Float[Tensor, "out"] | None] | None:
    """Return the kernel with K_self (or a `readout`, see `sample_at_once`) and the bias; `None` if not applicable."""
    if not layer.weight.numel() or layer.groups > 1 or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return None
    with torch.autocast(layer.weight.device.type, enabled=False):
        middle = layer.self_interaction
        kernel = layer.kernels.sample_at_once(layer.weight, stencil, middle, dtype, readout)  # type: ignore[arg-type]
        return None if kernel is None else (kernel.transpose(1, 2), None if layer.bias is None else layer.bias.vector())
