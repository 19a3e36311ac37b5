"""The examples in docstrings run, one test a docstring, and print what stands there.

Examples are found in the source, so collecting them imports nothing. Each starts in an empty namespace and folder, with
torch seeded: it imports what it uses, as a reader who copies it would.
"""

from __future__ import annotations

import ast
import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import gaugenet
from tests.test_public_surface import PUBLIC

ROOT = Path(gaugenet.__file__).parent
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def examples_in(path: Path, module: str) -> Iterator[doctest.DocTest]:
    """Return the docstrings with `>>>` of a file, named as `module.Class.method`."""
    pending = [(module, ast.parse(path.read_text(encoding="utf-8")))]
    while pending:
        name, node = pending.pop()
        text = ast.get_docstring(node)
        if text and ">>>" in text:
            line = node.body[0].lineno - 1
            yield doctest.DocTestParser().get_doctest(text, {}, name, str(path), line)
        inner = (n for n in node.body if isinstance(n, ast.ClassDef | ast.FunctionDef))
        pending += [(f"{name}.{n.name}", n) for n in inner]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


EXAMPLES = [
    example
    for path in sorted(ROOT.rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
    for example in examples_in(path, module_of(path))
]


def failures(example: doctest.DocTest) -> str:
    """Run an example; return what went wrong, with the lines of the file."""
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(example, out=report.append)
    return "".join(report)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_example_prints_what_it_says(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    if problem := failures(example):
        pytest.fail(problem, pytrace=False)


def test_at_least_a_hundred_public_names_have_an_example():
    public = [getattr(importlib.import_module(module), name) for module in PUBLIC for name in PUBLIC[module].split()]
    named = {f"{one.__module__}.{one.__qualname__}" for one in public if hasattr(one, "__qualname__")}
    assert len(named & {example.name for example in EXAMPLES}) >= 100


def test_every_example_is_one_that_runs():
    """A block after `Example::` is shown and never run."""
    assert [path for path in ROOT.rglob("*.py") if "Example::" in path.read_text(encoding="utf-8")] == []


def test_controls_wrong_examples_are_noticed(tmp_path):
    def failures_of(code: str) -> str:
        path = tmp_path / "module.py"
        path.write_text(f'class A:\n    def f(self):\n        """Return.\n\n        {code}\n        """\n')
        (example,) = examples_in(path, "module")
        assert example.name == "module.A.f"
        return failures(example)

    assert not failures_of(">>> 1 + 1\n        2")
    assert "Expected:\n    3\nGot:\n    2" in failures_of(">>> 1 + 1\n        3")
    assert "NameError" in failures_of(">>> torch.zeros(2)\n        tensor([0., 0.])")
