"""MeshField: what values may be, on which site, in which steps; and one scale of colors for each name."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaugenet.geometry import TriangleMesh
from gaugenet.viz import MeshField
from gaugenet.viz.render.mesh_field import common_scales

FRAMES = np.tile(np.eye(3)[:, :2], (162, 1, 1))


@pytest.fixture
def mesh(sphere):
    return TriangleMesh(sphere.vertices, sphere.faces)


def bound(mesh: TriangleMesh, field: MeshField, name: str = "u"):
    return field.on(mesh, name, name=name, frames=FRAMES)


@pytest.mark.parametrize(
    ("shape", "times", "site", "vectors"),
    [
        ((162,), 1, "vertex", False),
        ((320,), 1, "face", False),
        ((162, 3), 1, "vertex", True),
        ((320, 3), 1, "face", True),
        ((162, 2), 1, "vertex", True),
        ((4, 162), 4, "vertex", False),
        ((2, 320), 2, "face", False),
        ((5, 162, 3), 5, "vertex", True),
        ((5, 162, 2), 5, "vertex", True),
        ((1, 320, 3), 1, "face", True),
    ],
)
def test_shapes_say_what_a_field_is(mesh, shape, times, site, vectors):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    field = bound(mesh, MeshField(values))
    assert field.sizes.shape == (times, 162 if site == "vertex" else 320)
    assert (field.site, len(field.times), field.vectors is not None) == (site, times, vectors)
    sizes = values.norm(dim=-1) if vectors else values
    np.testing.assert_allclose(field.sizes.reshape(sizes.shape), sizes, rtol=1e-6)


def test_components_are_taken_in_the_frames(mesh):
    values = np.tile([3.0, -4.0], (162, 1))
    np.testing.assert_array_equal(bound(mesh, MeshField(values)).vectors[0], np.tile([3.0, -4.0, 0.0], (162, 1)))
    with pytest.raises(ValueError, match="frames"):
        MeshField(values).on(mesh, "u", name="u")


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (MeshField(np.zeros(161)), r"\(161,\).*162.*320"),
        (MeshField(np.zeros((162, 4))), r"\(162, 4\)"),
        (MeshField(np.zeros((3, 162)), times=["0 h"]), "3 time steps.*1 names"),
        (MeshField(np.zeros(162), drawn="flow"), "flow"),
        (MeshField(np.zeros((320, 2))), "frames"),
        (MeshField(np.zeros((0, 162))), "0 time steps"),
    ],
)
def test_what_does_not_fit_is_refused(mesh, field, words):
    with pytest.raises(ValueError, match=words):
        bound(mesh, field)


def test_one_name_has_one_scale_on_all_meshes(mesh):
    one = {"p": bound(mesh, MeshField(np.linspace(0, 1, 162))), "v": bound(mesh, MeshField(np.full((162, 3), 2.0)))}
    two = {"p": bound(mesh, MeshField(np.linspace(5, 6, 162), colormap="cividis"))}
    scales = common_scales([one, two])
    assert scales["p"].low < 0.1
    assert scales["p"].high > 5.9
    assert scales["p"].colormap == "cividis"
    assert scales["v"].low == 0, "sizes of vectors begin at 0"
    given = common_scales([one, {"p": bound(mesh, MeshField(np.zeros(162), limits=(-1, 2)))}])["p"]
    assert (given.low, given.high) == (-1, 2)


def test_labels_and_steps(mesh):
    field = bound(mesh, MeshField(np.zeros((3, 162, 3)), unit="m/s", times=["0 h", "6 h", "12 h"]), "wind")
    assert field.label == "|wind| [m/s]"
    assert [field.step(k) for k in (0, 2, 7, -1, -3, -9)] == [0, 2, 2, 2, 0, 0]
    assert bound(mesh, MeshField(np.zeros(162))).label == "u"
