"""The configuration in examples/ trains on files that are laid out as it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from gaugenet.cli import main
from gaugenet.geometry import TriangleMesh
from tests.tasks.regression.fields_of_surfaces import fields, write_set

EXAMPLE = Path(__file__).parents[3] / "examples" / "fields.yaml"


def test_the_example_trains(tmp_path):
    data = write_set(tmp_path / "data", train=2, val=1, test=1)
    for path in data.glob("*/*.ply"):
        mesh = TriangleMesh.load(path)
        np.savez(path.with_suffix(".npz"), inflow_distance=fields(mesh)["height"], wall_normal=mesh.vertex_normals)
    small = ["--max_epochs", "1", "--model.width", "2", "--geometry.levels", "1", "--n_jobs", "1", "--threads", "1"]
    run = tmp_path / "run"
    assert main(["train", "regression", "--config", str(EXAMPLE), "--data", str(data), "--out", str(run), *small]) == 0
    description = json.loads((run / "run.json").read_text())
    assert description["arguments"]["out_type"] == "1x1 + 1x0"
    assert description["data"]["inputs"]["wall_normal"]["kind"] == "space_vector"
