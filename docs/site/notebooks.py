"""Notebooks made from the tutorials: their text with its pictures inside, their code with what it printed and drew."""

from __future__ import annotations

import base64
import re
from functools import cache
from pathlib import Path

import jupytext
import nbformat
import outputs
import scripts
from nbformat import NotebookNode, v4

PICTURE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<path>[^)\s]+\.png)\)")


@cache
def notebooks() -> list[tuple[str, str]]:
    """Each tutorial as a notebook: its path in the site, its content."""
    pages = sorted(scripts.TUTORIALS.glob("*.md"))
    return [(f"tutorials/{page.stem}.ipynb", nbformat.writes(_notebook(page)) + "\n") for page in pages]


def _notebook(page: Path) -> NotebookNode:
    notebook = jupytext.reads(scripts.with_code(page.read_text(encoding="utf-8")), fmt="md")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{page.stem}-{number}"
        if cell.cell_type == "markdown":
            _linked(cell, page)
    _fill(notebook, page)
    return notebook


def _linked(cell: NotebookNode, page: Path) -> None:
    """Put the pictures of a text into its cell, and point its links at the pages of the site."""
    files = {Path(match["path"]).name: page.parent / match["path"] for match in PICTURE.finditer(cell.source)}
    if files:
        cell["attachments"] = {name: {"image/png": _encoded(path)} for name, path in files.items()}
    text = PICTURE.sub(lambda match: f"![{match['text']}](attachment:{Path(match['path']).name})", cell.source)
    cell["source"] = re.sub(r"(\]\((?![a-z]+:)[^)\s#]+)\.md(?=[)#])", r"\1.html", scripts.linked(text, "../"))


def _fill(notebook: NotebookNode, page: Path) -> None:
    """Add the recorded outputs; without a valid record none, of which the page of the tutorial warns."""
    try:
        found = outputs.recorded(page)
    except ValueError:
        return
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, (cell, output) in enumerate(zip(codes, found, strict=True)):
        cell["execution_count"] = number + 1
        if output.text:
            cell["outputs"] = [v4.new_output("stream", name="stdout", text=output.text)]
        for name in output.pictures:
            data = {"image/png": _encoded(outputs.RECORDS / f"{page.stem}-{name}"), "text/plain": name}
            cell["outputs"] = [*cell["outputs"], v4.new_output("display_data", data=data)]


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
