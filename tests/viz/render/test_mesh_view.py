from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from gaugenet.geometry import HEALPix, Icosphere, LatLonSphere
from gaugenet.viz import MeshField, MeshView
from gaugenet.viz.render.mesh_view import class_names_for, label_headline, surface_mesh


def view_of(mesh: trimesh.Trimesh, **fields: object) -> MeshView:
    return MeshView(name="a", vertices=mesh.vertices, faces=mesh.faces, **fields)


def test_accuracy_counts_labelled_faces_only(sphere: trimesh.Trimesh) -> None:
    truth = np.zeros(320, dtype=int)
    truth[:20] = -1
    prediction = np.zeros(320, dtype=int)
    prediction[:50] = 3  # 30 of the 300 labelled ones
    view = view_of(sphere, prediction=prediction, truth=truth)
    assert view.accuracy == pytest.approx(0.9)
    assert (view.error == -1).sum() == 20
    assert (view.error == 1).sum() == 30
    assert view.highest_label == 3


def test_without_truth_there_is_no_accuracy(sphere: trimesh.Trimesh) -> None:
    assert view_of(sphere, prediction=np.zeros(320, dtype=int)).accuracy is None
    unlabelled = view_of(sphere, prediction=np.zeros(320, dtype=int), truth=np.full(320, -1))
    assert unlabelled.accuracy is None


def test_the_count_says_where_labels_are(sphere: trimesh.Trimesh) -> None:
    assert view_of(sphere, truth=np.zeros(320, dtype=int)).label_site == "face"
    assert view_of(sphere, truth=np.zeros(162, dtype=int)).label_site == "vertex"
    assert view_of(sphere, scalar=np.zeros(162)).fields["value"].site == "vertex"
    assert view_of(sphere, scalar=np.zeros(320)).fields["value"].site == "face"


def test_tensors_are_taken_as_they_are(sphere: trimesh.Trimesh) -> None:
    view = MeshView(
        name="t",
        vertices=torch.tensor(sphere.vertices),
        faces=torch.tensor(sphere.faces),
        prediction=torch.zeros(320, dtype=torch.int32),
        frames=torch.zeros(162, 3, 2),
    )
    assert view.prediction.dtype == np.int64
    assert view.frames.shape == (162, 3, 2)


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({"prediction": np.zeros(319, dtype=int)}, ["319", "320", "162", "prediction"]),
        ({"truth": np.zeros(320, dtype=int), "labels_on": "vertex"}, ["320", "162", "truth"]),
        ({"prediction": np.zeros((320, 2), dtype=int)}, ["320", "prediction"]),
        ({"prediction": np.zeros(320, dtype=int), "truth": np.zeros(162, dtype=int)}, ["320", "162"]),
        ({"prediction": np.full(320, 0.5)}, ["integer", "float64"]),
        ({"scalar": np.zeros(5)}, ["(5,)", "320", "162", "value"]),
        ({"lines": np.zeros((5, 3))}, ["(n, 2, 3)", "(5, 3)"]),
        ({"frames": np.zeros((162, 2, 3))}, ["(162, 3, 2)", "(162, 2, 3)"]),
    ],
)
def test_wrong_shapes_are_refused_with_both_numbers(sphere: trimesh.Trimesh, fields: dict, numbers: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        view_of(sphere, **fields)
    for number in numbers:
        assert number in str(caught.value)


def test_as_many_faces_as_vertices_must_be_told_apart() -> None:
    tetrahedron = trimesh.Trimesh(np.eye(4, 3), [[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]], process=False)
    with pytest.raises(ValueError, match="labels_on"):
        view_of(tetrahedron, prediction=np.arange(4))
    assert view_of(tetrahedron, prediction=np.arange(4), labels_on="vertex").label_site == "vertex"
    assert view_of(tetrahedron, prediction=np.arange(4), labels_on="face").label_site == "face"


def test_meshes_that_cannot_be_drawn_are_refused(sphere: trimesh.Trimesh) -> None:
    vertices = sphere.vertices.copy()
    vertices[7, 1] = np.nan
    with pytest.raises(ValueError, match="vertex 7"):
        MeshView(name="a", vertices=vertices, faces=sphere.faces)
    with pytest.raises(ValueError, match="no faces"):
        MeshView(name="a", vertices=vertices, faces=np.zeros((0, 3), dtype=int))


def test_every_label_needs_a_name(sphere: trimesh.Trimesh) -> None:
    view = view_of(sphere, prediction=np.full(320, 4))
    assert class_names_for([view], None) == [f"class {k}" for k in range(5)]
    assert class_names_for([view], list("abcdef")) == list("abcdef")
    with pytest.raises(ValueError, match=r"label 4.*4 classes"):
        class_names_for([view], list("abcd"))


def test_colors_are_checked(sphere: trimesh.Trimesh) -> None:
    count = len(sphere.vertices)
    view = MeshView(name="m", vertices=sphere.vertices, faces=sphere.faces, colors=np.full((count, 3), 7))
    assert view.colors.dtype == np.uint8
    for wrong, message in (
        (np.zeros((count, 4), dtype=int), "shape"),
        (np.zeros((count, 3)), "bytes"),
        (np.full((count, 3), 256), "0 to 255"),
    ):
        with pytest.raises(ValueError, match=message):
            MeshView(name="m", vertices=sphere.vertices, faces=sphere.faces, colors=wrong)


def test_a_field_takes_no_name_of_another_panel(sphere: trimesh.Trimesh) -> None:
    with pytest.raises(ValueError, match="truth"):
        view_of(sphere, fields={"truth": MeshField(np.zeros(162))})


def test_the_headline_names_the_class_that_a_high_accuracy_hides(sphere: trimesh.Trimesh) -> None:
    truth = np.zeros(320, dtype=int)
    truth[:6] = 1
    truth[6:10] = -1
    view = view_of(sphere, truth=truth, prediction=np.zeros(320, dtype=int))
    assert view.accuracy == pytest.approx(310 / 316)
    assert view.mean_iou == pytest.approx(0.5 * 310 / 316)
    words = label_headline([view, view], ["calm", "storm"])
    assert words == "mean accuracy 98.1 % · mean IoU 49.1 % · lowest IoU 0.0 % (storm)"
    perfect = view_of(sphere, truth=truth, prediction=truth)
    assert perfect.mean_iou == 1
    assert label_headline([view_of(sphere)], []) == ""


@pytest.mark.parametrize(
    "surface",
    [Icosphere(2), HEALPix(4), LatLonSphere(np.linspace(90, -90, 9), np.arange(0, 360, 20.0))],
    ids=["icosphere", "healpix", "poles"],
)
def test_spheres_become_closed_outward_triangles_on_their_points(surface: object) -> None:
    mesh = surface_mesh(surface)
    np.testing.assert_array_equal(mesh.vertices, surface.pos.double().numpy())
    centers = mesh.vertices[mesh.faces].mean(axis=1)
    assert ((mesh.face_normals * centers).sum(axis=1) > 0).all()
    assert (mesh.edge_face_count == 2).all()
    used = len(np.unique(mesh.faces))
    assert used - len(mesh.edges) + mesh.num_faces == 2
    assert mesh.area == pytest.approx(4 * np.pi, rel=0.15)


def test_other_surfaces_are_refused() -> None:
    with pytest.raises(ValueError, match="SurfacePicture"):
        surface_mesh(np.zeros((4, 3)))
