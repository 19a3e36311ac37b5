"""Which versions of PyTorch can compile and export the layers."""

from __future__ import annotations

import pytest
import torch


def cheap_first(cases: list, cheap: list) -> list:
    """Mark the cases of a parametrized test as `long`, but for the cheap ones that represent them in every run."""
    return [case if case in cheap else pytest.param(*_values(case), marks=pytest.mark.long) for case in cases]


def _values(case: object) -> tuple:
    return case if isinstance(case, tuple) else (case,)


newer_than_torch_2_6 = pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 7),
    reason="torch 2.6 fails to compile or export some of the layers, inside of itself",
)
