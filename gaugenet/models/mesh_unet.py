"""MeshUNet: a gauge-equivariant U-Net on the levels of a mesh."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import LARGEST_BLOCKS, level_widths, positive
from gaugenet.geometry.domain import GraphDomain
from gaugenet.groups import FieldType, StructureGroup, group_from_name
from gaugenet.models._field_head import FieldHead
from gaugenet.nn import (
    AttentionBlock,
    EquivariantLinear,
    FieldLayerNorm,
    GlobalPool,
    InvariantReadout,
    Pool,
    ResidualBlock,
    Unpool,
)
from gaugenet.nn.conv import check_domain

_Block = Callable[..., nn.Module]


class MeshUNet(nn.Module):
    """A gauge-equivariant U-Net: residual blocks on every level, transport between levels, fields or logits as output.

    A U-Net (:cite:`ronneberger2015unet`) of gauge-equivariant mesh convolutions (:cite:`dehaan2021gauge`).

    Shapes:
        x: `(N, in_type.size)`, graph: a `GaugeGraph` with at least `levels` levels -> `(N, out_type.size)`,
        or `(B, out_type.size)` with `readout="global"`.

    Equivariance: outputs transform by `out_type` under independent gauge transformations at all points, so that logits
    are invariant; exact with `nonlinearity="gated"`: 1e-6 relative in float32, 2e-15 in float64, on a mesh of 6,890
    vertices.

    Args:
        in_type: field type of the input features, e.g. `"16x0 + 2x1"`.
        out_type: field type of the outputs, e.g. `"1x0 + 1x1"` for a scalar and a vector, or a number of scalars, such
            as the logits of classes.
        out_channels: number of scalars, instead of `out_type`.
        group: name of the structure group.
        width: multiplicity of every order on the finest level.
        orders: the irreps of the hidden features (any label of the group, e.g. `"regular"`).
        levels: number of levels, including the finest; 1 is a plain residual network.
        growth: factor of the width from level to level.
        blocks: residual blocks per level, on the way down and on the way up.
        rings: radial functions of the kernels.
        kernel: family of the kernels as text, e.g. `"Differential(max_order=2)"`, instead of `rings`.
        nonlinearity: `gated` (exact) or `fourier`.
        samples: number of angles of the Fourier nonlinearity.
        dropout: probability of dropping a field in the blocks.
        readout: `points` or `global`.
        attention: use attention over neighbourhoods instead of convolutions, see `AttentionBlock`.
        head_width: hidden width of the dense layers before the outputs; default: twice the number of invariants.

    The arguments are stored as `config`, which can be written as JSON: `MeshUNet(**model.config)` is the same network.

    Raises:
        ValueError: If a name is unknown, a size is below 1, or the nonlinearity or the group does not allow an order;
            in `forward`, if the features have another type or the graph has too few levels.

    Example:
        >>> import torch
        >>> from gaugenet.geometry import Icosphere
        >>> from gaugenet.groups import SO2
        >>> from gaugenet.models import MeshUNet
        >>> network = MeshUNet("3x0", 5, width=4, levels=1)  # more levels on a `hierarchy(mesh, SO2(), levels=...)`
        >>> network(torch.rand(162, 3), Icosphere(2).gauge_graph(SO2())).shape
        torch.Size([162, 5])
    """

    def __init__(
        self,
        in_type: str | FieldType,
        out_type: str | FieldType | int | None = None,
        *,
        out_channels: int | None = None,
        group: str = "SO(2)",
        width: int = 16,
        orders: Sequence[int | str] = (0, 1, 2),
        levels: int = 3,
        growth: float = 1.5,
        blocks: int = 1,
        rings: int = 2,
        nonlinearity: str = "gated",
        samples: int = 21,
        dropout: float = 0.1,
        readout: str = "points",
        attention: bool = False,
        head_width: int | None = None,
        kernel: str | None = None,
    ) -> None:
        super().__init__()
        if readout not in ("points", "global"):
            raise ValueError(f"Unknown readout {readout!r}: expected `points` or `global`.")
        scalars, fields = _outputs(out_type, out_channels)
        self.config: dict[str, Any] = {
            "in_type": str(in_type),
            "out_channels": scalars,
            "out_type": fields,
            "group": group,
            "width": width,
            "orders": list(orders),
            "levels": levels,
            "growth": growth,
            "blocks": blocks,
            "rings": rings,
            "nonlinearity": nonlinearity,
            "samples": samples,
            "dropout": dropout,
            "readout": readout,
            "attention": attention,
            "head_width": head_width,
            "kernel": None if kernel is None else str(kernel),
        }
        structure = group_from_name(group)
        self.in_type = FieldType(structure, in_type)
        self.out_type = FieldType(structure, [("trivial", scalars or 0)] if fields is None else fields)
        if not self.out_type.size:
            raise ValueError(f"Expected an `out_type` with at least one channel, got {fields!r}.")
        if readout == "global" and not self.out_type.is_invariant:
            raise ValueError(
                f"Expected scalars with readout='global', a mean over the mesh, got {self.out_type}: use "
                "readout='points'."
            )
        types = _level_types(structure, orders, width, growth, levels)
        positive("blocks", blocks, at_most=LARGEST_BLOCKS)
        options = {"nonlinearity": nonlinearity, "samples": samples, "dropout": dropout}
        convolution = partial(ResidualBlock, rings=rings, kernel=self.config["kernel"])
        block: _Block = AttentionBlock if attention else convolution
        self.embed = EquivariantLinear(self.in_type, types[0])
        self.down = nn.ModuleList([_Stage(t, blocks, block, options) for t in types])
        self.pool = nn.ModuleList([Pool(t) for t in types[:-1]])
        self.widen = nn.ModuleList([EquivariantLinear(a, b) for a, b in pairwise(types)])
        self.unpool = nn.ModuleList([Unpool(t) for t in types[1:]])
        self.merge = nn.ModuleList([EquivariantLinear(a + b, a) for a, b in pairwise(types)])
        self.up = nn.ModuleList([_Stage(t, blocks, block, options) for t in types[:-1]])
        self.norm = FieldLayerNorm(types[0])
        if not self.out_type.is_invariant:
            self.field_head = FieldHead(types[0], self.out_type, hidden=head_width, dropout=dropout)
            return
        self.read = InvariantReadout(types[0])
        self.mean = GlobalPool(self.read.out_type) if readout == "global" else None
        invariants = self.read.out_type.size
        hidden = 2 * invariants if head_width is None else positive("head_width", head_width)
        self.head = nn.Sequential(
            nn.Linear(invariants, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, self.out_type.size)
        )

    @property
    def classifier(self) -> nn.Linear:
        """The last layer, whose input is `hidden`."""
        last: Any = self.head[-1]
        linear: nn.Linear = last
        return linear

    def forward(self, x: Float[Tensor, "vertices in"], graph: GraphDomain) -> Float[Tensor, "vertices_or_graphs out"]:
        if not self.out_type.is_invariant:
            return typed_tensor(self.field_head(self.fields(x, graph)))
        return typed_tensor(self.classifier(self.hidden(x, graph)))

    def hidden(self, x: Float[Tensor, "vertices in"], graph: GraphDomain) -> Float[Tensor, "vertices_or_graphs hidden"]:
        """Return the invariant features that are the input of the last layer, for a network with scalar outputs."""
        invariants = self.read(self.fields(x, graph))
        if self.mean is not None:
            invariants = self.mean(invariants, graph)
        for layer in list(self.head)[:-1]:
            invariants = layer(invariants)
        return typed_tensor(invariants)

    def fields(self, x: Float[Tensor, "vertices in"], graph: GraphDomain) -> Float[Tensor, "vertices fields"]:
        """Return the fields of the last hidden layer, from which the outputs are computed."""
        self.in_type.check(x)
        check_domain(self.in_type, x, graph)
        levels = len(self.down)
        if graph.num_levels < levels:
            raise ValueError(
                f"Expected a graph with {levels} levels, got {graph.num_levels}: build it with `hierarchy(mesh, group, "
                f"levels={levels})` or use `levels={graph.num_levels}`."
            )
        x = self.embed(x)
        skips: list[Tensor] = []
        for level in range(levels):
            x = self.down[level](x, graph.level(level))
            if level + 1 < levels:
                skips.append(x)
                x = self.widen[level](self.pool[level](x, graph, level=level + 1))
        for level in reversed(range(levels - 1)):
            coarse = self.unpool[level](x, graph, level=level + 1)
            x = self.merge[level](torch.cat([skips[level], coarse], -1))
            x = self.up[level](x, graph.level(level))
        return typed_tensor(self.norm(x))


def _outputs(out_type: str | FieldType | int | None, out_channels: int | None) -> tuple[int | None, str | None]:
    """Return the number of scalars, or the field type of the outputs as text.

    Raises:
        ValueError: If neither or both arguments are given.
    """
    if (out_type is None) == (out_channels is None):
        raise ValueError(f"Expected either `out_type` or `out_channels`, got {out_type!r} and {out_channels!r}.")
    if out_type is None or isinstance(out_type, Integral):
        return positive("out_channels", out_channels if out_type is None else out_type), None
    return None, str(out_type)


def _level_types(
    group: StructureGroup, orders: Sequence[int | str], width: int, growth: float, levels: int
) -> list[FieldType]:
    """Return the hidden features of every level."""
    widths = level_widths(width, growth, levels)
    if not orders or min(widths) < 1:
        raise ValueError(
            f"Expected at least one order and a `growth` that keeps at least one field on every level, got {orders} "
            f"and {growth}."
        )
    return [FieldType(group, [(order, w) for order in orders]) for w in widths]


class _Stage(nn.Module):
    """The residual blocks of one level."""

    def __init__(self, field_type: FieldType, blocks: int, block: _Block, options: dict[str, Any]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([block(field_type, **options) for _ in range(blocks)])

    def forward(self, x: Tensor, graph: GraphDomain) -> Tensor:
        for block in self.blocks:
            x = block(x, graph)
        return x
