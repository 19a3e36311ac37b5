"""One of every layer and field type, for theorems that all of them obey."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from gaugenet.geometry.gauge_graph import GaugeGraph
from gaugenet.groups import O2, O3, SO2, SO3, Cyclic, Dihedral, FieldType, Reflection, StructureGroup, Trivial
from gaugenet.nn import (
    EquivariantLinear,
    EquivariantMLP,
    FieldBatchNorm,
    FieldDropout,
    FieldInstanceNorm,
    FieldLayerNorm,
    FourierNonlinearity,
    GatedNonlinearity,
    GaugeConv,
    GroupPool,
    HarmonicEmbedding,
    InvariantBias,
    InvariantReadout,
    NormNonlinearity,
    NormPool,
    PointwiseNonlinearity,
    ResidualBlock,
    Restrict,
    TensorProductNonlinearity,
    ToIrreps,
    VectorFieldNonlinearity,
)

TYPES: dict[StructureGroup, tuple[str, str]] = {
    SO2(): ("3x0 + 2x1 + 1x2", "2x1 + 3x0 + 2x3"),
    O2(): ("2x0 + 2x0- + 2x1 + 1x2", "2x0- + 1x2 + 2x0 + 1x1"),
    Cyclic(4): ("2xregular + 1x1 + 2x0", "1xregular + 2x2 + 1x1"),
    Cyclic(5): ("2xregular + 1x0", "2x1 + 1xregular"),
    Dihedral(3): ("1xregular + 1x0-", "2x1 + 1xregular"),
    Dihedral(4): ("1xregular + 1xquotient(C_2)", "1xinduced(C_4,1) + 2x0- + 1xregular"),
    Reflection(): ("2x0 + 3x0-", "2xregular + 1x0-"),
    Trivial(): ("5x0", "3x0"),
    SO3(): ("3x0 + 2x1 + 1x2", "1x2 + 2x0 + 2x1"),
    O3(): ("2x0 + 2x0o + 2x1o + 1x2e", "1x1e + 2x0 + 2x1o"),
}
SUBGROUPS: dict[StructureGroup, StructureGroup] = {
    SO2(): Cyclic(6),
    O2(): SO2(),
    Cyclic(4): Cyclic(2),
    Dihedral(4): Cyclic(4),
    O3(): SO3(),
}
ON_GRAPHS = {"conv", "conv without options", "block", "instance norm", "batch norm", "whole dropout"}
"""Layers that ask where points are, or which graph they belong to. All others treat each point by itself."""
MIXED = [
    *((group, *specs) for group, specs in TYPES.items()),
    (SO2(), "4x0", "3x0"),
    (SO2(), "2x(1⊗2) + 2x0", "1x1 + 1x(1⊗1)"),
    (O2(), "2xinduced(SO(2),1) + 1xquotient(SO(2))", "1xinduced(SO(2),2) + 1x0-"),
]


def types(group: StructureGroup) -> tuple[FieldType, FieldType]:
    a, b = TYPES[group]
    return FieldType(group, a), FieldType(group, b)


def layers(group: StructureGroup) -> dict[str, Callable[[], nn.Module]]:
    """Exactly equivariant layers by name, each a constructor of `module(x)` or `module(x, graph)`."""
    a, b = types(group)
    found: dict[str, Callable[[], nn.Module]] = {
        "conv": lambda: GaugeConv(a, b),
        "conv without options": lambda: GaugeConv(a, b, rings=1, self_interaction=False, bias=False),
        "linear": lambda: EquivariantLinear(a, b),
        "bias": lambda: InvariantBias(a),
        "gated": lambda: GatedNonlinearity(b),
        "norm nonlinearity": lambda: NormNonlinearity(a),
        "layer norm": lambda: FieldLayerNorm(a),
        "instance norm": lambda: FieldInstanceNorm(a),
        "batch norm": lambda: FieldBatchNorm(a),
        "dropout": lambda: FieldDropout(a, 0.3),
        "whole dropout": lambda: FieldDropout(a, 0.3, whole=True),
        "readout": lambda: InvariantReadout(a),
        "norm pool": lambda: NormPool(a),
        "mlp": lambda: EquivariantMLP(a, b, hidden=[b, a]),
        "tensor product": lambda: TensorProductNonlinearity(a, b),
        "disentangle": lambda: ToIrreps(a),
        "embedding": lambda: HarmonicEmbedding(group, vectors=2, radius=3.0),
        "block": lambda: ResidualBlock(a, dropout=0.2),
    }
    if group in SUBGROUPS:
        found["restrict"] = lambda: Restrict(a, SUBGROUPS[group])
    permuted = [block for block in a.blocks if block.representation.permutation]
    if permuted:
        pointwise = FieldType(group, [(block.representation, block.multiplicity) for block in permuted])
        found["pointwise"] = lambda: PointwiseNonlinearity(pointwise, activation="relu")
        found["group pool"] = lambda: GroupPool(pointwise)
    if group.order is not None:
        found["vector field"] = lambda: VectorFieldNonlinearity(FieldType(group, "3xregular"))
    if group in (SO2(), O2()):
        found["fourier"] = lambda: FourierNonlinearity(FieldType(group, "2x0 + 2x1 + 2x2"), samples=61)
    if group in (SO3(), O3()):
        first = group.standard().name
        found["fourier"] = lambda: FourierNonlinearity(FieldType(group, f"2x0 + 2x{first}"), samples=60)
    return found


def call(layer: nn.Module, name: str, x: Tensor, graph: GaugeGraph) -> Tensor:
    return layer(x, graph) if name in ON_GRAPHS else layer(x)


def with_random_weights(module: nn.Module) -> nn.Module:
    """Biases start at zero, where they could not break anything; so do running means."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    for name, buffer in module.named_buffers():
        if "running" in name:
            nn.init.uniform_(buffer, 0.5, 1.5)
    return module
