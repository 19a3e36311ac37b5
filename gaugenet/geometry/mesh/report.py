"""The report of a mesh inspection: a table for the terminal, a dictionary for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gaugenet.geometry.mesh.defects import PROBLEMS, Problem

_LABELS = {
    "area": "area",
    "bounding_box": "bounding box",
    "euler_characteristic": "Euler characteristic",
    "components": "components",
    "genus": "genus",
    "boundary_loops": "boundary loops",
    "edge_length": "edge length",
    "min_angle": "smallest angles, degrees",
    "radius": "radius",
}


@dataclass(frozen=True)
class QualityReport:
    """The problems and measures of a mesh.

    Attributes:
        problems: all problems, errors first.
        facts: measures of the mesh; numbers, lists and dictionaries only, without NaN or infinity.
    """

    problems: tuple[Problem, ...]
    facts: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings and infos are allowed."""
        return all(p.severity != "error" for p in self.problems)

    def __getitem__(self, name: str) -> Problem:
        """Return the problem of this name, with count 0 if the mesh does not have it.

        Raises:
            KeyError: If the name is unknown.
        """
        if name not in PROBLEMS:
            raise KeyError(f"Unknown problem {name!r}: expected one of {', '.join(PROBLEMS)}.")
        return next((p for p in self.problems if p.name == name), Problem(name, 0))

    def to_dict(self) -> dict[str, Any]:
        """Return `ok`, `problems` (a list of dictionaries) and `facts`, for JSON."""
        return {"ok": self.ok, "problems": [p.to_dict() for p in self.problems], "facts": dict(self.facts)}

    def __str__(self) -> str:
        return describe(self.to_dict())


def describe(entry: Mapping[str, Any]) -> str:
    """Return the table of one dictionary from `QualityReport.to_dict` or `inspect_files`."""
    name = f"{entry['file']}: " if "file" in entry else ""
    if "error" in entry:
        return f"{name}{entry['error']}"
    lines = [name + _summary(entry)] + _fact_lines(entry["facts"]) + _problem_lines(entry["problems"])
    if "repaired" in entry:
        repaired = entry["repaired"]
        done = [f"{a['name'].replace('_', ' ')}: {a['count']}" for a in repaired["actions"]]
        lines += [f"  repaired -> {repaired['file']}"] + [f"    {line}" for line in done or ["nothing to repair"]]
    elif any(p["repairable"] for p in entry["problems"]):
        lines.append("  repair with `repair_mesh(mesh)` or `gaugenet inspect MESH --repair OUT`")
    return "\n".join(lines)


def _summary(entry: Mapping[str, Any]) -> str:
    facts = entry["facts"]
    size = f"{facts['vertices']} vertices, {facts['faces']} faces, {facts['edges']} edges"
    return f"{size}: {'usable' if entry['ok'] else 'NOT usable as it is'}"


def _fact_lines(facts: Mapping[str, Any]) -> list[str]:
    shown = {label: _text(facts[key]) for key, label in _LABELS.items() if key in facts}
    return [f"  {label:<26}{text}" for label, text in shown.items() if text]


def _problem_lines(problems: list[dict[str, Any]]) -> list[str]:
    lines = []
    for p in problems:
        title = p["name"].replace("_", " ").replace("non ", "non-")
        places = ", ".join(_text(place) for place in p["places"]) + (", ..." if p["count"] > len(p["places"]) else "")
        where = f"{p['unit']} {places}; " if places else ""
        lines.append(f"  {p['severity']:<9}{title:<26}{p['count']:>8}  {where}{p['meaning']}")
    return lines


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return "  ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "(" + ", ".join(_text(item) for item in value) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
