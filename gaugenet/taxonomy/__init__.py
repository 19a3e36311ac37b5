"""The taxonomy of coordinate independent CNNs as a gallery: every row a configuration that runs and is tested.

A row says on which manifold, with which structure group and which representations, and which global symmetry follows
from these (:cite:`weiler2021coordinate`, the table of its taxonomy)::

    from gaugenet.taxonomy import row, symmetry_error

    entry = row("sphere_rotations")
    domain, layer = entry.configure(entry.points())
    symmetry_error(entry, entry.example_symmetry)  # rounding
    symmetry_error(entry, entry.counterexample)  # not small
"""

from __future__ import annotations

from gaugenet._lazy import lazy_exports
from gaugenet.taxonomy.curved import CURVED
from gaugenet.taxonomy.entry import MissingRow, Row, ScalarNetwork, Transformation, markdown_table, symmetry_error
from gaugenet.taxonomy.flat import FLAT
from gaugenet.taxonomy.gallery import markdown_page
from gaugenet.taxonomy.noncompact import NONCOMPACT

ROWS: tuple[Row, ...] = FLAT + NONCOMPACT + CURVED
"""All that run."""

MISSING: tuple[MissingRow, ...] = (
    MissingRow(
        "E_3", "SO(3)", "SE(3)", "quaternion",
        "left multiplication represents the double cover only; conjugation is `0 + 1`, as in `space_rotations`",
    ),
)  # fmt: skip
"""What cannot be built yet."""


def row(name: str) -> Row:
    """The row of a name; `ValueError` with all names if there is none."""
    for entry in ROWS:
        if entry.name == name:
            return entry
    raise ValueError(f"Expected the name of a row, one of {', '.join(r.name for r in ROWS)}, got {name!r}.")


def table() -> str:
    """The taxonomy as a Markdown table, with what is missing."""
    return markdown_table(ROWS, MISSING)


def page() -> str:
    """The text of docs/taxonomy.md: the table and all configurations."""
    return markdown_page(ROWS, MISSING)


__all__ = [
    "MISSING",
    "ROWS",
    "MissingRow",
    "Row",
    "ScalarNetwork",
    "Transformation",
    "page",
    "row",
    "symmetry_error",
    "table",
]

__getattr__, __dir__ = lazy_exports(__name__)
