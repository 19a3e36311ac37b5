"""The cache: right or absent, whoever is killed and whatever lies in its folder."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import time

import numpy as np
import pytest
import torch

from gaugenet.data import GraphCache, HeatKernelSignature
from gaugenet.data.meshes import cache as cache_module
from gaugenet.data.meshes.cache import graph_values
from gaugenet.files import atomic_path
from gaugenet.geometry.mesh.mesh import TriangleMesh
from tests.data.meshes.graphs import simple_graph
from tests.data.meshes.helpers import icosphere

MESH = icosphere(1)


def write_for_ever(folder, ready):
    """Write three keys in turn, each with values that tell whether they belong together."""
    cache = GraphCache(folder)
    ready.set()
    for i in itertools.count():
        cache.put(f"key{i % 3}", {"x": torch.from_numpy(np.full(200_000, i)), "i": i})


def start_writer(folder):
    fork = multiprocessing.get_context("fork")  # a fresh interpreter would spend seconds on imports
    ready = fork.Event()
    process = fork.Process(target=write_for_ever, args=(folder, ready), daemon=True)
    process.start()
    assert ready.wait(30)
    return process


def test_graphs_come_back_bit_for_bit(tmp_path):
    cache = GraphCache(tmp_path / "deep" / "folder")
    graph = simple_graph(MESH, seed=0, dtype=torch.float32)
    graph.y = torch.arange(MESH.num_vertices)
    key = cache.key(MESH, "anything")
    built = cache.graph(key, lambda: graph)
    loaded = cache.graph(key, lambda: pytest.fail("built twice"))
    assert set(loaded.keys()) == set(built.keys())
    for name in graph.keys():  # noqa: SIM118
        value = loaded[name]
        assert torch.equal(value, graph[name]) if torch.is_tensor(value) else value == graph[name]
        assert not torch.is_tensor(value) or value.dtype == graph[name].dtype
    assert loaded.num_levels == 2


def test_a_view_does_not_drag_its_storage_into_the_file(tmp_path):
    graph = simple_graph(MESH)
    graph.part = torch.zeros(1_000_000)[:3]
    cache = GraphCache(tmp_path)
    cache.put("k", graph_values(graph))
    assert cache.path("k").stat().st_size < 300_000


def test_the_key_is_everything_that_matters(tmp_path, monkeypatch):
    cache = GraphCache(tmp_path)
    moved, rotated = MESH.vertices.copy(), MESH.faces.copy()
    moved[0, 0] = np.nextafter(moved[0, 0], 2)
    rotated[0] = np.roll(rotated[0], 1)
    keys = [
        cache.key(MESH, HeatKernelSignature()),
        cache.key(MESH, HeatKernelSignature(8)),
        cache.key(MESH, HeatKernelSignature(), 3),
        cache.key(MESH, HeatKernelSignature(), "3"),
        cache.key(MESH, "a", "b"),
        cache.key(MESH, "ab"),
        cache.key(TriangleMesh(moved, MESH.faces), HeatKernelSignature()),
        cache.key(TriangleMesh(MESH.vertices, rotated), HeatKernelSignature()),
    ]
    monkeypatch.setattr(cache_module, "FORMAT_VERSION", cache_module.FORMAT_VERSION + 1)
    keys.append(cache.key(MESH, HeatKernelSignature()))
    assert len(set(keys)) == len(keys)
    monkeypatch.undo()
    assert keys[0] == GraphCache(tmp_path / "other").key(icosphere(1), HeatKernelSignature())


@pytest.mark.parametrize(
    "damage", ["truncated", "empty", "text", "bytes", "number", "pickle", "foreign", "of another key"]
)
def test_broken_files_are_computed_anew_with_a_warning(tmp_path, damage, caplog):
    cache = GraphCache(tmp_path)
    cache.put("k", {"x": torch.arange(1000)})
    path = cache.path("k")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-500])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not a cache file")
    elif damage == "bytes":  # an IndexError of torch's reader
        path.write_bytes(b".")
    elif damage == "number":  # a `struct.error`
        path.write_bytes(b"\x80\x02M.")
    elif damage == "pickle":
        torch.save({"code": os.system}, path)
    elif damage == "foreign":
        torch.save([1, 2, 3], path)
    else:
        cache.put("other", {"x": torch.zeros(1)})
        os.replace(cache.path("other"), path)
    with caplog.at_level(logging.WARNING):
        assert cache.get("k") is None
    assert str(path) in caplog.text
    cache.put("k", {"x": torch.ones(2)})
    assert torch.equal(cache.get("k")["x"], torch.ones(2))


def test_absent_files_are_no_warning(tmp_path, caplog):
    assert GraphCache(tmp_path).get("k") is None
    assert not caplog.text


def test_only_tensors_and_plain_values_are_kept():
    graph = simple_graph(MESH)
    graph.thing = object()
    with pytest.raises(TypeError, match="'thing'"):
        graph_values(graph)


def test_a_process_killed_while_writing_leaves_only_whole_files(tmp_path, caplog):
    for delay in (0.03, 0.05, 0.08, 0.12):
        process = start_writer(tmp_path)
        time.sleep(delay)
        process.kill()
        process.join()
        _all_whole(tmp_path)
    assert not caplog.text


def test_two_processes_may_write_the_same_key(tmp_path, caplog):
    writers = [start_writer(tmp_path) for _ in range(2)]
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        _all_whole(tmp_path)
    for process in writers:
        process.kill()
        process.join()
    assert not caplog.text


def _all_whole(folder):
    cache = GraphCache(folder)
    for key in ("key0", "key1", "key2"):
        values = cache.get(key)
        if values is not None:
            assert torch.equal(values["x"], torch.full((200_000,), values["i"]))


def test_what_killed_processes_left_behind_is_swept(tmp_path):
    with atomic_path(tmp_path / "key.pt") as running:
        left = running.with_name(running.name.replace(f".{os.getpid()}-", ".4194305-"))  # no process has this number
        left.write_bytes(b"half")
        GraphCache(tmp_path)
        assert not left.exists()
        assert running.exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "cache").write_text("notes")
    with pytest.raises(NotADirectoryError, match="must be a folder") as caught:
        GraphCache(tmp_path / "cache")
    assert caught.value.filename == str(tmp_path / "cache")


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    """The file that was to be written, not its temporary name."""

    def refused(prefix, suffix, dir):
        raise PermissionError(13, "Permission denied", f"{dir}/{prefix}{suffix}")

    cache = GraphCache(tmp_path)
    monkeypatch.setattr("tempfile.mkstemp", refused)
    with pytest.raises(PermissionError) as caught:
        cache.put("key", {"x": torch.ones(1)})
    assert caught.value.filename == str(tmp_path / "key.pt")
