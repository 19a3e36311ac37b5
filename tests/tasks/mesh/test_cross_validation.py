"""Cross-validation from the command line: one run a fold, one table, and nothing done twice after a kill."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gaugenet.cli import main
from gaugenet.tasks import DataOptions, GeometryOptions, OptimOptions, TaskError, cross_validate, find_task, train
from gaugenet.tasks.training import cross_validation
from tests.tasks.mesh.meshes import ellipsoid, write_folder, write_obj

SMALL = [
    "--model.width=2", "--model.blocks=1", "--geometry.levels=1", "--data.features=Positions()", "--batch_size=4",
    "--accelerator=cpu", "--data.n_jobs=1", "--max_epochs=1", "--trainer.logger=none",
]  # fmt: skip


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Two scans of each of six patients, in one folder."""
    root = tmp_path_factory.mktemp("scans")
    for patient in range(6):
        for scan in ("left", "right"):
            vertices, faces, labels = ellipsoid(patient)
            write_obj(root / f"patient_{patient}_{scan}.obj", vertices, faces)
            np.save(root / f"patient_{patient}_{scan}.npy", labels)
    return root


@pytest.fixture(scope="module")
def finished(scans, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "cv"
    folds = ["--data.folds=3", "--data.group=patient_*"]
    assert main(["train", "segmentation", "--data", str(scans), "--out", str(run), *folds, *SMALL]) == 0
    return run


def patients(names) -> set[str]:
    return {name.split("_")[1] for name in names}


def test_every_fold_is_a_run_that_holds_out_its_own_patients(finished):
    held_out = []
    for k in range(3):
        description = json.loads((finished / f"fold_{k}" / "run.json").read_text())
        assert description["finished"]
        result = json.loads((finished / f"fold_{k}" / "evaluation_val.json").read_text())
        scored = {Path(mesh["file"]).stem for mesh in result["meshes"]}
        assert scored == {Path(name).stem for name in description["data"]["held_out"]}
        assert result["weights"] == "last"
        held_out.append(patients(scored))
    assert sum(map(len, held_out)) == 6 == len(set.union(*held_out))


def test_the_table_is_mean_and_sample_spread_of_the_folds(finished):
    results = [json.loads((finished / f"fold_{k}" / "evaluation_val.json").read_text()) for k in range(3)]
    summary = json.loads((finished / "folds.json").read_text())
    for name in ("accuracy", "mean_iou"):
        values = [result[name] for result in results]
        assert [fold["figures"][name] for fold in summary["folds"]] == values
        assert summary["mean"]["figures"][name] == pytest.approx(np.mean(values))
        assert summary["spread"]["figures"][name] == pytest.approx(np.std(values, ddof=1))
    with (finished / "folds.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["fold"] for row in rows] == ["0", "1", "2", "mean", "spread"]
    assert float(rows[3]["iou 2"]) == pytest.approx(np.mean([r["classes"]["2"]["iou"] for r in results]))


def test_finished_folds_are_kept_and_the_others_go_on(finished, tmp_path, monkeypatch, capsys):
    run = Path(shutil.copytree(finished, tmp_path / "cv"))
    table = (run / "folds.csv").read_text()
    shutil.rmtree(run / "fold_2")
    before = (run / "fold_0" / "last.safetensors").read_bytes()
    trained = []

    def watched(task, path, *arguments, **named):
        trained.append(path.name)
        return train_task(task, path, *arguments, **named)

    train_task = cross_validation.train_task
    monkeypatch.setattr(cross_validation, "train_task", watched)
    assert main(["train", "segmentation", "--out", str(run), "--resume"]) == 0
    assert trained == ["fold_2"]
    assert (run / "fold_0" / "last.safetensors").read_bytes() == before
    assert (run / "folds.csv").read_text() == table, "the same table as without the interruption"
    assert "spread" in capsys.readouterr().out
    assert main(["train", "segmentation", "--out", str(run), "--resume", "--max_epochs=2"]) == 0
    assert trained[1:] == ["fold_0", "fold_1", "fold_2"], "other options go on with every fold"


def test_a_cross_validation_is_not_overwritten_unless_asked_and_not_resumed_with_others(
    finished, scans, tmp_path, capsys
):
    run = Path(shutil.copytree(finished, tmp_path / "cv"))
    start = ["train", "segmentation", "--data", str(scans), "--out", str(run), *SMALL]
    assert main([*start, "--data.folds=3"]) == 1
    assert "already holds a cross-validation" in capsys.readouterr().err
    assert main(["train", "segmentation", "--out", str(run), "--resume", "--data.split_seed=5"]) == 1
    assert "the folds differ" in capsys.readouterr().err
    assert main([*start, "--data.folds=2", "--overwrite"]) == 0
    assert not (run / "fold_2" / "run.json").exists()
    assert len(json.loads((run / "folds.json").read_text())["folds"]) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data.folds=1"], "data.folds"),
        (["--data.folds=-3"], "data.folds"),
        (["--data.folds=7", "--data.group=patient_*"], "6 groups of 12 meshes cannot be split into 7 folds"),
        (["--data.folds=13"], "12 meshes cannot be split into 13 folds"),
        (["--data.folds=3", "--data.group=doctor_*"], "matches none of the 12 names"),
        (["--data.folds=3", "--data.fold=3"], "data.fold"),
        (["--data.fold=0"], "data.fold"),
        (["--data.folds=3", "--devices=2"], "one device"),
        (["--data.folds=3", "--loss.class_weights=1,2"], "3 numbers"),
    ],
    ids=str,
)
def test_bad_options_are_named(options, words, scans, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "segmentation", "--data", str(scans), "--out", str(out), *SMALL, *options]) == 1
    message = capsys.readouterr().err
    assert words in message
    assert "Traceback" not in message


