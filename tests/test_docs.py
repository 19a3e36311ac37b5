"""What the documentation says is true: its Python runs, its commands parse.

Links, references and citations of the pages in docs/ are checked where the site is built, see tests/test_site.py.

In README.md and docs/ every block marked ```python is run, the blocks of a page one after the other in one namespace,
in a folder from which `meshes/` and `examples/` can be reached. A block after the line `<!-- not run -->` must compile.
"""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import gaugenet
from gaugenet.commands import _common
from gaugenet.tasks.table import TASKS

ROOT = Path(__file__).resolve().parents[1]
FRONT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES = [*FRONT, *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = "<!-- not run -->"
BLOCK = re.compile(rf"(?P<mark>{NOT_RUN}\n+)?^```python\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
TUTORIALS = [page for page in PAGES if page.parent.name == "tutorials"]
# How-to pages and the pages for those who come from elsewhere train and compare: slow.
LONGER = {"howto", "coming_from"}
LONGEST = {"pictures", "meshes", "vector_field"}  # pages that draw much, and tutorials that train


def pages(chosen: list[Path]) -> list[Any]:
    return [pytest.param(p, marks=_mark(p), id=str(p.relative_to(ROOT))) for p in chosen]


def _mark(page: Path) -> Any:
    if page.stem in LONGEST:
        return pytest.mark.long
    return pytest.mark.slow if page.parent.name in LONGER else ()


page_of = pytest.mark.parametrize("page", pages([p for p in PAGES if p not in TUTORIALS]))


def blocks(page: Path) -> list[tuple[bool, int, str]]:
    """Whether each Python block is to be run, its line, and its code."""
    text = site("scripts").with_code(page.read_text(encoding="utf-8"))
    return [
        (match["mark"] is None, text[: match.start("code")].count("\n"), match["code"])
        for match in BLOCK.finditer(text)
    ]


@cache
def site(module: str) -> Any:
    """A module of docs/site, such as `scripts`, which inserts the code that tutorials name."""
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    return importlib.import_module(module)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    for name in ("meshes", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@page_of
def test_python_blocks_run(page, workplace):
    found = blocks(page)
    if not found:
        pytest.skip(f"{page.name} has no Python")
    torch.manual_seed(0)
    namespace: dict[str, Any] = {"__name__": page.stem}
    for is_run, line, code in found:
        compiled = compile("\n" * line + code, str(page), "exec", dont_inherit=True)  # errors name the page's own line
        if is_run:
            exec(compiled, namespace)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(TUTORIALS))
def test_tutorials_print_and_draw_what_is_recorded(page, workplace):
    """Numbers may differ between machines; `python docs/site/outputs.py` records anew."""
    found, recorded = site("outputs").execute(page), site("outputs").recorded(page)
    assert [output.shape for output in found] == [output.shape for output in recorded]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130
    _, _, network = blocks(ROOT / "README.md")[0]
    assert len([line for line in network.splitlines() if line.strip()]) <= 15


@pytest.mark.parametrize("page", FRONT, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    missing = []
    for target in (match["target"] for match in LINK.finditer(text)):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = page if not path else page.parent / path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            missing.append(target)
    assert not missing


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown renderer gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def commands(page: Path) -> list[str]:
    """The lines of a page's code that call `gaugenet`, continued lines joined."""
    text = re.sub(r" *\\\n +", " ", page.read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines() if line.startswith(("    ", "gaugenet "))]
    called = [re.sub(r"^(\w+=\S+ )*(torchrun .*?-m )?", "", line) for line in lines]
    return [line for line in called if line.startswith("gaugenet ") and "|" not in line]


ALL_COMMANDS = [(page, line) for page in PAGES for line in commands(page)]


class Parsed(Exception):
    """The arguments were understood; the command itself is not wanted."""


@pytest.fixture
def understands(workplace, monkeypatch):
    """Whether the command line understands a command, which is not run."""

    class ParseOnly(_common.Parser):
        def parse_args(self, *args, **kwargs):
            super().parse_args(*args, **kwargs)
            raise Parsed

    def parse(line: str) -> bool:
        _, name, *arguments = shlex.split(line, comments=True)
        module = importlib.import_module(f"gaugenet.commands.{name}")
        monkeypatch.setattr(_common, "Parser", ParseOnly)
        if ".nc" in line:  # the run, which is not there, would say of which task it is
            task = "forecast" if "--steps" in line else "climate"
            monkeypatch.setattr(_common, "task_of_run", lambda run: TASKS[task])
        elif ".npz" in line or ".xyz" in line:
            monkeypatch.setattr(_common, "task_of_run", lambda run: TASKS["molecules"])
        try:
            return module.run(arguments) == 0  # nothing but help comes back from here
        except Parsed:
            return True
        except SystemExit as ended:  # --help and --print_config end with 0, what is not understood with 2
            return ended.code == 0

    return parse


@pytest.mark.parametrize(("page", "line"), ALL_COMMANDS, ids=[f"{p.stem}: {c[:60]}" for p, c in ALL_COMMANDS])
def test_commands_parse(page, line, understands, workplace):
    (workplace / "mine.yaml").write_text("seed: 0\n", encoding="utf-8")
    for run in re.findall(r"--out (\S+) --resume", line):
        (workplace / run).mkdir(parents=True)  # there is something to resume
        (workplace / run / "config.yaml").write_text("seed: 0\n", encoding="utf-8")
    assert understands(line), f"{page.name}: `{line}` is not understood"


def test_configuration_parses(understands, workplace):
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (configuration,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (workplace / "mine.yaml").write_text(configuration, encoding="utf-8")
    assert understands("gaugenet train segmentation --config mine.yaml --out runs/mine")


def test_controls_wrong_commands_are_noticed(understands):
    assert not understands("gaugenet train segmentation --data DIR --out RUN --no_such_option 1")
    assert not understands("gaugenet evaluate RUN --data DIR --split nowhere")


def message_parts() -> list[str]:
    """The constant parts of the messages in docs/errors.md, between the dots that stand for what varies."""
    rows = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").splitlines()
    messages = [row.split("|")[1] for row in rows if row.startswith("| ") and not row.startswith("| Message ")]
    return [part.strip() for message in messages for part in message.split("...") if part.strip()]


def library_text() -> str:
    """The source, with string literals that were broken over lines joined."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "gaugenet").rglob("*.py"))
    return re.sub(r'"\s*\n\s*f?"', "", text)


def test_explained_messages_exist():
    source, parts = library_text(), message_parts()
    assert len(parts) > 30
    assert [part for part in parts if part not in source] == []
    assert "a message that nobody writes" not in source


def test_one_version():
    assert f"version: {gaugenet.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## [{gaugenet.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_controls_wrong_code_and_wrong_links_are_noticed(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("[gone](nowhere.md)\n\n```python\nraise KeyError\n```\n", encoding="utf-8")
    with pytest.raises(KeyError):
        test_python_blocks_run(page, tmp_path)
    with pytest.raises(AssertionError):
        test_links_lead_somewhere(page)


def test_control_other_outputs_are_noticed():
    output = site("outputs").Output
    assert output("error 2.7e-07,  16 of 8x1\n").shape == output("error 0.3, -4 of 2x1\n").shape
    assert output("error 0.1").shape != output("errors 0.1").shape
    assert output("", ["a.png"]).shape != output("").shape
