"""Scores of patterns on the globe, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaugenet.tasks.training.class_report import lowest_class, percent


def headline(result: Mapping[str, Any]) -> str:
    """Return the mean IoU of the patterns, and the class that a mean over the globe hides."""
    mean = result["mean_iou"]
    words = ["no patterns in the labels" if mean is None else f"mean IoU of patterns {percent(mean).strip()}"]
    return ", ".join([*words, *filter(None, [lowest_class(result["classes"])])])


def describe_scores(result: Mapping[str, Any]) -> str:
    """Format the result of `evaluate_climate` as a table."""
    lines = [f"{result['run']} on {result['frames']} time steps ({result['weights']} weights), by area:"]
    lines += [headline(result), ""]
    width = max(map(len, result["classes"]))
    lines.append(f"  {'class':<{width}}      AP     IoU  recall  precision   found  false alarms")
    for name, c in result["classes"].items():
        ap, iou, recall, precision = (_number(c[m]) for m in ("ap", "iou", "recall", "precision"))
        text = f"  {name:<{width}}  {ap}  {iou}  {recall}     {precision}"
        if "objects" in c:
            found = c["objects"]
            text += f"  {found['hits']:>3} / {found['hits'] + found['misses']:<3} {found['false_alarms']:>6}"
        lines.append(text)
    origin = "from validation" if result["validated"] else "(nothing was validated: see --calibrate)"
    for name, c in result["classes"].items():
        if "threshold" in c:
            lines.append(
                f"\n  {name}: threshold {c['threshold']:.3f} {origin}; the best one here, "
                f"{c['best_threshold']:.3f}, has IoU {_number(c['best_iou']).strip()}; "
                f"probabilities miss frequencies by {_number(c['calibration_error']).strip()} of the true area"
            )
    lines.append(f"\n  found: centres within {result['within_km']:.0f} km, one to one")
    for name, text in (("rotations", "random rotations of the globe"), ("icosahedral", "rotations of the icosahedron")):
        if name in result:
            ap, iou = (_span(result[name][m]) for m in ("ap", "iou"))
            lines.append(f"  {result[name]['ap']['count']} {text}: AP {ap}, IoU {iou}")
    return "\n".join(lines)


def _span(spread: dict[str, float]) -> str:
    return f"{spread['mean']:.3f} ({spread['min']:.3f} .. {spread['max']:.3f})"


def _number(value: float | None) -> str:
    return "     -" if value is None else f"{value:6.3f}"
