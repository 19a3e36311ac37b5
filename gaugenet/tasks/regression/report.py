"""Scores and predictions of fields, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEADINGS = {
    **{"mae": "MAE", "nmae": "NMAE", "rmse": "RMSE", "r2": "R2", "relative_l2": "rel. L2", "cosine": "cosine"},
    "axis_angle": "axes [deg]",
}
_WORST = 5


def describe_scores(result: Mapping[str, Any]) -> str:
    """Format the result of an evaluation as a table."""
    networks = f", mean of {result['networks']} networks" if result["networks"] > 1 else ""
    where = f"{result['run']} on {result['meshes_scored']} meshes of {result['split']!r}"
    lines = [f"{where} ({result['weights']} weights{networks})"]
    labels = {name: f"{name} [{e['unit']}]" if e["unit"] else name for name, e in result["fields"].items()}
    width = max(16, *map(len, labels.values()))
    tensors = any(entry["kind"] == "tensor" for entry in result["fields"].values())
    shown = [metric for metric in _HEADINGS if tensors or metric != "axis_angle"]
    lines.append(f"\n  {'':<{width}}" + "".join(f"{_HEADINGS[metric]:>11}" for metric in shown))
    for name, entry in result["fields"].items():
        lines.append(f"  {labels[name]:<{width}}" + "".join(_cell(metric, entry[metric]) for metric in shown))
        means = entry["mesh_mean"]
        lines.append(f"  {'mean over meshes':<{width}}" + "".join(_cell(metric, means[metric]) for metric in shown))
        if entry["missing"]:
            lines.append(
                f"  {entry['missing']} of {entry['missing'] + entry['count']} values are missing and do not count"
            )
    lines += _worst(result)
    return "\n".join(lines)


def _worst(result: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in result["fields"]:
        errors = [(m["fields"][name]["relative_l2"], m["name"]) for m in result["meshes"]]
        ranked = sorted((e for e in errors if e[0] is not None), reverse=True)[:_WORST]
        if len(ranked) > 1:
            lines += [
                f"\n  largest relative L2 errors of {name}",
                *(f"  {error:9.4f}  {mesh}" for error, mesh in ranked),
            ]
    return lines


def _cell(metric: str, value: float | None) -> str:
    if value is None:
        return f"{'-':>11}"
    return f"{100 * value:9.2f} %" if metric == "nmae" else f"{value:11.4g}"


def describe_mesh(entry: Mapping[str, Any]) -> str:
    """Return a line about one mesh, from its entry in the summary of `predict`."""
    parts = []
    for name, field in entry["fields"].items():
        unit = f" {field['unit']}" if "unit" in field else ""
        if "value" in field:
            value = field["value"]
            shown = f"{value:.4g}" if isinstance(value, float) else "(" + ", ".join(f"{v:.4g}" for v in value) + ")"
        else:
            shown = f"mean {field['mean']:.4g}, max {field['max']:.4g}" if "mean" in field else "no finite place"
        parts.append(f"{name} {shown}{unit}" + (f" (std {field['std']:.2g})" if "std" in field else ""))
    repaired = f"  (repaired: {entry['repairs']})" if "repairs" in entry else ""
    return f"{entry['name']}: {'; '.join(parts)}{repaired}"
