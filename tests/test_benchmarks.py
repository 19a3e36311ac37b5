"""The runner of the benchmarks: a row becomes a line of the page, and the others stay as they are."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("benchmark_runner", FOLDER / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in ("rows", "log_map", "mesh_conv", "point_conv"):
        sys.modules.pop(name, None)


def test_a_tiny_row_is_measured_with_its_machine_date_versions_and_memory(runner):
    row = json.loads(json.dumps(runner.measured("points", quick=True)))
    assert [case["case"] for case in row["cases"]] == ["SO(2) 16x(0+1+2), 200 points", "SO(3) 16x(0+1+2), 200 points"]
    assert all(0 < case["seconds"] < 10 for case in row["cases"])
    assert row["peak_mib"] > 100
    assert row["versions"].keys() >= {"python", "torch", "numpy"}
    assert row["machine"]
    assert row["date"].startswith("20")


def _row(seconds: float) -> dict:
    case = {"case": "here", "seconds": seconds, "note": ""}
    about = {"peak_mib": 1234, "machine": "abacus", "date": "2026-01-01", "load": 0.5, "versions": {"torch": "2"}}
    return {"what": "adding", "goal": "fast", "cases": [case], **about}


def test_one_row_again_keeps_the_others_and_the_rest_of_the_page(runner, tmp_path, monkeypatch):
    page, results = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text(f"before\n{runner.BEGIN}\nold\n{runner.END}\nafter\n")
    results.write_text(json.dumps({"points": _row(0.25)}))
    monkeypatch.setattr(runner, "in_own_process", lambda name, quick: _row(2.0))
    runner.main(["--only", "spectrum", "--json", str(results), "--page", str(page)])
    text = page.read_text()
    assert text.startswith(f"before\n{runner.BEGIN}\n| Row ")
    assert text.endswith(f"{runner.END}\nafter\n")
    assert "| adding | here | 2.00 s |  | 1,234 MiB | fast |" in text
    assert "250.0 ms" in text
    assert "old" not in text
    assert "- `spectrum`, `points`: abacus, 2026-01-01, load 0.5, torch 2" in text
    assert list(json.loads(results.read_text())) == ["spectrum", "points"], "in the order of the table"


def test_a_page_without_markers_and_an_unknown_row_are_refused(runner, tmp_path, capsys):
    with pytest.raises(ValueError, match="add them where the table"):
        runner.written("no markers", "table")
    with pytest.raises(SystemExit):
        runner.main(["--only", "speed"])
    assert "unknown rows" in capsys.readouterr().err
