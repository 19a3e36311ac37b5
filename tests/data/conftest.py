"""Fixtures: the real data sets, where the machine has them."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def real_data(tmp_path_factory):
    """`real_data("faust")` is the folder of an unpacked data set; the test is skipped where it is absent."""
    base = Path(os.environ.get("GAUGENET_DATA", ROOT.parent / "shared" / "data"))
    unpacked = tmp_path_factory.mktemp("real_data")

    def find(archive: str, folder: str) -> Path:
        for place in (base / folder, unpacked / folder):
            if place.is_dir():
                return place
        packed = base / f"{archive}.tar.xz"
        if not packed.is_file():
            pytest.skip(f"data set {archive} not found: set GAUGENET_DATA to the folder that holds {packed.name}")
        with tarfile.open(packed) as file:
            file.extractall(unpacked, filter="data")
        return unpacked / folder

    return find


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
