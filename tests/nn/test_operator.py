"""Custom operators are called without PyTorch's compiler, and hidden from it once it is there."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import Tensor

from gaugenet.nn.compiled.operator import fake, operator


@operator("test_twice")
def twice(x: Tensor) -> Tensor:
    return torch.from_numpy(2 * x.numpy())  # nothing that a compiler could trace


@fake("test_twice")
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def _backward(ctx, grad: Tensor) -> Tensor:
    return twice(grad)


torch.library.register_autograd("gaugenet::test_twice", _backward)


def test_operators_compute_differentiate_and_compile():
    x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert torch.equal(twice(x), 2 * x)
    assert torch.autograd.gradcheck(twice, (x,))
    torch.library.opcheck(twice, (x,))
    compiled = torch.compile(lambda x: twice(x) + 1, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), 2 * x + 1)


CALL = """
import sys, torch
{imports}
@{decorator}
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x
twice(torch.ones(2))
print("torch._dynamo" in sys.modules)
"""


def test_a_call_imports_no_compiler_as_torchs_own_decorator_does():
    ours = ("from gaugenet.nn.compiled.operator import operator", 'operator("test_call")')
    theirs = ("", 'torch.library.custom_op("gaugenet::test_call", mutates_args=())')
    for (imports, decorator), expected in ((ours, "False"), (theirs, "True")):
        program = CALL.format(imports=imports, decorator=decorator)
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == expected
