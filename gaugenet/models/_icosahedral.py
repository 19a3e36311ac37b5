"""The parts of the icosahedral networks: types by level, residual stages, steps to coarser levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypedDict

from jaxtyping import Float
from torch import Tensor, nn

from gaugenet._typing import typed_tensor
from gaugenet._validation import LARGEST_BLOCKS, level_widths, positive
from gaugenet.geometry.icosphere.icosphere import Icosphere, icosphere
from gaugenet.groups import Cyclic, FieldType, StructureGroup, group_from_name
from gaugenet.kernels import Harmonic, kernel_from_text
from gaugenet.nn import FieldDropout, FieldLayerNorm, GaugeConv, PointwiseNonlinearity, Pool
from gaugenet.nn.chart_norm import ChartBatchNorm
from gaugenet.nn.engines import charts, engine_for
from gaugenet.nn.engines._chart_transfer import project_corners

_NORMS = {"batch": ChartBatchNorm, "layer": FieldLayerNorm}


class Options(TypedDict, total=False):
    """The keyword arguments of `Trunk`, for type checkers, in the signatures of the networks."""

    group: str
    width: int
    growth: float
    levels: int
    blocks: int
    rings: int
    max_frequency: int | None
    kernel: str | None
    norm: str
    activation: str
    downsample: str
    dropout: float


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """The options that the icosahedral networks share, and the types and layers that follow from them.

    Args:
        group: name of the structure group: `C_6`, or `D_6`, which also identifies mirror images.
        width: regular fields on the finest level.
        growth: factor of the width from level to level.
        levels: number of levels, the finest included; the input's level must be at least `levels - 1`.
        blocks: residual convolutions a level, going down and coming up.
        rings: radial functions of the kernels; the six neighbours are all on one ring.
        max_frequency: angular band limit of the kernels, see `HarmonicSpace`.
        kernel: family of the kernels as text, e.g. `"Differential(max_order=2)"`, instead of `rings` and
            `max_frequency`.
        norm: `batch`, or `layer` over the channels of each vertex, which does not depend on the rest of the batch.
        activation: `relu`, `gelu`, `silu`, `elu` or `tanh`.
        downsample: `stride`, a strided convolution, or `pool`, the mean over neighbours, then a convolution.
        dropout: probability of dropping a field, everywhere in a sample, before each convolution of a block.

    Raises:
        ValueError: If a name is unknown, or a size is below 1.
    """

    group: str = "C_6"
    width: int = 8
    growth: float = 2.0
    levels: int = 4
    blocks: int = 1
    rings: int = 1
    max_frequency: int | None = None
    kernel: str | None = None
    norm: str = "batch"
    activation: str = "relu"
    downsample: str = "stride"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.kernel is not None:
            kernel_from_text(self.kernel)
        _check_name("norm", self.norm, tuple(_NORMS))
        _check_name("downsample", self.downsample, ("stride", "pool"))
        self.structure.check_subgroup(Cyclic(6))
        positive("blocks", self.blocks, at_most=LARGEST_BLOCKS)
        if min(self.widths) < 1:
            raise ValueError(f"Expected a `growth` that keeps at least one field on every level, got {self.growth}.")

    @cached_property
    def structure(self) -> StructureGroup:
        """The structure group."""
        return group_from_name(self.group)

    @property
    def widths(self) -> list[int]:
        """Regular fields on each level, the finest first."""
        return level_widths(self.width, self.growth, self.levels)

    @cached_property
    def types(self) -> list[FieldType]:
        """Field type on each level."""
        return [FieldType(self.structure, {"regular": w}) for w in self.widths]

    def conv(self, in_type: FieldType, out_type: FieldType) -> GaugeConv:
        """Return a convolution."""
        family = Harmonic(self.rings, self.max_frequency) if self.kernel is None else kernel_from_text(self.kernel)
        return GaugeConv(in_type, out_type, kernel=family)

    def stages(self, types: Sequence[FieldType]) -> nn.ModuleList:
        """Return a stage for each type."""
        return nn.ModuleList([Stage(t, self) for t in types])

    def steps(self) -> nn.ModuleList:
        """Return the layers from each level to the next coarser one."""
        return nn.ModuleList([Coarsen(a, b, self) for a, b in pairwise(self.types)])

    def activated(self, field_type: FieldType) -> tuple[nn.Module, PointwiseNonlinearity]:
        """Return a normalization and a nonlinearity."""
        return _NORMS[self.norm](field_type), PointwiseNonlinearity(field_type, activation=self.activation)


class Stage(nn.Module):
    """Residual convolutions x + conv(act(norm(x))), with pre-activation (:cite:`he2016identity`)."""

    def __init__(self, field_type: FieldType, trunk: Trunk) -> None:
        super().__init__()
        self.norms = nn.ModuleList([_NORMS[trunk.norm](field_type) for _ in range(trunk.blocks)])
        self.act = PointwiseNonlinearity(field_type, activation=trunk.activation)
        self.drop = FieldDropout(field_type, trunk.dropout, whole=True)
        self.convs = nn.ModuleList([trunk.conv(field_type, field_type) for _ in range(trunk.blocks)])

    def forward(self, x: Tensor, sphere: Icosphere) -> Tensor:
        for norm, conv in zip(self.norms, self.convs):
            x = x + conv(self.drop(self.act(norm(x))), sphere)
        return x


class Coarsen(nn.Module):
    """The step to the next coarser level and its width."""

    def __init__(self, in_type: FieldType, out_type: FieldType, trunk: Trunk) -> None:
        super().__init__()
        self.pool = Pool(in_type) if trunk.downsample == "pool" else None
        self.conv = trunk.conv(in_type, out_type)

    def forward(self, x: Tensor, sphere: Icosphere) -> Tensor:
        if self.pool is None:
            return typed_tensor(self.conv(x, sphere.strided()))
        return typed_tensor(self.conv(self.pool(x, sphere), sphere.coarser()))


def sphere_of(x: Float[Tensor, "..."], domain: Icosphere | None, in_type: FieldType) -> Icosphere:
    """Return the icosphere whose features have the shape of `x`; a given `domain` must equal it.

    Raises:
        ValueError: If the features have another type, no icosphere has features of this shape, or `domain` differs.
    """
    in_type.check(x)
    sphere = icosphere(_level(x)) if domain is None else domain
    engine_for(sphere).check(in_type, x, sphere)
    return sphere


def projected_charts(
    x: Float[Tensor, "..."], in_type: FieldType, sphere: Icosphere
) -> Float[Tensor, "batch size rows columns"]:
    """Return features of any layout in the chart layout, with their invariant part at the corners."""
    return project_corners(charts.as_charts(x, sphere), in_type, sphere)


def _level(x: Tensor) -> int:
    if x.dim() == 4:
        return max(x.shape[3].bit_length() - 2, 0)
    count = x.shape[0] if x.dim() == 2 else x.shape[-1]
    return (max(count - 2, 1) // 10).bit_length() // 2


def _check_name(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"Unknown {name} {value!r}: expected {' or '.join(f'`{a}`' for a in allowed)}.")
