"""Citations on the site: `:cite:` keys become links to a page made from `references.bib`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from pybtex.database import Entry, parse_file
from pybtex.richtext import Text

REFERENCES = Path(__file__).resolve().parents[1] / "references.bib"
PAGE = "bibliography.md"
CITE = r":cite:`([^`]+)`"


@cache
def entries() -> dict[str, Entry]:
    """The entries of `references.bib` by key."""
    return dict(parse_file(REFERENCES).entries)


def label(key: str) -> str:
    """Return the author-year label of a key: "Weiler and Cesa, 2019"; the key itself if it is not in the file."""
    if key not in entries():
        return key
    entry = entries()[key]
    names = [str(Text.from_latex(" ".join(p.prelast_names + p.last_names))) for p in entry.persons["author"]]
    authors = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return ", ".join([authors, *_year(entry)])


def anchor(key: str) -> str:
    """The identifier that a citation links to. A key without an entry has none, so a strict build fails."""
    return f"cite-{key}"


def page() -> str:
    """The bibliography in Markdown, sorted by label."""
    lines = ["# Bibliography", "", "The papers that pages and docstrings cite. [BibTeX](references.bib)", ""]
    for key in sorted(entries(), key=lambda k: label(k).lower()):
        lines += [f"- [](){{#{anchor(key)}}} {_reference(entries()[key])} <small>`{key}`</small>"]
    return "\n".join(lines) + "\n"


def _reference(entry: Entry) -> str:
    authors = ", ".join(str(Text.from_latex(str(person))) for person in _in_order(entry))
    title = _field(entry, "title")
    venue = next((_field(entry, name) for name in ("journal", "booktitle", "publisher", "howpublished", "school")
                  if name in entry.fields), "")  # fmt: skip
    return f"{authors}. **{title}.** {', '.join([*([f'*{_linked(venue)}*'] if venue else []), *_year(entry)])}."


def _year(entry: Entry) -> list[str]:
    return [entry.fields["year"]] if "year" in entry.fields else []


def _in_order(entry: Entry) -> list[str]:
    """Names as they are read, the given names first."""
    parts = ("first_names", "middle_names", "prelast_names", "last_names", "lineage_names")
    return [" ".join(n for part in parts for n in getattr(person, part)) for person in entry.persons["author"]]


def _field(entry: Entry, name: str) -> str:
    return str(Text.from_latex(entry.fields[name])).replace("*", r"\*").replace("_", r"\_")


def _linked(venue: str) -> str:
    """The journal "arXiv:2106.06020" as a link."""
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", venue)


class _Citations(InlineProcessor):
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Element, int, int]:  # type: ignore[override]
        cited = Element("span", {"class": "cite"})
        last: Element | None = None
        for key in m.group(1).replace(" ", "").split(","):
            if last is not None:
                last.tail = "; "
            last = SubElement(cited, "autoref", {"identifier": anchor(key)})
            last.text = label(key)
        return cited, m.start(0), m.end(0)


class Citations(Extension):
    """The Markdown extension that reads `:cite:` followed by keys in backticks."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.inlinePatterns.register(_Citations(CITE, md), "cite", 195)  # before the backticks, 190
