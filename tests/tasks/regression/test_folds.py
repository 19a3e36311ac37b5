"""Cross-validation of a regression: every fold is scored on the patients that it held out, and fitted on the others."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaugenet.cli import main
from gaugenet.geometry import TriangleMesh
from gaugenet.tasks.regression.options import RegressionData, open_meshes
from tests.tasks.regression.fields_of_surfaces import fields, write_set

SMALL = [
    "--data.targets={pressure: scalar, total: scalar}", "--data.inputs={height: scalar}", "--data.folds=3",
    "--data.group=patient_*", "--model.width=2", "--model.blocks=1", "--geometry.levels=1", "--max_epochs=1",
    "--accelerator=cpu", "--n_jobs=1", "--threads=1", "--trainer.logger=none",
]  # fmt: skip


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Two meshes of each of three patients, in one folder."""
    made = write_set(tmp_path_factory.mktemp("made"), train=6, val=0, test=0) / "train"
    root = tmp_path_factory.mktemp("scans")
    for k, side in enumerate(("left", "right") * 3):
        for ending in ("ply", "npz"):
            (made / f"body{k}.{ending}").rename(root / f"patient_{k // 2}_{side}.{ending}")
    return root


@pytest.fixture(scope="module")
def finished(scans, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "folds"
    assert main(["train", "regression", "--data", str(scans), "--out", str(run), *SMALL]) == 0
    return run


def test_each_fold_holds_out_a_patient_and_is_fitted_on_the_others(scans, finished):
    held_out = []
    for k in range(3):
        data = json.loads((finished / f"fold_{k}" / "run.json").read_text())["data"]
        scored = json.loads((finished / f"fold_{k}" / "evaluation_val.json").read_text())
        assert {Path(mesh["file"]).name for mesh in scored["meshes"]} == set(data["held_out"])
        assert scored["weights"] == "last"
        held_out.append({name.split("_")[1] for name in data["held_out"]})
        learned = [fields(TriangleMesh.load(p)) for p in sorted(scans.glob("*.ply")) if p.name not in data["held_out"]]
        mean = np.concatenate([f["pressure"] for f in learned]).mean()
        assert data["targets"]["pressure"]["mean"] == pytest.approx(mean)
    assert all(len(patients) == 1 for patients in held_out)
    assert set.union(*held_out) == {"0", "1", "2"}


def test_the_table_has_mean_and_spread_of_each_target(finished):
    results = [json.loads((finished / f"fold_{k}" / "evaluation_val.json").read_text())["fields"] for k in range(3)]
    with (finished / "folds.csv").open() as file:
        rows = {row["fold"]: row for row in csv.DictReader(file)}
    for target, score in (("pressure", "nmae"), ("pressure", "relative_l2"), ("total", "nmae")):
        values = [result[target][score] for result in results]
        assert float(rows["mean"][f"{target} {score}"]) == pytest.approx(np.mean(values))
        assert float(rows["spread"][f"{target} {score}"]) == pytest.approx(np.std(values, ddof=1))


def test_one_fold_alone_is_the_same_training_and_leaves_no_test_part(scans, finished, tmp_path, capsys):
    run = tmp_path / "one"
    assert main(["train", "regression", "--data", str(scans), "--out", str(run), *SMALL, "--data.fold=1"]) == 0
    assert (run / "last.safetensors").read_bytes() == (finished / "fold_1" / "last.safetensors").read_bytes()
    assert main(["evaluate", str(run), "--data", str(scans)]) == 1
    assert "--split val" in capsys.readouterr().err


def test_a_fold_trains_on_some_of_its_meshes_and_holds_out_the_same(scans):
    whole = RegressionData(root=scans, held_out=("patient_0_left.ply", "patient_0_right.ply"))
    few = replace(whole, train_size=2)
    assert len(open_meshes(few, "train")) == 2
    assert set(open_meshes(few, "train").names) < set(open_meshes(whole, "train").names)
    assert open_meshes(few, "val").names == open_meshes(whole, "val").names
