"""Settings of the whole test suite."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # one thread a worker: teams of threads that wait for each other stand still
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("gaugenet", deadline=None)  # compilation and caches make first runs slow
settings.load_profile("gaugenet")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Weights that a test draws are the same on every run, alone or in any order."""
    torch.manual_seed(0)
