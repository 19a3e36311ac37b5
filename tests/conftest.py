"""Settings of the whole test suite."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings

settings.register_profile("gaugenet", deadline=None)  # compilation and caches make first runs slow
settings.load_profile("gaugenet")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Weights that a test draws are the same on every run, alone or in any order."""
    torch.manual_seed(0)
