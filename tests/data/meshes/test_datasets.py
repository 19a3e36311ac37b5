"""The readers: what they read back, in which order, and how they refuse what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.data import (
    DataError,
    FaustRegistrations,
    LabelledMeshFolder,
    MeshCNNSegmentation,
    ShrecClassification,
    face_to_vertex_distribution,
    meshcnn_edges,
)
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from tests.data.meshes.helpers import icosphere, write_obj, write_ply

MESH = icosphere(1)
FACE_CLASS = (MESH.vertices[MESH.faces].mean(1)[:, 2] > 0).astype(int)


def write_meshcnn(root, names, *, first=1, classes="1\n2\n", split="train"):
    """A set in MeshCNN layout whose upper faces have the second class: all three edges, later faces win."""
    edges = np.zeros(len(MESH.edges), dtype=int)
    edges[meshcnn_edges(MESH)[FACE_CLASS == 1].reshape(-1)] = 1
    for name in names:
        write_obj(root / split / f"{name}.obj", MESH)
        (root / "seg").mkdir(exist_ok=True)
        np.savetxt(root / "seg" / f"{name}.eseg", edges + first, fmt="%d")
    if classes is not None:
        (root / "classes.txt").write_text(classes)


# --- MeshCNN ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "classes"),
    [(1, "1\n2\n"), (0, "0\n1\n"), (0, "low\nhigh\n"), (1, "low\nhigh\n"), (1, "1 low\n2 high"), (1, None), (0, None)],
)
def test_meshcnn_labels_are_the_same_from_zero_or_from_one(tmp_path, first, classes):
    write_meshcnn(tmp_path, ["b", "a"], first=first, classes=classes)
    data = MeshCNNSegmentation(tmp_path, "train")
    assert data.names == ["a", "b"]
    assert data.num_classes == 2
    labels = data[0].face_labels
    assert set(labels) == {0, 1}
    np.testing.assert_array_equal(labels[FACE_CLASS == 1], 1)
    assert len(list(data)) == 2
    assert data[-1].name == "b"


def test_meshcnn_holds_out_by_pattern(tmp_path):
    write_meshcnn(tmp_path, ["scape__1", "scape__2", "mit__1"])
    train = MeshCNNSegmentation(tmp_path, "train", holdout="scape__*")
    val = MeshCNNSegmentation(tmp_path, "val", holdout="scape__*")
    assert train.names == ["mit__1"]
    assert val.sources() == {"scape": 2}
    with pytest.raises(DataError, match=r"holdout='faust\*' matches none of the 3"):
        MeshCNNSegmentation(tmp_path, "train", holdout=["mit*", "faust*"])
    with pytest.raises(DataError, match="empty"):
        MeshCNNSegmentation(tmp_path, "train", holdout="*")


def test_meshcnn_refuses_what_does_not_fit(tmp_path):
    write_meshcnn(tmp_path, ["a"])
    label_path = tmp_path / "seg" / "a.eseg"
    with pytest.raises(DataError, match="no folder test/"):
        MeshCNNSegmentation(tmp_path, "test")
    with pytest.raises(DataError, match="holdout="):
        MeshCNNSegmentation(tmp_path, "val")
    with pytest.raises(ValueError, match="'train', 'val' or 'test'"):
        MeshCNNSegmentation(tmp_path, "training")
    data = MeshCNNSegmentation(tmp_path)
    edges = np.loadtxt(label_path, dtype=int)
    np.savetxt(label_path, edges[:-2], fmt="%d")
    with pytest.raises(DataError, match=r"a\.eseg has 118 labels, but .*a\.obj has 120 edges"):
        data[0]
    edges[7] = 9
    np.savetxt(label_path, edges, fmt="%d")
    with pytest.raises(DataError, match=r"a\.eseg: label 9 at position 7 is none of the 2 classes numbered 1\.\.2"):
        data[0]
    label_path.unlink()
    with pytest.raises(DataError, match=r"expected the file .*a\.eseg"):
        data[0]


def test_missing_root_and_empty_class_list(tmp_path):
    with pytest.raises(DataError, match="No folder"):
        MeshCNNSegmentation(tmp_path / "nowhere")
    write_meshcnn(tmp_path, ["a"], classes="\n")
    with pytest.raises(DataError, match=r"classes\.txt is empty"):
        MeshCNNSegmentation(tmp_path)
    (tmp_path / "classes.txt").write_text("arm\narm\n")
    with pytest.raises(DataError, match="twice"):
        MeshCNNSegmentation(tmp_path)


# --- folders ----------------------------------------------------------------------------------------------------


def write_folder_mesh(path, form):
    if form == "npy faces":
        write_obj(path.with_suffix(".obj"), MESH)
        np.save(path.with_suffix(".npy"), FACE_CLASS)
    elif form == "txt vertices":
        write_obj(path.with_suffix(".obj"), MESH)
        np.savetxt(path.with_suffix(".txt"), np.arange(MESH.num_vertices) % 2, fmt="%d")
    elif form == "ply faces":
        write_ply(path.with_suffix(".ply"), MESH, face_labels=FACE_CLASS)
    else:
        write_ply(path.with_suffix(".ply"), MESH, vertex_labels=np.arange(MESH.num_vertices) % 2)


@pytest.mark.parametrize("form", ["npy faces", "txt vertices", "ply faces", "ply vertices"])
def test_folder_reads_every_form_of_labels(tmp_path, form):
    for split in ("train", "val", "test"):
        write_folder_mesh(tmp_path / split / "one", form)
    data = LabelledMeshFolder(tmp_path, "val")
    sample = data[0]
    assert data.label_kind == form.split()[1]
    assert data.num_classes == 2
    if data.label_kind == "faces":
        np.testing.assert_array_equal(sample.face_labels, FACE_CLASS)
        assert sample.vertex_labels is None
    else:
        np.testing.assert_array_equal(sample.vertex_labels, np.arange(MESH.num_vertices) % 2)


def test_two_label_files_of_a_mesh_must_agree(tmp_path):
    write_folder_mesh(tmp_path / "train" / "one", "npy faces")
    np.savetxt(tmp_path / "train" / "one.txt", FACE_CLASS, fmt="%d")
    np.testing.assert_array_equal(LabelledMeshFolder(tmp_path)[0].face_labels, FACE_CLASS)
    np.savetxt(tmp_path / "train" / "one.txt", 1 - FACE_CLASS, fmt="%d")
    with pytest.raises(DataError, match=r"one.npy and one.txt hold different labels of one.obj: remove one"):
        LabelledMeshFolder(tmp_path)


@pytest.mark.parametrize("folder", ["train", "."])
def test_a_mesh_in_two_formats_is_refused(tmp_path, folder):
    """Split at random, one of them may be in the training part and the other one in the test part."""
    write_folder_mesh(tmp_path / folder / "one", "npy faces")
    write_ply(tmp_path / folder / "one.ply", MESH)
    with pytest.raises(DataError, match=r"several mesh files have the name 'one': keep one\.obj or one\.ply"):
        LabelledMeshFolder(tmp_path)


def test_folder_without_splits_is_divided_once_and_for_all(tmp_path):
    for i in range(10):
        write_folder_mesh(tmp_path / f"m{i}", "npy faces")
    parts = [LabelledMeshFolder(tmp_path, split).names for split in ("train", "val", "test")]
    assert sorted(name for part in parts for name in part) == [f"m{i}" for i in range(10)]
    assert [len(part) for part in parts] == [7, 1, 2]
    assert parts[0] == LabelledMeshFolder(tmp_path, "train").names
    assert parts[0] != LabelledMeshFolder(tmp_path, "train", seed=1).names
    with pytest.raises(DataError, match="empty"):
        LabelledMeshFolder(tmp_path, "val", fractions=(0.5, 0.0, 0.5))


def test_folder_keeps_names_and_ignored_labels(tmp_path):
    write_folder_mesh(tmp_path / "train" / "one", "npy faces")
    labels = FACE_CLASS.copy()
    labels[3] = -1
    np.save(tmp_path / "train" / "one.npy", labels)
    (tmp_path / "classes.txt").write_text("low\nhigh\nabsent\n")
    data = LabelledMeshFolder(tmp_path)
    assert data.class_names == ("low", "high", "absent")
    np.testing.assert_array_equal(data[0].face_labels, labels)


def test_folder_refuses_what_does_not_fit(tmp_path):
    write_folder_mesh(tmp_path / "train" / "one", "npy faces")
    labels = tmp_path / "train" / "one.npy"
    with pytest.raises(DataError, match=r"'test' .* is empty"):
        LabelledMeshFolder(tmp_path, "test")
    np.save(labels, FACE_CLASS[:-1])
    with pytest.raises(DataError, match=r"one\.npy has 79 labels, but .* has 42 vertices and 80 faces"):
        LabelledMeshFolder(tmp_path)
    (tmp_path / "classes.txt").write_text("low\nhigh\n")
    np.save(labels, np.where(np.arange(80) == 5, 2, FACE_CLASS))
    with pytest.raises(DataError, match=r"label 2 at position 5 is none of the 2 classes"):
        LabelledMeshFolder(tmp_path)[0]
    np.save(labels, np.where(np.arange(80) == 6, -2, FACE_CLASS))
    with pytest.raises(DataError, match=r"label -2 at position 6"):
        LabelledMeshFolder(tmp_path)[0]
    np.save(labels, FACE_CLASS)
    write_folder_mesh(tmp_path / "train" / "two", "txt vertices")
    with pytest.raises(DataError, match="or the faces of all meshes"):
        LabelledMeshFolder(tmp_path)[1]
    with pytest.raises(DataError, match="labels='vertices'"):
        LabelledMeshFolder(tmp_path, labels="vertices")[0]
    labels.unlink()
    with pytest.raises(DataError, match=r"one\.obj has no labels"):
        LabelledMeshFolder(tmp_path)


def test_folder_asks_where_the_count_cannot_tell(tmp_path):
    tetrahedron = TriangleMesh(np.eye(4, 3), [[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])
    write_obj(tmp_path / "train" / "t.obj", tetrahedron)
    np.save(tmp_path / "train" / "t.npy", np.array([0, 1, 1, 0]))
    with pytest.raises(DataError, match="pass labels='vertices' or labels='faces'"):
        LabelledMeshFolder(tmp_path)
    assert LabelledMeshFolder(tmp_path, labels="faces")[0].face_labels.tolist() == [0, 1, 1, 0]


def test_truncated_mesh_is_named(tmp_path):
    write_folder_mesh(tmp_path / "train" / "one", "ply faces")
    path = tmp_path / "train" / "one.ply"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises((DataError, MeshError), match=r"one\.ply"):
        LabelledMeshFolder(tmp_path)


def test_empty_folder(tmp_path):
    with pytest.raises(DataError, match="empty"):
        LabelledMeshFolder(tmp_path)


# --- FAUST and SHREC --------------------------------------------------------------------------------------------


def test_faust_splits_by_person(tmp_path):
    for i in range(100):
        write_obj(tmp_path / "training" / "registrations" / f"tr_reg_{i:03d}.obj", MESH)
    train, val, test = (FaustRegistrations(tmp_path, split, val_people=1) for split in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (70, 10, 20)
    assert test.names[0] == "tr_reg_080"
    assert not set(train.names) & set(val.names)
    np.testing.assert_array_equal(train[3].vertex_labels, np.arange(MESH.num_vertices))
    assert train.num_classes == MESH.num_vertices
    with pytest.raises(DataError, match="val_people=1"):
        FaustRegistrations(tmp_path, "val")
    write_obj(tmp_path / "training" / "registrations" / "tr_reg_003.obj", icosphere(0))
    with pytest.raises(DataError, match=r"tr_reg_003\.obj has 12 vertices, the first registration 42"):
        train[3]
    (tmp_path / "training" / "registrations" / "tr_reg_085.obj").unlink()
    with pytest.raises(DataError, match=r"\[85\]"):
        FaustRegistrations(tmp_path, "test")


def test_shrec_draws_disjoint_nested_splits(tmp_path):
    for c in ("cat", "ant"):
        for i in range(20):
            write_obj(tmp_path / c / ("train" if i < 16 else "test") / f"T{i}.obj", MESH)
    ten, rest = (ShrecClassification(tmp_path, split, train_per_class=10) for split in ("train", "test"))
    sixteen = ShrecClassification(tmp_path, "train", train_per_class=16)
    assert ten.class_names == ("ant", "cat")
    assert (len(ten), len(rest), len(sixteen)) == (20, 20, 32)
    assert not set(ten.names) & set(rest.names)
    assert set(ten.names) < set(sixteen.names)
    assert ten.names != ShrecClassification(tmp_path, "train", seed=1).names
    assert [sample.label for sample in ten] == [0] * 10 + [1] * 10
    val = ShrecClassification(tmp_path, "val", val_per_class=2)
    assert set(val.names) < set(ten.names)
    with pytest.raises(DataError, match="20 meshes, none of which is left"):
        ShrecClassification(tmp_path, "test", train_per_class=20)


def test_parts_are_not_taken_for_classes(tmp_path):
    """A network was trained to tell the training from the test meshes of a labelled folder."""
    for part in ("train", "test"):
        write_obj(tmp_path / part / "a.obj", MESH)
    with pytest.raises(DataError, match="parts, not classes"):
        ShrecClassification(tmp_path)
    write_obj(tmp_path / "boxes" / "a.obj", MESH)  # control: a class may have any name
    assert ShrecClassification(tmp_path).class_names == ("boxes", "test", "train")


# --- the published sets -----------------------------------------------------------------------------------------


def test_human_bodies_fit_their_labels(real_data):
    root = real_data("human_seg_train", "human_seg")
    val = MeshCNNSegmentation(root, "val", holdout="scape__*")
    assert val.sources() == {"scape": 71}
    assert MeshCNNSegmentation(root, "train", holdout="scape__*").sources() == {
        "MIT_animation": 169, "adobe": 41, "faust": 100
    }  # fmt: skip
    agree = []
    for sample in val[::10]:
        assert sample.mesh.num_faces == 1500
        soft = face_to_vertex_distribution(sample.mesh, sample.face_labels, 8)
        agree.append(soft[sample.mesh.faces].mean(1).argmax(1) == sample.face_labels)
    # labels in another edge order would be confetti, whose vertex averages do not give the faces back
    assert np.mean(agree) > 0.98


def test_shrec_and_faust_as_published(real_data):
    assert len(ShrecClassification(real_data("shrec_16", "shrec_16"), "train", train_per_class=16)) == 480
    assert FaustRegistrations(real_data("faust", "faust"), "test")[0].mesh.num_vertices == 6890


@pytest.mark.parametrize("form", ["text", "ply"])
def test_labels_of_polygons_become_those_of_their_triangles(tmp_path, form):
    """A quad and a triangle: two labels for three triangles; a byte order mark changes nothing."""
    corners = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n2 2 0\n"
    if form == "text":
        (tmp_path / "one.off").write_text(f"OFF\n5 2 0\n{corners}4 0 1 2 3\n3 3 2 4\n")
        (tmp_path / "one.txt").write_bytes(b"\xef\xbb\xbf7\n9\n")
        (tmp_path / "classes.txt").write_bytes(b"\xef\xbb\xbf7 seven\n9 nine\n")
    else:
        head = "".join(f"property float {axis}\n" for axis in "xyz")
        head += "element face 2\nproperty list uchar int vertex_indices\nproperty uchar label\nend_header\n"
        text = f"ply\nformat ascii 1.0\nelement vertex 5\n{head}{corners}4 0 1 2 3 7\n3 3 2 4 9\n"
        (tmp_path / "one.ply").write_text(text)
    [sample] = LabelledMeshFolder(tmp_path, "train", fractions=(1.0, 0.0, 0.0))
    assert sample.mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [3, 2, 4]]
    assert sample.face_labels.tolist() == ([0, 0, 1] if form == "text" else [7, 7, 9])
