"""Outputs never replace what is read, and what is there only on request."""

from __future__ import annotations

import os

import pytest

from gaugenet.files import OutputError, check_outputs


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "bear.ply"
    path.write_text("a mesh", encoding="utf-8")
    return path


def test_new_outputs_next_to_an_input_are_allowed(source, tmp_path):
    check_outputs([tmp_path / "bear.labels.ply", tmp_path / "new" / "bear.ply"], inputs=[source])


@pytest.mark.parametrize("spelling", ["itself", "dots", "link", "hard link", "relative"])
def test_an_input_is_not_an_output_however_it_is_spelled(source, tmp_path, spelling, monkeypatch):
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    name = {"itself": source, "dots": tmp_path / "sub" / ".." / "bear.ply", "relative": "bear.ply"}.get(spelling)
    if name is None:
        name = tmp_path / "sub" / "other.ply"
        (os.symlink if spelling == "link" else os.link)(source, name)
    with pytest.raises(OutputError, match="overwrite the input"):
        check_outputs([name], inputs=[source], overwrite=True)


def test_an_output_does_not_go_into_a_store_that_is_read(tmp_path):
    store = tmp_path / "weather.zarr"
    store.mkdir()
    with pytest.raises(OutputError, match="overwrite the input"):
        check_outputs([store / "deep" / "out.nc"], inputs=[store])


def test_outputs_differ_from_each_other(tmp_path):
    with pytest.raises(OutputError, match="Two outputs"):
        check_outputs([tmp_path / "a.nc", tmp_path / "x" / ".." / "a.nc"])


def test_an_output_that_exists_needs_overwrite(source, tmp_path):
    with pytest.raises(OutputError, match="--overwrite"):
        check_outputs([source])
    check_outputs([source], overwrite=True)
    with pytest.raises(OutputError, match="got the folder"):
        check_outputs([tmp_path], overwrite=True)


@pytest.mark.parametrize("below", ["page.png", "deep/page.png"])
def test_a_file_is_not_a_folder_of_outputs(source, below):
    with pytest.raises(OutputError, match=r"Expected a folder for .* got the file .*bear\.ply"):
        check_outputs([source / below], overwrite=True)
