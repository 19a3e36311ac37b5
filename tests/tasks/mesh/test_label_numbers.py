"""Labels keep the numbers of the files that were trained on, in every output, and inside PLY files as well."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import numpy as np
import pytest
import torch

from gaugenet.cli import main
from gaugenet.data import DataError, LabelledMeshFolder, MeshCNNSegmentation
from gaugenet.data.meshes.labels import read_ply_labels
from gaugenet.geometry import TriangleMesh
from gaugenet.tasks.mesh.evaluation import evaluate
from gaugenet.tasks.mesh.parallel import on_each
from gaugenet.tasks.mesh.pictures import load_views
from gaugenet.tasks.training.options import TaskError
from gaugenet.viz import write_ply
from tests.tasks.mesh.meshes import CLASSES, ellipsoid, write_meshcnn, write_obj

SMALL = [
    "--model.width=2", "--model.blocks=1", "--geometry.levels=1", "--data.features=Positions()", "--batch_size=4",
    "--accelerator=cpu", "--data.n_jobs=1", "--max_epochs=8", "--optim.lr=0.02", "--trainer.logger=none",
]  # fmt: skip
NUMBERS = (1, 5, 8)


def write_set(root: Path) -> Path:
    for split, seeds in (("train", range(4)), ("val", [4]), ("test", [5, 6, 7])):
        (root / split).mkdir(parents=True)
        for seed in seeds:
            vertices, faces, labels = ellipsoid(seed)
            labels = np.where(np.arange(len(labels)) % 50 == 0, -1, np.array(NUMBERS)[labels])
            write_obj(root / split / f"body{seed}.obj", vertices, faces)
            np.savetxt(root / split / f"body{seed}.txt", labels, "%d")
    (root / "classes.txt").write_text("".join(f"{n} {name}\n" for n, name in zip(NUMBERS, CLASSES)))
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_set(tmp_path_factory.mktemp("numbers") / "data")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "segmentation", "--data", str(data), "--out", str(run), *SMALL]) == 0
    assert main(["evaluate", str(run), "--data", str(data)]) == 0
    return run


def test_the_run_holds_the_map(run):
    description = json.loads((run / "run.json").read_text())
    assert dict(zip(description["classes"], description["label_values"])) == dict(zip(CLASSES, NUMBERS))


def test_all_predictions_are_in_the_numbers_of_the_training(run, data, tmp_path, capsys):
    assert main(["predict", str(run), str(data / "test"), "--out", str(tmp_path), "--probabilities"]) == 0
    summary = json.loads((tmp_path / "predictions.json").read_text())
    assert summary["label_values"] == list(NUMBERS)
    saved = np.load(run / "predictions_test.npz")
    for name in ("body5", "body6", "body7"):
        faces, vertices = (np.load(tmp_path / f"{name}.{kind}.npy") for kind in ("faces", "vertices"))
        assert set(np.unique(faces)) | set(np.unique(vertices)) <= set(NUMBERS)
        assert len(set(np.unique(faces))) > 1, "control: more than one class is predicted"
        probability = np.load(tmp_path / f"{name}.face_probabilities.npy")
        assert np.array_equal(np.array(NUMBERS)[probability.argmax(1)], faces)
        assert np.array_equal(read_ply_labels(tmp_path / f"{name}.labels.ply")["faces"], faces)
        assert np.array_equal(saved[f"{name}/prediction"], faces)
        truth = np.loadtxt(data / "test" / f"{name}.txt", dtype=int)
        assert np.array_equal(saved[f"{name}/truth"], truth)
        assert b"comment class 5 middle" in (tmp_path / f"{name}.labels.ply").read_bytes()[:600]
    views = load_views(tmp_path)
    assert views.class_names == list(CLASSES)
    assert set(np.unique(views.views[0].prediction)) <= {0, 1, 2}, "pictures count from 0"


def test_an_evaluation_without_a_list_of_classes_reads_the_same_numbers(run, data, tmp_path, capsys):
    before = json.loads((run / "evaluation_test.json").read_text())
    bare = write_set(tmp_path / "bare")
    (bare / "classes.txt").unlink()
    assert main(["evaluate", str(run), "--data", str(bare), "--json", "--overwrite"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["confusion"] == before["confusion"]
    labels = np.loadtxt(bare / "test" / "body5.txt", dtype=int)
    np.savetxt(bare / "test" / "body5.txt", np.where(labels == 5, 6, labels), "%d")
    assert main(["evaluate", str(run), "--data", str(bare), "--overwrite"]) == 1
    assert "label 6 at position" in capsys.readouterr().err


def test_runs_of_earlier_versions_keep_their_indices(run, data, tmp_path):
    import shutil

    old = Path(shutil.copytree(run, tmp_path / "old"))
    description = json.loads((old / "run.json").read_text())
    for name in ("label_values", "loss", "class_scores"):
        del description[name]
    (old / "run.json").write_text(json.dumps(description))
    result = json.loads((old / "evaluation_test.json").read_text())
    del result["label_values"]
    (old / "evaluation_test.json").write_text(json.dumps(result))
    assert main(["predict", str(old), str(data / "test"), "--out", str(tmp_path / "out")]) == 0
    index, number = (np.load(p / "body5.faces.npy") for p in (tmp_path / "out", _predicted(run, data, tmp_path)))
    assert np.array_equal(np.array(NUMBERS)[index], number)
    assert main(["evaluate", str(old), "--data", str(data), "--overwrite"]) == 0
    assert json.loads((old / "evaluation_test.json").read_text())["accuracy"] == result["accuracy"]


def _predicted(run: Path, data: Path, folder: Path) -> Path:
    assert main(["predict", str(run), str(data / "test"), "--out", str(folder / "new")]) == 0
    return folder / "new"


def test_the_worst_meshes_come_first(run, tmp_path, capsys):
    result = json.loads((run / "evaluation_test.json").read_text())
    ranked = [m["name"] for m in sorted(result["meshes"], key=lambda m: m["accuracy"])]
    shown = load_views(run, worst=2)
    assert [view.name for view in shown.views] == ranked[:2]
    assert "2 least accurate of 3" in shown.title
    assert [view.name for view in load_views(run).views] == [m["name"] for m in result["meshes"]], "control"
    assert main(["view", str(run), "--worst", "1", "--out", str(tmp_path / "page.html")]) == 0
    assert ranked[0] in (tmp_path / "page.html").read_text()
    with pytest.raises(TaskError, match="at least one"):
        load_views(run, worst=0)
    with pytest.raises(TaskError, match="not a run"):
        load_views(tmp_path, worst=1)


def test_the_headline_names_a_class_that_is_not_found(run, data, capsys):
    from gaugenet.tasks.mesh.report import describe_scores

    result = json.loads((run / "evaluation_test.json").read_text()) | {"accuracy": 0.98}
    result["classes"]["middle"]["iou"] = 0.0
    head = describe_scores(result).splitlines()[:4]
    assert "1 of 3 classes not found at all (IoU 0): middle" in "\n".join(head)
    result["classes"]["middle"]["iou"] = 0.07
    assert "lowest IoU 7.00 % (middle)" in describe_scores(result)
    for word in ("IoU", "recall", "precision", *CLASSES):
        assert word in describe_scores(result)


def test_a_part_of_a_meshcnn_set_is_read_in_the_numbers_of_the_whole(tmp_path):
    """Names alone do not tell whether labels start at 0 or 1 where the largest label does not occur."""
    root = write_meshcnn(tmp_path)
    (root / "classes.txt").write_text("\n".join(CLASSES))
    whole = MeshCNNSegmentation(root, "test")
    assert whole.class_values == (1, 2, 3)
    for file in (root / "seg").iterdir():
        file.write_text(file.read_text().replace("3", "2"))
    assert MeshCNNSegmentation(root, "test").class_values == (0, 1, 2), "control: a guess"
    part = MeshCNNSegmentation(root, "test", trained=whole.classes)
    assert part.class_values == (1, 2, 3)
    assert set(np.unique(part[0].face_labels)) == {0, 1}


# --- labels inside PLY files ----------------------------------------------------------------------------------------


def write_labelled(path: Path, seed: int, name: str, *, on: str) -> tuple:
    """A PLY file with integer properties of faces, of vertices or of both."""
    vertices, faces, face_labels = ellipsoid(seed)
    vertex_labels = (vertices[:, 2] > 0).astype(int)
    lines = ["ply", "format ascii 1.0", f"element vertex {len(vertices)}"]
    lines += [f"property float {axis}" for axis in "xyz"] + [f"property int {name}"] * (on != "face")
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    lines += [f"property int {name}"] * (on != "vertex") + ["end_header"]
    ends = [f" {k}" if on != "face" else "" for k in vertex_labels]
    lines += [f"{x} {y} {z}{end}" for (x, y, z), end in zip(vertices.tolist(), ends)]
    ends = [f" {k}" if on != "vertex" else "" for k in face_labels]
    lines += [f"3 {a} {b} {c}{end}" for (a, b, c), end in zip(faces.tolist(), ends)]
    path.write_text("\n".join(lines) + "\n")
    return face_labels, vertex_labels


@pytest.mark.parametrize("on", ["face", "vertex", "both"])
@pytest.mark.parametrize("name", ["label", "segment"])
def test_labels_of_faces_and_of_vertices_in_ply_files(on, name, tmp_path):
    (tmp_path / "train").mkdir()
    face_labels, vertex_labels = write_labelled(tmp_path / "train" / "a.ply", 0, name, on=on)
    for kind, expected in (("faces", face_labels), ("vertices", vertex_labels)):
        if on not in (kind.replace("faces", "face").replace("vertices", "vertex"), "both"):
            continue
        sample = LabelledMeshFolder(tmp_path, label_property=name, labels=kind)[0]
        found = sample.face_labels if kind == "faces" else sample.vertex_labels
        assert np.array_equal(found, expected)
    if on == "both":
        with pytest.raises(DataError, match=r"--data\.labels"):
            LabelledMeshFolder(tmp_path, label_property=name)
    with pytest.raises(DataError, match="PLY property `other`"):
        LabelledMeshFolder(tmp_path, label_property="other")


def test_training_on_vertex_labels_in_ply_files_writes_them_to_the_vertices(tmp_path):
    counts = []
    for split, seeds in (("train", range(3)), ("test", [3])):
        (tmp_path / "data" / split).mkdir(parents=True)
        for seed in seeds:
            _, labels = write_labelled(tmp_path / "data" / split / f"a{seed}.ply", seed, "segment", on="both")
            counts += [np.bincount(labels, minlength=3)] if split == "train" else []
    options = ["--data.labels=vertices", "--data.label_property=segment", "--max_epochs=1"]
    run, out = str(tmp_path / "run"), tmp_path / "out"
    weights = ["--loss.class_weights=effective", "--loss.beta=0.99", "--loss.terms=focal + dice"]
    assert (
        main(["train", "segmentation", "--data", str(tmp_path / "data"), "--out", run, *SMALL, *options, *weights]) == 0
    )
    loss = json.loads((tmp_path / "run" / "run.json").read_text())["loss"]
    share = np.mean([c / c.sum() for c in counts], axis=0)
    expected = 0.01 / (1 - 0.99 ** np.sum(counts, axis=0).clip(1))
    expected = np.where(share > 0, expected / (expected * share).sum(), 1)
    np.testing.assert_allclose(list(loss["class_weights"].values()), expected, rtol=1e-6)
    assert (loss["terms"], loss["method"]) == ("focal + dice", "effective")
    assert main(["predict", run, str(tmp_path / "data" / "test"), "--out", str(out)]) == 0
    found = read_ply_labels(out / "a3.labels.ply")
    for kind in ("vertices", "faces"):
        assert np.array_equal(found[kind], np.load(out / f"a3.{kind}.npy"))
    assert main(["evaluate", run, "--data", str(tmp_path / "data")]) == 0


def test_numbers_of_classes_in_ply_files(tmp_path):
    vertices, faces, labels = ellipsoid(0)
    how = {"class_names": CLASSES, "label_values": NUMBERS, "labels_on": "face"}
    write_ply(tmp_path / "a.ply", vertices, faces, np.where(labels == 1, -1, labels), **how)
    found = read_ply_labels(tmp_path / "a.ply")
    assert set(found) == {"faces"}
    assert np.array_equal(found["faces"], np.where(labels == 1, -1, np.array(NUMBERS)[labels]))
    assert TriangleMesh.load(tmp_path / "a.ply").num_faces == len(faces)
    with pytest.raises(ValueError, match="label_values"):
        write_ply(tmp_path / "b.ply", vertices, faces, labels, class_names=CLASSES, label_values=(1, 2))


def test_meshes_scored_at_once_get_the_same_labels_and_scores(run, data, tmp_path):
    def scored(jobs: int) -> tuple[dict, dict]:
        out = tmp_path / str(jobs)
        found = evaluate(run, data, out=out, n_jobs=jobs, tta=3, gauge_check=True, device="cpu")
        return found, dict(np.load(out / "predictions_test.npz"))

    (one, labels), (three, same) = scored(1), scored(3)
    assert {k: v for k, v in one.items() if k != "gauge_check"} == {
        k: v for k, v in three.items() if k != "gauge_check"
    }
    assert one["gauge_check"]["flipped"] == three["gauge_check"]["flipped"]
    assert all(np.array_equal(labels[name], same[name]) for name in labels)


def test_items_on_several_threads_keep_their_order_and_one_thread_of_torch_each():
    threads, met = torch.get_num_threads(), Barrier(2)

    def work(k: int) -> tuple[int, int]:
        met.wait(10)  # fails unless two are at work
        return k, torch.get_num_threads()

    cpu = torch.device("cpu")
    assert list(on_each(work, range(4), n_jobs=2, device=cpu)) == [(k, 1) for k in range(4)]
    assert torch.get_num_threads() == threads
    with pytest.raises(BrokenBarrierError):
        list(on_each(lambda k: met.wait(0.01), range(2), n_jobs=1, device=cpu))  # control: one after the other


def test_predictions_stand_as_their_meshes_do(run, data, tmp_path, capsys):
    """In pictures of a folder of predictions, meshes with a pose in manifest.json lay on their backs."""
    source = write_set(tmp_path / "posed")
    turned = [[1, 0, 0], [0, -1, 0], [0, 0, -1]]
    (source / "manifest.json").write_text(json.dumps({"meshes": {"test/body5.obj": {"rotation": turned}}}))
    assert main(["predict", str(run), str(source / "test"), "--out", str(tmp_path / "out")]) == 0
    shown, given = (load_views(path).views for path in (tmp_path / "out", source))
    assert shown[0].up == given[0].up == [0, 0, -1]
    assert shown[1].up == given[1].up == "auto", "control: no pose is known"
