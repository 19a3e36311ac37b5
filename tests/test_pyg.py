"""What is left out when PyTorch Geometric is imported is there as soon as somebody asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATER = "torch_geometric.datasets", "torch._dynamo"


def printed(program: str) -> list[bool]:
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return [word == "True" for word in run.stdout.split()]


SHOW = f"import sys; print(*(name in sys.modules for name in {LATER}), flush=True)"
USES = [
    ("pass", None),
    ("import torch_geometric; torch_geometric.datasets.Planetoid.url", 0),
    ("import torch_geometric.datasets; torch_geometric.datasets.Planetoid.url", 0),
    ("from torch_geometric.datasets import Planetoid; Planetoid.url", 0),
    ("import torch; torch._dynamo.OptimizedModule", 1),
    ("import torch._dynamo; torch._dynamo.reset()", 1),
    ("import torch; torch.compile(torch.nn.ReLU(), backend='eager')(torch.ones(2))", 1),
    ("import torch, torch_geometric; torch_geometric.is_torch_instance(1, torch.nn.Linear)", 1),
]


@pytest.fixture(scope="module")
def after_use() -> list[list[bool]]:
    """What is loaded after each use, all in copies of one process that has imported PyG."""
    program = f"""
import os, traceback
import gaugenet._pyg
for use in {[use for use, _ in USES]!r}:
    child = os.fork()
    if child == 0:
        try:
            exec(use, {{}})
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        {SHOW}
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, use
"""
    words = printed(program)
    assert len(words) == 2 * len(USES)
    return [words[2 * k : 2 * k + 2] for k in range(len(USES))]


def test_neither_is_imported_with_pyg(after_use):
    assert after_use[0] == [False, False]


def test_control_pyg_alone_imports_both():
    program = f"import torch_geometric; {SHOW}; import gaugenet._pyg; {SHOW}"
    assert printed(program) == [True, True, True, True]


@pytest.mark.parametrize("k", range(1, len(USES)), ids=lambda k: USES[k][0])
def test_use_imports_them(k, after_use):
    assert after_use[k][USES[k][1]]
