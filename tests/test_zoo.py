"""The model zoo: its manifest is true, changed files are refused, and what is fetched is whole, checked and new."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import threading

import pytest

from gaugenet import _zoo
from gaugenet._fetch import fetch
from gaugenet._shipped import shipped
from gaugenet.cli import main
from gaugenet.datasets import bodies
from gaugenet.files import OutputError
from gaugenet.models import load, pretrained_folder

NAME = "gfs_cyclones"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(_zoo.HOME, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def source(tmp_path):
    return shutil.copytree(shipped("pretrained"), tmp_path / "source")


@pytest.fixture
def server(source):
    """The same source on this machine, by HTTP."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(source))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_the_manifest_is_true_of_every_file():
    folder = shipped("pretrained")
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(_zoo.shipped_entries())
    for name, entry in _zoo.shipped_entries().items():
        contents = {path.name: path.read_bytes() for path in (folder / name).iterdir()}
        assert {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()} == entry.checksum
        assert sum(map(len, contents.values())) == entry.size < 3e6
        run = json.loads(contents["run.json"])
        assert (run["task"], run["format"]) == (entry.task, 1)
        assert f"# {name}\n" in contents["README.md"].decode("utf-8")
        assert all(f"**{part}**" in contents["README.md"].decode("utf-8") for part in ("Data", "Training", "Limits"))


@pytest.mark.parametrize("through", ["folder of the zoo", "folder of the network", "address"])
def test_fetching_copies_a_network_that_is_checked(through, source, server, home):
    where = {"folder of the zoo": source, "folder of the network": source / NAME, "address": server}[through]
    target = fetch(NAME, where)
    assert target == home / NAME
    assert {path.name for path in target.iterdir()} == {*_zoo.FILES, "manifest.json"}
    assert (target / "model.safetensors").read_bytes() == (source / NAME / "model.safetensors").read_bytes()
    with pytest.raises(OutputError, match="already exists and is never replaced"):
        fetch(NAME, where)


def renamed(source, new):
    """The source with its network under a name that the library does not know."""
    manifest = json.loads((source / "manifest.json").read_text())
    (entry,) = [one for one in manifest["models"] if one["name"] == NAME]
    (source / NAME).rename(source / new)
    (source / "manifest.json").write_text(json.dumps({"format": 1, "models": [entry | {"name": new}]}))


def test_a_network_of_others_is_found_by_its_name(source, home, capsys):
    renamed(source, "storms")
    assert main(["models", "fetch", "storms", "--from", str(source)]) == 0
    assert capsys.readouterr().out == f"{home / 'storms'}\n"
    assert pretrained_folder("storms") == home / "storms"
    assert type(load("storms")).__name__ == "IcosahedralUNet"
    assert main(["models", "list"]) == 0
    assert "storms" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["changed", "truncated", "longer", "missing"])
def test_damaged_files_are_refused_and_leave_nothing(damage, source, home):
    file = source / NAME / "model.safetensors"
    content = file.read_bytes()
    spoiled = {"changed": content[:-1] + bytes([content[-1] ^ 1]), "truncated": content[:-9], "longer": content * 2}
    file.write_bytes(spoiled[damage]) if damage in spoiled else file.unlink()
    with pytest.raises(_zoo.ZooError, match=r"SHA-256|larger than its manifest|has no file"):
        fetch(NAME, source)
    assert not home.exists() or list(home.iterdir()) == []


def test_a_changed_file_is_not_loaded(source):
    renamed(source, "storms")
    target = fetch("storms", source)
    assert load("storms") is not None
    (target / "run.json").write_text((target / "run.json").read_text().replace("D_6", "C_6"))
    with pytest.raises(_zoo.ZooError, match=r"run\.json is not the file of the manifest"):
        load("storms")


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("../human_seg", None, "Expected the name of a network"),
        (NAME, "ftp://example.org/zoo", "begins with https:// or http://"),
        (NAME, "nowhere", "No folder nowhere"),
        ("other", None, "lists 'other'"),
    ],
)
def test_what_cannot_be_fetched_is_named(name, where, words, source):
    with pytest.raises(_zoo.ZooError, match=words):
        fetch(name, where or source)


@pytest.mark.parametrize(
    "change",
    [{"checksum": {"../../x": "0" * 64}}, {"size": 10**12}, {"name": "a/b"}, {"figures": [1]}, {"more": 1}],
    ids=str,
)
def test_foreign_manifests_are_refused(change):
    entry = _zoo.shipped_entries()[NAME].as_dict()
    assert _zoo.parse(json.dumps({"format": 1, "models": [entry]}).encode(), "it")
    with pytest.raises(_zoo.ZooError, match="it: expected"):
        _zoo.parse(json.dumps({"format": 1, "models": [entry | change]}).encode(), "it")


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"[" * 10**5, b'{"format": 2, "models": []}'])
def test_what_is_not_a_manifest_is_refused(content):
    with pytest.raises(_zoo.ZooError, match="not a manifest"):
        _zoo.parse(content, "it")


def test_unknown_names_are_answered_with_known_ones():
    with pytest.raises(_zoo.ZooError, match="Did you mean human_seg"):
        load("human_sec")


def test_listing_imports_no_torch():
    code = "import sys; from gaugenet.cli import main; main(['models', 'list']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert all(name in done.stdout for name in _zoo.shipped_entries())


def test_info_prints_the_card(capsys):
    assert main(["models", "info", "human_seg"]) == 0
    told = capsys.readouterr().out
    assert all(
        word in told for word in ("segmentation", "research only", "SHA-256 of model.safetensors", "# human_seg")
    )
    assert main(["models", "info", "nothing_here"]) == 1
    assert "no network 'nothing_here'" in capsys.readouterr().err


def test_predict_takes_the_name_of_a_network(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mesh = str(bodies() / "test" / "man_0.ply")
    assert main(["predict", "human_seg", mesh, "--out", "out", "--n_jobs", "1"]) == 0
    assert (tmp_path / "out" / "man_0.faces.npy").is_file()
    (tmp_path / "human_seg").mkdir()  # a folder of that name comes first
    assert main(["predict", "human_seg", mesh, "--out", "other"]) == 1
    assert "human_seg holds no run.json" in capsys.readouterr().err


def test_results_are_not_written_into_the_zoo(capsys):
    assert main(["evaluate", "human_seg", "--data", str(bodies())]) == 1
    assert "Expected --out DIR" in capsys.readouterr().err
    assert sorted(path.name for path in pretrained_folder("human_seg").iterdir()) == sorted(_zoo.FILES)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("gaugenet 0.")
