"""The site is built strictly: what is broken on a page, or missing in the library, is a warning, and warnings fail.

Small sites of one page and one storey here; `make docs` builds the whole.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import re
from pathlib import Path

import pytest
import torch

pytest.importorskip("mkdocs")
nbformat = pytest.importorskip("nbformat")
ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "docs" / "site"


@pytest.fixture
def hooks(monkeypatch):
    """The modules of docs/site, which MkDocs loads once."""
    monkeypatch.syspath_prepend(str(SITE))
    found = {
        name: importlib.import_module(name)
        for name in ("public", "names", "bibliography", "scripts", "outputs", "notebooks")
    }
    for table in (found["public"].guides, found["names"].identifiers):
        table.cache_clear()
    return found


@pytest.fixture
def built(hooks, tmp_path, monkeypatch, caplog):
    """Build a site of one page and of the reference of some storeys; the warnings, and where the site is."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "references.bib").write_bytes((ROOT / "docs" / "references.bib").read_bytes())
    monkeypatch.setattr(hooks["public"], "DOCS", pages)
    monkeypatch.setattr(hooks["public"], "examples", dict)
    monkeypatch.setattr(hooks["names"], "PRECEDENCE", ("testing",))
    monkeypatch.setattr(hooks["scripts"], "pages", list)
    monkeypatch.setattr(hooks["notebooks"], "notebooks", list)

    def run(text: str, *, storeys: dict[str, str]) -> tuple[list[str], Path]:
        monkeypatch.setattr(hooks["public"], "STOREYS", storeys)
        (pages / "index.md").write_text(f"# Start\n\n{text}\n", encoding="utf-8")
        options = {"extra_css": [], "extra_javascript": [], "extra": {"polyfills": ["iframe-worker.js"]}}
        options |= {"nav": ["index.md"], "strict": False, "validation": {"links": {"anchors": "warn"}}}
        site = tmp_path / "site"
        config = load_config(str(ROOT / "mkdocs.yml"), docs_dir=str(pages), site_dir=str(site), **options)
        with caplog.at_level(logging.WARNING):
            build(config)
        return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING], site

    return run


def test_a_page_without_faults_builds_without_warnings(built):
    text = "See :cite:`cohen2019gauge` and `assert_gauge_equivariant`, or [the same](reference/testing/GaugeReport.md)."
    warnings, site = built(text, storeys={"testing": "index.md"})
    assert warnings == []
    page = (site / "index.html").read_text(encoding="utf-8")
    assert ":cite:" not in page
    assert 'href="bibliography.html#cite-cohen2019gauge">Cohen et al., 2019</a>' in page
    assert 'href="reference/testing/assert_gauge_equivariant.html#gaugenet.testing.assert_gauge_equivariant"' in page
    assert "Source: gaugenet/testing/" in (site / "reference" / "testing" / "GaugeReport.html").read_text(
        encoding="utf-8"
    )


FAULTS = {
    "a broken link": ("[gone](nowhere.md)", "nowhere.md"),
    "a broken anchor": ("[gone](index.md#not-here)", "not-here"),
    "an unresolved reference": ("[gone][gaugenet.testing.nothing]", "gaugenet.testing.nothing"),
    "a name that the library lacks": ("`gaugenet.testing.nobody`", "gaugenet.testing.nobody"),
    "a citation without a paper": (":cite:`nobody2026nothing`", "cite-nobody2026nothing"),
    "a script from a network": ('<script src="https://example.org/x.js"></script>', "example.org"),
}


def test_faults_are_warned_of(built):
    warnings, _ = built("\n\n".join(text for text, _ in FAULTS.values()), storeys={})
    for fault, (_, named) in FAULTS.items():
        assert [w for w in warnings if named in w], f"{fault} goes unnoticed: {warnings}"
    assert len(warnings) == len(FAULTS)


def test_every_public_name_leads_to_an_object_with_a_docstring(hooks):
    assert hooks["public"].problems() == []


def test_control_a_public_name_without_a_docstring_is_a_problem(hooks, monkeypatch):
    public = hooks["public"]
    found = public.public_names("testing")[0]
    monkeypatch.setattr(found.target, "docstring", None)
    unresolved = public.PublicName("testing", "gone", None)
    monkeypatch.setattr(public, "public_names", lambda storey: (found, unresolved))
    assert any("no docstring" in p for p in public.problems())
    assert any("no such object" in p for p in public.problems())


def test_the_reference_has_every_public_name(hooks):
    """Griffe reads statically what Python finds when it runs."""
    public = hooks["public"]
    for storey in public.STOREYS:
        module = importlib.import_module(f"gaugenet.{storey}")
        assert {name.name for name in public.public_names(storey)} == set(module.__all__)


