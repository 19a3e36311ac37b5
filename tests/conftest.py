"""Settings of the whole test suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

import gaugenet

if "PYTEST_XDIST_WORKER" in os.environ:  # one thread a worker: teams of threads that wait for each other stand still
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("gaugenet", deadline=None)  # compilation and caches make first runs slow
settings.load_profile("gaugenet")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the loops once, where no compiled ones are stored, before several workers would all do so."""
    several = getattr(session.config.option, "numprocesses", None) and not hasattr(session.config, "workerinput")
    if several and not any(Path(gaugenet.__file__).parent.rglob("*.nbi")):
        _compile_loops()


def _compile_loops() -> None:
    mesh = gaugenet.TriangleMesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 2, 1], [0, 1, 3], [0, 3, 2]])
    group = gaugenet.SO2()
    fields = gaugenet.FieldType(group, "2x0 + 2x1")
    for dtype in (torch.float32, torch.float64):
        block = gaugenet.nn.ResidualBlock(fields).to(dtype)
        graph = mesh.gauge_graph(group, radius=2.0, dtype=dtype)
        block(torch.ones(4, fields.size, dtype=dtype), graph).sum().backward()


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Weights that a test draws are the same on every run, alone or in any order."""
    torch.manual_seed(0)
