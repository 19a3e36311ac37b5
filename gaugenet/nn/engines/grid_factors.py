"""The factorized form on grids: aggregate with the functions of the kernels, then mix, as on graphs.

An ordinary convolution multiplies by the sampled kernel: (pixels of the window x in) numbers for each output channel. A
steerable kernel is a sum of few terms (function of the pixel) x (learned matrix), so the aggregate has (functions x in)
channels, 10 in the place of 25 for regular fields in windows of 5 x 5 pixels, and no kernel is sampled. The loops are
those of the `graph` engine, with the cells of the window as the edges of all pixels.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from gaugenet._typing import typed_tensor
from gaugenet.geometry.grids.stencil import Sliding, Stencil, centred_indices
from gaugenet.kernels.factorized import FactorizedSpace
from gaugenet.kernels.sampling import cached_table, coefficient_table
from gaugenet.nn.compiled.eager import has_loops
from gaugenet.nn.engines.factors import EdgeFactors, block_table
from gaugenet.nn.engines.graph import aggregate_and_mix, flat_mixing, mixing_layout
from gaugenet.nn.engines.protocol import Convolution

_LOOP_COST = 5
"""Time of a multiply-add of the compiled loops, relative to one of a convolution or a large matrix product."""

_ENTRY_COST = 200, 10
"""Time of an entry of a `Contraction` at a pixel, and of each of its channels, in the same unit."""

_NARROW = 32
"""Number of outputs for which a multiply-add of a matrix product takes twice as long as in large ones."""

_SMALL_WINDOW_COST = 0.95
"""Time of a multiply-add of an ordinary convolution with a window of 3 x 3 pixels, in the same unit: 0.6 to 1.

It differs between processors and widths. `docs/performance.md` has the times that this value was chosen by."""

_MARGIN = 0.85
"""Largest ratio of the modelled times for which this form is chosen."""

_LEAST_SAVING = 2e8
"""Multiply-adds to be saved, about 5 ms: less is not worth loading the compiled loops."""


def can_aggregate(layer: Convolution, x: Tensor) -> bool:
    """Return whether the compiled loops can be used: factorized kernels, in plain eager mode, no autocast."""
    space = layer.kernels
    if not isinstance(space, FactorizedSpace) or space.form != "factorized" or layer.groups > 1 or not x.numel():
        return False
    return space.num_weights > 0 and not torch.is_autocast_enabled("cpu") and has_loops(x[:0].flatten(1), layer.weight)


def saves_time(layer: Convolution, stencil: Stencil, points: int) -> bool:
    """Return whether aggregation over a window takes less time than a convolution, by counting multiply-adds."""
    space, window = cast(FactorizedSpace, layer.kernels), stencil.window
    pairs = space.in_type.size * space.out_type.size
    ordinary = (_SMALL_WINDOW_COST if window == (3, 3) else 1) * math.prod(window) * pairs
    least = _MARGIN * ordinary - _LEAST_SAVING / points
    loops = _LOOP_COST * _num_cells(stencil) * space.num_columns * space.in_type.size
    if loops >= least:
        return False
    if space.contraction is not None:
        entry, channel = _ENTRY_COST
        loops += entry * len(space.contraction.entries) + channel * int(space.contraction.entries[:, 3].sum())
    layout = mixing_layout(space)
    sizes = zip(layout[1::4], layout[2::4], layout[3::4], strict=True)
    products = sum(rows * (outputs + _NARROW) * times for rows, outputs, times in sizes)
    return loops + products + (0 if layer.self_interaction is None else pairs) < least


@lru_cache(maxsize=1024)
def _num_cells(stencil: Stencil) -> int:
    return int(stencil.weights.count_nonzero())


def pays(layer: Convolution, x: Tensor, sliding: Sliding) -> bool:
    """Return whether `slide_factorized` can be used and takes less time than a convolution."""
    if sliding.output_padding is not None or not can_aggregate(layer, x):
        return False
    return saves_time(layer, sliding.stencil, len(x) * math.prod(sliding.coarse(x.shape[2:])))


def slide_factorized(
    layer: Convolution, x: Float[Tensor, "batch in *spatial"], sliding: Sliding
) -> Float[Tensor, "batch out *out_spatial"]:
    """Return the layer with its stencil sliding over an array without padding; channels last in memory."""
    shape = sliding.coarse(x.shape[2:])
    x = x.movedim(1, -1).contiguous()
    middle = (slice(None), *_middles(sliding, shape))
    shift = torch.arange(math.prod(x.shape[:-1])).view(x.shape[:-1])[middle].flatten()
    factors = _cells(cast(FactorizedSpace, layer.kernels), sliding, x)
    out = aggregated(layer, mixing_of(layer), x.flatten(0, -2), x[middle].flatten(0, -2), factors, shift)
    return typed_tensor(out.unflatten(0, (len(x), *shape)).movedim(-1, 1))


def mixing_of(layer: Convolution) -> Float[Tensor, "entries"]:
    """Return the matrices that mix the aggregate, see `flat_mixing`; cached in evaluation mode."""
    made: Tensor = layer.cached_samples.get(layer, "mixing", lambda: flat_mixing(layer.kernels, layer.weight))
    return made


def aggregated(
    layer: Convolution,
    mixing: Tensor,
    x: Float[Tensor, "sources in"],
    own: Float[Tensor, "targets in"],
    factors: EdgeFactors,
    shift: Tensor | None = None,
) -> Float[Tensor, "targets out"]:
    """Return the whole layer by aggregation and mixing; `own` are the features at the targets, for K_self."""
    out = aggregate_and_mix(layer.kernels, mixing, x, factors, shift)
    if layer.self_interaction is not None:
        out = layer.self_interaction(own, onto=out)
    return out if layer.bias is None else layer.bias(out)


def _middles(sliding: Sliding, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the pixels in the middle of the windows, along each axis."""
    sizes = zip(sliding.stencil.window, sliding.dilation, sliding.stride, shape, strict=True)
    return tuple(slice(k // 2 * m, k // 2 * m + s * n, s) for k, m, s, n in sizes)


def _cells(space: FactorizedSpace, sliding: Sliding, x: Float[Tensor, "batch *spatial in"]) -> EdgeFactors:
    """Return the cells of the window as edges; their sources are relative to the pixel in the middle."""
    stencil = sliding.stencil
    coefficient = coefficient_table(space, stencil, x)
    used = coefficient.any(1)
    transport = cached_table((space.factor_keys[1], stencil), lambda: _transport(space, stencil), x)
    steps = torch.tensor([m * math.prod(x.shape[k + 2 : -1]) for k, m in enumerate(sliding.dilation)])
    source = (centred_indices(stencil.window).long() * steps).sum(1)[used]
    return EdgeFactors(
        coefficient[used],
        transport[used],
        block_table(space.in_type, transports=transport.shape[1] > 0),
        torch.tensor([0, len(source)]),
        source,
    )


def _transport(space: FactorizedSpace, stencil: Stencil) -> Float[Tensor, "cells entries"]:
    offsets = stencil.offsets
    return space.transport(offsets, torch.eye(offsets.shape[1]).expand(len(offsets), -1, -1).to(offsets))
