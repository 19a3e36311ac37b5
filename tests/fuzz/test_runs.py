"""Damaged run folders and option files: loaded, or refused by name; nothing in them is executed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gaugenet.commands._yaml import load_bounded
from gaugenet.models import MeshUNet
from gaugenet.tasks.training.run import RunDescription, load_run, save_weights
from tests.fuzz.mutations import damaged, fuzz, longer, reads_or_refuses

OPTIONS = [
    b"seed: 0\ndata:\n  root: meshes\n  features: Curvature()\n  fractions: [0.7, 0.15, 0.15]\n",
    b'{"model": {"width": 8, "blocks": 2}, "optim": {"lr": 1e-3}}\n',
    b"a: |\n  text\nb: [1, 2, {c: d}]\n",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "run"
    folder.mkdir()
    network = MeshUNet("2x0", 2, width=2, levels=2, blocks=1)
    data = {"features": "Curvature()", "geometry": {"group": "SO(2)", "levels": 2}}
    RunDescription("segmentation", "MeshUNet", network.config, data, ["a", "b"]).save(folder)
    save_weights(folder, network, "best")
    return folder


FILES = ("run.json", "model.safetensors")


@pytest.mark.parametrize("name", FILES)
@fuzz
@given(data=st.data())
def test_damaged_runs(tmp_path, run, name, data):
    _check_run(tmp_path, run, name, data)


@pytest.mark.parametrize("name", FILES)
@longer
@given(data=st.data())
def test_many_damaged_runs(tmp_path, run, name, data):
    _check_run(tmp_path, run, name, data)


def _check_run(tmp_path, run: Path, name: str, data) -> None:
    folder = tmp_path / "model.safetensors of run.json"  # errors may name the network only, which the folder describes
    shutil.copytree(run, folder, dirs_exist_ok=True)
    content = data.draw(damaged([(run / name).read_bytes()]))
    reads_or_refuses(lambda path: load_run(path.parent), folder / name, content)


def test_control_the_run_is_whole(run):
    load_run(run)


@fuzz
@given(content=damaged(OPTIONS))
def test_damaged_options(content):
    _check_options(content)


def test_names_that_are_not_texts_are_refused():
    with pytest.raises(yaml.YAMLError, match="by their names"):
        load_bounded("0:")


@longer
@given(content=damaged(OPTIONS))
def test_many_damaged_options(content):
    _check_options(content)


def _check_options(content: bytes) -> None:
    """Plain values come out, or an error that the parser of the command line reports."""
    try:
        found = load_bounded(content.decode("utf-8", errors="replace"))
    except yaml.YAMLError:
        return
    _plain(found)


def _plain(value) -> None:
    if isinstance(value, dict | list):
        for part in (*value, *value.values()) if isinstance(value, dict) else value:
            _plain(part)
    else:
        assert type(value).__module__ in ("builtins", "datetime")
