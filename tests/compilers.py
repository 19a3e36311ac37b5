"""Which versions of PyTorch can compile and export the layers."""

from __future__ import annotations

import pytest
import torch

newer_than_torch_2_6 = pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 7),
    reason="torch 2.6 fails to compile or export some of the layers, inside of itself",
)
