"""The public surface as Griffe reads it, without importing the library, and where each name is explained."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# The storeys in the order of reading, and the page of the guide that is about each.
STOREYS = {
    "groups": "groups.md",
    "kernels": "concepts.md",
    "geometry": "mesh_graphs.md",
    "nn": "layers.md",
    "operators": "operators.md",
    "models": "layers.md",
    "data": "training.md",
    "tasks": "training.md",
    "testing": "layers.md",
    "viz": "pictures.md",
    "taxonomy": "taxonomy.md",
}
CODE = re.compile(r"```python\n.*?```|`[^`\n]+`", re.DOTALL)


@dataclass(frozen=True)
class PublicName:
    """A name of a storey's `__all__`; its object, if the name leads to one."""

    storey: str
    name: str
    target: griffe.Object | None

    @property
    def path(self) -> str:
        return f"gaugenet.{self.storey}.{self.name}"

    @property
    def page(self) -> str:
        return f"reference/{self.storey}/{self.name}.md"

    @property
    def kind(self) -> str:
        """The heading that the name stands under."""
        if self.target is None or self.target.is_attribute:
            return "Constants"
        return "Classes" if self.target.is_class else "Functions"

    @property
    def first_line(self) -> str:
        """The first paragraph of the docstring, empty without one."""
        if self.target is None or self.target.docstring is None:
            return ""
        return " ".join(self.target.docstring.value.strip().split("\n\n")[0].split())


def version() -> str:
    """`gaugenet.__version__`, read from the source."""
    tree = ast.parse((ROOT / "gaugenet" / "__init__.py").read_text(encoding="utf-8"))
    (found,) = (
        line.value.value
        for line in tree.body
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "__version__"
    )
    return str(found)


@cache
def library() -> griffe.Module:
    """The whole library; exports under `if TYPE_CHECKING:` are its aliases."""
    found = griffe.load("gaugenet", search_paths=[ROOT], resolve_aliases=True)
    assert isinstance(found, griffe.Module)
    return found


@cache
def public_names(storey: str) -> tuple[PublicName, ...]:
    """The names of `gaugenet.STOREY.__all__` in alphabetical order."""
    module = library()[storey]
    return tuple(PublicName(storey, name, _target(module, name)) for name in sorted(map(str, module.exports)))


def _target(module: griffe.Module, name: str) -> griffe.Object | None:
    try:
        found = module[name]
        return found.final_target if found.is_alias else found
    except (KeyError, griffe.AliasResolutionError):
        return None


def exists(path: str) -> bool:
    """Whether a dotted path of the library leads to a module, class, function or attribute."""
    try:
        library()[path.removeprefix("gaugenet.")] if path != "gaugenet" else None
    except (KeyError, griffe.AliasResolutionError):
        return False
    return True


def problems() -> list[str]:
    """What is wrong with the public surface: names without an object, objects without a docstring."""
    found = []
    for public in (name for storey in STOREYS for name in public_names(storey)):
        if public.target is None:
            found.append(f"{public.path} is in `__all__`, but Griffe finds no such object")
        elif not public.first_line:
            found.append(f"{public.path} is public and has no docstring")
    return found


@cache
def guides() -> dict[str, str]:
    """The code on each page of the guide, inline and in blocks."""
    pages = sorted(p for p in DOCS.rglob("*.md") if p.name != "index.md")
    return {str(p.relative_to(DOCS)): "\n".join(CODE.findall(p.read_text(encoding="utf-8"))) for p in pages}


@cache
def examples() -> dict[str, str]:
    """The source of each example by the name of its file."""
    return {p.name: p.read_text(encoding="utf-8") for p in sorted((ROOT / "examples").glob("*.py"))}


def explained_in(public: PublicName) -> list[str]:
    """At most four pages, those on which a name has the largest share of the code; its storey's page first."""
    pattern = _use(public.name)
    counts = {page: len(pattern.findall(code)) for page, code in guides().items()}
    shares = {page: n / len(guides()[page]) for page, n in counts.items() if n}
    found = sorted(shares, key=lambda page: (page != STOREYS[public.storey], page == "taxonomy.md", -shares[page]))
    return found[:4]


def used_in(public: PublicName) -> list[str]:
    """The examples that use a name, at most four."""
    return [example for example, code in examples().items() if _use(public.name).search(code)][:4]


def _use(name: str) -> re.Pattern[str]:
    """Finds uses of a name in code. A word of shell commands too, such as `train`, counts where it is called."""
    is_word = name == name.lower() or len(name) == 1
    return re.compile(rf"(?<![.\w]){name}\(" if is_word else rf"\b{name}\b")


def title(page: str) -> str:
    """The first heading of a page of the guide."""
    return re.findall(r"^# (.*)$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)[0]
