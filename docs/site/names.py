"""Names in running text: `GaugeConv` in backticks links to its page, `gaugenet.some.path` must exist."""

from __future__ import annotations

import logging
import re
from functools import cache
from xml.etree.ElementTree import Element

import public
from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

log = logging.getLogger("mkdocs.hooks.names")
NAME = re.compile(r"^((?:gaugenet\.)?[A-Za-z_][\w.]*)(?:\(.*\))?$")
NO_LINK = {"a", "autoref", "pre", "h1", "h2", "h3", "h4"}
# The same name in two storeys: prose means the first of these.
PRECEDENCE = (
    "nn",
    "geometry",
    "groups",
    "kernels",
    "models",
    "data",
    "tasks",
    "viz",
    "testing",
    "operators",
    "taxonomy",
)


@cache
def identifiers() -> dict[str, str]:
    """The full path of each public name that prose can mean, by itself or after `gaugenet.STOREY.`."""
    found: dict[str, str] = {}
    for name in (n for storey in PRECEDENCE for n in public.public_names(storey)):
        found[name.path] = name.path
        found[f"{name.storey}.{name.name}"] = name.path
        if re.search(r"[A-Z].*[a-z]|\w_\w", name.name):
            found.setdefault(name.name, name.path)
    return found


class _Linked(Treeprocessor):
    def run(self, root: Element) -> None:
        self.visit(root)

    def visit(self, element: Element) -> None:
        for place, child in enumerate(list(element)):
            if child.tag == "code" and child.text and not len(child):
                self.link(element, place, child)
            elif child.tag not in NO_LINK:
                self.visit(child)

    def link(self, parent: Element, place: int, code: Element) -> None:
        match = NAME.match(str(code.text))
        if match is None:
            return
        path = match.group(1)
        if path in identifiers():
            reference = Element("autoref", {"identifier": identifiers()[path]})
            reference.tail, code.tail = code.tail, None
            code.text = AtomicString(code.text)
            reference.append(code)
            parent[place] = reference
        elif path.startswith("gaugenet.") and not re.search(r"\.(py|md|nc|ply)$", path) and not public.exists(path):
            log.warning(f"`{path}` is named in the text, and is not in the library")


class PublicNames(Extension):
    """The Markdown extension that links public names."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.treeprocessors.register(_Linked(md), "public-names", 5)  # after inline patterns, 20
