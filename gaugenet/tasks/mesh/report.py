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
    lines += _geodesic(result)
    if table := class_table(classes):
        lines += ["", *table]
    if pairs := result.get("confusions"):
        lines += ["", "  most frequent errors (true class, predicted class, share of all errors)"]
        lines += [f"  {percent(pair['share'])}  {pair['truth']} -> {pair['predicted']}" for pair in pairs]
    if near := result.get("boundary"):
        lines += ["", *_near_boundaries(near, PLURAL[result["items"]])]
    lines += _by_distance(result)
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
        return f"{entry['name']}: {entry['label']} ({100 * entry['probability']:.1f} %){_unlike(entry)}"
    largest = sorted(entry.get("area", {}).items(), key=lambda item: -item[1])[:4]
    parts = ", ".join(f"{name} {100 * share:.0f} %" for name, share in largest)
    repaired = f"  (repaired: {entry['repairs']})" if "repairs" in entry else ""
    return f"{entry['name']}: {entry['faces']} faces  {parts}{repaired}{_unlike(entry)}"


def _unlike(entry: Mapping[str, Any]) -> str:
    """Return a warning about a mesh that is unlike the training meshes."""
    distance, usual = entry.get("distance", 0.0), entry.get("usual_distance", 0.0)
    if distance <= usual:
        return ""
    return (
        f"  (unlike the training meshes, expect more errors: distance {distance:.2f}, where 95 % of them have at most "
        f"{usual:.2f})"
    )


def _geodesic(result: Mapping[str, Any]) -> list[str]:
    error = result.get("geodesic_error")
    if error is None:
        return []
    lines = [
        f"  geodesic error, mean             {percent(error['mean'])}  of the square root of the area",
        f"  geodesic error below 5 %         {percent(error['below_5_percent'])}  of the vertices",
    ]
    if error["missing"]:
        lines.append(f"  left out: no such place on mesh  {percent(error['missing'])}  of the vertices")
    return lines


def _near_boundaries(shares: Mapping[str, float | None], items: str) -> list[str]:
    return [
        f"  errors {where:<31}{percent(shares[f'errors_{key}'])}  of all errors, on "
        f"{percent(shares[f'items_{key}']).strip()} of the {items}"
        for where, key in (("at a true boundary", "at_boundary"), ("within one ring of it", "within_one_ring"))
    ]


def _by_distance(result: Mapping[str, Any]) -> list[str]:
    """Return the accuracy of meshes like and unlike those of the training, if there are both."""
    usual = result.get("usual_distance")
    if usual is None:
        return []
    parts: dict[str, list[float]] = {"like": [], "unlike": []}
    for mesh in result["meshes"]:
        if mesh["accuracy"] is not None:
            parts["like" if mesh["distance"] <= usual else "unlike"].append(mesh["accuracy"])
    if not parts["unlike"]:
        return []
    return [""] + [
        f"  accuracy, {len(values):>4} meshes {name + ' the training':<20}{percent(sum(values) / len(values))}"
        for name, values in parts.items()
        if values
    ]
