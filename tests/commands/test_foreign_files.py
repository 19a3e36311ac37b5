"""Option files of other people hold data: nothing in them is imported, and none of them grows without end."""

from __future__ import annotations

import sys
import time

import pytest
import torch

from gaugenet.cli import main
from gaugenet.commands._yaml import load_bounded
from gaugenet.models import IcosahedralUNet, MeshUNet
from gaugenet.tasks.training.checkpoint import find_checkpoint
from gaugenet.tasks.training.run import RunError

MODULE = "planted_module"


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A module that leaves a mark when it is imported."""
    (tmp_path / f"{MODULE}.py").write_text(
        "from pathlib import Path\nfrom lightning.pytorch import Callback\n"
        "from lightning.pytorch.profilers import Profiler\n"
        "Path(__file__).with_suffix('.mark').write_text('run')\nclass Bad(Profiler): ...\nclass Call(Callback): ...\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / f"{MODULE}.mark"
    sys.modules.pop(MODULE, None)


@pytest.mark.parametrize(
    "option", ["profiler", "strategy", "plugins", "accelerator", "callbacks", "logger", "max_time"]
)
@pytest.mark.parametrize("form", ["class_path", "list", "name"])
def test_no_option_imports_code(option, form, planted, tmp_path, capsys):
    name = f"{MODULE}.{'Call' if option == 'callbacks' else 'Bad'}"
    value = {"class_path": f"{{class_path: {name}}}", "list": f"[{{class_path: {name}}}]", "name": name}[form]
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(f"trainer:\n  {option}: {value}\n", encoding="utf-8")
    start = ["train", "segmentation", "--data", str(tmp_path), "--out", str(run)]
    for arguments in (["--resume"], ["--config", str(run / "config.yaml")], [f"--trainer.{option}={value}"]):
        assert main([*start, *arguments]) != 0
        assert "Traceback" not in capsys.readouterr().err
        assert not planted.exists()
    assert main([*start, f"--trainer.{option}.help={name}"]) != 0
    assert not planted.exists()
    __import__(MODULE)
    assert planted.exists(), "control: an import leaves the mark"


def test_an_option_file_does_not_expand(tmp_path, capsys):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi")]
    file = tmp_path / "bomb.yaml"
    for text in ("\n".join(lines), "[" * 5000, "data: {root: " + "x" * 3_000_000 + "}", "- 1\n" * 300_000):
        file.write_text(text, encoding="utf-8")
        start = time.perf_counter()
        assert main(
            ["train", "segmentation", "--data", str(tmp_path), "--out", str(tmp_path / "r"), "--config", str(file)]
        )
        assert time.perf_counter() - start < 8
        message = capsys.readouterr().err
        assert "Traceback" not in message
        assert len(message) < 3000


def test_plain_values_are_read_as_before():
    assert load_bounded("a: [1, 1e-3, null, text]\nb: {c: true}") == {"a": [1, 1e-3, None, "text"], "b": {"c": True}}


@pytest.mark.parametrize(
    "text", ["{p: {kind: scalar, on: face}}", "p:\n  kind: scalar\n  on: face\n", "p: {kind: scalar, 'on': face}"]
)
def test_names_that_yaml_takes_for_truth_values_are_names(text):
    """The entry `on` of a field; truth values remain what they are, also those in lists."""
    assert load_bounded(text) == {"p": {"kind": "scalar", "on": "face"}}
    assert load_bounded("[on, {y: off, n: [true]}]") == [True, {"y": False, "n": [True]}]


def test_sizes_of_networks_have_bounds():
    for make in (
        lambda **o: MeshUNet("1x0", 2, **o),
        lambda **o: IcosahedralUNet("1x0", 2, **o),
    ):
        for wrong in ({"blocks": 100_000}, {"levels": 10_000}, {"width": 10**9}, {"growth": 1e9, "levels": 9}):
            with pytest.raises(ValueError, match=next(iter(wrong))):
                make(**wrong)
        make(width=2, levels=2)


def test_a_checkpoint_with_code_is_refused_without_advice_to_run_it(tmp_path):
    class Mark:
        def __reduce__(self):
            return open, (str(tmp_path / "mark"), "w")

    torch.save({"state_dict": Mark()}, tmp_path / "last.ckpt")
    with pytest.raises(RunError) as caught:
        find_checkpoint(tmp_path)
    assert "never loaded" in str(caught.value)
    assert "weights_only" not in str(caught.value)
    assert not (tmp_path / "mark").exists()
