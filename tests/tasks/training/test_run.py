"""What a run holds is enough to use its network again, and what is broken is named."""

from __future__ import annotations

import json
import sys

import pytest
import torch

import gaugenet.models
from gaugenet.files import atomic_path, write_json
from gaugenet.tasks.training.run import RunDescription, RunError, load_run, save_weights
from tests.tasks.conftest import TinyNet


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(gaugenet.models, "TinyNet", TinyNet, raising=False)
    net = TinyNet(width=7)
    save_weights(tmp_path, net, "best")
    RunDescription("segmentation", "TinyNet", net.config, {"features": "x"}, ["a", "b", "c"]).save(tmp_path)
    return tmp_path, net


def _edit(run, **changes):
    path = run / "run.json"
    write_json(path, json.loads(path.read_text()) | changes)


def test_the_network_comes_back_in_evaluation_mode(run):
    path, net = run
    loaded, description = load_run(path)
    assert not loaded.training
    assert description.arguments == {"in_channels": 3, "out_channels": 3, "width": 7}
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), loaded.state_dict().values()))


def test_reading_a_run_imports_no_lightning():
    import subprocess

    code = "import sys; from gaugenet.tasks import load_run; sys.exit('lightning' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("size", [0, 7, 100])
def test_truncated_weights_are_named(run, size):
    path, _ = run
    file = path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(RunError, match=r"model\.safetensors is truncated"):
        load_run(path)


def test_missing_and_foreign_parts_are_named(run):
    path, net = run
    with pytest.raises(RunError, match="No run folder"):
        load_run(path / "nowhere")
    with pytest.raises(RunError, match=r"no weights \(last\.safetensors\)"):
        load_run(path, weights="last")
    save_weights(path, TinyNet(width=8), "best")
    with pytest.raises(RunError, match="does not fit the network"):
        load_run(path)
    save_weights(path, net, "best")
    _edit(path, model="NoSuchNet")
    with pytest.raises(RunError, match="no network 'NoSuchNet'"):
        load_run(path)
    _edit(path, model="TinyNet", arguments={"depth": 3})
    with pytest.raises(RunError, match="does not accept the arguments"):
        load_run(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a run description"),
        ("[]", "format"),
        ('{"format": 99}', "another version"),
        ('{"format": 1}', "lacks"),
    ],
)
def test_broken_descriptions_are_named(run, text, message):
    path, _ = run
    (path / "run.json").write_text(text)
    with pytest.raises(RunError, match=message):
        RunDescription.load(path)
    (path / "run.json").unlink()
    with pytest.raises(RunError, match=r"holds no run\.json"):
        RunDescription.load(path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:  # noqa: PT012
        temporary.write_text("ne")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert [p.name for p in target.parent.iterdir()] == ["file.txt"]
