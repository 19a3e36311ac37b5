"""Scores and predictions of labels on meshes, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaugenet.tasks.mesh.outputs import PLURAL
from gaugenet.tasks.training.class_report import class_table, lowest_class, percent


def describe_scores(result: Mapping[str, Any]) -> str:
    """Format the result of `evaluate` as a table."""
    worst = sorted(result["meshes"], key=lambda m: m["accuracy"] if m["accuracy"] is not None else 2.0)[:5]
    classes = result["classes"]
    lines = [
        f"{result['run']} on {result['meshes_scored']} meshes of {result['split']!r} ({result['weights']} weights)",
        f"  accuracy, mean over all {PLURAL[result['items']]:<8} {percent(result['accuracy'])}",
    ]
    if classes:
        lines.append(f"  intersection over union, mean    {percent(result['mean_iou'])}")
    if (lowest := lowest_class(classes)) is not None:
        lines.append(f"  {lowest}")
    lines.append(f"  accuracy, mean over meshes       {percent(result['mesh_accuracy'])}")
    if "independent_accuracy" in result:
        lines.append(f"  accuracy without one-to-one      {percent(result['independent_accuracy'])}")
    if result["area_accuracy"] is not None:
        lines.append(f"  accuracy, by area                {percent(result['area_accuracy'])}")
    if table := class_table(classes):
        lines += ["", *table]
    if result["items"] != "mesh":
        lines += ["\n  least accurate meshes"] + [f"  {percent(m['accuracy'])}  {m['name']}" for m in worst]
    if "gauge_check" in result:
        check = result["gauge_check"]
        lines.append(
            f"\n  random frames at every vertex: scores move by {check['relative_change']:.2e} (relative), "
            f"{check['flipped']} of {check['items']} predictions flip"
        )
    return "\n".join(lines)


def describe_mesh(entry: Mapping[str, Any]) -> str:
    """Return a line about one labelled mesh, from its entry in the summary of `predict`."""
    if "label" in entry:
        return f"{entry['name']}: {entry['label']} ({100 * entry['probability']:.1f} %)"
    largest = sorted(entry.get("area", {}).items(), key=lambda item: -item[1])[:4]
    parts = ", ".join(f"{name} {100 * share:.0f} %" for name, share in largest)
    repaired = f"  (repaired: {entry['repairs']})" if "repairs" in entry else ""
    return f"{entry['name']}: {entry['faces']} faces  {parts}{repaired}"
