"""A survey says of every mesh what it is or why it cannot be used, whatever some of them do to the process."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh

from gaugenet.cli import main
from gaugenet.tasks.mesh.isolated import Failure, Limits, isolated
from gaugenet.tasks.mesh.survey import survey, unit_guess

BOX = trimesh.creation.box()


@pytest.fixture
def folder(tmp_path):
    """A folder for each class, with a mesh of every outcome that does not take long."""
    for name in ("round", "flat", ".hidden"):
        (tmp_path / name).mkdir()
    trimesh.creation.icosphere(1).export(tmp_path / "round" / "ball.ply")
    trimesh.creation.icosphere(1).export(tmp_path / ".hidden" / "ball.ply")
    BOX.export(tmp_path / "flat" / "box.stl")
    BOX.export(tmp_path / "flat" / "inside.obj")
    inside = trimesh.Trimesh(BOX.vertices, BOX.faces[:, ::-1], process=False)
    inside.export(tmp_path / "flat" / "inside.obj")
    (tmp_path / "flat" / "cut.off").write_text("OFF\n8 12 0\n0 0 0\n")
    (tmp_path / "flat" / "twice.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\nf 1 2 3\n")
    np.save(tmp_path / "round" / "ball.npy", np.arange(80) % 2)
    return tmp_path


def test_every_mesh_has_an_outcome(folder, capsys):
    assert main(["inspect", str(folder), "--json", "--jobs", "2"]) == 1
    found = {Path(e["file"]).name: e for e in json.loads(capsys.readouterr().out)}
    assert {name: e["outcome"] for name, e in found.items()} == {
        "box.stl": "usable", "cut.off": "refused", "inside.obj": "usable", "twice.obj": "unusable",
        "ball.ply": "usable",
    }  # fmt: skip
    ball, twice = found["ball.ply"], found["twice.obj"]
    assert (ball["vertices"], ball["faces"], ball["components"], ball["boundary_loops"]) == (42, 80, 1, 0)
    assert ball["labels"] == {"on": "faces", "classes": {"0": 40, "1": 40}}
    assert (found["inside.obj"]["orientation"], ball["orientation"]) == ("inward", "outward")
    assert (twice["repairable"], twice["ok"]) == (True, False)
    assert "truncated" in found["cut.off"]["error"]
    assert ball["folder"] == "round"


def test_the_table_names_all_and_sums_up(folder, capsys):
    assert main(["inspect", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert sum("usable" in line for line in lines[1:6]) == 4
    assert "5 meshes: 3 usable, 1 unusable, 1 refused" in lines
    assert "folders: flat 2/4, round 1/1" in lines
    assert "labels of faces on 1 meshes: 0: 40, 1: 40" in lines
    for name in ("flat/cut.off", "flat/twice.obj"):
        (folder / name).unlink()
    assert main(["inspect", str(folder)]) == 0
    np.save(folder / "round" / "ball.npy", np.zeros(7, int))
    assert main(["inspect", str(folder)]) == 1, "labels that do not fit"


def test_a_folder_without_meshes_is_refused(tmp_path, capsys):
    assert main(["inspect", str(tmp_path)]) == 1
    assert "No meshes in" in capsys.readouterr().err
    for wrong in ({"processes": 0}, {"processes": -2}):
        with pytest.raises(ValueError, match="processes"):
            survey([tmp_path], **wrong)
    with pytest.raises(ValueError, match="limit of time"):
        Limits(seconds=0)


def _work(item: str) -> str:
    if item == "slow":
        time.sleep(60)
    if item == "large":
        return str(len(np.ones(2**32)))
    if item == "crash":
        os.abort()
    return item


def test_one_item_costs_no_other(capfd):
    items = ["a", "slow", "b", "crash", "large", "c"]
    start = time.monotonic()
    found = dict(isolated(_work, items, processes=2, limits=Limits(seconds=3, memory=2**28)))
    assert time.monotonic() - start < 30
    kinds = [r.outcome if isinstance(r, Failure) else r for r in (found[k] for k in range(len(items)))]
    assert kinds == ["a", "timeout", "b", "crashed", "out of memory", "c"]


def test_units_are_guesses_by_format_and_size():
    cases = ((".glb", 900), (".stl", 1), (".obj", 1.8), (".obj", 180), (".obj", 0.0))
    assert [unit_guess(*case) for case in cases] == [
        "m", "mm", "m", "mm", "?",
    ]  # fmt: skip
