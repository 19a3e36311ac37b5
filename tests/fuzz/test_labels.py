"""Damaged label files and lists of classes: read as whole numbers, or refused by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaugenet.data.meshes.classes import ClassTable
from gaugenet.data.meshes.labels import read_labels, read_ply_labels
from tests.fuzz.mutations import damaged, fuzz, longer, reads_or_refuses


def _npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


PLY = (
    b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    b"property int label\n"
    b"element face 1\nproperty list uchar int vertex_indices\nproperty uchar label\nend_header\n"
    b"0 0 0 1\n1 0 0 2\n0 1 0 -1\n3 0 1 2 7\n"
)
READERS = {
    "labels.npy": (read_labels, [_npy(np.arange(5)), _npy(np.ones((5, 1))), _npy(np.array([None, 1]))]),
    "labels.txt": (read_labels, [b"0\n1\n-1\n2\n", b"\xef\xbb\xbf3 4 5\r\n6", b"1e0\n2.0\n"]),
    "labels.ply": (read_ply_labels, [PLY]),
    "classes.txt": (ClassTable.read, [b"head\narm\nleg\n", b"1 head\n2 arm\n", b"3\n4\n"]),
}


def _whole(read, path: Path) -> None:
    found = read(path)
    for labels in found.values() if isinstance(found, dict) else [found]:
        if isinstance(labels, np.ndarray):
            assert labels.dtype == np.int64
            assert labels.ndim == 1
        else:
            assert -1 not in labels.values


def _check(tmp_path, name: str, content: bytes) -> None:
    read, _ = READERS[name]
    reads_or_refuses(lambda path: _whole(read, path), tmp_path / name, content)


@pytest.mark.parametrize("name", READERS)
def test_control_the_files_are_whole(tmp_path, name):
    (tmp_path / name).write_bytes(READERS[name][1][0])
    _whole(READERS[name][0], tmp_path / name)


@pytest.mark.parametrize("name", READERS)
@fuzz
@given(data=st.data())
def test_damaged_labels(tmp_path, name, data):
    _check(tmp_path, name, data.draw(damaged(READERS[name][1])))


@pytest.mark.parametrize("name", READERS)
@longer
@given(data=st.data())
def test_many_damaged_labels(tmp_path, name, data):
    _check(tmp_path, name, data.draw(damaged(READERS[name][1])))
