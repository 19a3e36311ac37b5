"""Checkpoints last: the same weights mean the same kernels on every machine and in every version.

Each number is a sum over all entries of a kernel, with weights and factors that no two entries share: another sign,
order or basis changes it. Whoever changes one of them breaks the files of those who trained with it.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from gaugenet.groups import (
    O2,
    O3,
    SO2,
    SO3,
    Axial,
    Cyclic,
    Dihedral,
    FieldType,
    GeneralLinear,
    Lorentz,
    MatrixGroup,
    Polyhedral,
    Reflection,
    Scaling,
    SpecialLinear,
)
from gaugenet.kernels import DifferentialSpace, HarmonicSpace
from gaugenet.nn import GridConv

I = [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]]
J = [[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]]
KERNELS = [
    (SO2(), "1x0 + 1x1 + 1x2", 50, 1.136962023757),
    (SO2(), "1xsphere(2)", 50, -0.649577303946),
    (O2(), "1x0 + 1x0- + 1x1 + 1x2", 36, -2.403156478447),
    (O2(), "1xinduced(SO(2),1)", 16, 1.297023699019),
    (Cyclic(5), "1xregular + 1x1 + 1x2", 162, 17.539651673295),
    (Dihedral(4), "1xregular + 1xquotient(C_2) + 1x1", 246, -6.269428787312),
    (Reflection(), "1xregular", 20, 1.413505126671),
    (SO3(), "1x0 + 1x1 + 1x2", 38, 0.775906014955),
    (O3(), "1x0 + 1x1o + 1x2e + 1x1e", 40, -0.382275427240),
    (Polyhedral("T"), "1x0 + 1xstandard + 1xE", 56, 0.360315517557),
    (Polyhedral("O"), "1x0 + 1xstandard + 1xA2", 36, 1.169528524363),
    (Polyhedral("O"), "1xregular", 768, -4.451214136164),
    (Polyhedral("I"), "1x0 + 1xstandard + 1xG", 38, -1.421927824989),
    (Polyhedral("T_d"), "1x0 + 1xstandard + 1xE", 34, -1.246130391367),
    (Polyhedral("T_h"), "1x0 + 1xstandard + 1xEu", 32, -2.127060564644),
    (Polyhedral("O_h"), "1x0 + 1xstandard + 1xA2u", 26, 0.156524516383),
    (Polyhedral("I_h"), "1x0 + 1xstandard + 1xGu", 22, 0.204831198451),
    (Axial(O2(), "mirror"), "1x0 + 1x1 + 1x1z", 28, 0.290774969360),
    (Axial(Cyclic(4), "2"), "1xregular", 72, -3.326382112901),
    (MatrixGroup([I, J], name="Q_8"), "1x1 + 1x2.1", 98, -1.950075227551),
    (MatrixGroup([], lie_algebra=[I, J], name="SU_2"), "1x1 + 1x2", 98, -3.854432082543),
]
OPERATORS = [
    (SO2(), "1x0 + 1x1 + 1x2", 36, 4.886433329),
    (O2(), "1x0 + 1x0- + 1x1", 15, 1.362522313),
    (Cyclic(5), "1xregular + 1x1", 98, 2.777375466),
    (Dihedral(4), "1xregular + 1x1", 124, -15.530776621),
    (SO3(), "1x0 + 1x1 + 1x2", 27, 8.824210282),
    (O3(), "1x0 + 1x1o", 9, -1.739947596),
    (Polyhedral("O"), "1x0 + 1xstandard + 1xE", 32, -5.822946275),
    (GeneralLinear(2), "1x0 + 1xdual + 1x(dual⊗dual)", 8, -2.018845307),
    (SpecialLinear(2), "1x0 + 1x1", 5, -0.293030739),
    (Lorentz(3), "1x0 + 1x1 + 1x2", 27, -6.386467029),
    (Scaling(2, rotations=SO2()), "1x0 + 1xstandard", 5, -0.036401177),
]
LAYERS = [
    (Cyclic(8), "1xregular + 1x1", 0.050954893984),
    (SO2(), "1x0 + 1x1 + 1x2", -0.591058878707),
    (O3(), "1x0 + 1x1o", -0.604317124085),
]


def waves(count: int, speed: float) -> torch.Tensor:
    return torch.cos(torch.arange(count, dtype=torch.float64) * speed)


def checksum(x: torch.Tensor) -> float:
    return (x.flatten() * torch.sin(torch.arange(x.numel(), dtype=torch.float64) * 0.9)).sum().item()


def of_kernels(group, spec: str) -> tuple[int, float]:
    fields = FieldType(group, spec)
    space = HarmonicSpace(fields, fields, rings=2)
    v = torch.stack([torch.cos(torch.arange(group.d, dtype=torch.float64) + s) for s in range(3)]) * 0.4
    return space.num_weights, checksum(space.evaluate(waves(space.num_weights, 1.7), v))


def of_operators(group, spec: str) -> tuple[int, float]:
    fields = FieldType(group, spec)
    space = DifferentialSpace(fields, fields, max_order=3)
    xi = torch.stack([torch.cos(torch.arange(group.d, dtype=torch.float64) + s) for s in range(3)])
    return space.num_weights, checksum(space.symbol(waves(space.num_weights, 1.7), xi))


@torch.no_grad()
def of_layer(group, spec: str) -> float:
    """Of the whole convolution: kernels, self-interaction, bias."""
    fields = FieldType(group, spec)
    layer = GridConv(fields, fields, 5 if group.d == 2 else 3, dtype=torch.float64)
    for p in layer.parameters():
        p.copy_(waves(p.numel(), 1.7).view_as(p))
    kernel, bias = layer.sampled(layer.sliding.stencil)
    return checksum(kernel) + checksum(bias)


@pytest.mark.parametrize(("group", "spec", "count", "expected"), KERNELS, ids=str)
def test_kernels_are_what_they_were(group, spec, count, expected):
    assert of_kernels(group, spec) == (count, pytest.approx(expected, abs=1e-9))


@pytest.mark.parametrize(("group", "spec", "count", "expected"), OPERATORS, ids=str)
def test_operators_are_what_they_were(group, spec, count, expected):
    assert of_operators(group, spec) == (count, pytest.approx(expected, abs=1e-8))


@pytest.mark.parametrize(("group", "spec", "expected"), LAYERS, ids=str)
def test_layers_are_what_they_were(group, spec, expected):
    assert of_layer(group, spec) == pytest.approx(expected, abs=1e-9)


def test_on_an_older_processor():
    """Without AVX, in another process, in the opposite order."""
    program = (
        "from tests.kernels.test_stable import *; print([of_kernels(g, s) for g, s, *_ in KERNELS[::-1]] + "
        "[of_operators(g, s) for g, s, *_ in OPERATORS[::-1]])"
    )
    older = os.environ | {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=older)
    found = eval(run.stdout)[::-1]
    for (*_, count, expected), there in zip([*OPERATORS, *KERNELS], found, strict=True):
        assert there == (count, pytest.approx(expected, abs=1e-8))
