"""Every example runs as it is told to in its first lines, in a reduced setting, and says what it should."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PNG = b"\x89PNG\r\n"


def run(name: str, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_tested():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "gauge_equivariance.py",
        "own_layer.py",
        "segment_bodies.py",
    }


def test_segment_bodies_trains_and_draws(tmp_path):
    text = run("segment_bodies.py", tmp_path, "--epochs", "2", "--meshes", "2", "--out", "bodies.png")
    first, second = (float(line.split()[3]) for line in text.splitlines() if line.startswith("epoch"))
    assert second < first, "one epoch of training lowers the loss"
    assert (tmp_path / "bodies.png").read_bytes().startswith(PNG)


def test_gauge_equivariance_tells_the_network_from_its_controls(tmp_path):
    lines = run("gauge_equivariance.py", tmp_path).splitlines()
    moved = {
        line.split("  ")[0]: float(line.split("logits move by ")[1].split()[0]) for line in lines if "move" in line
    }
    assert moved.pop("a random frame at every vertex") < 1e-5
    assert len(moved) == 2
    assert min(moved.values()) > 1e-2
    assert (tmp_path / "gauge_equivariance.png").read_bytes().startswith(PNG)


def test_own_layer_is_accepted_and_the_wrong_one_refused(tmp_path):
    text = run("own_layer.py", tmp_path)
    assert text.count("negative control") == 2
    refused = text[text.index("refused:") :]
    assert "BiasOnVectors depends on the gauge" in refused
    assert "8x1" in refused


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.name)
def test_examples_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 110
