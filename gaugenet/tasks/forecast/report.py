"""Scores of forecasts, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ROWS = 8
"""The largest number of lead times that are shown."""


def describe_scores(result: Mapping[str, Any]) -> str:
    """Format the result of `evaluate_forecast` as a table."""
    steps, hours = result["steps"], result["step_hours"]
    lines = [
        f"{result['run']}: {result['starts']} forecasts of {steps} steps of {hours:g} h ({result['weights']} weights), "
        "by area:"
    ]
    shown = sorted({round((k + 1) * steps / min(_ROWS, steps)) - 1 for k in range(min(_ROWS, steps))})
    for name, field in result["fields"].items():
        lines.append(f"\n  {name}: root mean square error (not resolved: {field['unresolved']:.4g})")
        lines.append("    lead (h)  forecast  persistence  climatology     ACC  near the poles (persistence)")
        for lead in shown:
            rmse, polar = field["rmse"], field["polar_rmse"]
            lines.append(
                f"    {(lead + 1) * hours:8g}  {rmse['forecast'][lead]:8.4g}  {rmse['persistence'][lead]:11.4g}  "
                f"{rmse['climatology'][lead]:11.4g}  {field['acc'][lead]:6.3f}  {polar['forecast'][lead]:.4g} "
                f"({polar['persistence'][lead]:.4g})"
            )
        if "rotated_rmse" in field:
            last = [rmse[-1] for rmse in field["rotated_rmse"]]
            lines.append(f"    {len(last)} random rotations, after the last step: {min(last):.4g} .. {max(last):.4g}")
        if field["spectrum"]["truth"]:
            lines.append(f"    power of the short waves, forecast / truth: {_fine(field['spectrum']):.2f}")
    if "rotation_error" in result:
        lines.append(f"\n  60 rotations of the icosahedron: the forecast differs by {result['rotation_error']:.1e}")
    return "\n".join(lines)


def _fine(spectrum: Mapping[str, list[float]]) -> float:
    """Return the power of a forecast relative to the truth, in the wavenumbers above a quarter of the largest."""
    first = len(spectrum["truth"]) // 4
    found, truth = (sum(spectrum[name][first:]) for name in ("forecast", "truth"))
    return found / truth if truth > 0 else float("nan")
