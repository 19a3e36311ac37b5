"""One of every layer and field type, for theorems that all of them obey."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from gaugenet.groups import O2, SO2, Cyclic, Dihedral, FieldType, Reflection, StructureGroup, Trivial
from gaugenet.nn import (
    EquivariantLinear,
    FieldDropout,
    FieldInstanceNorm,
    FieldLayerNorm,
    FourierNonlinearity,
    Gated,
    GaugeConv,
    InvariantBias,
    InvariantReadout,
    NormNonlinearity,
    PointwiseNonlinearity,
    ResidualBlock,
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
}
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
        "gated": lambda: Gated(b),
        "norm nonlinearity": lambda: NormNonlinearity(a),
        "layer norm": lambda: FieldLayerNorm(a),
        "instance norm": lambda: FieldInstanceNorm(a),
        "dropout": lambda: FieldDropout(a, 0.3),
        "readout": lambda: InvariantReadout(a),
        "block": lambda: ResidualBlock(a, dropout=0.2),
    }
    permuted = [block for block in a.blocks if block.representation.permutation]
    if permuted:
        pointwise = FieldType(group, [(block.representation, block.multiplicity) for block in permuted])
        found["pointwise"] = lambda: PointwiseNonlinearity(pointwise, activation="relu")
    if group in (SO2(), O2()):
        smooth = FieldType(group, "2x0 + 2x1 + 2x2")
        found["fourier"] = lambda: FourierNonlinearity(smooth, samples=61)
    return found


def with_random_weights(module: nn.Module) -> nn.Module:
    """Biases start at zero, where they could not break anything."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module
