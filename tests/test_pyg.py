"""What is left out when PyTorch Geometric is imported is there as soon as somebody asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATER = "torch_geometric.datasets", "torch._dynamo"


def loaded_after(program: str) -> list[bool]:
    program += f"; import sys; print(*(name in sys.modules for name in {LATER}))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return [word == "True" for word in run.stdout.split()]


def test_neither_is_imported_with_pyg():
    assert loaded_after("import gaugenet._pyg") == [False, False]


def test_control_pyg_alone_imports_both():
    assert loaded_after("import torch_geometric") == [True, True]
    assert loaded_after("import torch_geometric, gaugenet._pyg") == [True, True]


@pytest.mark.parametrize(
    ("use", "loads"),
    [
        ("import torch_geometric; torch_geometric.datasets.Planetoid.url", 0),
        ("import torch_geometric.datasets; torch_geometric.datasets.Planetoid.url", 0),
        ("from torch_geometric.datasets import Planetoid; Planetoid.url", 0),
        ("import torch; torch._dynamo.OptimizedModule", 1),
        ("import torch._dynamo; torch._dynamo.reset()", 1),
        ("import torch; torch.compile(torch.nn.ReLU(), backend='eager')(torch.ones(2))", 1),
        ("import torch, torch_geometric; torch_geometric.is_torch_instance(1, torch.nn.Linear)", 1),
    ],
)
def test_use_imports_them(use, loads):
    assert loaded_after(f"import gaugenet._pyg; {use}")[loads]
