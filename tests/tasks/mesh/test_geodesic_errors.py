"""Geodesic errors of correspondences against great circles, with parts, unknown labels and missing places."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.geometry import Icosphere, TriangleMesh
from gaugenet.tasks.mesh.geodesic_errors import GeodesicErrors, summary

SPHERE = Icosphere(4)
POSITIONS = np.asarray(SPHERE.pos)
MESH = TriangleMesh(3.0 * POSITIONS, np.asarray(SPHERE.face.T))
PLACE = np.arange(len(POSITIONS))


def angles(one, other):
    return np.arccos(np.clip((POSITIONS[one] * POSITIONS[other]).sum(-1), -1, 1))


def test_errors_are_great_circles_over_the_square_root_of_the_area():
    rng = np.random.default_rng(1)
    prediction = PLACE.copy()
    wrong = rng.permutation(PLACE)[:100]
    prediction[wrong] = rng.permutation(PLACE)[:100]
    found = GeodesicErrors.on(MESH, PLACE, prediction)
    expected = angles(PLACE, prediction) / np.sqrt(4 * np.pi)
    assert (found.right, found.missing) == (np.count_nonzero(prediction == PLACE), 0)
    assert found.right + found.wrong == len(PLACE)
    assert found.errors.sum() == pytest.approx(expected.sum(), rel=0.03)
    result = summary([found])
    assert result["mean"] == pytest.approx(expected.mean(), rel=0.03)
    assert result["below_5_percent"] == pytest.approx((expected < 0.05).mean(), abs=0.002)


def test_a_sample_stands_for_all_wrong_vertices():
    prediction = np.roll(PLACE, 7)
    found = GeodesicErrors.on(MESH, PLACE, prediction)
    assert (found.wrong, len(found.errors)) == (len(PLACE), 256)
    both = summary([found, GeodesicErrors.on(MESH, PLACE, PLACE)])
    expected = angles(PLACE, prediction).mean() / np.sqrt(4 * np.pi) / 2
    assert both["mean"] == pytest.approx(expected, rel=0.1)


def test_the_nearest_vertex_with_the_label_counts():
    half = PLACE // 2  # two vertices have one label
    prediction = half.copy()
    prediction[0] = 500
    (error,) = GeodesicErrors.on(MESH, half, prediction).errors
    assert error == pytest.approx(min(angles(0, 1000), angles(0, 1001)) / np.sqrt(4 * np.pi), rel=0.05)


def test_what_has_no_place_is_counted_apart():
    two = TriangleMesh(
        np.concatenate([POSITIONS, POSITIONS + 5]), np.concatenate([MESH.faces, MESH.faces + len(PLACE)])
    )
    truth = np.arange(2 * len(PLACE))
    truth[9] = -1  # unknown
    prediction = truth.copy()
    prediction[[0, 1, 2]] = [9, -1, len(PLACE)]  # its place is unknown, no prediction, on the other part
    found = GeodesicErrors.on(two, truth, prediction)
    assert (found.right, found.wrong, found.missing, len(found.errors)) == (len(truth) - 4, 3, 3, 0)
    result = summary([found])
    assert (result["mean"], result["below_5_percent"]) == (0, 1)
    assert result["missing"] == pytest.approx(3 / (len(truth) - 1))


def test_a_mesh_without_labels():
    unknown = np.full(len(PLACE), -1)
    assert summary([GeodesicErrors.on(MESH, unknown, PLACE)]) == {
        "mean": None,
        "below_5_percent": None,
        "missing": None,
    }
