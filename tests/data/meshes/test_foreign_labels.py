"""Label files as others write them: bounded in memory, and no number stands for another one."""

from __future__ import annotations

import numpy as np
import pytest

from gaugenet.data.meshes.classes import ClassTable
from gaugenet.data.meshes.labels import read_labels
from gaugenet.data.meshes.sample import DataError


def _header(path, shape, descr="<i8"):
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
        file.write(bytes(64))


@pytest.mark.parametrize("shape", [(10**12,), (10**9, 10**9), (9,)])
def test_a_header_that_promises_too_much_is_refused_before_memory_is_asked_for(tmp_path, shape):
    path = tmp_path / "labels.npy"
    _header(path, shape)
    with pytest.raises(DataError, match="announces"):
        read_labels(path)
    _header(path, (8,))
    assert len(read_labels(path)) == 8, "control"


def test_objects_are_not_loaded_and_no_advice_says_how(tmp_path):
    path = tmp_path / "labels.npy"
    np.save(path, np.array([1, "a"], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="never loaded") as caught:
        read_labels(path)
    assert "allow_pickle" not in str(caught.value)


@pytest.mark.parametrize(
    "labels",
    [[0, np.inf], [0, np.nan], [0, 1.5], [0, 1e300], np.array([0, 1j]), np.array(["a", "b"]), np.array([True, False])],
    ids=str,
)
def test_only_whole_numbers_are_labels(tmp_path, labels):
    path = tmp_path / "labels.npy"
    np.save(path, labels)
    with pytest.raises(DataError, match="integer"):
        read_labels(path)


@pytest.mark.parametrize("labels", [[0, 1], [-1.0, 3.0], np.array([0, 200], dtype=np.uint8)], ids=str)
def test_whole_numbers_of_any_type_are_labels(tmp_path, labels):
    np.save(tmp_path / "labels.npy", labels)
    assert np.array_equal(read_labels(tmp_path / "labels.npy"), labels)


def test_a_label_of_a_thousand_million_is_a_mistake():
    with pytest.raises(DataError, match="1,000,000,001 classes"):
        ClassTable.from_labels([np.array([0, 10**9])], "somewhere")
    assert len(ClassTable.from_labels([np.array([0, 6890])], "somewhere").names) == 6891
