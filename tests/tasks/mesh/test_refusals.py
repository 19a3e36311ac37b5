"""Trainings that could only go wrong are refused before they start, with the reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaugenet.data import InputFeatures, Positions
from gaugenet.data.meshes.sample import MeshSample
from gaugenet.geometry.mesh.mesh import MeshError, TriangleMesh
from gaugenet.tasks.mesh.data_options import DataOptions, GeometryOptions
from gaugenet.tasks.mesh.preparation import Preparation, prepare_mesh
from gaugenet.tasks.mesh.setup import _check_labels
from gaugenet.tasks.training.options import TaskError, device_of
from tests.tasks.mesh.meshes import ellipsoid

HOW = Preparation(InputFeatures([Positions()]), GeometryOptions(levels=1), n_jobs=1)
NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
CLASSES = ["low", "high", "rare"]


def _prepared(labels, scale: float = 1.0):
    vertices, faces, _ = ellipsoid(3)
    mesh = TriangleMesh(scale * vertices, faces)
    return prepare_mesh(MeshSample("a", mesh, face_labels=np.resize(labels, len(faces))), HOW)


def test_labels_that_are_all_unknown_are_nothing_to_learn_from():
    known, unknown = _prepared([0, 1]), _prepared([-1])
    with pytest.raises(TaskError, match="training meshes"):
        _check_labels([unknown], [known], CLASSES)
    with pytest.raises(TaskError, match="validation meshes"):
        _check_labels([known], [unknown], CLASSES)
    _check_labels([known, unknown], [], CLASSES)


def test_a_class_that_is_only_validated_is_named(caplog):
    _check_labels([_prepared([0, 1])], [_prepared([0, 2])], CLASSES)
    assert "rare" in caplog.text
    caplog.clear()
    _check_labels([_prepared([0, 1, 2])], [_prepared([0, 2])], CLASSES)
    assert not caplog.text, "control"


def test_features_that_are_not_finite_are_refused_by_their_channel():
    graph = _prepared([0]).graph
    assert torch.isfinite(HOW.features(graph.clone()).x).all(), "control"
    graph.pos[4, 1] = torch.nan
    with pytest.raises(ValueError, match="not finite, in the channels"):
        HOW.features(graph)


@pytest.mark.parametrize("scale", [2.0**120, 2.0**-140])
def test_networks_see_the_same_in_any_unit_of_length(scale):
    plain, other = (HOW.features(_prepared([0], s).graph) for s in (1.0, scale))
    torch.testing.assert_close(other.x, plain.x)
    ratio = plain.radius / other.radius
    torch.testing.assert_close(other.log_map * ratio, plain.log_map)


def test_a_mesh_of_points_that_are_not_finite_is_refused():
    with pytest.raises(MeshError, match="non-finite"):
        _prepared([0], np.nan)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_jobs": 0},
        {"batch_size": -1},
        {"val_people": -1},
        {"train_per_class": 0},
        {"train_size": -1},
        {"split_seed": -3},
    ],
    ids=str,
)
def test_negative_options_are_refused_by_name(wrong):
    with pytest.raises(TaskError, match=next(iter(wrong))):
        DataOptions(**wrong)


@pytest.mark.parametrize("name", ["gpu", pytest.param("cuda", marks=NO_GPU)])
def test_a_device_that_is_not_there_is_named(name):
    """The answer was PyTorch's AssertionError."""
    with pytest.raises(TaskError, match=f"device {name!r}"):
        device_of(name)
    assert device_of("cpu").type == "cpu"
