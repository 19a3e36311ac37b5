"""Scores of the classes as text: a table, and the worst class, which a mean over all items hides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_CLASSES = 60
"""Tables of more classes than this are not shown."""
_COLUMNS = (("iou", "IoU"), ("recall", "recall"), ("precision", "precision"))

Classes = Mapping[str, Mapping[str, Any]]


def class_table(classes: Classes) -> list[str]:
    """Return lines with the scores of every class, by name; no lines if there are too many classes.

    The accuracy of a class is its recall.
    """
    if not 0 < len(classes) <= MOST_CLASSES:
        return []
    width = max(5, *map(len, classes))
    share = _shares(classes)
    head = f"  {'class':<{width}}    share  " + "  ".join(f"{title:>9}" for _, title in _COLUMNS)
    rows = [
        f"  {name:<{width}}  {percent(share[name])}  " + "  ".join(f"{percent(c.get(key)):>9}" for key, _ in _COLUMNS)
        for name, c in classes.items()
    ]
    return [head, *rows]


def lowest_class(classes: Classes) -> str | None:
    """Return the class with the lowest intersection over union, or all classes that were never found."""
    known = {name: c["iou"] for name, c in classes.items() if c.get("iou") is not None}
    if len(known) < 2:
        return None
    lost = [name for name, iou in known.items() if iou == 0]
    if lost:
        shown = ", ".join(lost[:8]) + (", ..." if len(lost) > 8 else "")
        return f"{len(lost)} of {len(known)} classes not found at all (IoU 0): {shown}"
    name = min(known, key=lambda n: known[n])
    return f"lowest IoU {percent(known[name]).strip()} ({name})"


def percent(value: float | None) -> str:
    """Return a share with two digits, or a dash where there is none."""
    return "      -" if value is None else f"{100 * value:6.2f} %"


def _shares(classes: Classes) -> dict[str, float | None]:
    counts = {name: c.get("items") for name, c in classes.items()}
    total = sum(count or 0 for count in counts.values())
    return {name: None if count is None or not total else count / total for name, count in counts.items()}
