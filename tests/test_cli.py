"""The command line as a user meets it: what works, what is refused, and with which words and exit status."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from safetensors.torch import load_file

from gaugenet.cli import main
from gaugenet.tasks.training.run import RunDescription
from tests.tasks.mesh.meshes import CLASSES, ellipsoid, write_folder, write_meshcnn, write_obj

SMALL = [
    "--model.width=3", "--model.blocks=1", "--geometry.levels=2", "--data.features=HeatKernelSignature(),Positions()",
    "--batch_size=2", "--accelerator=cpu", "--data.n_jobs=1", "--max_epochs=2",
]  # fmt: skip


@pytest.fixture(scope="session")
def bodies(tmp_path_factory) -> Path:
    return write_folder(tmp_path_factory.mktemp("bodies"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def trained(bodies, cache, tmp_path_factory) -> Path:
    """A run, to be copied by tests that change it."""
    run = tmp_path_factory.mktemp("runs") / "trained"
    assert main(["train", "segmentation", "--data", str(bodies), "--out", str(run), "--cache", str(cache), *SMALL]) == 0
    return run


@pytest.fixture
def run(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def _message(capsys) -> str:
    """What was said on stderr, which must not be a traceback."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text


def _subprocess(*arguments: str, **options) -> subprocess.Popen:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

    def interruptible() -> None:
        """A shell starts jobs in the background with Ctrl-C ignored, and children inherit that."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    command = [sys.executable, "-m", "gaugenet", *arguments]
    return subprocess.Popen(command, env=environment, preexec_fn=interruptible, **options)


# --- the frame ----------------------------------------------------------------------------------------------------


def test_help_names_all_commands_without_importing_torch():
    code = (
        "import sys; from gaugenet.cli import main; status = main(['--help']); "
        "heavy = {'torch', 'numpy', 'lightning', 'jsonargparse'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else status)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("inspect", "train", "evaluate", "predict", "view"):
        assert command in result.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, ""),
        (["fly"], 2, "no command 'fly'"),
        (["train"], 2, ""),
        (["train", "translation"], 2, "no task 'translation'"),
        (["train", "segmentation", "--data", "x"], 2, "out"),
        (["train", "segmentation", "--data", "x", "--out", "y", "--model.witdh", "3"], 2, "witdh"),
        (["train", "segmentation", "--data", "x", "--out", "y", "--optim.lr", "fast"], 2, "optim.lr"),
        (["evaluate", "x"], 2, "data"),
        (["inspect"], 2, "FILE|DIR"),
    ],
)
def test_bad_usage(arguments, status, words, capsys):
    assert main(arguments) == status
    assert words in _message(capsys)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("gaugenet ")


@pytest.mark.parametrize("command", [["inspect"], ["train"], ["evaluate"], ["predict"], ["view"]])
def test_every_command_has_help(command, capsys):
    assert main([*command, "--help"]) == 0
    assert "usage: gaugenet" in capsys.readouterr().out


def test_a_training_may_start_from_the_weights_of_another_run(bodies, cache, run, tmp_path, capsys):
    common = ["train", "segmentation", "--data", str(bodies), "--cache", str(cache), *SMALL, "--optim.lr=1e-12"]
    still = ["--optim.ema=0", "--max_epochs=1"]  # a rate that moves nothing: the weights stay where they started
    assert main([*common, *still, "--init", str(run), "--out", str(tmp_path / "tuned")]) == 0
    assert main([*common, *still, "--out", str(tmp_path / "fresh")]) == 0
    start, tuned, fresh = (load_file(r / "model.safetensors") for r in (run, tmp_path / "tuned", tmp_path / "fresh"))
    assert all(torch.allclose(start[k], tuned[k], atol=1e-6) for k in start)
    assert not all(torch.allclose(start[k], fresh[k], atol=1e-6) for k in start)
    wider = [*common, "--model.width=4", "--init", str(run), "--out", str(tmp_path / "wider")]
    assert main(wider) in (1, 2)
    assert "does not fit" in _message(capsys)


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(ValueError, match="No run folder"):
        main(["evaluate", str(tmp_path / "none"), "--data", str(tmp_path), "--debug"])


# --- inspect ------------------------------------------------------------------------------------------------------


def test_inspect_tells_good_from_bad_and_repairs(tmp_path, capsys):
    vertices, faces, _ = ellipsoid(0)
    write_obj(tmp_path / "good.obj", vertices, faces)
    write_obj(tmp_path / "bad.obj", vertices, np.concatenate([faces, faces[:1]]))
    assert main(["inspect", str(tmp_path / "good.obj")]) == 0
    assert main(["inspect", str(tmp_path / "good.obj"), str(tmp_path / "bad.obj"), "--json"]) == 1
    out = capsys.readouterr().out
    entries = json.loads(out[out.index("[") :] if out.lstrip().startswith("[") else out[out.index("\n[") :])
    assert [entry["ok"] for entry in entries] == [True, False]
    assert main(["inspect", str(tmp_path / "bad.obj"), "--repair", str(tmp_path / "fixed")]) == 0
    assert (tmp_path / "fixed" / "bad.ply").is_file()
    assert main(["inspect", str(tmp_path / "none.obj")]) == 1


# --- train --------------------------------------------------------------------------------------------------------


def test_training_leaves_a_complete_run(trained):
    present = {path.name for path in trained.iterdir()}
    assert present >= {
        "run.json", "model.safetensors", "last.safetensors", "last.ckpt", "config.yaml", "metrics.csv", "curves.png",
    }  # fmt: skip
    assert not [name for name in present if name.startswith(".")]
    description = json.loads((trained / "run.json").read_text())
    assert description["classes"] == list(CLASSES)
    assert description["finished"] is True
    assert any((trained / "tensorboard").iterdir())


def test_print_config_is_a_config(bodies, tmp_path, capsys):
    arguments = ["--data", str(bodies), "--out", str(tmp_path / "a"), *SMALL]
    assert main(["train", "segmentation", *arguments, "--optim.lr=0.5", "--print_config"]) == 0
    (tmp_path / "config.yaml").write_text(capsys.readouterr().out)
    again = ["--config", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "b"), "--max_epochs=7"]
    assert main(["train", "segmentation", *again, "--print_config"]) == 0
    text = capsys.readouterr().out
    assert "lr: 0.5" in text
    assert "max_epochs: 7" in text


def test_a_run_is_not_overwritten_unless_asked(run, bodies, cache, capsys):
    arguments = ["--data", str(bodies), "--out", str(run), "--cache", str(cache), *SMALL]
    assert main(["train", "segmentation", *arguments]) == 1
    assert "--resume" in _message(capsys)
    before = load_file(run / "last.safetensors")
    assert main(["train", "segmentation", *arguments, "--overwrite", "--seed=0"]) == 0
    after = load_file(run / "last.safetensors")
    assert all(torch.equal(before[k], after[k]) for k in before), "the same seed gives the same weights"
    assert main(["train", "segmentation", *arguments, "--overwrite", "--seed=1"]) == 0
    other = load_file(run / "last.safetensors")
    assert not all(torch.equal(before[k], other[k]) for k in before)


def test_a_finished_run_resumed_is_left_as_it_is(run, capsys):
    before, epochs = load_file(run / "last.safetensors"), RunDescription.load(run).metrics["last"]["epoch"]
    assert main(["train", "segmentation", "--out", str(run), "--resume"]) == 0
    after = load_file(run / "last.safetensors")
    assert all(torch.equal(before[k], after[k]) for k in before)
    said = capsys.readouterr()
    assert f"of {epochs:.0f}  val_accuracy" in said.out, "the scores of the training, not those of no epoch"
    assert "--max_epochs" in said.err


def test_what_cannot_be_resumed_is_named(run, tmp_path, capsys):
    assert main(["train", "segmentation", "--out", str(tmp_path / "other"), "--resume"]) == 1
    assert "holds no training" in _message(capsys)
    assert main(["train", "regression", "--out", str(run), "--resume"]) == 1
    assert f"gaugenet train segmentation --out {run} --resume" in _message(capsys)


def test_a_bad_command_does_not_cost_an_older_run(run, bodies, tmp_path, capsys):
    before = load_file(run / "last.safetensors")
    for wrong in (["--data", str(tmp_path / "none")], ["--data", str(bodies), "--data.augment=Shake()"]):
        assert main(["train", "segmentation", *SMALL, *wrong, "--out", str(run), "--overwrite"]) == 1
    after = load_file(run / "last.safetensors")
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_resuming_with_another_network_is_refused(run, capsys):
    assert main(["train", "segmentation", "--out", str(run), "--resume", "--model.width=5"]) == 1
    assert "width 3 -> 5" in _message(capsys)


def test_augmentation_noise_vertex_loss_and_bf16_train(bodies, cache, tmp_path):
    options = [
        "--data.augment=RandomRotation(),RandomScale()", "--data.random_gauge=true", "--data.noise=0.05",
        "--optim.loss_on=vertices", "--precision=bf16-mixed", "--optim.ema=0", "--optim.schedule=cosine",
    ]  # fmt: skip
    arguments = ["--data", str(bodies), "--out", str(tmp_path / "r"), "--cache", str(cache), *SMALL, *options]
    assert main(["train", "segmentation", *arguments]) == 0


def _spoil_counts(root: Path) -> str:
    np.save(root / "train" / "body1.npy", np.zeros(5, dtype=int))
    return "body1.npy has 5 labels"


def _spoil_class(root: Path) -> str:
    np.save(root / "train" / "body1.npy", np.full(320, 7))
    return "label 7 at position 0"


def _spoil_split(root: Path) -> str:
    for path in (root / "train").iterdir():
        path.unlink()
    return "split 'train' .* is empty"


def _spoil_vertices(root: Path) -> str:
    vertices, faces, _ = ellipsoid(1)
    vertices[7] = np.nan
    write_obj(root / "train" / "body2.obj", vertices, faces)
    return r"1 of 6 meshes cannot be used:\n.*body2.obj.*non-finite coordinates: 1, at vertex 7"


def _spoil_file(root: Path) -> str:
    text = (root / "train" / "body3.obj").read_text()
    (root / "train" / "body3.obj").write_text(text[: len(text) // 2])
    return "body3.obj"


def _spoil_root(root: Path) -> str:
    shutil.rmtree(root)
    return "No folder"


@pytest.mark.parametrize(
    "spoil", [_spoil_counts, _spoil_class, _spoil_split, _spoil_vertices, _spoil_file, _spoil_root]
)
def test_bad_training_data_are_named_before_training(spoil, bodies, cache, tmp_path, capsys):
    data = Path(shutil.copytree(bodies, tmp_path / "data"))
    words = spoil(data)
    out = tmp_path / "run"
    assert main(["train", "segmentation", "--data", str(data), "--out", str(out), "--cache", str(cache), *SMALL]) == 1
    message = _message(capsys)
    assert re.search(words, message, re.DOTALL), message
    assert not (out / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--data.features=Colour()", "Unknown 'Colour'"),
        ("--data.augment=Shake()", "Unknown 'Shake'"),
        ("--optim.smoothing=2", "optim.smoothing"),
        ("--holdout=scape*", "MeshCNN layout"),
        ("--optim.patience=-1", "optim.patience"),
        ("--threads=0", "at least one thread"),
        ("--geometry.group=SU(7)", "SU(7)"),
    ],
)
def test_bad_options_are_named(option, words, bodies, cache, tmp_path, capsys):
    arguments = ["--data", str(bodies), "--out", str(tmp_path / "run"), "--cache", str(cache), *SMALL, option]
    assert main(["train", "segmentation", *arguments]) == 1
    assert words in _message(capsys)


# --- evaluate -----------------------------------------------------------------------------------------------------


def test_evaluate_scores_a_split(run, bodies, cache, capsys):
    arguments = ["--data", str(bodies), "--cache", str(cache), "--gauge-check"]
    assert main(["evaluate", str(run), *arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((run / "evaluation_test.json").read_text())
    assert np.array(result["confusion"]).sum() == 2 * 320
    assert result["accuracy"] == pytest.approx(np.trace(result["confusion"]) / 640)
    assert result["gauge_check"]["relative_change"] < 1e-5
    assert result["gauge_check"]["flipped"] == 0
    assert (run / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert main(["evaluate", str(run), *arguments, "--split", "val", "--tta", "3", "--weights", "last"]) == 0
    assert "mean over all faces" in capsys.readouterr().out


def test_an_evaluation_replaces_none_and_may_go_elsewhere(run, bodies, cache, tmp_path, capsys):
    """A second split is an evaluation of its own, whose picture takes the place of the first one."""
    data = ["--data", str(bodies), "--cache", str(cache)]
    assert main(["evaluate", str(run), *data]) == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["evaluate", str(run), *data, "--tta", "2"]) == 1
    assert "evaluation_test.json already exists: replace it with --overwrite" in _message(capsys)
    out = tmp_path / "scores" / "of_run"
    assert main(["evaluate", str(run), "--data", str(bodies), "--out", str(out)]) == 0
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert {"evaluation_test.json", "predictions_test.npz", "confusion.png", "cache"} == {p.name for p in out.iterdir()}
    assert main(["view", str(out), "--out", str(tmp_path / "page.html")]) == 0
    assert main(["evaluate", str(run), *data, "--split", "val"]) == 0
    assert main(["evaluate", str(run), *data, "--overwrite"]) == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "confusion.png").write_text("of the user")
    assert main(["evaluate", str(run), *data, "--out", str(tmp_path / "mine")]) == 1
    assert (tmp_path / "mine" / "confusion.png").read_text() == "of the user"


def test_evaluate_a_set_in_meshcnn_layout_never_seen_before(run, bodies, tmp_path, capsys):
    data = write_meshcnn(tmp_path / "official")
    assert main(["evaluate", str(run), "--data", str(data)]) == 1
    assert "does not know 1, 2, 3 (it knows low, middle, high)" in _message(capsys)
    description = json.loads((run / "run.json").read_text()) | {"classes": ["1", "2", "3"]}
    (run / "run.json").write_text(json.dumps(description))
    assert main(["evaluate", str(run), "--data", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["meshes_scored"] == 2


def test_scores_do_not_depend_on_a_lossless_repair(run, tmp_path, capsys):
    """Two bodies that touch in one vertex: the fan is split before use, and every face is still scored."""
    vertices, faces, labels = ellipsoid(5)
    second = np.where(faces == 0, 0, faces + len(vertices) - 1)
    mirrored = np.concatenate([vertices, (2 * vertices[0] - vertices)[1:]])
    (tmp_path / "data" / "test").mkdir(parents=True)
    write_obj(tmp_path / "data/test/pair.obj", mirrored, np.concatenate([faces, second[:, ::-1]]))
    np.save(tmp_path / "data/test/pair.npy", np.concatenate([labels, labels]))
    (tmp_path / "data/classes.txt").write_text("\n".join(CLASSES))
    assert main(["evaluate", str(run), "--data", str(tmp_path / "data"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert "repairs" in result["meshes"][0]
    assert result["meshes"][0]["items"] == 640
    assert main(["evaluate", str(run), "--data", str(tmp_path / "data"), "--repair", "never", "--overwrite"]) == 1
    assert "non-manifold vertices" in _message(capsys)


def test_broken_runs_are_named(run, bodies, tmp_path, capsys):
    data = ["--data", str(bodies)]
    weights = run / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    assert main(["evaluate", str(run), *data]) == 1
    assert "truncated" in _message(capsys)
    weights.unlink()
    assert main(["evaluate", str(run), *data]) == 1
    assert "holds no weights" in _message(capsys)
    assert main(["evaluate", str(tmp_path / "none"), *data]) == 1
    assert "No run folder" in _message(capsys)
    assert main(["evaluate", str(bodies), *data]) == 1
    assert "no run.json" in _message(capsys)


# --- predict and view ---------------------------------------------------------------------------------------------


def test_predict_labels_faces_and_vertices(run, bodies, tmp_path, capsys):
    out = tmp_path / "out"
    meshes = [str(bodies / "test"), str(bodies / "val" / "body0.obj")]
    assert main(["predict", str(run), *meshes, "--out", str(out), "--probabilities"]) == 0
    assert capsys.readouterr().out.count("faces") == 3
    summary = json.loads((out / "predictions.json").read_text())
    assert [entry["name"] for entry in summary["meshes"]] == ["body0", "body1", "body0-2"]
    faces, vertices = np.load(out / "body0.faces.npy"), np.load(out / "body0.vertices.npy")
    assert (faces.shape, vertices.shape) == ((320,), (162,))
    probabilities = np.load(out / "body0.face_probabilities.npy")
    assert np.array_equal(probabilities.argmax(1), faces)
    assert probabilities.sum(1) == pytest.approx(1.0)
    assert main(["view", str(out), "--out", str(tmp_path / "page.html")]) == 0
    assert "high" in (tmp_path / "page.html").read_text()


def test_no_command_writes_over_its_input_or_over_what_is_there(run, bodies, tmp_path, capsys):
    folder = tmp_path / "src"
    folder.mkdir()
    vertices, faces, _ = ellipsoid(9)
    source = folder / "bear.ply"
    trimesh.Trimesh(vertices, faces, process=False).export(source)
    before = source.read_bytes()
    predict = ["predict", str(run), str(source), "--out", str(folder)]
    assert main(predict) == 0
    assert source.read_bytes() == before
    assert (folder / "bear.labels.ply").is_file()
    assert main(predict) == 1
    assert "--overwrite" in _message(capsys)
    assert main(["predict", str(run), str(folder), "--out", str(folder), "--overwrite"]) == 0
    summary = json.loads((folder / "predictions.json").read_text())
    assert [entry["name"] for entry in summary["meshes"]] == ["bear"], "its own labels are not labelled again"
    (tmp_path / "fixed").mkdir()
    (tmp_path / "fixed" / "bear.npz").write_bytes(b"mine")
    inspect = ["inspect", str(source), "--repair", str(tmp_path / "fixed")]
    assert main(inspect) == 1
    assert "bear.npz already exists" in _message(capsys)
    assert (tmp_path / "fixed" / "bear.npz").read_bytes() == b"mine"
    assert main([*inspect, "--overwrite"]) == 0
    page = str(tmp_path / "page.html")
    assert main(["view", str(source), "--out", page, "--png", page]) == 1
    assert "Two outputs" in _message(capsys)
    assert main(["view", str(source), "--out", page]) == 0
    assert main(["view", str(source), "--out", page]) == 1
    assert "--overwrite" in _message(capsys)
    assert main(["view", str(source), "--out", page, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [("--max_epochs=0", "max_epochs"), ("--devices=0", "devices"), ("--precision=16-true", "precision"),
     ("--seed=-1", "seed"), ("--trainer.max_time=soon", "trainer")],
)  # fmt: skip
def test_options_that_cannot_work_are_refused_before_anything_is_prepared(wrong, words, bodies, tmp_path, capsys):
    assert main(["train", "segmentation", "--data", str(bodies), "--out", str(tmp_path / "r"), *SMALL, wrong]) == 1
    message = _message(capsys)
    assert words in message
    assert message.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_a_second_training_in_a_folder_is_refused(bodies, tmp_path, capsys):
    from gaugenet.tasks.training.lock import run_lock

    with run_lock(tmp_path / "r"):
        assert main(["train", "segmentation", "--data", str(bodies), "--out", str(tmp_path / "r"), *SMALL]) == 1
    assert f"process {os.getpid()}" in _message(capsys)


def test_a_training_keeps_the_files_of_the_user(run, bodies, tmp_path, capsys):
    start = ["train", "segmentation", "--data", str(bodies), *SMALL]
    weights = (run / "model.safetensors").read_bytes()
    assert main([*start, "--out", str(run), "--init", str(run), "--overwrite"]) == 1
    assert "overwrite the input" in _message(capsys)
    assert (run / "model.safetensors").read_bytes() == weights
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "config.yaml").write_text("seed: 5\n", encoding="utf-8")
    assert main([*start, "--out", str(mine)]) == 1
    assert "already holds" in _message(capsys)
    assert main([*start, "--config", str(mine / "config.yaml"), "--out", str(mine), "--overwrite"]) == 1
    assert "overwrite the input" in _message(capsys)
    assert (mine / "config.yaml").read_text(encoding="utf-8") == "seed: 5\n"


def test_a_bad_mesh_does_not_keep_the_others_from_being_labelled(run, bodies, tmp_path, capsys):
    vertices, faces, _ = ellipsoid(9)
    vertices[3] = np.nan
    write_obj(tmp_path / "nan.obj", vertices, faces)
    good = str(bodies / "test" / "body0.obj")
    arguments = ["predict", str(run), str(tmp_path / "nan.obj"), good, "--out"]
    assert main([*arguments, str(tmp_path / "a")]) == 1
    message = _message(capsys)
    assert "non-finite coordinates" in message
    assert "gaugenet inspect" in message
    assert (tmp_path / "a" / "body0.faces.npy").is_file()
    assert main([*arguments, str(tmp_path / "b"), "--repair"]) == 0
    labels, vertex_labels = np.load(tmp_path / "b" / "nan.faces.npy"), np.load(tmp_path / "b" / "nan.vertices.npy")
    assert (labels.shape, vertex_labels.shape) == ((320,), (162,))
    assert np.array_equal(np.flatnonzero(vertex_labels < 0), [3])
    assert np.array_equal(labels < 0, (faces == 3).any(axis=1))


def test_a_prediction_without_a_usable_mesh_leaves_nothing_behind(run, bodies, tmp_path, capsys):
    """Its summary was in the way of the next attempt, with the right mesh."""
    (tmp_path / "empty.obj").touch()
    out = ["--out", str(tmp_path / "labelled")]
    assert main(["predict", str(run), str(tmp_path / "empty.obj"), *out]) == 1
    assert "holds no triangles" in _message(capsys)
    assert main(["predict", str(run), str(bodies / "test" / "body0.obj"), *out]) == 0


@pytest.mark.parametrize("kind", ["mesh", "folder", "run"])
def test_view(kind, run, bodies, cache, tmp_path, capsys):
    if kind == "run":
        assert main(["view", str(run), "--out", str(tmp_path / "x.html")]) == 1
        assert "was not evaluated" in _message(capsys)
        assert main(["evaluate", str(run), "--data", str(bodies), "--cache", str(cache)]) == 0
    path = {"mesh": bodies / "test" / "body0.obj", "folder": bodies, "run": run}[kind]
    page, picture = tmp_path / "page.html", tmp_path / "picture.png"
    assert main(["view", str(path), "--out", str(page), "--png", str(picture)]) == 0
    assert "middle" in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_nothing_to_view(tmp_path, capsys):
    assert main(["view", str(tmp_path), "--out", str(tmp_path / "x.html")]) == 1
    assert "No meshes in" in _message(capsys)
    assert main(["view", str(tmp_path / "none"), "--out", str(tmp_path / "x.html")]) == 1
    assert "No file or folder" in _message(capsys)


# --- the other tasks ----------------------------------------------------------------------------------------------


def test_classification_of_shapes(cache, tmp_path, capsys):
    for seed in range(8):
        vertices, faces, _ = ellipsoid(seed)
        folder = tmp_path / "shapes" / ("flat" if seed % 2 else "tall") / "train"
        folder.mkdir(parents=True, exist_ok=True)
        write_obj(folder / f"T{seed}.obj", vertices * [1, 1, 0.3 if seed % 2 else 3], faces)
    data = ["--data", str(tmp_path / "shapes"), "--cache", str(cache)]
    run = tmp_path / "run"
    split = ["--data.train_per_class=3", "--data.val_per_class=1"]
    assert main(["train", "classification", *data, *split, "--out", str(run), *SMALL]) == 0
    assert main(["evaluate", str(run), *data, "--gauge-check", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert result["items"] == "mesh"
    assert result["meshes_scored"] == 2
    assert main(["predict", str(run), str(tmp_path / "shapes/flat/train/T1.obj"), "--out", str(tmp_path / "p")]) == 0
    assert main(["view", str(run), "--out", str(tmp_path / "x.html")]) == 1


def test_correspondence_of_registrations(cache, tmp_path, capsys):
    rng = np.random.default_rng(0)
    vertices, faces, _ = ellipsoid(0)
    (tmp_path / "faust").mkdir()
    for k in range(100):
        moved = vertices + 0.01 * rng.standard_normal(vertices.shape)
        trimesh.Trimesh(moved, faces, process=False).export(tmp_path / "faust" / f"tr_reg_{k:03d}.ply")
    data = ["--data", str(tmp_path / "faust"), "--cache", str(cache)]
    run = tmp_path / "run"
    short = ["--trainer.limit_train_batches=3", "--max_epochs=1", "--data.features=Positions()"]
    assert main(["train", "correspondence", *data, "--out", str(run), *SMALL, *short]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), *data, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["items"], result["meshes_scored"]) == ("vertex", 20)
    assert "boundary" not in result, "every vertex is a class of its own"
    assert 0.1 < result["geodesic_error"]["mean"] < 1, "places are hardly learned in three steps"
    assert main(["evaluate", str(run), *data, "--json", "--one-to-one", "--overwrite"]) == 0
    matched = json.loads(capsys.readouterr().out)
    assert matched["independent_accuracy"] == pytest.approx(result["accuracy"])
    predicted = np.load(run / "predictions_test.npz")
    labels = [predicted[key] for key in predicted.files if key.endswith("/prediction")]
    assert len(labels) == 20
    assert all(len(set(one)) == len(vertices) for one in labels)


# --- killed, interrupted, spread over processes -------------------------------------------------------------------


def _train_arguments(data: Path, run: Path, cache: Path, epochs: int) -> list[str]:
    arguments = ["train", "segmentation", "--data", str(data), "--out", str(run), "--cache", str(cache), *SMALL]
    return [*arguments, "--data.augment=RandomRotation()", f"--max_epochs={epochs}", "--threads=1"]


def _stopped(data: Path, run: Path, cache: Path, epochs: int, how: signal.Signals) -> tuple[int, str]:
    """Start a training, send it a signal after some epochs, at whatever moment; exit status and stderr."""
    process = _subprocess(*_train_arguments(data, run, cache, epochs), stderr=subprocess.PIPE, text=True)
    table = run / "metrics.csv"
    deadline = time.monotonic() + 120
    while not (table.is_file() and table.read_text().count("\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(how)
    message = process.communicate(timeout=60)[1]
    assert not json.loads((run / "run.json").read_text())["finished"]
    return process.returncode, message


@pytest.mark.long
def test_killed_at_any_moment_and_resumed_equals_uninterrupted(bodies, cache, tmp_path):
    """Bit for bit, on one thread: the order, the augmentation, dropout, averages and schedule all go on."""
    epochs = 15
    assert _stopped(bodies, tmp_path / "cut", cache, epochs, signal.SIGKILL)[0] == -signal.SIGKILL
    assert main(["train", "segmentation", "--out", str(tmp_path / "cut"), "--resume"]) == 0
    assert main(_train_arguments(bodies, tmp_path / "whole", cache, epochs)) == 0
    for name in ("last.safetensors", "model.safetensors"):
        a, b = load_file(tmp_path / "cut" / name), load_file(tmp_path / "whole" / name)
        assert all(torch.equal(a[k], b[k]) for k in b), name


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(bodies, cache, tmp_path):
    status, message = _stopped(bodies, tmp_path / "run", cache, 100, signal.SIGINT)
    assert status == 130
    assert "Traceback" not in message
    assert f"gaugenet train segmentation --out {tmp_path / 'run'} --resume" in message


@pytest.mark.long
def test_two_processes_take_the_steps_of_one(bodies, cache, tmp_path):
    """The same global batch; sums are taken in another order, so float32 weights agree to 1e-4 after a few steps."""
    options = ["--model.dropout=0", "--max_epochs=3"]
    for name, devices in (("one", "1"), ("two", "2")):
        arguments = [*_train_arguments(bodies, tmp_path / name, cache, 3), *options, f"--devices={devices}"]
        if devices == "1":
            assert main(arguments) == 0
            continue
        process = _subprocess(*arguments, stderr=subprocess.PIPE, text=True)
        message = process.communicate(timeout=200)[1]
        assert process.returncode == 0, message
    a, b = (load_file(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=1e-4, atol=1e-5)
    for name in ("one", "two"):
        assert main(["evaluate", str(tmp_path / name), "--data", str(bodies), "--cache", str(cache)]) == 0
    scores = [json.loads((tmp_path / n / "evaluation_test.json").read_text())["accuracy"] for n in ("one", "two")]
    assert scores[0] == pytest.approx(scores[1], abs=0.01)