def test_code_in_tutorials_comes_from_the_examples(hooks):
    scripts = hooks["scripts"]
    text = scripts.with_code("<!-- code: examples/own_layer.py MESH VectorProducts -->")
    assert "MESH = Path(__file__)" in text
    assert "class VectorProducts(nn.Module):" in text
    assert "BiasOnVectors" not in text
    with pytest.raises(ValueError, match="nobody"):
        scripts.with_code("<!-- code: examples/own_layer.py nobody -->")


def test_notebooks_hold_code_outputs_and_pictures(hooks):
    """A notebook is one file: its pictures are inside, its links lead to pages of the site next to it."""
    pages = {path.removesuffix(".md") for path, _ in hooks["scripts"].pages()}
    pages |= {str(p.relative_to(ROOT / "docs").with_suffix("")) for p in (ROOT / "docs").rglob("*.md")}
    found = hooks["notebooks"].notebooks()
    assert len(found) == 8
    for path, content in found:
        notebook = nbformat.reads(content, as_version=4)
        nbformat.validate(notebook)
        assert "<!-- code:" not in content
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        assert {output.output_type for output in outputs} <= {"stream", "display_data"}
        assert outputs, f"{path} shows nothing"
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        for target in re.findall(r"\]\((?!https?:)([^)\s#]+)", text):
            if not target.startswith("attachment:"):
                assert target.endswith(".html")
                assert os.path.normpath(f"tutorials/{target.removesuffix('.html')}") in pages, f"{path}: {target}"


def test_a_record_of_other_code_is_refused(hooks, tmp_path, monkeypatch):
    outputs = hooks["outputs"]
    page = tmp_path / "printing.md"
    monkeypatch.setattr(outputs, "RECORDS", tmp_path)
    page.write_text("# Printing\n\n```python\nprint(6 * 7)\n```\n\nThe end.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="missing"):
        outputs.recorded(page)
    outputs.record(page)
    shown = outputs.with_outputs(page.read_text(encoding="utf-8"), page)
    assert shown.index("print(6 * 7)") < shown.index("~~~~text\n42\n~~~~") < shown.index("The end.")
    page.write_text(page.read_text(encoding="utf-8").replace("* 7)", "* 7)  # a comment"), encoding="utf-8")
    assert [output.text for output in outputs.recorded(page)] == ["42\n"]
    page.write_text(page.read_text(encoding="utf-8").replace("6 *", "5 *"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"older than its code: run `python docs/site/outputs.py printing`"):
        outputs.recorded(page)


def test_what_a_block_draws_is_recorded(hooks, tmp_path, monkeypatch):
    outputs = hooks["outputs"]
    page = tmp_path / "drawing.md"
    monkeypatch.setattr(outputs, "RECORDS", tmp_path)
    code = "from PIL import Image\n\nImage.new('RGB', (2000, 10)).save('black.png')\n"
    page.write_text(f"```python\n{code}```\n\n```python\nx = 1\n```\n", encoding="utf-8")
    outputs.record(page)
    assert [output.pictures for output in outputs.recorded(page)] == [["black.png"], []]
    assert (tmp_path / "drawing-black.png").read_bytes()[16:20] == outputs.WIDEST.to_bytes(4, "big")
    assert "![black.png](outputs/drawing-black.png)" in outputs.with_outputs(page.read_text(encoding="utf-8"), page)


def test_recorded_outputs_are_small_and_belong_to_a_tutorial(hooks):
    outputs = hooks["outputs"]
    assert sum(path.stat().st_size for path in outputs.RECORDS.iterdir()) < 1.5e6
    expected = set()
    for page in hooks["scripts"].TUTORIALS.glob("*.md"):
        pictures = [name for output in outputs.recorded(page) for name in output.pictures]
        expected |= {f"{page.stem}.json", *(f"{page.stem}-{name}" for name in pictures)}
    assert {path.name for path in outputs.RECORDS.iterdir()} == expected


def test_the_arrow_on_the_cube_turns_by_the_curvature_of_the_corner(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    pos, vectors, turned = importlib.import_module("draw_concepts").around_corner()
    assert abs(turned) == pytest.approx(math.pi / 2, abs=1e-10)
    assert torch.equal(pos[0], pos[-1])
    assert (vectors.norm(dim=1) - 1).abs().max() < 1e-10


def test_every_page_is_in_the_navigation_once():
    """MkDocs warns of pages that the navigation leaves out; a page that is listed twice it does not see."""
    listed = re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert len(listed) == len(set(listed))
    pages = {str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md")}
    assert pages <= set(listed)