def test_one_fold_alone_is_an_ordinary_training(scans, finished, tmp_path, capsys):
    run = tmp_path / "one"
    options = ["--data.folds=3", "--data.group=patient_*", "--data.fold=1"]
    assert main(["train", "segmentation", "--data", str(scans), "--out", str(run), *SMALL, *options]) == 0
    held_out = [json.loads((r / "run.json").read_text())["data"]["held_out"] for r in (run, finished / "fold_1")]
    assert held_out[0] == held_out[1]
    assert (run / "last.safetensors").read_bytes() == (finished / "fold_1" / "last.safetensors").read_bytes()
    assert main(["evaluate", str(run), "--data", str(scans)]) == 1
    assert "--split val" in capsys.readouterr().err


@pytest.mark.slow
def test_folds_of_a_folder_with_splits_leave_its_test_part_alone(tmp_path, capsys):
    data = write_folder(tmp_path / "data", train=4, val=2, test=2)
    run = tmp_path / "cv"
    assert main(["train", "segmentation", "--data", str(data), "--out", str(run), "--data.folds=2", *SMALL]) == 0
    names = [name for fold in json.loads((run / "folds.json").read_text())["folds"] for name in fold["held_out"]]
    assert sorted(names) == [*(f"train/body{k}.obj" for k in range(4)), "val/body0.obj", "val/body1.obj"]
    assert main(["evaluate", str(run / "fold_0"), "--data", str(data)]) == 0
    keys = [set(np.load(run / f"fold_{k}" / "predictions_val.npz").files) for k in range(2)]
    assert len(keys[0] | keys[1]) == 12, "meshes of one name in two folders are both scored"


def test_classes_are_spread_over_the_folds_of_a_classification(tmp_path):
    for seed in range(8):
        vertices, faces, _ = ellipsoid(seed)
        folder = tmp_path / "shapes" / ("flat" if seed % 2 else "tall")
        folder.mkdir(parents=True, exist_ok=True)
        write_obj(folder / f"T{seed}.obj", vertices, faces)
    run = tmp_path / "cv"
    data = ["--data", str(tmp_path / "shapes"), "--data.train_per_class=3"]
    assert main(["train", "classification", *data, "--out", str(run), "--data.folds=2", *SMALL]) == 0
    for fold in json.loads((run / "folds.json").read_text())["folds"]:
        assert sorted(name.split("/")[0] for name in fold["held_out"]) == ["flat"] * 2 + ["tall"] * 2


@pytest.mark.slow
def test_from_python_a_function_may_tell_the_groups(scans, tmp_path):
    data = DataOptions(scans, folds=2, group=lambda name: name.split("_")[1], features="Positions()", n_jobs=1)
    options = {"data": data, "geometry": GeometryOptions(levels=1)}
    options |= {"model": {"width": 2, "blocks": 1}, "optim": OptimOptions()}
    trainer = {"max_epochs": 1, "accelerator": "cpu", "logger": False}
    result = cross_validate(find_task("segmentation"), tmp_path / "cv", options, trainer=trainer)
    assert not patients(result.held_out[0]) & patients(result.held_out[1])
    assert "mean" in result.table()
    with pytest.raises(TaskError, match="cross_validate"):
        train("segmentation", tmp_path / "one", data=data, trainer=trainer)
