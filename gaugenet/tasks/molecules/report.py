"""Scores and predictions of molecules, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe_scores(result: Mapping[str, Any]) -> str:
    """Format the result of an evaluation as a table."""
    scored = f"{result['molecules_scored']} molecules of {result['split']!r}"
    lines = [
        f"{result['run']} on {scored} ({result['weights']} weights)",
        f"\n  {'':<28}{'MAE':>12}{'RMSE':>12}{'largest':>12}",
    ]
    names = {"energy": result["target"], "energy_per_atom": f"{result['target']} per atom", "forces": "force component"}
    for key, name in names.items():
        if key in result:
            unit = result["force_unit" if key == "forces" else "energy_unit"]
            label = f"{name} [{unit}]" if unit else name
            lines.append(f"  {label:<28}" + "".join(f"{result[key][s]:12.4g}" for s in ("mae", "rmse", "max")))
    forces = result.get("forces", {})
    if "relative_mae" in forces:
        shares = "".join(f"{100 * forces[f'relative_{s}']:10.2f} %" for s in ("mae", "rmse"))
        lines.append(f"  {'relative to the RMS force':<28}{shares}")
    return "\n".join(lines)


def describe_file(entry: Mapping[str, Any]) -> str:
    """Return a line about one file, from its entry in the summary of `predict`."""
    unit = f" {entry['unit']}" if entry["unit"] else ""
    span = f"{entry['lowest']:.6g} to {entry['highest']:.6g}{unit}"
    return f"{entry['name']}: {entry['molecules']} molecules, {entry['target']} {span}"


__all__ = ["describe_file", "describe_scores"]
