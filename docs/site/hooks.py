"""What MkDocs calls while it builds the site, see mkdocs.yml: the reference, the bibliography, examples and tutorials.

CONTRIBUTING.md says why the site is made by Material for MkDocs and mkdocstrings.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import bibliography
import names
import notebooks
import outputs
import public
import scripts
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.site")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the version into the title and the generated pages into the navigation."""
    config.site_name = f"gaugenet {public.version()}"
    config.markdown_extensions += [bibliography.Citations(), names.PublicNames()]
    config.nav = _filled(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated, and the notebooks of the tutorials."""
    for problem in public.problems():
        log.warning(problem)
    for path, content in generated():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Insert the code that a tutorial names, and point links to examples at their pages here."""
    if page.parent is None:  # a tab with one page has no navigation of its own
        page.meta["hide"] = ["navigation"]
    if page.file.src_uri.startswith("tutorials/"):
        markdown = _tutorial(markdown, page)
    return scripts.linked(scripts.with_code(markdown), "../" * page.file.src_uri.count("/"))


def _tutorial(markdown: str, page: Page) -> str:
    """A tutorial with its code, what the code printed and drew, and a link to its notebook."""
    file = f"{page.file.name}.ipynb"
    notebook = f'<small>[This page as a notebook]({file}){{ download="{file}" }}</small>'
    markdown = re.sub(r"(?m)(^# .*$)", rf"\1\n\n{notebook}", markdown, count=1)
    try:
        return outputs.with_outputs(scripts.with_code(markdown), scripts.TUTORIALS / f"{page.file.name}.md")
    except ValueError as problem:
        log.warning(str(problem))
        return markdown


def generated() -> list[tuple[str, str]]:
    """The generated files: their paths inside the site's sources and their contents."""
    pages = [(bibliography.PAGE, bibliography.page()), ("reference/index.md", _overview())]
    for storey in public.STOREYS:
        pages.append((f"reference/{storey}/index.md", _storey(storey)))
        pages += [(name.page, _entry(name)) for name in public.public_names(storey)]
    return pages + scripts.pages() + notebooks.notebooks()


def _filled(nav: Any) -> Any:
    """The navigation, with the words REFERENCE and EXAMPLES replaced by their pages."""
    if isinstance(nav, list):
        return [_filled(entry) for entry in nav]
    if isinstance(nav, dict):
        return {title: _filled(entry) for title, entry in nav.items()}
    return {"REFERENCE": _reference_nav, "EXAMPLES": scripts.nav}.get(nav, lambda: nav)()


def _reference_nav() -> list[Any]:
    storeys: list[Any] = ["reference/index.md"]
    for storey in public.STOREYS:
        entries: list[Any] = [f"reference/{storey}/index.md"]
        entries += [{name.name: name.page} for name in public.public_names(storey)]
        storeys.append({f"gaugenet.{storey}": entries})
    return storeys


def _overview() -> str:
    lines = ["# Reference", "", "All public names, by storey. Imports go down only: a storey uses those above it.", ""]
    for storey in public.STOREYS:
        count = len(public.public_names(storey))
        lines.append(f"- [`gaugenet.{storey}`]({storey}/index.md) ({count} names). {_summary(storey)}")
    return "\n".join(lines) + "\n"


def _summary(storey: str) -> str:
    docstring = public.library()[storey].docstring
    return docstring.value.strip().split("\n\n")[0].replace("\n", " ") if docstring else ""


def _storey(storey: str) -> str:
    lines = [f"# gaugenet.{storey}", "", public.library()[storey].docstring.value, ""]
    for kind in ("Classes", "Functions", "Constants"):
        found = [name for name in public.public_names(storey) if name.kind == kind]
        if found:
            lines += [f"## {kind}", ""]
            lines += [f"[`{name.name}`]({name.name}.md)\n:   {name.first_line}\n" for name in found]
    return "\n".join(lines) + "\n"


def _entry(name: public.PublicName) -> str:
    guides = [f"[{public.title(page)}](../../{page})" for page in public.explained_in(name)]
    uses = [f"[{file}](../../examples/{file.removesuffix('.py')}.md)" for file in public.used_in(name)]
    lines = [f"# {name.name}", "", f"<small>`from gaugenet.{name.storey} import {name.name}`</small>", ""]
    lines += [f"Explained in: {', '.join(guides)}.", ""] if guides else []
    lines += [f"Used in: {', '.join(uses)}.", ""] if uses else []
    return "\n".join([*lines, f"::: {name.path}", "", *_source(name)]) + "\n"


def _source(name: public.PublicName) -> list[str]:
    """A block to unfold with the source of a class or function."""
    if name.target is None or name.target.is_attribute or name.target.is_module:
        return []
    target = name.target
    title = f'??? quote "Source: {target.relative_package_filepath}, line {target.lineno}"'
    code = [f"    {line}" for line in ["~~~~~~python", *target.source.splitlines(), "~~~~~~"]]
    return ['<div markdown="1" data-search-exclude>', "", title, "", *code, "", "</div>"]


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Warn of anything that a browser would load from a network; show labels for keys in listings of source too."""
    loaded = re.findall(
        r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//[^\"' >]+", output
    )
    for found in loaded:
        if 'rel="canonical"' not in found:
            log.warning(f"{page.file.src_uri} loads from a network: {found}")
    return re.sub(bibliography.CITE, lambda m: bibliography.label(m[1]), output)
