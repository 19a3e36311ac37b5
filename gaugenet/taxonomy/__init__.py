"""The taxonomy of coordinate independent CNNs; every row has a configuration that runs and is tested.

A row names a manifold, a structure group, representations, and the global symmetry that follows from these
(the table in :cite:`weiler2021coordinate`). `TRANSPORTERS` compares transporters that follow from geometry with links
of a lattice gauge field, which are variables.

Example:
    >>> from gaugenet.taxonomy import row, symmetry_error
    >>> entry = row("sphere_rotations")
    >>> domain, layer = entry.configure(entry.points())
    >>> domain.num_nodes, layer.in_type
    (80, FieldType(SO(2), '2x0 + 2x1 + 1x2'))
    >>> symmetry_error(entry, entry.example_symmetry) < 1e-11  # a rotation of the sphere
    True
    >>> symmetry_error(entry, entry.counterexample) > 1e-3  # a reflection
    True
"""

from __future__ import annotations

from gaugenet._lazy import lazy_exports
from gaugenet.taxonomy.curved import CURVED
from gaugenet.taxonomy.entry import MissingRow, Row, ScalarNetwork, Transformation, markdown_table, symmetry_error
from gaugenet.taxonomy.flat import FLAT
from gaugenet.taxonomy.gallery import markdown_page
from gaugenet.taxonomy.noncompact import NONCOMPACT
from gaugenet.taxonomy.transporters import TRANSPORTERS, TransporterKind, gauge_error

ROWS: tuple[Row, ...] = FLAT + NONCOMPACT + CURVED
"""All rows that run."""

MISSING: tuple[MissingRow, ...] = (
    MissingRow(
        "E_3", "SO(3)", "SE(3)", "quaternion",
        "left multiplication represents the double cover only; conjugation is `0 + 1`, as in `space_rotations`",
    ),
)  # fmt: skip
"""Rows that cannot be built yet."""


def row(name: str) -> Row:
    """Return the row of a name.

    Raises:
        ValueError: If there is no such row; the message lists all names.

    Example:
        >>> from gaugenet.taxonomy import row
        >>> row("mobius_strip").symmetry
        'SO(2)'
    """
    for entry in ROWS:
        if entry.name == name:
            return entry
    raise ValueError(f"Expected the name of a row, one of {', '.join(r.name for r in ROWS)}, got {name!r}.")


def table() -> str:
    """Return the taxonomy as a Markdown table, with the missing rows at its end."""
    return markdown_table(ROWS, MISSING)


def page() -> str:
    """Return the text of docs/taxonomy.md: the table and all configurations."""
    return markdown_page(ROWS, MISSING)


__all__ = [
    "MISSING",
    "ROWS",
    "TRANSPORTERS",
    "MissingRow",
    "Row",
    "ScalarNetwork",
    "Transformation",
    "TransporterKind",
    "gauge_error",
    "page",
    "row",
    "symmetry_error",
    "table",
]

__getattr__, __dir__ = lazy_exports(__name__)
