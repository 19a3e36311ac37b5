"""Pages made from `examples/*.py`: one a script, and the code inside tutorials.

A tutorial names code by a comment, `<!-- code: examples/segment_bodies.py prepared train -->`: the imports of a script
(`imports`) or its top-level functions, classes and constants, in that order. The comment is replaced by that source.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from public import DOCS, ROOT, examples

CODE = re.compile(r"^<!-- code: (?P<path>\S+) (?P<names>[\w ]+?) -->$", re.MULTILINE)
TUTORIALS = DOCS / "tutorials"
ROOT_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "SECURITY.md": "security.md"}


def with_code(markdown: str) -> str:
    """Replace the comments that name code by fenced blocks of that code.

    Raises:
        ValueError: If a script does not define a name.
    """
    return CODE.sub(lambda m: f"```python\n{_parts(m['path'], m['names'].split())}\n```", markdown)


def _parts(path: str, wanted: list[str]) -> str:
    source = (ROOT / path).read_text(encoding="utf-8")
    found = _definitions(source)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ValueError(
            f"Expected {missing} in {path}, which defines {sorted(found)}: mend the comment in the tutorial."
        )
    return "\n\n\n".join(found[name] for name in wanted)


def _definitions(source: str) -> dict[str, str]:
    """The source of each top-level definition by name, and of all imports as `imports`."""
    lines, found = source.splitlines(), {}
    imports: list[str] = []
    for node in ast.parse(source).body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        text = "\n".join(lines[first - 1 : node.end_lineno])
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports += [text] if "__future__" not in text else []
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = text
        elif isinstance(node, ast.Assign):
            names = [n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            found |= dict.fromkeys(names, text)
    return {**found, "imports": "\n".join(imports)}


def linked(markdown: str, inside: str) -> str:
    """Point links to files outside docs/ at their pages of the site; `inside` leads from the page to its root."""
    markdown = re.sub(r"\]\((?:\.\./)+examples/(\w+)\.py\)", rf"]({inside}examples/\1.md)", markdown)
    markdown = re.sub(r"\]\((?:\.\./)+examples/?\)", rf"]({inside}examples/index.md)", markdown)
    for file, page in ROOT_PAGES.items():
        markdown = re.sub(rf"\]\((?:\.\./)+{file}", f"]({inside}{page}", markdown)
    return re.sub(r"\]\((?:\.\./)+README\.md(#\w+)?\)", rf"]({inside}index.md)", markdown)


def pages() -> list[tuple[str, str]]:
    """A page for each example, the gallery of all, and the pages that stand at the root of the repository."""
    found = [(f"examples/{_stem(file)}.md", _example(file, source)) for file, source in examples().items()]
    found += [(page, _front(file)) for file, page in ROOT_PAGES.items()]
    return [("examples/index.md", _gallery()), *found]


def _front(file: str) -> str:
    """A page at the root of the repository, whose links to other pages begin with `docs/`."""
    text = re.sub(r"\]\(docs/", "](", (ROOT / file).read_text(encoding="utf-8"))
    return re.sub(r"\]\((?=[A-Z]+\.md)", "](../", text)  # as the pages in docs/ write it


def nav() -> list[Any]:
    """The gallery and its examples, for the navigation."""
    return ["examples/index.md", *({_stem(file): f"examples/{_stem(file)}.md"} for file in examples())]


def _stem(file: str) -> str:
    return file.removesuffix(".py")


def _docstring(source: str) -> tuple[str, str]:
    """The first paragraph and the rest of a script's docstring."""
    first, _, rest = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")
    return " ".join(first.split()), rest


def _example(file: str, source: str) -> str:
    first, rest = _docstring(source)
    picture = f"\n![What {file} draws](../images/{_stem(file)}.png)\n" if _picture(file) else ""
    return f"# {_stem(file)}\n\n{first}\n\n{rest}\n{picture}\n```python\n{source}```\n"


def _picture(file: str) -> bool:
    return (DOCS / "images" / f"{_stem(file)}.png").exists()


def _gallery() -> str:
    """Examples with a picture first."""
    lines = ["# Examples", "", "Scripts of at most 120 lines. The tests run each of them in a reduced setting.", ""]
    for file, source in sorted(examples().items(), key=lambda item: (not _picture(item[0]), item[0])):
        lines += [f"## [{_stem(file)}]({_stem(file)}.md)", "", _docstring(source)[0], ""]
        lines += (
            [f"![What {file} draws](../images/{_stem(file)}.png){{ width=480 loading=lazy }}", ""]
            if _picture(file)
            else []
        )
    return "\n".join(lines)
