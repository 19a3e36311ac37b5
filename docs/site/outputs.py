"""What the code of the tutorials prints and draws: recorded by this script, shown by the site and the notebooks.

    python docs/site/outputs.py                    run all tutorials and record their outputs
    python docs/site/outputs.py meshes points      only these

A record is `docs/tutorials/outputs/NAME.json`: a digest of the code, and for each block of Python its printed text and
the names of its pictures, the PNG files that the block wrote. `make docs` fails if the code of a tutorial has changed
since. The slow tests run the tutorials again and compare the text apart from its numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import re
import tempfile
import tokenize
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import scripts

RECORDS = scripts.TUTORIALS / "outputs"
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
WIDEST = 800  # pixels of a picture in the repository


@dataclass(frozen=True)
class Output:
    """What a block of code printed, and the names of the pictures that it wrote."""

    text: str = ""
    pictures: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[str, list[str]]:
        """The text with `#` for every number, and the names of the pictures."""
        numbers = re.sub(r"-?\d+(\.\d*)?(e[+-]?\d+)?", "#", self.text)
        return re.sub(r" +", " ", numbers), self.pictures


def blocks(page: Path) -> list[str]:
    """The Python of a tutorial, block by block."""
    return [match["code"] for match in BLOCK.finditer(scripts.with_code(page.read_text(encoding="utf-8")))]


def digest(codes: list[str]) -> str:
    """A digest of the code without its comments and empty lines."""
    return hashlib.sha256("\n".join(_bare(code) for code in codes).encode()).hexdigest()[:16]


def _bare(code: str) -> str:
    """The lines of a block without comments; not `ast.dump`, which differs between versions of Python."""
    lines = code.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def execute(page: Path) -> list[Output]:
    """Run the blocks of a tutorial, one after the other in one namespace, in the present folder."""
    import torch

    torch.manual_seed(0)
    namespace: dict[str, Any] = {"__name__": page.stem}
    found = []
    for number, code in enumerate(blocks(page)):
        before = _pictures()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"{page.name}, block {number + 1}", "exec", dont_inherit=True), namespace)
        drawn = [name for name, written in _pictures().items() if before.get(name) != written]
        found.append(Output(printed.getvalue(), drawn))
    return found


def _pictures() -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in sorted(Path().glob("*.png"))}


def record(page: Path) -> None:
    """Run a tutorial in an empty folder, and write its record and its pictures."""
    with _empty_folder():
        found = execute(page)
        for old in RECORDS.glob(f"{page.stem}-*.png"):
            old.unlink()
        for name in (name for output in found for name in output.pictures):
            _write_small(Path(name), RECORDS / f"{page.stem}-{name}")
    text = {"code": digest(blocks(page)), "outputs": [asdict(output) for output in found]}
    (RECORDS / f"{page.stem}.json").write_text(json.dumps(text, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _empty_folder() -> Iterator[None]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _write_small(source: Path, target: Path) -> None:
    """Write a picture with at most `WIDEST` pixels in a row, in all its colors: a palette shows as bands."""
    from PIL import Image

    picture = Image.open(source).convert("RGB")
    picture.thumbnail((WIDEST, 2 * WIDEST))
    picture.save(target, optimize=True)


def recorded(page: Path) -> list[Output]:
    """The recorded outputs of a tutorial, one for each block.

    Raises:
        ValueError: If there is no record, or the code has changed since.
    """
    path, found = RECORDS / f"{page.stem}.json", {}
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
    if found.get("code") != digest(blocks(page)):
        state = "is older than its code" if found else "is missing"
        raise ValueError(
            f"The record of what {page.name} prints {state}: run `python docs/site/outputs.py {page.stem}`."
        )
    return [Output(**output) for output in found["outputs"]]


def with_outputs(markdown: str, page: Path) -> str:
    """Put the recorded output of each block under it; `markdown` has its code inserted."""
    outputs = iter(recorded(page))
    return BLOCK.sub(lambda match: match[0] + _shown(next(outputs), page.stem), markdown)


def _shown(output: Output, tutorial: str) -> str:
    parts = [f"~~~~text\n{output.text.rstrip()}\n~~~~"] if output.text.strip() else []
    parts += [f"![{name}](outputs/{tutorial}-{name})" for name in output.pictures]
    content = "\n\n".join(parts)
    return f'\n\n<div class="output" markdown="1">\n\n{content}\n\n</div>' if parts else ""


def main() -> None:
    """Record the outputs of tutorials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tutorials", nargs="*", help="names without .md, all by default")
    wanted = parser.parse_args().tutorials or sorted(path.stem for path in scripts.TUTORIALS.glob("*.md"))
    RECORDS.mkdir(exist_ok=True)
    for name in wanted:
        record(scripts.TUTORIALS / f"{name}.md")
        print(f"recorded docs/tutorials/outputs/{name}.json")


if __name__ == "__main__":
    main()
